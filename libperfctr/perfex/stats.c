// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What several runs have in common: mean and deviation, by Welford's method,
 * which does not lose the small differences of large counts.
 */

#include <math.h>

#include "perfex.h"

void stats_add(struct stats *stats, double value)
{
	double delta = value - stats->mean;

	stats->nr++;
	stats->mean += delta / stats->nr;
	stats->squares += delta * (value - stats->mean);
}

double stats_deviation(const struct stats *stats)
{
	return stats->nr < 2 ? 0 : sqrt(stats->squares / (stats->nr - 1));
}

double stats_relative(const struct stats *stats)
{
	return stats->mean > 0 ? 100 * stats_deviation(stats) / stats->mean : 0;
}

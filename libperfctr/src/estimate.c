// SPDX-License-Identifier: LGPL-2.1-or-later
/* Scaling, which is done where somebody asks for it and nowhere else. */

#include "internal.h"

uint64_t perfctr_estimate(uint64_t count, uint64_t tsc, uint64_t loaded)
{
	__extension__ typedef unsigned __int128 uint128;
	uint128 estimate;

	if (!loaded)
		return 0;
	estimate = ((uint128)count * tsc + loaded / 2) / loaded;
	return estimate > UINT64_MAX ? UINT64_MAX : (uint64_t)estimate;
}

unsigned long long vperfctr_estimate(const struct vperfctr_sums *sums,
				     unsigned int i)
{
	if (i >= sums->nr || i >= PERFCTR_MAX_PMCS)
		return 0;
	return perfctr_estimate(sums->pmc[i], sums->tsc, sums->loaded[i]);
}

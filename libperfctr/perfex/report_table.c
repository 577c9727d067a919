// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table: how much of all samples has each function, line, object or thread;
 * with call chains also how much it has together with what it calls.
 */

#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "profile.h"

struct row {
	/* What it is of: the same texts are the same pointers. */
	const char *name, *where;
	int line; /* of "name", or a thread's id */
	uint64_t own, all;
	const struct sample *last; /* that was counted in "all" */
};

struct table {
	enum sort_key sort;
	void *tree; /* tsearch(): struct row */
	struct row **rows;
	size_t nr, room;
};

static int compare_keys(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->name != y->name)
		return (uintptr_t)x->name < (uintptr_t)y->name ? -1 : 1;
	if (x->where != y->where)
		return (uintptr_t)x->where < (uintptr_t)y->where ? -1 : 1;
	return (x->line > y->line) - (x->line < y->line);
}

static int compare_texts(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/* Most first; then by name, so that it is the same each time. */
static int compare_rows(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a;
	const struct row *y = *(struct row *const *)b;
	int order;

	if (x->own != y->own)
		return x->own > y->own ? -1 : 1;
	if (x->all != y->all)
		return x->all > y->all ? -1 : 1;
	order = compare_texts(x->name, y->name);
	if (!order)
		order = compare_texts(x->where, y->where);
	return order ? order : (x->line > y->line) - (x->line < y->line);
}

static struct row key_of(const struct table *table, const struct sample *sample,
			 const struct place *place)
{
	struct row key = {.name = NULL};

	switch (table->sort) {
	case SORT_SYMBOL:
		key.name = place->symbol;
		key.where = place->dso->name;
		break;
	case SORT_LINE:
		key.name = place->file;
		key.line = place->file ? place->line : 0;
		/* Where there is no line, the function at least. */
		key.where = place->file || !place->symbol ? place->dso->name
							  : place->symbol;
		break;
	case SORT_DSO:
		key.name = place->dso->name;
		break;
	case SORT_THREAD:
		key.name = sample->comm;
		key.line = sample->tid;
		break;
	}
	return key;
}

/* NULL: no memory. */
static struct row *find_row(struct table *table, const struct row *key)
{
	struct row **found = tfind(key, &table->tree, compare_keys), *row;

	if (found)
		return *found;
	if (table->nr == table->room) {
		size_t room = table->room ? 2 * table->room : 64;
		struct row **rows =
			reallocarray(table->rows, room, sizeof(*rows));

		if (!rows)
			return NULL;
		table->rows = rows;
		table->room = room;
	}
	row = malloc(sizeof(*row));
	if (!row)
		return NULL;
	*row = *key;
	if (!tsearch(row, &table->tree, compare_keys)) {
		free(row);
		return NULL;
	}
	return table->rows[table->nr++] = row;
}

static bool add_sample(struct table *table, const struct sample *sample)
{
	uint32_t i;

	for (i = 0; i < sample->depth; i++) {
		struct row key = key_of(table, sample, sample->frames[i]);
		struct row *row = find_row(table, &key);

		if (!row)
			return false;
		if (!i)
			row->own++;
		/* Once for each sample, also where it calls itself. */
		if (row->last != sample)
			row->all++;
		row->last = sample;
	}
	return true;
}

static void print_head(FILE *stream, const struct table *table, bool chains)
{
	static const char *const heads[] = {
		[SORT_SYMBOL] = "symbol  shared object",
		[SORT_LINE] = "source line",
		[SORT_DSO] = "shared object",
		[SORT_THREAD] = "tid  thread",
	};

	fprintf(stream, "# %7s%s %10s  %s\n", "share",
		chains ? "    with calls" : "", "samples", heads[table->sort]);
}

static void print_row(FILE *stream, const struct table *table,
		      const struct row *row, uint64_t total, bool chains)
{
	fprintf(stream, "%7.2f %%", 100.0 * (double)row->own / (double)total);
	if (chains)
		fprintf(stream, "  %10.2f %%",
			100.0 * (double)row->all / (double)total);
	fprintf(stream, " %10" PRIu64 "  ", row->own);
	switch (table->sort) {
	case SORT_SYMBOL:
		fprintf(stream, "%s  %s\n", row->name ? row->name : "[unknown]",
			row->where);
		break;
	case SORT_LINE:
		if (row->name)
			fprintf(stream, "%s:%d\n", row->name, row->line);
		else
			fprintf(stream, "[unknown]  %s\n", row->where);
		break;
	case SORT_DSO:
		fprintf(stream, "%s\n", row->name);
		break;
	case SORT_THREAD:
		fprintf(stream, "%d  %s\n", row->line, row->name);
		break;
	}
}

int report_table(FILE *stream, const struct profile *profile,
		 unsigned int event, enum sort_key sort)
{
	struct table table = {.sort = sort};
	/* Who calls whom says nothing of threads. */
	bool chains = profile->chain_depth && sort != SORT_THREAD;
	uint64_t total = 0;
	int error = 0;
	size_t i;

	for (i = 0; i < profile->nr_samples && !error; i++) {
		if (!sample_counts(&profile->samples[i], event))
			continue;
		total++;
		if (!add_sample(&table, &profile->samples[i]))
			error = ENOMEM;
	}
	if (!error) {
		report_summary(stream, "# ", profile, event);
		fputs("#\n", stream);
		print_head(stream, &table, chains);
		if (table.nr)
			qsort(table.rows, table.nr, sizeof(*table.rows),
			      compare_rows);
		for (i = 0; i < table.nr; i++)
			print_row(stream, &table, table.rows[i], total, chains);
	}
	tdestroy(table.tree, free);
	free(table.rows);
	return error;
}

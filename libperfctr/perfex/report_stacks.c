// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two texts that other tools read: folded stacks, one line for each that
 * occurs with its number of samples; and the layout of "perf script", one
 * paragraph for each sample.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profile.h"

/* The deepest stack: chain, instruction, thread. */
#define MOST_FRAMES (PERFCTR_RINGS_MAX_DEPTH + 2)

/* A semicolon would be the next frame. */
static void print_frame(FILE *stream, const struct stack_node *node)
{
	const char *at;

	for (at = node->name; *at; at++)
		fputc(*at == ';' ? ':' : *at, stream);
	if (node->kernel)
		fputs("_[k]", stream);
}

static void print_folded(FILE *stream, const struct stack_node *node,
			 const struct stack_node **path, unsigned int depth)
{
	const struct stack_node *child;
	unsigned int i;

	for (child = node->first; child; child = child->next) {
		path[depth] = child;
		for (i = 0; child->own && i <= depth; i++) {
			if (i)
				fputc(';', stream);
			print_frame(stream, path[i]);
		}
		if (child->own)
			fprintf(stream, " %" PRIu64 "\n", child->own);
		print_folded(stream, child, path, depth + 1);
	}
}

int report_folded(FILE *stream, const struct profile *profile,
		  unsigned int event)
{
	const struct stack_node *path[MOST_FRAMES + 1];
	struct stack_node *root = stacks_build(profile, event);

	if (!root)
		return ENOMEM;
	print_folded(stream, root, path, 0);
	stacks_free(root);
	return 0;
}

static void print_place(FILE *stream, uint64_t ip, const struct place *place)
{
	char name[1024] = "[unknown]";

	if (place->symbol)
		place_name(place, true, name, sizeof(name));
	fprintf(stream, "\t%16" PRIx64 " %s (%s)\n", ip, name,
		place->dso->name);
}

int report_script(FILE *stream, const struct profile *profile,
		  unsigned int event)
{
	uint64_t khz = profile->tsc_khz ? profile->tsc_khz : 1;
	size_t i;
	uint32_t frame;

	report_summary(stream, "# ", profile, event);
	fputc('\n', stream);
	for (i = 0; i < profile->nr_samples; i++) {
		const struct sample *sample = &profile->samples[i];

		if (!sample_counts(sample, event))
			continue;
		fprintf(stream,
			"%s %d/%d [%03u] %" PRIu64 ".%06" PRIu64 ": %10" PRIu64
			" %s: \n",
			sample->comm, sample->pid, sample->tid, sample->cpu,
			sample->tsc / khz / 1000,
			sample->tsc / khz % 1000 * 1000 +
				sample->tsc % khz * 1000 / khz,
			profile->events[event].period,
			profile->events[event].name);
		for (frame = 0; frame < sample->depth; frame++)
			print_place(stream, sample->ips[frame],
				    sample->frames[frame]);
		fputc('\n', stream);
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* perfex report: what all formats share, and the command itself. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profile.h"

/* ---------------------------------- summary ------------------------------ */

static uint64_t count_samples(const struct profile *profile, unsigned int event)
{
	uint64_t nr = 0;
	size_t i;

	for (i = 0; i < profile->nr_samples; i++)
		nr += sample_counts(&profile->samples[i], event);
	return nr;
}

static void summarize_events(FILE *stream, const char *prefix,
			     const struct profile *profile, unsigned int event)
{
	const struct profile_event *this = &profile->events[event];
	unsigned int i;

	fprintf(stream,
		"%s%" PRIu64 " samples of %s, one each %" PRIu64 " events",
		prefix, count_samples(profile, event), this->name,
		this->period);
	if (this->counted)
		fprintf(stream, "; %" PRIu64 " were counted", this->count);
	fputc('\n', stream);
	for (i = 0; i < profile->nr_events; i++)
		if (i != event)
			fprintf(stream,
				"%salso recorded: %s (perfex report -e %s)\n",
				prefix, profile->events[i].name,
				profile->events[i].name);
}

/* What the samples do not have in them: those two lines always. */
static void summarize_losses(FILE *stream, const char *prefix,
			     const struct profile *profile)
{
	fprintf(stream, "%slost: %" PRIu64 " records%s\n", prefix,
		profile->lost,
		profile->lost
			? " for which there was no room (perfex record --pages, or a longer period)"
			: "");
	fprintf(stream, "%sthrottled: %" PRIu64 " overflows not sampled%s\n",
		prefix, profile->throttled,
		profile->throttled
			? ", as they came too fast (a longer period samples all)"
			: "");
	if (profile->damaged)
		fprintf(stream,
			"%sa ring was not readable: %" PRIu64
			" times; what it had is not in here\n",
			prefix, profile->damaged);
	if (profile->cut || !profile->whole)
		fprintf(stream,
			"%scut: the file ends before the recording did (perfex or the machine was stopped, or the disk was full); this is what is there\n",
			prefix);
}

static void summarize_threads(FILE *stream, const char *prefix,
			      const struct profile *profile)
{
	if (profile->no_place)
		fprintf(stream,
			"%s%" PRIu64
			" samples have no address: their threads had been switched out\n",
			prefix, profile->no_place);
	if (profile->live)
		fprintf(stream,
			"%s%u threads were still running when the command had ended: recorded until then\n",
			prefix, profile->live);
	if (profile->errors)
		fprintf(stream, "%s%u threads counted until an error only\n",
			prefix, profile->errors);
	if (profile->refused)
		fprintf(stream,
			"%s%u threads not sampled from an exec on that raised privileges\n",
			prefix, profile->refused);
	if (profile->uncounted)
		fprintf(stream,
			"%s%u threads not sampled: no memory for their counters\n",
			prefix, profile->uncounted);
}

void report_summary(FILE *stream, const char *prefix,
		    const struct profile *profile, unsigned int event)
{
	size_t i;

	fprintf(stream, "%s%s: %s\n", prefix, profile->path, profile->command);
	fprintf(stream, "%s%s, %s, %s\n", prefix, profile->hypervisor,
		profile->guest, profile->cpu);
	summarize_events(stream, prefix, profile, event);
	if (!profile->split)
		fprintf(stream,
			"%suser mode and the guest's kernel are counted together\n",
			prefix);
	summarize_losses(stream, prefix, profile);
	summarize_threads(stream, prefix, profile);
	for (i = 0; i < profile->nr_dsos; i++)
		if (profile->dsos[i]->problem && profile->dsos[i]->samples)
			fprintf(stream, "%sno names for %s: %s\n", prefix,
				profile->dsos[i]->name,
				profile->dsos[i]->problem);
}

/* ----------------------------------- stacks ------------------------------ */

static struct stack_node *find_child(struct stack_node *node, const char *name,
				     bool kernel)
{
	struct stack_node **link, *child;

	for (link = &node->first; (child = *link); link = &child->next) {
		if (strcmp(child->name, name) != 0 || child->kernel != kernel)
			continue;
		/* It will be asked for again. */
		*link = child->next;
		child->next = node->first;
		node->first = child;
		return child;
	}
	child = calloc(1, sizeof(*child));
	if (!child)
		return NULL;
	child->name = strdup(name);
	if (!child->name) {
		free(child);
		return NULL;
	}
	child->kernel = kernel;
	child->next = node->first;
	node->first = child;
	return child;
}

static bool add_stack(struct stack_node *root, const struct sample *sample)
{
	struct stack_node *node = root;
	char label[1024];
	uint32_t i;

	node->samples++;
	node = find_child(node, sample->comm, false);
	if (node)
		node->samples++;
	for (i = sample->depth; node && i--;) {
		const struct place *place = sample->frames[i];

		place_label(place, label, sizeof(label));
		node = find_child(node, label, place->dso->kernel);
		if (node)
			node->samples++;
	}
	if (node)
		node->own++;
	return node != NULL;
}

static int compare_nodes(const void *a, const void *b)
{
	const struct stack_node *x = *(struct stack_node *const *)a;
	const struct stack_node *y = *(struct stack_node *const *)b;
	int order = strcmp(x->name, y->name);

	return order ? order : (int)x->kernel - (int)y->kernel;
}

/* By name, at each level; false: no memory. */
static bool sort_stacks(struct stack_node *node)
{
	struct stack_node **list, *child;
	size_t nr = 0, i;
	bool sorted = true;

	for (child = node->first; child; child = child->next)
		nr++;
	if (!nr)
		return true;
	list = calloc(nr, sizeof(*list));
	if (!list)
		return false;
	for (child = node->first, i = 0; child; child = child->next)
		list[i++] = child;
	qsort(list, nr, sizeof(*list), compare_nodes);
	node->first = list[0];
	for (i = 0; i < nr; i++) {
		list[i]->next = i + 1 < nr ? list[i + 1] : NULL;
		sorted = sorted && sort_stacks(list[i]);
	}
	free(list);
	return sorted;
}

struct stack_node *stacks_build(const struct profile *profile,
				unsigned int event)
{
	struct stack_node *root = calloc(1, sizeof(*root));
	size_t i;

	if (!root)
		return NULL;
	for (i = 0; i < profile->nr_samples; i++)
		if (sample_counts(&profile->samples[i], event) &&
		    !add_stack(root, &profile->samples[i]))
			goto err;
	if (sort_stacks(root))
		return root;
err:
	stacks_free(root);
	return NULL;
}

void stacks_free(struct stack_node *root)
{
	struct stack_node *child, *next;

	if (!root)
		return;
	for (child = root->first; child; child = next) {
		next = child->next;
		stacks_free(child);
	}
	free((char *)(uintptr_t)root->name);
	free(root);
}

/* --------------------------------- the command --------------------------- */

/* Returns the event's index, or -1 with @message. */
static int choose_event(const struct profile *profile, const char *name,
			struct message *message)
{
	unsigned int i;

	if (!name)
		return 0;
	for (i = 0; i < profile->nr_events; i++)
		if (!strcmp(profile->events[i].name, name))
			return (int)i;
	return complain(message, "-e %.100s: %s has samples of %s%s only", name,
			profile->path, profile->events[0].name,
			profile->nr_events > 1 ? " and others" : "");
}

static int write_report(FILE *stream, struct profile *profile,
			const struct report_options *options,
			unsigned int event)
{
	switch (options->format) {
	case FORMAT_FOLDED:
		return report_folded(stream, profile, event);
	case FORMAT_SCRIPT:
		return report_script(stream, profile, event);
	case FORMAT_PPROF:
		return report_pprof(stream, profile, event);
	case FORMAT_FLAMEGRAPH:
		return report_flamegraph(stream, profile, event);
	case FORMAT_TEXT:
		break;
	}
	return report_table(stream, profile, event, options->sort);
}

/* Formats that have no room for it. */
static bool summary_apart(const struct report_options *options)
{
	return options->format == FORMAT_FOLDED ||
	       options->format == FORMAT_PPROF;
}

/* -o FILE is written whole, or not at all. */
static int report_to(struct profile *profile,
		     const struct report_options *options, unsigned int event,
		     struct message *message)
{
	struct output output = {.path = NULL, .fd = STDOUT_FILENO};
	char *text = NULL;
	size_t size = 0;
	FILE *stream;
	int error;

	if (options->output &&
	    output_open(&output, options->output, false, message) < 0)
		return -1;
	stream = open_memstream(&text, &size);
	error = stream ? write_report(stream, profile, options, event) : ENOMEM;
	if (stream && fclose(stream) != 0 && !error)
		error = errno;
	if (error) {
		output_abandon(&output);
		free(text);
		return complain(message, "%s", strerror(error));
	}
	error = output_write(&output, text, size, message);
	free(text);
	return error;
}

int report_main(int argc, char **argv)
{
	struct report_options options;
	struct profile profile;
	struct message message;
	int event, status = 0;

	if (report_options_parse(&options, argc, argv, &message) < 0)
		return fail_with(EXIT_USAGE, &message);
	if (options.help) {
		report_help(stdout);
		return finish_stdout();
	}
	if (options.format == FORMAT_PPROF && !options.output &&
	    isatty(STDOUT_FILENO)) {
		complain(&message,
			 "pprof's format is not for a terminal: -o FILE");
		return fail_with(EXIT_USAGE, &message);
	}
	if (profile_load(&profile, options.input, &message) < 0)
		return fail_with(EXIT_USAGE, &message);
	event = choose_event(&profile, options.event, &message);
	if (event < 0) {
		profile_free(&profile);
		return fail_with(EXIT_USAGE, &message);
	}
	if (report_to(&profile, &options, (unsigned int)event, &message) < 0)
		status = fail_with(EXIT_PERFEX, &message);
	else if (summary_apart(&options))
		report_summary(stderr, "perfex: ", &profile,
			       (unsigned int)event);
	else if (options.output && (profile.cut || !profile.whole))
		fprintf(stderr, "perfex: %s was cut\n", options.input);
	profile_free(&profile);
	return status;
}

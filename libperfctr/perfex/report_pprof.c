// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pprof's format: a protobuf message, compressed by gzip.  Names are in it, so
 * the files are not needed to read it.
 */

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "pprof.pb-c.h"
#include "profile.h"

struct builder {
	Pprof__Profile profile;
	void *strings; /* tsearch(): struct string */
	size_t room_strings;
	void *functions; /* tsearch(): struct function */
	size_t room_functions;
	int error;
};

struct string {
	const char *text;
	int64_t index;
};

struct function {
	const char *name, *file;
	uint64_t id;
};

static int compare_strings(const void *a, const void *b)
{
	const struct string *x = a, *y = b;

	return strcmp(x->text, y->text);
}

/* Room for one more pointer at the end of a list of the message. */
static bool grow(struct builder *builder, void *list, size_t nr, size_t *room)
{
	void **pointers = *(void ***)list;

	if (nr < *room)
		return true;
	*room = *room ? 2 * *room : 64;
	pointers = reallocarray(pointers, *room, sizeof(*pointers));
	if (!pointers) {
		builder->error = ENOMEM;
		return false;
	}
	*(void ***)list = pointers;
	return true;
}

static void *new (struct builder *builder, size_t size)
{
	void *message = malloc(size);

	if (!message)
		builder->error = ENOMEM;
	return message;
}

/* @text lives as long as the profile, or for ever. */
static int64_t string(struct builder *builder, const char *text)
{
	struct string key = {.text = text}, *added, **found;
	Pprof__Profile *profile = &builder->profile;

	found = tfind(&key, &builder->strings, compare_strings);
	if (found)
		return (*found)->index;
	if (!grow(builder, &profile->string_table, profile->n_string_table,
		  &builder->room_strings))
		return 0;
	added = new (builder, sizeof(*added));
	if (!added)
		return 0;
	added->text = text;
	added->index = (int64_t)profile->n_string_table;
	if (!tsearch(added, &builder->strings, compare_strings)) {
		free(added);
		builder->error = ENOMEM;
		return 0;
	}
	profile->string_table[profile->n_string_table++] =
		(char *)(uintptr_t)text;
	return added->index;
}

static int compare_functions(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	if (x->name != y->name)
		return (uintptr_t)x->name < (uintptr_t)y->name ? -1 : 1;
	return ((uintptr_t)x->file > (uintptr_t)y->file) -
	       ((uintptr_t)x->file < (uintptr_t)y->file);
}

static uint64_t function(struct builder *builder, const char *name,
			 const char *file)
{
	struct function key = {.name = name, .file = file}, *added, **found;
	Pprof__Profile *profile = &builder->profile;
	Pprof__Function *message;

	found = tfind(&key, &builder->functions, compare_functions);
	if (found)
		return (*found)->id;
	if (!grow(builder, &profile->function, profile->n_function,
		  &builder->room_functions))
		return 0;
	added = new (builder, sizeof(*added));
	message = new (builder, sizeof(*message));
	if (!added || !message) {
		free(added);
		free(message);
		return 0;
	}
	*added = key;
	added->id = profile->n_function + 1;
	if (!tsearch(added, &builder->functions, compare_functions)) {
		free(added);
		free(message);
		builder->error = ENOMEM;
		return 0;
	}
	pprof__function__init(message);
	message->id = added->id;
	message->name = message->system_name = string(builder, name);
	if (file)
		message->filename = string(builder, file);
	profile->function[profile->n_function++] = message;
	return added->id;
}

static bool add_mapping(struct builder *builder, struct dso *dso,
			char **build_id)
{
	Pprof__Profile *to = &builder->profile;
	Pprof__Mapping *mapping = new (builder, sizeof(*mapping));
	size_t byte;

	*build_id = new (builder, 2 * dso->build_id_size + 1);
	if (!mapping || !*build_id) {
		free(mapping);
		return false;
	}
	**build_id = '\0';
	for (byte = 0; byte < dso->build_id_size; byte++)
		snprintf(*build_id + 2 * byte, 3, "%02x", dso->build_id[byte]);
	pprof__mapping__init(mapping);
	to->mapping[to->n_mapping++] = mapping;
	dso->number = (unsigned int)to->n_mapping;
	mapping->id = dso->number;
	/* Addresses are the file's own, wherever it was mapped. */
	mapping->memory_limit = UINT64_MAX;
	mapping->filename = string(builder, dso->name);
	mapping->build_id = string(builder, *build_id);
	mapping->has_functions = true;
	mapping->has_filenames = mapping->has_line_numbers =
		dso->symbols != NULL;
	return true;
}

/* Files first: readers take the first one for the program. */
static void add_mappings(struct builder *builder, struct profile *profile,
			 char **build_ids)
{
	Pprof__Profile *to = &builder->profile;
	size_t i, pass;

	to->mapping = calloc(profile->nr_dsos + 1, sizeof(*to->mapping));
	if (!to->mapping) {
		builder->error = ENOMEM;
		return;
	}
	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < profile->nr_dsos; i++)
			if (profile->dsos[i]->file == !pass &&
			    !add_mapping(builder, profile->dsos[i],
					 &build_ids[i]))
				return;
}

static void add_locations(struct builder *builder, struct profile *profile)
{
	Pprof__Profile *to = &builder->profile;
	size_t i;

	to->location = calloc(profile->nr_places + 1, sizeof(*to->location));
	if (!to->location) {
		builder->error = ENOMEM;
		return;
	}
	for (i = 0; i < profile->nr_places && !builder->error; i++) {
		struct place *place = profile->places[i];
		Pprof__Location *location = new (builder, sizeof(*location));
		Pprof__Line *line = NULL;

		if (!location)
			return;
		pprof__location__init(location);
		to->location[to->n_location++] = location;
		place->number = (unsigned int)i + 1;
		location->id = place->number;
		location->mapping_id = place->dso->number;
		location->address = place->address;
		if (!place->symbol)
			continue;
		line = new (builder, sizeof(*line));
		location->line = new (builder, sizeof(*location->line));
		if (!line || !location->line) {
			free(line);
			return;
		}
		pprof__line__init(line);
		line->function_id =
			function(builder, place->symbol, place->file);
		line->line = place->file ? place->line : 0;
		location->line[0] = line;
		location->n_line = 1;
	}
}

static Pprof__Label *label(struct builder *builder, const char *key,
			   const char *text, int64_t number)
{
	Pprof__Label *message = new (builder, sizeof(*message));

	if (!message)
		return NULL;
	pprof__label__init(message);
	message->key = string(builder, key);
	if (text)
		message->str = string(builder, text);
	else
		message->num = number;
	return message;
}

static void add_sample(struct builder *builder, const struct sample *sample,
		       uint64_t period)
{
	Pprof__Profile *to = &builder->profile;
	Pprof__Sample *message = new (builder, sizeof(*message));
	uint32_t i;

	if (!message)
		return;
	pprof__sample__init(message);
	to->sample[to->n_sample++] = message;
	message->location_id =
		calloc(sample->depth, sizeof(*message->location_id));
	message->value = calloc(2, sizeof(*message->value));
	message->label = calloc(3, sizeof(*message->label));
	if (!message->location_id || !message->value || !message->label) {
		builder->error = ENOMEM;
		return;
	}
	for (i = 0; i < sample->depth; i++)
		message->location_id[i] = sample->frames[i]->number;
	message->n_location_id = sample->depth;
	message->value[0] = 1;
	message->value[1] = (int64_t)period;
	message->n_value = 2;
	message->label[0] = label(builder, "thread", sample->comm, 0);
	message->label[1] = label(builder, "tid", NULL, sample->tid);
	message->label[2] = label(builder, "cpu", NULL, sample->cpu);
	if (!builder->error)
		message->n_label = 3;
}

/* The summary, line by line: pprof shows it beside the profile. */
static void add_comments(struct builder *builder, char *summary)
{
	Pprof__Profile *to = &builder->profile;
	char *line, *rest = summary;
	size_t nr = 1;

	for (line = summary; *line; line++)
		nr += *line == '\n';
	to->comment = calloc(nr, sizeof(*to->comment));
	if (!to->comment) {
		builder->error = ENOMEM;
		return;
	}
	while ((line = strsep(&rest, "\n")))
		if (*line)
			to->comment[to->n_comment++] = string(builder, line);
}

static int compress_to(FILE *stream, uint8_t *data, size_t size)
{
	unsigned char out[16384];
	z_stream z = {.next_in = data};
	int result, flush;

	/* 16 more than the largest window: gzip's head and tail. */
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return ENOMEM;
	do {
		if (!z.avail_in) {
			z.avail_in = size > 1 << 30 ? 1 << 30 : (uInt)size;
			size -= z.avail_in;
		}
		flush = size ? Z_NO_FLUSH : Z_FINISH;
		z.next_out = out;
		z.avail_out = sizeof(out);
		result = deflate(&z, flush);
		fwrite(out, 1, sizeof(out) - z.avail_out, stream);
	} while (result != Z_STREAM_END && result != Z_STREAM_ERROR);
	deflateEnd(&z);
	return result == Z_STREAM_END ? 0 : EIO;
}

static int write_message(FILE *stream, const ProtobufCMessage *message)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = malloc(size + 1);
	int error;

	if (!packed)
		return ENOMEM;
	protobuf_c_message_pack(message, packed);
	error = compress_to(stream, packed, size);
	free(packed);
	return error;
}

static void free_builder(struct builder *builder)
{
	Pprof__Profile *to = &builder->profile;
	size_t i, j;

	for (i = 0; i < to->n_sample; i++) {
		for (j = 0; to->sample[i]->label && j < 3; j++)
			free(to->sample[i]->label[j]);
		free(to->sample[i]->label);
		free(to->sample[i]->value);
		free(to->sample[i]->location_id);
		free(to->sample[i]);
	}
	for (i = 0; i < to->n_location; i++) {
		if (to->location[i]->n_line)
			free(to->location[i]->line[0]);
		free(to->location[i]->line);
		free(to->location[i]);
	}
	for (i = 0; i < to->n_mapping; i++)
		free(to->mapping[i]);
	for (i = 0; i < to->n_function; i++)
		free(to->function[i]);
	free(to->sample);
	free(to->location);
	free(to->mapping);
	free(to->function);
	free(to->comment);
	free(to->string_table);
	tdestroy(builder->strings, free);
	tdestroy(builder->functions, free);
}

int report_pprof(FILE *stream, struct profile *profile, unsigned int event)
{
	Pprof__ValueType samples = PPROF__VALUE_TYPE__INIT;
	Pprof__ValueType events = PPROF__VALUE_TYPE__INIT;
	Pprof__ValueType *types[] = {&samples, &events};
	const struct profile_event *of = &profile->events[event];
	struct builder builder = {.error = 0};
	Pprof__Profile *to = &builder.profile;
	char *summary = NULL, **build_ids;
	size_t size, i;
	FILE *text = open_memstream(&summary, &size);

	build_ids = calloc(profile->nr_dsos + 1, sizeof(*build_ids));
	if (text) {
		report_summary(text, "", profile, event);
		if (fclose(text) != 0)
			builder.error = ENOMEM;
	}
	if (!text || !summary || !build_ids)
		builder.error = ENOMEM;

	pprof__profile__init(to);
	/* The first one has to be. */
	string(&builder, "");
	samples.type = string(&builder, "samples");
	samples.unit = string(&builder, "count");
	events.type = string(&builder, of->name);
	events.unit = samples.unit;
	to->sample_type = types;
	to->n_sample_type = 2;
	to->default_sample_type = events.type;
	to->period_type = &events;
	to->period = (int64_t)of->period;
	to->time_nanos = profile->time * 1000000000;
	to->duration_nanos = (int64_t)(profile->seconds * 1e9);
	to->sample = calloc(profile->nr_samples + 1, sizeof(*to->sample));
	if (!to->sample)
		builder.error = ENOMEM;

	if (!builder.error)
		add_mappings(&builder, profile, build_ids);
	if (!builder.error)
		add_locations(&builder, profile);
	for (i = 0; i < profile->nr_samples && !builder.error; i++)
		if (sample_counts(&profile->samples[i], event))
			add_sample(&builder, &profile->samples[i], of->period);
	if (!builder.error)
		add_comments(&builder, summary);
	if (!builder.error)
		builder.error = write_message(stream, &to->base);

	free_builder(&builder);
	for (i = 0; build_ids && i < profile->nr_dsos; i++)
		free(build_ids[i]);
	free(build_ids);
	free(summary);
	return builder.error;
}

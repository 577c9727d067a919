// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A recording in memory: the records in the order of their time are played
 * again, so that at each sample it is known what was mapped where in its process,
 * and what its thread was called.
 */

#include <errno.h>
#include <fcntl.h>
#include <obstack.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data.pb-c.h"
#include "profile.h"

#define obstack_chunk_alloc malloc
#define obstack_chunk_free  free

/* More than a guest can have; what a file says may be anything. */
#define MOST_CPUS 65536u

struct mapping {
	uint64_t start, end, offset;
	struct dso *dso;
};

/* An address that lies in no mapping that has been told of yet. */
struct pending {
	size_t sample;
	uint32_t frame;
};

struct process {
	int pid;
	struct mapping *mappings; /* the newest last; they do not overlap */
	size_t nr, room;
	struct pending *pending;
	size_t nr_pending, room_pending;
};

struct thread {
	int tid;
	const char *comm;
};

struct kernel_symbol {
	uint64_t start, end;
	const char *name;
	struct dso *dso;
};

/* A record, to be sorted. */
struct item {
	uint64_t when;
	bool mapping; /* comes before others of that time */
	size_t number;
	const void *raw;
	uint32_t size;
	uint32_t cpu;
};

struct memory {
	struct obstack
		stack; /* everything that is never freed before the end */
	void *strings, *dsos, *places, *processes, *threads; /* tsearch() */
	struct item *items;
	size_t nr_items, room_items;
	uint64_t *when; /* of each CPU's last record */
	size_t nr_when;
	struct kernel_symbol *kernel;
	size_t nr_kernel, room_kernel;
	const void *vdso;
	size_t vdso_size;
	size_t room_samples, room_dsos, room_places;
	struct dso *kernel_dso, *unknown_dso;
	uint64_t end_lost, end_skipped;
};

/* A report that has no memory has nothing to say. */
static void *need(void *pointer)
{
	if (pointer)
		return pointer;
	fputs("perfex: out of memory\n", stderr);
	exit(EXIT_PERFEX);
}

static void *allocate(struct profile *profile, size_t size)
{
	struct memory *memory = profile->memory;

	return memset(obstack_alloc(&memory->stack, size), 0, size);
}

/* Room for one more at the end of an array. */
static void *grow(void *array, size_t nr, size_t *room, size_t size)
{
	if (nr < *room)
		return array;
	*room = *room ? 2 * *room : 64;
	return need(reallocarray(array, *room, size));
}

/* ----------------------------------- texts ------------------------------- */

/* Bytes of the UTF-8 character at @text; 0: there is none. */
static size_t utf8(const unsigned char *text)
{
	size_t size, i;

	if (*text >= 0xc2 && *text <= 0xdf)
		size = 2;
	else if ((*text & 0xf0) == 0xe0)
		size = 3;
	else if (*text >= 0xf0 && *text <= 0xf4)
		size = 4;
	else
		return 0;
	for (i = 1; i < size; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/*
	 * Longer than needed, a surrogate, beyond the last character; and what
	 * is none in XML: U+FFFE, U+FFFF.
	 */
	if ((text[0] == 0xe0 && text[1] < 0xa0) ||
	    (text[0] == 0xed && text[1] >= 0xa0) ||
	    (text[0] == 0xf0 && text[1] < 0x90) ||
	    (text[0] == 0xf4 && text[1] >= 0x90) ||
	    (text[0] == 0xef && text[1] == 0xbf && text[2] >= 0xbe))
		return 0;
	return size;
}

/* What can't be printed becomes '?'. */
static void clean(char *text)
{
	unsigned char *at = (unsigned char *)text;

	while (*at) {
		size_t size = *at < 0x80 ? 0 : utf8(at);

		/* Control characters beyond ASCII, too. */
		if (size == 2 && at[0] == 0xc2 && at[1] < 0xa0)
			size = 0;
		if (size) {
			at += size;
			continue;
		}
		if (*at < ' ' || *at >= 0x7f)
			*at = '?';
		at++;
	}
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The one copy of it, fit to be printed. */
static const char *intern(struct profile *profile, const char *text)
{
	struct memory *memory = profile->memory;
	char *copy = obstack_copy0(&memory->stack, text, strlen(text));
	char **found;

	clean(copy);
	found = need(tsearch(copy, &memory->strings, compare_strings));
	if (*found != copy)
		obstack_free(&memory->stack, copy);
	return *found;
}

/* ----------------------------------- dsos -------------------------------- */

static int compare_dsos(const void *a, const void *b)
{
	const struct dso *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return strcmp(x->path, y->path);
}

static struct dso *find_dso(struct profile *profile, const char *path,
			    uint64_t ino)
{
	struct memory *memory = profile->memory;
	struct dso key = {.path = path, .ino = ino}, *dso, **found;

	found = tfind(&key, &memory->dsos, compare_dsos);
	if (found)
		return *found;
	dso = allocate(profile, sizeof(*dso));
	dso->path = obstack_copy0(&memory->stack, path, strlen(path));
	dso->name = intern(profile, path);
	dso->ino = ino;
	/* There is nothing to open. */
	/* "//anon" is none. */
	dso->file = path[0] == '/' && path[1] != '/';
	dso->tried = !dso->file && strcmp(path, "[vdso]") != 0;
	need(tsearch(dso, &memory->dsos, compare_dsos));
	profile->dsos = grow(profile->dsos, profile->nr_dsos,
			     &memory->room_dsos, sizeof(dso));
	profile->dsos[profile->nr_dsos++] = dso;
	return dso;
}

static void open_vdso(struct profile *profile, struct dso *dso)
{
	struct memory *memory = profile->memory;
	int fd;

	if (!memory->vdso_size) {
		dso->problem = "its image was not recorded";
		return;
	}
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0 || write(fd, memory->vdso, memory->vdso_size) !=
			      (ssize_t)memory->vdso_size) {
		dso->problem = strerror(errno);
		if (fd >= 0)
			close(fd);
		return;
	}
	dso->symbols = symbols_open(dso->path, fd);
	if (!dso->symbols)
		dso->problem = "its image can't be read";
}

static const char *hex(struct profile *profile, const unsigned char *bytes,
		       size_t size)
{
	char text[2 * BUILD_ID_MAX + 1] = "none";
	size_t i;

	for (i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return intern(profile, text);
}

static void open_file(struct profile *profile, struct dso *dso)
{
	unsigned char id[BUILD_ID_MAX];
	char problem[4 * BUILD_ID_MAX + 128];
	const char *what;
	uint64_t ino;
	size_t size;
	int fd;

	fd = open_regular(dso->path, &ino, &what);
	if (fd < 0) {
		dso->problem = intern(profile, what);
		return;
	}
	/* All that is known of it then. */
	if (!dso->build_id_size && ino != dso->ino) {
		dso->problem =
			"it is another file now, or could not be read when it was recorded";
		close(fd);
		return;
	}
	size = symbols_build_id(fd, id);
	/* Names of another program's functions would be worse than none. */
	if (dso->build_id_size && (size != dso->build_id_size ||
				   memcmp(id, dso->build_id, size) != 0)) {
		snprintf(problem, sizeof(problem),
			 "it is another file now: build-id %s, recorded was %s",
			 hex(profile, id, size),
			 hex(profile, dso->build_id, dso->build_id_size));
		dso->problem = intern(profile, problem);
		close(fd);
		return;
	}
	dso->symbols = symbols_open(dso->path, fd);
	if (!dso->symbols)
		dso->problem = "not an ELF file";
}

static void open_dso(struct profile *profile, struct dso *dso)
{
	if (dso->tried)
		return;
	dso->tried = true;
	if (dso->file)
		open_file(profile, dso);
	else
		open_vdso(profile, dso);
}

/* --------------------------------- processes ----------------------------- */

static int compare_processes(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static struct process *find_process(struct profile *profile, int pid)
{
	struct memory *memory = profile->memory;
	struct process key = {.pid = pid}, *process, **found;

	found = tfind(&key, &memory->processes, compare_processes);
	if (found)
		return *found;
	process = need(calloc(1, sizeof(*process)));
	process->pid = pid;
	need(tsearch(process, &memory->processes, compare_processes));
	return process;
}

static void free_process(void *pointer)
{
	struct process *process = pointer;

	free(process->mappings);
	free(process->pending);
	free(process);
}

static int compare_threads(const void *a, const void *b)
{
	const struct thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

static struct thread *find_thread(struct profile *profile, int tid)
{
	struct memory *memory = profile->memory;
	struct thread key = {.tid = tid}, *thread, **found;

	found = tfind(&key, &memory->threads, compare_threads);
	if (found)
		return *found;
	thread = allocate(profile, sizeof(*thread));
	thread->tid = tid;
	thread->comm = intern(profile, "?");
	need(tsearch(thread, &memory->threads, compare_threads));
	return thread;
}

static void add_mapping(struct process *process, const struct mapping *mapping)
{
	process->mappings = grow(process->mappings, process->nr, &process->room,
				 sizeof(*mapping));
	process->mappings[process->nr++] = *mapping;
}

/* What was there before is gone, or what sticks out on either side is left. */
static void unmap(struct process *process, uint64_t start, uint64_t end)
{
	size_t i, nr = process->nr;

	for (i = 0; i < nr; i++) {
		struct mapping *old = &process->mappings[i], rest;

		if (old->end <= start || old->start >= end)
			continue;
		rest = *old;
		if (old->end > end) {
			rest.offset += end - rest.start;
			rest.start = end;
			/* It may move the array. */
			add_mapping(process, &rest);
			old = &process->mappings[i];
		}
		old->end = old->start < start ? start : old->start;
	}
	for (i = nr = 0; i < process->nr; i++)
		if (process->mappings[i].start < process->mappings[i].end)
			process->mappings[nr++] = process->mappings[i];
	process->nr = nr;
}

static const struct mapping *find_mapping(const struct process *process,
					  uint64_t address)
{
	size_t i;

	for (i = process->nr; i--;)
		if (address >= process->mappings[i].start &&
		    address < process->mappings[i].end)
			return &process->mappings[i];
	return NULL;
}

/* ----------------------------------- places ------------------------------ */

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->dso != y->dso)
		return (uintptr_t)x->dso < (uintptr_t)y->dso ? -1 : 1;
	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return (int)x->call - (int)y->call;
}

/* true: it is new, and only its key is filled in. */
static bool find_place(struct profile *profile, const struct place *key,
		       struct place **place)
{
	struct memory *memory = profile->memory;
	struct place **found = tfind(key, &memory->places, compare_places);

	if (found) {
		*place = *found;
		return false;
	}
	*place = allocate(profile, sizeof(**place));
	**place = *key;
	need(tsearch(*place, &memory->places, compare_places));
	profile->places = grow(profile->places, profile->nr_places,
			       &memory->room_places, sizeof(*place));
	profile->places[profile->nr_places++] = *place;
	return true;
}

static void name_place(struct profile *profile, struct place *place)
{
	struct symbols *symbols = place->dso->symbols;
	/* After a call the next instruction may be another function's. */
	uint64_t address = place->address - place->call;
	const char *name;

	if (!symbols)
		return;
	if (symbols_find(symbols, address, &name, &place->start))
		place->symbol = intern(profile, name);
	if (symbols_line(symbols, address, &name, &place->line))
		place->file = intern(profile, name);
}

static const struct kernel_symbol *find_kernel(const struct memory *memory,
					       uint64_t address)
{
	size_t low = 0, high = memory->nr_kernel;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memory->kernel[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low && address < memory->kernel[low - 1].end
		       ? &memory->kernel[low - 1]
		       : NULL;
}

static struct place *kernel_place(struct profile *profile, uint64_t ip)
{
	struct memory *memory = profile->memory;
	const struct kernel_symbol *symbol = find_kernel(memory, ip);
	struct place key = {.address = ip}, *place;

	key.dso = symbol ? symbol->dso : memory->kernel_dso;
	if (find_place(profile, &key, &place) && symbol) {
		place->symbol = symbol->name;
		place->start = symbol->start;
	}
	return place;
}

static struct place *nowhere(struct profile *profile)
{
	struct memory *memory = profile->memory;
	struct place key = {.dso = memory->unknown_dso}, *place;

	if (find_place(profile, &key, &place))
		place->symbol = intern(profile, "[address not known]");
	return place;
}

static struct place *user_place(struct profile *profile,
				const struct process *process, uint64_t ip,
				bool call)
{
	struct memory *memory = profile->memory;
	const struct mapping *mapping = find_mapping(process, ip - call);
	struct place key = {.address = ip, .call = call}, *place;
	struct dso *dso = mapping ? mapping->dso : memory->unknown_dso;

	key.dso = dso;
	open_dso(profile, dso);
	if (mapping && (dso->symbols || dso->file)) {
		/* The same in each process, wherever it is mapped. */
		key.address = ip - mapping->start + mapping->offset;
		if (dso->symbols &&
		    symbols_address(dso->symbols, key.address - call,
				    &key.address))
			key.address += call;
	}
	if (find_place(profile, &key, &place))
		name_place(profile, place);
	return place;
}

/* ---------------------------------- records ------------------------------ */

/* The frame at an address of the process. */
static void place_frame(struct profile *profile, struct process *process,
			size_t index, uint32_t frame)
{
	struct sample *sample = &profile->samples[index];
	/* All but the innermost are where a call returns to. */
	bool call = frame > 0;

	if (!find_mapping(process, sample->ips[frame] - call)) {
		process->pending =
			grow(process->pending, process->nr_pending,
			     &process->room_pending, sizeof(struct pending));
		process->pending[process->nr_pending++] =
			(struct pending){index, frame};
	}
	sample->frames[frame] =
		user_place(profile, process, sample->ips[frame], call);
}

static void play_sample(struct profile *profile,
			const struct vperfctr_record *record)
{
	struct memory *memory = profile->memory;
	struct process *process = find_process(profile, record->pid);
	size_t index = profile->nr_samples++;
	struct sample *sample;
	uint64_t *ips;
	uint32_t i;

	profile->samples = grow(profile->samples, index, &memory->room_samples,
				sizeof(*sample));
	sample = &profile->samples[index];
	sample->tsc = record->tsc;
	sample->pid = record->pid;
	sample->tid = record->tid;
	sample->comm = find_thread(profile, record->tid)->comm;
	sample->cpu = record->cpu;
	sample->overflow = record->sample.overflow;
	sample->depth = 1 + record->sample.depth;
	sample->frames = obstack_alloc(&memory->stack,
				       sample->depth * sizeof(struct place *));
	ips = obstack_alloc(&memory->stack, sample->depth * sizeof(*ips));
	ips[0] = record->sample.ip;
	for (i = 0; i < record->sample.depth; i++)
		ips[1 + i] = record->sample.chain[i];
	sample->ips = ips;
	if (record->sample.flags & VPERFCTR_SAMPLE_NO_IP) {
		profile->no_place++;
		sample->frames[0] = nowhere(profile);
	} else if (record->sample.flags & VPERFCTR_SAMPLE_KERNEL) {
		sample->frames[0] = kernel_place(profile, record->sample.ip);
	} else {
		place_frame(profile, process, index, 0);
	}
	for (i = 1; i < sample->depth; i++)
		place_frame(profile, process, index, i);
}

/*
 * Mappings are told when a sample has asked for them, and of those that came
 * before the answer one only did.
 */
static void place_pending(struct profile *profile, struct process *process)
{
	size_t i, nr = process->nr_pending;

	/* Those that still are nowhere are noted anew, at their own place. */
	process->nr_pending = 0;
	for (i = 0; i < nr; i++) {
		struct pending pending = process->pending[i];

		place_frame(profile, process, pending.sample, pending.frame);
	}
}

static void play_fork(struct profile *profile,
		      const struct vperfctr_record *record)
{
	const char *comm = find_thread(profile, record->fork.ptid)->comm;
	const struct process *parent;
	struct process *child;
	size_t i;

	find_thread(profile, record->tid)->comm = comm;
	if (record->pid == record->fork.ppid)
		return;
	parent = find_process(profile, record->fork.ppid);
	child = find_process(profile, record->pid);
	child->nr = child->nr_pending = 0;
	for (i = 0; i < parent->nr; i++)
		add_mapping(child, &parent->mappings[i]);
}

static void play_mmap(struct profile *profile,
		      const struct vperfctr_record *record)
{
	struct process *process = find_process(profile, record->pid);
	struct mapping mapping = {
		.start = record->mmap.start,
		.end = record->mmap.end,
		.offset = record->mmap.offset,
	};

	mapping.dso = find_dso(
		profile, *record->mmap.path ? record->mmap.path : "[anonymous]",
		record->mmap.ino);
	/* A program's memory has no offset in a file; the vdso's is its own. */
	if (!strcmp(record->mmap.path, "[vdso]"))
		mapping.offset = 0;
	unmap(process, mapping.start, mapping.end);
	add_mapping(process, &mapping);
	if (process->nr_pending)
		place_pending(profile, process);
}

static void play(struct profile *profile, const struct item *item)
{
	struct vperfctr_record record;
	struct process *process;
	struct thread *thread;

	/* It was looked at when it was collected. */
	if (!perfctr_record_parse(item->raw, item->size, &record))
		return;
	record.cpu = item->cpu;
	switch (record.type) {
	case VPERFCTR_RECORD_SAMPLE:
		play_sample(profile, &record);
		break;
	case VPERFCTR_RECORD_LOST:
		profile->lost += record.lost.nr;
		break;
	case VPERFCTR_RECORD_THROTTLED:
		profile->throttled += record.throttled.nr;
		break;
	case VPERFCTR_RECORD_COMM:
		thread = find_thread(profile, record.tid);
		thread->comm = intern(profile, record.comm.comm);
		if (record.comm.exec) {
			process = find_process(profile, record.pid);
			process->nr = process->nr_pending = 0;
		}
		break;
	case VPERFCTR_RECORD_FORK:
		play_fork(profile, &record);
		break;
	case VPERFCTR_RECORD_MMAP:
		play_mmap(profile, &record);
		break;
	case VPERFCTR_RECORD_EXIT:
		break;
	}
}

/* ----------------------------------- chunks ------------------------------ */

static void add_item(struct profile *profile, const struct record_entry *entry,
		     const struct vperfctr_record *record)
{
	struct memory *memory = profile->memory;
	struct item *item;

	if (entry->cpu >= memory->nr_when) {
		size_t nr = entry->cpu + 1;

		memory->when = need(
			reallocarray(memory->when, nr, sizeof(*memory->when)));
		memset(memory->when + memory->nr_when, 0,
		       (nr - memory->nr_when) * sizeof(*memory->when));
		memory->nr_when = nr;
	}
	/* LOST has no time: that of the record before it. */
	if (record->tsc)
		memory->when[entry->cpu] = record->tsc;
	memory->items = grow(memory->items, memory->nr_items,
			     &memory->room_items, sizeof(*item));
	item = &memory->items[memory->nr_items];
	item->when = memory->when[entry->cpu];
	item->mapping = record->type == VPERFCTR_RECORD_MMAP;
	item->number = memory->nr_items++;
	item->raw = entry + 1;
	item->size = entry->size;
	item->cpu = entry->cpu;
}

/* false: what is in it makes no sense. */
static bool take_records(struct profile *profile, const struct chunk *chunk)
{
	struct vperfctr_record record;
	struct record_entry entry;
	uint32_t at = 0;

	while (at < chunk->size) {
		if (chunk->size - at < sizeof(entry))
			return false;
		memcpy(&entry, chunk->payload + at, sizeof(entry));
		if (entry.size > chunk->size - at - sizeof(entry) ||
		    entry.size % 8 || entry.cpu >= MOST_CPUS ||
		    !perfctr_record_parse(chunk->payload + at + sizeof(entry),
					  entry.size, &record))
			return false;
		add_item(profile, (const void *)(chunk->payload + at), &record);
		at += (uint32_t)sizeof(entry) + entry.size;
	}
	return true;
}

static const char *join(struct profile *profile, char **words, size_t nr)
{
	struct memory *memory = profile->memory;
	size_t i;
	char *line;

	for (i = 0; i < nr; i++) {
		if (i)
			obstack_1grow(&memory->stack, ' ');
		obstack_grow(&memory->stack, words[i], strlen(words[i]));
	}
	obstack_1grow(&memory->stack, '\0');
	line = obstack_finish(&memory->stack);
	return intern(profile, line);
}

static bool take_info(struct profile *profile, const struct chunk *chunk)
{
	Data__Info *info =
		data__info__unpack(NULL, chunk->size, chunk->payload);
	size_t i;

	if (!info)
		return false;
	if (info->n_events > PERFCTR_MAX_COUNTERS || profile->nr_events) {
		data__info__free_unpacked(info, NULL);
		return false;
	}
	profile->command = join(profile, info->command, info->n_command);
	profile->hypervisor = intern(profile, info->hypervisor);
	profile->guest = intern(profile, info->guest);
	profile->cpu = intern(profile, info->cpu);
	profile->perfex = intern(profile, info->perfex);
	profile->tsc_khz = info->tsc_khz;
	profile->chain_depth = info->depth;
	profile->split = info->split;
	/* In nanoseconds it has 64 bits. */
	profile->time = info->time >= 0 && info->time < INT64_MAX / 1000000000
				? info->time
				: 0;
	for (i = 0; i < info->n_events; i++) {
		profile->events[i].name =
			intern(profile, info->events[i]->name);
		profile->events[i].period = info->events[i]->period;
	}
	profile->nr_events = (unsigned int)info->n_events;
	data__info__free_unpacked(info, NULL);
	return true;
}

static bool take_mapped_file(struct profile *profile, const struct chunk *chunk)
{
	Data__MappedFile *file =
		data__mapped_file__unpack(NULL, chunk->size, chunk->payload);
	struct dso *dso;

	if (!file)
		return false;
	dso = find_dso(profile, file->path, file->ino);
	dso->build_id_size = file->build_id.len < BUILD_ID_MAX
				     ? file->build_id.len
				     : BUILD_ID_MAX;
	if (dso->build_id_size)
		memcpy(dso->build_id, file->build_id.data, dso->build_id_size);
	data__mapped_file__free_unpacked(file, NULL);
	return true;
}

static struct dso *find_kernel_dso(struct profile *profile, const char *module)
{
	char name[256];
	struct dso *dso;

	snprintf(name, sizeof(name), "[%s]", *module ? module : "kernel");
	dso = find_dso(profile, name, 0);
	dso->kernel = true;
	return dso;
}

static bool take_kernel_symbols(struct profile *profile,
				const struct chunk *chunk)
{
	Data__KernelSymbols *list =
		data__kernel_symbols__unpack(NULL, chunk->size, chunk->payload);
	struct memory *memory = profile->memory;
	size_t i;

	if (!list)
		return false;
	for (i = 0; i < list->n_symbols; i++) {
		const Data__KernelSymbol *from = list->symbols[i];
		struct kernel_symbol *to;

		memory->kernel = grow(memory->kernel, memory->nr_kernel,
				      &memory->room_kernel, sizeof(*to));
		to = &memory->kernel[memory->nr_kernel++];
		to->start = from->start;
		to->end = from->end;
		to->name = intern(profile, from->name);
		to->dso = find_kernel_dso(profile, from->module);
	}
	data__kernel_symbols__free_unpacked(list, NULL);
	return true;
}

static bool take_vdso(struct profile *profile, const struct chunk *chunk)
{
	Data__Vdso *vdso =
		data__vdso__unpack(NULL, chunk->size, chunk->payload);
	struct memory *memory = profile->memory;

	if (!vdso)
		return false;
	if (vdso->image.len > VDSO_MAX) {
		data__vdso__free_unpacked(vdso, NULL);
		return false;
	}
	memory->vdso_size = vdso->image.len;
	memory->vdso = obstack_copy(&memory->stack, vdso->image.data,
				    (int)vdso->image.len);
	data__vdso__free_unpacked(vdso, NULL);
	return true;
}

static bool take_end(struct profile *profile, const struct chunk *chunk)
{
	Data__End *end = data__end__unpack(NULL, chunk->size, chunk->payload);
	struct memory *memory = profile->memory;
	size_t i;

	if (!end)
		return false;
	for (i = 0; i < end->n_counts && i < profile->nr_events; i++) {
		profile->events[i].count = end->counts[i];
		profile->events[i].counted = true;
	}
	/* Not a number, or more than nanoseconds in 64 bits can say. */
	profile->seconds =
		end->seconds >= 0 && end->seconds < 9e9 ? end->seconds : 0;
	memory->end_lost = end->lost;
	memory->end_skipped = end->skipped;
	profile->damaged = end->damaged;
	profile->live = end->live;
	profile->errors = end->errors;
	profile->refused = end->refused;
	profile->uncounted = end->uncounted;
	profile->whole = true;
	data__end__free_unpacked(end, NULL);
	return true;
}

/* A type of later times has nothing that we would miss. */
static bool take_chunk(struct profile *profile, const struct chunk *chunk)
{
	switch (chunk->type) {
	case CHUNK_INFO:
		return take_info(profile, chunk);
	case CHUNK_RECORDS:
		return take_records(profile, chunk);
	case CHUNK_MAPPED_FILE:
		return take_mapped_file(profile, chunk);
	case CHUNK_KERNEL_SYMBOLS:
		return take_kernel_symbols(profile, chunk);
	case CHUNK_VDSO:
		return take_vdso(profile, chunk);
	case CHUNK_END:
		return take_end(profile, chunk);
	default:
		return true;
	}
}

/* ----------------------------------- load -------------------------------- */

static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->when != y->when)
		return x->when < y->when ? -1 : 1;
	if (x->mapping != y->mapping)
		return x->mapping ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static int compare_kernel(const void *a, const void *b)
{
	const struct kernel_symbol *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

int profile_load(struct profile *profile, const char *path,
		 struct message *message)
{
	struct memory *memory;
	struct chunk chunk;
	int result;
	size_t i;

	memset(profile, 0, sizeof(*profile));
	if (reader_open(&profile->reader, path, message) < 0)
		return -1;
	memory = profile->memory = need(calloc(1, sizeof(*memory)));
	obstack_init(&memory->stack);
	profile->path = intern(profile, path);
	memory->kernel_dso = find_kernel_dso(profile, "");
	memory->unknown_dso = find_dso(profile, "[unknown]", 0);

	while ((result = reader_next(&profile->reader, &chunk)) > 0)
		if (!take_chunk(profile, &chunk)) {
			result = -1;
			break;
		}
	profile->cut = result < 0;
	if (!profile->nr_events) {
		profile_free(profile);
		return complain(
			message,
			"%s: cut before anything was recorded: nothing to report",
			path);
	}

	if (memory->nr_kernel)
		qsort(memory->kernel, memory->nr_kernel,
		      sizeof(*memory->kernel), compare_kernel);
	else
		memory->kernel_dso->problem =
			"/proc/kallsyms did not show addresses when it was recorded (sysctl kernel.kptr_restrict; root sees them)";
	if (memory->nr_items)
		qsort(memory->items, memory->nr_items, sizeof(*memory->items),
		      compare_items);
	for (i = 0; i < memory->nr_items; i++)
		play(profile, &memory->items[i]);
	for (i = 0; i < profile->nr_samples; i++) {
		const struct dso *dso = profile->samples[i].frames[0]->dso;

		((struct dso *)(uintptr_t)dso)->samples++;
	}
	/* The totals know of those, too, that no record could tell. */
	if (memory->end_lost > profile->lost)
		profile->lost = memory->end_lost;
	if (memory->end_skipped > profile->throttled)
		profile->throttled = memory->end_skipped;
	return 0;
}

static void nothing(void *pointer)
{
	(void)pointer;
}

void profile_free(struct profile *profile)
{
	struct memory *memory = profile->memory;
	size_t i;

	for (i = 0; i < profile->nr_dsos; i++)
		symbols_close(profile->dsos[i]->symbols);
	tdestroy(memory->strings, nothing);
	tdestroy(memory->dsos, nothing);
	tdestroy(memory->places, nothing);
	tdestroy(memory->threads, nothing);
	tdestroy(memory->processes, free_process);
	free(memory->items);
	free(memory->when);
	free(memory->kernel);
	free(profile->samples);
	free(profile->dsos);
	free(profile->places);
	obstack_free(&memory->stack, NULL);
	free(memory);
	reader_close(&profile->reader);
	memset(profile, 0, sizeof(*profile));
}

/* ----------------------------------- names ------------------------------- */

const char *dso_short_name(const struct dso *dso)
{
	const char *slash = *dso->name == '/' ? strrchr(dso->name, '/') : NULL;

	return slash && slash[1] ? slash + 1 : dso->name;
}

void place_name(const struct place *place, bool offset, char *text, size_t size)
{
	if (!place->symbol)
		snprintf(text, size, "0x%llx",
			 (unsigned long long)place->address);
	else if (offset && place->address != place->start)
		snprintf(text, size, "%s+0x%llx", place->symbol,
			 (unsigned long long)(place->address - place->start));
	else
		snprintf(text, size, "%s", place->symbol);
}

void place_label(const struct place *place, char *text, size_t size)
{
	const char *name = dso_short_name(place->dso);

	if (place->symbol)
		snprintf(text, size, "%s", place->symbol);
	else if (*name == '[')
		snprintf(text, size, "%s", name);
	else
		snprintf(text, size, "[%s]", name);
}

bool sample_counts(const struct sample *sample, unsigned int event)
{
	return sample->overflow >> event & 1;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a recording consists of: the records as they are, and what is needed to
 * make names of their addresses later, when programs may have changed and the
 * kernel is another: build-ids, the kernel's symbols that occur, the vdso.
 */

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "data.pb-c.h"
#include "profile.h"

#define BUFFER_SIZE (64 * 1024)

_Static_assert(BUFFER_SIZE >= sizeof(struct record_entry) + PERFCTR_RECORD_MAX,
	       "each record has room");

/* Only the first error counts: what follows has nowhere to go. */
static int failed(struct recorder *recorder, int error)
{
	if (error && !recorder->error)
		recorder->error = error;
	return recorder->error ? -1 : 0;
}

static int append(struct recorder *recorder, enum chunk_type type,
		  const void *payload, size_t size)
{
	if (recorder->error)
		return -1;
	return failed(recorder,
		      writer_append(recorder->writer, type, payload, size));
}

static int append_message(struct recorder *recorder, enum chunk_type type,
			  const ProtobufCMessage *message)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = malloc(size + 1);
	int result;

	if (!packed)
		return failed(recorder, ENOMEM);
	protobuf_c_message_pack(message, packed);
	result = append(recorder, type, packed, size);
	free(packed);
	return result;
}

/* ---------------------------------- begin -------------------------------- */

/* A string of the schema: not changed by it. */
static char *text(const char *string)
{
	return (char *)(uintptr_t)string;
}

int recorder_begin(struct recorder *recorder, struct writer *writer,
		   const struct recording *recording)
{
	Data__Event events[PERFCTR_MAX_COUNTERS];
	Data__Event *pointers[PERFCTR_MAX_COUNTERS];
	Data__Info info = DATA__INFO__INIT;
	unsigned int i;

	memset(recorder, 0, sizeof(*recorder));
	recorder->writer = writer;
	recorder->buffer = malloc(BUFFER_SIZE);
	if (!recorder->buffer)
		return failed(recorder, ENOMEM);

	info.perfex = text(PERFEX_VERSION);
	info.driver = text(recording->info->driver_version);
	info.hypervisor = text(recording->info->hypervisor);
	info.guest = text(recording->info->guest);
	info.cpu = text(recording->cpu->brand);
	info.cpus = recording->info->cpus;
	info.tsc_khz = recording->info->tsc_khz;
	info.split = recording->info->features & PERFCTR_FEAT_SPLIT;
	info.command = (char **)(uintptr_t)recording->command;
	while (recording->command[info.n_command])
		info.n_command++;
	info.depth = recording->depth;
	info.time = time(NULL);
	for (i = 0; i < recording->nr; i++) {
		data__event__init(&events[i]);
		events[i].name = text(recording->events[i].name);
		events[i].evtsel = recording->events[i].evtsel;
		events[i].index = recording->events[i].index;
		events[i].period = recording->periods[i];
		pointers[i] = &events[i];
	}
	info.events = pointers;
	info.n_events = recording->nr;
	return append_message(recorder, CHUNK_INFO, &info.base);
}

/* ----------------------------- files and their ids ----------------------- */

struct seen_file {
	uint64_t ino;
	char path[];
};

static int compare_files(const void *a, const void *b)
{
	const struct seen_file *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return strcmp(x->path, y->path);
}

/* The file that a process has mapped; -1: it can't be had. */
static int open_mapped(const struct vperfctr_record *record)
{
	char path[PERFCTR_RECORD_MAX + 64];
	const char *problem;
	uint64_t ino;
	int try, fd;

	for (try = 0; try < 3; try++) {
		switch (try) {
		case 0: /* as we see it */
			snprintf(path, sizeof(path), "%s", record->mmap.path);
			break;
		case 1: /* as the process does, in a container */
			snprintf(path, sizeof(path), "/proc/%d/root%s",
				 record->pid, record->mmap.path);
			break;
		case 2: /* also if it is deleted; for privileged users */
			snprintf(path, sizeof(path),
				 "/proc/%d/map_files/%llx-%llx", record->pid,
				 record->mmap.start, record->mmap.end);
			break;
		}
		fd = open_regular(path, &ino, &problem);
		/*
		 * The device is not compared: an overlay shows another one than
		 * the file has that is mapped.
		 */
		if (fd >= 0 && ino == record->mmap.ino)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

static int add_file(struct recorder *recorder,
		    const struct vperfctr_record *record)
{
	Data__MappedFile message = DATA__MAPPED_FILE__INIT;
	unsigned char id[BUILD_ID_MAX];
	struct seen_file *file, **found;
	int fd;

	file = malloc(sizeof(*file) + strlen(record->mmap.path) + 1);
	if (!file)
		return failed(recorder, ENOMEM);
	file->ino = record->mmap.ino;
	strcpy(file->path, record->mmap.path);
	found = tsearch(file, &recorder->files, compare_files);
	if (!found || *found != file) {
		free(file);
		return found ? 0 : failed(recorder, ENOMEM);
	}
	message.path = file->path;
	message.ino = file->ino;
	fd = open_mapped(record);
	if (fd >= 0) {
		message.build_id.data = id;
		message.build_id.len = symbols_build_id(fd, id);
		close(fd);
	}
	return append_message(recorder, CHUNK_MAPPED_FILE, &message.base);
}

/* ----------------------------------- vdso -------------------------------- */

/* Ours is that of all 64-bit programs. */
static int add_vdso(struct recorder *recorder)
{
	Data__Vdso message = DATA__VDSO__INIT;
	uint64_t ours = getauxval(AT_SYSINFO_EHDR), start, end;
	FILE *maps = ours ? fopen("/proc/self/maps", "re") : NULL;
	char *line = NULL;
	size_t room = 0;
	int result = 0;

	recorder->vdso_written = true;
	while (maps && getline(&line, &room, maps) > 0) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2 ||
		    start != ours || end - start > VDSO_MAX)
			continue;
		message.image.data = (uint8_t *)(uintptr_t)start;
		message.image.len = end - start;
		result = append_message(recorder, CHUNK_VDSO, &message.base);
		break;
	}
	free(line);
	if (maps)
		fclose(maps);
	return result;
}

static int add_mapping(struct recorder *recorder,
		       const struct vperfctr_record *record)
{
	/* "//anon" is none. */
	if (record->mmap.path[0] == '/' && record->mmap.path[1] != '/')
		return add_file(recorder, record);
	/* A 32-bit program has another one. */
	if (!strcmp(record->mmap.path, "[vdso]") &&
	    record->mmap.start > UINT32_MAX && !recorder->vdso_written)
		return add_vdso(recorder);
	return 0;
}

/* ------------------------------ kernel symbols --------------------------- */

struct kernel_symbol {
	uint64_t start;
	char *name;
	char *module; /* or NULL */
	bool code;
	bool written;
};

static int compare_symbols(const void *a, const void *b)
{
	const struct kernel_symbol *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	/* The first of several names, whatever the sort does. */
	return strcmp(x->name, y->name);
}

/* "ffffffff81000000 T _text" or "ffffffffc0000000 t init [module]" */
static bool parse_symbol(char *line, struct kernel_symbol *symbol)
{
	char type, name[512], module[128] = "";
	int fields = sscanf(line, "%" SCNx64 " %c %511s [%127[^]]]",
			    &symbol->start, &type, name, module);

	/* Who may not see addresses sees zeros. */
	if (fields < 3 || !symbol->start)
		return false;
	symbol->code = strchr("tTwW", type) != NULL;
	symbol->written = false;
	symbol->name = strdup(name);
	symbol->module = *module ? strdup(module) : NULL;
	return symbol->name != NULL;
}

static void load_kernel_symbols(struct recorder *recorder)
{
	FILE *stream = fopen("/proc/kallsyms", "re");
	struct kernel_symbol symbol;
	char *line = NULL;
	size_t length = 0, room = 0;

	recorder->kernel_loaded = true;
	while (stream && getline(&line, &length, stream) > 0) {
		if (!parse_symbol(line, &symbol))
			continue;
		if (recorder->nr_kernel == room) {
			struct kernel_symbol *more;

			room = room ? 2 * room : 1 << 14;
			more = reallocarray(recorder->kernel, room,
					    sizeof(symbol));
			if (!more) {
				free(symbol.name);
				free(symbol.module);
				break;
			}
			recorder->kernel = more;
		}
		recorder->kernel[recorder->nr_kernel++] = symbol;
	}
	free(line);
	if (stream)
		fclose(stream);
	if (recorder->nr_kernel)
		qsort(recorder->kernel, recorder->nr_kernel, sizeof(symbol),
		      compare_symbols);
}

/* The last one that begins at or before it: its index + 1, or 0. */
static size_t find_symbol(const struct recorder *recorder, uint64_t address)
{
	size_t low = 0, high = recorder->nr_kernel;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (recorder->kernel[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int queue_symbol(struct recorder *recorder, size_t index, uint64_t end)
{
	struct kernel_symbol *symbol = &recorder->kernel[index];
	Data__KernelSymbol *message;

	if (recorder->nr_found == recorder->room_found) {
		size_t room =
			recorder->room_found ? 2 * recorder->room_found : 64;
		void **more =
			reallocarray(recorder->found, room, sizeof(*more));

		if (!more)
			return failed(recorder, ENOMEM);
		recorder->found = more;
		recorder->room_found = room;
	}
	message = malloc(sizeof(*message));
	if (!message)
		return failed(recorder, ENOMEM);
	data__kernel_symbol__init(message);
	message->start = symbol->start;
	message->end = end;
	message->name = symbol->name;
	if (symbol->module)
		message->module = symbol->module;
	recorder->found[recorder->nr_found++] = message;
	symbol->written = true;
	return 0;
}

static int add_kernel_address(struct recorder *recorder, uint64_t address)
{
	const struct kernel_symbol *kernel;
	size_t behind, first;

	if (!recorder->kernel_loaded)
		load_kernel_symbols(recorder);
	kernel = recorder->kernel;
	behind = find_symbol(recorder, address);
	if (!behind || behind == recorder->nr_kernel)
		return 0;
	/* Of several names for one address the first that is of code. */
	first = behind - 1;
	while (first && kernel[first - 1].start == kernel[behind - 1].start)
		first--;
	while (first < behind && !kernel[first].code)
		first++;
	if (first == behind || kernel[first].written)
		return 0;
	return queue_symbol(recorder, first, kernel[behind].start);
}

static int write_kernel_symbols(struct recorder *recorder)
{
	Data__KernelSymbols message = DATA__KERNEL_SYMBOLS__INIT;
	int result;

	if (!recorder->nr_found)
		return 0;
	message.symbols = (Data__KernelSymbol **)recorder->found;
	message.n_symbols = recorder->nr_found;
	result = append_message(recorder, CHUNK_KERNEL_SYMBOLS, &message.base);
	while (recorder->nr_found)
		free(recorder->found[--recorder->nr_found]);
	return result;
}

/* --------------------------------- records ------------------------------- */

int recorder_flush(struct recorder *recorder)
{
	size_t used = recorder->used;

	recorder->used = 0;
	write_kernel_symbols(recorder);
	if (used)
		append(recorder, CHUNK_RECORDS, recorder->buffer, used);
	return recorder->error ? -1 : 0;
}

int recorder_add(struct recorder *recorder,
		 const struct vperfctr_record *record, const void *raw,
		 size_t size)
{
	struct record_entry entry = {record->cpu, (uint32_t)size};

	if (recorder->error)
		return -1;
	if (recorder->used + sizeof(entry) + size > BUFFER_SIZE &&
	    recorder_flush(recorder) < 0)
		return -1;
	memcpy(recorder->buffer + recorder->used, &entry, sizeof(entry));
	memcpy(recorder->buffer + recorder->used + sizeof(entry), raw, size);
	recorder->used += sizeof(entry) + size;

	if (record->type == VPERFCTR_RECORD_MMAP)
		return add_mapping(recorder, record);
	if (record->type != VPERFCTR_RECORD_SAMPLE)
		return 0;
	recorder->samples++;
	if (!(record->sample.flags & VPERFCTR_SAMPLE_KERNEL))
		return 0;
	return add_kernel_address(recorder, record->sample.ip);
}

int recorder_end(struct recorder *recorder, const struct recording_end *end)
{
	const struct perfctr_dev_group *group = &end->result->group;
	Data__End message = DATA__END__INIT;
	uint64_t counts[PERFCTR_MAX_COUNTERS];

	if (recorder_flush(recorder) < 0)
		return -1;
	while (message.n_counts < group->sums.nr &&
	       message.n_counts < PERFCTR_MAX_COUNTERS) {
		counts[message.n_counts] = group->sums.pmc[message.n_counts];
		message.n_counts++;
	}
	message.counts = counts;
	message.tsc = group->sums.tsc;
	message.stolen = group->sums.stolen;
	message.seconds = end->result->seconds;
	message.lost = end->lost;
	message.skipped = end->skipped;
	message.damaged = end->damaged;
	message.wait_status = end->result->wait_status;
	message.threads = group->ended;
	message.live = group->live;
	message.errors = group->errors;
	message.refused = group->refused;
	message.uncounted = group->lost;
	return append_message(recorder, CHUNK_END, &message.base);
}

void recorder_free(struct recorder *recorder)
{
	size_t i;

	for (i = 0; i < recorder->nr_kernel; i++) {
		free(recorder->kernel[i].name);
		free(recorder->kernel[i].module);
	}
	free(recorder->kernel);
	while (recorder->nr_found)
		free(recorder->found[--recorder->nr_found]);
	free(recorder->found);
	tdestroy(recorder->files, free);
	free(recorder->buffer);
	memset(recorder, 0, sizeof(*recorder));
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * perfex record's file and perfex report, without a device: what the kernel would
 * write is made here, goes through the code that writes files, and is read again.
 * At last a real program is sampled, by single steps.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "test.h"

#include "pprof.pb-c.h"
#include "profile.h"

static char path[64];
static int file_fd = -1;
static struct writer writer;
static struct recorder recorder;
static uint64_t now;

/* --------------------------- what the kernel would do -------------------- */

static const struct perfctr_dev_info info = {
	.tsc_khz = 1000000,
	.cpus = 2,
	.features = PERFCTR_FEAT_SPLIT | PERFCTR_FEAT_SAMPLING,
	.driver_version = "0.1",
	.guest = "PV domU",
	.hypervisor = "Xen 4.17.6-pre",
};

static void begin_command(char *const *command)
{
	static const struct cpu cpu = {.brand = "A CPU"};
	static const struct event events[2] = {
		{.name = "instructions:u", .evtsel = 0x100c0},
		{.name = "branches", .evtsel = 0x100c4},
	};
	static const uint64_t periods[2] = {1000, 2000};
	struct recording recording = {
		.info = &info,
		.cpu = &cpu,
		.events = events,
		.periods = periods,
		.nr = 2,
		.depth = 127,
		.command = command,
	};

	assert_int_equal(ftruncate(file_fd, 0), 0);
	assert_int_equal(writer_begin(&writer, file_fd), 0);
	assert_int_equal(recorder_begin(&recorder, &writer, &recording), 0);
	now = 5000000000;
}

static void begin(void)
{
	static char *command[] = {"./program", "an argument", NULL};

	begin_command(command);
}

static void add(unsigned int cpu, const void *raw)
{
	const struct perfctr_ring_record *head = raw;
	struct vperfctr_record record;

	assert_true(perfctr_record_parse(raw, head->size, &record));
	record.cpu = cpu;
	assert_int_equal(recorder_add(&recorder, &record, raw, head->size), 0);
}

static struct perfctr_ring_task task(uint16_t type, size_t size, int pid,
				     int tid)
{
	struct perfctr_ring_task made = {
		.record = {type, 0, (uint32_t)size},
		.pid = pid,
		.tid = tid,
		.tsc = now++,
	};

	return made;
}

static void add_comm(int pid, int tid, const char *comm, bool exec)
{
	struct perfctr_ring_comm raw = {
		task(PERFCTR_RING_COMM, sizeof(raw), pid, tid), ""};

	strncpy(raw.comm, comm, sizeof(raw.comm) - 1);
	raw.task.record.flags = exec ? PERFCTR_COMM_EXEC : 0;
	add(0, &raw);
}

static void add_fork(int pid, int tid, int ppid, int ptid)
{
	struct perfctr_ring_fork raw = {
		task(PERFCTR_RING_FORK, sizeof(raw), pid, tid), ppid, ptid};

	add(0, &raw);
}

static void add_mmap(int pid, uint64_t start, uint64_t end, uint64_t offset,
		     uint64_t ino, const char *name)
{
	uint64_t memory[(sizeof(struct perfctr_ring_mmap) + 4096) / 8];
	struct perfctr_ring_mmap *raw = (void *)memory;
	size_t size = sizeof(*raw) + (strlen(name) + 8) / 8 * 8;

	memset(memory, 0, sizeof(memory));
	raw->task = task(PERFCTR_RING_MMAP, size, pid, pid);
	raw->start = start;
	raw->end = end;
	raw->offset = offset;
	raw->ino = ino;
	strcpy(raw->path, name);
	add(0, raw);
}

static void add_sample_of(int pid, int tid, unsigned int flags,
			  uint32_t overflow, uint64_t ip, const uint64_t *chain,
			  unsigned int depth)
{
	uint64_t memory[sizeof(struct perfctr_ring_sample) / 8 + 2 + 127];
	struct perfctr_ring_sample *raw = (void *)memory;

	memset(memory, 0, sizeof(memory));
	raw->task = task(PERFCTR_RING_SAMPLE,
			 sizeof(*raw) + 8 * (2 + (size_t)depth), pid, tid);
	raw->task.record.flags = (uint16_t)flags;
	raw->ip = ip;
	raw->overflow = overflow;
	raw->nr = 2;
	raw->depth = depth;
	if (depth)
		memcpy(raw->value + 2, chain, 8 * depth);
	add(1, raw);
}

static void add_sample(int pid, int tid, uint64_t ip)
{
	add_sample_of(pid, tid, 0, 1, ip, NULL, 0);
}

static void finish(void)
{
	struct result result;
	struct recording_end end = {.result = &result};

	memset(&result, 0, sizeof(result));
	result.group.sums.nr = 2;
	result.group.sums.pmc[0] = 123456;
	result.seconds = 1.5;
	assert_int_equal(recorder_end(&recorder, &end), 0);
	recorder_free(&recorder);
}

/* ---------------------------------- reports ------------------------------ */

static char *text;
static size_t text_size;

static void load(struct profile *profile)
{
	struct message message = {""};

	if (profile_load(profile, path, &message) < 0)
		fail_msg("%s", message.text);
}

static const char *show_loaded(struct profile *profile,
			       enum report_format format, enum sort_key sort)
{
	FILE *stream;

	free(text);
	text = NULL;
	stream = open_memstream(&text, &text_size);
	switch (format) {
	case FORMAT_TEXT:
		assert_int_equal(report_table(stream, profile, 0, sort), 0);
		break;
	case FORMAT_FOLDED:
		assert_int_equal(report_folded(stream, profile, 0), 0);
		break;
	case FORMAT_SCRIPT:
		assert_int_equal(report_script(stream, profile, 0), 0);
		break;
	case FORMAT_PPROF:
		assert_int_equal(report_pprof(stream, profile, 0), 0);
		break;
	case FORMAT_FLAMEGRAPH:
		assert_int_equal(report_flamegraph(stream, profile, 0), 0);
		break;
	}
	assert_int_equal(fclose(stream), 0);
	return text;
}

static const char *show(enum report_format format, enum sort_key sort)
{
	struct profile profile;

	load(&profile);
	show_loaded(&profile, format, sort);
	profile_free(&profile);
	return text;
}

/* In one line, with any blanks where @wanted has one. */
static bool has_line(const char *all, const char *wanted)
{
	const char *line = all;

	while (*line) {
		const char *at = line, *want = wanted;

		while (*at == ' ')
			at++;
		while (*want && *at && *at != '\n') {
			if (*want == ' ' && *at == ' ') {
				while (*at == ' ')
					at++;
				want++;
			} else if (*want++ != *at++) {
				want--;
				break;
			}
		}
		if (!*want && (*at == '\n' || !*at))
			return true;
		line = strchr(line, '\n');
		if (!line)
			return false;
		line++;
	}
	return false;
}

#define assert_line(all, wanted)                                               \
	do {                                                                   \
		if (!has_line(all, wanted))                                    \
			fail_msg("no line \"%s\" in\n%s", wanted, all);        \
	} while (0)
#define assert_has(all, wanted)                                                \
	do {                                                                   \
		if (!strstr(all, wanted))                                      \
			fail_msg("no \"%s\" in\n%s", wanted, all);             \
	} while (0)

/* Another program's opinion of the text; it gets it as its input. */
static void ask(const char *command, const void *data, size_t size)
{
	FILE *stream = popen(command, "w");

	assert_non_null(stream);
	assert_int_equal(fwrite(data, 1, size, stream), size);
	assert_int_equal(pclose(stream), 0);
}

/* --------------------------------- the file ------------------------------ */

static void test_chunks(void **state)
{
	static const char payload[] = "0123456789abcdef";
	struct message message;
	struct reader reader;
	struct chunk chunk;
	uint32_t size;

	(void)state;
	assert_int_equal(writer_begin(&writer, file_fd), 0);
	for (size = 0; size < 17; size++)
		assert_int_equal(writer_append(&writer,
					       (enum chunk_type)(size + 1),
					       payload, size),
				 0);
	assert_int_equal(lseek(file_fd, 0, SEEK_END), writer.size);
	assert_int_equal(writer.size % 8, 0);
	assert_int_equal(reader_open(&reader, path, &message), 0);
	for (size = 0; size < 17; size++) {
		assert_int_equal(reader_next(&reader, &chunk), 1);
		assert_int_equal(chunk.type, size + 1);
		assert_int_equal(chunk.size, size);
		assert_int_equal((uintptr_t)chunk.payload % 8, 0);
		assert_memory_equal(chunk.payload, payload, size);
	}
	assert_int_equal(reader_next(&reader, &chunk), 0);
	reader_close(&reader);

	/* Begun anew, the old is gone. */
	assert_int_equal(writer_begin(&writer, file_fd), 0);
	assert_int_equal(lseek(file_fd, 0, SEEK_END), 8);
	assert_int_equal(reader_open(&reader, "/nonexistent/file", &message),
			 -1);
	assert_non_null(strstr(message.text, "/nonexistent/file"));
	assert_int_equal(reader_open(&reader, "/dev/null", &message), -1);
	assert_non_null(strstr(message.text, "not a file of perfex record"));
}

/* Some of everything, of files that are not there. */
static void small_recording(void)
{
	static const uint64_t chain[] = {0x400100, 0x7000001234, 0x1};

	begin();
	add_comm(10, 10, "first", true);
	add_mmap(10, 0x400000, 0x402000, 0, 77, "/nonexistent/program");
	add_sample(10, 10, 0x400010);
	add_sample_of(10, 10, 0, 1, 0x400010, chain, 3);
	add_fork(11, 11, 10, 10);
	add_comm(11, 11, "second", false);
	add_sample(11, 11, 0x400020);
	add_sample_of(11, 11, PERFCTR_SAMPLE_NO_IP, 1, 0, NULL, 0);
	/* Two events at once; and one of the other. */
	add_sample_of(11, 11, 0, 3, 0x400020, NULL, 0);
	add_sample_of(11, 11, 0, 2, 0x400020, NULL, 0);
	add(1, &(struct perfctr_ring_lost){{PERFCTR_RING_LOST, 0, 16}, 4});
	add(1, &(struct perfctr_ring_throttled){
		       task(PERFCTR_RING_THROTTLED,
			    sizeof(struct perfctr_ring_throttled), 11, 11),
		       9, 1, 1});
	finish();
}

static void test_small(void **state)
{
	(void)state;
	small_recording();
	show(FORMAT_TEXT, SORT_SYMBOL);
	assert_has(text, ": ./program an argument\n");
	assert_line(text, "# Xen 4.17.6-pre, PV domU, A CPU");
	assert_line(
		text,
		"# 5 samples of instructions:u, one each 1000 events; 123456 were counted");
	assert_line(text,
		    "# also recorded: branches (perfex report -e branches)");
	assert_has(text, "# lost: 4 records");
	assert_has(text, "# throttled: 9 overflows not sampled");
	assert_has(text, "# 1 samples have no address");
	assert_has(text, "# no names for /nonexistent/program: No such file");
	assert_null(strstr(text, "cut"));
	assert_line(text, "80.00 % 80.00 % 4 [unknown] /nonexistent/program");
	assert_line(text, "20.00 % 20.00 % 1 [address not known] [unknown]");
	assert_line(text, "0.00 % 20.00 % 0 [unknown] [unknown]");

	show(FORMAT_TEXT, SORT_THREAD);
	assert_line(text, "60.00 % 3 11 second");
	assert_line(text, "40.00 % 2 10 first");
	show(FORMAT_TEXT, SORT_DSO);
	assert_line(text, "80.00 % 80.00 % 4 /nonexistent/program");
	show(FORMAT_TEXT, SORT_LINE);
	assert_line(text, "80.00 % 80.00 % 4 [unknown] /nonexistent/program");

	assert_string_equal(show(FORMAT_FOLDED, SORT_SYMBOL),
			    "first;[program] 1\n"
			    "first;[unknown];[unknown];[program];[program] 1\n"
			    "second;[address not known] 1\n"
			    "second;[program] 2\n");
	show(FORMAT_SCRIPT, SORT_SYMBOL);
	assert_has(text,
		   "first 10/10 [001] 5.000000:       1000 instructions:u: \n"
		   "\t          400010 [unknown] (/nonexistent/program)\n\n"
		   "first 10/10 [001] 5.000000:       1000 instructions:u: \n"
		   "\t          400010 [unknown] (/nonexistent/program)\n"
		   "\t          400100 [unknown] (/nonexistent/program)\n"
		   "\t      7000001234 [unknown] ([unknown])\n");
}

/* A file that ends anywhere is read up to its last whole chunk. */
static void test_cut_anywhere(void **state)
{
	struct message message;
	struct profile profile;
	off_t size;
	size_t most = 0;
	unsigned int format;

	(void)state;
	small_recording();
	for (size = writer.size - 1; size >= 0; size--) {
		assert_int_equal(ftruncate(file_fd, size), 0);
		strcpy(message.text, "");
		if (profile_load(&profile, path, &message) < 0) {
			assert_true(*message.text &&
				    !strchr(message.text, '\n'));
			continue;
		}
		assert_true(profile.cut || !profile.whole);
		if (profile.nr_samples > most)
			most = profile.nr_samples;
		for (format = FORMAT_TEXT; format <= FORMAT_FLAMEGRAPH;
		     format++) {
			show_loaded(&profile, (enum report_format)format,
				    SORT_SYMBOL);
			if (format == FORMAT_TEXT || format == FORMAT_SCRIPT ||
			    format == FORMAT_FLAMEGRAPH)
				assert_has(text, "cut: the file ends before");
		}
		profile_free(&profile);
	}
	/* Without its end it has all samples. */
	assert_int_equal(most, 6);
}

/* One byte that is another: it is noticed, and what is before it is there. */
static void test_damage(void **state)
{
	struct message message;
	struct profile profile;
	unsigned int unnoticed = 0;
	off_t at;

	(void)state;
	small_recording();
	for (at = 0; at < writer.size; at++) {
		unsigned char byte, other;

		assert_int_equal(pread(file_fd, &byte, 1, at), 1);
		other = (unsigned char)(byte ^ (1 << at % 8));
		assert_int_equal(pwrite(file_fd, &other, 1, at), 1);
		if (!profile_load(&profile, path, &message)) {
			unnoticed += !profile.cut;
			show_loaded(&profile, FORMAT_TEXT, SORT_SYMBOL);
			profile_free(&profile);
		}
		assert_int_equal(pwrite(file_fd, &byte, 1, at), 1);
	}
	/* Only in what nobody reads: zeros between. */
	assert_in_range(unnoticed, 1, 8 * 16);
}

/* With right check sums, but contents that perfex never wrote. */
static void test_hostile(void **state)
{
	unsigned char payload[512];
	struct message message;
	struct profile profile;
	unsigned int i, j, loaded = 0;
	unsigned int format;

	(void)state;
	srandom(3);
	for (i = 0; i < 1500; i++) {
		size_t size = (size_t)(random() % (long)sizeof(payload));

		begin();
		add_mmap(10, 0x400000, 0x402000, 0, 77, "/nonexistent/x");
		add_sample(10, 10, 0x400010);
		assert_int_equal(recorder_flush(&recorder), 0);
		recorder_free(&recorder);
		for (j = 0; j < size; j++)
			payload[j] = random() % 3
					     ? (unsigned char)(random() % 12)
					     : (unsigned char)random();
		/* A record that may be one. */
		if (i % 2 && size > 64) {
			struct record_entry entry = {0, 56 + i % 8 * 8};
			struct perfctr_ring_record head = {
				(uint16_t)(random() % 9), 0, entry.size};

			memcpy(payload, &entry, sizeof(entry));
			memcpy(payload + 8, &head, sizeof(head));
		}
		writer_append(&writer, (enum chunk_type)(1 + random() % 7),
			      payload, size);
		if (profile_load(&profile, path, &message) < 0)
			continue;
		loaded++;
		for (format = FORMAT_TEXT; format <= FORMAT_FLAMEGRAPH;
		     format++)
			show_loaded(&profile, (enum report_format)format,
				    SORT_SYMBOL);
		profile_free(&profile);
	}
	assert_true(loaded > 500);
}

/* A disk that becomes full: an error, and what fitted is a good file. */
static void test_full_disk(void **state)
{
	struct rlimit old, limit;
	struct profile profile;
	struct writer full;
	unsigned int i;
	int fd;

	(void)state;
	fd = open("/dev/full", O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(writer_begin(&full, fd), ENOSPC);
	close(fd);

	begin();
	add_mmap(10, 0x400000, 0x402000, 0, 77, "/nonexistent/x");
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = 100000;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (i = 0; i < 5000 && !recorder.error; i++) {
		struct perfctr_ring_comm raw = {
			task(PERFCTR_RING_COMM, sizeof(raw), 10, 10), "x"};
		struct vperfctr_record record;

		perfctr_record_parse(&raw, sizeof(raw), &record);
		recorder_add(&recorder, &record, &raw, sizeof(raw));
	}
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(recorder.error, EFBIG);
	assert_int_equal(recorder_flush(&recorder), -1);
	recorder_free(&recorder);
	load(&profile);
	assert_false(profile.whole);
	/* Up to a whole chunk: not even a part behind it. */
	assert_false(profile.cut);
	profile_free(&profile);
}

/* ----------------------------- processes and threads --------------------- */

static void test_processes(void **state)
{
	(void)state;
	begin();
	add_comm(10, 10, "parent", true);
	add_mmap(10, 0x400000, 0x410000, 0x1000, 1, "/nonexistent/old");
	add_fork(10, 12, 10, 10);
	add_sample(10, 12, 0x400000);
	add_fork(20, 20, 10, 12);
	/* A child has its parent's mappings, and is called the same. */
	add_sample(20, 20, 0x400004);
	/* What the parent maps from then on is its own. */
	add_mmap(10, 0x402000, 0x404000, 0, 2, "/nonexistent/new");
	add_sample(10, 10, 0x402000);
	add_sample(20, 20, 0x402000);
	/* What sticks out of a new mapping is still there. */
	add_sample(10, 10, 0x401fff);
	add_sample(10, 10, 0x404000);
	/* exec: all is new. */
	add_comm(20, 20, "child", true);
	add_sample(20, 20, 0x502000);
	add_mmap(20, 0x400000, 0x410000, 0, 3, "/nonexistent/third");
	add_sample(20, 20, 0x402000);
	/* Another process of the same number. */
	add_fork(20, 20, 10, 10);
	add_sample(20, 20, 0x402000);
	finish();
	assert_string_equal(show(FORMAT_FOLDED, SORT_SYMBOL),
			    "child;[third] 1\n"
			    "child;[unknown] 1\n"
			    "parent;[new] 2\n"
			    "parent;[old] 5\n");
	/* Of a file the address is where it is in there. */
	show(FORMAT_SCRIPT, SORT_SYMBOL);
	assert_has(text, "parent 10/12 [001]");
	show(FORMAT_TEXT, SORT_THREAD);
	assert_line(text, "11.11 % 1 12 parent");
	assert_line(text, "33.33 % 3 10 parent");
}

/* Records of several CPUs come in the order of their time. */
static void test_order(void **state)
{
	struct perfctr_ring_comm comm;

	(void)state;
	begin();
	/* In the file first, but later. */
	now += 100;
	add_sample(10, 10, 0x1);
	now -= 100;
	comm = (struct perfctr_ring_comm){
		task(PERFCTR_RING_COMM, sizeof(comm), 10, 10), "named"};
	add(0, &comm);
	finish();
	assert_string_equal(show(FORMAT_FOLDED, SORT_SYMBOL),
			    "named;[unknown] 1\n");
}

/*
 * Mappings are told when a sample asks, later in the ring, but with that sample's
 * time; those that came in between are found, too.  An exec ends it.
 */
static void test_late_mappings(void **state)
{
	uint64_t asked;

	(void)state;
	begin();
	add_comm(10, 10, "old", true);
	asked = now;
	add_sample(10, 10, 0x1000);
	add_sample_of(10, 10, 0, 1, 0x1004, &(uint64_t){0x5010}, 1);
	add_sample(10, 10, 0x5000);
	now += 10;
	add_sample(10, 10, 0x5008);
	now = asked;
	add_mmap(10, 0x1000, 0x2000, 0, 1, "/nonexistent/first");
	/* A library that came later. */
	now = asked + 13;
	add_mmap(10, 0x5000, 0x6000, 0, 2, "/nonexistent/library");
	add_mmap(10, 0x8000, 0x9000, 0, 0, "//anon");
	add_sample(10, 10, 0x8000);
	add_sample(10, 10, 0xa000);
	add_comm(10, 10, "new", true);
	add_mmap(10, 0xa000, 0xb000, 0, 3, "/nonexistent/other");
	add_sample(10, 10, 0xa000);
	finish();
	assert_string_equal(show(FORMAT_FOLDED, SORT_SYMBOL),
			    "new;[other] 1\n"
			    "old;[anon] 1\n"
			    "old;[first] 1\n"
			    "old;[library] 2\n"
			    "old;[library];[first] 1\n"
			    "old;[unknown] 1\n");
	assert_null(strstr(show(FORMAT_TEXT, SORT_SYMBOL), "for //anon"));
}

/* Names come from whoever is sampled. */
static void test_odd_names(void **state)
{
	(void)state;
	begin();
	/* The last is no character, and XML may not have it. */
	add_comm(10, 10, "a;b\n<\"&\xff\xc3\xa9\xef\xbf\xbe", true);
	add_mmap(10, 0x1000, 0x2000, 0, 9, "/no\nsuch/;x<y>&\x1b[31m\xfe");
	add_sample(10, 10, 0x1000);
	finish();
	assert_string_equal(show(FORMAT_FOLDED, SORT_SYMBOL),
			    "a:b?<\"&?\xc3\xa9???;[:x<y>&?[31m?] 1\n");
	show(FORMAT_FLAMEGRAPH, SORT_SYMBOL);
	assert_has(text, "[;x&lt;y&gt;&amp;?[31m?]");
	ask("python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.stdin.buffer)'",
	    text, text_size);
	show(FORMAT_TEXT, SORT_DSO);
	assert_null(strchr(text, '\x1b'));
}

static void test_no_samples(void **state)
{
	(void)state;
	begin();
	finish();
	assert_has(show(FORMAT_TEXT, SORT_SYMBOL),
		   "# 0 samples of instructions:u");
	assert_string_equal(show(FORMAT_FOLDED, SORT_SYMBOL), "");
	show(FORMAT_FLAMEGRAPH, SORT_SYMBOL);
	ask("python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.stdin.buffer)'",
	    text, text_size);
	show(FORMAT_PPROF, SORT_SYMBOL);
}

/* ---------------------------------- symbols ------------------------------ */

/* To be found by its name and its line: not static. */
int a_function_to_be_found(int number);
/* Compilers see its beginning here, or a line below. */
enum { ITS_LINE = __LINE__ + 1 };
__attribute__((noinline)) int a_function_to_be_found(int number)
{
	return number * 3 + 1;
}

/* Where our own mappings are. */
static void map_ourselves(int pid)
{
	char line[4096 + 128], name[4096];
	FILE *maps = fopen("/proc/self/maps", "r");
	uint64_t start, end, offset, ino;
	char flags[8];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		*name = '\0';
		if (sscanf(line,
			   "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64
			   " %*s %" SCNu64 " %4095s",
			   &start, &end, flags, &offset, &ino, name) >= 5 &&
		    flags[2] == 'x')
			add_mmap(pid, start, end, offset, ino, name);
	}
	fclose(maps);
}

static uint64_t vdso_function(void)
{
	/* "linux-vdso" is loaded into every program. */
	void *handle = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);

	return handle ? (uint64_t)(uintptr_t)dlsym(handle,
						   "__vdso_clock_gettime")
		      : 0;
}

/* This program is a PIE; the C library and the vdso are others. */
static void test_symbols(void **state)
{
	uint64_t here = (uint64_t)(uintptr_t)a_function_to_be_found;
	uint64_t library = (uint64_t)(uintptr_t)dlsym(RTLD_NEXT, "wcsncasecmp");
	uint64_t vdso = vdso_function();
	char line[300], name[256];
	ssize_t length;

	(void)state;
	begin();
	add_comm(10, 10, "self", true);
	map_ourselves(10);
	/* Its first instruction, and where its last byte returns to. */
	add_sample_of(10, 10, 0, 1, here, &(uint64_t){here + 1}, 1);
	add_sample(10, 10, library + 1);
	if (vdso)
		add_sample(10, 10, vdso);
	finish();

	length = readlink("/proc/self/exe", name, sizeof(name) - 1);
	assert_true(length > 0);
	name[length] = '\0';
	show(FORMAT_TEXT, SORT_SYMBOL);
	snprintf(line, sizeof(line), "  a_function_to_be_found  %s\n", name);
	assert_has(text, line);
	assert_has(text, "  wcsncasecmp  /");
	assert_has(text, "libc.so.6");
	if (vdso)
		assert_has(text, "clock_gettime  [vdso]\n");
	assert_null(strstr(text, "no names"));
	show(FORMAT_SCRIPT, SORT_SYMBOL);
	snprintf(line, sizeof(line), "\t%16" PRIx64 " wcsncasecmp+0x1 (",
		 library + 1);
	assert_has(text, line);
	show(FORMAT_TEXT, SORT_LINE);
	snprintf(line, sizeof(line), "test_profile.c:%d\n", ITS_LINE);
	snprintf(name, sizeof(name), "test_profile.c:%d\n", ITS_LINE + 1);
	assert_true(strstr(text, line) || strstr(text, name));
}

/* The file has been replaced since: no names, and it says why. */
static void test_another_build(void **state)
{
	char copy[] = "/tmp/perfctr-test-XXXXXX", command[256];
	struct stat stat;
	int fd = mkstemp(copy);

	(void)state;
	assert_true(fd >= 0);
	snprintf(command, sizeof(command), "cp /bin/true %s", copy);
	assert_int_equal(system(command), 0);
	assert_int_equal(fstat(fd, &stat), 0);
	begin();
	add_mmap(10, 0x1000, 0x9000, 0, stat.st_ino, copy);
	add_sample(10, 10, 0x4000);
	finish();
	assert_null(strstr(show(FORMAT_TEXT, SORT_SYMBOL), "another file"));
	snprintf(command, sizeof(command), "cat /bin/false >%s", copy);
	assert_int_equal(system(command), 0);
	show(FORMAT_TEXT, SORT_SYMBOL);
	assert_has(text, "it is another file now: build-id ");
	assert_has(text, "  [unknown]  /tmp/perfctr-test-");
	unlink(copy);
	show(FORMAT_TEXT, SORT_SYMBOL);
	assert_has(text, "No such file");
	close(fd);
}

/*
 * Of a file that was not there when it was recorded only the inode is known; and
 * who has made the profile does not choose what is opened.
 */
static void test_no_build(void **state)
{
	struct stat file;

	(void)state;
	begin();
	assert_int_equal(stat("/bin/true", &file), 0);
	add_mmap(10, 0x1000, 0x9000, 0, file.st_ino + 1, "/bin/true");
	assert_int_equal(stat("/dev/null", &file), 0);
	add_mmap(10, 0x11000, 0x19000, 0, file.st_ino, "/dev/null");
	add_sample(10, 10, 0x4000);
	add_sample(10, 10, 0x14000);
	finish();
	show(FORMAT_TEXT, SORT_SYMBOL);
	assert_has(text, "another file now, or could not be read when");
	assert_has(text, "  [unknown]  /bin/true\n");
	assert_has(text, "it is no regular file");
}

static void test_kernel_symbols(void **state)
{
	FILE *stream = fopen("/proc/kallsyms", "r");
	char line[600], name[512], type;
	uint64_t address = 0, ip = 0;

	(void)state;
	/* Any that has a neighbour. */
	while (stream && fgets(line, sizeof(line), stream))
		if (sscanf(line, "%" SCNx64 " %c %511s", &address, &type,
			   name) == 3 &&
		    address && !strcmp(name, "schedule_timeout"))
			ip = address + 1;
	if (stream)
		fclose(stream);
	begin();
	add_comm(10, 10, "k", true);
	add_sample_of(10, 10, PERFCTR_SAMPLE_KERNEL, 1,
		      ip ? ip : UINT64_C(0xffffffff81000000),
		      &(uint64_t){0x1234}, 1);
	finish();
	show(FORMAT_FOLDED, SORT_SYMBOL);
	if (ip) {
		assert_string_equal(text,
				    "k;[unknown];schedule_timeout_[k] 1\n");
	} else {
		assert_string_equal(text, "k;[unknown];[kernel]_[k] 1\n");
		assert_has(show(FORMAT_TEXT, SORT_SYMBOL), "kptr_restrict");
	}
}

/* ----------------------------------- pprof ------------------------------- */

static Pprof__Profile *unpack(void)
{
	static unsigned char plain[1 << 20];
	z_stream z = {.next_in = (Bytef *)text,
		      .avail_in = (uInt)text_size,
		      .next_out = plain,
		      .avail_out = sizeof(plain)};

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	inflateEnd(&z);
	ask("protoc --proto_path=../../libperfctr/perfex --decode=pprof.Profile ../../libperfctr/perfex/pprof.proto >/dev/null",
	    plain, z.total_out);
	return pprof__profile__unpack(NULL, z.total_out, plain);
}

static const char *string(const Pprof__Profile *profile, int64_t index)
{
	assert_in_range(index, 0, (int64_t)profile->n_string_table - 1);
	return profile->string_table[index];
}

/* Every number refers to something that is there. */
static void test_pprof(void **state)
{
	uint64_t here = (uint64_t)(uintptr_t)a_function_to_be_found;
	Pprof__Profile *profile;
	const Pprof__Sample *sample;
	const Pprof__Location *location;
	const Pprof__Function *function;
	size_t i, j;

	(void)state;
	begin();
	add_comm(10, 10, "self", true);
	map_ourselves(10);
	add_sample_of(10, 10, 0, 1, here, &(uint64_t){here + 1}, 1);
	add_sample_of(10, 10, 0, 2, here, NULL, 0);
	add_sample(10, 10, 0x1);
	finish();
	show(FORMAT_PPROF, SORT_SYMBOL);
	profile = unpack();
	assert_non_null(profile);
	assert_string_equal(string(profile, 0), "");
	assert_int_equal(profile->n_sample_type, 2);
	assert_string_equal(string(profile, profile->sample_type[1]->type),
			    "instructions:u");
	assert_string_equal(string(profile, profile->sample_type[0]->unit),
			    "count");
	assert_int_equal(profile->period, 1000);
	assert_int_equal(profile->duration_nanos, 1500000000);
	assert_int_equal(profile->n_sample, 2);
	for (i = 0; i < profile->n_mapping; i++)
		assert_int_equal(profile->mapping[i]->id, i + 1);
	for (i = 0; i < profile->n_location; i++) {
		assert_int_equal(profile->location[i]->id, i + 1);
		assert_in_range(profile->location[i]->mapping_id, 1,
				profile->n_mapping);
		for (j = 0; j < profile->location[i]->n_line; j++)
			assert_in_range(
				profile->location[i]->line[j]->function_id, 1,
				profile->n_function);
	}
	sample = profile->sample[0];
	assert_int_equal(sample->n_value, 2);
	assert_int_equal(sample->value[0], 1);
	assert_int_equal(sample->value[1], 1000);
	assert_int_equal(sample->n_location_id, 2);
	location = profile->location[sample->location_id[0] - 1];
	function = profile->function[location->line[0]->function_id - 1];
	assert_string_equal(string(profile, function->name),
			    "a_function_to_be_found");
	assert_in_range(location->line[0]->line, ITS_LINE, ITS_LINE + 1);
	assert_has(string(profile, function->filename), "test_profile.c");
	/* Files are first. */
	assert_int_equal(*string(profile, profile->mapping[0]->filename), '/');
	assert_true(strlen(string(profile, profile->mapping[0]->build_id)) >=
		    16);
	pprof__profile__free_unpacked(profile, NULL);
}

/* --------------------------- a program, by single steps ------------------ */

/* Where the first process's code is. */
static void map_child(int pid)
{
	char name[64], line[512], file[256] = "";
	uint64_t start, end, offset, ino;
	char flags[8];
	FILE *maps;

	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	maps = fopen(name, "r");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line,
			   "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64
			   " %*s %" SCNu64 " %255s",
			   &start, &end, flags, &offset, &ino, file) == 6 &&
		    flags[2] == 'x' && *file == '/')
			add_mmap(pid, start, end, offset, ino, file);
	fclose(maps);
}

static unsigned int walk(int pid, uint64_t frame, uint64_t *chain)
{
	unsigned int depth = 0;

	while (frame && depth < 127) {
		errno = 0;
		chain[depth] =
			(uint64_t)ptrace(PTRACE_PEEKDATA, pid, frame + 8, NULL);
		if (errno)
			break;
		depth++;
		frame = (uint64_t)ptrace(PTRACE_PEEKDATA, pid, frame, NULL);
	}
	return depth;
}

/* A sample each @period instructions: what the PMU would do. */
static unsigned int sample_by_steps(const char *program, const char *argument,
				    unsigned int period)
{
	unsigned int steps = 0, samples = 0;
	int status;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execl(program, program, argument, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	add_comm(pid, pid, "shares", true);
	map_child(pid);
	for (;;) {
		struct user_regs_struct regs;
		uint64_t chain[127];

		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status))
			break;
		if (++steps % period)
			continue;
		assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &regs), 0);
		add_sample_of(pid, pid, 0, 1, regs.rip, chain,
			      walk(pid, regs.rbp, chain));
		samples++;
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return samples;
}

static double share_of(const struct profile *profile, const char *symbol)
{
	size_t i, nr = 0;

	for (i = 0; i < profile->nr_samples; i++) {
		const char *name = profile->samples[i].frames[0]->symbol;

		nr += name && !strcmp(name, symbol);
	}
	return 100.0 * (double)nr / (double)profile->nr_samples;
}

static void test_shares(void **state)
{
	static const struct {
		const char *symbol;
		double percent;
	} known[] = {{"spends_50", 50},
		     {"spends_30", 30},
		     {"spends_15", 15},
		     {"spends_5", 5}};
	struct profile profile;
	char line[64];
	unsigned int samples;
	size_t i;

	(void)state;
	begin();
	samples = sample_by_steps("../../build/unit/shares", "200000", 101);
	finish();
	assert_in_range(samples, 200000 / 101, 200000 / 101 + 10);
	load(&profile);
	assert_int_equal(profile.nr_samples, samples);
	for (i = 0; i < 4; i++) {
		double share = share_of(&profile, known[i].symbol);

		if (share < known[i].percent - 0.2 ||
		    share > known[i].percent + 0.2)
			fail_msg("%s: %.2f %%", known[i].symbol, share);
	}
	show_loaded(&profile, FORMAT_FOLDED, SORT_SYMBOL);
	for (i = 0; i < 4; i++) {
		snprintf(line, sizeof(line), "shares;_start;start;rounds;%s ",
			 known[i].symbol);
		assert_has(text, line);
	}
	show_loaded(&profile, FORMAT_FLAMEGRAPH, SORT_SYMBOL);
	for (i = 0; i < 4; i++) {
		snprintf(line, sizeof(line), "<title>%s (", known[i].symbol);
		assert_has(text, line);
		snprintf(line, sizeof(line), ">%s</text>", known[i].symbol);
		/* The narrowest has room for a part of its name. */
		if (known[i].percent > 5)
			assert_has(text, line);
	}
	ask("python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.stdin.buffer)'",
	    text, text_size);
	show_loaded(&profile, FORMAT_TEXT, SORT_SYMBOL);
	assert_has(text, "rounds  /");
	/* With what they call, "rounds" has nearly all. */
	assert_true(strstr(text, "99.9") || strstr(text, "100.00"));
	show_loaded(&profile, FORMAT_TEXT, SORT_LINE);
	assert_has(text, "shares.c:");
	profile_free(&profile);
}

/* ---------------------------------- options ------------------------------ */

static void test_options(void **state)
{
	static const struct {
		bool report;
		const char *words[5];
		const char *problem;
	} cases[] = {
		{false, {NULL}, "no command"},
		{false, {"-c", "0", "x"}, "-c 0"},
		{false, {"-c", "-5", "x"}, "-c -5"},
		{false, {"-c", "1e6", "x"}, "-c 1e6"},
		{false, {"-c"}, "needs an argument"},
		{false, {"-e", "a,,b", "x"}, "event is missing"},
		{false, {"-o", "", "x"}, "no file"},
		{false, {"--pages", "3", "x"}, "power of two"},
		{false, {"--pages", "2048", "x"}, "1024"},
		{false, {"--bogus", "x"}, "--bogus"},
		{true, {"x"}, "takes no command"},
		{true, {"--sort", "size"}, "symbol, line, dso, thread"},
		{true, {"--format", "xml"}, "flamegraph"},
		{true, {"--sort", "dso", "--format", "pprof"}, "--sort is for"},
		{true, {"-i"}, "needs an argument"},
		{true, {"-z"}, "unknown option -z"},
		{true, {"-zh"}, "unknown option -z (perfex report"},
		{false, {"-gzh", "x"}, "unknown option -z (perfex record"},
		{false, {"-gc"}, "option -c needs an argument"},
	};
	char *good[] = {"record", "-e", "a,b", "-e", "c",  "-c",
			"2000",   "-g", "--",  "-x", "-g", NULL};
	struct record_options record;
	struct report_options report;
	struct message message;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *argv[7] = {"r"};
		int result;

		for (j = 0; j < 5 && cases[i].words[j]; j++)
			argv[j + 1] = (char *)(uintptr_t)cases[i].words[j];
		strcpy(message.text, "");
		if (cases[i].report) {
			result = report_options_parse(&report, (int)j + 1, argv,
						      &message);
		} else {
			result = record_options_parse(&record, (int)j + 1, argv,
						      &message);
			record_options_free(&record);
		}
		if (result != -1 || !strstr(message.text, cases[i].problem) ||
		    strchr(message.text, '\n'))
			fail_msg("case %zu: %d, %s", i, result, message.text);
	}
	assert_int_equal(record_options_parse(&record, 11, good, &message), 0);
	assert_int_equal(record.nr_events, 3);
	assert_string_equal(record.event_texts[1], "b");
	assert_int_equal(record.period, 2000);
	assert_true(record.chains);
	assert_string_equal(record.output, "perfex.data");
	assert_string_equal(record.command[0], "-x");
	assert_string_equal(record.command[1], "-g");
	record_options_free(&record);
}

static int setup(void **state)
{
	(void)state;
	file_fd = memfd_create("perfex.data", 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	return file_fd < 0;
}

static int teardown(void **state)
{
	(void)state;
	close(file_fd);
	free(text);
	text = NULL;
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_chunks),         TEST(test_small),
		TEST(test_cut_anywhere),   TEST(test_damage),
		TEST(test_hostile),        TEST(test_full_disk),
		TEST(test_processes),      TEST(test_order),
		TEST(test_late_mappings),  TEST(test_odd_names),
		TEST(test_no_samples),     TEST(test_symbols),
		TEST(test_another_build),  TEST(test_no_build),
		TEST(test_kernel_symbols), TEST(test_pprof),
		TEST(test_shares),         TEST(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perfex record and perfex report.  Who calls whom:
 *
 *	record.c	the command, sampled: rings to		-> recorder.c
 *	recorder.c	records, and what they need to be understood, to
 *	file.c		chunks of perfex.data, and back to
 *	profile.c	samples with names			-> symbols.c
 *	symbols.c	libdw
 *	reports.c	the command "report", and its formats:
 *	report_*.c
 *	options_profile.c	both command lines
 *
 * Only record.c needs the device.
 */
#ifndef PERFEX_PROFILE_H
#define PERFEX_PROFILE_H

#include "perfex.h"

/* ---------------------------------- file.c ------------------------------- */

/*
 * perfex.data: eight bytes of FILE_MAGIC, then chunks, each appended by one
 * write: a struct chunk_head, "size" bytes, zeros up to a multiple of eight.
 * So whatever stops the writer, what is there up to the last whole chunk is
 * good.  Numbers are little-endian.
 */
#define FILE_MAGIC   "perfex\x1a\x01"
#define FILE_DEFAULT "perfex.data"

enum chunk_type {
	CHUNK_INFO = 1,        /* data.proto's Info */
	CHUNK_RECORDS = 2,     /* struct record_entry, record, ... */
	CHUNK_MAPPED_FILE = 3, /* data.proto, and so on: */
	CHUNK_KERNEL_SYMBOLS = 4,
	CHUNK_VDSO = 5,
	CHUNK_END = 6,
};

struct chunk_head {
	uint32_t type;
	uint32_t size;
	uint32_t crc; /* CRC-32 of type, size and the bytes that follow */
	uint32_t zero;
};

/* Before each record in CHUNK_RECORDS. */
struct record_entry {
	uint32_t cpu;
	uint32_t size; /* of the record, a multiple of eight */
};

struct writer {
	int fd;
	bool regular; /* a file that can be shortened again */
	off_t size;
};

/*
 * Begin the file anew on @fd.  Each returns 0, or the errno value; then the
 * file is as it was before the call, as far as it is one.
 */
int writer_begin(struct writer *writer, int fd);
int writer_append(struct writer *writer, enum chunk_type type,
		  const void *payload, size_t size);

/* A whole file in memory. */
struct reader {
	unsigned char *data;
	size_t size;
	size_t at; /* the next chunk */
};

/* More no chunk has: what says so is damaged, or made to do harm. */
#define CHUNK_MAX (256u << 20)

struct chunk {
	uint32_t type;
	uint32_t size;
	const unsigned char *payload; /* aligned to eight bytes */
};

/* Returns 0, or -1 with @message. */
int reader_open(struct reader *reader, const char *path,
		struct message *message);
void reader_close(struct reader *reader);
/* 1: a chunk; 0: none follows; -1: what follows is not a whole chunk. */
int reader_next(struct reader *reader, struct chunk *chunk);

/*
 * A file whose name somebody else has chosen: only a regular one is opened, as to
 * open a device may do something.  A descriptor to read from, and its inode; or
 * -1 and what is wrong.
 */
int open_regular(const char *path, uint64_t *ino, const char **problem);

/* --------------------------------- recorder.c ---------------------------- */

/* The vdso's image has not more. */
#define VDSO_MAX (64 * 1024)

/* Collects records and writes them in chunks. */
struct recorder {
	struct writer *writer;
	int error; /* errno of the first that could not be written, or 0 */
	unsigned char *buffer; /* entries to be written */
	size_t used;
	uint64_t samples;
	void *files; /* those that are written: tsearch() */
	bool vdso_written;
	struct kernel_symbol *kernel; /* all, by address */
	size_t nr_kernel;
	bool kernel_loaded;
	void **found; /* symbols to be written */
	size_t nr_found, room_found;
};

/* What record.c and the tests say about a recording. */
struct recording {
	const struct perfctr_dev_info *info;
	const struct cpu *cpu;
	const struct event *events;
	const uint64_t *periods;
	unsigned int nr;
	unsigned int depth;
	char *const *command;
};

/* What is known when it is over. */
struct recording_end {
	const struct result *result;
	uint64_t lost, skipped, damaged;
};

/* Writes the first chunk.  0, or -1 and error is set; as all of these. */
int recorder_begin(struct recorder *recorder, struct writer *writer,
		   const struct recording *recording);
/* @raw: the device's record of @size bytes, @record: the same, parsed. */
int recorder_add(struct recorder *recorder,
		 const struct vperfctr_record *record, const void *raw,
		 size_t size);
/* Everything that was added is in the file then. */
int recorder_flush(struct recorder *recorder);
int recorder_end(struct recorder *recorder, const struct recording_end *end);
void recorder_free(struct recorder *recorder);

/* --------------------------------- symbols.c ----------------------------- */

#define BUILD_ID_MAX 64

/* The build-id of an ELF file: its bytes; 0: it has none, or is none. */
size_t symbols_build_id(int fd, unsigned char id[BUILD_ID_MAX]);

/* The symbols and lines of one file. */
struct symbols;

/* NULL: it is no ELF file that libdw can read.  Takes @fd, also then. */
struct symbols *symbols_open(const char *name, int fd);
void symbols_close(struct symbols *symbols);

/* The address that the file itself gives to what is at @offset in it. */
bool symbols_address(const struct symbols *symbols, uint64_t offset,
		     uint64_t *address);

/* What is at @address.  false: not known. */
bool symbols_find(struct symbols *symbols, uint64_t address, const char **name,
		  uint64_t *start);
bool symbols_line(struct symbols *symbols, uint64_t address, const char **file,
		  int *line);

/* --------------------------------- profile.c ----------------------------- */

/* Something that addresses lie in: a file, the kernel, a module, ... */
struct dso {
	const char *path; /* or "[kernel]", "[vdso]", "[unknown]", ... */
	const char *name; /* the same, fit to be printed */
	uint64_t ino;
	unsigned char build_id[BUILD_ID_MAX];
	size_t build_id_size;
	bool file; /* else there is none of that name */
	bool kernel;
	bool tried;              /* to open it */
	struct symbols *symbols; /* NULL: none */
	const char *problem;     /* why there are none, or NULL */
	uint64_t samples;        /* addresses in it, for the notes */
	unsigned int number;     /* for whoever writes a list of them */
};

/*
 * An address with all that is known of it; one for each.  Texts here and below
 * are printable UTF-8, and those that are equal are the same pointer.
 */
struct place {
	const struct dso *dso;
	uint64_t address; /* in the file; where there is none, of the process */
	bool call;        /* where a call returns to: names are the call's */
	const char *symbol; /* NULL: not known */
	uint64_t start;     /* of the symbol */
	const char *file;   /* source file, or NULL */
	int line;
	unsigned int number; /* as in struct dso */
};

struct sample {
	uint64_t tsc;
	int pid, tid;
	const char *comm;
	uint32_t cpu;
	uint32_t overflow;
	uint32_t depth;        /* frames, at least 1 */
	struct place **frames; /* the innermost first */
	const uint64_t *ips;   /* their addresses in the process */
};

struct profile_event {
	const char *name;
	uint64_t period;
	bool counted;
	uint64_t count; /* if "counted" */
};

struct profile {
	const char *path;
	/* From Info. */
	const char *command; /* in one line */
	const char *hypervisor, *guest, *cpu, *perfex;
	uint32_t tsc_khz;
	uint32_t chain_depth;
	bool split;
	int64_t time;
	struct profile_event events[PERFCTR_MAX_COUNTERS];
	unsigned int nr_events;

	struct sample *samples; /* by time */
	size_t nr_samples;
	struct dso **dsos;
	size_t nr_dsos;
	struct place **places;
	size_t nr_places;

	/* What is not in the samples. */
	uint64_t lost;
	uint64_t throttled;
	uint64_t damaged;
	bool whole;        /* has its end */
	bool cut;          /* there is something behind the last whole chunk */
	uint64_t no_place; /* samples that do not know where they were */
	uint32_t live, errors, refused, uncounted;
	double seconds;

	struct reader reader;
	void *memory; /* everything that lives as long: profile.c */
};

/* Returns 0, or -1 with @message. */
int profile_load(struct profile *profile, const char *path,
		 struct message *message);
void profile_free(struct profile *profile);

/* "main+0x1f", "main" or, where it is not known, the address. */
void place_name(const struct place *place, bool offset, char *text,
		size_t size);
/* "name", or "[libc.so.6]" where it is not known: what one stack has in common. */
void place_label(const struct place *place, char *text, size_t size);
/* The last component of the name. */
const char *dso_short_name(const struct dso *dso);

/* ------------------------------ the formats ------------------------------ */

enum sort_key { SORT_SYMBOL, SORT_LINE, SORT_DSO, SORT_THREAD };
enum report_format {
	FORMAT_TEXT,
	FORMAT_FOLDED,
	FORMAT_SCRIPT,
	FORMAT_PPROF,
	FORMAT_FLAMEGRAPH,
};

struct report_options {
	bool help;
	const char *input;
	const char *output; /* NULL: standard output */
	const char *event;  /* NULL: the first */
	enum sort_key sort;
	enum report_format format;
};

struct record_options {
	bool help;
	char *event_texts[PERFCTR_MAX_COUNTERS]; /* malloc'd */
	unsigned int nr_events;
	uint64_t period; /* 0: the default */
	unsigned int pages;
	bool chains;
	bool no_inherit;
	const char *output;
	char **command;
};

/* argv[0] is the subcommand's name.  0, or -1 with @message. */
int record_options_parse(struct record_options *options, int argc, char **argv,
			 struct message *message);
void record_options_free(struct record_options *options);
void record_help(FILE *stream);
int report_options_parse(struct report_options *options, int argc, char **argv,
			 struct message *message);
void report_help(FILE *stream);

/* The subcommands: their exit status. */
int record_main(int argc, char **argv);
int report_main(int argc, char **argv);

/* Is the sample one of event @event? */
bool sample_counts(const struct sample *sample, unsigned int event);

/* What every report begins with: a line each, @prefix before it. */
void report_summary(FILE *stream, const char *prefix,
		    const struct profile *profile, unsigned int event);

/* How many frames are counted for one time each, and of what: all samples. */
struct stack_node {
	const char *name;
	bool kernel;
	uint64_t samples; /* in it and in what it calls */
	uint64_t own;     /* in it alone */
	struct stack_node *first, *next;
};

/* The tree of calls, below a root without a name; NULL: no memory. */
struct stack_node *stacks_build(const struct profile *profile,
				unsigned int event);
void stacks_free(struct stack_node *root);

/* Each writes one; errors are @stream's, or ENOMEM in the return value. */
int report_table(FILE *stream, const struct profile *profile,
		 unsigned int event, enum sort_key sort);
int report_folded(FILE *stream, const struct profile *profile,
		  unsigned int event);
int report_script(FILE *stream, const struct profile *profile,
		  unsigned int event);
int report_flamegraph(FILE *stream, const struct profile *profile,
		      unsigned int event);
int report_pprof(FILE *stream, struct profile *profile, unsigned int event);

#endif /* PERFEX_PROFILE_H */

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs inputs of the fuzzer without it.
 *
 *	replay [-n NUMBER] [-s SEED] [-t SECONDS] [-v] [-x] [-q] [FILE...]
 *
 * FILEs that end in .txt have an input in hexadecimal in each line; others are
 * one input.  Then come NUMBER inputs at random, always the same for a SEED, of
 * which SECONDS are the end.  -x: no faults of WRMSR; -v: what is
 * done.  The input at which it ends,
 * if it does not end well, is written to standard error, for a FILE.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../unit/random.h"
#include "fuzz.h"

#define MAX_SIZE 4096

bool fuzz_inject_faults = true;

static uint8_t now[MAX_SIZE];
static size_t now_size;

static void show_input(void)
{
	static const char digits[] = "0123456789abcdef";
	static char text[2 * MAX_SIZE + 32];
	size_t n = (size_t)sprintf(text, "INPUT %lu: ",
				   fuzz_done.sequences + 1),
	       i;

	for (i = 0; i < now_size; i++) {
		text[n++] = digits[now[i] >> 4];
		text[n++] = digits[now[i] & 15];
	}
	text[n++] = '\n';
	if (write(2, text, n) < 0)
		_exit(1);
}

static void died(int number)
{
	show_input();
	signal(number, SIG_DFL);
	raise(number);
}

#ifdef __SANITIZE_ADDRESS__
void __sanitizer_set_death_callback(void (*callback)(void));
#endif

/* Both sanitizers end as an assertion does. */
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
	return "abort_on_error=1";
}

static void run(const uint8_t *data, size_t size)
{
	/* Of the right size: nothing may be read behind it. */
	uint8_t *copy = malloc(size ? size : 1);

	memcpy(copy, data, size);
	memcpy(now, data, size);
	now_size = size;
	fuzz_sequence(copy, size);
	free(copy);
}

static void run_line(const char *line)
{
	uint8_t data[MAX_SIZE];
	size_t n = 0;
	unsigned int byte;

	while (n < MAX_SIZE && sscanf(line + 2 * n, "%2x", &byte) == 1)
		data[n++] = (uint8_t)byte;
	run(data, n);
}

static void run_file(const char *name)
{
	const size_t length = strlen(name);
	FILE *f = fopen(name, "r");

	if (!f) {
		perror(name);
		exit(1);
	}
	if (length > 4 && !strcmp(name + length - 4, ".txt")) {
		static char line[2 * MAX_SIZE + 2];

		while (fgets(line, sizeof(line), f))
			if (*line != '#')
				run_line(line);
	} else {
		uint8_t data[MAX_SIZE];
		size_t n = fread(data, 1, sizeof(data), f);

		run(data, n);
	}
	fclose(f);
}

static void run_random(unsigned long nr, time_t end)
{
	uint8_t data[600];
	unsigned long i;
	size_t n, k;

	for (i = 0; i < nr && (i % 256 || !end || time(NULL) < end); i++) {
		n = 8 + random64() % (i % 4 ? sizeof(data) - 8 : 100);
		for (k = 0; k < n; k += 8) {
			uint64_t r = random64();

			memcpy(data + k, &r, n - k < 8 ? n - k : 8);
		}
		run(data, n);
	}
}

int main(int argc, char **argv)
{
	unsigned long nr = 0, files;
	time_t end = 0;
	bool quiet = false;
	int option, i;

	rng = 1;
	while ((option = getopt(argc, argv, "n:s:t:vxq")) >= 0)
		switch (option) {
		case 'n':
			nr = strtoul(optarg, NULL, 0);
			break;
		case 's':
			rng = strtoul(optarg, NULL, 0) * 2 + 1;
			break;
		case 't':
			end = time(NULL) + strtol(optarg, NULL, 0);
			break;
		case 'x':
			fuzz_inject_faults = false;
			break;
		case 'v':
			fuzz_verbose = true;
			break;
		case 'q':
			quiet = true;
			break;
		default:
			return 2;
		}
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_set_death_callback(show_input);
#endif
	signal(SIGABRT, died);
	signal(SIGSEGV, died);
	for (i = optind; i < argc; i++)
		run_file(argv[i]);
	files = fuzz_done.sequences;
	run_random(nr, end);
	if (quiet)
		return 0;
#define SAY(name) printf("%-16s %lu\n", #name, fuzz_done.name)
	printf("%-16s %lu\n", "of files", files);
	SAY(sequences);
	SAY(actions);
	SAY(hypercalls);
	SAY(good_hypercalls);
	SAY(loads);
	SAY(page_loads);
	SAY(refused);
	SAY(registered);
	SAY(events);
	SAY(wraps);
	SAY(interrupts);
	SAY(overflows);
	SAY(harvested);
	SAY(resumes);
	if (fuzz_has_rearm)
		SAY(rearms);
	SAY(storms);
	SAY(throttled);
	SAY(switches);
	SAY(toggles);
	SAY(policies);
	SAY(revoked);
	SAY(vpmu);
	SAY(resets);
	SAY(lost);
	SAY(all_faults);
	return 0;
}

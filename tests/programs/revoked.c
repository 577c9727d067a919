// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * revoked [-e EVENT]
 *
 * Counts a loop of known counts, chunk after chunk, by reads in user mode, until
 * the host's policy takes the counters away; then asks for them until it gets
 * them, and counts again.  Prints, each as soon as it is known:
 *
 *	counting		the first chunks were as they should be
 *	lost ERROR		what the read said, or "SIGSEGV ERROR": RDPMC itself
 *				faulted, and the read after it said ERROR
 *	refused ERROR		what the first request for counters said then
 *	again			it was granted, and counts are right
 *
 * or what was wrong, with status 1: a count that is not a chunk's, a sum that
 * the loss has changed.
 */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "self.h"

#define CHUNK   20000u
/* A read that met a switch tries again, which are some instructions. */
#define RETRIES 1000u

static const struct region *region;
static uint64_t expected;
static sigjmp_buf fault;

static void on_fault(int signal_number)
{
	(void)signal_number;
	siglongjmp(fault, 1);
}

static __attribute__((noreturn)) void wrong(const char *what, uint64_t number)
{
	printf("wrong: %s: %llu\n", what, (unsigned long long)number);
	exit(1);
}

/* False: a read failed, errno says why. */
static bool chunk(const struct vperfctr *self, uint64_t *sum)
{
	struct perfctr_sum_ctrs before, after;
	uint64_t count;

	if (vperfctr_read_ctrs(self, &before) < 0)
		return false;
	region->run(CHUNK, NULL);
	if (vperfctr_read_ctrs(self, &after) < 0)
		return false;
	count = after.pmc[0] - before.pmc[0];
	if (count < expected || count > expected + RETRIES)
		wrong("count of a chunk", count);
	*sum = after.pmc[0];
	return true;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_fault};
	struct vperfctr_control control;
	struct event_option event;
	struct perfctr_sum_ctrs last;
	struct vperfctr *self;
	/* Kept over the longjmp. */
	static uint64_t sum, chunks;
	static bool faulted;

	event_option(&event, &argc, &argv);
	region = find_region("loop");
	if (argc > 1 || event.count == NR_COUNTS ||
	    !expected_count(region, event.count, CHUNK, &expected)) {
		fputs("usage: revoked [-e EVENT]\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	self = self_open(event.index, event.code);
	sigaction(SIGSEGV, &action, NULL);

	if (sigsetjmp(fault, 1))
		faulted = true;
	else
		while (chunk(self, &sum))
			if (++chunks == 10)
				puts("counting");

	/* Sums are those of the last time that they were known. */
	if (vperfctr_read_ctrs(self, &last) >= 0)
		wrong("no error after the loss", chunks);
	printf("lost %s%s\n", faulted ? "SIGSEGV " : "",
	       strerrorname_np(errno));
	if (last.pmc[0] > (chunks + 2) * (expected + RETRIES))
		wrong("sum", last.pmc[0]);

	one_counter(&control, event.index, event.code);
	if (vperfctr_control(self, &control) >= 0)
		wrong("counters were there again at once", 0);
	printf("refused %s\n", strerrorname_np(errno));
	while (vperfctr_control(self, &control) < 0)
		usleep(10000);
	for (chunks = 0; chunks < 1000; chunks++)
		if (!chunk(self, &sum))
			wrong("error after the grant", (uint64_t)errno);
	if (sum > 1001 * (expected + RETRIES) || sum < 1000 * expected)
		wrong("sum after the grant", sum);
	puts("again");
	vperfctr_close(self);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * groups SEED...
 *
 * The counts of groups (PERFCTR_CTL_INHERIT) whose members fork, execute, exit
 * before others and are killed, in TAP.  The members are members.c, run twice: once
 * with their work, once without.  All else being the same, the two differ by the
 * known counts of the work; to the last event.  Counts are those that the
 * device keeps for a group, and for each of its members (PERFCTR_CTL_RECORDS).
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <uapi/perfctr.h>

#include "codes.h"
#include "members.h"

#define PROGRAM "/usr/lib/perfctr-tests/members"

static const enum count counted[] = {INSTRUCTIONS, COND_BRANCHES, LOADS,
				     STORES};
#define NR_COUNTED (sizeof(counted) / sizeof(*counted))

struct result {
	struct perfctr_dev_group group;
	struct perfctr_dev_record records[128];
	unsigned int nr_records;
	uint64_t spins; /* of all spinners */
	unsigned int nr_spinners;
};

static int number, failed;
static uint64_t *spin_page;
static int spin_fd;

static void die(const char *what)
{
	printf("Bail out! groups: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void ok(bool good, const char *what, uint64_t seed)
{
	failed |= !good;
	printf("%sok %d - %s, seed %llu\n", good ? "" : "not ", ++number, what,
	       (unsigned long long)seed);
}

static void sleep_ms(long ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

/* In the child: a group is founded that counts from the exec on. */
static void become(int device, char **argv)
{
	struct perfctr_dev_control control;
	size_t i;

	memset(&control, 0, sizeof(control));
	control.nr = NR_COUNTED;
	control.flags = PERFCTR_CTL_START_ON_EXEC | PERFCTR_CTL_INHERIT |
			PERFCTR_CTL_RECORDS;
	for (i = 0; i < NR_COUNTED; i++) {
		control.counter[i].index = (uint32_t)i;
		control.counter[i].evtsel =
			code_of(counted[i]) | PERFCTR_EVNTSEL_USR;
	}
	if (dup2(spin_fd, SPIN_FD) < 0 || ioctl(device, PERFCTR_IOC_CREATE) ||
	    ioctl(device, PERFCTR_IOC_CONTROL, &control))
		_exit(100 + errno);
	execv(PROGRAM, argv);
	_exit(99);
}

/* All its threads sleep: state S in the fourth field behind the name. */
static bool asleep(pid_t pid)
{
	char path[64], line[512];
	unsigned int i, threads = 0, sleeping = 0;
	FILE *f;

	for (i = 0; i < 32; i++) {
		char *p;

		/* The ids of threads made one after the other. */
		snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid,
			 pid + (int)i);
		f = fopen(path, "r");
		if (!f)
			continue;
		threads++;
		p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
		sleeping += p && p[2] == 'S';
		fclose(f);
	}
	return threads && threads == sleeping;
}

static uint64_t all_spins(uint64_t start)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i <= SPINNERS; i++)
		sum += *(volatile uint64_t *)(spin_page + i * 8) - start;
	return sum;
}

static bool all_spin(uint64_t start)
{
	unsigned int i;

	for (i = 0; i <= SPINNERS; i++)
		if (*(volatile uint64_t *)(spin_page + i * 8) - start < 1000)
			return false;
	return true;
}

/*
 * Runs it with what is between its name and the end of @argv, and @killed: once
 * it is blocked, or (of spinners that have no end) while it runs.
 */
static void run(char **argv, int killed, uint64_t start, struct result *r)
{
	int device = open("/dev/perfctr", O_RDWR | O_CLOEXEC), status, i;
	pid_t pid;

	if (device < 0)
		die("/dev/perfctr");
	memset(r, 0, sizeof(*r));
	for (i = 0; i <= SPINNERS; i++)
		spin_page[i * 8] = start;
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		become(device, argv);
	if (killed) {
		/* Endless: when each has begun, and some more. */
		if (!strcmp(argv[1], "spin") && !start) {
			while (!all_spin(start))
				sleep_ms(1);
			sleep_ms(20);
		} else {
			sleep_ms(50);
			while (!asleep(pid))
				sleep_ms(5);
		}
		kill(pid, SIGKILL);
	}
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (killed ? !WIFSIGNALED(status) : !WIFEXITED(status) || status) {
		printf("Bail out! %s of %s ended with status %#x\n", argv[1],
		       PROGRAM, (unsigned int)status);
		exit(1);
	}
	r->spins = all_spins(start);
	r->nr_spinners = SPINNERS + 1;
	if (ioctl(device, PERFCTR_IOC_READ_GROUP, &r->group))
		die("READ_GROUP");
	for (r->nr_records = 0;
	     r->nr_records < sizeof(r->records) / sizeof(*r->records);) {
		struct perfctr_dev_record *record = &r->records[r->nr_records];

		record->serial = r->nr_records ? record[-1].serial : 0;
		if (ioctl(device, PERFCTR_IOC_NEXT_RECORD, record)) {
			if (errno != ENOENT)
				die("NEXT_RECORD");
			break;
		}
		r->nr_records++;
	}
	close(device);
}

static void add_work(uint64_t counts[NR_COUNTS], uint64_t seed,
		     unsigned int member)
{
	static const char *const names[] = WORK_NAMES;
	unsigned int step;
	uint64_t n;

	for (step = 0; step < WORK_STEPS; step++) {
		unsigned int region = work_step(seed, member, step, &n);

		add_step(counts, find_region(names[region]), n);
	}
	add_sequence(counts);
}

/* What every group has to show, whatever its members did. */
static void test_group(const char *what, const struct result *r,
		       unsigned int members, uint64_t seed)
{
	char text[200];
	uint64_t sums[NR_COUNTED] = {0};
	bool same = true;
	unsigned int i, k;

	for (i = 0; i < r->nr_records; i++)
		for (k = 0; k < NR_COUNTED; k++)
			sums[k] += r->records[i].sums.pmc[k];
	for (k = 0; k < NR_COUNTED; k++)
		same &= sums[k] == r->group.sums.pmc[k];
	snprintf(
		text, sizeof(text),
		"%s: %u members have ended, none is lost (%u, live %u, errors %u, lost %u)",
		what, members, r->group.ended, r->group.live, r->group.errors,
		r->group.lost);
	ok(r->group.ended == members && !r->group.live && !r->group.errors &&
		   !r->group.refused && !r->group.lost &&
		   !(r->group.sums.status & PERFCTR_STATUS_ERROR),
	   text, seed);
	snprintf(text, sizeof(text),
		 "%s: the group's sums are those of its %u records", what,
		 r->nr_records);
	ok(same && r->nr_records == members && !r->group.records_lost, text,
	   seed);
}

static void test_difference(const char *what, const uint64_t is[NR_COUNTED],
			    const uint64_t known[NR_COUNTS], uint64_t seed)
{
	char text[200];
	size_t k;

	for (k = 0; k < NR_COUNTED; k++) {
		snprintf(text, sizeof(text),
			 "%s: %s: %llu, known %llu, difference %lld", what,
			 count_names[counted[k]], (unsigned long long)is[k],
			 (unsigned long long)known[counted[k]],
			 (long long)(is[k] - known[counted[k]]));
		ok(is[k] == known[counted[k]], text, seed);
	}
}

/* With work and without: the difference is the known counts of @works from
 * @first on, and of @one_more. */
static void test_work(const char *what, char **argv, int killed,
		      unsigned int members, unsigned int first,
		      unsigned int works, unsigned int one_more, uint64_t seed)
{
	static char zero[] = "0", one[] = "1";
	static struct result with, without;
	uint64_t known[NR_COUNTS] = {0}, is[NR_COUNTED];
	unsigned int i;
	size_t k;

	argv[2] = zero;
	run(argv, killed, 0, &without);
	argv[2] = one;
	run(argv, killed, 0, &with);
	for (i = 0; i < works; i++)
		add_work(known, seed, first + i);
	if (one_more)
		add_work(known, seed, one_more);
	for (k = 0; k < NR_COUNTED; k++)
		is[k] = with.group.sums.pmc[k] - without.group.sums.pmc[k];
	test_group(what, &with, members, seed);
	test_difference(what, is, known, seed);

	/*
	 * Each thread by itself: its record, less that of the same thread without
	 * work.  Members are numbered as they joined, so by thread.
	 */
	if (!strcmp(argv[1], "threads") && with.nr_records == members &&
	    without.nr_records == members) {
		unsigned int wrong = 0;
		char text[100];

		for (i = 0; i < members; i++) {
			const struct perfctr_dev_record *a = NULL, *b = NULL;
			uint64_t own[NR_COUNTS] = {0};
			unsigned int j;

			for (j = 0; j < members; j++) {
				if (with.records[j].serial == i + 1)
					a = &with.records[j];
				if (without.records[j].serial == i + 1)
					b = &without.records[j];
			}
			add_work(own, seed, i);
			for (k = 0; k < NR_COUNTED; k++)
				wrong += !a || !b ||
					 a->sums.pmc[k] - b->sums.pmc[k] !=
						 own[counted[k]];
		}
		snprintf(
			text, sizeof(text),
			"%s: each thread's own record: %u of %u counts are wrong",
			what, wrong, members * (unsigned int)NR_COUNTED);
		ok(!wrong, text, seed);
	}
}

/*
 * Killed in the middle of a loop that writes down each iteration before the next
 * begins: INC of memory is one load and one store, so these have to be what
 * the memory shows, to the last one.  The branch behind it may or may not have
 * retired, for each thread.
 */
static void test_spinners(char **argv, uint64_t seed)
{
	static struct result known, killed;
	uint64_t spins, off;
	uint64_t is[NR_COUNTED];
	char text[200];
	size_t k;

	/* 1000 iterations each, then blocked: what else is in the counts. */
	run(argv, 1, (uint64_t)-1000, &known);
	run(argv, 1, 0, &killed);
	spins = killed.spins - known.spins;
	for (k = 0; k < NR_COUNTED; k++)
		is[k] = killed.group.sums.pmc[k] - known.group.sums.pmc[k];
	test_group("killed while they spin", &killed, SPINNERS + 1, seed);
	snprintf(
		text, sizeof(text),
		"killed while they spin: %llu iterations more, loads %llu, stores %llu",
		(unsigned long long)spins, (unsigned long long)is[2],
		(unsigned long long)is[3]);
	ok(known.spins == 1000 * (SPINNERS + 1) && spins && is[2] == spins &&
		   is[3] == spins,
	   text, seed);
	/*
	 * The known run has two more instructions for each, to block with: MOV
	 * and SYSCALL.
	 */
	off = spins - is[1];
	snprintf(
		text, sizeof(text),
		"killed while they spin: %llu branches, %lld short; instructions %llu are two for each",
		(unsigned long long)is[1], (long long)off,
		(unsigned long long)is[0]);
	ok(off <= SPINNERS + 1 && is[0] + 2 * (SPINNERS + 1) == 2 * spins - off,
	   text, seed);
}

int main(int argc, char **argv)
{
	char name[] = "x";
	int i, k;

	if (argc < 2) {
		fputs("usage: groups SEED...\n", stderr);
		return 2;
	}
	spin_fd = memfd_create("spins", 0);
	if (spin_fd < 0 || ftruncate(spin_fd, 4096) < 0)
		die("memfd_create");
	spin_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
			 spin_fd, 0);
	if (spin_page == MAP_FAILED)
		die("mmap");

	for (i = 1; i < argc; i++) {
		uint64_t seed = parse_number(argv[i]);
		char program[] = PROGRAM, role[16], way[] = "0";
		char *args[4 + EXECS + 1] = {program, role, way, argv[i]};

		strcpy(role, "tree");
		test_work("fork tree", args, 0,
			  1 + TREE_CHILDREN * (1 + TREE_GRANDCHILDREN), 0,
			  1 + TREE_CHILDREN * (1 + TREE_GRANDCHILDREN), 0,
			  seed);
		strcpy(role, "threads");
		test_work("threads", args, 0, THREADS + 1, 0, THREADS + 1, 0,
			  seed);
		strcpy(role, "blocked");
		test_work("killed while blocked", args, 1, 1, 0, 1, 0, seed);
		strcpy(role, "exec");
		for (k = 0; k < EXECS; k++)
			args[4 + k] = name;
		test_work("exec chain", args, 0, 1, EXEC_MEMBER + 4, EXECS + 1,
			  0, seed);
		args[4] = NULL;
		strcpy(role, "thread-exec");
		/* What it executes is the last program of such a chain. */
		test_work("exec by a thread", args, 0, SIBLINGS + 2, 0,
			  SIBLINGS + 2, EXEC_MEMBER + 4, seed);
		strcpy(role, "spin");
		test_spinners(args, seed);
	}
	printf("1..%d\n", number);
	return failed;
}

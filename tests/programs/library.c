// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * library [group | remote | reader | whole | stopped]
 *
 * What libperfctr offers beside the calling thread's plain counters, in TAP:
 * groups and slots, another thread's counters, whole CPUs, and reads that are
 * interrupted by an overflow, without a signal for it.  Counted is user mode; a count is compared with that of a longer loop, so that what lies
 * between two reads besides is gone.
 */

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pin.h"
#include "self.h"
#include "tap.h"

#define FEW    100000
#define MANY   300000
/* Instructions of an iteration of the loop. */
#define EACH   2
#define NOBODY 65534

static const struct region *loop;

static __attribute__((noreturn)) void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static void run_loop(uint64_t n)
{
	loop->run(n, NULL);
}

static struct vperfctr_control instructions(void)
{
	struct vperfctr_control control;

	one_counter(&control, 0, code_of(INSTRUCTIONS));
	return control;
}

/* ----------------------------- groups and slots -------------------------- */

#define CHILDREN 5

/* The group's count of as many children, each with a loop of @n. */
static uint64_t count_children(const struct vperfctr *self, uint64_t n)
{
	struct vperfctr_group_sums before, after;
	unsigned int i;

	if (vperfctr_read_group(self, &before) < 0)
		die("vperfctr_read_group");
	for (i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();

		if (!pid) {
			run_loop(n);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			die("fork");
	}
	if (vperfctr_read_group(self, &after) < 0)
		die("vperfctr_read_group");
	ok(after.ended - before.ended == CHILDREN && after.live == 1 &&
		   !after.lost && !after.errors && !after.refused,
	   "%u members ended, %u live", after.ended - before.ended, after.live);
	return after.sums.pmc[0] - before.sums.pmc[0];
}

static void test_inheritance(const struct vperfctr *self)
{
	struct vperfctr_group_control group = {
		.control = instructions(),
		.flags = VPERFCTR_GROUP_INHERIT,
	};
	struct vperfctr_group_sums sums;
	struct vperfctr_sums own;
	uint64_t few, many;

	if (vperfctr_control_group(self, &group) < 0)
		die("vperfctr_control_group");
	few = count_children(self, FEW);
	many = count_children(self, MANY);
	ok(many - few == CHILDREN * EACH * (MANY - FEW),
	   "the children's loops are in the sum: %lld too many",
	   (long long)(many - few - CHILDREN * EACH * (MANY - FEW)));
	if (vperfctr_read_sums(self, &own) < 0 ||
	    vperfctr_read_group(self, &sums) < 0)
		die("vperfctr_read_sums");
	ok(own.pmc[0] < CHILDREN * EACH * (uint64_t)FEW &&
		   sums.sums.pmc[0] - own.pmc[0] >=
			   CHILDREN * EACH * (uint64_t)(FEW + MANY),
	   "and not in the thread's own");
	ok(own.nr == 1 && own.loaded[0] == own.tsc,
	   "without slots it is counted all the time");

	group.flags = 0;
	if (vperfctr_control_group(self, &group) < 0)
		die("vperfctr_control_group");
	if (!fork()) {
		run_loop(FEW);
		_exit(0);
	}
	wait(NULL);
	if (vperfctr_read_group(self, &sums) < 0)
		die("vperfctr_read_group");
	ok(sums.sums.pmc[0] < EACH * (uint64_t)FEW,
	   "not asked for, nothing is inherited");
}

/* Two entries of one counter that take turns: they never go back. */
static void test_slots(const struct vperfctr *self)
{
	struct vperfctr_group_control group = {
		.control = instructions(),
		.slice_us = 1000,
		.slot = {0, 1},
	};
	struct perfctr_cpu_control *cpu = &group.control.cpu_control;
	struct perfctr_sum_ctrs now, last = {0};
	unsigned int i, back = 0, errors = 0, turns = 0, moved, before = 2;
	struct vperfctr_sums sums;
	uint64_t total = 0;

	cpu->nractrs = 2;
	cpu->pmc_map[1] = cpu->pmc_map[0];
	cpu->evntsel[1] =
		code_of(BRANCHES) | PERFCTR_EVNTSEL_USR | PERFCTR_EVNTSEL_EN;
	if (vperfctr_control_group(self, &group) < 0)
		die("vperfctr_control_group");
	for (i = 0; i < 4000; i++) {
		run_loop(10000);
		total += 10000;
		errors += vperfctr_read_ctrs(self, &now) < 0;
		back += now.tsc < last.tsc || now.pmc[0] < last.pmc[0] ||
			now.pmc[1] < last.pmc[1];
		moved = now.pmc[0] != last.pmc[0] ? 0 : 1;
		turns += moved != before;
		before = moved;
		last = now;
	}
	if (vperfctr_read_sums(self, &sums) < 0)
		die("vperfctr_read_sums");
	ok(!errors && !back, "slots: 4000 reads, none goes back");
	ok(turns > 20, "... over %u turns", turns);
	ok(sums.pmc[0] >= last.pmc[0] && sums.pmc[1] >= last.pmc[1] &&
		   sums.pmc[0] <= last.pmc[0] + 100000 &&
		   sums.pmc[1] <= last.pmc[1] + 100000,
	   "the kernel says the same as the page");
	ok(sums.loaded[0] > sums.tsc / 4 && sums.loaded[1] > sums.tsc / 4,
	   "each has its share: %.1f %%, %.1f %%",
	   100.0 * (double)sums.loaded[0] / (double)sums.tsc,
	   100.0 * (double)sums.loaded[1] / (double)sums.tsc);
	ok(sums.loaded[0] + sums.loaded[1] <= sums.tsc &&
		   sums.loaded[0] + sums.loaded[1] >= sums.tsc / 1000 * 995,
	   "together all of the time: %.2f %%",
	   100.0 * (double)(sums.loaded[0] + sums.loaded[1]) /
		   (double)sums.tsc);
	ok(sums.pmc[1] < total, "what was not counted is not in a count");
	/* Time is the host's, who may take some from one and not the other. */
	ok(vperfctr_estimate(&sums, 1) > total - total / 4 &&
		   vperfctr_estimate(&sums, 1) < total + total / 4,
	   "an estimate is near: %llu of %llu branches",
	   vperfctr_estimate(&sums, 1), (unsigned long long)total);
}

static void test_group(void)
{
	struct vperfctr *self = vperfctr_open();
	struct vperfctr_control control = instructions();

	if (!self)
		die("vperfctr_open");
	test_inheritance(self);
	test_slots(self);
	/* The plain control is as ever. */
	ok(vperfctr_control(self, &control) == 0 &&
		   vperfctr_read_state(self, NULL, &control) == 0 &&
		   control.cpu_control.nractrs == 1,
	   "then a plain control");
	ok(vperfctr_unlink(self) == 0, "unlink");
	vperfctr_close(self);
}

/* ------------------------------ another thread --------------------------- */

/* A process that runs loops when it is told to. */
struct worker {
	pid_t pid;
	int command; /* number of iterations, written */
	int answer;  /* one byte when they are done */
};

static void work(int command, int answer)
{
	uint64_t n;

	while (read(command, &n, sizeof(n)) == sizeof(n)) {
		run_loop(n);
		if (write(answer, "", 1) != 1)
			break;
	}
	_exit(0);
}

static void start_worker(struct worker *worker)
{
	int command[2], answer[2];

	if (pipe(command) < 0 || pipe(answer) < 0)
		die("pipe");
	worker->pid = fork();
	if (worker->pid < 0)
		die("fork");
	if (!worker->pid) {
		close(command[1]);
		close(answer[0]);
		work(command[0], answer[1]);
	}
	close(command[0]);
	close(answer[1]);
	worker->command = command[1];
	worker->answer = answer[0];
}

static void tell(const struct worker *worker, uint64_t n)
{
	if (write(worker->command, &n, sizeof(n)) != sizeof(n))
		die("write");
}

static void await(const struct worker *worker)
{
	char byte;

	if (read(worker->answer, &byte, 1) != 1)
		die("read");
}

/* The kernel says that it sleeps, so it has begun to read the next command. */
static void await_sleep(const struct worker *worker)
{
	char path[64], text[512], *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)worker->pid);
	for (;;) {
		file = fopen(path, "r");
		if (!file || !fgets(text, sizeof(text), file))
			die(path);
		fclose(file);
		state = strrchr(text, ')');
		if (state && state[2] == 'S')
			return;
		usleep(1000);
	}
}

static uint64_t count_of(const struct rvperfctr *handle)
{
	struct perfctr_sum_ctrs sums;

	if (rvperfctr_read_ctrs(handle, &sums) < 0)
		die("rvperfctr_read_ctrs");
	return sums.pmc[0];
}

static uint64_t count_work(const struct rvperfctr *handle,
			   const struct worker *worker, uint64_t n)
{
	uint64_t before = count_of(handle);

	tell(worker, n);
	await(worker);
	await_sleep(worker);
	return count_of(handle) - before;
}

/* errno of @attempt by a user who may not, in a process of its own. */
static int error_of_nobody(int (*attempt)(pid_t of), pid_t of)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
		    setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(255);
		_exit(attempt(of));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		die("fork");
	return WEXITSTATUS(status);
}

static int try_remote(pid_t pid)
{
	return rvperfctr_open(pid) ? 0 : errno;
}

#define PERIOD 10007

/* Another process's samples, each exactly at its overflow. */
static void test_remote_rings(void)
{
	const struct vperfctr_rings_control size = {.pages = 64};
	struct vperfctr_control control = instructions();
	unsigned int samples = 0, wrong = 0;
	const struct vperfctr_record *record;
	struct vperfctr_rings_totals totals;
	struct vperfctr_rings *rings;
	struct rvperfctr *handle;
	struct worker worker;

	control.cpu_control.nractrs = 0;
	control.cpu_control.nrictrs = 1;
	control.cpu_control.evntsel[0] |= PERFCTR_EVNTSEL_INT;
	control.cpu_control.ireset[0] = -PERIOD;
	start_worker(&worker);
	handle = rvperfctr_open(worker.pid);
	if (!handle)
		die("rvperfctr_open");
	rings = rvperfctr_rings_open(handle, &size);
	ok(rings, "rings of another process's counters");
	if (!rings)
		die("rvperfctr_rings_open");
	ok(!rvperfctr_rings_open(handle, &size) && errno == EEXIST, "once");
	ok(rvperfctr_control(handle, &control) == 0, "control that samples");
	ok(!rvperfctr_rings_open(handle, &size) && errno == EBUSY, "no rings while it counts");
	tell(&worker, 50 * PERIOD);
	await(&worker);
	await_sleep(&worker);
	ok(rvperfctr_stop(handle) == 0, "stop");
	while ((record = vperfctr_rings_next(rings)) || errno == EBADMSG) {
		if (!record || record->type != VPERFCTR_RECORD_SAMPLE)
			continue;
		samples++;
		wrong += record->pid != worker.pid || record->sample.overflow != 1 ||
			 record->sample.values[0] != (uint64_t)samples * PERIOD;
	}
	vperfctr_rings_totals(rings, &totals);
	ok(samples == count_of(handle) / PERIOD && samples >= 50 * EACH && !totals.lost && !totals.skipped,
	   "%u samples of %llu instructions", samples, (unsigned long long)count_of(handle));
	ok(!wrong, "each at a multiple of the period (%u are not)", wrong);
	vperfctr_rings_close(rings);
	rvperfctr_close(handle);
	kill(worker.pid, SIGKILL);
	waitpid(worker.pid, NULL, 0);
	close(worker.command);
	close(worker.answer);
}

static void test_remote(void)
{
	struct vperfctr_control control = instructions();
	struct rvperfctr *handle, *second;
	uint64_t few, many, last, now;
	struct worker worker;
	unsigned int i, back = 0, grown = 0;

	start_worker(&worker);
	handle = rvperfctr_open(worker.pid);
	if (!handle)
		die("rvperfctr_open");
	ok(rvperfctr_pid(handle) == worker.pid, "whose they are");
	await_sleep(&worker);
	ok(rvperfctr_control(handle, &control) == 0, "control");
	count_work(handle, &worker, FEW);
	few = count_work(handle, &worker, FEW);
	many = count_work(handle, &worker, MANY);
	ok(many - few == EACH * (MANY - FEW),
	   "another process's loop, exactly: %lld too many",
	   (long long)(many - few - EACH * (MANY - FEW)));

	second = rvperfctr_open(worker.pid);
	ok(second && count_of(second) == count_of(handle),
	   "a second handle is for the same counters");
	rvperfctr_close(second);

	last = count_of(handle);
	tell(&worker, 50000000);
	/* With icount the CPUs take turns, and it grows once in each. */
	for (i = 0; i < 200 || (grown <= 10 && i < 20000); i++) {
		now = count_of(handle);
		back += now < last;
		grown += now > last;
		last = now;
		sched_yield();
	}
	await(&worker);
	ok(!back && grown > 10, "read while it runs: it grows, %u times of %u",
	   grown, i);
	await_sleep(&worker);
	ok(rvperfctr_stop(handle) == 0, "stop");
	last = count_of(handle);
	tell(&worker, FEW);
	await(&worker);
	ok(count_of(handle) == last, "stopped, it does not count");
	ok(rvperfctr_control(handle, &control) == 0, "control once more");
	tell(&worker, 1000000000000);
	usleep(20000);
	kill(worker.pid, SIGKILL);
	waitpid(worker.pid, NULL, 0);
	last = count_of(handle);
	ok(last > 10000 && count_of(handle) == last,
	   "killed: the last counts stay");
	ok(rvperfctr_control(handle, &control) == -1 && errno == ENOENT,
	   "there is nothing to control any more");
	rvperfctr_close(handle);
	close(worker.command);
	close(worker.answer);

	ok(!rvperfctr_open(worker.pid) && errno == ESRCH, "no such process");
	ok(!rvperfctr_open(2) && errno == EINVAL, "a kernel thread");
	ok(error_of_nobody(try_remote, getpid()) == EPERM,
	   "no right to trace it: EPERM");
	test_remote_rings();
}

/* ------------- another thread, which reads its counters itself ----------- */

#define STOPS 300

static struct vperfctr_control four_counters(void)
{
	struct vperfctr_control control = instructions();
	struct perfctr_cpu_control *cpu = &control.cpu_control;
	unsigned int i;

	cpu->tsc_on = 1;
	cpu->nractrs = 4;
	for (i = 1; i < 4; i++) {
		cpu->pmc_map[i] = i;
		cpu->evntsel[i] = cpu->evntsel[0];
	}
	return control;
}

/*
 * On one CPU, which has the counters loaded also after they were stopped, as
 * somebody else counts: so RDPMC of what a read has looked at is allowed.
 */
static void read_for_ever(int answer)
{
	struct vperfctr_control control = four_counters();
	struct perfctr_sum_ctrs sums;
	struct vperfctr *self = NULL;

	if (!pin(0, 0))
		self = vperfctr_open();
	if (!self || vperfctr_control(self, &control) < 0)
		_exit(2);
	if (write(answer, "", 1) != 1)
		_exit(2);
	while (!vperfctr_read_ctrs(self, &sums))
		;
	_exit(3);
}

/* A tool that stops and changes a program's counters is no reason for it to end. */
static void test_reader(void)
{
	struct vperfctr_control control = four_counters();
	struct perfctr_sum_ctrs sums;
	struct vperfctr *self = vperfctr_open();
	struct rvperfctr *handle;
	struct worker worker;
	int answer[2], status;
	unsigned int i;
	bool good;

	if (!self || vperfctr_control(self, &control) < 0)
		die("vperfctr_control");
	if (pipe(answer) < 0)
		die("pipe");
	worker.pid = fork();
	if (worker.pid < 0)
		die("fork");
	if (!worker.pid)
		read_for_ever(answer[1]);
	close(answer[1]);
	worker.answer = answer[0];
	await(&worker);
	handle = rvperfctr_open(worker.pid);
	if (!handle)
		die("rvperfctr_open");
	for (i = 0; i < STOPS; i++) {
		if (rvperfctr_stop(handle) < 0)
			break;
		usleep(1000);
		if (rvperfctr_control(handle, &control) < 0)
			break;
		usleep(1000);
	}
	status = 0;
	if (waitpid(worker.pid, &status, WNOHANG) < 0)
		die("waitpid");
	ok(i == STOPS && !status,
	   "stopped %u times while it reads (status 0x%x)", i,
	   (unsigned int)status);
	good = !rvperfctr_stop(handle) && !rvperfctr_read_ctrs(handle, &sums);
	ok(good && sums.pmc[0] && sums.pmc[1] == sums.pmc[0] &&
		   sums.pmc[2] == sums.pmc[0] && sums.pmc[3] == sums.pmc[0],
	   "and its counters have stopped at once (%llu %llu %llu %llu)",
	   sums.pmc[0], sums.pmc[1], sums.pmc[2], sums.pmc[3]);
	kill(worker.pid, SIGKILL);
	waitpid(worker.pid, &status, 0);
	rvperfctr_close(handle);
	close(worker.answer);
	vperfctr_unlink(self);
	vperfctr_close(self);
}

/* -------------------------------- whole CPUs ------------------------------ */

static int try_whole(pid_t unused)
{
	struct gperfctr_cpu_control control = {
		.cpu_control = instructions().cpu_control};
	struct gperfctr *handle = gperfctr_open();

	(void)unused;
	return handle && gperfctr_control(handle, &control) == 0 ? 0 : errno;
}

static uint64_t whole_count(const struct gperfctr *handle)
{
	struct gperfctr_cpu_state state = {.cpu = 0};

	if (gperfctr_read(handle, &state) < 0)
		die("gperfctr_read");
	return state.sum.pmc[0];
}

static void test_whole(void)
{
	struct gperfctr_cpu_control control = {
		.cpu_control = instructions().cpu_control};
	struct vperfctr_control own = instructions();
	struct perfctr_cpus_info *cpus;
	struct gperfctr *handle;
	struct vperfctr *self;
	struct worker worker;
	uint64_t before, count, last;

	if (pin(0, 0))
		die("sched_setaffinity");
	start_worker(&worker);
	handle = gperfctr_open();
	if (!handle)
		die("gperfctr_open");
	cpus = gperfctr_cpus_info(handle);
	ok(cpus && cpus->cpus->mask[0] & 1 && !cpus->cpus_forbidden->mask[0],
	   "CPU 0 is there");
	free(cpus);
	ok(error_of_nobody(try_whole, 0) == EPERM, "not privileged: EPERM");

	self = vperfctr_open();
	if (!self || vperfctr_control(self, &own) < 0)
		die("vperfctr_control");
	ok(gperfctr_control(handle, &control) == -1 && errno == EBUSY,
	   "a thread counts: EBUSY");
	vperfctr_unlink(self);
	vperfctr_close(self);

	ok(gperfctr_control(handle, &control) == 0, "control of CPU 0");
	ok(whole_count(handle) == 0, "it does not count yet");
	ok(gperfctr_start(handle, 0) == 1, "start: one CPU");
	before = whole_count(handle);
	tell(&worker, 5000000);
	run_loop(5000000);
	await(&worker);
	count = whole_count(handle) - before;
	ok(count >= EACH * 10000000 && count < EACH * 10500000,
	   "two threads' loops on it: %llu", (unsigned long long)count);
	self = vperfctr_open();
	ok(!self || (vperfctr_control(self, &own) == -1 && errno == EBUSY),
	   "meanwhile no thread counts");
	vperfctr_close(self);
	ok(gperfctr_stop(handle) == 0, "stop");
	last = whole_count(handle);
	ok(last >= before + count, "the counts stay");
	run_loop(1000000);
	ok(whole_count(handle) == last, "... and do not grow");
	ok(gperfctr_start(handle, 10000) == 1, "start once more");
	ok(whole_count(handle) < last, "... from zero");
	gperfctr_close(handle);

	self = vperfctr_open_mode(0);
	if (!self)
		self = vperfctr_open();
	ok(self && vperfctr_control(self, &own) == 0,
	   "the handle is closed: threads count again");
	if (self)
		vperfctr_unlink(self);
	vperfctr_close(self);
	close(worker.command);
	waitpid(worker.pid, NULL, 0);
	close(worker.answer);
}

/* ------------------------- stopped in the middle of it ------------------- */

/* Not so many that Xen puts off the overflows, however fast this is. */
#define READS 12000

/*
 * Nobody is told of an overflow, so the thread goes on where that has stopped its
 * counters: nearly always in a read of all of them.
 */
static void test_stopped(void)
{
	struct perfctr_sum_ctrs sums = {.tsc = 0}, before;
	struct vperfctr *self = vperfctr_open();
	struct vperfctr_control control = four_counters();
	struct perfctr_cpu_control *cpu = &control.cpu_control;
	unsigned int i, overflows = 0, wrong = 0;
	bool good;

	if (!self)
		die("vperfctr_open");
	cpu->nractrs = 3;
	cpu->nrictrs = 1;
	cpu->evntsel[3] |= PERFCTR_EVNTSEL_INT;
	cpu->ireset[3] = -1009;
	if (vperfctr_control(self, &control) < 0) {
		ok(errno == EOPNOTSUPP, "no sampling in this guest # SKIP");
		vperfctr_close(self);
		return;
	}
	for (i = 0; i < READS; i++) {
		before = sums;
		if (vperfctr_read_ctrs(self, &sums) < 0 ||
		    sums.pmc[0] < before.pmc[0] || sums.tsc < before.tsc)
			wrong++;
		if (vperfctr_is_running(self) && i % 16 == 0 &&
		    !vperfctr_iresume(self))
			overflows++;
	}
	ok(!wrong && overflows > READS / 100,
	   "%d reads, %u of which an overflow has stopped: %u wrong", READS,
	   overflows, wrong);
	good = !vperfctr_stop(self) && !vperfctr_read_ctrs(self, &sums);
	ok(good && sums.pmc[1] == sums.pmc[0] && sums.pmc[2] == sums.pmc[0] &&
		   sums.pmc[3] == sums.pmc[0],
	   "all counters have stopped at once, each time (%llu %llu %llu %llu)",
	   sums.pmc[0], sums.pmc[1], sums.pmc[2], sums.pmc[3]);
	vperfctr_unlink(self);
	vperfctr_close(self);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} parts[] = {
		{"group", test_group},
		{"remote", test_remote},
		{"reader", test_reader},
		{"whole", test_whole},
		{"stopped", test_stopped},
	};
	unsigned int i, found = 0;

	loop = find_region("loop");
	for (i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (argc > 1 && strcmp(argv[1], parts[i].name))
			continue;
		printf("# %s\n", parts[i].name);
		parts[i].run();
		found++;
	}
	if (!found || argc > 2) {
		fputs("usage: library [group | remote | reader | whole | stopped]\n",
		      stderr);
		return 2;
	}
	printf("1..%u\n", tests);
	return failures > 0;
}

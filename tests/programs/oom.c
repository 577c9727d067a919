// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * oom: everything for which the module needs memory, once.  Where there is none a
 * call may fail with ENOMEM, and nothing else; what does not fail has to be right.
 * Prints what failed, a line each: "STEP: error"; "lost N" for threads that the
 * module could not count, and "unlisted N" for those of which it has no record;
 * ends with "wrong: ..." and status 1 if something else is wrong.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uapi/perfctr.h>

#include "self.h"

#define N 10000

static const struct region *loop;
static bool wrong;

static void complain(const char *step, const char *what)
{
	printf("wrong: %s: %s\n", step, what);
	wrong = true;
}

/* Did it work?  If not, for want of memory? */
static bool done(const char *step, bool good)
{
	if (good)
		return true;
	if (errno != ENOMEM)
		complain(step, strerror(errno));
	else
		printf("%s: no memory\n", step);
	return false;
}

static void *thread(void *data)
{
	(void)data;
	loop->run(N, NULL);
	return NULL;
}

/* Threads and children that inherit, each with a loop. */
static void family(const struct vperfctr *self)
{
	struct vperfctr_group_sums before, after;
	pthread_t other;
	uint64_t least;
	int status;

	if (!done("read group", !vperfctr_read_group(self, &before)))
		return;
	if (pthread_create(&other, NULL, thread, NULL) ||
	    pthread_join(other, NULL))
		exit(2);
	if (!fork()) {
		loop->run(N, NULL);
		_exit(0);
	}
	wait(&status);
	if (!done("read group", !vperfctr_read_group(self, &after)))
		return;
	if (after.lost)
		printf("lost %u\n", after.lost);
	if (after.ended + after.lost != 2 || after.live != 1 || after.errors)
		complain("group", "not two members that have ended");
	least = 2 * N * (uint64_t)after.ended;
	if (after.sums.pmc[0] - before.sums.pmc[0] < least)
		complain("group", "counts are missing");
}

static void groups(struct vperfctr *self, bool samples)
{
	struct vperfctr_group_control group = {
		.flags = VPERFCTR_GROUP_INHERIT,
	};
	struct perfctr_cpu_control *cpu = &group.control.cpu_control;

	one_counter(&group.control, 0, code_of(INSTRUCTIONS));
	if (samples) {
		cpu->nractrs = 0;
		cpu->nrictrs = 1;
		cpu->evntsel[0] |= PERFCTR_EVNTSEL_INT;
		group.period[0] = 10000;
	}
	if (done("control", !vperfctr_control_group(self, &group)))
		family(self);
}

/* The calling thread's own, with rings and samples of all of them. */
static void own(bool samples)
{
	const struct vperfctr_rings_control control = {.pages = 1};
	struct vperfctr_rings *rings = NULL;
	struct vperfctr *self = vperfctr_open();

	if (!done("open", self))
		return;
	if (samples)
		rings = vperfctr_rings_open(self, &control);
	if (!samples || done("rings", rings))
		groups(self, samples);
	if (rings) {
		while (vperfctr_rings_next(rings))
			;
		vperfctr_rings_close(rings);
	}
	done("unlink", !vperfctr_unlink(self));
	vperfctr_close(self);
}

/* A list of the members: the device's own interface. */
static void records(void)
{
	struct perfctr_dev_control control = {
		.nr = 1,
		.flags = PERFCTR_CTL_TSC_ON | PERFCTR_CTL_INHERIT |
			 PERFCTR_CTL_RECORDS,
	};
	struct perfctr_dev_record record = {.serial = 0};
	struct perfctr_dev_group group;
	unsigned int nr = 0;
	int fd = open("/dev/perfctr", O_RDWR | O_CLOEXEC);

	control.counter[0].evtsel = code_of(INSTRUCTIONS) | 0x10000;
	if (!done("open device", fd >= 0))
		return;
	if (!done("create", !ioctl(fd, PERFCTR_IOC_CREATE)) ||
	    !done("control with records",
		  !ioctl(fd, PERFCTR_IOC_CONTROL, &control)))
		goto out;
	if (!fork()) {
		loop->run(N, NULL);
		_exit(0);
	}
	wait(NULL);
	if (!done("read group", !ioctl(fd, PERFCTR_IOC_READ_GROUP, &group)))
		goto out;
	while (!ioctl(fd, PERFCTR_IOC_NEXT_RECORD, &record))
		nr++;
	if (errno != ENOENT && !done("record", false))
		goto out;
	if (group.lost)
		printf("lost %u\n", group.lost);
	if (group.records_lost)
		printf("unlisted %u\n", group.records_lost);
	if (nr + group.lost + group.records_lost != 2)
		complain("records", "not two");
out:
	ioctl(fd, PERFCTR_IOC_UNLINK);
	close(fd);
}

static void remote(void)
{
	struct vperfctr_control control;
	struct perfctr_sum_ctrs sums;
	struct rvperfctr *other;
	pid_t pid = fork();

	if (!pid)
		for (;;)
			loop->run(N, NULL);
	one_counter(&control, 0, code_of(INSTRUCTIONS));
	other = rvperfctr_open(pid);
	if (done("attach", other) &&
	    done("remote control", !rvperfctr_control(other, &control))) {
		usleep(10000);
		if (done("remote read", !rvperfctr_read_ctrs(other, &sums)) &&
		    !sums.pmc[0])
			complain("remote", "nothing is counted");
	}
	rvperfctr_close(other);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void whole(void)
{
	struct gperfctr_cpu_control control = {.cpu = 0};
	struct gperfctr_cpu_state state = {.cpu = 0};
	struct vperfctr_control one;
	struct gperfctr *handle = gperfctr_open();
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first) < 0)
		exit(2);
	one_counter(&one, 0, code_of(INSTRUCTIONS));
	control.cpu_control = one.cpu_control;
	if (done("whole CPUs", handle) &&
	    done("control of a CPU", !gperfctr_control(handle, &control)) &&
	    done("start of a CPU", gperfctr_start(handle, 0) == 1)) {
		loop->run(N, NULL);
		if (done("read of a CPU", !gperfctr_read(handle, &state)) &&
		    !state.sum.pmc[0])
			complain("whole CPUs", "nothing is counted");
		done("stop of a CPU", !gperfctr_stop(handle));
	}
	gperfctr_close(handle);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	loop = find_region("loop");
	own(false);
	own(true);
	records();
	remote();
	whole();
	return wrong;
}

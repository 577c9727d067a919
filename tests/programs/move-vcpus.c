// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * move-vcpus place VCPU PCPU DOMID...		each domain's vCPU there, pinned
 * move-vcpus random SEED FIRST LAST VCPUS PAUSE DOMID...
 *
 * In dom0: says on which pCPU a vCPU runs, by XEN_DOMCTL_setvcpuaffinity, much
 * faster than a new "xl vcpu-pin" each time.  "random" moves vCPUs 0 to VCPUS - 1
 * of the domains over pCPUs FIRST to LAST, one after the other, at random times up
 * to PAUSE microseconds apart, until SIGTERM or until a domain is gone; then it
 * prints how many moves it made, and how many of them it has seen completed: the vCPU
 * was on the pCPU where it had been sent, and had run since.
 *
 * The structures are Xen 4.17's (public/domctl.h, interface version 0x15); Xen
 * refuses a version that it does not know.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "regions.h"

#define DOMCTL_HYPERCALL     36
#define DOMCTL_VERSION       0x15
#define DOMCTL_SET_AFFINITY  9
#define DOMCTL_GET_VCPU_INFO 14
#define AFFINITY_HARD        1

#define MAX_DOMAINS 8
#define MAX_VCPUS   8

/* Linux, include/uapi/xen/privcmd.h, which not every libc-dev can compile. */
struct privcmd_call {
	uint64_t op;
	uint64_t arg[5];
};
#define PRIVCMD_CALL _IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_call))

struct bitmap {
	uint64_t bits; /* address */
	uint32_t nr_bits;
	uint32_t pad;
};

struct domctl {
	uint32_t cmd;
	uint32_t version;
	uint16_t domid;
	uint16_t pad[3];
	union {
		struct {
			uint32_t vcpu;
			uint32_t flags;
			struct bitmap hard, soft;
		} affinity;
		struct {
			uint32_t vcpu;
			uint8_t online, blocked, running, pad;
			uint64_t time; /* ns for which it ran */
			uint32_t cpu;
		} info;
		uint8_t size[128];
	};
};

/* One page that Xen can read at any time: not swapped, not being copied. */
struct buffer {
	struct domctl domctl;
	uint64_t map;
};

static volatile struct buffer *buffer;
static int privcmd;
static volatile sig_atomic_t terminated;

static void on_sigterm(int signal_number)
{
	(void)signal_number;
	terminated = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "move-vcpus: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int domctl(uint32_t cmd, uint16_t domid)
{
	struct privcmd_call call = {
		.op = DOMCTL_HYPERCALL,
		.arg = {(uint64_t)(uintptr_t)&buffer->domctl},
	};

	buffer->domctl.cmd = cmd;
	buffer->domctl.version = DOMCTL_VERSION;
	buffer->domctl.domid = domid;
	return ioctl(privcmd, PRIVCMD_CALL, &call);
}

static int place(uint16_t domid, uint32_t vcpu, uint64_t pcpus)
{
	memset((void *)buffer, 0, sizeof(*buffer));
	buffer->map = pcpus;
	buffer->domctl.affinity.vcpu = vcpu;
	buffer->domctl.affinity.flags = AFFINITY_HARD;
	buffer->domctl.affinity.hard.bits = (uint64_t)(uintptr_t)&buffer->map;
	buffer->domctl.affinity.hard.nr_bits = 64;
	return domctl(DOMCTL_SET_AFFINITY, domid);
}

static int look(uint16_t domid, uint32_t vcpu, uint32_t *pcpu, uint64_t *time)
{
	memset((void *)buffer, 0, sizeof(*buffer));
	buffer->domctl.info.vcpu = vcpu;
	if (domctl(DOMCTL_GET_VCPU_INFO, domid) < 0)
		return -1;
	*pcpu = buffer->domctl.info.cpu;
	*time = buffer->domctl.info.time;
	return 0;
}

/* As fig7.c's: the same on every machine. */
static uint64_t random_state;

static uint64_t random_below(uint64_t limit)
{
	uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (x ^ x >> 31) % limit;
}

static void move_at_random(uint32_t first, uint32_t last, uint32_t vcpus,
			   uint64_t pause, const uint16_t *domids, int domains)
{
	struct {
		uint32_t target;
		uint64_t time;
		int moved;
	} at[MAX_DOMAINS][MAX_VCPUS];
	unsigned long long moves = 0, completed = 0;

	memset(at, 0, sizeof(at));
	while (!terminated) {
		size_t d = random_below((uint64_t)domains);
		uint32_t v = (uint32_t)random_below(vcpus), pcpu, target;
		struct timespec nap = {0, (long)random_below(pause + 1) * 1000};
		uint64_t time;

		if (look(domids[d], v, &pcpu, &time) < 0)
			break;
		if (at[d][v].moved && pcpu == at[d][v].target &&
		    time > at[d][v].time)
			completed++;
		target = first + (uint32_t)random_below(last - first);
		if (target >= pcpu)
			target++;
		if (pcpu < first || target > last)
			target = first;
		if (place(domids[d], v, UINT64_C(1) << target) < 0)
			break;
		at[d][v].target = target;
		at[d][v].time = time;
		at[d][v].moved = pcpu != target;
		moves += pcpu != target;
		nanosleep(&nap, NULL);
	}
	if (!terminated && errno != ESRCH)
		die("domctl");
	printf("moves %llu completed %llu\n", moves, completed);
}

int main(int argc, char **argv)
{
	uint16_t domids[MAX_DOMAINS];
	int random, at, domains, i;
	struct sigaction act;

	random = argc > 7 && !strcmp(argv[1], "random");
	at = random ? 7 : 4;
	domains = argc - at;
	if (domains < 1 || domains > MAX_DOMAINS ||
	    (!random && strcmp(argv[1], "place"))) {
		fputs("usage: move-vcpus place VCPU PCPU DOMID...\n"
		      "       move-vcpus random SEED FIRST LAST VCPUS PAUSE DOMID...\n",
		      stderr);
		return 2;
	}
	for (i = 0; i < domains; i++)
		domids[i] = (uint16_t)parse_number(argv[at + i]);

	privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	if (privcmd < 0)
		die("/dev/xen/privcmd");
	buffer = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE,
		      -1, 0);
	if (buffer == MAP_FAILED)
		die("mmap");

	if (!random) {
		for (i = 0; i < domains; i++)
			if (place(domids[i], (uint32_t)parse_number(argv[2]),
				  UINT64_C(1) << parse_number(argv[3])) < 0)
				die("XEN_DOMCTL_setvcpuaffinity");
		return 0;
	}
	memset(&act, 0, sizeof(act));
	act.sa_handler = on_sigterm;
	sigaction(SIGTERM, &act, NULL);
	random_state = parse_number(argv[2]);
	if (parse_number(argv[3]) >= parse_number(argv[4]) ||
	    parse_number(argv[4]) > 63 || parse_number(argv[5]) > MAX_VCPUS) {
		fputs("move-vcpus: FIRST < LAST < 64 pCPUs, at most 8 vCPUs\n",
		      stderr);
		return 2;
	}
	move_at_random((uint32_t)parse_number(argv[3]),
		       (uint32_t)parse_number(argv[4]),
		       (uint32_t)parse_number(argv[5]), parse_number(argv[6]),
		       domids, domains);
	return 0;
}

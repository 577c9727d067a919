// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * native-perf: the machine's PMU, measured by the kernel's own perf in user
 * mode and compared with what each region is known to do.  Prints TAP.  For a
 * native guest: no Xen, no perfctr.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "codes.h"
#include "native.h"
#include "regions.h"

static int number, failed;

static int open_event(uint32_t code)
{
	struct perf_event_attr attr = native_event(code);

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static uint64_t read_event(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) != sizeof(count)) {
		printf("Bail out! the event was not counted\n");
		exit(1);
	}
	return count;
}

/* The same code for all regions, as in self.c. */
static __attribute__((noinline)) uint64_t
measure(int fd, const struct region *region, uint64_t n, void *memory)
{
	void (*run)(uint64_t n, void *memory) = region->run;
	uint64_t before = read_event(fd);

	run(n, memory);
	return read_event(fd) - before;
}

static void test(const struct region *region, uint64_t n, const char *name,
		 uint64_t expected, int fd)
{
	void *memory = region_memory(region, n);
	uint64_t empty = measure(fd, &regions[0], n, memory);
	uint64_t count = measure(fd, region, n, memory) - empty;

	region_memory_free(region, n, memory);
	failed |= count != expected;
	printf("%sok %d - %s of %s x %llu: %llu, difference %lld\n",
	       count == expected ? "" : "not ", ++number, name, region->name,
	       (unsigned long long)n, (unsigned long long)count,
	       (long long)(count - expected));
}

int main(void)
{
	static const uint64_t repeats[] = {1, 1000, 20000};
	const struct region *region;
	uint64_t expected;
	size_t i;
	int count;

	for (count = 0; count < NR_COUNTS; count++) {
		int fd = open_event(code_of((enum count)count));

		if (fd < 0) {
			printf("not ok %d - %s: ", ++number,
			       count_names[count]);
			fflush(stdout);
			perror("perf_event_open");
			failed = 1;
			continue;
		}
		for (region = regions + 1; region->name; region++)
			for (i = 0; i < sizeof(repeats) / sizeof(*repeats);
			     i++) {
				uint64_t n = repeats[i];

				/* 8 MB of fresh memory are enough. */
				if (region->memory_per_n * n > 8 << 20)
					n = (8 << 20) / region->memory_per_n;
				if (expected_count(region, (enum count)count, n,
						   &expected))
					test(region, n, count_names[count],
					     expected, fd);
			}
		close(fd);
	}
	printf("1..%d\n", number);
	return failed;
}

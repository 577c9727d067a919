// SPDX-License-Identifier: GPL-2.0-or-later

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "self.h"

struct vperfctr *self_open(uint32_t index, uint32_t code)
{
	struct vperfctr_control control;
	struct vperfctr *self = vperfctr_open();

	if (!self) {
		perror("vperfctr_open");
		exit(1);
	}
	one_counter(&control, index, code);
	if (vperfctr_control(self, &control) < 0) {
		perror("vperfctr_control");
		exit(1);
	}
	return self;
}

__attribute__((noinline)) uint64_t self_measure(const struct vperfctr *self,
						const struct region *region,
						uint64_t n, void *memory)
{
	void (*run)(uint64_t n, void *memory) = region->run;
	uint64_t before = vperfctr_read_pmc(self, 0);

	run(n, memory);
	return vperfctr_read_pmc(self, 0) - before;
}

uint64_t self_least(const struct vperfctr *self, const struct region *region,
		    uint64_t n, unsigned int times)
{
	void *memory = region_memory(region, n);
	uint64_t least = UINT64_MAX;

	while (times--) {
		uint64_t count = self_measure(self, region, n, memory);

		if (count < least)
			least = count;
		if (region->fresh && times) {
			region_memory_free(region, n, memory);
			memory = region_memory(region, n);
		}
	}
	region_memory_free(region, n, memory);
	return least;
}

void event_option(struct event_option *event, int *argc, char ***argv)
{
	char name[64] = "instructions";
	char *at;

	event->name = count_names[INSTRUCTIONS];
	event->index = 0;
	if (*argc > 2 && !strcmp((*argv)[1], "-e")) {
		event->name = (*argv)[2];
		snprintf(name, sizeof(name), "%s", event->name);
		*argc -= 2;
		*argv += 2;
	}
	at = strchr(name, '@');
	if (at) {
		*at++ = '\0';
		if (!strncmp(at, "fixed", 5))
			event->index = PERFCTR_PMC_FIXED +
				       (uint32_t)parse_number(at + 5);
		else
			event->index = (uint32_t)parse_number(at);
	}
	if (!parse_event(name, &event->code, &event->count)) {
		fprintf(stderr, "unknown event %s\n", name);
		exit(2);
	}
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/* What counters and CPUs there are, in the historical terms. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

_Static_assert(sizeof(((struct perfctr_info *)0)->driver_version) ==
		       sizeof(((struct perfctr_dev_info *)0)->driver_version),
	       "copied whole");

int perfctr_info(int fd, struct perfctr_info *info)
{
	struct perfctr_dev_info device_info;

	if (perfctr_device_info(fd, &device_info) < 0)
		return -1;

	memset(info, 0, sizeof(*info));
	info->abi_version = PERFCTR_ABI_VERSION;
	memcpy(info->driver_version, device_info.driver_version,
	       sizeof(info->driver_version));
	info->cpu_type =
		perfctr_cpu_type(device_info.vendor, perfctr_cpu_signature());
	info->cpu_features = PERFCTR_FEATURE_RDPMC | PERFCTR_FEATURE_RDTSC;
	if (device_info.features & PERFCTR_FEAT_SAMPLING)
		info->cpu_features |= PERFCTR_FEATURE_PCINT;
	info->cpu_khz = device_info.tsc_khz;
	info->tsc_to_cpu_mult = 1;
	info->_nr_general =
		(unsigned int)__builtin_popcountll(device_info.general);
	info->_nr_fixed = (unsigned int)__builtin_popcountll(device_info.fixed);
	return 0;
}

unsigned int perfctr_info_nrctrs(const struct perfctr_info *info)
{
	return info->_nr_general + info->_nr_fixed;
}

int perfctr_get_info(struct perfctr_info *info)
{
	int fd = perfctr_device_open(), result;

	if (fd < 0)
		return -1;
	result = perfctr_info(fd, info);
	perfctr_close_failed(fd);
	return result;
}

int _perfctr_abi_check_fd(int fd, unsigned int user_abi_version)
{
	const unsigned int major = 0xff000000u;
	struct perfctr_dev_info device_info;

	if (perfctr_device_info(fd, &device_info) < 0)
		return -1;
	if ((user_abi_version ^ PERFCTR_ABI_VERSION) & major) {
		errno = EPROTO;
		return -1;
	}
	return 0;
}

int perfctr_abi_check_fd(int fd)
{
	return _perfctr_abi_check_fd(fd, PERFCTR_ABI_VERSION);
}

/* ---------------------------------- CPUs --------------------------------- */

#define WORD_BITS 32u

/* Ranges as the kernel prints them, "0-3,6"; what is beyond @nr is left out. */
static void parse_cpus(const char *text, struct perfctr_cpu_mask *mask,
		       unsigned int nr)
{
	while (*text >= '0' && *text <= '9') {
		unsigned long first, last;
		char *end;

		first = last = strtoul(text, &end, 10);
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && first < nr; first++)
			mask->mask[first / WORD_BITS] |= 1u
							 << first % WORD_BITS;
		text = *end == ',' ? end + 1 : end;
	}
}

/* false: the kernel does not say */
static int online_cpus(struct perfctr_cpu_mask *mask, unsigned int nr)
{
	char text[4096];
	ssize_t size;
	int fd;

	fd = open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (size <= 0)
		return 0;
	text[size] = '\0';
	parse_cpus(text, mask, nr);
	return 1;
}

struct perfctr_cpus_info *perfctr_cpus_info(int fd)
{
	struct perfctr_dev_info device_info;
	struct perfctr_cpus_info *info;
	unsigned int words, i;
	size_t mask_bytes;

	if (perfctr_device_info(fd, &device_info) < 0)
		return NULL;
	words = (device_info.cpus + WORD_BITS - 1) / WORD_BITS;
	mask_bytes =
		sizeof(struct perfctr_cpu_mask) + words * sizeof(unsigned int);

	/* In one piece, for one free(). */
	info = calloc(1, sizeof(*info) + 2 * mask_bytes);
	if (!info)
		return NULL;
	info->cpus = (void *)(info + 1);
	info->cpus_forbidden = (void *)((char *)info->cpus + mask_bytes);
	info->cpus->nrwords = info->cpus_forbidden->nrwords = words;
	if (!online_cpus(info->cpus, device_info.cpus))
		for (i = 0; i < device_info.cpus; i++)
			info->cpus->mask[i / WORD_BITS] |= 1u << i % WORD_BITS;
	return info;
}

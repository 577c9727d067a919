// SPDX-License-Identifier: GPL-2.0-or-later
/* Handles and controls, on a device of our own: a memory file and an ioctl. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

#include "internal.h"

static struct {
	int fd;
	int errors[16]; /* by the number of the ioctl */
	unsigned int calls[16];
	struct perfctr_dev_info info;
	struct perfctr_dev_control control;
	struct perfctr_dev_sums sums;
	struct perfctr_dev_group group;
	struct {
		bool exists, has_counters;
		unsigned int flags; /* of the last attempt */
	} other;
	struct {
		struct perfctr_dev_control control;
		struct perfctr_dev_sums sums;
		unsigned int starts, stops;
		int start_error, stop_error;
	} cpus[4];
} device;

static int open_error, memory_error, memory_fd;

int __real_open(const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
	if (!strcmp(path, "/proc/4321/mem")) {
		assert_true(flags & O_CLOEXEC);
		assert_int_equal(flags & O_ACCMODE, O_RDONLY);
		if (memory_error) {
			errno = memory_error;
			return -1;
		}
		return memory_fd = memfd_create("memory", 0);
	}
	if (strcmp(path, PERFCTR_DEVICE))
		return __real_open(path, flags, 0);
	assert_true(flags & O_CLOEXEC);
	if (open_error) {
		errno = open_error;
		return -1;
	}
	device.fd = memfd_create("perfctr", 0);
	assert_int_equal(ftruncate(device.fd, 4096), 0);
	return device.fd;
}

/* As the module answers. */
static int attach(const struct perfctr_dev_attach *attach)
{
	assert_int_equal(attach->tid, 4321);
	assert_int_equal(attach->mem_fd, memory_fd);
	assert_int_not_equal(fcntl(memory_fd, F_GETFD), -1);
	assert_int_equal(attach->reserved, 0);
	device.other.flags = attach->flags;
	if (!device.other.exists)
		return ESRCH;
	if (attach->flags & PERFCTR_ATTACH_CREATE) {
		if (device.other.has_counters)
			return EEXIST;
		device.other.has_counters = true;
		return 0;
	}
	return device.other.has_counters ? 0 : ESRCH;
}

static int cpu_control(const struct perfctr_dev_cpu *cpu)
{
	if (cpu->cpu >= 4)
		return ENXIO;
	if (!cpu->control.nr) {
		device.cpus[cpu->cpu].stops++;
		return device.cpus[cpu->cpu].stop_error;
	}
	device.cpus[cpu->cpu].starts++;
	if (device.cpus[cpu->cpu].start_error)
		return device.cpus[cpu->cpu].start_error;
	device.cpus[cpu->cpu].control = cpu->control;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	unsigned int number = _IOC_NR(request);
	va_list arguments;
	void *argument;

	assert_int_equal(fd, device.fd);
	assert_int_equal(_IOC_TYPE(request), PERFCTR_IOC_MAGIC);
	assert_in_range(number, 0, 15);
	device.calls[number]++;
	if (device.errors[number]) {
		errno = device.errors[number];
		return -1;
	}
	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	switch (request) {
	case PERFCTR_IOC_INFO:
		memcpy(argument, &device.info, sizeof(device.info));
		break;
	case PERFCTR_IOC_CONTROL:
		memcpy(&device.control, argument, sizeof(device.control));
		break;
	case PERFCTR_IOC_GET_CONTROL:
		memcpy(argument, &device.control, sizeof(device.control));
		break;
	case PERFCTR_IOC_READ:
		memcpy(argument, &device.sums, sizeof(device.sums));
		break;
	case PERFCTR_IOC_READ_GROUP:
		memcpy(argument, &device.group, sizeof(device.group));
		break;
	case PERFCTR_IOC_ATTACH:
		errno = attach(argument);
		return errno ? -1 : 0;
	case PERFCTR_IOC_CPU_CONTROL:
		errno = cpu_control(argument);
		return errno ? -1 : 0;
	case PERFCTR_IOC_CPU_READ: {
		struct perfctr_dev_cpu *cpu = argument;

		assert_in_range(cpu->cpu, 0, 3);
		cpu->sums = device.cpus[cpu->cpu].sums;
		break;
	}
	}
	return 0;
}

/* The CPU's family and model: not the build host's. */
static uint32_t signature;

uint32_t __wrap_perfctr_cpu_signature(void)
{
	return signature;
}

static int reset(void **state)
{
	(void)state;
	memset(&device, 0, sizeof(device));
	open_error = memory_error = 0;
	memory_fd = -1;
	signature = 0x506e3; /* Skylake */
	device.info.cpus = 4;
	device.info.version = PERFCTR_ABI_VERSION_DEV;
	device.info.vendor = PERFCTR_VENDOR_INTEL;
	device.info.general = 0xf;
	device.info.fixed = 0x7;
	device.info.tsc_khz = 2600000;
	strcpy(device.info.driver_version, "0.1");
	return 0;
}

static struct vperfctr_control one_event(void)
{
	struct vperfctr_control control;

	memset(&control, 0, sizeof(control));
	control.cpu_control.tsc_on = 1;
	control.cpu_control.nractrs = 1;
	control.cpu_control.evntsel[0] = 0x4100c0;
	return control;
}

static void test_open_and_close(void **state)
{
	struct vperfctr *self = vperfctr_open();

	(void)state;
	assert_non_null(self);
	assert_int_equal(device.calls[1], 1);
	assert_int_equal(vperfctr_is_running(self), 0);
	/* The device's page, not ours. */
	assert_int_equal(pwrite(device.fd, &(uint32_t){1}, 4,
				offsetof(struct perfctr_page, status)),
			 4);
	assert_int_equal(vperfctr_is_running(self), 1);
	vperfctr_close(self);
	assert_int_equal(fcntl(device.fd, F_GETFD), -1);
	vperfctr_close(NULL);

	self = vperfctr_open_mode(0);
	assert_non_null(self);
	assert_int_equal(device.calls[1], 1);
	assert_int_equal(device.calls[2], 1);
	vperfctr_close(self);
	/* Closing does not end them. */
	assert_int_equal(device.calls[7], 0);
}

static void test_open_errors(void **state)
{
	static const int errors[] = {EEXIST, EPERM, EBUSY, ENOMEM};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		device.errors[1] = errors[i];
		assert_null(vperfctr_open());
		assert_int_equal(errno, errors[i]);
		assert_int_equal(fcntl(device.fd, F_GETFD), -1);
	}
	/* The guest was denied after the module was loaded. */
	device.errors[0] = EPERM;
	assert_null(vperfctr_open());
	assert_int_equal(errno, EPERM);
	assert_int_equal(fcntl(device.fd, F_GETFD), -1);
	device.errors[0] = 0;

	device.errors[2] = ESRCH;
	assert_null(vperfctr_open_mode(0));
	assert_int_equal(errno, ESRCH);
	assert_null(vperfctr_open_mode(1));
	assert_int_equal(errno, EINVAL);

	device.errors[1] = 0;
	device.info.version++;
	assert_null(vperfctr_open());
	assert_int_equal(errno, EPROTO);
	assert_int_equal(fcntl(device.fd, F_GETFD), -1);

	open_error = ENOENT;
	assert_null(vperfctr_open());
	assert_int_equal(errno, ENOENT);
}

/* One line each; those that the host's administrator can change say so. */
static void test_strerror(void **state)
{
	int error;

	(void)state;
	for (error = -1; error < 200; error++) {
		const char *text = perfctr_strerror(error);

		assert_non_null(text);
		assert_true(*text && !strchr(text, '\n'));
		assert_ptr_equal(text, perfctr_strerror(error));
	}
	assert_non_null(strstr(perfctr_strerror(EPERM), "host's policy"));
	assert_non_null(strstr(perfctr_strerror(EPERM), "xen-perfctr"));
	assert_non_null(strstr(perfctr_strerror(EPERM), "perfctr= in xl.cfg"));
	assert_non_null(strstr(perfctr_strerror(EACCES), "host's policy"));
	assert_non_null(strstr(perfctr_strerror(EACCES), "perfctr_allow="));
	assert_non_null(strstr(perfctr_strerror(EINVAL), "period"));
	assert_string_equal(perfctr_strerror(ENOMEM), strerror(ENOMEM));
}

static void test_control(void **state)
{
	struct vperfctr *self = vperfctr_open();
	struct vperfctr_control control = one_event();

	(void)state;
	control.flags = VPERFCTR_CONTROL_CLOEXEC;
	control.preserve = 0x82;
	control.cpu_control.nractrs = 2;
	control.cpu_control.pmc_map[1] = PERFCTR_PMC_FIXED + 1;
	control.cpu_control.evntsel[1] = 0x430000;
	control.cpu_control.evntsel_high[0] = 0x3;
	assert_int_equal(vperfctr_control(self, &control), 0);
	assert_int_equal(device.control.nr, 2);
	assert_int_equal(device.control.flags,
			 PERFCTR_CTL_TSC_ON | PERFCTR_CTL_CLOEXEC);
	/* Bits of entries that there are not are dropped. */
	assert_int_equal(device.control.preserve, 2);
	assert_int_equal(device.control.counter[0].index, 0);
	assert_int_equal(device.control.counter[0].evtsel, 0x3000100c0);
	assert_int_equal(device.control.counter[1].index, 0x40000001);
	assert_int_equal(device.control.counter[1].evtsel, 0x30000);
	assert_int_equal(device.control.counter[1].ireset, 0);

	device.errors[3] = EOPNOTSUPP;
	assert_int_equal(vperfctr_control(self, &control), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	vperfctr_close(self);
}

static void test_control_errors(void **state)
{
	static const struct {
		const char *what;
		unsigned int nractrs, nrictrs, evntsel, flags, offcore;
		int ireset, error;
	} cases[] = {
		{"no enable bit", 1, 0, 0x100c0, 0, 0, 0, EINVAL},
		{"interrupt bit in a-mode", 1, 0, 0x5100c0, 0, 0, -2000,
		 EINVAL},
		{"no interrupt bit in i-mode", 0, 1, 0x4100c0, 0, 0, -2000,
		 EINVAL},
		{"no enable bit in i-mode", 0, 1, 0x1100c0, 0, 0, -2000,
		 EINVAL},
		{"no period", 0, 1, 0x5100c0, 0, 0, 0, EINVAL},
		{"a positive period", 0, 1, 0x5100c0, 0, 0, 2000, EINVAL},
		{"19 counters", 19, 0, 0x4100c0, 0, 0, 0, EINVAL},
		{"19 counters together", 18, 1, 0x4100c0, 0, 0, 0, EINVAL},
		{"a wrapping sum", 2, UINT32_MAX, 0x4100c0, 0, 0, 0, EINVAL},
		{"unknown flag", 1, 0, 0x4100c0, 2, 0, 0, EINVAL},
		{"off-core register", 1, 0, 0x4100c0, 0, 1, 0, EOPNOTSUPP},
	};
	struct vperfctr *self = vperfctr_open();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct vperfctr_control control = one_event();

		control.cpu_control.nractrs = cases[i].nractrs;
		control.cpu_control.nrictrs = cases[i].nrictrs;
		control.cpu_control.evntsel[0] = cases[i].evntsel;
		control.cpu_control.nhlm.offcore_rsp[1] = cases[i].offcore;
		control.cpu_control.ireset[0] = cases[i].ireset;
		control.flags = cases[i].flags;
		errno = 0;
		if (vperfctr_control(self, &control) != -1 ||
		    errno != cases[i].error)
			fail_msg("%s: errno %d", cases[i].what, errno);
	}
	assert_int_equal(device.calls[3], 0);
	vperfctr_close(self);
}

/* One that accumulates, two that interrupt. */
static struct vperfctr_control sampling(void)
{
	struct vperfctr_control control = one_event();
	unsigned int i;

	control.si_signo = 29;
	control.cpu_control.nrictrs = 2;
	for (i = 1; i < 3; i++) {
		control.cpu_control.pmc_map[i] = i;
		control.cpu_control.evntsel[i] = 0x5100c0 + i;
		control.cpu_control.ireset[i] = -1000 * (int)i;
	}
	return control;
}

static void test_sampling(void **state)
{
	struct vperfctr *self = vperfctr_open();
	struct vperfctr_control control = sampling(), got;

	(void)state;
	control.preserve = 0xe;
	control.cpu_control.ireset[0] = -5; /* a-mode: unused */
	assert_int_equal(vperfctr_control(self, &control), 0);
	assert_int_equal(device.control.nr, 3);
	assert_int_equal(device.control.si_signo, 29);
	assert_int_equal(device.control.preserve, 6);
	assert_int_equal(device.control.counter[0].ireset, 0);
	assert_int_equal(device.control.counter[1].ireset, -1000);
	assert_int_equal(device.control.counter[2].ireset, -2000);
	assert_int_equal(device.control.counter[2].index, 2);
	assert_int_equal(device.control.counter[2].evtsel, 0x100c2);

	/* What was asked for comes back. */
	control = sampling();
	assert_int_equal(vperfctr_control(self, &control), 0);
	assert_int_equal(vperfctr_read_state(self, NULL, &got), 0);
	assert_memory_equal(&got, &control, sizeof(control));

	/* The longest; and nothing that can't be said. */
	control.cpu_control.ireset[2] = INT32_MIN;
	assert_int_equal(vperfctr_control(self, &control), 0);
	assert_int_equal(device.control.counter[2].ireset, INT32_MIN);
	device.control.counter[2].ireset--;
	assert_int_equal(vperfctr_read_state(self, NULL, &got), -1);
	assert_int_equal(errno, EPROTO);
	device.control.counter[2].ireset = 0;
	assert_int_equal(vperfctr_read_state(self, NULL, &got), -1);
	assert_int_equal(errno, EPROTO);

	/* Without i-mode entries the signal means nothing. */
	control = one_event();
	control.si_signo = 29;
	assert_int_equal(vperfctr_control(self, &control), 0);
	assert_int_equal(device.control.si_signo, 0);

	assert_int_equal(vperfctr_iresume(self), 0);
	assert_int_equal(device.calls[14], 1);
	device.errors[14] = EPERM;
	assert_int_equal(vperfctr_iresume(self), -1);
	assert_int_equal(errno, EPERM);
	vperfctr_close(self);
}

static void test_long_periods(void **state)
{
	struct vperfctr *self = vperfctr_open();
	struct vperfctr_group_control group;

	(void)state;
	memset(&group, 0, sizeof(group));
	group.control = sampling();
	group.control.cpu_control.ireset[2] = 0;
	assert_int_equal(vperfctr_control_group(self, &group), -1);
	assert_int_equal(errno, EINVAL);
	group.period[2] = 1ull << 40;
	assert_int_equal(vperfctr_control_group(self, &group), 0);
	assert_int_equal(device.control.counter[1].ireset, -1000);
	assert_int_equal(device.control.counter[2].ireset, -(1ll << 40));
	group.period[2] = 1ull << 63;
	assert_int_equal(vperfctr_control_group(self, &group), -1);
	assert_int_equal(errno, EINVAL);
	/* Beside an ireset; of an a-mode entry; of none. */
	group.period[2] = 2000;
	group.period[1] = 2000;
	assert_int_equal(vperfctr_control_group(self, &group), -1);
	group.period[1] = 0;
	group.period[0] = 2000;
	assert_int_equal(vperfctr_control_group(self, &group), -1);
	group.period[0] = 0;
	group.period[3] = 2000;
	assert_int_equal(vperfctr_control_group(self, &group), -1);
	group.period[3] = 0;
	assert_int_equal(vperfctr_control_group(self, &group), 0);
	vperfctr_close(self);
}

/* What a handler looks at, as the kernel fills it in. */
static void test_signal_information(void **state)
{
	siginfo_t info;

	(void)state;
	memset(&info, 0, sizeof(info));
	info.si_code = PERFCTR_SI_OVF;
	info.si_pid = 0x5;
	assert_int_equal(info.si_code, SI_PMC_OVF);
	assert_int_equal(info.si_pmc_ovf_mask, 5);
	assert_int_equal(sizeof(info.si_pmc_ovf_mask), 4);
}

static void test_read_state(void **state)
{
	struct vperfctr *self = vperfctr_open();
	struct vperfctr_control control = one_event(), got;
	struct perfctr_sum_ctrs sums;

	(void)state;
	control.cpu_control.evntsel_high[0] = 1;
	assert_int_equal(vperfctr_control(self, &control), 0);
	device.sums.tsc = 5;
	device.sums.pmc[0] = 6;
	device.sums.pmc[1] = 7; /* not of this control */
	device.sums.nr = 1;
	memset(&sums, 0xff, sizeof(sums));
	memset(&got, 0xff, sizeof(got));
	assert_int_equal(vperfctr_read_state(self, &sums, &got), 0);
	assert_int_equal(sums.tsc, 5);
	assert_int_equal(sums.pmc[0], 6);
	assert_int_equal(sums.pmc[1], 0);
	assert_int_equal(sums.pmc[17], 0);
	/* What was asked for comes back. */
	assert_memory_equal(&got, &control, sizeof(control));

	assert_int_equal(vperfctr_read_state(self, NULL, NULL), 0);
	assert_int_equal(vperfctr_read_state(self, NULL, &got), 0);
	assert_int_equal(vperfctr_read_state(self, &sums, NULL), 0);
	device.sums.nr = 19;
	assert_int_equal(vperfctr_read_state(self, &sums, NULL), -1);
	assert_int_equal(errno, EPROTO);
	device.errors[6] = ENOENT;
	assert_int_equal(vperfctr_read_state(self, NULL, &got), -1);
	assert_int_equal(errno, ENOENT);
	vperfctr_close(self);
}

static void test_stop_and_unlink(void **state)
{
	struct vperfctr *self = vperfctr_open();

	(void)state;
	assert_int_equal(vperfctr_stop(self), 0);
	assert_int_equal(device.calls[4], 1);
	assert_int_equal(vperfctr_unlink(self), 0);
	assert_int_equal(device.calls[7], 1);
	device.errors[7] = ENOENT;
	assert_int_equal(vperfctr_unlink(self), -1);
	assert_int_equal(errno, ENOENT);
	vperfctr_close(self);
}

static void test_info(void **state)
{
	struct vperfctr *self = vperfctr_open();
	struct perfctr_info info;

	(void)state;
	memset(device.info.driver_version, 'x',
	       sizeof(device.info.driver_version));
	assert_int_equal(vperfctr_info(self, &info), 0);
	assert_int_equal(info.abi_version, PERFCTR_ABI_VERSION);
	assert_int_equal(strlen(info.driver_version), 31);
	assert_int_equal(info.cpu_khz, 2600000);
	assert_int_equal(info.cpu_features,
			 PERFCTR_FEATURE_RDPMC | PERFCTR_FEATURE_RDTSC);
	device.info.features = PERFCTR_FEAT_SAMPLING;
	assert_int_equal(vperfctr_info(self, &info), 0);
	assert_int_equal(info.cpu_features, PERFCTR_FEATURE_RDPMC |
						    PERFCTR_FEATURE_RDTSC |
						    PERFCTR_FEATURE_PCINT);
	assert_int_equal(perfctr_info_nrctrs(&info), 7);
	assert_string_equal(perfctr_info_cpu_name(&info),
			    "Intel with architectural performance monitoring");
	device.info.vendor = PERFCTR_VENDOR_AMD;
	signature = 0x800f12; /* family 17h */
	assert_int_equal(perfctr_info(device.fd, &info), 0);
	assert_int_equal(info.cpu_type, PERFCTR_X86_AMD_CORE);
	info.cpu_type = 9999;
	assert_non_null(perfctr_info_cpu_name(&info));
	vperfctr_close(self);
}

/* perfctr 2.6's types, of CPUs by CPUID leaf 1. */
static void test_cpu_types(void **state)
{
	static const struct {
		uint32_t vendor, signature;
		unsigned int type;
	} cpus[] = {
		{PERFCTR_VENDOR_INTEL, 0x6f6, PERFCTR_X86_INTEL_CORE2},
		{PERFCTR_VENDOR_INTEL, 0x10676, PERFCTR_X86_INTEL_CORE2},
		{PERFCTR_VENDOR_INTEL, 0x106c2, PERFCTR_X86_INTEL_ATOM},
		{PERFCTR_VENDOR_INTEL, 0x106a5, PERFCTR_X86_INTEL_NHLM},
		{PERFCTR_VENDOR_INTEL, 0x106e5, PERFCTR_X86_INTEL_NHLM},
		{PERFCTR_VENDOR_INTEL, 0x206e6, PERFCTR_X86_INTEL_NHLM},
		{PERFCTR_VENDOR_INTEL, 0x20652, PERFCTR_X86_INTEL_WSTMR},
		{PERFCTR_VENDOR_INTEL, 0x206c2, PERFCTR_X86_INTEL_WSTMR},
		{PERFCTR_VENDOR_INTEL, 0x206a7, PERFCTR_X86_INTEL_SNB},
		{PERFCTR_VENDOR_INTEL, 0x206d7, PERFCTR_X86_INTEL_SNB},
		{PERFCTR_VENDOR_INTEL, 0x306a9, PERFCTR_X86_INTEL_ARCH},
		{PERFCTR_VENDOR_INTEL, 0x506e3, PERFCTR_X86_INTEL_ARCH},
		/* Family 5, whose model has no extension. */
		{PERFCTR_VENDOR_INTEL, 0x105a0, PERFCTR_X86_INTEL_ARCH},
		{PERFCTR_VENDOR_AMD, 0x100f23, PERFCTR_X86_AMD_FAM10H},
		{PERFCTR_VENDOR_AMD, 0x200f31, PERFCTR_X86_AMD_FAM10H},
		{PERFCTR_VENDOR_AMD, 0x300f10, PERFCTR_X86_AMD_CORE},
		{PERFCTR_VENDOR_AMD, 0x600f12, PERFCTR_X86_AMD_CORE},
		{PERFCTR_VENDOR_AMD, 0xa20f10, PERFCTR_X86_AMD_CORE},
		{0, 0x506e3, PERFCTR_X86_GENERIC},
	};
	struct perfctr_info info;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++) {
		const struct perfctr_event_set *set;

		device.info.vendor = cpus[i].vendor;
		signature = cpus[i].signature;
		assert_int_equal(perfctr_get_info(&info), 0);
		assert_int_equal(info.cpu_type, cpus[i].type);
		assert_int_equal(fcntl(device.fd, F_GETFD), -1);
		assert_string_not_equal(perfctr_info_cpu_name(&info),
					"unknown CPU type");
		set = perfctr_cpu_event_set(info.cpu_type);
		if (info.cpu_type == PERFCTR_X86_GENERIC) {
			assert_null(set);
			continue;
		}
		assert_non_null(set);
		assert_int_equal(set->cpu_type, info.cpu_type);
		assert_true(set->nevents >= 6);
	}
	/* What perfctr 2.6's own clients compare with. */
	assert_int_equal(PERFCTR_X86_AMD_FAM10, 19);
	assert_int_equal(PERFCTR_X86_INTEL_COREI7, 21);
	assert_null(perfctr_cpu_event_set(PERFCTR_X86_INTEL_P4));
	assert_null(perfctr_cpu_event_set(~0u));
	open_error = EACCES;
	assert_int_equal(perfctr_get_info(&info), -1);
	assert_int_equal(errno, EACCES);
}

/* The event with that name; its event select. */
static unsigned int event_select(unsigned int cpu_type, const char *name)
{
	const struct perfctr_event_set *set = perfctr_cpu_event_set(cpu_type);
	const struct perfctr_event *event;

	for (event = set->events; event < set->events + set->nevents; event++)
		if (strcmp(event->name, name) == 0)
			return event->evntsel +
			       (event->unit_mask
					? event->unit_mask->default_value * 256u
					: 0u);
	return 0;
}

static void test_event_sets(void **state)
{
	const unsigned int intel = PERFCTR_X86_INTEL_NHLM;

	(void)state;
	assert_int_equal(event_select(intel, "INSTRUCTIONS_RETIRED"), 0xc0);
	assert_int_equal(event_select(intel, "UNHALTED_REFERENCE_CYCLES"),
			 0x13c);
	assert_int_equal(event_select(intel, "LAST_LEVEL_CACHE_MISSES"),
			 0x412e);
	assert_int_equal(event_select(PERFCTR_X86_AMD_FAM10H,
				      "CPU_CLOCKS_NOT_HALTED"),
			 0x76);
}

static void test_abi_check(void **state)
{
	const int fd = _vperfctr_open(0);

	(void)state;
	assert_int_equal(perfctr_abi_check_fd(fd), 0);
	/* Another minor version fits, another major one does not. */
	assert_int_equal(_perfctr_abi_check_fd(fd, 0x05010000), 0);
	assert_int_equal(_perfctr_abi_check_fd(fd, 0x06000000), -1);
	assert_int_equal(errno, EPROTO);
	device.info.version++;
	assert_int_equal(perfctr_abi_check_fd(fd), -1);
	assert_int_equal(errno, EPROTO);
	close(fd);
}

static void test_by_descriptor(void **state)
{
	struct vperfctr_control control = one_event(), got;
	struct perfctr_sum_ctrs sums;
	int fd;

	(void)state;
	fd = _vperfctr_open(1);
	assert_true(fd >= 0);
	assert_int_equal(device.calls[1], 1); /* CREATE */
	assert_int_equal(device.calls[2], 0); /* OPEN */
	assert_int_equal(_vperfctr_control(fd, &control), 0);
	assert_int_equal(device.control.nr, 1);
	assert_int_equal(_vperfctr_read_control(fd, &got), 0);
	assert_memory_equal(&got, &control, sizeof(got));
	device.sums.nr = 1;
	device.sums.tsc = 7;
	device.sums.pmc[0] = 8;
	memset(&sums, 0xff, sizeof(sums));
	assert_int_equal(_vperfctr_read_sum(fd, &sums), 0);
	assert_int_equal(sums.tsc, 7);
	assert_int_equal(sums.pmc[0], 8);
	assert_int_equal(sums.pmc[PERFCTR_MAX_PMCS - 1], 0);
	close(fd);

	device.errors[1] = EEXIST;
	assert_int_equal(_vperfctr_open(1), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(fcntl(device.fd, F_GETFD), -1);

	/* Without counters, a descriptor to ask by. */
	device.errors[2] = ESRCH;
	fd = _vperfctr_open(0);
	assert_true(fd >= 0);
	device.errors[3] = ENOENT;
	assert_int_equal(_vperfctr_control(fd, &control), -1);
	assert_int_equal(errno, ENOENT);
	close(fd);
	device.errors[2] = EBUSY;
	assert_int_equal(_vperfctr_open(0), -1);
	assert_int_equal(errno, EBUSY);
	device.info.version++;
	assert_int_equal(_vperfctr_open(0), -1);
	assert_int_equal(errno, EPROTO);
}

/* What @print prints with @argument. */
static void printed(void (*print)(const void *), const void *argument,
		    char *text, size_t size)
{
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);
	size_t length;

	assert_non_null(file);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	print(argument);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(file);
	length = fread(text, 1, size - 1, file);
	text[length] = '\0';
	fclose(file);
}

static void print_info(const void *info)
{
	perfctr_info_print(info);
}

static void print_cpus(const void *cpus)
{
	perfctr_cpus_info_print(cpus);
}

static void print_control(const void *control)
{
	perfctr_cpu_control_print(control);
}

static void test_printing(void **state)
{
	struct perfctr_cpu_control control = {
		.tsc_on = 1,
		.nractrs = 1,
		.nrictrs = 1,
		.pmc_map = {PERFCTR_PMC_FIXED + 2, 1},
		.evntsel = {0x410000, 0x5100c0},
		.evntsel_high = {0, 3},
		.ireset = {0, -1000},
	};
	struct perfctr_cpus_info *cpus;
	struct perfctr_info info;
	char text[1000];

	(void)state;
	signature = 0x106a5;
	device.info.features = PERFCTR_FEAT_SAMPLING;
	assert_int_equal(perfctr_get_info(&info), 0);
	printed(print_info, &info, text, sizeof(text));
	assert_non_null(strstr(text, "5.2\n"));
	assert_non_null(strstr(text, "21 (Intel Nehalem)\n"));
	assert_non_null(strstr(text, "0x7 rdpmc rdtsc pcint\n"));
	assert_non_null(strstr(text, "2600000\n"));

	printed(print_control, &control, text, sizeof(text));
	assert_non_null(strstr(text, "fixed 2, event select 0x00410000\n"));
	assert_non_null(strstr(text, "counter 1, event select 0x005100c0, "
				     "high half 0x00000003, ireset -1000\n"));
	/* More entries than there can be. */
	control.nractrs = control.nrictrs = ~0u;
	printed(print_control, &control, text, sizeof(text));

	cpus = calloc(1, sizeof(*cpus));
	cpus->cpus = calloc(1, sizeof(*cpus->cpus) + 2 * sizeof(int));
	cpus->cpus_forbidden = calloc(1, sizeof(*cpus->cpus));
	cpus->cpus->nrwords = 2;
	cpus->cpus->mask[0] = 0x5;
	cpus->cpus->mask[1] = 0x2;
	printed(print_cpus, cpus, text, sizeof(text));
	assert_non_null(strstr(text, "0,2,33 (3)\n"));
	assert_non_null(strstr(text, "(0)\n"));
	free(cpus->cpus_forbidden);
	free(cpus->cpus);
	free(cpus);
}

static void test_state_that_can_not_be_said(void **state)
{
	struct vperfctr *self = vperfctr_open();
	struct vperfctr_control got;

	(void)state;
	device.control.nr = 2;
	device.control.counter[1].flags = PERFCTR_COUNTER_SLOT(1);
	assert_int_equal(vperfctr_read_state(self, NULL, &got), -1);
	assert_int_equal(errno, EPROTO);
	device.control.counter[1].flags = PERFCTR_COUNTER_HOST;
	assert_int_equal(vperfctr_read_state(self, NULL, &got), -1);
	assert_int_equal(errno, EPROTO);
	vperfctr_close(self);
}

/* ----------------------------- groups and slots -------------------------- */

static struct vperfctr_group_control three_in_two_slots(void)
{
	struct vperfctr_group_control group;
	unsigned int i;

	memset(&group, 0, sizeof(group));
	group.control = one_event();
	group.control.cpu_control.nractrs = 3;
	for (i = 0; i < 3; i++) {
		group.control.cpu_control.pmc_map[i] = i % 2;
		group.control.cpu_control.evntsel[i] = 0x4100c0;
	}
	group.slot[2] = 1;
	return group;
}

static void test_group_control(void **state)
{
	struct vperfctr *self = vperfctr_open();
	struct vperfctr_group_control group = three_in_two_slots();

	(void)state;
	group.control.cpu_control.evntsel[1] = 0x400000;
	group.host = 2;
	group.flags = VPERFCTR_GROUP_INHERIT;
	group.slice_us = 777;
	assert_int_equal(vperfctr_control_group(self, &group), 0);
	assert_int_equal(device.control.nr, 3);
	assert_int_equal(device.control.flags,
			 PERFCTR_CTL_TSC_ON | PERFCTR_CTL_INHERIT);
	assert_int_equal(device.control.slice_us, 777);
	assert_int_equal(device.control.counter[0].flags, 0);
	assert_int_equal(device.control.counter[1].flags, PERFCTR_COUNTER_HOST);
	assert_int_equal(device.control.counter[1].evtsel, 0);
	assert_int_equal(device.control.counter[2].flags,
			 PERFCTR_COUNTER_SLOT(1));

	/* The plain one has none of that. */
	assert_int_equal(vperfctr_control(self, &group.control), 0);
	assert_int_equal(device.control.flags, PERFCTR_CTL_TSC_ON);
	assert_int_equal(device.control.slice_us, 0);
	assert_int_equal(device.control.counter[2].flags, 0);
	vperfctr_close(self);
}

static void test_group_control_errors(void **state)
{
	struct vperfctr *self = vperfctr_open();
	struct vperfctr_group_control group;
	unsigned int i;

	(void)state;
	for (i = 0; i < 7; i++) {
		group = three_in_two_slots();
		switch (i) {
		case 0:
			group.flags = 2;
			break;
		case 1:
			group.slot[2] = 8;
			break;
		case 2: /* of an entry that there is not */
			group.slot[3] = 1;
			break;
		case 3:
			group.host = 8;
			break;
		case 4:
			group._reserved[3] = 1;
			break;
		case 5:
			group.control.flags = 2;
			break;
		case 6:
			group.control.cpu_control.nractrs = 19;
			break;
		}
		errno = 0;
		if (vperfctr_control_group(self, &group) != -1 ||
		    errno != EINVAL)
			fail_msg("case %u: errno %d", i, errno);
	}
	assert_int_equal(device.calls[3], 0);
	vperfctr_close(self);
}

static void test_group_sums(void **state)
{
	struct vperfctr *self = vperfctr_open();
	struct vperfctr_group_sums group;
	struct vperfctr_sums sums;

	(void)state;
	device.sums.nr = 2;
	device.sums.tsc = 3000;
	device.sums.stolen = 50;
	device.sums.pmc[0] = 10;
	device.sums.pmc[1] = 7;
	device.sums.pmc[2] = 99; /* beyond nr */
	device.sums.loaded[0] = 3000;
	device.sums.loaded[1] = 1000;
	device.group.sums = device.sums;
	device.group.sums.tsc = 6000;
	device.group.live = 1;
	device.group.ended = 2;
	device.group.refused = 3;
	device.group.lost = 4;

	assert_int_equal(vperfctr_read_sums(self, &sums), 0);
	assert_int_equal(sums.nr, 2);
	assert_int_equal(sums.tsc, 3000);
	assert_int_equal(sums.stolen, 50);
	assert_int_equal(sums.pmc[1], 7);
	assert_int_equal(sums.loaded[1], 1000);
	assert_int_equal(sums.pmc[2], 0);
	assert_int_equal(vperfctr_estimate(&sums, 0), 10);
	assert_int_equal(vperfctr_estimate(&sums, 1), 21);
	assert_int_equal(vperfctr_estimate(&sums, 2), 0);
	assert_int_equal(vperfctr_estimate(&sums, 100), 0);

	assert_int_equal(vperfctr_read_group(self, &group), 0);
	assert_int_equal(group.sums.tsc, 6000);
	assert_int_equal(group.sums.pmc[0], 10);
	assert_int_equal(group.live, 1);
	assert_int_equal(group.ended, 2);
	assert_int_equal(group.refused, 3);
	assert_int_equal(group.lost, 4);
	assert_int_equal(group.error, 0);

	/* A member's error is not the call's; the thread's own is. */
	device.group.errors = 1;
	device.group.sums.status = PERFCTR_STATUS_ERROR;
	device.group.sums.error = -EPERM;
	assert_int_equal(vperfctr_read_group(self, &group), 0);
	assert_int_equal(group.errors, 1);
	assert_int_equal(group.error, EPERM);
	device.sums.status = PERFCTR_STATUS_ERROR;
	device.sums.error = -EIO;
	assert_int_equal(vperfctr_read_sums(self, &sums), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(sums.pmc[1], 7);

	device.sums.nr = device.group.sums.nr = 19;
	assert_int_equal(vperfctr_read_sums(self, &sums), -1);
	assert_int_equal(errno, EPROTO);
	assert_int_equal(vperfctr_read_group(self, &group), -1);
	assert_int_equal(errno, EPROTO);
	device.errors[8] = ENOENT;
	assert_int_equal(vperfctr_read_group(self, &group), -1);
	assert_int_equal(errno, ENOENT);
	vperfctr_close(self);
}

static void test_estimate(void **state)
{
	(void)state;
	assert_int_equal(perfctr_estimate(5, 100, 0), 0);
	assert_int_equal(perfctr_estimate(0, 100, 3), 0);
	/* Rounded to the nearest. */
	assert_int_equal(perfctr_estimate(1, 14, 10), 1);
	assert_int_equal(perfctr_estimate(1, 15, 10), 2);
	/* Where 64 bits would not do between. */
	assert_int_equal(perfctr_estimate(1ull << 60, 1ull << 40, 1ull << 38),
			 1ull << 62);
	assert_int_equal(perfctr_estimate(UINT64_MAX, UINT64_MAX, UINT64_MAX),
			 UINT64_MAX);
	assert_int_equal(perfctr_estimate(UINT64_MAX, 3, 2), UINT64_MAX);
}

/* ------------------------------ another thread --------------------------- */

static void test_remote(void **state)
{
	struct vperfctr_control control = one_event(), got;
	struct perfctr_sum_ctrs sums;
	struct perfctr_info info;
	struct rvperfctr *handle;
	int device_fd;

	(void)state;
	device.other.exists = true;
	handle = rvperfctr_open(4321);
	assert_non_null(handle);
	assert_true(device.other.has_counters);
	assert_int_equal(rvperfctr_pid(handle), 4321);
	/* The right is the device's now. */
	assert_int_equal(fcntl(memory_fd, F_GETFD), -1);
	assert_int_equal(rvperfctr_info(handle, &info), 0);
	assert_int_equal(rvperfctr_control(handle, &control), 0);
	assert_int_equal(device.control.nr, 1);
	device.sums.nr = 1;
	device.sums.tsc = 3;
	device.sums.pmc[0] = 12;
	device.sums.pmc[1] = 13;
	memset(&sums, 0xff, sizeof(sums));
	assert_int_equal(rvperfctr_read_ctrs(handle, &sums), 0);
	assert_int_equal(sums.tsc, 3);
	assert_int_equal(sums.pmc[0], 12);
	assert_int_equal(sums.pmc[1], 0);
	assert_int_equal(rvperfctr_read_state(handle, &sums, &got), 0);
	assert_memory_equal(&got, &control, sizeof(control));
	/* Over, but for what was counted. */
	device.sums.status = PERFCTR_STATUS_ERROR | PERFCTR_STATUS_EXITED;
	device.sums.error = -EIO;
	assert_int_equal(rvperfctr_read_ctrs(handle, &sums), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(sums.pmc[0], 12);
	assert_int_equal(rvperfctr_stop(handle), 0);
	assert_int_equal(device.calls[4], 1);
	assert_int_equal(rvperfctr_unlink(handle), 0);
	assert_int_equal(device.calls[7], 1);
	assert_int_equal(rvperfctr_iresume(handle), 0);
	assert_int_equal(device.calls[14], 1);
	device.errors[4] = device.errors[7] = device.errors[3] = ENOENT;
	device.errors[14] = EPERM;
	assert_int_equal(rvperfctr_iresume(handle), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(rvperfctr_stop(handle), -1);
	assert_int_equal(rvperfctr_unlink(handle), -1);
	assert_int_equal(rvperfctr_control(handle, &control), -1);
	assert_int_equal(errno, ENOENT);
	device_fd = device.fd;
	rvperfctr_close(handle);
	assert_int_equal(fcntl(device_fd, F_GETFD), -1);
	rvperfctr_close(NULL);

	/* It has counters: those. */
	handle = rvperfctr_open(4321);
	assert_non_null(handle);
	assert_int_equal(device.other.flags, 0);
	rvperfctr_close(handle);
}

static void test_remote_errors(void **state)
{
	static const struct {
		int open, memory, attach, error;
		bool exists;
	} cases[] = {
		{ENOENT, 0, 0, ENOENT, true}, {0, EACCES, 0, EPERM, true},
		{0, ENOENT, 0, ESRCH, true},  {0, EMFILE, 0, EMFILE, true},
		{0, 0, EINVAL, EINVAL, true}, {0, 0, EPERM, EPERM, true},
		{0, 0, 0, ESRCH, false},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		reset(state);
		open_error = cases[i].open;
		memory_error = cases[i].memory;
		device.errors[10] = cases[i].attach;
		device.other.exists = cases[i].exists;
		errno = 0;
		assert_null(rvperfctr_open(4321));
		assert_int_equal(errno, cases[i].error);
		if (!open_error)
			assert_int_equal(fcntl(device.fd, F_GETFD), -1);
		if (!open_error && !memory_error)
			assert_int_equal(fcntl(memory_fd, F_GETFD), -1);
	}
	reset(state);
	assert_null(rvperfctr_open(0));
	assert_int_equal(errno, ESRCH);
	assert_null(rvperfctr_open(-1));
	assert_int_equal(errno, ESRCH);
	device.info.version++;
	assert_null(rvperfctr_open(4321));
	assert_int_equal(errno, EPROTO);
}

/* -------------------------------- whole CPUs ------------------------------ */

static struct gperfctr_cpu_control one_event_on(unsigned int cpu)
{
	struct gperfctr_cpu_control control;

	memset(&control, 0, sizeof(control));
	control.cpu = cpu;
	control.cpu_control = one_event().cpu_control;
	return control;
}

static void test_global(void **state)
{
	struct gperfctr *handle = gperfctr_open();
	struct gperfctr_cpu_control control;
	struct gperfctr_cpu_state cpu;
	struct perfctr_info info;
	unsigned int i;

	(void)state;
	assert_non_null(handle);
	assert_int_equal(gperfctr_info(handle, &info), 0);
	/* Nothing to count yet. */
	assert_int_equal(gperfctr_start(handle, 0), 0);
	for (i = 1; i < 4; i += 2) {
		control = one_event_on(i);
		assert_int_equal(gperfctr_control(handle, &control), 0);
		/* The kernel has seen it, and it does not count. */
		assert_int_equal(device.cpus[i].starts, 1);
		assert_int_equal(device.cpus[i].stops, 1);
	}
	device.cpus[1].sums.tsc = 100;
	device.cpus[1].sums.pmc[0] = 5;
	device.cpus[1].sums.pmc[1] = 6;
	cpu.cpu = 1;
	assert_int_equal(gperfctr_read(handle, &cpu), 0);
	assert_int_equal(cpu.sum.pmc[0], 0);
	assert_int_equal(cpu.sum.tsc, 0);

	assert_int_equal(gperfctr_start(handle, 9999), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(gperfctr_start(handle, 10000), 2);
	assert_int_equal(device.cpus[0].starts, 0);
	assert_int_equal(device.cpus[1].starts, 2);
	assert_int_equal(device.cpus[1].control.flags, PERFCTR_CTL_TSC_ON);
	assert_int_equal(device.cpus[3].starts, 2);
	assert_int_equal(gperfctr_start(handle, 0), -1);
	assert_int_equal(errno, EBUSY);
	control = one_event_on(0);
	assert_int_equal(gperfctr_control(handle, &control), -1);
	assert_int_equal(errno, EBUSY);

	assert_int_equal(gperfctr_read(handle, &cpu), 0);
	assert_int_equal(cpu.sum.tsc, 100);
	assert_int_equal(cpu.sum.pmc[0], 5);
	assert_int_equal(cpu.sum.pmc[1], 0);
	assert_int_equal(cpu.cpu_control.evntsel[0], 0x4100c0);
	cpu.cpu = 0;
	assert_int_equal(gperfctr_read(handle, &cpu), -1);
	assert_int_equal(errno, EINVAL);
	cpu.cpu = 4;
	assert_int_equal(gperfctr_read(handle, &cpu), -1);
	assert_int_equal(errno, EINVAL);

	/* One went offline: the other is stopped, its sums are there. */
	device.cpus[1].stop_error = ENXIO;
	device.cpus[1].sums.status = PERFCTR_STATUS_ERROR;
	device.cpus[1].sums.error = -ENXIO;
	cpu.cpu = 1;
	assert_int_equal(gperfctr_read(handle, &cpu), -1);
	assert_int_equal(errno, ENXIO);
	assert_int_equal(cpu.sum.pmc[0], 5);
	assert_int_equal(gperfctr_stop(handle), 0);
	assert_int_equal(device.cpus[3].stops, 2);
	assert_int_equal(gperfctr_stop(handle), 0);
	assert_int_equal(device.cpus[3].stops, 2);

	/* Not to be counted any more. */
	control = one_event_on(1);
	control.cpu_control.nractrs = 0;
	assert_int_equal(gperfctr_control(handle, &control), 0);
	assert_int_equal(gperfctr_start(handle, 0), 1);
	gperfctr_close(handle);
	assert_int_equal(fcntl(device.fd, F_GETFD), -1);
	gperfctr_close(NULL);
}

static void test_global_errors(void **state)
{
	struct gperfctr *handle;
	struct gperfctr_cpu_control control = one_event_on(4);
	unsigned int i;

	(void)state;
	open_error = EACCES;
	assert_null(gperfctr_open());
	assert_int_equal(errno, EACCES);
	open_error = 0;
	handle = gperfctr_open();
	assert_int_equal(gperfctr_control(handle, &control), -1);
	assert_int_equal(errno, ENXIO);
	control.cpu = 0;
	control.cpu_control.evntsel[0] = 0x100c0;
	assert_int_equal(gperfctr_control(handle, &control), -1);
	assert_int_equal(errno, EINVAL);
	control = one_event_on(0);
	control.cpu_control.nractrs = 0;
	control.cpu_control.nrictrs = 1;
	control.cpu_control.evntsel[0] = 0x5100c0;
	control.cpu_control.ireset[0] = -2000;
	assert_int_equal(gperfctr_control(handle, &control), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	control.cpu_control.nractrs = 1;
	assert_int_equal(gperfctr_control(handle, &control), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	device.cpus[0].start_error = EPERM;
	control = one_event_on(0);
	assert_int_equal(gperfctr_control(handle, &control), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(gperfctr_start(handle, 0), 0);

	/* All or none. */
	device.cpus[0].start_error = 0;
	for (i = 0; i < 3; i++) {
		control = one_event_on(i);
		assert_int_equal(gperfctr_control(handle, &control), 0);
	}
	device.cpus[2].start_error = EBUSY;
	assert_int_equal(gperfctr_start(handle, 0), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(device.cpus[0].stops, 2);
	assert_int_equal(device.cpus[1].stops, 2);
	device.cpus[2].start_error = 0;
	assert_int_equal(gperfctr_start(handle, 0), 3);
	device.cpus[1].stop_error = EIO;
	assert_int_equal(gperfctr_stop(handle), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(device.cpus[2].stops, 2);
	gperfctr_close(handle);
}

static void test_cpus_info(void **state)
{
	struct vperfctr *self = vperfctr_open();
	struct perfctr_cpus_info *cpus;
	unsigned int i, online = 0;

	(void)state;
	/* As many as may be: then all that are online are in it. */
	device.info.cpus = 1000;
	cpus = vperfctr_cpus_info(self);
	assert_non_null(cpus);
	assert_int_equal(cpus->cpus->nrwords, 32);
	assert_int_equal(cpus->cpus_forbidden->nrwords, 32);
	for (i = 0; i < 32; i++) {
		online += (unsigned int)__builtin_popcount(cpus->cpus->mask[i]);
		assert_int_equal(cpus->cpus_forbidden->mask[i], 0);
	}
	assert_int_equal(online, sysconf(_SC_NPROCESSORS_ONLN));
	free(cpus);

	/* One of them: no more. */
	device.info.cpus = 1;
	cpus = perfctr_cpus_info(device.fd);
	assert_int_equal(cpus->cpus->nrwords, 1);
	assert_int_equal(cpus->cpus->mask[0] & ~1u, 0);
	free(cpus);
	device.errors[0] = EIO;
	assert_null(vperfctr_cpus_info(self));
	assert_int_equal(errno, EIO);
	vperfctr_close(self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_open_and_close, reset),
		cmocka_unit_test_setup(test_open_errors, reset),
		cmocka_unit_test_setup(test_strerror, reset),
		cmocka_unit_test_setup(test_control, reset),
		cmocka_unit_test_setup(test_control_errors, reset),
		cmocka_unit_test_setup(test_sampling, reset),
		cmocka_unit_test_setup(test_long_periods, reset),
		cmocka_unit_test_setup(test_signal_information, reset),
		cmocka_unit_test_setup(test_read_state, reset),
		cmocka_unit_test_setup(test_stop_and_unlink, reset),
		cmocka_unit_test_setup(test_info, reset),
		cmocka_unit_test_setup(test_cpu_types, reset),
		cmocka_unit_test_setup(test_event_sets, reset),
		cmocka_unit_test_setup(test_abi_check, reset),
		cmocka_unit_test_setup(test_by_descriptor, reset),
		cmocka_unit_test_setup(test_printing, reset),
		cmocka_unit_test_setup(test_state_that_can_not_be_said, reset),
		cmocka_unit_test_setup(test_group_control, reset),
		cmocka_unit_test_setup(test_group_control_errors, reset),
		cmocka_unit_test_setup(test_group_sums, reset),
		cmocka_unit_test_setup(test_estimate, reset),
		cmocka_unit_test_setup(test_remote, reset),
		cmocka_unit_test_setup(test_remote_errors, reset),
		cmocka_unit_test_setup(test_global, reset),
		cmocka_unit_test_setup(test_global_errors, reset),
		cmocka_unit_test_setup(test_cpus_info, reset),
	};

	unsetenv(PERFCTR_DEVICE_ENV);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

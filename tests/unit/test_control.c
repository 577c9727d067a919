// SPDX-License-Identifier: GPL-2.0-or-later
/* Handles and controls, on a device of our own: a memory file and an ioctl. */

#include <errno.h>
#include <fcntl.h>
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
} device;

static int open_error;

int __real_open(const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
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
	}
	return 0;
}

static int reset(void **state)
{
	(void)state;
	memset(&device, 0, sizeof(device));
	open_error = 0;
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
		int error;
	} cases[] = {
		{"no enable bit", 1, 0, 0x100c0, 0, 0, EINVAL},
		{"interrupt bit in a-mode", 1, 0, 0x5100c0, 0, 0, EINVAL},
		{"i-mode", 0, 1, 0x5100c0, 0, 0, EOPNOTSUPP},
		{"19 counters", 19, 0, 0x4100c0, 0, 0, EINVAL},
		{"19 counters together", 18, 1, 0x4100c0, 0, 0, EINVAL},
		{"a wrapping sum", 2, UINT32_MAX, 0x4100c0, 0, 0, EINVAL},
		{"unknown flag", 1, 0, 0x4100c0, 2, 0, EINVAL},
		{"off-core register", 1, 0, 0x4100c0, 0, 1, EOPNOTSUPP},
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
		control.flags = cases[i].flags;
		errno = 0;
		if (vperfctr_control(self, &control) != -1 ||
		    errno != cases[i].error)
			fail_msg("%s: errno %d", cases[i].what, errno);
	}
	assert_int_equal(device.calls[3], 0);
	vperfctr_close(self);
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
	assert_int_equal(perfctr_info_nrctrs(&info), 7);
	assert_string_equal(perfctr_info_cpu_name(&info),
			    "Intel with architectural performance monitoring");
	device.info.vendor = PERFCTR_VENDOR_AMD;
	assert_int_equal(perfctr_info(device.fd, &info), 0);
	assert_int_equal(info.cpu_type, PERFCTR_X86_AMD_CORE);
	info.cpu_type = 9999;
	assert_non_null(perfctr_info_cpu_name(&info));
	vperfctr_close(self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_open_and_close, reset),
		cmocka_unit_test_setup(test_open_errors, reset),
		cmocka_unit_test_setup(test_control, reset),
		cmocka_unit_test_setup(test_control_errors, reset),
		cmocka_unit_test_setup(test_read_state, reset),
		cmocka_unit_test_setup(test_stop_and_unlink, reset),
		cmocka_unit_test_setup(test_info, reset),
	};

	unsetenv(PERFCTR_DEVICE_ENV);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

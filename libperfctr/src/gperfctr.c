// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Whole CPUs.  The historical calls say first what each CPU is to count and
 * start all of them later; the device starts a CPU with its control.  So the
 * handle remembers controls.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

/* perfctr 2.6's limit of gperfctr_start(). */
#define SHORTEST_INTERVAL_US 10000

struct cpu {
	bool wanted;  /* has a control */
	bool started; /* its sums are gperfctr_start()'s */
	struct perfctr_cpu_control control;
};

struct gperfctr_state {
	bool running;
	unsigned int nr_cpus;
	struct cpu cpus[];
};

/* The historical calls take const pointers; what changes is behind one. */
struct gperfctr {
	int fd;
	struct gperfctr_state *state;
};

struct gperfctr *gperfctr_open(void)
{
	struct perfctr_dev_info info;
	struct gperfctr *handle;
	int error;

	handle = calloc(1, sizeof(*handle));
	if (!handle)
		return NULL;
	handle->fd = perfctr_device_open();
	if (handle->fd < 0)
		goto err_free;
	if (perfctr_device_info(handle->fd, &info) < 0)
		goto err_close;
	handle->state = calloc(1, sizeof(*handle->state) +
					  info.cpus * sizeof(struct cpu));
	if (!handle->state)
		goto err_close;
	handle->state->nr_cpus = info.cpus;
	return handle;

err_close:
	perfctr_close_failed(handle->fd);
err_free:
	error = errno;
	free(handle);
	errno = error;
	return NULL;
}

void gperfctr_close(struct gperfctr *handle)
{
	if (!handle)
		return;
	/* The device ends the counting of a handle that is closed. */
	close(handle->fd);
	free(handle->state);
	free(handle);
}

static int start_cpu(const struct gperfctr *handle, unsigned int cpu,
		     const struct perfctr_cpu_control *control)
{
	struct perfctr_dev_cpu dev = {.cpu = cpu};

	if (perfctr_cpu_control_to_device(control, &dev.control) < 0)
		return -1;
	return ioctl(handle->fd, PERFCTR_IOC_CPU_CONTROL, &dev) < 0 ? -1 : 0;
}

/* A control without counters stops the CPU. */
static int stop_cpu(const struct gperfctr *handle, unsigned int cpu)
{
	struct perfctr_dev_cpu dev = {.cpu = cpu};

	return ioctl(handle->fd, PERFCTR_IOC_CPU_CONTROL, &dev) < 0 ? -1 : 0;
}

int gperfctr_control(const struct gperfctr *handle,
		     struct gperfctr_cpu_control *control)
{
	struct gperfctr_state *state = handle->state;
	struct cpu *cpu;

	if (state->running) {
		errno = EBUSY;
		return -1;
	}
	if (control->cpu >= state->nr_cpus) {
		errno = ENXIO;
		return -1;
	}
	/* There is no thread to get the sample. */
	if (control->cpu_control.nrictrs) {
		errno = EOPNOTSUPP;
		return -1;
	}
	cpu = &state->cpus[control->cpu];
	if (control->cpu_control.nractrs) {
		/*
		 * Start and stop it: so the kernel and Xen judge the control
		 * here, where it is given, and not in gperfctr_start().
		 */
		if (start_cpu(handle, control->cpu, &control->cpu_control) <
			    0 ||
		    stop_cpu(handle, control->cpu) < 0)
			return -1;
		cpu->wanted = true;
	} else {
		cpu->wanted = false;
	}
	cpu->started = false;
	cpu->control = control->cpu_control;
	return 0;
}

/* Those below @end; 0 or the first error. */
static int stop_cpus(const struct gperfctr *handle, unsigned int end)
{
	struct gperfctr_state *state = handle->state;
	unsigned int cpu;
	int error = 0;

	for (cpu = 0; cpu < end; cpu++)
		/* One that went offline has stopped. */
		if (state->cpus[cpu].wanted && stop_cpu(handle, cpu) < 0 &&
		    errno != ENXIO && !error)
			error = errno;
	return error;
}

int gperfctr_start(const struct gperfctr *handle, unsigned int interval_usec)
{
	struct gperfctr_state *state = handle->state;
	unsigned int cpu;
	int error, nr = 0;

	if (interval_usec && interval_usec < SHORTEST_INTERVAL_US) {
		errno = EINVAL;
		return -1;
	}
	if (state->running) {
		errno = EBUSY;
		return -1;
	}
	for (cpu = 0; cpu < state->nr_cpus; cpu++) {
		if (!state->cpus[cpu].wanted)
			continue;
		if (start_cpu(handle, cpu, &state->cpus[cpu].control) < 0) {
			error = errno;
			stop_cpus(handle, cpu);
			errno = error;
			return -1;
		}
		state->cpus[cpu].started = true;
		nr++;
	}
	state->running = nr > 0;
	return nr;
}

int gperfctr_stop(const struct gperfctr *handle)
{
	int error;

	if (!handle->state->running)
		return 0;
	handle->state->running = false;
	error = stop_cpus(handle, handle->state->nr_cpus);
	if (!error)
		return 0;
	errno = error;
	return -1;
}

int gperfctr_read(const struct gperfctr *handle,
		  struct gperfctr_cpu_state *state)
{
	struct perfctr_dev_cpu dev = {.cpu = state->cpu};
	const struct cpu *cpu;
	unsigned int i;

	if (state->cpu >= handle->state->nr_cpus ||
	    !handle->state->cpus[state->cpu].wanted) {
		errno = EINVAL;
		return -1;
	}
	cpu = &handle->state->cpus[state->cpu];
	/* What the trial in gperfctr_control() counted is nobody's. */
	if (cpu->started && ioctl(handle->fd, PERFCTR_IOC_CPU_READ, &dev) < 0)
		return -1;

	memset(&state->sum, 0, sizeof(state->sum));
	memset(state->_reserved, 0, sizeof(state->_reserved));
	state->cpu_control = cpu->control;
	state->sum.tsc = dev.sums.tsc;
	for (i = 0; i < cpu->control.nractrs; i++)
		state->sum.pmc[i] = dev.sums.pmc[i];
	return perfctr_device_end(&dev.sums);
}

int gperfctr_info(const struct gperfctr *handle, struct perfctr_info *info)
{
	return perfctr_info(handle->fd, info);
}

struct perfctr_cpus_info *gperfctr_cpus_info(const struct gperfctr *handle)
{
	return perfctr_cpus_info(handle->fd);
}

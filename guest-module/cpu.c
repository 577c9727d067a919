// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whole-vCPU counting: of everything that runs on a CPU of this guest, in user
 * mode, in the kernel and in interrupts.
 *
 * The counters of a vCPU are those of a thread that is always current on it
 * and is never switched: the same struct, start, fold and stop.  Threads that
 * count are kept out meanwhile (perfctr_thread_exclude()), so @running of this
 * vCPU is ours, and the timer folds us before a counter wraps.  A vCPU that
 * idles does not run: Xen stops its counters, and the IPI that asks for them
 * wakes it up.
 *
 * Everything is done on the vCPU itself, by IPI, under cpus_read_lock(): so no
 * CPU goes down between the question whether it is there and the IPI.
 */
#include <linux/cpu.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "perfctr.h"

/*
 * NULL: not asked for since the handle was opened.  Changes under
 * cpus_read_lock() and the mutex, in this order; the hotplug thread, which is
 * alone then, takes neither.
 */
static DEFINE_PER_CPU(struct perfctr_thread *, cpu_counters);
static DEFINE_MUTEX(cpu_mutex);

struct request {
	struct perfctr_thread *t;
	struct perfctr_change *change;	/* NULL: stop */
	int err;
};

/* IPIs */

static void control_ipi(void *arg)
{
	struct request *r = arg;

	r->err = r->change ? perfctr_thread_change(r->t, r->change, true) :
			     perfctr_thread_stop(r->t);
}

static void stop_ipi(void *t)
{
	perfctr_thread_stop(t);
}

/* -EBUSY: threads count, or another handle counts vCPUs. */
int perfctr_cpu_claim(void)
{
	return perfctr_thread_exclude() ? 0 : -EBUSY;
}

void perfctr_cpu_release(void)
{
	unsigned int cpu;

	cpus_read_lock();
	mutex_lock(&cpu_mutex);
	for_each_possible_cpu(cpu) {
		struct perfctr_thread **t = per_cpu_ptr(&cpu_counters, cpu);

		if (!*t)
			continue;
		/* Of one that is offline the hotplug thread has stopped it. */
		smp_call_function_single(cpu, stop_ipi, *t, 1);
		perfctr_thread_put(*t);
		*t = NULL;
	}
	mutex_unlock(&cpu_mutex);
	cpus_read_unlock();
	perfctr_thread_include();
}

static struct perfctr_thread *get_counters(unsigned int cpu)
{
	struct perfctr_thread **t = per_cpu_ptr(&cpu_counters, cpu);

	if (!*t) {
		*t = perfctr_thread_alloc(GFP_KERNEL_ACCOUNT);
		if (*t)
			(*t)->whole_vcpu = true;
	}
	return *t;
}

static int control_locked(unsigned int cpu,
			  const struct perfctr_dev_control *control)
{
	struct perfctr_change *c;
	struct request r = {};
	int err;

	if (!cpu_online(cpu))
		return -ENXIO;
	r.t = get_counters(cpu);
	if (!r.t)
		return -ENOMEM;
	c = kmalloc(sizeof(*c), GFP_KERNEL);
	if (!c)
		return -ENOMEM;
	c->setup.control = *control;
	c->setup.sampling = false;
	err = perfctr_change_prepare(r.t, c);
	if (err)
		goto free;
	err = -EINVAL;
	if (c->setup.slots > 1)
		goto out;
	/* No program reads this TSC by itself: nobody needs the interrupt. */
	c->setup.load.flags &= ~XENPERFCTR_LOAD_STOLEN;
	if (control->nr)
		r.change = c;
	err = smp_call_function_single(cpu, control_ipi, &r, 1) ?: r.err;
out:
	perfctr_change_done(c);
free:
	kfree(c);
	return err;
}

/* By a handle that has the claim. */
int perfctr_cpu_control(const struct perfctr_dev_cpu *arg)
{
	unsigned int i;
	int err;

	if (arg->cpu >= nr_cpu_ids || !cpu_possible(arg->cpu))
		return -ENXIO;
	if (arg->pad || arg->control.flags & ~PERFCTR_CTL_TSC_ON)
		return -EINVAL;
	for (i = 0; i < min_t(u32, arg->control.nr, PERFCTR_MAX_COUNTERS); i++)
		if (arg->control.counter[i].ireset)
			return -EINVAL;

	cpus_read_lock();
	mutex_lock(&cpu_mutex);
	err = control_locked(arg->cpu, &arg->control);
	mutex_unlock(&cpu_mutex);
	cpus_read_unlock();
	return err;
}

/* By a handle that has the claim. */
int perfctr_cpu_read(struct perfctr_dev_cpu *arg)
{
	struct perfctr_thread *t;
	int err = 0;

	if (arg->cpu >= nr_cpu_ids || !cpu_possible(arg->cpu))
		return -ENXIO;
	memset(&arg->control, 0, sizeof(arg->control));
	memset(&arg->sums, 0, sizeof(arg->sums));

	cpus_read_lock();
	mutex_lock(&cpu_mutex);
	t = per_cpu(cpu_counters, arg->cpu);
	if (t) {
		perfctr_vcpu_fold_running(t, NULL);
		perfctr_thread_read(t, &arg->sums);
		perfctr_thread_get_control(t, &arg->control);
	} else if (!cpu_online(arg->cpu)) {
		err = -ENXIO;
	}
	mutex_unlock(&cpu_mutex);
	cpus_read_unlock();
	return err;
}

/* On a vCPU that has counters again, interrupts off. */
void perfctr_cpu_resume(void)
{
	struct perfctr_thread *t = this_cpu_read(cpu_counters);

	if (t)
		perfctr_thread_resume(t);
}

/* After the above: of vCPUs that were there before the guest was suspended. */
void perfctr_cpu_resumed(void)
{
	struct perfctr_thread *t;
	unsigned long flags;
	unsigned int cpu;

	/* The caller has cpus_read_lock(). */
	mutex_lock(&cpu_mutex);
	for_each_possible_cpu(cpu) {
		t = per_cpu(cpu_counters, cpu);
		if (!t || cpu_online(cpu))
			continue;
		local_irq_save(flags);
		perfctr_thread_vcpu_absent(t);
		local_irq_restore(flags);
	}
	mutex_unlock(&cpu_mutex);
}

/* On the vCPU that goes offline, interrupts off, while it still has counters. */
void perfctr_cpu_offline(void)
{
	struct perfctr_thread *t = this_cpu_read(cpu_counters);

	if (t)
		perfctr_thread_vcpu_gone(t);
}

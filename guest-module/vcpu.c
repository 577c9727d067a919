// SPDX-License-Identifier: GPL-2.0-only
/*
 * One vCPU: which control it has loaded, whose thread counts on it, the timer
 * that folds counters before they wrap, and its page shared with Xen.
 *
 * Everything here belongs to one CPU and is touched only on that CPU with
 * interrupts off: by a switch, by a thread's own ioctl, by the timer and by
 * the IPI of perfctr_vcpu_stop_idle().  That is the only lock.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/gfp.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/topology.h>

#include <asm/xen/page.h>

#include <xen/xen-ops.h>

#include "compat.h"
#include "perfctr.h"

/**
 * struct perfctr_vcpu - what we know of one vCPU
 * @page: Xen writes here; NULL: not registered
 * @running: the thread that is current and counts
 * @generation: @page->generation after we loaded @loaded
 * @loaded: the control in Xen; nr 0: none
 * @timer: folds
 * @timer_armed: it will come
 */
struct perfctr_vcpu {
	struct xen_perfctr_page *page;
	struct perfctr_thread *running;
	u64 generation;
	struct xen_perfctr_load loaded;
	struct hrtimer timer;
	bool timer_armed;
};

static DEFINE_PER_CPU(struct perfctr_vcpu, perfctr_vcpus);

static unsigned int fold_ms;
module_param(fold_ms, uint, 0444);
MODULE_PARM_DESC(fold_ms, "milliseconds between folds, for tests (0: by the counters' width)");

static enum cpuhp_state hotplug_state;
static ktime_t fold_period __ro_after_init;
static bool initializing = true;

static size_t load_size(const struct xen_perfctr_load *load)
{
	return offsetof(struct xen_perfctr_load, counter[load->nr]);
}

/*
 * Make @load what this vCPU counts: with one hypercall, or none if that is
 * what it counts already.
 *
 * Controls are compared whole (events, counters, their order and modes), never
 * by an id.  The generation tells that nobody but us changed the control since.
 */
int perfctr_vcpu_load(const struct xen_perfctr_load *load)
{
	struct perfctr_vcpu *v = this_cpu_ptr(&perfctr_vcpus);
	int err;

	if (unlikely(!v->page))
		return -ENODEV;
	if (v->loaded.nr == load->nr && perfctr_vcpu_still_loaded() &&
	    !memcmp(&v->loaded, load, load_size(load)))
		return 0;

	err = perfctr_xen_op(XENPERFCTR_OP_load, load);
	/* @loaded is still in force.  Our callers have another use for ENOENT. */
	if (unlikely(err))
		return err == -ENOENT ? -ENODEV : err;
	memcpy(&v->loaded, load, load_size(load));
	v->generation = READ_ONCE(v->page->generation);
	return 0;
}

/* What is loaded is not what we think: the next load asks Xen. */
void perfctr_vcpu_forget(void)
{
	this_cpu_write(perfctr_vcpus.loaded.nr, 0);
}

/*
 * False: somebody else changed this vCPU's control since our last load, so a
 * difference between two values of a counter means nothing.
 */
bool perfctr_vcpu_still_loaded(void)
{
	struct perfctr_vcpu *v = this_cpu_ptr(&perfctr_vcpus);

	/* Xen writes only while this vCPU does not run: no retry loop. */
	return likely(v->page) && READ_ONCE(v->page->generation) == v->generation;
}

u64 perfctr_vcpu_tsc_stolen(void)
{
	struct perfctr_vcpu *v = this_cpu_ptr(&perfctr_vcpus);

	return likely(v->page) ? READ_ONCE(v->page->tsc_stolen) : 0;
}

struct perfctr_thread *perfctr_vcpu_running(void)
{
	return this_cpu_read(perfctr_vcpus.running);
}

/*
 * The timer is armed when a thread starts to count and there is none, and it
 * rearms itself only if a thread counts when it comes: so a CPU on which
 * nobody counts has none after one period at most, and a switch never has to
 * cancel one.  A thread that counts without a switch is folded at least once
 * per period, because whenever it started the timer was due within one.
 *
 * Must be callable from sched_in, with no runqueue lock held; with NULL also
 * from sched_out, with one held.
 */
void perfctr_vcpu_set_running(struct perfctr_thread *t)
{
	struct perfctr_vcpu *v = this_cpu_ptr(&perfctr_vcpus);

	v->running = t;
	/* Not where we are not registered: nothing would cancel it there. */
	if (t && v->page && !v->timer_armed) {
		v->timer_armed = true;
		hrtimer_start(&v->timer, fold_period, HRTIMER_MODE_REL_PINNED_HARD);
	}
}

static enum hrtimer_restart fold_timer(struct hrtimer *timer)
{
	struct perfctr_vcpu *v = container_of(timer, struct perfctr_vcpu, timer);

	if (!v->running) {
		v->timer_armed = false;
		return HRTIMER_NORESTART;
	}
	perfctr_thread_fold(v->running);
	hrtimer_forward_now(timer, fold_period);
	return HRTIMER_RESTART;
}

/*
 * Half of the narrowest counter's range, at a rate no CPU reaches.  The other
 * half is for a timer that is late.
 */
static ktime_t __init choose_fold_period(void)
{
	const struct perfctr_dev_info *info = &perfctr_info;
	unsigned int width = 64;
	u64 ns;

	if (fold_ms)
		return ms_to_ktime(fold_ms);
	if (info->general)
		width = min(width, info->general_width);
	if (info->fixed)
		width = min(width, info->fixed_width);
	/* 2^(width - 1) events at 2^34 a second; no more than an hour. */
	ns = mul_u64_u64_div_u64(NSEC_PER_SEC, BIT_ULL(min(width - 1, 47U)), BIT_ULL(34));
	return ns_to_ktime(clamp_t(u64, ns, 10 * NSEC_PER_MSEC,
				   3600ULL * NSEC_PER_SEC));
}

/* IPI.  A thread that starts after this finds no control and loads its own. */
static void stop_idle(void *unused)
{
	struct perfctr_vcpu *v = this_cpu_ptr(&perfctr_vcpus);
	int err;

	if (!v->page || v->running || !v->loaded.nr)
		return;
	v->loaded.nr = 0;
	err = perfctr_xen_op(XENPERFCTR_OP_stop, NULL);
	if (err)
		pr_warn_ratelimited("perfctr: CPU %u: can't stop counters (error %d)\n",
				    smp_processor_id(), err);
}

/* Takes the counters, and with them user mode's RDPMC, from idle vCPUs. */
void perfctr_vcpu_stop_idle(void)
{
	on_each_cpu(stop_idle, NULL, 1);
}

static int register_vcpu(unsigned int cpu, struct xen_perfctr_page *page)
{
	struct xen_perfctr_register reg = {
		.vcpu_id = xen_vcpu_nr(cpu),
		.gfn = virt_to_gfn(page),
	};
	int err;

	err = perfctr_xen_op(XENPERFCTR_OP_register_vcpu, &reg);
	if (err != -EEXIST)
		return err;
	/* Left by the kernel before this one (kexec): its page is not ours. */
	err = perfctr_xen_op(XENPERFCTR_OP_unregister_vcpu, &reg);
	return err ?: perfctr_xen_op(XENPERFCTR_OP_register_vcpu, &reg);
}

/* Runs on @cpu, in its hotplug thread, before user threads can run there. */
static int vcpu_online(unsigned int cpu)
{
	struct perfctr_vcpu *v = per_cpu_ptr(&perfctr_vcpus, cpu);
	struct xen_perfctr_page *xen_page;
	struct page *page;
	int err;

	page = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);
	err = page ? register_vcpu(cpu, page_address(page)) : -ENOMEM;
	if (err) {
		if (page)
			__free_page(page);
		if (initializing)
			return err;	/* perfctr_vcpu_init() says why */
		/* A CPU without counters is better than no CPU. */
		pr_err("perfctr: CPU %u has no counters (error %d); threads that count end with an error there\n",
		       cpu, err);
		return 0;
	}
	xen_page = page_address(page);

	local_irq_disable();
	v->loaded.nr = 0;
	v->generation = READ_ONCE(xen_page->generation);
	v->page = xen_page;
	local_irq_enable();
	return 0;
}

/* Runs on @cpu, in its hotplug thread, after user threads were moved away. */
static int vcpu_offline(unsigned int cpu)
{
	struct perfctr_vcpu *v = per_cpu_ptr(&perfctr_vcpus, cpu);
	struct xen_perfctr_register reg = { .vcpu_id = xen_vcpu_nr(cpu) };
	struct xen_perfctr_page *xen_page;
	int err;

	local_irq_disable();
	xen_page = v->page;
	v->page = NULL;
	WARN_ON_ONCE(v->running);	/* current is the hotplug thread */
	v->loaded.nr = 0;
	local_irq_enable();

	/* Else it would move to another CPU, and fold there. */
	hrtimer_cancel(&v->timer);
	v->timer_armed = false;

	if (!xen_page)
		return 0;
	err = perfctr_xen_op(XENPERFCTR_OP_unregister_vcpu, &reg);
	/* ENOENT: somebody did it for us. */
	if (err && err != -ENOENT) {
		/* Xen may still write to it: a page lost, not memory corrupted. */
		pr_err("perfctr: CPU %u: Xen keeps its page (error %d); not freed\n",
		       cpu, err);
		return 0;
	}
	free_page((unsigned long)xen_page);
	return 0;
}

int __init perfctr_vcpu_init(void)
{
	unsigned int cpu;
	int err;

	BUILD_BUG_ON(sizeof(struct xen_perfctr_page) > PAGE_SIZE);

	fold_period = choose_fold_period();
	for_each_possible_cpu(cpu) {
		struct perfctr_vcpu *v = per_cpu_ptr(&perfctr_vcpus, cpu);

		compat_hrtimer_setup(&v->timer, fold_timer, CLOCK_MONOTONIC,
				     HRTIMER_MODE_REL_PINNED_HARD);
	}

	err = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "xen/perfctr:online",
				vcpu_online, vcpu_offline);
	initializing = false;
	if (err < 0) {
		perfctr_xen_explain(err);
		return err;
	}
	hotplug_state = err;
	return 0;
}

void perfctr_vcpu_uninit(void)
{
	cpuhp_remove_state(hotplug_state);
}

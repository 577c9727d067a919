// SPDX-License-Identifier: GPL-2.0-only
/*
 * One vCPU: which control it has loaded, whose thread counts on it, the timers
 * that fold counters before they wrap and end a slot's turn, the interrupt that
 * comes with stolen time, and its page shared with Xen.
 *
 * Everything here belongs to one CPU and is touched only on that CPU with
 * interrupts off: by a switch, by a thread's own ioctl, by the interrupts and
 * by IPIs.  That is the only lock.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/gfp.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/platform_device.h>
#include <linux/pm.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/topology.h>

#include <asm/msr.h>
#include <asm/tsc.h>
#include <asm/xen/page.h>

#include <xen/events.h>
#include <xen/xen-ops.h>

#include "compat.h"
#include "perfctr.h"

DEFINE_PER_CPU(struct perfctr_vcpu, perfctr_vcpus);

static unsigned int fold_ms;
module_param(fold_ms, uint, 0444);
MODULE_PARM_DESC(fold_ms, "milliseconds between folds, for tests (0: by the counters' width)");

static enum cpuhp_state hotplug_state;
static ktime_t fold_period __ro_after_init;
static bool initializing = true;
/* From before this guest is saved until it has been restored. */
static bool suspended;
/*
 * Whether the host has the PMU that the controls are for, and whether that has been looked
 * at since this guest was restored. CPU hotplug and resume() come one after the other.
 */
static bool pmu_same = true, pmu_known = true;

static size_t load_size(const struct xen_perfctr_load *load)
{
	return offsetof(struct xen_perfctr_load, counter[load->nr]);
}

static bool load_by_page;

/*
 * Xen can take a control from the vCPU's page.  A PV guest's memory it reads as
 * fast wherever it is, so there it would be one copy more.
 */
void perfctr_vcpu_set_load_by_page(bool can)
{
	WRITE_ONCE(load_by_page, can && !xen_pv_domain());
}

static int xen_load(struct perfctr_vcpu *v, const struct xen_perfctr_load *load)
{
	struct xen_perfctr_load *to = (void *)v->page + XENPERFCTR_PAGE_LOAD;

	if (!READ_ONCE(load_by_page) || unlikely(!v->page))
		return perfctr_xen_op(XENPERFCTR_OP_load, load);
	memcpy(to, load, load_size(load));
	if (load->flags & XENPERFCTR_LOAD_LEFT)
		memcpy(to->left, load->left, load->nr * sizeof(load->left[0]));
	return perfctr_xen_op(XENPERFCTR_OP_load, NULL);
}

/* Of perfctr_vcpu_load(): what is loaded is something else. */
int perfctr_vcpu_load_other(struct perfctr_vcpu *v,
			    const struct xen_perfctr_load *load)
{
	int err;

	if (unlikely(!v->page))
		return -ENODEV;
	err = xen_load(v, load);
	/* @loaded is still in force.  Our callers have another use for ENOENT. */
	if (unlikely(err))
		return err == -ENOENT ? -ENODEV : err;
	memcpy(&v->loaded, load, load_size(load));
	/*
	 * A control that samples has to be loaded each time, as it says how far it
	 * is to the next overflow: not a bit that any control has.
	 */
	if (unlikely(load->flags & XENPERFCTR_LOAD_LEFT))
		v->loaded.flags = U32_MAX;
	v->is_loaded = true;
	v->generation = READ_ONCE(v->page->generation);
	return 0;
}

/*
 * @load, which was loaded here, is not any more: what the program is told.  Xen
 * says whether the host's policy has done it.
 */
int perfctr_vcpu_why_lost(const struct xen_perfctr_load *load)
{
	int err = xen_load(this_cpu_ptr(&perfctr_vcpus), load);

	/* It may have been for another reason, or be allowed again. */
	if (!err)
		perfctr_xen_op(XENPERFCTR_OP_stop, NULL);
	return err == -EPERM || err == -EACCES ? err : -EIO;
}

/* What is loaded is not what we think: the next load asks Xen. */
void perfctr_vcpu_forget(void)
{
	this_cpu_write(perfctr_vcpus.is_loaded, false);
}

/* Not where we are not registered: nothing would cancel it there. */
void perfctr_vcpu_arm_fold(struct perfctr_vcpu *v)
{
	if (!v->page)
		return;
	v->timer_armed = true;
	hrtimer_start(&v->timer, fold_period, HRTIMER_MODE_REL_PINNED_HARD);
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
 * A slot's turn ends in @ticks, if the thread that has just started goes on.
 * The timer stays when it does not: it costs less than to cancel it at each
 * switch, and one that finds a thread with some of its turn left comes again.
 */
void perfctr_vcpu_slice(u64 now, u64 ticks)
{
	struct perfctr_vcpu *v = this_cpu_ptr(&perfctr_vcpus);
	u64 ns;

	if (v->slice_armed && (s64)(v->slice_deadline - now) > 0 &&
	    v->slice_deadline - now <= ticks)
		return;
	if (unlikely(!v->page))
		return;
	v->slice_armed = true;
	v->slice_deadline = now + ticks;
	/* A little late rather than too early, and once more for nothing. */
	ns = mul_u64_u32_div(ticks, USEC_PER_SEC, tsc_khz) + NSEC_PER_USEC;
	hrtimer_start(&v->slice_timer, ns_to_ktime(ns), HRTIMER_MODE_REL_PINNED_HARD);
}

static enum hrtimer_restart slice_timer(struct hrtimer *timer)
{
	struct perfctr_vcpu *v = container_of(timer, struct perfctr_vcpu, slice_timer);

	v->slice_armed = false;
	/* Goes on to the next slot, or not; asks for the timer if it needs it. */
	if (v->running)
		perfctr_thread_slice(v->running);
	return HRTIMER_NORESTART;
}

/* Here, maybe by an IPI.  A thread that starts after this finds no control and loads its own. */
static void stop_idle(void *unused)
{
	struct perfctr_vcpu *v = this_cpu_ptr(&perfctr_vcpus);
	int err;

	if (!v->page || v->running || !v->is_loaded)
		return;
	v->is_loaded = false;
	err = perfctr_xen_op(XENPERFCTR_OP_stop, NULL);
	if (err)
		pr_warn_ratelimited("perfctr: CPU %u: can't stop counters (error %d)\n",
				    smp_processor_id(), err);
}

/*
 * VIRQ_PERFCTR: a counter has overflowed; or this vCPU was kept from running, or
 * the host's policy has taken its control away: the thread's page has to say so
 * before user mode can look at it.
 */
static irqreturn_t virq_interrupt(int irq, void *unused)
{
	struct perfctr_thread *t = perfctr_vcpu_running();

	if (t) {
		perfctr_thread_interrupt(t);
	} else if (this_cpu_read(perfctr_vcpus.loaded.flags) == U32_MAX) {
		/*
		 * What the last thread has left samples, and Xen may let it go
		 * on: each overflow would cost threads that do not count.
		 */
		stop_idle(NULL);
	}
	return IRQ_HANDLED;
}

/*
 * A sampling control was loaded or resumed just now: has Xen put its overflows
 * off?  Then a timer will load it anew.
 */
bool perfctr_vcpu_was_throttled(void)
{
	struct perfctr_vcpu *v = this_cpu_ptr(&perfctr_vcpus);
	u32 throttled;

	if (unlikely(!v->page))
		return false;
	throttled = READ_ONCE(v->page->throttled);
	if (likely(throttled == v->throttled))
		return false;
	v->throttled = throttled;
	/* Xen counts them in intervals of 10 ms. */
	hrtimer_start(&v->throttle_timer, ms_to_ktime(10), HRTIMER_MODE_REL_PINNED_HARD);
	return true;
}

static enum hrtimer_restart throttle_timer(struct hrtimer *timer)
{
	struct perfctr_vcpu *v = container_of(timer, struct perfctr_vcpu, throttle_timer);

	if (v->running && v->running->throttled)
		perfctr_thread_unthrottle(v->running);
	return HRTIMER_NORESTART;
}

struct fold_target {
	const struct perfctr_thread *t;
	const struct perfctr_group *g;
};

static bool is_target(const struct perfctr_thread *t,
		      const struct fold_target *target)
{
	/* A pointer to compare. */
	return t && (t == target->t ||
		     (target->g && rcu_access_pointer(t->group) == target->g));
}

/* Preemption is off: what @running points to is not freed yet. */
static bool runs_target(int cpu, void *target)
{
	return is_target(READ_ONCE(per_cpu(perfctr_vcpus, cpu).running), target);
}

static void fold_target(void *target)
{
	struct perfctr_thread *t = perfctr_vcpu_running();

	if (is_target(t, target))
		perfctr_thread_fold(t);
}

/* A thread that starts on a CPU which was passed over was folded before. */
void perfctr_vcpu_fold_running(const struct perfctr_thread *t,
			       const struct perfctr_group *g)
{
	struct fold_target target = { .t = t, .g = g };

	on_each_cpu_cond(runs_target, fold_target, &target, true);
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

/* False: the page can be freed. */
static bool unregister_vcpu(unsigned int cpu)
{
	struct xen_perfctr_register reg = { .vcpu_id = xen_vcpu_nr(cpu) };
	int err;

	err = perfctr_xen_op(XENPERFCTR_OP_unregister_vcpu, &reg);
	/* ENOENT: somebody did it for us. */
	if (!err || err == -ENOENT)
		return false;
	/* Xen may still write to it: a page lost, not memory corrupted. */
	pr_err("perfctr: CPU %u: Xen keeps its page (error %d); not freed\n",
	       cpu, err);
	return true;
}

/* Event selects mean something else to another PMU. */
static bool same_pmu(void)
{
	if (!pmu_known) {
		pmu_same = perfctr_xen_same_pmu();
		pmu_known = true;
	}
	return pmu_same;
}

/* Runs on @cpu, in its hotplug thread, before user threads can run there. */
static int vcpu_online(unsigned int cpu)
{
	struct perfctr_vcpu *v = per_cpu_ptr(&perfctr_vcpus, cpu);
	struct xen_perfctr_page *xen_page;
	struct page *page;
	int err, irq = -1;

	/*
	 * Perhaps long after this guest was restored, perhaps before its devices
	 * are asked to resume. What is true of the PMU is for this one, too.
	 */
	if (!same_pmu())
		return 0;
	page = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);
	err = page ? register_vcpu(cpu, page_address(page)) : -ENOMEM;
	if (!err) {
		irq = bind_virq_to_irqhandler(VIRQ_PERFCTR, cpu, virq_interrupt,
					      IRQF_PERCPU | IRQF_NOBALANCING,
					      "perfctr", NULL);
		if (irq < 0) {
			err = irq;
			if (unregister_vcpu(cpu))
				page = NULL;
		}
	}
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
	v->is_loaded = false;
	v->generation = READ_ONCE(xen_page->generation);
	v->throttled = READ_ONCE(xen_page->throttled);
	v->page = xen_page;
	v->irq = irq;
	local_irq_enable();
	return 0;
}

/* Runs on @cpu, in its hotplug thread, after user threads were moved away. */
static int vcpu_offline(unsigned int cpu)
{
	struct perfctr_vcpu *v = per_cpu_ptr(&perfctr_vcpus, cpu);
	struct xen_perfctr_page *xen_page;

	local_irq_disable();
	perfctr_cpu_offline();
	xen_page = v->page;
	v->page = NULL;
	WARN_ON_ONCE(v->running);	/* current is the hotplug thread */
	v->is_loaded = false;
	local_irq_enable();

	/* Else they would move to another CPU, and fold there. */
	hrtimer_cancel(&v->timer);
	v->timer_armed = false;
	hrtimer_cancel(&v->slice_timer);
	v->slice_armed = false;
	hrtimer_cancel(&v->throttle_timer);

	/* Suspended, and offline before the host is: Xen does not have it. */
	if (!xen_page && v->suspended_page) {
		xen_page = v->suspended_page;
		v->suspended_page = NULL;
	}
	if (!xen_page)
		return 0;
	unbind_from_irqhandler(v->irq, NULL);
	if (!unregister_vcpu(cpu))
		free_page((unsigned long)xen_page);
	return 0;
}

/*
 * ----- suspend, save, live migration -----------------------------------------
 *
 * A guest that is restored is another domain, perhaps on another host: its vCPUs
 * have no counters there.  Before that programs are frozen, and then devices are
 * asked.  So nothing counts now but whole vCPUs, all counts are folded, and
 * threads start anew, with a new control, when they are switched in again.
 */

bool perfctr_vcpu_suspended(void)
{
	return READ_ONCE(suspended);
}

/* IPI */
static void suspend_vcpu(void *unused)
{
	struct perfctr_vcpu *v = this_cpu_ptr(&perfctr_vcpus);

	if (v->running)
		perfctr_thread_pause(v->running);
	v->is_loaded = false;
	if (!v->page)
		return;
	v->suspended_page = v->page;
	v->page = NULL;
	/*
	 * An error means that Xen keeps it.  It is ours until the next register,
	 * which undoes that of before.
	 */
	unregister_vcpu(smp_processor_id());
}

/* IPI */
static void resume_vcpu(void *unused)
{
	struct perfctr_vcpu *v = this_cpu_ptr(&perfctr_vcpus);
	struct xen_perfctr_page *page = v->suspended_page;
	int err;

	if (page) {
		err = register_vcpu(smp_processor_id(), page);
		if (err) {
			pr_err("perfctr: CPU %u has no counters any more (error %d); threads that count end with an error there\n",
			       smp_processor_id(), err);
		} else {
			v->suspended_page = NULL;
			v->generation = READ_ONCE(page->generation);
			v->throttled = READ_ONCE(page->throttled);
			v->page = page;
		}
	}
}

/* IPI */
static void resume_cpu(void *unused)
{
	perfctr_cpu_resume();
}

static int suspend(struct device *unused)
{
	WRITE_ONCE(suspended, true);
	cpus_read_lock();
	on_each_cpu(suspend_vcpu, NULL, 1);
	pmu_known = false;
	cpus_read_unlock();
	return 0;
}

static int resume(struct device *unused)
{
	cpus_read_lock();
	/* With another PMU no vCPU gets its page back. */
	if (same_pmu())
		on_each_cpu(resume_vcpu, NULL, 1);
	WRITE_ONCE(suspended, false);
	/* Only now, as whole vCPUs that counted end with an error where there is no page. */
	on_each_cpu(resume_cpu, NULL, 1);
	perfctr_cpu_resumed();
	cpus_read_unlock();
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(pm_ops, suspend, resume);

/* A device for its callbacks. */
static struct platform_driver pm_driver = {
	.driver = {
		.name = "perfctr",
		.pm = pm_sleep_ptr(&pm_ops),
	},
};

static struct platform_device *pm_device;

static int __init pm_init(void)
{
	int err;

	err = platform_driver_register(&pm_driver);
	if (err)
		return err;
	pm_device = platform_device_register_simple("perfctr", PLATFORM_DEVID_NONE, NULL, 0);
	if (!IS_ERR(pm_device))
		return 0;
	platform_driver_unregister(&pm_driver);
	return PTR_ERR(pm_device);
}

static void pm_uninit(void)
{
	platform_device_unregister(pm_device);
	platform_driver_unregister(&pm_driver);
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
		compat_hrtimer_setup(&v->slice_timer, slice_timer, CLOCK_MONOTONIC,
				     HRTIMER_MODE_REL_PINNED_HARD);
		compat_hrtimer_setup(&v->throttle_timer, throttle_timer, CLOCK_MONOTONIC,
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
	err = pm_init();
	if (err) {
		pr_err("perfctr: can't register for suspend (error %d)\n", err);
		cpuhp_remove_state(hotplug_state);
	}
	return err;
}

void perfctr_vcpu_uninit(void)
{
	pm_uninit();
	cpuhp_remove_state(hotplug_state);
}

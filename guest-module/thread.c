// SPDX-License-Identifier: GPL-2.0-only
/*
 * The counters of one thread.
 *
 * The state hangs off the thread's list of preempt notifiers: the scheduler
 * calls us when such a thread is switched in or out, and no other thread ever
 * enters this module on a switch.
 *
 * All changes happen on the CPU where the thread is current, with interrupts
 * off:
 *
 *	sched_out	under the runqueue lock, interrupts off: must not wake
 *			anything up, nor print
 *	sched_in	no lock, interrupts ON, preemption off
 *	ioctls		in the thread's own context
 *	fork		in the parent's context, preemption off; the child has
 *			not run yet
 *	exec, exit	in the thread's own context, preemption off
 *	fold		an interrupt (a timer, a VIRQ, an IPI), when the thread
 *			is running
 *
 * So between switch-out on one CPU and switch-in on the next the runqueue
 * locks order them, and there is never more than one writer.  The exception is
 * remote.c, which changes the set of a thread that is current nowhere while
 * nothing else runs (stop_machine()).  That can happen wherever preemption is
 * on, so what was learnt before is asked again with interrupts off (@ended).
 */
#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <asm/msr.h>
#include <asm/tsc.h>

#include "perfctr.h"

static_assert(sizeof(struct perfctr_page) <= PAGE_SIZE);

/* ----- what is on only while somebody counts ------------------------------ */

/*
 * Long enough that a shell loop of short programs does not flip it each time.
 * Not put off while it is pending, which would cost each STOP a timer.
 */
#define IDLE_DELAY	(HZ / 10)

static DEFINE_MUTEX(idle_mutex);	/* @notifiers_on, and @live going up */
static bool notifiers_on;
static atomic_t live = ATOMIC_INIT(0);		/* sets of counters */
/* Sets with a control; or IN_FORCE_CPUS: whole vCPUs are counted. */
static atomic_t in_force = ATOMIC_INIT(0);
#define IN_FORCE_CPUS	(-1)

static void idle_fn(struct work_struct *work);
static DECLARE_DELAYED_WORK(idle_work, idle_fn);

/*
 * Nobody counts any more: stop the vCPUs' counters, so that Xen has nothing to
 * switch; and without a set, let the scheduler skip the notifiers again.  Both
 * are harmless if a thread starts meanwhile: it loads its control anew.
 */
static void idle_fn(struct work_struct *work)
{
	mutex_lock(&idle_mutex);
	if (!atomic_read(&in_force))
		perfctr_vcpu_stop_idle();
	if (notifiers_on && !atomic_read(&live)) {
		preempt_notifier_dec();
		notifiers_on = false;
	}
	mutex_unlock(&idle_mutex);
}

/* Before perfctr_thread_register(), which needs the notifiers; sleeps. */
void perfctr_thread_live_get(void)
{
	mutex_lock(&idle_mutex);
	atomic_inc(&live);
	if (!notifiers_on) {
		preempt_notifier_inc();
		notifiers_on = true;
	}
	mutex_unlock(&idle_mutex);
}

/* One that is pending comes soon enough, and costs nothing here. */
static void idle_soon(void)
{
	if (!delayed_work_pending(&idle_work))
		queue_delayed_work(system_wq, &idle_work, IDLE_DELAY);
}

void perfctr_thread_live_put(void)
{
	if (atomic_dec_and_test(&live))
		idle_soon();
}

/* False: whole vCPUs are counted. */
static bool set_in_force(struct perfctr_thread *t, bool is)
{
	if (t->whole_vcpu)
		return true;
	if (is && !t->in_force && !atomic_inc_unless_negative(&in_force))
		return false;
	if (!is && t->in_force && atomic_dec_and_test(&in_force))
		idle_soon();
	t->in_force = is;
	return true;
}

/*
 * A vCPU counts for one thread at a time or for all that runs on it.  Both
 * sides ask with one atomic operation before they load anything, so neither
 * can come in between.  False: there are threads with a control, or somebody
 * else has asked.
 */
bool perfctr_thread_exclude(void)
{
	return !atomic_cmpxchg(&in_force, 0, IN_FORCE_CPUS);
}

void perfctr_thread_include(void)
{
	atomic_set(&in_force, 0);
	mod_delayed_work(system_wq, &idle_work, IDLE_DELAY);
}

/* ----- counting: all with interrupts off ---------------------------------- */

/*
 * The instruction itself, not the kernel's rdpmcl(): for a PV kernel that one
 * goes to an emulation of upstream's vPMU.  Our vCPU may execute it, in ring 3
 * as well, while it has a control loaded.  That it has is Xen's promise, and
 * if the promise is broken, the kernel shall not crash: *@err is not 0 then,
 * and else what it was.
 */
static __always_inline u64 read_counter(u32 index, int *err)
{
	u64 low, high;

	asm volatile("1: rdpmc\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_EFAULT_REG, %[err])
		     : [err] "+r" (*err), "=a" (low), "=d" (high)
		     : "c" (index)
		     : "memory");
	return low | high << 32;
}

/*
 * What the page says of counters that run is true whenever its thread can look:
 * so it is left over a switch, and changes only when the thread comes back to
 * something else.
 */
static void page_start(struct perfctr_thread *t)
{
	const struct perfctr_setup *s = &t->setup;
	struct perfctr_page *page = t->page;
	unsigned int i;

	for (i = 0; i < s->load.nr; i++)
		page->counter[s->map[i]].index = s->load.counter[i].index;
	if (s->tsc) {
		page->tsc_running = 1;
		/*
		 * Who reads all of them looks at each only without this: so not
		 * where an overflow may stop them in the middle of it, and the
		 * thread goes on without its signal first, or whoever attached.
		 */
		page->all_running = s->slots == 1 && !t->attached &&
			(!s->sampling || t->ring) ? s->load.nr : 0;
	}
	t->shown = true;
}

static void page_stop(struct perfctr_thread *t)
{
	const struct perfctr_setup *s = &t->setup;
	struct perfctr_page *page = t->page;
	unsigned int i;

	for (i = 0; i < s->load.nr; i++)
		page->counter[s->map[i]].index = -1;
	page->tsc_running = 0;
	page->all_running = 0;
	t->shown = false;
}

/* No control is in force any more.  What was counted, and of what, stays. */
static void drop_control(struct perfctr_thread *t)
{
	struct perfctr_dev_control *control = &t->setup.control;

	if (t->shown)
		page_stop(t);
	/* Behind @nr nothing is looked at. */
	memset(control, 0, offsetof(struct perfctr_dev_control, counter));
	t->setup.tsc = false;
	t->setup.sampling = false;
	t->counting = false;
	t->on_exec = false;
	if (unlikely(t->suspended)) {
		t->suspended = false;
		t->pending_signal = 0;
		t->page->status &= ~PERFCTR_STATUS_SUSPENDED;
	}
}

/* As fail(), of a set that runs nowhere. */
static void fail_stopped(struct perfctr_thread *t, int err)
{
	struct perfctr_page *page = t->page;

	raw_write_seqcount_begin(&t->seq);
	page->status = PERFCTR_STATUS_ERROR;
	page->error = err;
	page->sequence++;
	drop_control(t);
	raw_write_seqcount_end(&t->seq);
}

/*
 * Counting ends here, for a reason the program has to see.  The sums stay what
 * they were when they were last known to be right.  May be in sched_out.
 */
static void fail(struct perfctr_thread *t, int err)
{
	perfctr_vcpu_set_running(NULL);
	perfctr_vcpu_forget();
	fail_stopped(t, err);
}

/* The control that was loaded is not there any more. */
static noinline int lost(struct perfctr_thread *t)
{
	int err = perfctr_vcpu_why_lost(&t->setup.load);

	fail(t, err);
	return err;
}

/* The control can't be loaded here. */
static noinline int start_failed(struct perfctr_thread *t, int err)
{
	/*
	 * A CPU that goes down has given its page back, but a thread can still
	 * pass by on its way to another CPU.  In a guest that is suspended a
	 * frozen thread may wake up, look, and sleep again.
	 */
	if (err == -ENODEV && (!cpu_active(smp_processor_id()) || perfctr_vcpu_suspended())) {
		raw_write_seqcount_begin(&t->seq);
		page_stop(t);
		t->page->sequence++;
		raw_write_seqcount_end(&t->seq);
		return 0;
	}
	fail(t, err);
	return err;
}

static __always_inline int start_or_load(struct perfctr_thread *t, bool loaded)
{
	const struct perfctr_setup *s = &t->setup;
	struct perfctr_page *page = t->page;
	unsigned int i, nr;
	int err = 0;

	if (unlikely(s->slots > 1) && perfctr_slots_due(t)) {
		raw_write_seqcount_begin(&t->seq);
		page_stop(t);
		perfctr_slots_next(t);
		raw_write_seqcount_end(&t->seq);
	}
	if (!loaded) {
		if (unlikely(s->sampling))
			perfctr_sample_before_load(t);
		err = perfctr_vcpu_load(&s->load);
	}
	if (unlikely(err))
		return start_failed(t, err);
	perfctr_vcpu_set_running(t);
	if (unlikely(s->sampling)) {
		t->throttled = perfctr_vcpu_was_throttled();
		memset(t->taken, 0, s->load.nr * sizeof(t->taken[0]));
	}
	if (unlikely(s->slots > 1))
		perfctr_vcpu_slice(rdtsc(), perfctr_slots_left(t));

	nr = s->load.nr;
	raw_write_seqcount_begin(&t->seq);
	if (unlikely(!t->shown))
		page_start(t);
	page->sequence++;
	if (s->tsc)
		page->tsc_start = perfctr_vcpu_tsc(&t->tsc_stolen);
	/*
	 * Last, so that neither the hypercall nor the above is counted for the
	 * thread.
	 */
	if (likely(s->slots == 1)) {
		/* The positions in @s->map are those in the control. */
#pragma GCC unroll 4
		for (i = 0; i < nr; i++)
			page->counter[i].start =
				read_counter(s->load.counter[i].index, &err);
	} else {
		for (i = 0; i < nr; i++)
			page->counter[s->map[i]].start =
				read_counter(s->load.counter[i].index, &err);
	}
	raw_write_seqcount_end(&t->seq);

	return unlikely(err) ? lost(t) : 0;
}

static int start(struct perfctr_thread *t)
{
	return start_or_load(t, false);
}

/* Of a control that was loaded just now. */
static noinline int start_loaded(struct perfctr_thread *t)
{
	return start_or_load(t, true);
}

static __always_inline void add_up(struct perfctr_page_counter *c, u64 now)
{
	c->sum += perfctr_delta(now, c->start, c->mask);
	c->start = now;
}

/* Where Xen's page has what concerns this counter. */
static unsigned int xen_slot(u32 index)
{
	return index >= XENPERFCTR_INDEX_FIXED ?
		XENPERFCTR_MAX_GENERAL + index - XENPERFCTR_INDEX_FIXED : index;
}

/*
 * Of a control that Xen re-arms: the counters, and what was taken from them since
 * they were loaded.  What was taken since they were read last is as if it had not
 * been there at the start.
 *
 * They don't count now, but an overflow whose interrupt was late may be dealt with
 * in between; Xen's interrupt then comes after this.
 */
static noinline int read_rearmed(struct perfctr_thread *t)
{
	const struct perfctr_setup *s = &t->setup;
	const struct xen_perfctr_page *xen = this_cpu_read(perfctr_vcpus.page);
	unsigned int i;
	int err = 0;
	u32 rearms;

	if (unlikely(!xen))
		return -ENODEV;
	do {
		rearms = READ_ONCE(xen->rearms);
		barrier();
		for (i = 0; i < s->load.nr; i++) {
			struct perfctr_page_counter *c = &t->page->counter[s->map[i]];
			const u32 index = s->load.counter[i].index;
			const u64 taken = READ_ONCE(xen->taken[xen_slot(index)]);

			t->now[i] = read_counter(index, &err);
			if (!(s->load.counter[i].flags & XENPERFCTR_COUNTER_SAMPLING) ||
			    taken == t->taken[i])
				continue;
			c->start -= taken - t->taken[i];
			t->taken[i] = taken;
			t->rearmed |= BIT(s->map[i]);
		}
		barrier();
	} while (unlikely(READ_ONCE(xen->rearms) != rearms));
	return err;
}

/*
 * Add what was counted since the start to the sums, and start from there: each
 * counter is read once, so nothing is lost in between.
 */
static int fold(struct perfctr_thread *t)
{
	const struct perfctr_setup *s = &t->setup;
	struct perfctr_page *page = t->page;
	const unsigned int nr = s->load.nr;
	unsigned int i;
	int err = 0;

	/* First, so that our own work is not counted for the thread. */
	if (unlikely(s->load.flags & XENPERFCTR_LOAD_REARM)) {
		err = read_rearmed(t);
	} else {
#pragma GCC unroll 4
		for (i = 0; i < nr; i++)
			t->now[i] = read_counter(s->load.counter[i].index, &err);
	}

	/*
	 * Only now, so that it covers all of the interval.  If somebody else
	 * changed what the counters count, the values mean nothing.
	 */
	if (unlikely(err || !perfctr_vcpu_still_loaded()))
		return lost(t);

	raw_write_seqcount_begin(&t->seq);
	if (likely(s->slots == 1)) {
#pragma GCC unroll 4
		for (i = 0; i < nr; i++)
			add_up(&page->counter[i], t->now[i]);
	} else {
		for (i = 0; i < nr; i++)
			add_up(&page->counter[s->map[i]], t->now[i]);
	}
	if (s->tsc) {
		u64 stolen_now, tsc = perfctr_vcpu_tsc(&stolen_now);
		u64 ticks = perfctr_ticks(tsc, page->tsc_start);
		u64 stolen = perfctr_ticks_stolen(ticks, stolen_now, t->tsc_stolen);

		/*
		 * User mode has not seen the ticks that we take away: where
		 * there are some, Xen's interrupt came before it could look.
		 */
		page->tsc_stolen += stolen;
		page->tsc_sum += ticks - stolen;
		page->tsc_start = tsc;
		t->tsc_stolen = stolen_now;
		if (s->slots > 1)
			perfctr_slots_account(t, ticks - stolen);
	}
	page->sequence++;
	raw_write_seqcount_end(&t->seq);
	return 0;
}

/* @t runs no more: its sums are its counts. */
static __always_inline void hide(struct perfctr_thread *t)
{
	perfctr_vcpu_set_running(NULL);

	raw_write_seqcount_begin(&t->seq);
	page_stop(t);
	raw_write_seqcount_end(&t->seq);
}

void perfctr_thread_hide(struct perfctr_thread *t)
{
	hide(t);
}

/* Fold, and leave the page so that the sums are the counts. */
static int stop(struct perfctr_thread *t)
{
	int err;

	err = fold(t);
	if (unlikely(err))
		return err;
	hide(t);
	if (unlikely(t->setup.sampling))
		perfctr_sample_stopped(t);
	return 0;
}

static bool is_running(const struct perfctr_thread *t)
{
	return perfctr_vcpu_running() == t;
}

int perfctr_thread_fold_only(struct perfctr_thread *t)
{
	return fold(t);
}

/* @t is running and was folded just now. */
void perfctr_thread_folded(struct perfctr_thread *t)
{
	if (t->setup.slots == 1 || !perfctr_slots_due(t))
		return;
	/* The next slot's turn. */
	perfctr_vcpu_set_running(NULL);
	start(t);
}

/*
 * @t is running.  One that samples has to be looked at for overflows before its
 * counters are another slot's: by perfctr_thread_interrupt().
 */
void perfctr_thread_fold(struct perfctr_thread *t)
{
	if (!fold(t) && likely(!t->setup.sampling))
		perfctr_thread_folded(t);
}

/* VIRQ_PERFCTR, or the timer of slots.  @t is running. */
void perfctr_thread_interrupt(struct perfctr_thread *t)
{
	if (t->setup.sampling)
		perfctr_sample_interrupt(t);
	else
		perfctr_thread_fold(t);
}

/* @t is running, its overflow was dealt with: go on. */
void perfctr_thread_after_overflow(struct perfctr_thread *t)
{
	int err;

	if (t->setup.load.flags & XENPERFCTR_LOAD_REARM) {
		/* It does. */
		t->throttled |= perfctr_vcpu_was_throttled();
		perfctr_thread_folded(t);
		return;
	}
	if (unlikely(t->setup.slots > 1)) {
		start(t);
		return;
	}
	err = perfctr_xen_op(XENPERFCTR_OP_resume, NULL);
	if (unlikely(err))
		fail(t, err);
	else
		start_loaded(t);
}

/* @t, current's, was stopped and is to go on, if that has not found an overflow. */
static void go_on(struct perfctr_thread *t)
{
	if (t->counting)
		start(t);
	/* Else its interrupt will find nobody, and the next switch may be far. */
	else if (unlikely(t->pending_signal))
		perfctr_sample_signal(t);
}

/* @t is running, and was told that its overflows are put off: no more. */
void perfctr_thread_unthrottle(struct perfctr_thread *t)
{
	if (!stop(t))
		go_on(t);
}

/*
 * @t is the calling thread's, or of one that is kept from running.
 */
int perfctr_thread_iresume(struct perfctr_thread *t)
{
	unsigned long flags;
	int err;

	local_irq_save(flags);
	err = t->ended ? -ENOENT : perfctr_sample_iresume(t);
	if (!err && perfctr_thread_of(current) == t)
		start(t);
	local_irq_restore(flags);
	return err;
}

/* @t is the calling thread's, or of one that is kept from running.  They are @t's then. */
int perfctr_thread_set_ring(struct perfctr_thread *t, struct perfctr_ring *ring,
			    struct perfctr_maps *maps)
{
	unsigned long flags;
	int err = 0;

	local_irq_save(flags);
	if (t->ended) {
		err = -ENOENT;
	} else if (t->in_force) {
		err = -EBUSY;
	} else if (t->ring) {
		err = -EEXIST;
	} else {
		t->ring = ring;
		t->maps = maps;
	}
	local_irq_restore(flags);
	return err;
}

/* The timer of slots, which may come early, or be another thread's.  @t is running. */
void perfctr_thread_slice(struct perfctr_thread *t)
{
	if (t->setup.slots == 1)
		return;
	perfctr_thread_interrupt(t);
	if (is_running(t))
		perfctr_vcpu_slice(rdtsc(), perfctr_slots_left(t));
}

static struct perfctr_thread *from_notifier(struct preempt_notifier *notifier)
{
	return container_of(notifier, struct perfctr_thread, notifier);
}

static void sched_in(struct preempt_notifier *notifier, int cpu)
{
	struct perfctr_thread *t = from_notifier(notifier);

	if (!t->counting) {
		/* It overflowed as it was switched out. */
		if (unlikely(t->pending_signal))
			perfctr_sample_signal(t);
		return;
	}
	/* Against the timers and the IPIs; the kernel enabled them before. */
	local_irq_disable();
	start(t);
	local_irq_enable();
}

static void sched_out(struct preempt_notifier *notifier,
		      struct task_struct *next)
{
	struct perfctr_thread *t = from_notifier(notifier);

	/*
	 * The vCPU's counters go on: the next thread that counts the same
	 * finds them loaded.  The page still says that they run: it is looked
	 * at again when the thread is, and has a new start then.
	 */
	if (is_running(t) && likely(!fold(t))) {
		perfctr_vcpu_set_running(NULL);
		if (unlikely(t->setup.sampling))
			perfctr_sample_switched_out(t);
	}
}

static struct preempt_ops preempt_ops = {
	.sched_in = sched_in,
	.sched_out = sched_out,
};

/* ----- life --------------------------------------------------------------- */

/* Of the counters only those that there are. */
static void copy_setup(struct perfctr_setup *to, const struct perfctr_setup *from)
{
	const unsigned int nr = from->control.nr;

	memcpy(&to->control, &from->control,
	       offsetof(struct perfctr_dev_control, counter[nr]));
	memcpy(&to->load, &from->load,
	       offsetof(struct xen_perfctr_load, counter[from->load.nr]));
	memcpy(to->map, from->map, sizeof(to->map));
	to->slots = from->slots;
	to->slot = from->slot;
	to->tsc = from->tsc;
	to->sampling = from->sampling;
	to->may_rearm = from->may_rearm;
	to->slice = from->slice;
}

/*
 * The counters of @task, or NULL.  Preemption is off, and @task is current or
 * kept from running.
 */
struct perfctr_thread *perfctr_thread_of(const struct task_struct *task)
{
	struct preempt_notifier *notifier;

	hlist_for_each_entry(notifier, &task->preempt_notifiers, link)
		if (notifier->ops == &preempt_ops)
			return from_notifier(notifier);
	return NULL;
}

/* The calling thread's counters, with a reference, or NULL. */
struct perfctr_thread *perfctr_thread_get_current(void)
{
	struct perfctr_thread *t;

	/* Else remote.c could end it before we have the reference. */
	preempt_disable();
	t = perfctr_thread_of(current);
	if (t)
		kref_get(&t->ref);
	preempt_enable();
	return t;
}

bool perfctr_thread_is_current(const struct perfctr_thread *t)
{
	bool is;

	preempt_disable();
	is = perfctr_thread_of(current) == t;
	preempt_enable();
	return is;
}

/* A set that is nobody's yet, with the caller's reference; or NULL. */
struct perfctr_thread *perfctr_thread_alloc(gfp_t gfp)
{
	struct perfctr_thread *t;

	t = kzalloc(sizeof(*t), gfp);
	if (!t)
		return NULL;
	t->page = (struct perfctr_page *)get_zeroed_page(gfp);
	if (!t->page) {
		kfree(t);
		return NULL;
	}
	t->page->version = PERFCTR_ABI_VERSION_DEV;
	t->setup.slots = 1;
	kref_init(&t->ref);
	seqcount_init(&t->seq);
	preempt_notifier_init(&t->notifier, &preempt_ops);
	return t;
}

/*
 * @t is @task's from here on, and @task has a reference.  Preemption is off,
 * @task is current or kept from running, and somebody else, a handle or another
 * set, keeps the module.
 */
int perfctr_thread_register(struct perfctr_thread *t, struct task_struct *task)
{
	if (perfctr_thread_of(task))
		return -EEXIST;
	__module_get(THIS_MODULE);
	kref_get(&t->ref);
	t->task = task;
	t->mm = task->mm;
	/* preempt_notifier_register() does this for current only. */
	hlist_add_head(&t->notifier.link, &task->preempt_notifiers);
	return 0;
}

/* The set that the calling thread does not have yet, with a reference. */
struct perfctr_thread *perfctr_thread_create(void)
{
	struct perfctr_thread *t = perfctr_thread_alloc(GFP_KERNEL_ACCOUNT);
	int err;

	if (!t)
		return ERR_PTR(-ENOMEM);
	t->founder = true;
	perfctr_thread_live_get();
	preempt_disable();
	err = perfctr_thread_register(t, current);
	preempt_enable();
	if (err) {
		perfctr_thread_live_put();
		perfctr_thread_put(t);
		return ERR_PTR(err);
	}
	return t;
}

/* The new thread gets what its parent has.  The parent is not charged for it. */
static void inherit(struct perfctr_thread *parent, struct task_struct *child)
{
	struct perfctr_thread *t;
	unsigned int i;

	t = perfctr_thread_alloc(GFP_ATOMIC | __GFP_ACCOUNT | __GFP_NOWARN);
	if (!t) {
		perfctr_group_lost(parent);
		return;
	}
	/*
	 * The child has not run, and waking it up orders this; but it has a
	 * number already, by which another thread may have attached to it.
	 */
	if (perfctr_thread_register(t, child)) {
		perfctr_thread_put(t);
		perfctr_group_lost(parent);
		return;
	}
	copy_setup(&t->setup, &parent->setup);
	t->setup.control.preserve = 0;
	t->on_exec = parent->on_exec;
	t->counting = parent->counting || parent->suspended;
	t->cloexec = parent->cloexec;
	t->attached = parent->attached;
	if (t->setup.slots > 1) {
		perfctr_slots_load(&t->setup, 0);
		perfctr_slots_reset(t);
	}
	t->shown = false;
	t->page->nr = parent->page->nr;
	t->page->status = PERFCTR_STATUS_RUNNING;
	for (i = 0; i < PERFCTR_MAX_COUNTERS; i++) {
		t->page->counter[i].index = -1;
		t->page->counter[i].mask = parent->page->counter[i].mask;
	}
	/* The parent's own set keeps the notifiers on, and whole vCPUs away. */
	set_in_force(t, true);
	atomic_inc(&live);
	perfctr_group_inherit(parent, t);
	if (t->setup.sampling)
		perfctr_sample_reset(t);
	if (parent->ring) {
		perfctr_ring_get(parent->ring);
		t->ring = parent->ring;
		t->maps = perfctr_maps_alloc(t, GFP_ATOMIC | __GFP_ACCOUNT | __GFP_NOWARN);
		perfctr_sample_fork(t);
	}
	perfctr_thread_put(t);
}

void perfctr_thread_fork(struct perfctr_thread *parent,
			 struct task_struct *child)
{
	unsigned long flags;
	bool was_running;

	/* Worker threads of the kernel execute no program. */
	if (!(READ_ONCE(parent->setup.control.flags) & PERFCTR_CTL_INHERIT) ||
	    child->flags & (PF_KTHREAD | PF_IO_WORKER))
		return;

	local_irq_save(flags);
	was_running = is_running(parent) && !stop(parent);
	/* Once more: an interrupt, or this stop, may have found an error. */
	if (parent->setup.control.flags & PERFCTR_CTL_INHERIT)
		inherit(parent, child);
	if (was_running)
		go_on(parent);
	local_irq_restore(flags);
}

void perfctr_thread_get(struct perfctr_thread *t)
{
	kref_get(&t->ref);
}

/*
 * Others may stop @t's counters, and those of what inherits from it, while its
 * thread reads them.  It is kept from running.
 */
void perfctr_thread_attached(struct perfctr_thread *t)
{
	unsigned long flags;

	local_irq_save(flags);
	raw_write_seqcount_begin(&t->seq);
	t->attached = true;
	t->page->all_running = 0;
	t->page->sequence++;
	raw_write_seqcount_end(&t->seq);
	local_irq_restore(flags);
}

static void free_rcu_fn(struct rcu_head *rcu)
{
	struct perfctr_thread *t = container_of(rcu, struct perfctr_thread, rcu);

	/* A mapping that is being torn down may still hold the page. */
	free_page((unsigned long)t->page);
	kfree(t->maps);
	kfree(t);
}

static void release(struct kref *ref)
{
	struct perfctr_thread *t = container_of(ref, struct perfctr_thread, ref);

	perfctr_group_release(t);
	perfctr_ring_put(t->ring);
	/*
	 * Nobody looks at it any more; but we may be in a tracepoint, with
	 * preemption disabled, where a PREEMPT_RT kernel can't free.
	 */
	call_rcu(&t->rcu, free_rcu_fn);
}

void perfctr_thread_put(struct perfctr_thread *t)
{
	kref_put(&t->ref, release);
}

/*
 * The thread, which is current or kept from running, has no counters from here
 * on; handles and mappings keep the final counts.  @status and @error are added
 * to the page's.  -ENOENT: it had none already.
 */
static int end(struct perfctr_thread *t, u32 status, int error)
{
	unsigned long flags;

	local_irq_save(flags);
	if (t->ended) {
		local_irq_restore(flags);
		return -ENOENT;
	}
	if (is_running(t))
		stop(t);
	set_in_force(t, false);
	if (t->ring && status & PERFCTR_STATUS_EXITED)
		perfctr_sample_exit(t);

	raw_write_seqcount_begin(&t->seq);
	page_stop(t);
	/* What a tool reads of a program that has ended: counts, and of what. */
	if (status & PERFCTR_STATUS_EXITED) {
		t->final_nr = t->setup.control.nr;
		t->final_flags = t->setup.control.flags;
	}
	drop_control(t);
	t->page->status = (t->page->status & ~PERFCTR_STATUS_RUNNING) | status;
	if (error)
		t->page->error = error;
	t->page->sequence++;
	WRITE_ONCE(t->ended, true);
	raw_write_seqcount_end(&t->seq);

	perfctr_group_end(t);
	/* Who waits for the end of all. */
	if (t->ring)
		perfctr_ring_wake(t->ring);
	/* Interrupts off for this, too: no switch looks at a list in change. */
	preempt_notifier_unregister(&t->notifier);
	local_irq_restore(flags);

	perfctr_thread_live_put();
	perfctr_thread_put(t);
	/*
	 * The code we return through stays: an ioctl has the file's reference,
	 * a probe is waited for by perfctr_tracepoint_uninit().
	 */
	module_put(THIS_MODULE);
	return 0;
}

/* The caller has a reference. */
int perfctr_thread_unlink(struct perfctr_thread *t)
{
	return end(t, 0, 0);
}

void perfctr_thread_exit(struct perfctr_thread *t)
{
	end(t, PERFCTR_STATUS_EXITED, 0);
}

void perfctr_thread_exec(struct perfctr_thread *t, bool privileged)
{
	unsigned long flags;

	if (privileged) {
		t->refused = true;
		end(t, PERFCTR_STATUS_ERROR, -EPERM);
		return;
	}
	if (t->cloexec) {
		end(t, 0, 0);
		return;
	}
	WRITE_ONCE(t->mm, current->mm);
	if (t->ring) {
		local_irq_save(flags);
		perfctr_maps_exec(t);
		perfctr_sample_comm(t, current, true);
		local_irq_restore(flags);
	}
	if (!t->on_exec)
		return;
	local_irq_save(flags);
	t->on_exec = false;
	t->setup.control.flags &= ~PERFCTR_CTL_START_ON_EXEC;
	t->counting = true;
	start(t);
	local_irq_restore(flags);
}

/* ----- what a program asks for -------------------------------------------- */

/* Does the TSC's sum go on when @s takes the place of what is in force? */
bool perfctr_thread_keeps_tsc(const struct perfctr_thread *t,
			      const struct perfctr_setup *s)
{
	/* With turns it is what the counts are scaled by: goes with them. */
	if (t->setup.slots > 1 || s->slots > 1)
		return s->tsc && s->control.preserve;
	/* So it does over a STOP; the sum is 0 if there was none before. */
	return s->tsc && (t->setup.tsc || s->control.preserve);
}

/* The new control is loaded: put it in force, not counting yet. */
static void install(struct perfctr_thread *t, const struct perfctr_setup *new)
{
	const struct perfctr_dev_control *control = &new->control;
	const bool any = control->nr || new->tsc;
	const bool keeps_tsc = perfctr_thread_keeps_tsc(t, new);
	bool was_sampling;
	struct perfctr_page *page = t->page;
	unsigned int i, nr;

	raw_write_seqcount_begin(&t->seq);
	if (!keeps_tsc) {
		page->tsc_sum = 0;
		page->tsc_stolen = 0;
	}
	/* Behind both there is nothing. */
	nr = max(page->nr, control->nr);
	for (i = 0; i < nr; i++) {
		struct perfctr_page_counter *c = &page->counter[i];
		bool keep = control->preserve & BIT_ULL(i);

		c->index = -1;
		c->start = 0;
		c->mask = i >= control->nr ? 0 :
			control->counter[i].index >= PERFCTR_INDEX_FIXED ?
			perfctr_fixed_mask : perfctr_general_mask;
		if (!keep) {
			c->sum = 0;
			t->loaded[i] = 0;
		} else if (t->setup.slots == 1) {
			t->loaded[i] = page->tsc_sum;
		}
	}
	was_sampling = t->setup.sampling;
	copy_setup(&t->setup, new);
	t->cloexec = control->flags & PERFCTR_CTL_CLOEXEC;
	t->on_exec = control->flags & PERFCTR_CTL_START_ON_EXEC;
	t->counting = !t->on_exec && any;
	if (new->slots > 1)
		perfctr_slots_reset(t);

	t->shown = false;
	page->nr = control->nr;
	page->status = any ? PERFCTR_STATUS_RUNNING : 0;
	if (unlikely(new->sampling | was_sampling))
		perfctr_sample_reset(t);
	page->error = 0;
	page->tsc_running = 0;
	page->all_running = 0;
	page->sequence++;
	raw_write_seqcount_end(&t->seq);

	set_in_force(t, any);
}

#define CTL_FLAGS (PERFCTR_CTL_TSC_ON | PERFCTR_CTL_CLOEXEC | \
		   PERFCTR_CTL_START_ON_EXEC | PERFCTR_CTL_INHERIT | \
		   PERFCTR_CTL_RECORDS)

static int check(const struct perfctr_thread *t, struct perfctr_setup *s)
{
	const struct perfctr_dev_control *control = &s->control;
	const u32 both = PERFCTR_CTL_CLOEXEC | PERFCTR_CTL_START_ON_EXEC;
	int err;

	if (control->flags & ~CTL_FLAGS || (control->flags & both) == both)
		return -EINVAL;
	if (control->flags & PERFCTR_CTL_RECORDS &&
	    !(control->flags & PERFCTR_CTL_INHERIT))
		return -EINVAL;
	if (control->nr > PERFCTR_MAX_COUNTERS ||
	    control->preserve & ~(BIT_ULL(control->nr) - 1))
		return -EINVAL;
	err = perfctr_xen_check(s);
	if (err)
		return err;
	err = perfctr_slots_check(s);
	if (err)
		return err;
	/* A ring takes the place of a signal. */
	if (unlikely(control->si_signo) &&
	    (!s->sampling || READ_ONCE(t->ring) || control->si_signo > _NSIG))
		return -EINVAL;
	/* Inheriting takes memory, and a signal a lock, where a PREEMPT_RT kernel has none. */
	if (IS_ENABLED(CONFIG_PREEMPT_RT) &&
	    (control->flags & PERFCTR_CTL_INHERIT || control->si_signo))
		return -EOPNOTSUPP;
	return 0;
}

/*
 * Checks @c->setup.control, makes all the rest of @c, and takes all the memory
 * that putting it in force will need.
 */
int perfctr_change_prepare(struct perfctr_thread *t, struct perfctr_change *c)
{
	int err;

	err = check(t, &c->setup);
	if (err)
		return err;
	perfctr_slots_setup(&c->setup);
	err = perfctr_group_prepare(t, c);
	if (err)
		perfctr_change_done(c);
	return err;
}

/* Of a change that was prepared, be it in force or not. */
void perfctr_change_done(struct perfctr_change *c)
{
	if (c->grouped)
		perfctr_group_free_unused(c);
}

/* Each slot once, the first one last: Xen says now what it does not allow. */
static int try_load(struct perfctr_setup *s)
{
	unsigned int slot = s->slots;
	int err;

	while (slot-- > 1) {
		perfctr_slots_load(s, slot);
		err = perfctr_vcpu_load(&s->load);
		if (err)
			return err;
	}
	if (s->slots > 1)
		perfctr_slots_load(s, 0);
	return perfctr_vcpu_load(&s->load);
}

/*
 * Put @c in force, or leave all as it was.  Interrupts are off.  @here: @t is
 * the calling thread's, or this whole vCPU's, and starts at once.  Else its
 * thread is kept from running, as all that counts, and it starts when its
 * thread is switched in; that its control is loaded here first tells what Xen
 * thinks of it.
 */
int perfctr_thread_change(struct perfctr_thread *t, struct perfctr_change *c,
			  bool here)
{
	const struct perfctr_dev_control *control = &c->setup.control;
	const bool any = control->nr || c->setup.tsc;
	bool was_in_force, was_running;
	int err;

	if (t->ended)
		return -ENOENT;
	was_in_force = t->in_force;
	if (any && !set_in_force(t, true))
		return -EBUSY;
	was_running = is_running(t);
	if (was_running)
		was_running = !stop(t);
	err = perfctr_group_may_change(t, c);
	/* A sum that lacks something must not go on as if it did not. */
	if (!err && control->preserve && t->page->status & PERFCTR_STATUS_ERROR)
		err = t->page->error;
	if (!err && any)
		err = try_load(&c->setup);
	if (err) {
		if (was_running)
			go_on(t);
		set_in_force(t, was_in_force);
		return err;
	}
	perfctr_group_change(t, c);
	install(t, &c->setup);
	if (!t->counting || !here)
		return 0;
	/* What is left of a period has run on since it was loaded. */
	return unlikely(t->setup.sampling) ? start(t) : start_loaded(t);
}

/* @t is the calling thread's. */
int perfctr_thread_control(struct perfctr_thread *t, struct perfctr_change *c)
{
	unsigned long flags;
	int err;

	err = perfctr_change_prepare(t, c);
	if (err)
		return err;
	local_irq_save(flags);
	err = perfctr_thread_change(t, c, true);
	local_irq_restore(flags);
	perfctr_change_done(c);
	return err;
}

/*
 * @t is the calling thread's, or of one that is kept from running, or of this
 * whole vCPU.
 */
int perfctr_thread_stop(struct perfctr_thread *t)
{
	unsigned long flags;

	local_irq_save(flags);
	if (t->ended) {
		local_irq_restore(flags);
		return -ENOENT;
	}
	if (is_running(t))
		stop(t);
	set_in_force(t, false);

	raw_write_seqcount_begin(&t->seq);
	drop_control(t);
	t->page->status &= ~PERFCTR_STATUS_RUNNING;
	t->page->sequence++;
	raw_write_seqcount_end(&t->seq);
	local_irq_restore(flags);
	return 0;
}

/* IRQs off.  @t is running; it does not until it is started again. */
void perfctr_thread_pause(struct perfctr_thread *t)
{
	stop(t);
}

/* IRQs off.  Of a whole vCPU: nothing switches it in. */
void perfctr_thread_resume(struct perfctr_thread *t)
{
	if (t->counting && !t->ended)
		start(t);
}

/* This vCPU goes away: what @t counted on it is exact, and all.  IRQs off. */
void perfctr_thread_vcpu_gone(struct perfctr_thread *t)
{
	if (is_running(t) && !stop(t))
		fail(t, -ENXIO);
}

/* Its vCPU went away while the guest was suspended, and is not back.  IRQs off. */
void perfctr_thread_vcpu_absent(struct perfctr_thread *t)
{
	if (t->counting)
		fail_stopped(t, -ENXIO);
}

/* As of its last fold. */
void perfctr_thread_sums(const struct perfctr_thread *t,
			 struct perfctr_dev_sums *sums)
{
	const struct perfctr_page *page = t->page;
	unsigned int i, seq;

	do {
		memset(sums, 0, sizeof(*sums));
		seq = read_seqcount_begin(&t->seq);
		sums->tsc = page->tsc_sum;
		sums->stolen = page->tsc_stolen;
		sums->nr = page->nr;
		sums->status = page->status;
		sums->error = page->error;
		for (i = 0; i < sums->nr; i++) {
			sums->pmc[i] = page->counter[i].sum;
			sums->loaded[i] = t->setup.slots > 1 ?
				t->loaded[i] : page->tsc_sum;
		}
	} while (read_seqcount_retry(&t->seq, seq));
}

void perfctr_thread_read(struct perfctr_thread *t,
			 struct perfctr_dev_sums *sums)
{
	unsigned long flags;

	/* For itself: up to now.  What runs here is the caller's. */
	local_irq_save(flags);
	if (is_running(t))
		perfctr_thread_fold(t);
	local_irq_restore(flags);

	perfctr_thread_sums(t, sums);
}

void perfctr_thread_get_control(struct perfctr_thread *t,
				struct perfctr_dev_control *control)
{
	const struct perfctr_dev_control *from = &t->setup.control;
	unsigned int nr, seq;

	do {
		seq = read_seqcount_begin(&t->seq);
		memset(control, 0, sizeof(*control));
		/* One value, for all that it may just be changed. */
		nr = READ_ONCE(t->final_nr) ?: READ_ONCE(from->nr);
		nr = min_t(unsigned int, nr, PERFCTR_MAX_COUNTERS);
		memcpy(control, from, offsetof(struct perfctr_dev_control, counter[nr]));
		if (READ_ONCE(t->final_nr)) {
			control->nr = nr;
			control->flags = READ_ONCE(t->final_flags);
		}
	} while (read_seqcount_retry(&t->seq, seq));
}

/* ----- load and unload ---------------------------------------------------- */

void perfctr_thread_uninit(void)
{
	/* No set is left, and no probe that could queue it again. */
	cancel_delayed_work_sync(&idle_work);
	if (notifiers_on)
		preempt_notifier_dec();
	/* Our callbacks are in this module. */
	rcu_barrier();
}

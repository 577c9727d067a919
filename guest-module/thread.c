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
 *	exec, exit	in the thread's own context, preemption off
 *	fold		the timer's interrupt, when the thread is running
 *
 * So between switch-out on one CPU and switch-in on the next the runqueue
 * locks order them, and there is never more than one writer.
 */
#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <asm/msr.h>
#include <asm/tsc.h>

#include "perfctr.h"

static_assert(sizeof(struct perfctr_page) <= PAGE_SIZE);

/* ----- what is on only while somebody counts ------------------------------ */

/* Long enough that a shell loop of short programs does not flip it each time. */
#define IDLE_DELAY	(HZ / 10)

static DEFINE_MUTEX(idle_mutex);	/* @notifiers_on, and @live going up */
static bool notifiers_on;
static atomic_t live = ATOMIC_INIT(0);		/* sets of counters */
static atomic_t in_force = ATOMIC_INIT(0);	/* sets with counters to load */

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

static void live_get(void)
{
	mutex_lock(&idle_mutex);
	atomic_inc(&live);
	if (!notifiers_on) {
		preempt_notifier_inc();
		notifiers_on = true;
	}
	mutex_unlock(&idle_mutex);
}

static void live_put(void)
{
	if (atomic_dec_and_test(&live))
		mod_delayed_work(system_wq, &idle_work, IDLE_DELAY);
}

static void in_force_change(unsigned int nr_old, unsigned int nr_new)
{
	if (!nr_old && nr_new)
		atomic_inc(&in_force);
	else if (nr_old && !nr_new && atomic_dec_and_test(&in_force))
		mod_delayed_work(system_wq, &idle_work, IDLE_DELAY);
}

/* ----- counting: all with interrupts off ---------------------------------- */

/*
 * The instruction itself, not the kernel's rdpmcl(): for a PV kernel that one
 * goes to an emulation of upstream's vPMU.  Our vCPU may execute it, in ring 3
 * as well, while it has a control loaded.  That it has is Xen's promise, and
 * if the promise is broken, the kernel shall not crash: -EIO.
 */
static int read_counter(u32 index, u64 *value)
{
	u32 low, high;
	int err = -EIO;

	asm volatile("1: rdpmc\n\t"
		     "xorl %[err], %[err]\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : [err] "+&r" (err), "=a" (low), "=d" (high)
		     : "c" (index)
		     : "cc", "memory");
	*value = low | (u64)high << 32;
	return err;
}

static bool tsc_on(const struct perfctr_thread *t)
{
	return t->control.flags & PERFCTR_CTL_TSC_ON;
}

/*
 * Counting ends here, for a reason the program has to see.  The sums stay what
 * they were when they were last known to be right.  May be in sched_out.
 */
static void fail(struct perfctr_thread *t, int err)
{
	struct perfctr_page *page = t->page;
	unsigned int i;

	perfctr_vcpu_set_running(NULL);
	perfctr_vcpu_forget();
	t->counting = false;

	raw_write_seqcount_begin(&t->seq);
	for (i = 0; i < page->nr; i++)
		page->counter[i].index = -1;
	page->tsc_running = 0;
	page->status = PERFCTR_STATUS_ERROR;
	page->error = err;
	page->sequence++;
	/* @load stays: it is what in_force_change() was told. */
	memset(&t->control, 0, sizeof(t->control));
	raw_write_seqcount_end(&t->seq);
}

static int start(struct perfctr_thread *t)
{
	struct perfctr_page *page = t->page;
	const unsigned int nr = t->load.nr;
	unsigned int i;
	int err = 0;

	if (nr)
		err = perfctr_vcpu_load(&t->load);
	if (unlikely(err)) {
		/*
		 * A CPU that goes down has given its page back, but a thread
		 * can still pass by on its way to another CPU.
		 */
		if (err == -ENODEV && !cpu_active(smp_processor_id()))
			return 0;
		fail(t, err);
		return err;
	}
	perfctr_vcpu_set_running(t);

	raw_write_seqcount_begin(&t->seq);
	for (i = 0; i < nr; i++)
		page->counter[i].index = t->load.counter[i].index;
	page->sequence++;
	if (tsc_on(t)) {
		page->tsc_running = 1;
		t->tsc_stolen = perfctr_vcpu_tsc_stolen();
		page->tsc_start = rdtsc();
	}
	/*
	 * Last, so that neither the hypercall nor the above is counted for the
	 * thread.
	 */
	for (i = 0; i < nr; i++)
		err |= read_counter(t->load.counter[i].index,
				    &page->counter[i].start);
	raw_write_seqcount_end(&t->seq);

	if (unlikely(err)) {
		fail(t, -EIO);
		return -EIO;
	}
	return 0;
}

/*
 * Add what was counted since the start to the sums, and start from there: each
 * counter is read once, so nothing is lost in between.
 */
static int fold(struct perfctr_thread *t)
{
	struct perfctr_page *page = t->page;
	const unsigned int nr = t->load.nr;
	u64 now[PERFCTR_MAX_COUNTERS];
	unsigned int i;
	u64 tsc, stolen;
	int err = 0;

	/* First, so that our own work is not counted for the thread. */
	for (i = 0; i < nr; i++)
		err |= read_counter(t->load.counter[i].index, &now[i]);
	tsc = rdtsc();

	/*
	 * Only now, so that it covers all of the interval.  If somebody else
	 * changed what the counters count, the values mean nothing.
	 */
	if (unlikely(err || (nr && !perfctr_vcpu_still_loaded()))) {
		fail(t, -EIO);
		return -EIO;
	}

	raw_write_seqcount_begin(&t->seq);
	for (i = 0; i < nr; i++) {
		struct perfctr_page_counter *c = &page->counter[i];

		c->sum += perfctr_delta(now[i], c->start, c->mask);
		c->start = now[i];
	}
	if (tsc_on(t)) {
		/*
		 * Apart from the sum: user mode, which adds the ticks since
		 * @tsc_start, can't know what was stolen since then, and its
		 * clock must not go back when we fold.
		 */
		stolen = perfctr_vcpu_tsc_stolen();
		page->tsc_stolen += stolen - t->tsc_stolen;
		page->tsc_sum += tsc - page->tsc_start;
		page->tsc_start = tsc;
		t->tsc_stolen = stolen;
	}
	page->sequence++;
	raw_write_seqcount_end(&t->seq);
	return 0;
}

/* Fold, and leave the page so that the sums are the counts. */
static int stop(struct perfctr_thread *t)
{
	struct perfctr_page *page = t->page;
	unsigned int i;
	int err;

	err = fold(t);
	if (unlikely(err))
		return err;
	perfctr_vcpu_set_running(NULL);

	raw_write_seqcount_begin(&t->seq);
	for (i = 0; i < t->load.nr; i++)
		page->counter[i].index = -1;
	page->tsc_running = 0;
	raw_write_seqcount_end(&t->seq);
	return 0;
}

static bool is_running(const struct perfctr_thread *t)
{
	return perfctr_vcpu_running() == t;
}

/* The timer's interrupt. */
void perfctr_thread_fold(struct perfctr_thread *t)
{
	fold(t);
}

static struct perfctr_thread *from_notifier(struct preempt_notifier *notifier)
{
	return container_of(notifier, struct perfctr_thread, notifier);
}

static void sched_in(struct preempt_notifier *notifier, int cpu)
{
	struct perfctr_thread *t = from_notifier(notifier);
	unsigned long flags;

	if (!t->counting)
		return;
	/* Against the timer and the IPIs; the kernel enabled them before. */
	local_irq_save(flags);
	start(t);
	local_irq_restore(flags);
}

static void sched_out(struct preempt_notifier *notifier,
		      struct task_struct *next)
{
	struct perfctr_thread *t = from_notifier(notifier);

	/*
	 * The vCPU's counters go on: the next thread that counts the same
	 * finds them loaded.
	 */
	if (is_running(t))
		stop(t);
}

static struct preempt_ops preempt_ops = {
	.sched_in = sched_in,
	.sched_out = sched_out,
};

/* ----- life --------------------------------------------------------------- */

/* The calling thread's counters, or NULL.  Only the thread changes its list. */
struct perfctr_thread *perfctr_thread_current(void)
{
	struct preempt_notifier *notifier;

	hlist_for_each_entry(notifier, &current->preempt_notifiers, link)
		if (notifier->ops == &preempt_ops)
			return from_notifier(notifier);
	return NULL;
}

/* The set of counters that the calling thread does not have yet. */
struct perfctr_thread *perfctr_thread_create(void)
{
	struct perfctr_thread *t;

	if (perfctr_thread_current())
		return ERR_PTR(-EEXIST);

	t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (!t)
		return ERR_PTR(-ENOMEM);
	t->page = (struct perfctr_page *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!t->page) {
		kfree(t);
		return ERR_PTR(-ENOMEM);
	}
	t->page->version = PERFCTR_ABI_VERSION_DEV;
	t->mm = current->mm;
	kref_init(&t->ref);
	seqcount_init(&t->seq);

	/* The caller's handle keeps the module: this one can't fail. */
	__module_get(THIS_MODULE);
	live_get();
	preempt_notifier_init(&t->notifier, &preempt_ops);
	preempt_disable();
	preempt_notifier_register(&t->notifier);
	preempt_enable();
	return t;
}

void perfctr_thread_get(struct perfctr_thread *t)
{
	kref_get(&t->ref);
}

static void free_rcu_fn(struct rcu_head *rcu)
{
	struct perfctr_thread *t = container_of(rcu, struct perfctr_thread, rcu);

	/* A mapping that is being torn down may still hold the page. */
	free_page((unsigned long)t->page);
	kfree(t);
}

static void release(struct kref *ref)
{
	struct perfctr_thread *t = container_of(ref, struct perfctr_thread, ref);

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
 * The thread, which is current, has no counters from here on; handles and
 * mappings keep the final counts.  @status and @error are added to the page's.
 */
static void end(struct perfctr_thread *t, u32 status, int error)
{
	unsigned long flags;
	unsigned int nr;

	local_irq_save(flags);
	if (is_running(t))
		stop(t);
	t->counting = false;
	t->on_exec = false;
	nr = t->load.nr;

	raw_write_seqcount_begin(&t->seq);
	t->load.nr = 0;
	memset(&t->control, 0, sizeof(t->control));
	t->page->status = (t->page->status & ~PERFCTR_STATUS_RUNNING) | status;
	if (error)
		t->page->error = error;
	t->page->sequence++;
	WRITE_ONCE(t->ended, true);
	raw_write_seqcount_end(&t->seq);

	/* Interrupts off for this, too: no switch looks at a list in change. */
	preempt_notifier_unregister(&t->notifier);
	local_irq_restore(flags);

	in_force_change(nr, 0);
	live_put();
	perfctr_thread_put(t);
	/*
	 * The code we return through stays: an ioctl has the file's reference,
	 * a probe is waited for by perfctr_tracepoint_uninit().
	 */
	module_put(THIS_MODULE);
}

void perfctr_thread_unlink(struct perfctr_thread *t)
{
	end(t, 0, 0);
}

void perfctr_thread_exit(struct perfctr_thread *t)
{
	end(t, PERFCTR_STATUS_EXITED, 0);
}

void perfctr_thread_exec(struct perfctr_thread *t, bool privileged)
{
	unsigned long flags;

	if (privileged) {
		end(t, PERFCTR_STATUS_ERROR, -EPERM);
		return;
	}
	if (t->cloexec) {
		end(t, 0, 0);
		return;
	}
	WRITE_ONCE(t->mm, current->mm);
	if (!t->on_exec)
		return;
	local_irq_save(flags);
	t->on_exec = false;
	t->control.flags &= ~PERFCTR_CTL_START_ON_EXEC;
	t->counting = true;
	start(t);
	local_irq_restore(flags);
}

/* ----- what a program asks for -------------------------------------------- */

static void to_xen(struct xen_perfctr_load *load,
		   const struct perfctr_dev_control *control)
{
	unsigned int i;

	load->nr = control->nr;
	for (i = 0; i < control->nr; i++) {
		load->counter[i].index = control->counter[i].index;
		load->counter[i].evtsel = control->counter[i].evtsel;
	}
}

static u64 counter_mask(u32 index)
{
	return perfctr_width_mask(index >= PERFCTR_INDEX_FIXED ?
				  perfctr_info.fixed_width :
				  perfctr_info.general_width);
}

/* The new control is loaded: put it in force, not counting yet. */
static void install(struct perfctr_thread *t,
		    const struct perfctr_dev_control *control,
		    const struct xen_perfctr_load *load)
{
	struct perfctr_page *page = t->page;
	const bool tsc_was_on = tsc_on(t);
	unsigned int i;

	raw_write_seqcount_begin(&t->seq);
	t->load = *load;
	t->control = *control;
	t->cloexec = control->flags & PERFCTR_CTL_CLOEXEC;
	t->on_exec = control->flags & PERFCTR_CTL_START_ON_EXEC;
	t->counting = !t->on_exec && (control->nr || tsc_on(t));

	page->nr = control->nr;
	page->status = control->nr || tsc_on(t) ? PERFCTR_STATUS_RUNNING : 0;
	page->error = 0;
	page->tsc_running = 0;
	/* The TSC's sum survives as long as the TSC stays on. */
	if (!tsc_was_on || !tsc_on(t)) {
		page->tsc_sum = 0;
		page->tsc_stolen = 0;
	}
	for (i = 0; i < PERFCTR_MAX_COUNTERS; i++) {
		struct perfctr_page_counter *c = &page->counter[i];

		c->index = -1;
		c->start = 0;
		c->mask = i < control->nr ?
			counter_mask(control->counter[i].index) : 0;
		if (!(control->preserve & BIT_ULL(i)))
			c->sum = 0;
	}
	page->sequence++;
	raw_write_seqcount_end(&t->seq);
}

#define CTL_FLAGS (PERFCTR_CTL_TSC_ON | PERFCTR_CTL_CLOEXEC | \
		   PERFCTR_CTL_START_ON_EXEC)

static int check(const struct perfctr_dev_control *control)
{
	const u32 both = PERFCTR_CTL_CLOEXEC | PERFCTR_CTL_START_ON_EXEC;

	if (control->flags & ~CTL_FLAGS || (control->flags & both) == both)
		return -EINVAL;
	if (control->nr > PERFCTR_MAX_COUNTERS ||
	    control->preserve & ~(BIT_ULL(control->nr) - 1))
		return -EINVAL;
	return perfctr_xen_check(control);
}

/* @t is the calling thread's. */
int perfctr_thread_control(struct perfctr_thread *t,
			   const struct perfctr_dev_control *control)
{
	struct xen_perfctr_load *load;
	unsigned int nr_old;
	unsigned long flags;
	bool was_running;
	int err;

	err = check(control);
	if (err)
		return err;
	load = kzalloc(sizeof(*load), GFP_KERNEL);
	if (!load)
		return -ENOMEM;
	to_xen(load, control);

	local_irq_save(flags);
	was_running = is_running(t);
	if (was_running)
		was_running = !stop(t);
	/* A sum that lacks something must not go on as if it did not. */
	if (control->preserve && t->page->status & PERFCTR_STATUS_ERROR)
		err = t->page->error;
	else if (load->nr)
		err = perfctr_vcpu_load(load);
	if (err) {
		/* Xen has left the old control in force; so do we. */
		if (was_running)
			start(t);
		goto out;
	}
	nr_old = t->load.nr;
	install(t, control, load);
	in_force_change(nr_old, load->nr);
	if (t->counting)
		err = start(t);
out:
	local_irq_restore(flags);
	kfree(load);
	return err;
}

/* @t is the calling thread's. */
void perfctr_thread_stop(struct perfctr_thread *t)
{
	unsigned long flags;
	unsigned int nr;

	local_irq_save(flags);
	if (is_running(t))
		stop(t);
	t->counting = false;
	t->on_exec = false;
	nr = t->load.nr;

	raw_write_seqcount_begin(&t->seq);
	t->load.nr = 0;
	memset(&t->control, 0, sizeof(t->control));
	t->page->status &= ~PERFCTR_STATUS_RUNNING;
	t->page->sequence++;
	raw_write_seqcount_end(&t->seq);
	local_irq_restore(flags);

	in_force_change(nr, 0);
}

void perfctr_thread_read(struct perfctr_thread *t,
			 struct perfctr_dev_sums *sums)
{
	const struct perfctr_page *page = t->page;
	unsigned long flags;
	unsigned int i, seq;

	/* For itself: up to now.  What runs here is the caller's. */
	local_irq_save(flags);
	if (is_running(t))
		fold(t);
	local_irq_restore(flags);

	do {
		memset(sums, 0, sizeof(*sums));
		seq = read_seqcount_begin(&t->seq);
		sums->tsc = page->tsc_sum;
		sums->nr = page->nr;
		sums->status = page->status;
		sums->error = page->error;
		for (i = 0; i < PERFCTR_MAX_COUNTERS; i++)
			sums->pmc[i] = page->counter[i].sum;
	} while (read_seqcount_retry(&t->seq, seq));
}

void perfctr_thread_get_control(struct perfctr_thread *t,
				struct perfctr_dev_control *control)
{
	unsigned int seq;

	do {
		seq = read_seqcount_begin(&t->seq);
		*control = t->control;
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

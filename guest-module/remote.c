// SPDX-License-Identifier: GPL-2.0-only
/*
 * The counters of another thread: PERFCTR_IOC_ATTACH and what its handle may do.
 *
 * Permission.  Whoever may trace a thread may count it.  The kernel's test for
 * that, ptrace_may_access(), is not exported.  But the open() of /proc/TID/mem
 * makes exactly this test (PTRACE_MODE_ATTACH with the caller's credentials)
 * and leaves in the file which address space it was made for.  So the caller
 * shows us such a file, and we compare.  An exec since then has made another
 * address space; the file's reference keeps the old one's address from being
 * used anew.  An exec that raises rights, later, ends the set as any other.
 *
 * Exclusion.  thread.c relies on it that a set changes only where its thread is
 * current, and the list of notifiers that leads to it belongs to the scheduler.
 * A thread that is somewhere else, perhaps blocked for ever, can't be asked to
 * change them, and no exported function keeps it from being switched in.  What
 * there is, is stop_machine().  While its callback runs, each CPU that is online
 * executes its stopper, a thread of the highest class, with interrupts off
 * (multi_cpu_stop()); so
 *
 *  - the thread is current nowhere, and where it was, the switch to the stopper
 *    has called sched_out, which folded its counters: the set does not run;
 *  - nobody is inside the list of notifiers: it is walked under the runqueue
 *    lock with interrupts off (prepare_task_switch()), or with preemption off
 *    (finish_task_switch(), tracepoints, perfctr_thread_of()), and a stopper
 *    comes in only where preemption is on;
 *  - the thread does not pass through exec or exit; what it has written before
 *    is visible, as after any switch.
 *
 * The next switch to the thread then calls sched_in, which starts what we have
 * left in the set.  It costs all CPUs some microseconds, so it is done for these
 * calls only, which are rare, and not for READ.
 */
#include <linux/capability.h>
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/magic.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>
#include <linux/string.h>

#include "perfctr.h"

/*
 * Programs without rights of their own may stop the machine only so often, all
 * together: else one that counts its own child could keep all others waiting.
 */
#define STOP_INTERVAL	max(HZ / 100, 1)

static DEFINE_MUTEX(throttle_mutex);
static unsigned long throttle_until;

/* In this state: TASK_KILLABLE or TASK_UNINTERRUPTIBLE. */
static int throttle(unsigned int state)
{
	long wait;

	if (perfmon_capable())
		return 0;
	if (state == TASK_UNINTERRUPTIBLE)
		mutex_lock(&throttle_mutex);
	else if (mutex_lock_killable(&throttle_mutex))
		return -EINTR;
	wait = throttle_until - jiffies;
	/* A clock that has wrapped since is no reason to wait. */
	if (wait > 0 && wait <= STOP_INTERVAL) {
		__set_current_state(state);
		schedule_timeout(wait);
	}
	throttle_until = jiffies + STOP_INTERVAL;
	mutex_unlock(&throttle_mutex);
	return state != TASK_UNINTERRUPTIBLE && fatal_signal_pending(current) ? -EINTR : 0;
}

static int stop_machine_for(cpu_stop_fn_t fn, void *arg)
{
	return throttle(TASK_KILLABLE) ?: stop_machine(fn, arg, NULL);
}

/* ----- attach ------------------------------------------------------------- */

struct attach {
	struct task_struct *task;
	const struct mm_struct *mm;	/* of @mem_fd: only compared */
	bool create;
	struct perfctr_thread *t;	/* in: the new one; out: with a reference */
	bool reading;			/* perhaps, all counters without a look at each */
	u32 sequence;			/* of its page then */
};

/* The address space for which @file was opened as /proc/TID/mem, or NULL. */
static const struct mm_struct *mm_of_mem_file(const struct file *file)
{
	/*
	 * /proc/TID has other files that hold an address space, by weaker tests
	 * than this one's.  What has this name elsewhere in procfs has another
	 * object's address, which equals that of no address space alive.
	 */
	if (file_inode(file)->i_sb->s_magic != PROC_SUPER_MAGIC ||
	    strcmp(file->f_path.dentry->d_name.name, "mem"))
		return NULL;
	return file->private_data;
}

static int may_attach(const struct attach *a)
{
	/*
	 * Set by the thread itself on its way to the tracepoint of exit, which
	 * ends its set: a thread that has not got here will pass it.  One that
	 * has may have passed it already, and would keep a set for ever.
	 */
	if (READ_ONCE(a->task->flags) & PF_EXITING)
		return -ESRCH;
	return a->mm && READ_ONCE(a->task->mm) == a->mm ? 0 : -EPERM;
}

/* In stop_machine(). */
static int attach_stopped(void *arg)
{
	struct attach *a = arg;
	struct perfctr_thread *t;
	int err;

	err = may_attach(a);
	if (err)
		return err;
	if (a->create)
		return perfctr_thread_register(a->t, a->task);
	t = perfctr_thread_of(a->task);
	if (!t)
		return -ESRCH;
	perfctr_thread_get(t);
	a->reading = t->page->all_running && task_is_running(a->task);
	perfctr_thread_attached(t);
	a->sequence = t->page->sequence;
	a->t = t;
	return 0;
}

/*
 * The thread may be in the midst of a read that began before it was attached to,
 * and would execute RDPMC of a counter that the caller stops.  It is through
 * with that soon after it is switched in, where start() makes a new sequence.
 * A thread that waits for a CPU for longer than this keeps nobody waiting.
 */
#define READING_JIFFIES	10

static void await_reader(const struct attach *a)
{
	unsigned int i;

	for (i = 0; i < READING_JIFFIES && !fatal_signal_pending(current); i++) {
		if (READ_ONCE(a->t->page->sequence) != a->sequence)
			return;
		schedule_timeout_killable(1);
	}
}

static int attach(struct attach *a)
{
	int err;

	/* Whoever has no right to it stops nothing. */
	err = may_attach(a);
	if (err)
		return err;
	if (a->create) {
		a->t = perfctr_thread_alloc(GFP_KERNEL_ACCOUNT);
		if (!a->t)
			return -ENOMEM;
		a->t->founder = true;
		a->t->attached = true;
		perfctr_thread_live_get();
	}
	err = stop_machine_for(attach_stopped, a);
	if (err && a->create) {
		perfctr_thread_live_put();
		perfctr_thread_put(a->t);
	}
	if (!err && a->reading)
		await_reader(a);
	return err;
}

static struct task_struct *get_task(pid_t tid)
{
	struct task_struct *task;
	struct pid *pid;

	if (tid <= 0)
		return NULL;
	/* In the caller's namespace. */
	pid = find_get_pid(tid);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	return task;
}

/* The set of a thread, with a reference. */
struct perfctr_thread *perfctr_remote_attach(const struct perfctr_dev_attach *arg)
{
	struct attach a = { .create = arg->flags & PERFCTR_ATTACH_CREATE };
	struct file *file;
	int err;

	if (arg->flags & ~(PERFCTR_ATTACH_CREATE | PERFCTR_ATTACH_OWN) || arg->reserved ||
	    (arg->flags & PERFCTR_ATTACH_OWN && !a.create))
		return ERR_PTR(-EINVAL);
	a.task = get_task(arg->tid);
	if (!a.task)
		return ERR_PTR(-ESRCH);
	err = -EINVAL;
	if (a.task->flags & PF_KTHREAD)
		goto out_task;
	err = -EPERM;
	file = fget(arg->mem_fd);
	if (!file)
		goto out_task;
	a.mm = mm_of_mem_file(file);
	err = attach(&a);
	fput(file);
out_task:
	put_task_struct(a.task);
	return err ? ERR_PTR(err) : a.t;
}

/* ----- what the handle may do --------------------------------------------- */

struct remote_control {
	struct perfctr_thread *t;
	struct perfctr_change *change;
};

static int control_stopped(void *arg)
{
	const struct remote_control *c = arg;

	return perfctr_thread_change(c->t, c->change, false);
}

int perfctr_remote_control(struct perfctr_thread *t, struct perfctr_change *change)
{
	struct remote_control c = { .t = t, .change = change };
	int err;

	/*
	 * The thread itself may change its set meanwhile: what a group needs
	 * is needed no more then, never the other way round, as a group that
	 * a set has founded is for its lifetime.
	 */
	err = perfctr_change_prepare(t, change);
	if (err)
		return err;
	err = stop_machine_for(control_stopped, &c);
	perfctr_change_done(change);
	return err;
}

static int stop_stopped(void *t)
{
	return perfctr_thread_stop(t);
}

int perfctr_remote_stop(struct perfctr_thread *t)
{
	return stop_machine_for(stop_stopped, t);
}

struct remote_ring {
	struct perfctr_thread *t;
	struct perfctr_ring *ring;
	struct perfctr_maps *maps;
};

static int set_ring_stopped(void *arg)
{
	const struct remote_ring *r = arg;

	return perfctr_thread_set_ring(r->t, r->ring, r->maps);
}

int perfctr_remote_set_ring(struct perfctr_thread *t, struct perfctr_ring *ring,
			    struct perfctr_maps *maps)
{
	struct remote_ring r = { .t = t, .ring = ring, .maps = maps };

	return stop_machine_for(set_ring_stopped, &r);
}

static int iresume_stopped(void *t)
{
	return perfctr_thread_iresume(t);
}

int perfctr_remote_iresume(struct perfctr_thread *t)
{
	return stop_machine_for(iresume_stopped, t);
}

static int unlink_stopped(void *t)
{
	return perfctr_thread_unlink(t);
}

int perfctr_remote_unlink(struct perfctr_thread *t)
{
	return stop_machine_for(unlink_stopped, t);
}

/* So many at a time: all CPUs stand still for it. */
#define UNLINK_BATCH	64

static int unlink_group_stopped(void *arg)
{
	struct perfctr_thread *t = arg, *member;
	unsigned int i;

	if (!t->ended)
		perfctr_thread_unlink(t);
	for (i = 0; i < UNLINK_BATCH; i++) {
		member = perfctr_group_member(t);
		if (!member)
			break;
		perfctr_thread_get(member);
		perfctr_thread_unlink(member);
		perfctr_thread_put(member);
	}
	return 0;
}

/*
 * Who made @t's set is gone, perhaps killed, and it ends with all that has
 * inherited from it.  Members may fork more in between, but all stand still while
 * a batch of them ends.
 */
void perfctr_remote_unlink_group(struct perfctr_thread *t)
{
	while (!READ_ONCE(t->ended) || perfctr_group_is_live(t)) {
		throttle(TASK_UNINTERRUPTIBLE);
		stop_machine(unlink_group_stopped, t, NULL);
	}
}

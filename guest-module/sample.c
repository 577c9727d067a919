// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sampling: what an overflow is for a thread.
 *
 * For each counter that samples, @due is the sum at which its next overflow is
 * to come.  When the thread is switched in, Xen is told how many events that
 * is from now; when one has come, @due is one period further on.  So a period
 * goes on where it was, over any number of switches.
 *
 * That a counter has overflowed is seen by its value, which has left the upper
 * half of its range; where the program was then is on the vCPU's page, as Xen
 * has stopped everything there.  Two ways lead here, both on the thread's own
 * CPU with interrupts off, and right after its counters were folded:
 *
 *	the interrupt	the thread goes on when the sample is written
 *	sched_out	interrupts were off at the overflow, and the thread is being
 *			switched out before they are on again: its sample is
 *			written, and it goes on when it is switched in
 *
 * An interrupt that comes when its thread is gone finds another one, whose
 * counters have not overflowed, and does nothing.
 *
 * Where nothing but user mode is counted, and hardware knows what that is, Xen can
 * let the counters go on at once, which saves a hypercall for each sample.  Then
 * the value does not say that there was an overflow, but the vCPU's page does.
 */
#include <linux/atomic.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <asm/irq_regs.h>
#include <asm/ptrace.h>
#include <asm/tsc.h>

#include "perfctr.h"

/* ----- periods ------------------------------------------------------------ */

static s64 ireset_of(const struct perfctr_setup *s, unsigned int i)
{
	return s->control.counter[i].ireset;
}

/* A control is put in force, its sums are set; it samples, or the last one did. */
void perfctr_sample_reset(struct perfctr_thread *t)
{
	const struct perfctr_dev_control *control = &t->setup.control;
	unsigned int i;

	t->pending_signal = 0;
	t->rearmed = 0;
	t->suspended = false;
	t->page->status &= ~PERFCTR_STATUS_SUSPENDED;
	if (!t->setup.sampling)
		return;
	for (i = 0; i < control->nr; i++)
		t->due[i] = t->page->counter[i].sum - control->counter[i].ireset;
}

static bool can_rearm;

void perfctr_sample_set_rearm(bool can)
{
	WRITE_ONCE(can_rearm, can);
}

/* Before @t's control is loaded: how far is it to the next overflow? */
void perfctr_sample_before_load(struct perfctr_thread *t)
{
	struct perfctr_setup *s = &t->setup;
	unsigned int i;

	/* Each time, as after a migration it is another Xen.  A signal's handler resumes. */
	if (s->may_rearm && t->ring && READ_ONCE(can_rearm))
		s->load.flags |= XENPERFCTR_LOAD_REARM;
	else
		s->load.flags &= ~XENPERFCTR_LOAD_REARM;

	for (i = 0; i < s->load.nr; i++) {
		const unsigned int n = s->map[i];
		s64 left = t->due[n] - t->page->counter[n].sum;

		s->load.left[i] = ireset_of(s, n) ? max_t(s64, left, 1) : 0;
	}
}

/*
 * Xen has let this counter go on from @value, at an overflow since the last sample.
 * Where is the next one?  There may have been several, with the interrupt masked:
 * all but one are in *@skipped.
 */
static u64 due_after_rearm(const struct perfctr_page_counter *c, u64 due, u64 value,
			   u64 period, u64 *skipped)
{
	const u64 left = -value & c->mask;
	const u64 nr = div64_u64(c->sum - due, period);

	*skipped = nr;
	/* Farther away: it was put off. */
	return left <= period ? c->sum + left : due + (nr + 1) * period;
}

/*
 * Which counters have overflowed?  @t was folded just now, and its counters'
 * values are in @t->now.  Those that were not interrupted for, as it happened too
 * often, are told here.
 */
static u32 advance(struct perfctr_thread *t, u64 *skipped, bool *any_skipped)
{
	const struct perfctr_setup *s = &t->setup;
	u32 overflow = 0;
	unsigned int i;

	for (i = 0; i < s->load.nr; i++) {
		const unsigned int n = s->map[i];
		const struct perfctr_page_counter *c = &t->page->counter[n];
		const u64 period = -ireset_of(s, n);

		if (!period)
			continue;
		if (t->now[i] <= c->mask >> 1) {
			/* What was counted since is part of the next period. */
			overflow |= BIT(n);
			t->due[n] = c->sum + period - t->now[i] % period;
		} else if (t->rearmed & BIT(n) && c->sum >= t->due[n]) {
			overflow |= BIT(n);
			t->due[n] = due_after_rearm(c, t->due[n], t->now[i], period,
						    &skipped[n]);
			*any_skipped |= skipped[n];
		} else if (c->sum >= t->due[n]) {
			u64 nr = div64_u64(c->sum - t->due[n], period) + 1;

			t->due[n] += nr * period;
			skipped[n] = nr;
			*any_skipped = true;
		}
	}
	t->rearmed = 0;
	return overflow;
}

/* ----- records ------------------------------------------------------------ */

static void write_skipped(struct perfctr_thread *t, const u64 *skipped, u64 tsc)
{
	struct perfctr_ring *ring = t->ring;
	unsigned int n;

	for (n = 0; n < t->setup.control.nr; n++) {
		struct perfctr_ring_throttled *r;

		if (!skipped[n])
			continue;
		perfctr_ring_skipped(ring, skipped[n]);
		r = perfctr_ring_reserve(ring, PERFCTR_RING_THROTTLED, 0, sizeof(*r));
		if (!r)
			continue;
		perfctr_ring_fill_task(ring, &r->task, t->task, tsc);
		r->nr = skipped[n];
		r->overflow = BIT(n);
		r->cpu = smp_processor_id();
		perfctr_ring_commit(ring, r, sizeof(*r));
	}
}

/*
 * Return addresses by frame pointers, from user mode's registers.  What is not
 * in memory just now, or makes no sense, ends the chain.
 */
static unsigned int call_chain(const struct pt_regs *regs, u64 *to,
			       unsigned int max)
{
	unsigned long fp = regs->bp, frame[2];
	unsigned int n = 0;

	if (!user_64bit_mode((struct pt_regs *)regs))
		return 0;
	while (n < max && !(fp & 7) &&
	       !copy_from_user_nofault(frame, (const void __user *)fp, sizeof(frame))) {
		if (!frame[1])
			break;
		to[n++] = frame[1];
		/* The stack grows down: else it is no chain, or has no end. */
		if (frame[0] <= fp)
			break;
		fp = frame[0];
	}
	return n;
}

/*
 * @regs: of user mode, which was interrupted; NULL: of the kernel, or no longer
 * there.
 */
static void write_sample(struct perfctr_thread *t, u32 overflow, bool rearmed,
			 const struct pt_regs *regs, bool in_scheduler)
{
	const struct xen_perfctr_page *xen = this_cpu_read(perfctr_vcpus.page);
	const unsigned int nr = t->setup.control.nr;
	struct perfctr_ring *ring = t->ring;
	unsigned int depth = perfctr_ring_depth(ring), i;
	struct perfctr_ring_sample *r;
	u64 tsc = rdtsc();
	u16 flags = 0;
	u64 ip = 0;

	if (rearmed || READ_ONCE(xen->overflow)) {
		ip = READ_ONCE(xen->ip);
		if (!(READ_ONCE(xen->ip_flags) & XENPERFCTR_IP_USER)) {
			flags = PERFCTR_SAMPLE_KERNEL;
			if (!perfctr_ring_shows_kernel(ring))
				ip = 0;
		}
	} else {
		flags = PERFCTR_SAMPLE_NO_IP;
	}

	r = perfctr_ring_reserve(ring, PERFCTR_RING_SAMPLE, flags,
				 struct_size(r, value, nr + depth));
	if (!r)
		return;
	perfctr_ring_fill_task(ring, &r->task, t->task, tsc);
	r->ip = ip;
	r->vtsc = t->page->tsc_sum;
	r->overflow = overflow;
	r->cpu = smp_processor_id();
	r->nr = nr;
	for (i = 0; i < nr; i++)
		r->value[i] = t->page->counter[i].sum;
	if (depth)
		depth = regs ? call_chain(regs, &r->value[nr], depth) : 0;
	r->depth = depth;
	/* Not by @r->depth: user mode can write there, too. */
	perfctr_ring_commit(ring, r, struct_size(r, value, nr + depth));

	/* That wakes somebody up, for which the scheduler's lock must be free. */
	if (!flags && !in_scheduler)
		perfctr_maps_want(t, ip, tsc);
}

void perfctr_sample_comm(struct perfctr_thread *t, struct task_struct *task,
			 bool exec)
{
	struct perfctr_ring *ring = t->ring;
	struct perfctr_ring_comm *r;

	r = perfctr_ring_reserve(ring, PERFCTR_RING_COMM,
				 exec ? PERFCTR_COMM_EXEC : 0, sizeof(*r));
	if (!r)
		return;
	perfctr_ring_fill_task(ring, &r->task, task, rdtsc());
	/* Another thread may be changing it: the last byte stays 0. */
	memcpy(r->comm, task->comm, sizeof(r->comm));
	r->comm[sizeof(r->comm) - 1] = '\0';
	perfctr_ring_commit(ring, r, sizeof(*r));
}

void perfctr_sample_fork(struct perfctr_thread *t)
{
	struct perfctr_ring *ring = t->ring;
	struct perfctr_ring_fork *r;

	r = perfctr_ring_reserve(ring, PERFCTR_RING_FORK, 0, sizeof(*r));
	if (r) {
		struct perfctr_ring_task parent;

		perfctr_ring_fill_task(ring, &r->task, t->task, rdtsc());
		perfctr_ring_fill_task(ring, &parent, current, 0);
		r->ppid = parent.pid;
		r->ptid = parent.tid;
		perfctr_ring_commit(ring, r, sizeof(*r));
	}
	perfctr_sample_comm(t, t->task, false);
}

void perfctr_sample_exit(struct perfctr_thread *t)
{
	const unsigned int nr = t->page->nr;
	struct perfctr_ring *ring = t->ring;
	struct perfctr_ring_exit *r;
	unsigned int i;

	r = perfctr_ring_reserve(ring, PERFCTR_RING_EXIT, 0,
				 struct_size(r, value, nr));
	if (!r)
		return;
	perfctr_ring_fill_task(ring, &r->task, t->task, rdtsc());
	r->nr = nr;
	r->reserved = 0;
	for (i = 0; i < nr; i++)
		r->value[i] = t->page->counter[i].sum;
	perfctr_ring_commit(ring, r, struct_size(r, value, nr));
}

/* ----- overflows ---------------------------------------------------------- */

/*
 * @t was folded just now.  What has overflowed is noted, and told where there is
 * a ring.  True: something has.
 */
static bool take(struct perfctr_thread *t, const struct pt_regs *regs, bool in_scheduler)
{
	u64 skipped[PERFCTR_MAX_COUNTERS];
	const unsigned int nr = t->setup.control.nr;
	const u32 rearmed = t->rearmed;
	bool any_skipped = false;
	u32 overflow;

	memset(skipped, 0, nr * sizeof(skipped[0]));
	overflow = advance(t, skipped, &any_skipped);
	if (t->ring) {
		if (unlikely(any_skipped))
			write_skipped(t, skipped, rdtsc());
		if (overflow)
			write_sample(t, overflow, overflow & rearmed, regs, in_scheduler);
	} else {
		t->overflow = overflow;
		t->pending_signal = overflow;
	}
	return overflow;
}

/* Until PERFCTR_IOC_IRESUME.  @t does not run. */
static void suspend(struct perfctr_thread *t)
{
	t->suspended = true;
	t->counting = false;
	t->page->status |= PERFCTR_STATUS_SUSPENDED;
}

/*
 * In @t's own context; no lock is held.  Of a real-time signal there may be too
 * many in the queue: then it is sent when @t is switched in next.
 */
void perfctr_sample_signal(struct perfctr_thread *t)
{
	const int signo = t->setup.control.si_signo;
	struct kernel_siginfo info;

	if (signo) {
		clear_siginfo(&info);
		info.si_signo = signo;
		info.si_code = PERFCTR_SI_OVF;
		info.si_pid = t->pending_signal;
		if (send_sig_info(signo, &info, t->task))
			return;
	}
	t->pending_signal = 0;
}

/* perfctr_thread_interrupt() of one that samples. */
void perfctr_sample_interrupt(struct perfctr_thread *t)
{
	const struct pt_regs *regs = get_irq_regs();

	if (perfctr_thread_fold_only(t))
		return;
	if (!take(t, regs && user_mode((struct pt_regs *)regs) ? regs : NULL, false)) {
		/* Stolen time, the end of throttling, or of a slot's turn. */
		perfctr_thread_folded(t);
		return;
	}
	if (t->ring) {
		perfctr_thread_after_overflow(t);
		return;
	}
	perfctr_thread_hide(t);
	suspend(t);
	perfctr_sample_signal(t);
}

/* In sched_out.  @t was folded and runs no more; its page still says so. */
void perfctr_sample_switched_out(struct perfctr_thread *t)
{
	if (take(t, NULL, true) && !t->ring) {
		perfctr_thread_hide(t);
		suspend(t);
	}
}

/* In any other way. */
void perfctr_sample_stopped(struct perfctr_thread *t)
{
	if (take(t, NULL, false) && !t->ring)
		suspend(t);
}

/* @t is the calling thread's.  Interrupts are off. */
int perfctr_sample_iresume(struct perfctr_thread *t)
{
	const struct perfctr_dev_control *control = &t->setup.control;
	unsigned int i;

	if (!t->suspended)
		return -EPERM;
	for (i = 0; i < control->nr; i++)
		if (t->overflow & BIT(i))
			t->due[i] = t->page->counter[i].sum -
				control->counter[i].ireset;
	t->pending_signal = 0;
	t->suspended = false;
	t->page->status &= ~PERFCTR_STATUS_SUSPENDED;
	t->counting = true;
	return 0;
}

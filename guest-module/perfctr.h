/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of perfctr.ko share.  Who calls whom:
 *
 *	main.c		load and unload, in order
 *	device.c	/dev/perfctr: ioctls and the mapping	-> thread.c, group.c,
 *							   remote.c, cpu.c
 *	tracepoint.c	fork, exec and exit of a thread		-> thread.c
 *	thread.c	the counters of one thread, its switches -> vcpu.c
 *	remote.c	another thread's counters		-> thread.c
 *	cpu.c		whole vCPUs				-> thread.c
 *	group.c		the sums of a thread and what it has forked
 *	slots.c		what is loaded of more events than counters
 *	sample.c	overflows: what becomes of them	-> ring.c, maps.c
 *	ring.c		the rings that samples are written to
 *	maps.c		where the code of samples is
 *	vcpu.c		what is loaded on one vCPU, and hotplug	-> xen.c
 *	xen.c		hypercalls; what this Xen offers
 */
#ifndef _PERFCTR_H
#define _PERFCTR_H

#include <linux/build_bug.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/mm_types.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rbtree_types.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <linux/types.h>

#include <asm/msr.h>
#include <asm/tsc.h>

#include <xen/interface/xen.h>

#include "perfctr_arith.h"
#include "uapi/perfctr.h"
#include "xen-public/perfctr.h"

#ifndef CONFIG_PREEMPT_NOTIFIERS
#error "perfctr needs a kernel with CONFIG_PREEMPT_NOTIFIERS (enabling KVM selects it)"
#endif
#ifndef CONFIG_TRACEPOINTS
#error "perfctr needs a kernel with CONFIG_TRACEPOINTS"
#endif
#ifndef CONFIG_XEN
#error "perfctr needs a kernel with CONFIG_XEN"
#endif
#ifndef CONFIG_X86_64
#error "perfctr is for x86-64 kernels"
#endif

#define PERFCTR_DRIVER_VERSION "0.1"

struct perfctr_group;
struct perfctr_maps;
struct perfctr_record;
struct perfctr_ring;
struct poll_table_struct;
struct workqueue_struct;

/**
 * struct perfctr_setup - what a set of counters is to do
 * @control: in force; all zero: none.  Who makes a setup sets it and @sampling
 * @load: the same as Xen takes it, of @slot's counters
 * @map: position in @control of each counter in @load
 * @slots: how many slots of time the counters take turns in; 1: no turns
 * @slot: whose counters are in @load
 * @tsc: ticks are counted: with TSC_ON and with several slots
 * @sampling: some counter has an ireset
 * @may_rearm: ... in @load, where no counter counts anything but user mode
 * @slice: ticks of a slot's turn
 */
struct perfctr_setup {
	struct perfctr_dev_control control;
	struct xen_perfctr_load load;
	u8 map[PERFCTR_MAX_COUNTERS];
	u8 slots;
	u8 slot;
	bool tsc;
	bool sampling;
	bool may_rearm;
	u64 slice;
};

/**
 * struct perfctr_thread - the counters of one thread
 * @notifier: in the thread's own list, which is how its state is found
 * @ref: one of the live thread, one of each handle and each mapping
 * @rcu: frees
 * @seq: covers all below and @page; written only on the CPU where the thread
 *	is current, with interrupts off, so there is one writer at a time and
 *	no lock; readers are other threads' ioctls
 * @counting: to be started when the thread is switched in
 * @on_exec: @counting from the next exec on
 * @cloexec: unlink on exec, be it in force or stopped by then
 * @ended: unlinked or exited; the notifier is gone
 * @refused: ended by an exec that raised privileges
 * @in_force: has a control, be it that it failed: counted as such
 * @shown: @page says that what is in @setup.load runs
 * @whole_vcpu: not a thread's, but of all that runs on one vCPU
 * @attached: others may stop it, be it while its thread reads its page
 * @final_nr: of the control with which the thread exited
 * @final_flags: ... its flags
 * @founder: of @group, if there is one; false: inherited
 * @task: the thread; only where it is known to live
 * @mm: of the thread: only compared, never followed
 * @setup: what it does
 * @tsc_stolen: the vCPU's stolen ticks at @page->tsc_start
 * @page: what user space maps, read-only; so the kernel may trust it too
 * @now: counters as fold() reads them
 * @turn: several slots: ticks of the present turn
 * @used: ... of which it has had this many
 * @debt: ... what each slot has had more than its turns
 * @loaded: ... ticks for which each counter was loaded
 * @due: sampling: the sum at which each counter overflows next
 * @taken: ... what Xen had taken from each value in @now
 * @rearmed: ... counters that have overflowed so since the last sample
 * @overflow: suspended: what has overflowed
 * @pending_signal: ... and the thread has not been told yet
 * @suspended: until IRESUME
 * @throttled: overflows came too often; some are not interrupted for
 * @ring: where samples are written to, or NULL; set once
 * @maps: what has been written of the thread's mappings, or NULL
 * @group: it and what it inherits to, or from; NULL: none
 * @link: in @group's list, under its lock
 * @record: in @group's tree, under its lock; NULL: none
 */
struct perfctr_thread {
	struct preempt_notifier notifier;
	struct kref ref;
	struct rcu_head rcu;
	seqcount_t seq;
	bool counting;
	bool on_exec;
	bool cloexec;
	bool ended;
	bool refused;
	bool in_force;
	bool shown;
	bool whole_vcpu;
	bool attached;
	u32 final_nr;
	u32 final_flags;
	bool founder;
	struct task_struct *task;
	struct mm_struct *mm;
	struct perfctr_setup setup;
	u64 tsc_stolen;
	struct perfctr_page *page;
	u64 now[PERFCTR_MAX_COUNTERS];

	u64 turn;
	u64 used;
	u64 debt[PERFCTR_MAX_SLOTS];
	u64 loaded[PERFCTR_MAX_COUNTERS];

	u64 due[PERFCTR_MAX_COUNTERS];
	u64 taken[PERFCTR_MAX_COUNTERS];
	u32 rearmed;
	u32 overflow;
	u32 pending_signal;
	bool suspended;
	bool throttled;
	struct perfctr_ring *ring;
	struct perfctr_maps *maps;

	struct perfctr_group __rcu *group;
	struct list_head link;
	struct perfctr_record *record;
};

/**
 * struct perfctr_change - a control that is checked and can be put in force
 * @setup: the control
 * @grouped: there is, or will be, a group; else what follows means nothing
 * @group: what the thread will found, if it has none
 * @record: of the thread in it
 * @old_group: what the thread has left
 * @old_records: of those that ended before
 *
 * What may sleep is done before and after; the change itself, by
 * perfctr_thread_change(), may not.
 */
struct perfctr_change {
	struct perfctr_setup setup;
	bool grouped;
	struct perfctr_group *group;
	struct perfctr_record *record;
	struct perfctr_group *old_group;
	struct rb_root old_records;
};

/* thread.c */
struct perfctr_thread *perfctr_thread_of(const struct task_struct *task);
struct perfctr_thread *perfctr_thread_get_current(void);
bool perfctr_thread_is_current(const struct perfctr_thread *t);
struct perfctr_thread *perfctr_thread_alloc(gfp_t gfp);
void perfctr_thread_live_get(void);
void perfctr_thread_live_put(void);
int perfctr_thread_register(struct perfctr_thread *t, struct task_struct *task);
struct perfctr_thread *perfctr_thread_create(void);
void perfctr_thread_get(struct perfctr_thread *t);
void perfctr_thread_attached(struct perfctr_thread *t);
void perfctr_thread_put(struct perfctr_thread *t);
int perfctr_thread_control(struct perfctr_thread *t, struct perfctr_change *c);
/* The three parts of the above. */
int perfctr_change_prepare(struct perfctr_thread *t, struct perfctr_change *c);
int perfctr_thread_change(struct perfctr_thread *t, struct perfctr_change *c,
			  bool here);
void perfctr_change_done(struct perfctr_change *c);
int perfctr_thread_stop(struct perfctr_thread *t);
int perfctr_thread_unlink(struct perfctr_thread *t);
void perfctr_thread_fork(struct perfctr_thread *parent,
			 struct task_struct *child);
void perfctr_thread_exit(struct perfctr_thread *t);
void perfctr_thread_exec(struct perfctr_thread *t, bool privileged);
void perfctr_thread_read(struct perfctr_thread *t,
			 struct perfctr_dev_sums *sums);
void perfctr_thread_sums(const struct perfctr_thread *t,
			 struct perfctr_dev_sums *sums);
void perfctr_thread_get_control(struct perfctr_thread *t,
				struct perfctr_dev_control *control);
void perfctr_thread_fold(struct perfctr_thread *t);
void perfctr_thread_interrupt(struct perfctr_thread *t);
void perfctr_thread_slice(struct perfctr_thread *t);
void perfctr_thread_vcpu_gone(struct perfctr_thread *t);
void perfctr_thread_vcpu_absent(struct perfctr_thread *t);
void perfctr_thread_pause(struct perfctr_thread *t);
void perfctr_thread_resume(struct perfctr_thread *t);
bool perfctr_thread_exclude(void);
void perfctr_thread_include(void);
bool perfctr_thread_keeps_tsc(const struct perfctr_thread *t,
			      const struct perfctr_setup *s);
/* sample.c's; interrupts off. */
int perfctr_thread_fold_only(struct perfctr_thread *t);
void perfctr_thread_folded(struct perfctr_thread *t);
void perfctr_thread_hide(struct perfctr_thread *t);
void perfctr_thread_after_overflow(struct perfctr_thread *t);
void perfctr_thread_unthrottle(struct perfctr_thread *t);
int perfctr_thread_iresume(struct perfctr_thread *t);
int perfctr_thread_set_ring(struct perfctr_thread *t, struct perfctr_ring *ring,
			    struct perfctr_maps *maps);
void perfctr_thread_uninit(void);

/* group.c */
int perfctr_group_prepare(const struct perfctr_thread *t,
			  struct perfctr_change *c);
void perfctr_group_free_unused(struct perfctr_change *c);
/* Interrupts off, @t current's or of a thread that is kept from running. */
int perfctr_group_may_change(const struct perfctr_thread *t,
			     const struct perfctr_change *c);
void perfctr_group_change(struct perfctr_thread *t, struct perfctr_change *c);
void perfctr_group_inherit(const struct perfctr_thread *parent,
			   struct perfctr_thread *t);
void perfctr_group_lost(const struct perfctr_thread *parent);
void perfctr_group_end(struct perfctr_thread *t);
/* With @t's last reference. */
void perfctr_group_release(struct perfctr_thread *t);
int perfctr_group_read(struct perfctr_thread *t, struct perfctr_dev_group *out);
int perfctr_group_next_record(struct perfctr_thread *t,
			      struct perfctr_dev_record *out);
bool perfctr_group_is_live(const struct perfctr_thread *t);
/* In stop_machine(). */
struct perfctr_thread *perfctr_group_member(const struct perfctr_thread *t);
/* Frees what can't be freed where the last reference goes; and maps.c's. */
extern struct workqueue_struct *perfctr_wq;
int perfctr_group_init(void);
void perfctr_group_uninit(void);

/* sample.c */
void perfctr_sample_set_rearm(bool can);
/* With interrupts off, or by sched_in: */
void perfctr_sample_reset(struct perfctr_thread *t);
void perfctr_sample_before_load(struct perfctr_thread *t);
void perfctr_sample_interrupt(struct perfctr_thread *t);
void perfctr_sample_switched_out(struct perfctr_thread *t);
void perfctr_sample_stopped(struct perfctr_thread *t);
void perfctr_sample_signal(struct perfctr_thread *t);
int perfctr_sample_iresume(struct perfctr_thread *t);
/* Of a set with a ring. */
void perfctr_sample_comm(struct perfctr_thread *t, struct task_struct *task,
			 bool exec);
void perfctr_sample_fork(struct perfctr_thread *t);
void perfctr_sample_exit(struct perfctr_thread *t);

/* maps.c */
void perfctr_maps_want(struct perfctr_thread *t, u64 ip, u64 tsc);
void perfctr_maps_exec(struct perfctr_thread *t);
struct perfctr_maps *perfctr_maps_alloc(struct perfctr_thread *t, gfp_t gfp);

/* ring.c */
struct perfctr_ring *perfctr_ring_create(const struct perfctr_dev_ring *arg);
void perfctr_ring_get(struct perfctr_ring *ring);
void perfctr_ring_put(struct perfctr_ring *ring);
struct page *perfctr_ring_mapped(struct perfctr_ring *ring, unsigned long pgoff);
size_t perfctr_ring_bytes(const struct perfctr_ring *ring, unsigned long pgoff);
__poll_t perfctr_ring_poll(struct perfctr_ring *ring, struct file *file,
			   struct poll_table_struct *wait);
void perfctr_ring_telling(struct perfctr_ring *ring);
void perfctr_ring_told(struct perfctr_ring *ring);
bool perfctr_ring_is_telling(const struct perfctr_ring *ring);
/* Interrupts off. */
void perfctr_ring_wake(struct perfctr_ring *ring);
unsigned int perfctr_ring_depth(const struct perfctr_ring *ring);
bool perfctr_ring_shows_kernel(const struct perfctr_ring *ring);
void *perfctr_ring_reserve(struct perfctr_ring *ring, u16 type, u16 flags,
			   u32 size);
void perfctr_ring_commit(struct perfctr_ring *ring, void *record, u32 size);
void perfctr_ring_skipped(struct perfctr_ring *ring, u64 nr);
void perfctr_ring_fill_task(const struct perfctr_ring *ring,
			    struct perfctr_ring_task *record,
			    struct task_struct *task, u64 tsc);

/* slots.c */
int perfctr_slots_check(struct perfctr_setup *s);
void perfctr_slots_load(struct perfctr_setup *s, unsigned int slot);
void perfctr_slots_setup(struct perfctr_setup *s);
/* Interrupts off, @t has several slots. */
void perfctr_slots_reset(struct perfctr_thread *t);
void perfctr_slots_account(struct perfctr_thread *t, u64 ticks);
bool perfctr_slots_due(const struct perfctr_thread *t);
u64 perfctr_slots_left(const struct perfctr_thread *t);
void perfctr_slots_next(struct perfctr_thread *t);

/* remote.c: may sleep */
struct perfctr_thread *perfctr_remote_attach(const struct perfctr_dev_attach *arg);
int perfctr_remote_control(struct perfctr_thread *t, struct perfctr_change *change);
int perfctr_remote_stop(struct perfctr_thread *t);
int perfctr_remote_unlink(struct perfctr_thread *t);
void perfctr_remote_unlink_group(struct perfctr_thread *t);
int perfctr_remote_set_ring(struct perfctr_thread *t, struct perfctr_ring *ring,
			    struct perfctr_maps *maps);
int perfctr_remote_iresume(struct perfctr_thread *t);

/* cpu.c: may sleep, but offline() */
int perfctr_cpu_claim(void);
void perfctr_cpu_release(void);
int perfctr_cpu_control(const struct perfctr_dev_cpu *arg);
int perfctr_cpu_read(struct perfctr_dev_cpu *arg);
void perfctr_cpu_offline(void);
void perfctr_cpu_resume(void);
void perfctr_cpu_resumed(void);

/* device.c */
int perfctr_device_init(void);
void perfctr_device_uninit(void);

/* tracepoint.c */
int perfctr_tracepoint_init(void);
void perfctr_tracepoint_uninit(void);

/* vcpu.c: of the vCPU we are on; all but init and uninit: interrupts off */

/**
 * struct perfctr_vcpu - what we know of one vCPU
 * @page: Xen writes here; NULL: not registered
 * @running: the thread that is current and counts; others may look which one
 * @generation: @page->generation after we loaded @loaded
 * @is_loaded: @loaded is the control in Xen
 * @loaded: valid with @is_loaded
 * @timer: folds
 * @timer_armed: it will come
 * @slice_armed: @slice_timer will come
 * @slice_timer: ends a slot's turn
 * @slice_deadline: when, in ticks
 * @throttled: @page->throttled as we have seen it last
 * @throttle_timer: ends it
 * @irq: of VIRQ_PERFCTR; negative: none
 */
struct perfctr_vcpu {
	struct xen_perfctr_page *page;
	struct perfctr_thread *running;
	u64 generation;
	struct xen_perfctr_page *suspended_page;	/* instead of @page */
	bool is_loaded;
	bool timer_armed;
	bool slice_armed;
	struct xen_perfctr_load loaded;
	struct hrtimer timer;
	struct hrtimer slice_timer;
	u64 slice_deadline;
	u32 throttled;
	struct hrtimer throttle_timer;
	int irq;
};

DECLARE_PER_CPU(struct perfctr_vcpu, perfctr_vcpus);

int perfctr_vcpu_load_other(struct perfctr_vcpu *v,
			    const struct xen_perfctr_load *load);
int perfctr_vcpu_why_lost(const struct xen_perfctr_load *load);
void perfctr_vcpu_forget(void);
bool perfctr_vcpu_was_throttled(void);
void perfctr_vcpu_set_load_by_page(bool can);
void perfctr_vcpu_slice(u64 now, u64 ticks);
void perfctr_vcpu_arm_fold(struct perfctr_vcpu *v);

/* Xen writes the page only while its vCPU does not run: no retry loop. */
static inline bool perfctr_vcpu_same_generation(const struct perfctr_vcpu *v)
{
	return likely(v->page) && READ_ONCE(v->page->generation) == v->generation;
}

/*
 * False: somebody else changed this vCPU's control since our last load, so a
 * difference between two values of a counter means nothing.
 */
static inline bool perfctr_vcpu_still_loaded(void)
{
	return perfctr_vcpu_same_generation(this_cpu_ptr(&perfctr_vcpus));
}

/*
 * By words: no padding, and a switch has no time for memcmp().  @period is 0 in
 * both: a control that samples is the same as none (perfctr_vcpu_load_other()).
 */
static inline bool perfctr_same_load(const struct xen_perfctr_load *a,
				     const struct xen_perfctr_load *b)
{
	unsigned int i;

	if (a->nr != b->nr || a->flags != b->flags)
		return false;
#pragma GCC unroll 4
	for (i = 0; i < a->nr; i++) {
		const u64 *x = (const u64 *)&a->counter[i];
		const u64 *y = (const u64 *)&b->counter[i];

		/* Index and flags, and the event select. */
		BUILD_BUG_ON(offsetof(struct xen_perfctr_counter, evtsel) != 8);
		if (x[0] != y[0] || x[1] != y[1])
			return false;
	}
	return true;
}

/*
 * Make @load what this vCPU counts: with one hypercall, or none if that is
 * what it counts already.
 *
 * Controls are compared whole (events, counters, their order and modes, flags),
 * never by an id.  The generation tells that nobody but us changed the control
 * since.
 */
static inline int perfctr_vcpu_load(const struct xen_perfctr_load *load)
{
	struct perfctr_vcpu *v = this_cpu_ptr(&perfctr_vcpus);

	if (likely(v->is_loaded && perfctr_vcpu_same_generation(v) &&
		   perfctr_same_load(&v->loaded, load)))
		return 0;
	return perfctr_vcpu_load_other(v, load);
}

/*
 * The TSC, and what Xen has stolen of it up to then.  A vCPU that was kept from
 * running between the two would have ticks stolen that are not in its TSC.
 */
static inline u64 perfctr_vcpu_tsc(u64 *stolen)
{
	const struct xen_perfctr_page *page = this_cpu_read(perfctr_vcpus.page);
	u64 tsc;

	if (unlikely(!page)) {
		*stolen = 0;
		return rdtsc();
	}
	do {
		*stolen = READ_ONCE(page->tsc_stolen);
		tsc = rdtsc();
		barrier();
	} while (unlikely(READ_ONCE(page->tsc_stolen) != *stolen));
	return tsc;
}

static inline struct perfctr_thread *perfctr_vcpu_running(void)
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
static inline void perfctr_vcpu_set_running(struct perfctr_thread *t)
{
	struct perfctr_vcpu *v = this_cpu_ptr(&perfctr_vcpus);

	/* Others only compare it, and what it points to outlives an RCU reader. */
	WRITE_ONCE(v->running, t);
	if (t && unlikely(!v->timer_armed))
		perfctr_vcpu_arm_fold(v);
}

bool perfctr_vcpu_suspended(void);
int perfctr_vcpu_init(void);
void perfctr_vcpu_uninit(void);
/* ... and of every vCPU on which no thread is counting just now; sleeps */
void perfctr_vcpu_stop_idle(void);
/* ... and of every vCPU on which @t, or a member of @g, is counting; sleeps */
void perfctr_vcpu_fold_running(const struct perfctr_thread *t,
			       const struct perfctr_group *g);

/* xen.c */
extern struct perfctr_dev_info perfctr_info;
/* All ones in their widths */
extern u64 perfctr_general_mask;
extern u64 perfctr_fixed_mask;
int perfctr_xen_op(unsigned int op, const void *arg);
void perfctr_xen_explain(int err);
int perfctr_xen_check(const struct perfctr_setup *s);
bool perfctr_xen_same_pmu(void);
int perfctr_xen_refresh(void);
int perfctr_xen_init(void);

#endif /* _PERFCTR_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of perfctr.ko share.  Who calls whom:
 *
 *	main.c		load and unload, in order
 *	device.c	/dev/perfctr: ioctls and the mapping	-> thread.c
 *	tracepoint.c	exec and exit of a thread		-> thread.c
 *	thread.c	the counters of one thread, its switches -> vcpu.c
 *	vcpu.c		what is loaded on one vCPU, and hotplug	-> xen.c
 *	xen.c		hypercalls; what this Xen offers
 */
#ifndef _PERFCTR_H
#define _PERFCTR_H

#include <linux/kref.h>
#include <linux/mm_types.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <linux/types.h>

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
 * @mm: of the thread: only compared, never followed
 * @control: in force; nr 0: none
 * @load: the same as Xen takes it
 * @tsc_stolen: the vCPU's stolen ticks at @page->tsc_start
 * @page: what user space maps, read-only; so the kernel may trust it too
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
	struct mm_struct *mm;
	struct perfctr_dev_control control;
	struct xen_perfctr_load load;
	u64 tsc_stolen;
	struct perfctr_page *page;
};

/* thread.c */
struct perfctr_thread *perfctr_thread_current(void);
struct perfctr_thread *perfctr_thread_create(void);
void perfctr_thread_get(struct perfctr_thread *t);
void perfctr_thread_put(struct perfctr_thread *t);
int perfctr_thread_control(struct perfctr_thread *t,
			   const struct perfctr_dev_control *control);
void perfctr_thread_stop(struct perfctr_thread *t);
void perfctr_thread_unlink(struct perfctr_thread *t);
void perfctr_thread_exit(struct perfctr_thread *t);
void perfctr_thread_exec(struct perfctr_thread *t, bool privileged);
void perfctr_thread_read(struct perfctr_thread *t,
			 struct perfctr_dev_sums *sums);
void perfctr_thread_get_control(struct perfctr_thread *t,
				struct perfctr_dev_control *control);
void perfctr_thread_fold(struct perfctr_thread *t);
void perfctr_thread_uninit(void);

/* device.c */
int perfctr_device_init(void);
void perfctr_device_uninit(void);

/* tracepoint.c */
int perfctr_tracepoint_init(void);
void perfctr_tracepoint_uninit(void);

/* vcpu.c: of the vCPU we are on; all but init and uninit: interrupts off */
int perfctr_vcpu_load(const struct xen_perfctr_load *load);
void perfctr_vcpu_forget(void);
bool perfctr_vcpu_still_loaded(void);
u64 perfctr_vcpu_tsc_stolen(void);
struct perfctr_thread *perfctr_vcpu_running(void);
void perfctr_vcpu_set_running(struct perfctr_thread *t);
int perfctr_vcpu_init(void);
void perfctr_vcpu_uninit(void);
/* ... and of every vCPU on which no thread is counting just now; sleeps */
void perfctr_vcpu_stop_idle(void);

/* xen.c */
extern struct perfctr_dev_info perfctr_info;
int perfctr_xen_op(unsigned int op, const void *arg);
void perfctr_xen_explain(int err);
int perfctr_xen_check(const struct perfctr_dev_control *control);
int perfctr_xen_init(void);

#endif /* _PERFCTR_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fork, exec and exit of threads, seen through the scheduler's tracepoints.
 *
 * A stock kernel does not export them by name, so they are looked up.  The
 * probes are in place as long as the module is: a fork, exec or exit of a thread
 * without counters costs one look at a list head.  No probe sits on a path
 * that switches threads.
 *
 * Probes run in the context of the thread that forks, execs or exits, with
 * preemption disabled: they must not sleep.
 */
#include <linux/binfmts.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "perfctr.h"

/*
 * The child is complete and can't fail any more, but has not been woken up:
 * nothing it executes comes before this.
 */
static void probe_fork(void *data, struct task_struct *parent,
		       struct task_struct *child)
{
	struct perfctr_thread *t = perfctr_thread_of(current);

	if (t)
		perfctr_thread_fork(t, child);
}

/*
 * The new program is installed, credentials and address space included, and
 * has executed nothing: what happens from here on is its own.
 */
static void probe_exec(void *data, struct task_struct *p, pid_t old_pid,
		       struct linux_binprm *bprm)
{
	struct perfctr_thread *t = perfctr_thread_of(current);

	/*
	 * A program that got more rights than its caller, or that its caller
	 * may not read, is not for the caller to watch.
	 */
	if (t)
		perfctr_thread_exec(t, bprm->secureexec ||
				    bprm->interp_flags & BINPRM_FLAGS_ENFORCE_NONDUMP);
}

/*
 * The thread has left its address space, so it executes no more user
 * instructions; but it is not yet a zombie.  So whoever waits for it finds the
 * final counts, and a module that can be unloaded.
 */
static void probe_exit(void *data, struct task_struct *p)
{
	struct perfctr_thread *t = perfctr_thread_of(current);

	if (t)
		perfctr_thread_exit(t);
}

static struct {
	const char *name;
	void *probe;
	struct tracepoint *tp;
	bool registered;
} probes[] = {
	{ "sched_process_fork", probe_fork },
	{ "sched_process_exec", probe_exec },
	{ "sched_process_exit", probe_exit },
};

static void lookup(struct tracepoint *tp, void *data)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (!strcmp(tp->name, probes[i].name))
			probes[i].tp = tp;
}

void perfctr_tracepoint_uninit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (probes[i].registered)
			tracepoint_probe_unregister(probes[i].tp,
						    probes[i].probe, NULL);
	/*
	 * probe_exit() drops what may be the last reference to the module
	 * while it still executes; here we wait until it has returned.
	 */
	tracepoint_synchronize_unregister();
}

int __init perfctr_tracepoint_init(void)
{
	unsigned int i;
	int err;

	for_each_kernel_tracepoint(lookup, NULL);
	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		if (!probes[i].tp) {
			pr_err("perfctr: this kernel has no tracepoint %s; perfctr needs a kernel with it\n",
			       probes[i].name);
			err = -ENOENT;
			goto err;
		}
		err = tracepoint_probe_register(probes[i].tp, probes[i].probe,
						NULL);
		if (err) {
			pr_err("perfctr: can't attach to tracepoint %s (%d); see the kernel log above\n",
			       probes[i].name, err);
			goto err;
		}
		probes[i].registered = true;
	}
	return 0;

err:
	perfctr_tracepoint_uninit();
	return err;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which allocation of perfctr.ko fails: parameters of the module, in
 * /sys/module/perfctr/parameters too.
 *
 *	fail_at=N	the Nth from now on, the first being 1; 0: none
 *	fail_for=N	so many one after the other, from there on
 *	failed		how many have failed
 *	left		how many things are allocated and not freed
 */
#include <linux/atomic.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

bool fault_due(void);
void *fault_took(void *p);
void fault_gave(const void *p);

static atomic_t left = ATOMIC_INIT(0);
static int fail_at, fail_for = 1, failed;
module_param(fail_at, int, 0600);
module_param(fail_for, int, 0600);
module_param(failed, int, 0400);
module_param_named(left, left.counter, int, 0400);

static DEFINE_RAW_SPINLOCK(fault_lock);

bool fault_due(void)
{
	unsigned long flags;
	bool fails = false;

	raw_spin_lock_irqsave(&fault_lock, flags);
	if (fail_at > 1) {
		fail_at--;
	} else if (fail_at == 1) {
		fails = true;
		failed++;
		if (--fail_for <= 0) {
			fail_at = 0;
			fail_for = 1;
		}
	}
	raw_spin_unlock_irqrestore(&fault_lock, flags);
	return fails;
}

void *fault_took(void *p)
{
	if (p)
		atomic_inc(&left);
	return p;
}

void fault_gave(const void *p)
{
	if (p)
		atomic_dec(&left);
}

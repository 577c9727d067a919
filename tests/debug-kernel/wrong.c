// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the debug kernel has to notice: each load of this module does the one wrong thing
 * that the parameter "what" names, and fails.
 */
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timer.h>

static char *what = "";
module_param(what, charp, 0);

static DEFINE_SPINLOCK(spin);
static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static int __rcu *nothing;

/* Objects that nobody knows of any more. Several: kmemleak overlooks what some old value points to. */
static void leak(void)
{
	unsigned int i;

	for (i = 0; i < 16; i++) {
		char *lost = kmalloc(256, GFP_KERNEL);

		if (lost)
			memset(lost, 1, 256);
		OPTIMIZER_HIDE_VAR(lost);
		lost = NULL;
		OPTIMIZER_HIDE_VAR(lost);
	}
}

/* The compiler must not see that it has been freed, nor leave the access out. */
static void use_after_free(void)
{
	char *gone = kmalloc(128, GFP_KERNEL);

	if (!gone)
		return;
	kfree(gone);
	OPTIMIZER_HIDE_VAR(gone);
	WRITE_ONCE(gone[5], 1);
}

static void sleeps(void)
{
	spin_lock(&spin);
	might_sleep();
	spin_unlock(&spin);
}

static void no_rcu_lock(void)
{
	(void)rcu_dereference(nothing);
}

/* Each order of two locks; the other one would have to run at the same time to hang. */
static void lock_order(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static void fires(struct timer_list *timer)
{
}

/* A timer whose memory is given back while it is pending. */
static void pending_timer(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, fires, 0);
	mod_timer(timer, jiffies + 1000 * HZ);
	kfree(timer);
	/* DEBUG_OBJECTS has stopped it by now; without it, it must not fire. */
	OPTIMIZER_HIDE_VAR(timer);
}

static int __init wrong_init(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} things[] = {
		{ "leak", leak },
		{ "use-after-free", use_after_free },
		{ "sleep", sleeps },
		{ "timer", pending_timer },
		{ "rcu", no_rcu_lock },
		{ "lock-order", lock_order },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(things); i++) {
		if (!strcmp(what, things[i].name)) {
			things[i].run();
			return -ECANCELED;
		}
	}
	return -EINVAL;
}
module_init(wrong_init);

MODULE_DESCRIPTION("faults for a debug kernel to notice");
MODULE_LICENSE("GPL");

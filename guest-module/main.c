// SPDX-License-Identifier: GPL-2.0-only
/*
 * perfctr: hardware performance counters for the threads of a Xen guest.
 */
#include <linux/bitops.h>
#include <linux/init.h>
#include <linux/module.h>

#include "perfctr.h"

static int __init perfctr_init(void)
{
	int err;

	err = perfctr_xen_init();
	if (err)
		return err;
	err = perfctr_group_init();
	if (err)
		return err;
	err = perfctr_vcpu_init();
	if (err)
		goto err_vcpu;
	err = perfctr_tracepoint_init();
	if (err)
		goto err_tracepoint;
	/* Last: from here on programs can come in. */
	err = perfctr_device_init();
	if (err)
		goto err_device;

	pr_info("perfctr: %s on %s: %lu general counters of %u bits, %lu fixed of %u\n",
		perfctr_info.guest, perfctr_info.hypervisor,
		hweight64(perfctr_info.general), perfctr_info.general_width,
		hweight64(perfctr_info.fixed), perfctr_info.fixed_width);
	return 0;

err_device:
	perfctr_tracepoint_uninit();
	/* Nothing could create a set, but what tears down goes in order. */
	perfctr_thread_uninit();
err_tracepoint:
	perfctr_vcpu_uninit();
err_vcpu:
	perfctr_group_uninit();
	return err;
}

/*
 * Each live set of counters holds a reference to the module, as each open
 * handle and each mapping does: here nothing counts any more.
 */
static void __exit perfctr_exit(void)
{
	perfctr_device_uninit();
	perfctr_tracepoint_uninit();
	perfctr_thread_uninit();
	perfctr_vcpu_uninit();
	perfctr_group_uninit();
}

module_init(perfctr_init);
module_exit(perfctr_exit);

MODULE_DESCRIPTION("Hardware performance counters for the threads of a Xen guest");
MODULE_AUTHOR("The perfctr-xen authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(PERFCTR_DRIVER_VERSION);

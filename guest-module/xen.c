// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypercall, and what this hypervisor offers.
 *
 * Nothing here is a check that Xen relies on; Xen checks all of it again.  We
 * check to give a program an exact error before anything was changed.
 */
#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <asm/tsc.h>
#include <asm/xen/hypercall.h>

#include <xen/interface/version.h>
#include <xen/xen.h>

#include "perfctr.h"

/* One number space in both interfaces: a value passes through untranslated. */
static_assert(PERFCTR_MAX_COUNTERS == XENPERFCTR_MAX_COUNTERS);
static_assert(PERFCTR_INDEX_FIXED == XENPERFCTR_INDEX_FIXED);
static_assert(PERFCTR_VENDOR_INTEL == XENPERFCTR_VENDOR_INTEL);
static_assert(PERFCTR_VENDOR_AMD == XENPERFCTR_VENDOR_AMD);
static_assert(PERFCTR_FEAT_GLOBAL_CTRL == XENPERFCTR_FEAT_GLOBAL_CTRL);
static_assert(PERFCTR_FEAT_SPLIT == XENPERFCTR_FEAT_SPLIT);
static_assert(PERFCTR_FEAT_SAMPLING == XENPERFCTR_FEAT_SAMPLING);
static_assert(PERFCTR_FEAT_HOST == XENPERFCTR_FEAT_HOST);
static_assert(PERFCTR_FEAT_FILTER == XENPERFCTR_FEAT_FILTER);

/* Written once, before there is a device; @features whenever it is asked for. */
struct perfctr_dev_info perfctr_info;
u64 perfctr_general_mask __ro_after_init;
u64 perfctr_fixed_mask __ro_after_init;

int perfctr_xen_op(unsigned int op, const void *arg)
{
	return xen_single_call(__HYPERVISOR_perfctr_op, op,
			       (unsigned long)arg, 0, 0, 0);
}

/* One line for the administrator: what is wrong, and what to do. */
void perfctr_xen_explain(int err)
{
	switch (err) {
	case -ENOSYS:
		pr_err("perfctr: this Xen has no perfctr; boot a Xen built with the patches in xen-patches/\n");
		break;
	case -EPERM:
		pr_err("perfctr: the host's policy does not give this domain counters; its administrator can: xen-perfctr in dom0, perfctr= in xl.cfg, perfctr= on Xen's command line\n");
		break;
	case -ENODEV:
		pr_err("perfctr: Xen finds no PMU on this host that it can share; see why in Xen's log (xl dmesg)\n");
		break;
	case -EBUSY:
		pr_err("perfctr: the PMU is in other use: Xen's watchdog (remove it from Xen's command line), or perf or the NMI watchdog of this kernel by way of vpmu= (stop them)\n");
		break;
	case -EOPNOTSUPP:
		pr_err("perfctr: this host can't give counters to this kind of guest: an HVM or PVH guest needs AMD family 10h or VMX with load of IA32_PERF_GLOBAL_CTRL, and no nested virtualization\n");
		break;
	case -EINVAL:
		pr_err("perfctr: Xen speaks another version of the interface than %u; use module and Xen of one release\n",
		       XENPERFCTR_VERSION);
		break;
	default:
		pr_err("perfctr: Xen refuses counters (error %d); see the hypervisor's log (xl dmesg)\n",
		       err);
		break;
	}
}

/* Of counters that are right but for that */
static noinline int check_periods(const struct perfctr_dev_control *control,
				  u64 features)
{
	unsigned int i;

	if (!(features & PERFCTR_FEAT_SAMPLING))
		return -EOPNOTSUPP;
	for (i = 0; i < control->nr; i++) {
		const struct perfctr_dev_counter *c = &control->counter[i];
		const unsigned int width = c->index >= PERFCTR_INDEX_FIXED ?
			perfctr_info.fixed_width : perfctr_info.general_width;

		if (c->ireset && (c->ireset > -(s64)perfctr_info.min_period ||
				  c->ireset <= -(s64)BIT_ULL(width - 1)))
			return -EINVAL;
	}
	return 0;
}

/* Of one counter; *@taken: those of its slot of time before it. */
static __always_inline int check_counter(const struct perfctr_dev_counter *c,
					 u64 *taken, u64 general, u64 fixed,
					 u64 mask, u64 features)
{
	const u64 usr = XENPERFCTR_EVTSEL_USR, os = XENPERFCTR_EVTSEL_OS;
	const u64 modes = c->evtsel & (usr | os);
	u32 n = c->index;

	/* Fixed ones have their bits from 32 on. */
	if (n >= PERFCTR_INDEX_FIXED) {
		general = fixed << 32;
		mask = usr | os;
		n -= PERFCTR_INDEX_FIXED - 32;
	} else {
		general &= U32_MAX;
	}
	if (n >= 64 || !(general & ~*taken & BIT_ULL(n)) || c->evtsel & ~mask)
		return -EINVAL;
	*taken |= BIT_ULL(n);
	if (modes == os && !(features & PERFCTR_FEAT_SPLIT))
		return -EOPNOTSUPP;
	if (c->flags & PERFCTR_COUNTER_HOST &&
	    (!(features & PERFCTR_FEAT_HOST) || modes == usr || modes == os))
		return -EOPNOTSUPP;
	return 0;
}

/* What a control may ask for: -EINVAL, or -EOPNOTSUPP by a feature bit. */
int perfctr_xen_check(const struct perfctr_setup *s)
{
	const struct perfctr_dev_control *control = &s->control;
	const struct perfctr_dev_info *info = &perfctr_info;
	const u64 general = info->general, fixed = info->fixed;
	const u64 mask = info->evtsel_mask, features = READ_ONCE(info->features);
	const u32 flags = PERFCTR_COUNTER_HOST |
		PERFCTR_COUNTER_SLOT(PERFCTR_MAX_SLOTS - 1);
	u64 taken[PERFCTR_MAX_SLOTS] = {};
	unsigned int i;

	if (control->nr > PERFCTR_MAX_COUNTERS)
		return -EINVAL;
	for (i = 0; i < control->nr; i++) {
		const struct perfctr_dev_counter *c = &control->counter[i];
		int err;

		if (c->flags & ~flags)
			return -EINVAL;
		err = check_counter(c, &taken[PERFCTR_COUNTER_SLOT_OF(c->flags)],
				    general, fixed, mask, features);
		if (err)
			return err;
	}
	return unlikely(s->sampling) ? check_periods(control, features) : 0;
}

/* What there is, checked. */
static int query_pmu(struct xen_perfctr_query *query)
{
	int err;

	*query = (struct xen_perfctr_query){ .version = XENPERFCTR_VERSION };
	err = perfctr_xen_op(XENPERFCTR_OP_query, query);
	if (!err && query->version < XENPERFCTR_VERSION)
		err = -EINVAL;
	/* A width is used as a shift; Xen is trusted, a typo in it is not. */
	if (!err && ((query->general && !query->general_width) ||
		     (query->fixed && !query->fixed_width) ||
		     query->general_width > 64 || query->fixed_width > 64))
		err = -ENODEV;
	return err;
}

static void set_features(u64 features)
{
	const u64 known = PERFCTR_FEAT_GLOBAL_CTRL | PERFCTR_FEAT_SPLIT |
		PERFCTR_FEAT_SAMPLING | PERFCTR_FEAT_HOST | PERFCTR_FEAT_FILTER;

	WRITE_ONCE(perfctr_info.features, features & known);
	perfctr_vcpu_set_load_by_page(features & XENPERFCTR_FEAT_PAGE_LOAD);
	perfctr_sample_set_rearm(features & XENPERFCTR_FEAT_REARM);
}

/*
 * The host's policy can change at any time: bring what we say of it up to date.
 * -EPERM: it does not give this domain counters any more.
 */
int perfctr_xen_refresh(void)
{
	struct xen_perfctr_query query;
	int err = query_pmu(&query);

	if (!err)
		set_features(query.features);
	return err;
}

static void __init fill_names(struct perfctr_dev_info *info)
{
	struct xen_extraversion extra = {};
	int version = HYPERVISOR_xen_version(XENVER_version, NULL);

	/* A policy may hide this: then it is not there, or "<denied>". */
	if (HYPERVISOR_xen_version(XENVER_extraversion, &extra) < 0 ||
	    extra.extraversion[0] == '<')
		extra.extraversion[0] = '\0';
	extra.extraversion[sizeof(extra.extraversion) - 1] = '\0';

	snprintf(info->hypervisor, sizeof(info->hypervisor), "Xen %d.%d%s",
		 version >> 16, version & 0xffff, extra.extraversion);
	snprintf(info->guest, sizeof(info->guest), "%s %s",
		 xen_pv_domain() ? "PV" : xen_pvh_domain() ? "PVH" : "HVM",
		 xen_initial_domain() ? "dom0" : "domU");
	strscpy(info->driver_version, PERFCTR_DRIVER_VERSION,
		sizeof(info->driver_version));
}

/* After this guest was restored: can what was counting go on here? */
bool perfctr_xen_same_pmu(void)
{
	const struct perfctr_dev_info *info = &perfctr_info;
	struct xen_perfctr_query query;
	int err;

	err = query_pmu(&query);
	if (err) {
		perfctr_xen_explain(err);
		return false;
	}
	if (query.vendor == info->vendor && query.arch_events == info->arch_events &&
	    query.general == info->general && query.fixed == info->fixed &&
	    query.general_width == info->general_width &&
	    query.fixed_width == info->fixed_width &&
	    query.evtsel_mask == info->evtsel_mask &&
	    query.min_period == info->min_period) {
		set_features(query.features);
		return true;
	}
	pr_err("perfctr: this host has another PMU than the one before; what counted ends with an error. Load the module again to count here\n");
	return false;
}

int __init perfctr_xen_init(void)
{
	struct perfctr_dev_info *info = &perfctr_info;
	struct xen_perfctr_query query;
	int err;

	if (!xen_domain()) {
		pr_err("perfctr: this kernel does not run on Xen; perfctr needs a Xen guest\n");
		return -ENODEV;
	}
	err = query_pmu(&query);
	if (err) {
		perfctr_xen_explain(err);
		/* insmod takes ENOSYS for a system call that is missing, and tries another. */
		return err == -ENOSYS ? -ENODEV : err;
	}

	info->version = PERFCTR_ABI_VERSION_DEV;
	info->xen_abi = query.version;
	info->vendor = query.vendor;
	info->arch_events = query.arch_events;
	set_features(query.features);
	info->general = query.general;
	info->fixed = query.fixed;
	info->general_width = query.general_width;
	info->fixed_width = query.fixed_width;
	info->evtsel_mask = query.evtsel_mask;
	perfctr_general_mask = perfctr_width_mask(query.general_width ?: 64);
	perfctr_fixed_mask = perfctr_width_mask(query.fixed_width ?: 64);
	info->min_period = query.min_period;
	info->max_rate = query.max_rate;
	info->tsc_khz = tsc_khz;
	info->cpus = num_possible_cpus();
	fill_names(info);
	return 0;
}

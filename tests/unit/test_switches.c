// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two schedulers at random: threads on vCPUs, vCPUs on pCPUs.
 *
 * What is tested is the text that runs: perfctr_arith.h, and the hypervisor's
 * hypercall.c, vcpu.c, pmu.c and policy.c out of the patch series (xen_host.h).  Between
 * them is a guest's kernel in a few lines, which does what guest-module's
 * thread.c and vcpu.c do, in the same order, and can lose its pCPU between any
 * two readings of a register.
 *
 * The model can't be wrong: an event is added to the one thread that counts it
 * when it happens.  A thread counts from the reading of a counter that starts
 * it to the reading that stops it.
 *
 * PERFCTR_SEED	another seed than the fixed ones (decimal)
 * PERFCTR_STEPS	steps per seed and kind of PMU
 *
 * A failure says by which seed and in which step; with that seed in
 * PERFCTR_SEED it comes again.
 */

#include <stdio.h>

#include "random.h"
#include "test.h"

#include <perfctr_arith.h>
#include <uapi/perfctr.h>

#include "xen_host.h"

#include <asm/perfctr.h>
#include <public/arch-x86/perfctr.h>

#define NR_PCPUS   XEN_HOST_CPUS
#define NR_DOMAINS 2
#define NR_VCPUS   3 /* per domain */
#define NR_THREADS 5 /* per domain */
#define NR_KINDS   6 /* of events */
#define MAX_NR     5 /* counters of a thread */

#define DEFAULT_STEPS 200000

struct guest_vcpu;

struct thread {
	struct guest_vcpu *on; /* whose current thread it is */
	struct xen_perfctr_load load;
	struct perfctr_page page;
	uint64_t tsc_stolen; /* of the vCPU, at page.tsc_start */
	bool counting;       /* to be started when switched in */

	/* The model. */
	bool counts[MAX_NR], tsc_counts;
	unsigned int kind[MAX_NR];
	uint64_t truth[MAX_NR], tsc_truth;
	/* What the module has to come to know, and events since. */
	uint64_t sampled[MAX_NR], since[MAX_NR], tsc_sampled;
};

/* A vCPU, and what the guest's kernel knows of it (struct perfctr_vcpu). */
struct guest_vcpu {
	struct vcpu xen;
	int pcpu; /* -1: does not run */
	uint64_t generation;
	struct xen_perfctr_load loaded;
	struct thread *thread, *running;
	struct xen_perfctr_page *page;
	/* The model: the control that is in force unless Xen had to drop it. */
	struct xen_perfctr_load in_xen;
};

static struct domain domains[NR_DOMAINS];
static struct guest_vcpu vcpus[NR_DOMAINS][NR_VCPUS];
static struct thread threads[NR_DOMAINS][NR_THREADS];
static struct guest_vcpu *on_pcpu[NR_PCPUS];
/* Whose counters the PMU had last, and nobody else since. */
static const struct guest_vcpu *last_user[NR_PCPUS];
/* Whose registers it has still, while it idles. */
static const struct guest_vcpu *context[NR_PCPUS];
/* Nobody who counts has been there since. */
static bool vpmu_was_on[NR_PCPUS];

static unsigned long seed, nr_steps, step;
static unsigned int depth;
static struct {
	unsigned long events, wraps, vcpu_switches, vcpu_migrations,
		thread_switches, thread_migrations, folds, reads, hypercalls,
		loads_elided, restores_elided, overflows, lost, stolen,
		policies, revoked, revoked_self, denied, filtered,
		vpmu_visits;
} done;

#define check(condition, ...)                                                  \
	do {                                                                   \
		if (!(condition)) {                                            \
			print_error("# %s:%d: %s\n# ", __func__, __LINE__,     \
				    #condition);                               \
			print_error(__VA_ARGS__);                              \
			print_error(                                           \
				"\n# PERFCTR_SEED=%lu, step %lu, width %u,"    \
				" %s\n",                                       \
				seed, step, xen_host_kind.width,               \
				xen_host_kind.global ? "global control"        \
						     : "no global control");   \
			fail();                                                \
		}                                                              \
	} while (0)

static bool one_in(unsigned int n)
{
	return !below(n);
}

/* ----- the model of the host's policy ------------------------------------- */

static struct {
	struct xen_domctl_perfctr_op op;
	xen_perfctr_event_t event[4];
} policies[NR_DOMAINS];
static unsigned long virqs;

/* Event and unit mask of a counter, as the SDM has them. */
static unsigned int event_of(const struct xen_perfctr_counter *c)
{
	static const unsigned int fixed[] = {0xc0, 0x3c, 0x13c, 0x1a4};

	return c->index & XENPERFCTR_INDEX_FIXED ? fixed[c->index & 7]
						 : c->evtsel & 0xffff;
}

static bool in_filter(unsigned int d, unsigned int event)
{
	unsigned int i;

	for (i = 0; i < policies[d].op.nr_events; i++) {
		const xen_perfctr_event_t *e = &policies[d].event[i];

		if (e->event == (event & 0xff) &&
		    e->umask == (event >> 8 & e->mask))
			return true;
	}
	return false;
}

/* What a load of @load has to give. */
static long policy_error(const struct domain *domain,
			 const struct xen_perfctr_load *load)
{
	const unsigned int d = domain->domain_id;
	unsigned int i;

	if (policies[d].op.level == XENPERFCTR_LEVEL_DENIED)
		return -EPERM;
	if (policies[d].op.filter == XENPERFCTR_FILTER_NONE)
		return 0;
	for (i = 0; i < load->nr; i++)
		if (in_filter(d, event_of(&load->counter[i])) !=
		    (policies[d].op.filter == XENPERFCTR_FILTER_ALLOW))
			return -EACCES;
	return 0;
}

void xen_host_virq(struct vcpu *v)
{
	(void)v;
	virqs++;
}

/* ----- what happens: the hardware, and the model -------------------------- */

static void happen(unsigned int pcpu, unsigned int kind, uint64_t n, bool ring0)
{
	const struct guest_vcpu *v = on_pcpu[pcpu];
	struct thread *t = v && !ring0 ? v->thread : NULL;
	unsigned int i;

	xen_host_events(pcpu, kind, n, ring0);
	done.events++;
	for (i = 0; t && i < t->load.nr; i++) {
		if (!t->counts[i] || t->kind[i] != kind)
			continue;
		t->truth[i] += n;
		t->since[i] += n;
		done.wraps += n && *xen_host_counter(
					   pcpu, t->load.counter[i].index) < n;
	}
}

static void ticks(uint64_t n)
{
	unsigned int p;

	xen_host_tsc += n;
	for (p = 0; p < NR_PCPUS; p++)
		if (on_pcpu[p] && on_pcpu[p]->thread &&
		    on_pcpu[p]->thread->tsc_counts)
			on_pcpu[p]->thread->tsc_truth += n;
}

/* ----- Xen's scheduler ---------------------------------------------------- */

/* What is promised to whoever runs on @pcpu now. */
static void check_pmu(unsigned int pcpu)
{
	const struct guest_vcpu *v = on_pcpu[pcpu];
	const bool may = v && v->xen.arch.perfctr && perfctr_may_rdpmc(&v->xen);
	unsigned int i, j;

	if (v)
		check(!!(xen_host_cr4[pcpu] & X86_CR4_PCE) == may,
		      "pCPU %u: CR4.PCE", pcpu);
	for (i = 0; i < XEN_HOST_GENERAL + XEN_HOST_FIXED; i++) {
		uint32_t index =
			i < XEN_HOST_GENERAL
				? i
				: XENPERFCTR_INDEX_FIXED + i - XEN_HOST_GENERAL;
		bool named = false;

		if (i < XEN_HOST_GENERAL
			    ? i >= xen_host_kind.nr_general
			    : i - XEN_HOST_GENERAL >= xen_host_kind.nr_fixed)
			continue;
		check(!xen_host_counts(pcpu, index, true),
		      "pCPU %u: counter %#x counts Xen", pcpu, index);
		for (j = 0; may && j < v->in_xen.nr; j++)
			named |= v->in_xen.counter[j].index == index;
		if (named)
			continue;
		check(!xen_host_counts(pcpu, index, false),
		      "pCPU %u: counter %#x counts for nobody", pcpu, index);
		check(!may || !*xen_host_counter(pcpu, index),
		      "pCPU %u: counter %#x shows somebody else's", pcpu,
		      index);
	}
}

/*
 * Another vCPU runs on @pcpu, which has a vPMU (vpmu.c): what it does with the
 * registers, and how it leaves them.
 */
static void vpmu_visits(unsigned int pcpu)
{
	struct xen_host_pmu *pmu = &xen_host_pmu[pcpu];
	unsigned int i;

	assert(!on_pcpu[pcpu] && !xen_host_fault_in);
	xen_host_cpu = pcpu;
	perfctr_pmu_yield();
	for (i = 0; i < xen_host_kind.nr_general; i++) {
		/* What it has left itself is its own. */
		check(vpmu_was_on[pcpu] || !pmu->general[i],
		      "pCPU %u: the vPMU sees counter %u", pcpu, i);
		check(vpmu_was_on[pcpu] ||
			      !(pmu->evtsel[i] & UINT64_C(1) << 22),
		      "pCPU %u: event select %u is for the vPMU's guest", pcpu,
		      i);
		pmu->general[i] = below(1000);
		/* AMD's are stopped by these, Intel's by the global control. */
		pmu->evtsel[i] = xen_host_kind.global
					 ? below(1000) | UINT64_C(1) << 22
					 : 0;
	}
	for (i = 0; i < xen_host_kind.nr_fixed; i++) {
		check(vpmu_was_on[pcpu] || !pmu->fixed[i],
		      "pCPU %u: the vPMU sees fixed %u", pcpu, i);
		pmu->fixed[i] = below(1000);
		pmu->fixed_ctrl |= (uint64_t)below(4) << 4 * i;
	}
	/* Who yields twice has nothing left to clear. */
	if (one_in(4)) {
		const struct xen_host_pmu before = *pmu;

		perfctr_pmu_yield();
		check(!memcmp(&before, pmu, sizeof(before)),
		      "pCPU %u: taken from the vPMU", pcpu);
	}
	vpmu_was_on[pcpu] = true;
	context[pcpu] = NULL;
	last_user[pcpu] = NULL;
	done.vpmu_visits++;
}

static void switch_pcpu(unsigned int pcpu, struct guest_vcpu *next)
{
	struct guest_vcpu *prev = on_pcpu[pcpu];
	const uint64_t vain = xen_host_vain_writes;
	uint64_t writes = xen_host_writes;
	const bool faults = xen_host_fault_in;
	unsigned int p;

	assert(prev != next && (!next || next->pcpu < 0));
	done.vcpu_switches++;
	xen_host_cpu = pcpu;
	if (prev) {
		bool counts =
			prev->xen.arch.perfctr && perfctr_may_rdpmc(&prev->xen);

		perfctr_switch_from(&prev->xen);
		if (!faults && counts && xen_host_kind.global)
			check(xen_host_writes - writes == 1,
			      "%lu WRMSRs to stop",
			      (unsigned long)(xen_host_writes - writes));
		prev->pcpu = -1;
		prev->xen.is_running = false;
	}
	on_pcpu[pcpu] = NULL;
	xen_host_current[pcpu] = next ? &next->xen : NULL;

	/* Xen's own, which nobody counts. */
	happen(pcpu, below(NR_KINDS), below(100), true);
	ticks(below(20));

	writes = xen_host_writes;
	if (next) {
		bool counts =
			next->xen.arch.perfctr && perfctr_may_rdpmc(&next->xen);
		bool there =
			last_user[pcpu] == next && next->xen.processor == pcpu;

		done.vcpu_migrations += next->xen.processor != pcpu;
		next->xen.processor = pcpu;
		next->xen.is_running = true;
		/* __context_switch(), which does not happen after idling. */
		if (context[pcpu] != next)
			xen_host_cr4[pcpu] = pv_make_cr4(&next->xen);
		for (p = 0; p < NR_PCPUS; p++)
			if (context[p] == next)
				context[p] = NULL;
		context[pcpu] = next;
		perfctr_switch_to(&next->xen);
		/* Back where it was, and nobody was there: start is all. */
		if (!faults && counts && there && xen_host_kind.global) {
			check(xen_host_writes - writes == 1,
			      "%lu WRMSRs to start",
			      (unsigned long)(xen_host_writes - writes));
			done.restores_elided++;
		}
		if (counts)
			last_user[pcpu] = next;
		on_pcpu[pcpu] = next;
		next->pcpu = (int)pcpu;
	}
	if (faults) {
		last_user[pcpu] = NULL;
		xen_host_fault_in = 0;
	} else if (!vpmu_was_on[pcpu]) {
		check(xen_host_vain_writes == vain,
		      "a WRMSR writes what is there");
	}
	if (next && next->xen.arch.perfctr && perfctr_may_rdpmc(&next->xen))
		vpmu_was_on[pcpu] = false;
	check_pmu(pcpu);
}

static struct guest_vcpu *any_vcpu(void)
{
	return &vcpus[below(NR_DOMAINS)][below(NR_VCPUS)];
}

static void xen_schedules(void)
{
	unsigned int pcpu = below(NR_PCPUS);
	struct guest_vcpu *next = one_in(3) ? NULL : any_vcpu();

	if (next && next->pcpu >= 0)
		next = NULL;
	if (next != on_pcpu[pcpu])
		switch_pcpu(pcpu, next);
	else if (!next && !xen_host_fault_in && one_in(20))
		vpmu_visits(pcpu);
}

/* @v, which executes something, may lose its pCPU here, and gets one again. */
static void anything_but(struct guest_vcpu *v)
{
	unsigned int n, pcpu;

	if (depth || !one_in(4))
		return;
	depth++;
	for (n = below(5); n; n--) {
		if (one_in(2))
			xen_schedules();
		else
			happen(below(NR_PCPUS), below(NR_KINDS), below(16),
			       one_in(4));
		ticks(below(30));
	}
	if (v->pcpu < 0) {
		pcpu = below(NR_PCPUS);
		switch_pcpu(pcpu, v);
	}
	happen((unsigned int)v->pcpu, below(NR_KINDS), below(16), false);
	ticks(below(30));
	depth--;
}

/* ----- the guest's kernel ------------------------------------------------- */

static bool read_counter(const struct guest_vcpu *v, uint32_t index,
			 uint64_t *value)
{
	const unsigned int pcpu = (unsigned int)v->pcpu;

	if (!(xen_host_cr4[pcpu] & X86_CR4_PCE))
		return false;
	*value = *xen_host_counter(pcpu, index);
	return true;
}

static long hypercall(struct guest_vcpu *v, unsigned int op, void *arg)
{
	const unsigned int pcpu = (unsigned int)v->pcpu;
	const uint64_t vain = xen_host_vain_writes;
	const bool faults = xen_host_fault_in;
	long err;

	done.hypercalls++;
	xen_host_cpu = pcpu;
	happen(pcpu, below(NR_KINDS), below(100), true);
	err = do_perfctr_op(op, arg);
	check(faults || vpmu_was_on[pcpu] || xen_host_vain_writes == vain,
	      "a WRMSR writes what is there");
	if (v->xen.arch.perfctr && perfctr_may_rdpmc(&v->xen))
		vpmu_was_on[pcpu] = false;
	happen(pcpu, below(NR_KINDS), below(100), true);
	if (!err && op == XENPERFCTR_OP_load)
		v->in_xen = *(const struct xen_perfctr_load *)arg;
	else if (!err)
		v->in_xen.nr = 0;
	last_user[pcpu] = faults || op != XENPERFCTR_OP_load ? NULL : v;
	xen_host_fault_in = 0;
	return err;
}

static bool still_loaded(const struct guest_vcpu *v)
{
	return v->page->generation == v->generation;
}

static bool named(const struct xen_perfctr_load *load, uint32_t index)
{
	unsigned int i;

	for (i = 0; i < load->nr; i++)
		if (load->counter[i].index == index)
			return true;
	return false;
}

static size_t load_size(const struct xen_perfctr_load *load)
{
	return offsetof(struct xen_perfctr_load, counter[load->nr]);
}

static bool vcpu_load(struct guest_vcpu *v, struct xen_perfctr_load *load)
{
	struct xen_perfctr_load copy = *load;
	const bool faults = xen_host_fault_in;
	uint64_t before[MAX_NR];
	unsigned int i;
	long err;
	bool kept = still_loaded(v);

	if (v->loaded.nr == load->nr && kept &&
	    !memcmp(&v->loaded, load, load_size(load))) {
		done.loads_elided++;
		return true;
	}
	for (i = 0; i < load->nr; i++)
		before[i] = perfctr_may_rdpmc(&v->xen) &&
					    named(&v->in_xen,
						  load->counter[i].index)
				    ? *xen_host_counter((unsigned int)v->pcpu,
							load->counter[i].index)
				    : 0;
	err = hypercall(v, XENPERFCTR_OP_load, &copy);
	check(err == policy_error(v->xen.domain, load) ||
		      (faults && err == -EIO),
	      "load: %ld", err);
	if (err) {
		done.denied += err == -EPERM;
		done.filtered += err == -EACCES;
		last_user[v->pcpu] = NULL;
		check_pmu((unsigned int)v->pcpu);
		return false;
	}
	/* Xen has read it, and will not again. */
	memset(&copy, 0xff, sizeof(copy));
	for (i = 0; i < load->nr; i++)
		check(*xen_host_counter((unsigned int)v->pcpu,
					load->counter[i].index) == before[i],
		      "counter %#x does not go on", load->counter[i].index);
	v->loaded = *load;
	v->generation = v->page->generation;
	check_pmu((unsigned int)v->pcpu);
	return true;
}

/* TSC and stolen ticks of one instant. */
static uint64_t read_tsc(struct guest_vcpu *v, struct thread *t,
			 uint64_t *stolen)
{
	uint64_t tsc, truth;

	do {
		*stolen = v->page->tsc_stolen;
		anything_but(v);
		tsc = xen_host_tsc;
		truth = t->tsc_truth;
		anything_but(v);
	} while (*stolen != v->page->tsc_stolen);
	t->tsc_sampled = truth;
	return tsc;
}

static void fail_thread(struct thread *t)
{
	unsigned int i;

	done.lost++;
	t->on->running = NULL;
	t->on->loaded.nr = 0;
	t->counting = false;
	memset(t->counts, 0, sizeof(t->counts));
	t->tsc_counts = false;
	for (i = 0; i < t->page.nr; i++)
		t->page.counter[i].index = -1;
	t->page.tsc_running = 0;
	t->page.all_running = 0;
	t->page.status = PERFCTR_STATUS_ERROR;
	t->page.sequence++;
}

static bool start(struct thread *t)
{
	struct guest_vcpu *v = t->on;
	uint64_t truth, value;
	unsigned int i;

	if (!vcpu_load(v, &t->load)) {
		fail_thread(t);
		return false;
	}
	v->running = t;
	for (i = 0; i < t->load.nr; i++)
		t->page.counter[i].index = (int32_t)t->load.counter[i].index;
	t->page.sequence++;
	truth = t->tsc_truth;
	t->tsc_counts = true;
	t->page.tsc_running = 1;
	t->page.all_running = t->page.nr;
	t->page.tsc_start = read_tsc(v, t, &t->tsc_stolen);
	/* It counts from the reading that was taken in the end. */
	t->tsc_truth = truth + (t->tsc_truth - t->tsc_sampled);
	for (i = 0; i < t->load.nr; i++) {
		anything_but(v);
		if (!read_counter(v, t->load.counter[i].index, &value)) {
			fail_thread(t);
			return false;
		}
		t->page.counter[i].start = value;
		t->counts[i] = true;
		t->since[i] = 0;
	}
	return true;
}

/* @last: and count no more. */
static bool fold_thread(struct thread *t, bool last)
{
	struct guest_vcpu *v = t->on;
	uint64_t now[MAX_NR], sampled[MAX_NR], tsc, tsc_before;
	uint64_t stolen_now, stolen, ticks_on;
	unsigned int i;
	bool good = true;

	done.folds++;
	for (i = 0; i < t->load.nr; i++) {
		good = read_counter(v, t->load.counter[i].index, &now[i]) &&
		       good;
		sampled[i] = t->truth[i];
		t->since[i] = 0;
		t->counts[i] = !last;
		anything_but(v);
	}
	tsc_before = t->tsc_truth;
	tsc = read_tsc(v, t, &stolen_now);
	check(tsc_before <= t->tsc_sampled, "the model's clock");
	if (!good || !still_loaded(v)) {
		fail_thread(t);
		return false;
	}
	if (last) {
		t->tsc_counts = false;
		t->tsc_truth = t->tsc_sampled;
	}
	for (i = 0; i < t->load.nr; i++) {
		struct perfctr_page_counter *c = &t->page.counter[i];

		c->sum = perfctr_count(c->sum, now[i], c->start, c->mask);
		c->start = now[i];
		t->sampled[i] = sampled[i];
		check(c->sum == sampled[i],
		      "counter %#x: %#lx, is %#lx; other by %ld",
		      t->load.counter[i].index, (unsigned long)c->sum,
		      (unsigned long)sampled[i], (long)(c->sum - sampled[i]));
	}
	ticks_on = perfctr_ticks(tsc, t->page.tsc_start);
	stolen = perfctr_ticks_stolen(ticks_on, stolen_now, t->tsc_stolen);
	t->page.tsc_sum += ticks_on - stolen;
	done.stolen += !!stolen;
	t->page.tsc_stolen += stolen;
	t->page.tsc_start = tsc;
	t->tsc_stolen = stolen_now;
	t->page.sequence++;
	check(t->page.tsc_sum == t->tsc_sampled, "TSC: %lu ticks, were %lu",
	      (unsigned long)t->page.tsc_sum, (unsigned long)t->tsc_sampled);
	return true;
}

static bool stop(struct thread *t)
{
	unsigned int i;

	if (!fold_thread(t, true))
		return false;
	t->on->running = NULL;
	for (i = 0; i < t->load.nr; i++)
		t->page.counter[i].index = -1;
	t->page.tsc_running = 0;
	t->page.all_running = 0;
	return true;
}

static void switch_thread(struct guest_vcpu *v, struct thread *next)
{
	struct thread *prev = v->thread;

	assert(!next || !next->on);
	done.thread_switches++;
	if (prev) {
		if (v->running)
			stop(prev);
		prev->on = NULL;
		v->thread = NULL;
	}
	anything_but(v);
	if (next) {
		v->thread = next;
		next->on = v;
		if (next->counting)
			start(next);
	}
}

/* In user mode: the sums, and what the counters say now. */
static void read_thread(const struct thread *t)
{
	const unsigned int pcpu = (unsigned int)t->on->pcpu;
	unsigned int i;

	done.reads++;
	for (i = 0; i < t->page.nr; i++) {
		const struct perfctr_page_counter *c = &t->page.counter[i];
		uint64_t count = c->sum;

		if (c->index >= 0) {
			/* Its control is lost: #GP, and SIGSEGV. */
			if (!(xen_host_cr4[pcpu] & X86_CR4_PCE))
				return;
			count = perfctr_count(
				c->sum,
				*xen_host_counter(pcpu, (uint32_t)c->index),
				c->start, c->mask);
		}
		/* An ended set's sums are the last that were known. */
		check(count == (t->page.status & PERFCTR_STATUS_ERROR
					? t->sampled[i]
					: t->truth[i]),
		      "counter %u: %#lx, is %#lx", i, (unsigned long)count,
		      (unsigned long)t->truth[i]);
	}
}

/* The TSC, before which VIRQ_PERFCTR has the kernel fold what was stolen. */
static void read_thread_tsc(struct thread *t)
{
	uint64_t tsc;

	if (t->page.tsc_running && t->on->page->tsc_stolen != t->tsc_stolen &&
	    !fold_thread(t, false))
		return;
	if (!t->page.tsc_running || t->on->page->tsc_stolen != t->tsc_stolen)
		return;
	tsc = t->page.tsc_sum + xen_host_tsc - t->page.tsc_start;
	check(tsc == t->tsc_truth, "TSC: %lu, is %lu", (unsigned long)tsc,
	      (unsigned long)t->tsc_truth);
}

/* ----- controls ----------------------------------------------------------- */

static void random_control(struct xen_perfctr_load *load)
{
	const unsigned int nr_general = xen_host_kind.nr_general;
	const unsigned int nr_fixed = xen_host_kind.nr_fixed;
	unsigned int i, nr = 1 + below(MAX_NR);
	/* Often the same few, by other numbers: others' and in other orders. */
	uint32_t first = below(nr_general + nr_fixed);
	uint32_t by = one_in(2) ? 1 : nr_general + nr_fixed - 1;
	uint64_t event = one_in(2) ? 0 : below(NR_KINDS);

	memset(load, 0, sizeof(*load));
	if (nr > nr_general + nr_fixed)
		nr = nr_general + nr_fixed;
	load->nr = nr;
	for (i = 0; i < nr; i++) {
		uint32_t n = (first + i * by) % (nr_general + nr_fixed);

		/* Both modes of the guest; ring 0 is Xen, and not meant. */
		load->counter[i].evtsel =
			XENPERFCTR_EVTSEL_USR | XENPERFCTR_EVTSEL_OS;
		if (n < nr_general) {
			load->counter[i].index = n;
			load->counter[i].evtsel |= (event + i) % NR_KINDS;
		} else {
			load->counter[i].index =
				XENPERFCTR_INDEX_FIXED + n - nr_general;
		}
	}
}

static unsigned int kind_of(const struct xen_perfctr_counter *c)
{
	return c->index & XENPERFCTR_INDEX_FIXED
		       ? c->index & ~XENPERFCTR_INDEX_FIXED
		       : c->evtsel & 0xff;
}

/* The same counters and events in the other order. */
static void reverse(struct xen_perfctr_load *load)
{
	unsigned int i;

	for (i = 0; i < load->nr / 2; i++) {
		struct xen_perfctr_counter c = load->counter[i];

		load->counter[i] = load->counter[load->nr - 1 - i];
		load->counter[load->nr - 1 - i] = c;
	}
}

/* PERFCTR_IOC_CONTROL, by the thread itself. */
static void control_thread(struct thread *t)
{
	const struct thread *other =
		&threads[t->on->xen.domain->domain_id][below(NR_THREADS)];
	struct xen_perfctr_load load;
	uint64_t preserve = random64();
	unsigned int i;

	switch (below(4)) {
	case 0:
		random_control(&load);
		break;
	case 1:
		load = t->load;
		reverse(&load);
		break;
	case 2: /* another event in the same counter */
		load = t->load;
		i = below(load.nr);
		if (!(load.counter[i].index & XENPERFCTR_INDEX_FIXED))
			load.counter[i].evtsel ^= 1;
		if ((load.counter[i].evtsel & 0xff) >= NR_KINDS)
			load.counter[i].evtsel ^= 1;
		break;
	default:
		load = other->load;
	}
	if (t->on->running && !stop(t))
		preserve = 0;
	if (t->page.status & PERFCTR_STATUS_ERROR)
		preserve = 0;
	if (!vcpu_load(t->on, &load)) {
		fail_thread(t);
		return;
	}
	t->load = load;
	t->page.nr = load.nr;
	t->page.status = PERFCTR_STATUS_RUNNING;
	for (i = 0; i < MAX_NR; i++) {
		struct perfctr_page_counter *c = &t->page.counter[i];

		c->index = -1;
		c->mask = i < load.nr ? perfctr_width_mask(xen_host_kind.width)
				      : 0;
		if (i >= load.nr || !(preserve >> i & 1))
			c->sum = t->truth[i] = t->sampled[i] = 0;
		t->kind[i] = i < load.nr ? kind_of(&load.counter[i]) : 0;
	}
	t->page.sequence++;
	if (!preserve) {
		t->page.tsc_sum = t->tsc_truth = t->tsc_sampled = 0;
		t->page.tsc_stolen = 0;
	}
	t->counting = true;
	start(t);
}

/* A control that Xen has to refuse, without any effect. */
static void wrong_control(struct guest_vcpu *v)
{
	struct xen_perfctr_load load;
	uint64_t generation = v->page->generation;
	unsigned int i;

	random_control(&load);
	i = below(load.nr);
	switch (below(3)) {
	case 0:
		load.counter[i].index = xen_host_kind.nr_general;
		break;
	case 1:
		load.counter[i].flags = 0x80;
		break;
	default:
		load.counter[load.nr] = load.counter[i];
		load.nr++;
	}
	check(hypercall(v, XENPERFCTR_OP_load, &load) < 0, "was taken");
	check(v->page->generation == generation, "had an effect");
	check_pmu((unsigned int)v->pcpu);
	/* Not a change of owner: what is there is still there. */
	last_user[v->pcpu] = NULL;
}

/*
 * Somebody else in the guest's kernel loads a control: whoever counts there has
 * no counts any more, only those up to the last fold.
 */
static void foreign_control(struct guest_vcpu *v)
{
	struct xen_perfctr_load load;
	struct thread *t = v->running;

	random_control(&load);
	if (policy_error(v->xen.domain, &load))
		return;
	check(!hypercall(v, XENPERFCTR_OP_load, &load), "load");
	check(!t || !fold_thread(t, false), "counts of another control");
	if (!t)
		last_user[v->pcpu] = NULL;
}

/* ----- what else may come ------------------------------------------------- */

void xen_host_pause(struct vcpu *vcpu)
{
	const struct guest_vcpu *v =
		&vcpus[vcpu->domain->domain_id][vcpu->vcpu_id];
	const unsigned int cpu = xen_host_cpu;

	/* Nobody waits for himself. */
	check(vcpu != current, "vCPU %u", vcpu->vcpu_id);
	if (v->pcpu >= 0)
		switch_pcpu((unsigned int)v->pcpu, NULL);
	xen_host_cpu = cpu;
}

/* XEN_DOMCTL_perfctr_op: @v, of whatever domain, sets the policy of domain @d. */
static void set_policy(struct guest_vcpu *v, unsigned int d)
{
	const unsigned int pcpu = (unsigned int)v->pcpu;
	xen_perfctr_event_t read_back[4] = {{0}};
	struct xen_domctl_perfctr_op get = {
		.cmd = XEN_DOMCTL_PERFCTR_get_policy,
		.nr_events = 4,
		.events = read_back,
	};
	uint64_t generation[NR_VCPUS];
	bool had[NR_VCPUS];
	unsigned int i, revoked = 0;
	const unsigned long virqs_before = virqs;

	done.policies++;
	for (i = 0; i < NR_VCPUS; i++) {
		had[i] = perfctr_may_rdpmc(&vcpus[d][i].xen);
		generation[i] = vcpus[d][i].page->generation;
	}
	xen_host_cpu = pcpu;
	policies[d].op.cmd = XEN_DOMCTL_PERFCTR_set_policy;
	policies[d].op.events = policies[d].event;
	check(!perfctr_domctl(&domains[d], &policies[d].op), "set");
	for (i = 0; i < NR_VCPUS; i++) {
		struct guest_vcpu *w = &vcpus[d][i];
		const bool lost =
			had[i] && policy_error(&domains[d], &w->in_xen);

		check(perfctr_may_rdpmc(&w->xen) == (had[i] && !lost),
		      "vCPU %u: the policy is not enforced, or too much of it",
		      i);
		check(w->page->generation == generation[i] + lost,
		      "vCPU %u: generation", i);
		if (!lost)
			continue;
		revoked++;
		done.revoked_self += w == v;
		w->in_xen.nr = 0;
		if (w->pcpu >= 0)
			last_user[w->pcpu] = NULL;
	}
	done.revoked += revoked;
	check(virqs - virqs_before == revoked, "%lu interrupts for %u vCPUs",
	      virqs - virqs_before, revoked);
	check_pmu(pcpu);

	check(!perfctr_domctl(&domains[d], &get), "get");
	check(get.level == policies[d].op.level &&
		      get.filter == policies[d].op.filter &&
		      get.nr_events == policies[d].op.nr_events &&
		      !memcmp(read_back, policies[d].event,
			      get.nr_events * sizeof(*read_back)),
	      "what is read is not what was set");
}

/* Any policy; but mostly everybody may count, as else little would happen. */
static void change_policy(struct guest_vcpu *v)
{
	static const unsigned int events[] = {0,    1,    2,     3,    4,
					      0xc0, 0x3c, 0x13c, 0x1a4};
	const unsigned int d = below(NR_DOMAINS);
	struct xen_domctl_perfctr_op *op = &policies[d].op;
	const bool restricts = op->level == XENPERFCTR_LEVEL_DENIED ||
			       op->filter != XENPERFCTR_FILTER_NONE;
	unsigned int i;

	if (!restricts && !one_in(3))
		return;
	memset(&policies[d], 0, sizeof(policies[d]));
	op->level = 1 + below(3);
	if (restricts && !one_in(4)) {
		/* No longer. */
	} else if (one_in(3)) {
		op->level = XENPERFCTR_LEVEL_DENIED;
	} else if (one_in(2)) {
		op->filter = one_in(2) ? XENPERFCTR_FILTER_ALLOW
				       : XENPERFCTR_FILTER_DENY;
		op->nr_events = below(5);
		for (i = 0; i < op->nr_events; i++) {
			unsigned int event =
				events[below(sizeof(events) / sizeof(*events))];
			xen_perfctr_event_t *e = &policies[d].event[i];

			/* That unit mask, bit 0 of it, or any. */
			e->event = event & 0xff;
			e->mask = one_in(3) ? 0xff : below(2);
			e->umask = event >> 8 & e->mask;
		}
	}
	set_policy(v, d);
}

/* A CPU of the guest goes and comes: another state in Xen, the same vCPU. */
static void replug_vcpu(struct guest_vcpu *v)
{
	const unsigned int d = v->xen.domain->domain_id;
	struct xen_perfctr_register reg = {.vcpu_id = v->xen.vcpu_id,
					   .gfn = (uintptr_t)v->page};

	check(!hypercall(v, XENPERFCTR_OP_unregister_vcpu, &reg), "%u",
	      v->xen.vcpu_id);
	check_pmu((unsigned int)v->pcpu);
	if (policies[d].op.level == XENPERFCTR_LEVEL_DENIED) {
		check(hypercall(v, XENPERFCTR_OP_register_vcpu, &reg) == -EPERM,
		      "%u", v->xen.vcpu_id);
		policies[d].op.level = XENPERFCTR_LEVEL_COUNT;
		set_policy(v, d);
	}
	check(!hypercall(v, XENPERFCTR_OP_register_vcpu, &reg), "%u",
	      v->xen.vcpu_id);
	v->loaded.nr = 0;
	v->generation = v->page->generation;
}

/* A pCPU goes and comes; its firmware uses the PMU. */
static void replug_pcpu(unsigned int pcpu)
{
	memset(&xen_host_pmu[pcpu], (int)below(256), sizeof(*xen_host_pmu));
	xen_host_cpu_up(pcpu);
	last_user[pcpu] = NULL;
	check_pmu(pcpu);
}

/*
 * A counter overflows, which stops everything: Xen takes the counters, the
 * guest's kernel stops the thread, its signal handler runs uncounted, and the
 * thread is resumed.
 */
static void overflow(struct thread *t)
{
	struct guest_vcpu *v = t->on;
	const unsigned int i = below(t->load.nr);
	const uint32_t index = t->load.counter[i].index;
	unsigned int pcpu;
	uint64_t value;

	/* Up to the last event before it. */
	do {
		if (!fold_thread(t, false) || !read_counter(v, index, &value))
			return;
		pcpu = (unsigned int)v->pcpu;
		value = xen_host_mask() - value;
		happen(pcpu, t->kind[i], value / 2 + value % 2, false);
	} while (value / 2 > xen_host_mask() / 4);
	happen(pcpu, t->kind[i], value / 2, false);
	check(*xen_host_counter(pcpu, index) == xen_host_mask(),
	      "counter %#x does not count", index);
	done.overflows++;
	happen(pcpu, t->kind[i], 1, false);
	switch_pcpu(pcpu, NULL);
	happen(pcpu, t->kind[i], below(1000), true);
	pcpu = below(NR_PCPUS);
	switch_pcpu(pcpu, v);
	if (!v->running || !stop(t))
		return;
	happen((unsigned int)v->pcpu, t->kind[i], below(1000), false);
	start(t);
}

/* ----- the schedule ------------------------------------------------------- */

static void new_world(const struct xen_host_kind *kind)
{
	unsigned int d, i, j, p;

	xen_host_boot(kind);
	memset(last_user, 0, sizeof(last_user));
	memset(vpmu_was_on, 0, sizeof(vpmu_was_on));
	memset(context, 0, sizeof(context));
	memset(on_pcpu, 0, sizeof(on_pcpu));
	memset(threads, 0, sizeof(threads));
	for (d = 0; d < NR_DOMAINS; d++) {
		static struct vcpu *table[NR_DOMAINS][NR_VCPUS];

		domains[d].domain_id = d;
		domains[d].max_vcpus = NR_VCPUS;
		domains[d].vcpu = table[d];
		perfctr_domain_init(&domains[d]);
		memset(&policies[d], 0, sizeof(policies[d]));
		policies[d].op.level = XENPERFCTR_LEVEL_COUNT;
		for (i = 0; i < NR_VCPUS; i++) {
			struct guest_vcpu *v = &vcpus[d][i];
			struct xen_perfctr_register reg = {.vcpu_id = i};

			memset(v, 0, sizeof(*v));
			table[d][i] = &v->xen;
			v->xen.domain = &domains[d];
			v->xen.vcpu_id = i;
			v->pcpu = -1;
			v->page = calloc(1, sizeof(*v->page));
			reg.gfn = (uintptr_t)v->page;
			p = below(NR_PCPUS);
			switch_pcpu(p, v);
			check(!hypercall(v, XENPERFCTR_OP_register_vcpu, &reg),
			      "%u", i);
			switch_pcpu(p, NULL);
			v->generation = v->page->generation;
		}
		for (i = 0; i < NR_THREADS; i++) {
			struct thread *t = &threads[d][i];

			/* Two of each domain count alike. */
			if (i % 2)
				t->load = threads[d][i - 1].load;
			else
				random_control(&t->load);
			t->page.nr = t->load.nr;
			t->counting = true;
			for (j = 0; j < t->load.nr; j++) {
				t->page.counter[j].index = -1;
				t->page.counter[j].mask =
					perfctr_width_mask(kind->width);
				t->kind[j] = kind_of(&t->load.counter[j]);
			}
		}
	}
}

static void end_world(void)
{
	unsigned int d, i, p;

	for (p = 0; p < NR_PCPUS; p++)
		if (on_pcpu[p])
			switch_pcpu(p, NULL);
	for (d = 0; d < NR_DOMAINS; d++)
		for (i = 0; i < NR_VCPUS; i++) {
			perfctr_vcpu_destroy(&vcpus[d][i].xen);
			free(vcpus[d][i].page);
		}
	for (d = 0; d < NR_DOMAINS; d++)
		perfctr_domain_destroy(&domains[d]);
}

/* Mostly a few, sometimes half of what a counter can hold. */
static void many_events(unsigned int pcpu)
{
	const unsigned int kind = below(NR_KINDS);
	struct guest_vcpu *v = on_pcpu[pcpu];
	struct thread *t = v ? v->running : NULL;
	uint64_t n = random64() & xen_host_mask();
	unsigned int i;

	n >>= one_in(8) ? 1 + below(3) : 1 + below(xen_host_kind.width - 1);
	/* The timer comes long before all of the range can have passed. */
	for (i = 0; t && v->running && i < t->load.nr; i++)
		if (t->counts[i] && t->kind[i] == kind &&
		    t->since[i] > xen_host_mask() / 4)
			fold_thread(t, false);
	if (v && v->pcpu == (int)pcpu)
		happen(pcpu, kind, n, false);
}

static void one_step(void)
{
	const unsigned int pcpu = below(NR_PCPUS), what = below(1000);
	struct guest_vcpu *v = on_pcpu[pcpu];
	struct thread *t = v ? v->thread : NULL;

	ticks(below(50));
	if (what < 380) {
		many_events(pcpu);
	} else if (what < 560 || !v) {
		if (one_in(500))
			xen_host_fault_in = 1 + below(6);
		xen_schedules();
		xen_host_fault_in = 0;
		if (one_in(200) && !on_pcpu[pcpu])
			replug_pcpu(pcpu);
	} else if (what < 750) {
		struct thread *next =
			&threads[v->xen.domain->domain_id][below(NR_THREADS)];
		static const struct guest_vcpu *last[NR_DOMAINS][NR_THREADS];
		unsigned int d = v->xen.domain->domain_id;

		if (next->on || one_in(4))
			next = NULL;
		if (next) {
			long n = next - threads[d];

			done.thread_migrations += last[d][n] != v;
			last[d][n] = v;
		}
		switch_thread(v, next);
	} else if (what < 800) {
		if (v->running)
			fold_thread(v->running, false);
	} else if (what < 900) {
		if (t)
			read_thread(t);
	} else if (what < 940) {
		if (t)
			read_thread_tsc(t);
	} else if (what < 965) {
		if (t) {
			if (one_in(100))
				xen_host_fault_in = 1 + below(6);
			control_thread(t);
			xen_host_fault_in = 0;
		}
	} else if (what < 975) {
		if (v->running) {
			if (stop(t))
				happen((unsigned int)v->pcpu, below(NR_KINDS),
				       below(1000), false);
			if (t->counting)
				start(t);
		}
	} else if (what < 985) {
		if (v->running)
			overflow(t);
	} else if (what < 989) {
		wrong_control(v);
	} else if (what < 990) {
		foreign_control(v);
	} else if (what < 996) {
		/* stop_idle(): who is idle has no counters any more. */
		if (!v->running && v->loaded.nr) {
			v->loaded.nr = 0;
			check(!hypercall(v, XENPERFCTR_OP_stop, NULL), "stop");
			check_pmu(pcpu);
		}
	} else if (what < 998) {
		change_policy(v);
	} else if (!v->running) {
		replug_vcpu(v);
	}
}

static const struct xen_host_kind kinds[] = {
	{32, 4, 3, true},
	{40, 2, 1, true},
	{48, 8, 4, true},
	{64, 4, 3, true},
	/* AMD's oldest */
	{32, 4, 0, false},
	{48, 4, 0, false},
	{48, 6, 0, false},
};

static void test_switches(void **state)
{
	const struct xen_host_kind *kind = *state;
	static const unsigned long seeds[] = {1, 2, 3, 20110309, 0x5eed};
	const char *given = getenv("PERFCTR_SEED");
	const char *steps = getenv("PERFCTR_STEPS");
	const size_t nr = given ? 1 : sizeof(seeds) / sizeof(*seeds);
	size_t i;

	nr_steps = steps ? strtoul(steps, NULL, 0) : DEFAULT_STEPS;
	for (i = 0; i < nr; i++) {
		seed = given ? strtoul(given, NULL, 0) : seeds[i];
		/* Never 0, and kinds differ. */
		rng = (seed * 16 + (unsigned long)(kind - kinds)) * 2 + 1;
		new_world(kind);
		for (step = 0; step < nr_steps; step++)
			one_step();
		end_world();
	}
}

/* Something of everything has happened, or the above shows nothing. */
static void test_all_happened(void **state)
{
	(void)state;
	print_message("# events %lu, wraps %lu; vCPU switches %lu (migrations "
		      "%lu, found all in place %lu);\n",
		      done.events, done.wraps, done.vcpu_switches,
		      done.vcpu_migrations, done.restores_elided);
	print_message("# thread switches %lu (migrations %lu); hypercalls %lu, "
		      "saved %lu; folds %lu, with stolen ticks %lu;\n",
		      done.thread_switches, done.thread_migrations,
		      done.hypercalls, done.loads_elided, done.folds,
		      done.stolen);
	print_message("# reads %lu, overflows %lu, counts lost %lu;\n",
		      done.reads, done.overflows, done.lost);
	print_message("# policies %lu, by which vCPUs lost a control %lu (the "
		      "caller's own %lu), loads denied %lu, filtered %lu\n",
		      done.policies, done.revoked, done.revoked_self,
		      done.denied, done.filtered);
	assert_true(done.wraps);
	assert_true(done.vcpu_migrations);
	assert_true(done.restores_elided);
	assert_true(done.thread_migrations);
	assert_true(done.loads_elided);
	assert_true(done.stolen);
	assert_true(done.overflows);
	assert_true(done.lost);
	assert_true(done.revoked > done.revoked_self);
	assert_true(done.revoked_self);
	assert_true(done.denied);
	assert_true(done.filtered);
	assert_true(done.vpmu_visits);
}

int main(void)
{
#define OF(i)                                                                  \
	{                                                                      \
		"test_switches, kind " #i, test_switches, NULL, NULL,          \
			(void *)&kinds[i]                                      \
	}
	const struct CMUnitTest tests[] = {
		OF(0), OF(1), OF(2), OF(3),
		OF(4), OF(5), OF(6), cmocka_unit_test(test_all_happened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

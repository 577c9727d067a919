// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The hypercall, fuzzed: bytes become a machine, domains, and what these, their
 * administrator and the hardware do, in that order.  Beside the hypervisor's own
 * files (xen_fuzz.h) goes a model of what the public header promises, which
 * never looks at Xen's state but for what is listed at peek().
 *
 * After each action: nothing counts but what was asked for by who runs there
 * now; nobody else may use RDPMC; a counter holds what was executed for it, and
 * zero if nobody has asked for it; the page says the same; an event select has
 * nothing that the guest must not have; Xen has written nothing that faults and
 * nothing anywhere else.  And in the end everything was given back.
 */

#include <stdarg.h>
#include <stdio.h>

#include "machine.h"
#include "fuzz.h"

#include <asm/perfctr.h>
#include <public/arch-x86/perfctr.h>

#include "xen/arch/x86/perfctr/private.h"

#define NR_DOMAINS 3
#define NR_VCPUS   2
#define NR_PAGES   8
#define MAX_ACTIONS 160

#ifdef XENPERFCTR_LOAD_REARM
#define LOAD_REARM  XENPERFCTR_LOAD_REARM
#define FEAT_REARM  XENPERFCTR_FEAT_REARM
#define HAVE_REARM  1
#define page_rearms(p)   ((p)->rearms)
#define page_taken(p, i) ((p)->taken[i])
#else /* before it came */
#define LOAD_REARM  (1U << 2)
#define FEAT_REARM  0
#define HAVE_REARM  0
#define page_rearms(p)   0
#define page_taken(p, i) UINT64_C(0)
#endif

/* ----- the input ---------------------------------------------------------- */

static const uint8_t *input;
static size_t input_left;

static uint8_t u8(void)
{
	if (!input_left)
		return 0;
	input_left--;
	return *input++;
}

static uint16_t u16(void)
{
	uint16_t low = u8();

	return (uint16_t)(low | u8() << 8);
}

static uint64_t u64(void)
{
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < 64; i += 8)
		value |= (uint64_t)u8() << i;
	return value;
}

/* ----- what there is ------------------------------------------------------ */

/* A counter that a guest has asked for, in the guest's terms. */
struct counter {
	bool user, kernel, host, sampling;
	uint64_t evtsel;
	unsigned int kind;
	uint64_t period;
	uint64_t value; /* what RDPMC has to say */
	uint64_t taken;
};

struct page_info {
	uint8_t *data;
	int refs, type_refs;
	bool special, not_writable, mapped;
	p2m_type_t type;
	/* What Xen must not write: behind its part. */
	uint8_t rest[PAGE_SIZE - sizeof(struct xen_perfctr_page)];
};

struct fuzz_vcpu {
	struct vcpu xen;
	int pcpu; /* -1: does not run */
	bool user;
	int pauses;
	/* VMCS or VMCB. */
	struct {
		bool rdpmc_exits, pce, loads;
		uint64_t guest, host;
	} hw;
	bool detached, vpmu_counts;
	uint64_t tsc_offset;

	/* The model. */
	struct page_info *page; /* registered */
	bool scribbled;         /* on what Xen shows */
	uint32_t slots, overflow;
	bool stolen_virq, rearm;
	/* By an overflow; and was the guest told? */
	bool stopped, told;
	struct counter counter[NR_SLOT];
	uint64_t generation, tsc_stolen, tsc_out;
	uint32_t rearms, throttled, shown_overflow;
	uint64_t ip;
	uint32_t ip_flags;
	unsigned long virqs, virqs_seen, overflows;
};

struct policy {
	unsigned int level, filter, nr;
	xen_perfctr_event_t event[XENPERFCTR_MAX_FILTER];
};

static struct fuzz_domain domain[NR_DOMAINS];
static bool domain_exists[NR_DOMAINS];
static struct policy policy[NR_DOMAINS];
static struct vcpu *vcpu_table[NR_DOMAINS][NR_VCPUS];
static struct fuzz_vcpu vcpu[NR_DOMAINS][NR_VCPUS];
static struct page_info page[NR_DOMAINS][NR_PAGES];
static struct fuzz_domain idle_domain;
static struct vcpu idle_vcpu[NR_PCPUS];

static struct fuzz_vcpu *running[NR_PCPUS];
/* Whose registers (CR4) are there, while it idles, too. */
static struct fuzz_vcpu *context[NR_PCPUS];
static bool context_is_idle[NR_PCPUS];
static bool dead[NR_PCPUS];     /* its PMU can't be used */
static bool doubtful[NR_PCPUS]; /* more than one fault there */
static bool yielded[NR_PCPUS];
static bool vpmu_active[NR_PCPUS];
static unsigned int pmi_pending[NR_PCPUS]; /* in so many chances; 0: none */
static unsigned int pmi_latency, pmi_skid[NR_PCPUS];
static bool softirq[NR_PCPUS];
static void (*softirq_handler)(void);
static void (*keyhandler)(unsigned char key);
static unsigned int irqs_off;
static bool booted, active;
static int host_error;
static unsigned int level_dom0, level_domu;
static bool stormed;

/* An operation that has done what it does: an interrupt finds nothing. */
static bool committed, commits_at_irq_off, in_model;
static unsigned int action_faults; /* WRMSRs that faulted in this action */
static unsigned int fault_cpus;
static unsigned int nr_action;
static int alloc_fault_in, map_fault_in;
static int allocations;

struct fuzz_statistics fuzz_done;
const bool fuzz_has_rearm = HAVE_REARM;
bool fuzz_verbose;

void violation(const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fprintf(stderr, "VIOLATION: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, " (action %u, pCPU %u, %s)\n", nr_action, xen_host_cpu,
		machine_kind->name);
	abort();
}

static unsigned int id_of(const struct domain *d)
{
	return (unsigned int)((const struct fuzz_domain *)d - domain);
}

static struct fuzz_vcpu *of(struct vcpu *v)
{
	return (struct fuzz_vcpu *)v;
}

static bool is_hvm(const struct fuzz_vcpu *v)
{
	return is_hvm_vcpu(&v->xen);
}

static bool splits(const struct fuzz_vcpu *v)
{
	return !is_hvm(v) && !is_pv_32bit_vcpu(&v->xen);
}

static enum context context_of(const struct fuzz_vcpu *v)
{
	return v->user ? CTX_USER : CTX_KERNEL;
}

/*
 * All that is taken from Xen's word: whether it throttles (that it may is checked),
 * and what has become of a control, or the PMU, when a register has refused a
 * value.
 */
static const struct perfctr_vcpu *peek(const struct fuzz_vcpu *v)
{
	return v->xen.arch.perfctr;
}

static struct xen_perfctr_page *shared(const struct fuzz_vcpu *v)
{
	return (struct xen_perfctr_page *)v->page->data;
}

/* ----- memory ------------------------------------------------------------- */

void *fuzz_alloc(size_t size)
{
	if (alloc_fault_in && !--alloc_fault_in)
		return NULL;
	allocations++;
	return calloc(1, size);
}

void fuzz_free(void *p)
{
	if (p)
		allocations--;
	free(p);
}

struct page_info *get_page_from_gfn(struct domain *d, unsigned long gfn,
				    p2m_type_t *t, unsigned int q)
{
	struct page_info *pg;

	check(q == P2M_UNSHARE, "a page that is shared");
	*t = -1;
	if (gfn >= NR_PAGES)
		return NULL;
	pg = &page[id_of(d)][gfn];
	if (pg->type < 0)
		return NULL;
	*t = pg->type;
	pg->refs++;
	return pg;
}

bool is_special_page(const struct page_info *pg)
{
	return pg->special;
}

bool get_page_type(struct page_info *pg, unsigned long type)
{
	check(type == PGT_writable_page, "page type %#lx", type);
	if (pg->not_writable)
		return false;
	pg->type_refs++;
	return true;
}

void put_page(struct page_info *pg)
{
	check(--pg->refs >= 0, "one reference too few");
	check(pg->refs >= pg->type_refs, "a type without a reference");
}

void put_page_type(struct page_info *pg)
{
	check(--pg->type_refs >= 0, "one type reference too few");
}

void *__map_domain_page_global(struct page_info *pg)
{
	check(pg->refs && pg->type_refs, "a page that may go away");
	if (map_fault_in && !--map_fault_in)
		return NULL;
	/* Two vCPUs can have the same page. */
	pg->mapped = true;
	return pg->data;
}

/* At another address from now on: nobody may know the old one. */
void unmap_domain_page_global(const void *p)
{
	unsigned int d, i;
	uint8_t *data;

	for (d = 0; d < NR_DOMAINS; d++)
		for (i = 0; i < NR_PAGES; i++) {
			struct page_info *pg = &page[d][i];

			if (pg->data != p)
				continue;
			check(pg->mapped, "unmapped twice");
			if (pg->refs > 1)
				return;
			data = malloc(PAGE_SIZE);
			memcpy(data, pg->data, PAGE_SIZE);
			free(pg->data);
			pg->data = data;
			pg->mapped = false;
			return;
		}
	violation("%p is not mapped", p);
}

/* The guest's memory: some of it can be read, some of that be written. */
#define ARENA 2048
static uint8_t *arena;
static size_t readable, writable;

/* What a load has found, part by part, before somebody else changes it. */
static struct xen_perfctr_load seen[3];
static bool seen_faults[3];
static unsigned int nr_seen;
static const uint8_t *watched; /* where it is */
static uint8_t *changing;
static unsigned int change_at, change_by, change_when;

static void note_load(const uint8_t *from, size_t room)
{
	if (!watched || nr_seen >= 3)
		return;
	memset(&seen[nr_seen], 0, sizeof(seen[0]));
	memcpy(&seen[nr_seen], from,
	       room < sizeof(seen[0]) ? room : sizeof(seen[0]));
	nr_seen++;
	/* Another vCPU of the guest writes to it. */
	if (changing && (change_when & nr_seen)) {
		changing[change_at] ^= (uint8_t)change_by;
		changing[change_at + 1] ^= (uint8_t)(change_by >> 8);
	}
}

static void chance_of_interrupt(void);

size_t fuzz_copy_from(void *to, const void *handle, size_t size)
{
	const uintptr_t offset = (uintptr_t)handle - (uintptr_t)arena;
	size_t n = offset >= readable	       ? 0
		   : size > readable - offset ? readable - offset
					       : size;

	chance_of_interrupt();
	memcpy(to, arena + (n ? offset : 0), n);
	memset((uint8_t *)to + n, 0, size - n);
	if (watched && nr_seen < 3) {
		const uintptr_t base = (uintptr_t)watched - (uintptr_t)arena;
		size_t room = base < readable ? readable - base : 0;

		seen_faults[nr_seen] = n < size;
		note_load(room ? watched : arena, room);
	}
	return size - n;
}

size_t fuzz_copy_to(void *handle, const void *from, size_t size)
{
	const uintptr_t offset = (uintptr_t)handle - (uintptr_t)arena;
	size_t n = offset >= writable	       ? 0
		   : size > writable - offset ? writable - offset
					       : size;

	if (n)
		memcpy(arena + offset, from, n);
	return size - n;
}

void fuzz_page_was_read(void)
{
	chance_of_interrupt();
	if (watched)
		seen_faults[nr_seen < 3 ? nr_seen : 2] = false;
	note_load(watched, sizeof(struct xen_perfctr_load));
}

/* ----- the model of the policy -------------------------------------------- */

static unsigned int event_code(uint64_t evtsel)
{
	unsigned int code = evtsel & 0xff;

	if (machine_is_amd())
		code |= (unsigned int)(evtsel >> 32 & 0xf) << 8;
	return code;
}

static bool event_in_filter(const struct policy *p, unsigned int code,
			    unsigned int umask)
{
	unsigned int i;
	bool listed = false;

	for (i = 0; i < p->nr; i++)
		listed |= p->event[i].event == code &&
			  (umask & p->event[i].mask) == p->event[i].umask;
	return listed;
}

/* Does the filter let @d count this? */
static bool event_allowed(unsigned int d, unsigned int slot, uint64_t evtsel)
{
	/* SDM: what a fixed counter counts. */
	static const uint16_t fixed[] = {0x00c0, 0x003c, 0x013c, 0x01a4,
					 0x0073, 0x019c, 0x02c2};
	const struct policy *p = &policy[d];
	bool listed;

	if (p->filter == XENPERFCTR_FILTER_NONE)
		return true;
	if (slot >= FIXED) {
		slot -= FIXED;
		if (slot >= sizeof(fixed) / sizeof(*fixed))
			return false;
		listed = event_in_filter(p, fixed[slot] & 0xff,
					 fixed[slot] >> 8);
	} else {
		listed = event_in_filter(p, event_code(evtsel),
					 evtsel >> 8 & 0xff);
	}
	return listed == (p->filter == XENPERFCTR_FILTER_ALLOW);
}

static uint64_t guest_evtsel_mask(void)
{
	return 0xff87ffff |
	       (machine_is_amd() && machine_kind->family >= 0x10
			? UINT64_C(0xf00000000)
			: 0);
}

/* The last to look at it before it is in force. */
void fuzz_check_evtsel(unsigned int n, uint64_t value)
{
	struct vcpu *v = xen_host_current[xen_host_cpu];
	const bool amd_hvm = machine_is_amd() && machine_kind->hvm;
	unsigned int d;

	check(!(value & ~(guest_evtsel_mask() | INT | EN |
			  (amd_hvm ? GUEST_ONLY | HOST_ONLY : 0))),
	      "event select %u: %#" PRIx64, n, value);
	if (!(value & EN))
		return;
	check(v && v->domain != &idle_domain.xen, "idle counts");
	d = id_of(v->domain);
	check(event_allowed(d, n, value),
	      "d%u counts %#" PRIx64 ", which its filter forbids", d, value);
	check(policy[d].level >= XENPERFCTR_LEVEL_HOST ||
		      (!(value & HOST_ONLY) &&
		       (is_hvm_domain(v->domain)
				? !machine_is_amd() || (value & GUEST_ONLY)
				: !(value & OS))),
	      "d%u counts Xen: %#" PRIx64, d, value);
	check(policy[d].level >= XENPERFCTR_LEVEL_SAMPLE || !(value & INT),
	      "d%u samples", d);
	check(policy[d].level >= XENPERFCTR_LEVEL_COUNT, "d%u counts", d);
}

/* Does the policy forbid the control that @v has? */
static bool policy_forbids(const struct fuzz_vcpu *v)
{
	const unsigned int d = id_of(v->xen.domain);
	unsigned int slot, level = XENPERFCTR_LEVEL_COUNT;

	for (slot = 0; slot < NR_SLOT; slot++) {
		const struct counter *c = &v->counter[slot];

		if (!(v->slots >> slot & 1))
			continue;
		if (!event_allowed(d, slot, c->evtsel))
			return true;
		if (c->sampling && level < XENPERFCTR_LEVEL_SAMPLE)
			level = XENPERFCTR_LEVEL_SAMPLE;
		if (c->host)
			level = XENPERFCTR_LEVEL_HOST;
	}
	return policy[d].level < level;
}

/* ----- the model of a vCPU ------------------------------------------------ */

static void m_drop(struct fuzz_vcpu *v)
{
	v->slots = v->overflow = v->shown_overflow = 0;
	v->stolen_virq = v->rearm = v->stopped = v->told = false;
	v->generation++;
}

/* Xen says whether it throttles, and must have had a reason. */
static bool throttles(struct fuzz_vcpu *v)
{
	const struct perfctr_vcpu *pv = peek(v);

	if (pv->throttled == v->throttled)
		return false;
	check(pv->throttled == v->throttled + 1, "throttled %u times at once",
	      pv->throttled - v->throttled);
	check(v->overflows >= XENPERFCTR_MAX_RATE / 100,
	      "throttled after %lu overflows", v->overflows);
	v->throttled++;
	fuzz_done.throttled++;
	return true;
}

static uint64_t max_period(unsigned int slot)
{
	return machine_mask(slot) >> 1;
}

static void set_value(struct fuzz_vcpu *v, unsigned int slot, uint64_t left)
{
	struct counter *c = &v->counter[slot];
	uint64_t value = -left & machine_mask(slot);

	c->taken += c->value - value;
	c->value = value;
}

/* A resume, of the guest's or of Xen's. */
static void m_resume(struct fuzz_vcpu *v)
{
	const bool all = throttles(v);
	unsigned int slot;

	for (slot = 0; slot < NR_SLOT; slot++) {
		struct counter *c = &v->counter[slot];

		if (!(v->slots >> slot & 1) || !c->sampling)
			continue;
		if (all)
			set_value(v, slot, max_period(slot));
		else if (v->overflow >> slot & 1)
			set_value(v, slot, c->period - c->value % c->period);
	}
	v->overflow = v->shown_overflow = 0;
	v->stopped = v->told = false;
	fuzz_done.resumes++;
}

/* The guest is told of its overflow. */
static void m_tell(struct fuzz_vcpu *v, unsigned int p)
{
	if (v->rearm) {
		m_resume(v);
		v->rearms++;
		fuzz_done.rearms++;
	} else {
		v->stopped = v->told = true;
		v->shown_overflow = v->overflow;
	}
	v->ip = xen_host_regs[p].rip;
	v->ip_flags = v->user ? XENPERFCTR_IP_USER : 0;
	/* The mode of a 32-bit PV guest is none of Xen's business, but its rings are. */
	if (!is_hvm(v) && !splits(v))
		v->ip_flags = xen_host_regs[p].cs == 0xe023 ? XENPERFCTR_IP_USER
							    : 0;
	v->virqs++;
}

/* Start on @p what it has, if that can be. */
static void m_start(struct fuzz_vcpu *v, unsigned int p)
{
	if (!v->slots)
		return;
	if (dead[p]) {
		m_drop(v);
		fuzz_done.lost++;
	} else {
		yielded[p] = false;
	}
}

/* The interrupt comes while @v is current: was it its own? */
static void m_interrupt(struct fuzz_vcpu *v, unsigned int p)
{
	if (!v || !v->slots || v->stopped || !v->overflow)
		return;
	fuzz_done.overflows++;
	v->overflows++;
	v->stopped = true;
	if (!is_hvm(v))
		m_tell(v, p);
}

static void m_softirq(struct fuzz_vcpu *v, unsigned int p)
{
	if (v && v->slots && v->stopped && !v->told)
		m_tell(v, p);
}

/* ----- interrupts --------------------------------------------------------- */

void fuzz_raise_softirq(unsigned int nr)
{
	check(nr == PERFCTR_SOFTIRQ, "softirq %u", nr);
	softirq[xen_host_cpu] = true;
}

void fuzz_open_softirq(unsigned int nr, void (*handler)(void))
{
	check(nr == PERFCTR_SOFTIRQ, "softirq %u", nr);
	softirq_handler = handler;
}

void fuzz_keyhandler(void (*handler)(unsigned char key))
{
	keyhandler = handler;
}

void fuzz_virq(struct vcpu *v, unsigned int virq)
{
	check(virq == VIRQ_PERFCTR, "VIRQ %u", virq);
	of(v)->virqs_seen++;
}

static void interrupt(unsigned int p)
{
	struct fuzz_vcpu *v = running[p];
	const bool ours = active && !yielded[p] && !dead[p];
	const unsigned int faults = machine_faults;
	unsigned long virqs = v ? v->virqs_seen : 0;
	bool handled;

	pmi_pending[p] = 0;
	pmi_skid[p] = 0;
	if (!machine_has_apic)
		return;
	/* Intel's mask themselves. */
	if (!machine_is_amd())
		machine_pmu[p].lvtpc |= LVTPC_MASKED;
	irqs_off++;
	handled = perfctr_do_interrupt();
	irqs_off--;
	fuzz_done.interrupts++;
	/*
	 * A start, of which the model learns later, has taken it from the vPMU; and
	 * in the middle of a fault it is not known whose it was.
	 */
	check(handled == ours || doubtful[p] ||
		      machine_faults != fuzz_done.faults ||
		      (handled && committed && yielded[p]),
	      "%s interrupt",
	      handled ? "the vPMU has lost its" : "nobody's");
	if (!handled)
		return;
	check(machine_pmu[p].lvtpc == PMU_APIC_VECTOR,
	      "the interrupt is masked for ever");
	if (committed) {
		check(!v || v->virqs_seen == virqs || machine_faults != faults,
		      "an interrupt that was nobody's");
		return;
	}
	/* After a fault: unless that has cost it its control. */
	if (v && (int)p == v->pcpu &&
	    (machine_faults == faults || perfctr_may_rdpmc(&v->xen)))
		m_interrupt(v, p);
}

static void chance_of_interrupt(void)
{
	const unsigned int p = xen_host_cpu;

	if (irqs_off || in_model || !pmi_pending[p] || --pmi_pending[p])
		return;
	interrupt(p);
}

unsigned long fuzz_irq_save(void)
{
	if (commits_at_irq_off)
		committed = true;
	return irqs_off++;
}

void fuzz_irq_restore(unsigned long flags)
{
	irqs_off = (unsigned int)flags;
	chance_of_interrupt();
}

/* On the way to the guest. */
static void to_guest(unsigned int p)
{
	xen_host_cpu = p;
	chance_of_interrupt();
	while (softirq[p]) {
		softirq[p] = false;
		committed = true;
		in_model = true;
		softirq_handler();
		in_model = false;
		committed = false;
		if (running[p] && (machine_faults == fuzz_done.faults ||
				   perfctr_may_rdpmc(&running[p]->xen)))
			m_softirq(running[p], p);
	}
}

/* ----- of the rest of Xen ------------------------------------------------- */

unsigned long pv_make_cr4(const struct vcpu *v)
{
	check(is_pv_vcpu(v), "CR4 of an HVM vCPU");
	return perfctr_may_rdpmc(v) ? X86_CR4_PCE : 0;
}

/* The VMCS must be at hand. */
static void check_vmcs(struct vcpu *v)
{
	check(is_hvm_vcpu(v), "HVM");
	check(v == current || of(v)->pcpu < 0,
	      "the VMCS of a vCPU that runs elsewhere");
}

void fuzz_update_cr(struct vcpu *v, unsigned int cr)
{
	check_vmcs(v);
	check(cr == 4, "CR%u", cr);
	of(v)->hw.pce = perfctr_may_rdpmc(v);
}

static void set_rdpmc_exiting(struct vcpu *v, bool enable)
{
	check_vmcs(v);
	of(v)->hw.rdpmc_exits = enable;
}

static void set_perf_global_ctrl(struct vcpu *v, bool enable, uint64_t guest,
				 uint64_t host)
{
	const uint64_t mask = (machine_kind->slots & 0xffff) |
			      (uint64_t)(machine_kind->slots >> FIXED) << 32;

	check_vmcs(v);
	check(!(guest & ~mask) && !(host & ~mask), "VM entry fails");
	of(v)->hw.loads = enable;
	of(v)->hw.guest = guest;
	of(v)->hw.host = host;
}

uint64_t fuzz_hvm_tsc(struct vcpu *v)
{
	return machine_tsc() + of(v)->tsc_offset;
}

unsigned int fuzz_hvm_cpl(struct vcpu *v)
{
	/* From its VMCS, which is that of the vCPU whose turn it is. */
	check(v == current && of(v)->pcpu == (int)xen_host_cpu,
	      "the CPL of a vCPU that does not run");
	return of(v)->user ? 3 : 0;
}

int vpmu_detach(struct vcpu *v)
{
	check(v == current, "vpmu_detach()");
	check(!of(v)->detached, "detached twice");
	if (of(v)->vpmu_counts)
		return -EBUSY;
	if (vpmu_active[xen_host_cpu])
		machine_junk(xen_host_cpu, (uintptr_t)nr_action, true);
	vpmu_active[xen_host_cpu] = false;
	of(v)->detached = true;
	return 0;
}

void vpmu_attach(struct vcpu *v)
{
	check(of(v)->detached, "attached twice");
	of(v)->detached = false;
}

static uint64_t guest_tsc(const struct fuzz_vcpu *v)
{
	if (is_hvm(v))
		return machine_tsc() + v->tsc_offset;
	return v->xen.domain->arch.vtsc ? xen_host_tsc : machine_tsc();
}

/* ----- what has to be true ------------------------------------------------ */

/* Does the guest's counter count in that context? */
static bool asked_for(const struct fuzz_vcpu *v, unsigned int slot,
		      enum context ctx)
{
	const struct counter *c = &v->counter[slot];

	if (!(v->slots >> slot & 1) || v->stopped)
		return false;
	return ctx == CTX_XEN ? c->host : ctx == CTX_USER ? c->user : c->kernel;
}

static uint64_t global_ctrl(unsigned int p, enum context ctx)
{
	const struct fuzz_vcpu *v = running[p];

	return v && is_hvm(v) && v->hw.loads && ctx != CTX_XEN
		       ? v->hw.guest
		       : machine_pmu[p].global_ctrl;
}

/* The event select that @v's counter must have, but for EN. */
static uint64_t evtsel_of(const struct fuzz_vcpu *v, unsigned int slot)
{
	const struct counter *c = &v->counter[slot];
	uint64_t sel = c->evtsel & ~(USR | OS);

	if (is_hvm(v)) {
		sel |= (c->user ? USR : 0) | (c->kernel || c->host ? OS : 0);
		if (machine_is_amd())
			sel |= !c->host			? GUEST_ONLY
			       : !c->user && !c->kernel ? HOST_ONLY
							: 0;
	} else {
		sel |= (c->user || c->kernel ? USR : 0) | (c->host ? OS : 0);
	}
	return sel | (c->sampling ? INT : 0);
}

static void check_pcpu(unsigned int p)
{
	const struct fuzz_vcpu *v = running[p];
	const struct machine_pmu *pmu = &machine_pmu[p];
	const bool late = softirq[p], good = !dead[p] && !doubtful[p];
	static const struct fuzz_vcpu nobody;
	const struct fuzz_vcpu *w = v ? v : &nobody;
	unsigned int slot;

	if (vpmu_active[p] || !booted)
		return;
	if (v && !late && !is_hvm(v))
		check(!!(xen_host_cr4[p] & X86_CR4_PCE) == !!v->slots,
		      "CR4.PCE: %d, slots %#x", !v->slots, v->slots);
	if (v && !late && is_hvm(v)) {
		check(v->hw.rdpmc_exits == !v->slots, "RDPMC exits: %d",
		      v->hw.rdpmc_exits);
		check(v->hw.pce == !!v->slots, "CR4.PCE");
		check(!v->hw.loads || v->slots, "entry loads for nobody");
	}
	if (!active || (!good && !w->slots))
		return;
	for (slot = 0; slot < NR_SLOT; slot++) {
		if (!(machine_kind->slots >> slot & 1))
			continue;
		check(machine_counts(p, slot, CTX_XEN, v && is_hvm(v),
				     global_ctrl(p, CTX_XEN)) ==
			      asked_for(w, slot, CTX_XEN),
		      "counter %u: Xen's share: %d", slot,
		      asked_for(w, slot, CTX_XEN));
		if (!v || late)
			continue;
		if (!splits(v) || v->user)
			check(machine_counts(p, slot, CTX_USER, is_hvm(v),
					     global_ctrl(p, CTX_USER)) ==
				      asked_for(v, slot, CTX_USER),
			      "counter %u: user: not %d", slot,
			      asked_for(v, slot, CTX_USER));
		if (!splits(v) || !v->user)
			check(machine_counts(p, slot, CTX_KERNEL, is_hvm(v),
					     global_ctrl(p, CTX_KERNEL)) ==
				      asked_for(v, slot, CTX_KERNEL),
			      "counter %u: kernel: not %d", slot,
			      asked_for(v, slot, CTX_KERNEL));
		if (!v->slots)
			continue;
		check(pmu->value[slot] == (v->slots >> slot & 1
						   ? v->counter[slot].value
						   : 0),
		      "counter %u has %#" PRIx64 ", not %#" PRIx64, slot,
		      pmu->value[slot],
		      v->slots >> slot & 1 ? v->counter[slot].value : 0);
		if (v->slots >> slot & 1 && slot < FIXED)
			check((pmu->evtsel[slot] & ~EN) == evtsel_of(v, slot),
			      "event select %u: %#" PRIx64
			      ", not %#" PRIx64,
			      slot, pmu->evtsel[slot], evtsel_of(v, slot));
	}
}

static void check_page(struct fuzz_vcpu *v)
{
	const struct xen_perfctr_page *p;
	unsigned int i;

	if (!v->page)
		return;
	p = shared(v);
	check(v->virqs == v->virqs_seen, "d%uv%u: %lu interrupts, not %lu",
	      id_of(v->xen.domain), v->xen.vcpu_id, v->virqs_seen, v->virqs);
	check(!memcmp(v->page->data + sizeof(*p), v->page->rest,
		      sizeof(v->page->rest)),
	      "Xen has written to the guest's part of the page");
	if (v->scribbled || (v->pcpu >= 0 && softirq[v->pcpu]))
		return;
	check(p->version == XENPERFCTR_VERSION, "version");
	check(!(p->sequence & 1), "sequence");
	check(p->generation == v->generation,
	      "generation %" PRIu64 ", not %" PRIu64, p->generation,
	      v->generation);
	check(p->tsc_stolen == v->tsc_stolen,
	      "stolen %" PRIu64 ", not %" PRIu64, p->tsc_stolen,
	      v->tsc_stolen);
	check(p->overflow == v->shown_overflow, "overflow %#x, not %#x",
	      p->overflow, v->shown_overflow);
	check(p->throttled == v->throttled, "throttled %u", p->throttled);
	check(page_rearms(p) == v->rearms, "rearms %u", v->rearms);
	check(p->ip == v->ip && p->ip_flags == v->ip_flags,
	      "IP %#" PRIx64 ", flags %x", p->ip, p->ip_flags);
	check(!p->reserved[0] && !p->reserved[1], "reserved");
	for (i = 0; v->rearm && i < NR_SLOT; i++)
		if (v->slots >> i & 1 && v->counter[i].sampling)
			check(!((page_taken(p, i) - v->counter[i].taken) &
				machine_mask(i)),
			      "taken from %u: %#" PRIx64, i, page_taken(p, i));
}

/* A register has refused a value: what Xen has made of it. */
static void after_fault(struct fuzz_vcpu *v)
{
	const struct perfctr_vcpu *pv = peek(v);

	if (!v->page)
		return;
	check(pv, "no state any more");
	if (!perfctr_may_rdpmc(&v->xen)) {
		if (v->slots) {
			m_drop(v);
			fuzz_done.lost++;
			if (!v->scribbled)
				check(shared(v)->generation == pv->generation,
				      "it does not hear of its loss");
		}
		check(pv->generation >= v->generation ||
			      pv->generation + 1 == v->generation,
		      "generation");
		v->stolen_virq = pv->control.stolen_virq;
	}
	v->generation = pv->generation;
	v->throttled = pv->throttled;
	v->ip = pv->ip;
	v->ip_flags = pv->ip_flags;
	v->virqs = v->virqs_seen;
	v->overflows += action_faults;
#if HAVE_REARM
	v->rearms = pv->rearms;
#endif
}

static void check_all(void)
{
	unsigned int d, i, p;

	bool faults = action_faults;

	for (p = 0; p < NR_PCPUS; p++)
		faults |= doubtful[p];
	if (faults)
		for (d = 0; d < NR_DOMAINS; d++)
			for (i = 0; i < NR_VCPUS; i++)
				after_fault(&vcpu[d][i]);
	/* A fault while registers are cleared for a fault. */
	for (p = 0; p < NR_PCPUS && action_faults; p++) {
		xen_host_cpu = p;
		/* Cleared when it was to be taken from the vPMU. */
		if (yielded[p] && !vpmu_active[p])
			yielded[p] = perfctr_pmu_yielded();
		if (action_faults == 1)
			continue;
		if (yielded[p])
			doubtful[p] = true;
		else
			dead[p] |= perfctr_pmu_yielded();
	}
	for (p = 0; p < NR_PCPUS; p++)
		check_pcpu(p);
	for (d = 0; d < NR_DOMAINS; d++)
		for (i = 0; i < NR_VCPUS; i++) {
			struct fuzz_vcpu *v = &vcpu[d][i];

			check(!v->page == !v->xen.arch.perfctr, "registered");
			check(!v->page == !v->detached, "vPMU");
			check(!v->pauses, "still paused");
			check_page(v);
		}
	check(!irqs_off, "interrupts are off");
}

/* ----- what is executed --------------------------------------------------- */

/* @n events of @kind, in @ctx on @p. */
static void execute(unsigned int p, enum context ctx, unsigned int kind,
		    uint64_t n)
{
	struct fuzz_vcpu *v = running[p];
	struct machine_pmu *pmu = &machine_pmu[p];
	const bool hvm = v && is_hvm(v);
	unsigned int slot;
	bool interrupts = false;

	if (ctx != CTX_XEN) {
		to_guest(p);
		if (splits(v))
			ctx = context_of(v);
		v->user = ctx == CTX_USER;
		xen_host_regs[p].rip += 5;
		/* FLAT_COMPAT_USER_CS, and that of its kernel in ring 1. */
		xen_host_regs[p].cs = v->user ? 0xe023 : 0xe019;
	}
	/* The interrupt can be late, but not for ever. */
	if (pmi_pending[p]) {
		n &= 0xff;
		if (++pmi_skid[p] > 4) {
			interrupt(p);
			if (ctx != CTX_XEN)
				to_guest(p);
		}
	}
	if (v && machine_faults != fuzz_done.faults)
		after_fault(v);
	for (slot = 0; slot < NR_SLOT; slot++) {
		uint64_t left = machine_mask(slot) - pmu->value[slot];

		if (machine_counts(p, slot, ctx, hvm, global_ctrl(p, ctx)) &&
		    machine_interrupts(p, slot) &&
		    machine_event(p, slot) == kind && n > left)
			n = left + 1 + (n & 0x3f);
	}
	for (slot = 0; slot < NR_SLOT; slot++) {
		const uint64_t mask = machine_mask(slot);
		uint64_t before = pmu->value[slot];

		if (!machine_counts(p, slot, ctx, hvm, global_ctrl(p, ctx)) ||
		    machine_event(p, slot) != kind)
			continue;
		pmu->value[slot] = (before + n) & mask;
		if (n <= mask - before)
			continue;
		fuzz_done.wraps++;
		pmu->status |= slot < FIXED
				       ? UINT64_C(1) << slot
				       : UINT64_C(1) << (32 + slot - FIXED);
		interrupts |= machine_interrupts(p, slot);
	}
	/* VM exit. */
	if (hvm && ctx != CTX_XEN && v->hw.loads)
		pmu->global_ctrl = v->hw.host;
	for (slot = 0; v && slot < NR_SLOT; slot++) {
		struct counter *c = &v->counter[slot];
		const uint64_t mask = machine_mask(slot);

		if (!asked_for(v, slot, ctx) || c->kind != kind)
			continue;
		if (c->sampling && n > mask - c->value) {
			v->overflow |= 1U << slot;
			check(dead[p] || doubtful[p] ||
				      pmu->lvtpc == PMU_APIC_VECTOR,
			      "counter %u can't interrupt", slot);
			check(dead[p] || doubtful[p] || interrupts,
			      "counter %u does not interrupt", slot);
		}
		c->value = (c->value + n) & mask;
	}
	if (interrupts && !(pmu->lvtpc & LVTPC_MASKED) && !pmi_pending[p]) {
		pmi_pending[p] = 1 + pmi_latency;
		pmi_skid[p] = 0;
		chance_of_interrupt();
	}
	xen_host_tsc += 1 + (n & 0xff);
	fuzz_done.events++;
}

/* ----- vCPUs on pCPUs ----------------------------------------------------- */

static void vpmu_leaves(unsigned int p)
{
	if (!vpmu_active[p])
		return;
	machine_junk(p, nr_action * 0x9e3779b97f4a7c15, true);
	machine_pmu[p].lvtpc |= LVTPC_MASKED;
	vpmu_active[p] = false;
	/* What was to come of it is nobody's. */
}

static void write_ptbase(unsigned int p, struct fuzz_vcpu *v)
{
	xen_host_cr4[p] = v && !is_hvm(v) ? pv_make_cr4(&v->xen) : 0;
}

/* In the middle of it Xen counts for nobody. */
static void check_nothing_counts(unsigned int p)
{
	unsigned int slot;

	if (!active || dead[p] || doubtful[p] || vpmu_active[p] ||
	    machine_faults != fuzz_done.faults)
		return;
	for (slot = 0; slot < NR_SLOT; slot++)
		check(!machine_counts(p, slot, CTX_XEN, false,
				      machine_pmu[p].global_ctrl),
		      "counter %u counts the switch", slot);
}

static bool to_kernel; /* in the middle of the next switch */

static void switch_pcpu(unsigned int p, struct fuzz_vcpu *next)
{
	struct fuzz_vcpu *prev = running[p];
	unsigned int q, faults = machine_faults;

	if (prev == next)
		return;
	xen_host_cpu = p;
	fuzz_done.switches++;

	/* What an interrupt finds in it is known before the rest of it. */
	chance_of_interrupt();
	if (prev) {
		commits_at_irq_off = true;
		perfctr_switch_from(&prev->xen);
		commits_at_irq_off = committed = false;
		if (prev->page) {
			if (prev->slots && prev->overflow && !prev->told &&
			    machine_faults == faults) {
				if (!prev->stopped) {
					fuzz_done.harvested++;
					prev->overflows++;
				}
				m_tell(prev, p);
			} else if (machine_faults != faults &&
				   prev->slots && prev->overflow &&
				   !prev->told && peek(prev)->control.slots) {
				m_tell(prev, p);
			}
			prev->tsc_out = guest_tsc(prev);
		}
	} else {
		perfctr_switch_from(&idle_vcpu[p]);
	}

	for (q = 0; next && q < NR_PCPUS; q++)
		if (q != p && context[q] == next) {
			write_ptbase(q, NULL);
			context[q] = NULL;
		}
	vpmu_leaves(p);
	if (prev) {
		prev->pcpu = -1;
		prev->xen.is_running = false;
	}
	running[p] = next;
	xen_host_current[p] = next ? &next->xen : &idle_vcpu[p];
	if (next && context[p] != next) {
		write_ptbase(p, next);
		context[p] = next;
	}
	check_nothing_counts(p);
	committed = true;
	chance_of_interrupt();
	committed = false;
	if (!next) {
		perfctr_switch_to(&idle_vcpu[p]);
		return;
	}
	/* load_segments() has found a bad selector: the kernel hears of it. */
	if (to_kernel && splits(next) && next->user) {
		next->user = false;
		next->xen.arch.flags |= TF_kernel_mode;
		perfctr_toggle_mode(&next->xen);
	}
	next->pcpu = (int)p;
	next->xen.processor = p;
	next->xen.is_running = true;
	/*
	 * An interrupt during it finds a control that has not executed
	 * anything.
	 */
	committed = true;
	if (next->page) {
		uint64_t now = guest_tsc(next);

		if (now > next->tsc_out)
			next->tsc_stolen += now - next->tsc_out;
		perfctr_switch_to(&next->xen);
		m_start(next, p);
		next->virqs += next->stolen_virq;
	} else {
		perfctr_switch_to(&next->xen);
	}
	committed = false;
	if (is_hvm(next)) {
		perfctr_do_resume(&next->xen);
	}
}

void fuzz_pause(struct vcpu *x)
{
	struct fuzz_vcpu *v = of(x);
	const unsigned int before = xen_host_cpu;

	check(x != current, "a vCPU waits for itself");
	v->pauses++;
	if (v->pcpu >= 0) {
		const bool c = committed, i = commits_at_irq_off;

		committed = commits_at_irq_off = false;
		switch_pcpu((unsigned int)v->pcpu, NULL);
		committed = c;
		commits_at_irq_off = i;
	}
	xen_host_cpu = before;
}

void fuzz_domain_pause(struct domain *d)
{
	struct vcpu *v;

	for_each_vcpu(d, v)
		fuzz_pause(v);
}

void fuzz_domain_unpause(struct domain *d)
{
	struct vcpu *v;

	for_each_vcpu(d, v)
		if (v != current)
			check(--of(v)->pauses >= 0, "unpaused twice");
}

static void toggle(struct fuzz_vcpu *v)
{
	xen_host_cpu = (unsigned int)v->pcpu;
	v->user = !v->user;
	if (!splits(v))
		return;
	v->xen.arch.flags ^= TF_kernel_mode;
	perfctr_toggle_mode(&v->xen);
	fuzz_done.toggles++;
}

/* ----- hypercalls --------------------------------------------------------- */

/* Errors that the public header allows: any of them, if there is one. */
static bool allowed[128];
static unsigned int errors;

static void may(int error)
{
	allowed[error] = true;
	errors++;
}

static void may_not_fail(void)
{
	memset(allowed, 0, sizeof(allowed));
	errors = 0;
}

static bool allows(long rc)
{
	return rc < 0 && rc > -128 && allowed[-rc];
}

static void check_result(const char *what, long rc)
{
	check(errors ? allows(rc) : !rc, "%s: %ld, of %u errors", what, rc,
	      errors);
}

static bool supported(const struct fuzz_vcpu *v)
{
	return !is_hvm(v) || (hvm_funcs.perfctr_supported &&
			      !nestedhvm_enabled(v->xen.domain));
}

/* What stands in the way of any operation. */
static void common_errors(const struct fuzz_vcpu *v)
{
	const unsigned int d = id_of(v->xen.domain);

	if (domain[d].xsm_denies ||
	    policy[d].level == XENPERFCTR_LEVEL_DENIED)
		may(EPERM);
	if (host_error)
		may(-host_error);
	if (!supported(v))
		may(EOPNOTSUPP);
}

static long hypercall(struct fuzz_vcpu *v, unsigned int op, void *arg)
{
	long rc;

	commits_at_irq_off = op == XENPERFCTR_OP_load ||
			     op == XENPERFCTR_OP_stop ||
			     op == XENPERFCTR_OP_resume ||
			     op == XENPERFCTR_OP_unregister_vcpu;
	rc = do_perfctr_op(op, arg);
	commits_at_irq_off = committed = false;
	if (fuzz_verbose)
		fprintf(stderr, "   op %u: %ld\n", op, rc);
	fuzz_done.hypercalls++;
	fuzz_done.good_hypercalls += !rc;
	(void)v;
	return rc;
}

static bool any_arg_readable(const void *arg, size_t size)
{
	const uintptr_t offset = (uintptr_t)arg - (uintptr_t)arena;

	return offset < readable && size <= readable - offset;
}

/* A place for an argument: mostly good. */
static void *any_handle(uint8_t how)
{
	readable = writable = ARENA;
	switch (how & 0x3f) {
	case 1:
		return NULL;
	case 2:
		return (void *)(uintptr_t)0xffff830000000000;
	case 3:
		return (void *)~(uintptr_t)7;
	case 4:
		return arena + ARENA - 4;
	case 5:
		return arena + ARENA + 4096;
	case 6:
		readable = writable = u8();
		return arena;
	case 7:
		writable = 4;
		return arena;
	case 8:
		readable = 8 + u8() % 8 * 24;
		return arena;
	case 9:
		return arena - 8;
	case 10:
		return arena + u8();
	}
	return arena;
}

static uint64_t features(const struct fuzz_vcpu *v)
{
	const struct policy *p = &policy[id_of(v->xen.domain)];
	const bool sample =
		p->level >= XENPERFCTR_LEVEL_SAMPLE && machine_has_apic;

	return (machine_has_global() ? XENPERFCTR_FEAT_GLOBAL_CTRL : 0) |
	       (is_hvm(v) || splits(v) ? XENPERFCTR_FEAT_SPLIT : 0) |
	       (sample ? XENPERFCTR_FEAT_SAMPLING : 0) |
	       (p->level >= XENPERFCTR_LEVEL_HOST ? XENPERFCTR_FEAT_HOST : 0) |
	       (p->filter ? XENPERFCTR_FEAT_FILTER : 0) |
	       XENPERFCTR_FEAT_PAGE_LOAD |
	       (sample && is_hvm(v) ? FEAT_REARM : 0);
}

static void query(struct fuzz_vcpu *v)
{
	void *arg = any_handle(u8());
	const uint8_t raw = u8();
	struct xen_perfctr_query q = {.version = 1};
	const uint32_t slots = machine_kind->slots;
	long rc;

	may_not_fail();
	if (raw & 1)
		q.version = raw >> 1;
	if (raw & 2)
		q.pad = 1;
	memcpy(arena, &q, sizeof(q));
	common_errors(v);
	if (!any_arg_readable(arg, sizeof(q))) {
		may(EFAULT);
	} else {
		memcpy(&q, arg, sizeof(q));
		if (!q.version || q.min_period || q.max_rate || q.pad)
			may(EINVAL);
		if (writable < sizeof(q))
			may(EFAULT);
	}
	rc = hypercall(v, XENPERFCTR_OP_query, arg);
	check_result("query", rc);
	if (rc)
		return;
	memcpy(&q, arg, sizeof(q));
	check(q.version == XENPERFCTR_VERSION && q.features == features(v) &&
		      q.vendor == (machine_is_amd() ? XENPERFCTR_VENDOR_AMD
						    : XENPERFCTR_VENDOR_INTEL),
	      "query: features %#" PRIx64, q.features);
	check(q.general == (slots & 0xffff) && q.fixed == slots >> FIXED,
	      "query: counters");
	check(q.general_width ==
			      (unsigned int)__builtin_popcountll(
				      machine_mask(0)) &&
		      q.fixed_width == (slots >> FIXED
						? machine_kind->fixed_width
						: 0),
	      "query: width");
	check(q.evtsel_mask == guest_evtsel_mask(), "query: event select");
	check(q.arch_events == (machine_is_amd() ? 0 : 0x7f),
	      "query: architectural events");
	check(q.min_period == XENPERFCTR_MIN_PERIOD &&
		      q.max_rate == XENPERFCTR_MAX_RATE && !q.pad,
	      "query: limits");
}

static void m_registered(struct fuzz_vcpu *v, struct page_info *pg)
{
	v->page = pg;
	v->scribbled = false;
	v->slots = v->overflow = v->shown_overflow = 0;
	v->stolen_virq = v->rearm = v->stopped = v->told = false;
	v->generation = v->tsc_stolen = v->tsc_out = 0;
	v->rearms = v->throttled = 0;
	v->ip = v->ip_flags = 0;
	v->virqs = v->virqs_seen = v->overflows = 0;
	memset(v->counter, 0, sizeof(v->counter));
	memcpy(pg->rest, pg->data + sizeof(struct xen_perfctr_page),
	       sizeof(pg->rest));
}

static void register_arg(const void *arg, const struct fuzz_vcpu *v,
			 struct xen_perfctr_register *reg)
{
	if (!any_arg_readable(arg, sizeof(*reg))) {
		may(EFAULT);
		return;
	}
	memcpy(reg, arg, sizeof(*reg));
	if (reg->pad)
		may(EINVAL);
	if (reg->vcpu_id >= NR_VCPUS)
		may(ENOENT);
	else if (reg->vcpu_id != v->xen.vcpu_id)
		may(EINVAL);
}

static void register_vcpu(struct fuzz_vcpu *v, unsigned int op)
{
	struct xen_perfctr_register reg = {.vcpu_id = v->xen.vcpu_id};
	const unsigned int d = id_of(v->xen.domain);
	const uint8_t how = u8(), what = u8();
	void *arg = any_handle(how);
	struct page_info *pg = NULL;
	bool other = false;
	unsigned int i;
	long rc;

	may_not_fail();
	reg.gfn = what & 15;
	if (reg.gfn > NR_PAGES)
		reg.gfn = what & 3;
	if (how >= 0xe0) {
		if (what & 0x20)
			reg.vcpu_id = u8() % 4;
		if (what & 0x40)
			reg.pad = u8();
		if (what & 0x80)
			reg.gfn = u64();
	}
	memcpy(arena, &reg, sizeof(reg));
	if (op == XENPERFCTR_OP_register_vcpu || !v->page)
		common_errors(v);
	register_arg(arg, v, &reg);
	/* One page for two vCPUs is the guest's loss, and would be the model's. */
	for (i = 0; i < NR_VCPUS; i++)
		other |= reg.gfn < NR_PAGES &&
			 vcpu[d][i].page == &page[d][reg.gfn];
	if (op == XENPERFCTR_OP_register_vcpu && other && !v->page)
		return;
	if (op == XENPERFCTR_OP_register_vcpu) {
		if (v->page)
			may(EEXIST);
		if (v->vpmu_counts)
			may(EBUSY);
		pg = reg.gfn < NR_PAGES ? &page[d][reg.gfn] : NULL;
		if (!pg || pg->type < 0 || pg->special || pg->not_writable ||
		    (is_hvm(v) && pg->type != p2m_ram_rw &&
		     pg->type != p2m_ram_logdirty))
			may(EACCES);
		if (alloc_fault_in == 1 || map_fault_in == 1)
			may(ENOMEM);
	} else if (!v->page) {
		may(ENOENT);
	}
	rc = hypercall(v, op, arg);
	check_result("(un)register", rc);
	if (rc)
		return;
	if (op == XENPERFCTR_OP_register_vcpu) {
		m_registered(v, pg);
		check(!shared(v)->sequence && !shared(v)->generation, "page");
		fuzz_done.registered++;
	} else {
		v->page = NULL;
		v->slots = 0;
	}
}

/* Everything that can be wrong with a load; its counters if nothing is. */
static void check_load(const struct fuzz_vcpu *v,
		       const struct xen_perfctr_load *l,
		       struct counter counter[NR_SLOT], uint64_t left[NR_SLOT],
		       uint32_t *slots)
{
	const unsigned int d = id_of(v->xen.domain);
	const struct policy *p = &policy[d];
	const bool rearm = l->flags & LOAD_REARM;
	bool sampling = false;
	unsigned int i;

	*slots = 0;
	if (l->nr > XENPERFCTR_MAX_COUNTERS ||
	    (l->flags & ~(XENPERFCTR_LOAD_STOLEN | XENPERFCTR_LOAD_LEFT |
			  (HAVE_REARM ? LOAD_REARM : 0))) ||
	    (!l->nr && l->flags != XENPERFCTR_LOAD_STOLEN)) {
		may(EINVAL);
		return;
	}
	if (rearm && (!is_hvm(v) || !machine_has_apic))
		may(EOPNOTSUPP);
	for (i = 0; i < l->nr; i++) {
		const struct xen_perfctr_counter *c = &l->counter[i];
		const bool fixed = c->index >> 30 & 1;
		const uint32_t n = c->index & ~(1U << 30);
		unsigned int slot;
		struct counter *m;
		bool usr = c->evtsel & USR, os = c->evtsel & OS;
		const bool host = c->flags & XENPERFCTR_COUNTER_HOST;

		if (n >= (fixed ? 8 : 16)) {
			may(EINVAL);
			continue;
		}
		slot = n + (fixed ? FIXED : 0);
		if (!(machine_kind->slots >> slot & 1) || *slots >> slot & 1 ||
		    c->flags & ~3U)
			may(EINVAL);
		*slots |= 1U << slot;
		m = &counter[slot];
		memset(m, 0, sizeof(*m));
		m->sampling = c->flags & XENPERFCTR_COUNTER_SAMPLING;
		m->period = c->period;
		m->evtsel = c->evtsel;
		m->kind = event_kind(fixed, fixed ? n : c->evtsel);
		left[slot] = c->period;
		sampling |= m->sampling;
		if (m->sampling && !machine_has_apic)
			may(EOPNOTSUPP);
		if (m->sampling && p->level < XENPERFCTR_LEVEL_SAMPLE)
			may(EPERM);
		if (machine_kind->slots >> slot & 1 &&
		    (m->sampling ? c->period < 1000 ||
					   c->period > max_period(slot)
				 : c->period))
			may(EINVAL);
		if (c->evtsel & ~(fixed ? USR | OS : guest_evtsel_mask()))
			may(EINVAL);
		if (!fixed && machine_is_amd() && !machine_kind->ext_core &&
		    (c->evtsel & 0xe0) == 0xe0)
			may(EINVAL);
		if (host && p->level < XENPERFCTR_LEVEL_HOST)
			may(EPERM);
		if (host && usr != os)
			may(EOPNOTSUPP);
		if (!host && !usr && !os)
			may(EINVAL);
		if (!is_hvm(v) && !splits(v)) {
			if (os && !usr)
				may(EOPNOTSUPP);
			os = usr;
		}
		m->user = usr;
		m->kernel = os;
		m->host = host;
		if (rearm && (host || !usr || os))
			may(EINVAL);
		if (l->flags & XENPERFCTR_LOAD_LEFT) {
			if (m->sampling ? l->left[i] > max_period(slot)
					: l->left[i])
				may(EINVAL);
			if (l->left[i])
				left[slot] = l->left[i];
		}
		if (!event_allowed(d, slot, c->evtsel))
			may(EACCES);
	}
	if (rearm && !sampling)
		may(EINVAL);
}

static void any_counter(struct xen_perfctr_counter *c, unsigned int *used)
{
	static const uint16_t events[] = {0x00c0, 0x003c, 0x013c, 0x01a4,
					  0x00e0, 0x4f2e, 0x0001, 0xc0b7};
	static const uint32_t bounds[] = {0x10, 0x40000008, 0x80000000,
					  0x40000007, 0xf, ~0U, 0x20000000,
					  0x40000010};
	const uint8_t which = u8(), event = u8(), flags = u8();
	unsigned int slot = which % NR_SLOT, i;

	/* One that exists and was not used, if there is any. */
	for (i = 0; i < NR_SLOT && which < 0xf0; i++, slot++) {
		slot %= NR_SLOT;
		if (machine_kind->slots >> slot & ~*used >> slot & 1)
			break;
	}
	slot %= NR_SLOT;
	*used |= 1U << slot;
	memset(c, 0, sizeof(*c));
	c->index = slot < FIXED ? slot : (slot - FIXED) | 1U << 30;
	c->evtsel = slot < FIXED ? events[event & 7] : 0;
	c->evtsel |= (flags & 3 ? (uint64_t)(flags & 3) : 3) << 16;
	if (event & 0x40 && slot < FIXED)
		c->evtsel |= (uint64_t)u16() << 16 &
			     (event & 0x38 ? guest_evtsel_mask() : ~UINT64_C(0));
	if (event & 0x80 && slot < FIXED && machine_is_amd())
		c->evtsel |= UINT64_C(1) << (32 + (event & 3));
	if (flags & 4) {
		c->flags |= XENPERFCTR_COUNTER_SAMPLING;
		c->period = 1000 + u8();
		if ((flags & 0xe0) == 0x40)
			c->period = u8() & 1 ? machine_mask(slot) >> 1
					     : (machine_mask(slot) >> 1) + 1;
	}
	if ((flags & 0x98) == 0x18) {
		c->flags |= XENPERFCTR_COUNTER_HOST;
		if (flags & 0x20)
			c->evtsel &= ~(USR | OS);
		else
			c->evtsel |= USR | OS;
	}
	if (flags >= 0xfc)
		c->flags ^= 1U << (u8() & 31);
	else if (flags >= 0xf8)
		c->index = event & 0x40 ? c->index ^ 1U << (event & 31)
					: bounds[event & 7];
}

static void any_load(struct xen_perfctr_load *l)
{
	const uint8_t nr = u8(), flags = u8();
	unsigned int i, used = 0;

	memset(l, 0, sizeof(*l));
	if (nr >= 0xf0) {
		for (i = 0; i < sizeof(*l) && i < 64; i++)
			((uint8_t *)l)[i] = u8();
		return;
	}
	l->nr = nr >= 0xd0 ? nr % 28 : 1 + nr % 4;
	l->flags = flags & 7;
	if (!(flags & 8))
		l->flags &= ~LOAD_REARM;
	if (flags >= 0xf8)
		l->flags ^= 1U << (nr & 31);
	for (i = 0; i < l->nr && i < XENPERFCTR_MAX_COUNTERS; i++) {
		any_counter(&l->counter[i], &used);
		if (l->flags & LOAD_REARM && (flags & 0x30) != 0x30) {
			l->counter[i].evtsel =
				(l->counter[i].evtsel & ~OS) | USR;
			l->counter[i].flags &= ~XENPERFCTR_COUNTER_HOST;
		}
		if (l->flags & XENPERFCTR_LOAD_LEFT &&
		    (flags >= 0xf0 ||
		     l->counter[i].flags & XENPERFCTR_COUNTER_SAMPLING))
			l->left[i] = u8() * (uint64_t)(flags & 0x40 ? 1 : 16);
	}
}

/* The shortest way to a page, or nothing would come of most loads. */
static void register_simply(struct fuzz_vcpu *v)
{
	const unsigned int d = id_of(v->xen.domain), i = v->xen.vcpu_id;
	struct xen_perfctr_register reg = {.vcpu_id = i, .gfn = i};

	if (v->page || page[d][i].refs)
		return;
	readable = writable = ARENA;
	memcpy(arena, &reg, sizeof(reg));
	if (!hypercall(v, XENPERFCTR_OP_register_vcpu, arena))
		m_registered(v, &page[d][i]);
}

static void load(struct fuzz_vcpu *v)
{
	const unsigned int p = (unsigned int)v->pcpu;
	struct xen_perfctr_load l;
	struct counter counter[NR_SLOT];
	uint64_t left[NR_SLOT];
	uint32_t slots = 0;
	const uint8_t how = u8(), change = u8();
	bool by_page;
	uint8_t *arg;
	unsigned int i, faults;
	bool was_throttled;
	long rc;

	if (how < 0xf0)
		register_simply(v);
	by_page = (how & 0x40) && v->page;
	any_load(&l);
	arg = any_handle(how);
	if (by_page)
		arg = NULL;
	if (by_page || (!arg && v->page)) {
		watched = v->page->data + XENPERFCTR_PAGE_LOAD;
		memcpy(v->page->data + XENPERFCTR_PAGE_LOAD, &l, sizeof(l));
	} else {
		memcpy(arena, &l, sizeof(l));
		watched = arg;
	}
	if (change >= 0xc0) {
		change_at = change & 0x20 ? u8() % 8 : u16() % (sizeof(l) - 2);
		change_by = u16();
		change_when = change & 7;
		changing = watched == arg ? arena : v->page->data +
						    XENPERFCTR_PAGE_LOAD;
	}
	nr_seen = 0;
	memset(seen_faults, 0, sizeof(seen_faults));
	faults = machine_faults;
	rc = hypercall(v, XENPERFCTR_OP_load, arg);
	/* The rest of the page is as the guest has left it. */
	if (v->page)
		memcpy(v->page->rest,
		       v->page->data + sizeof(struct xen_perfctr_page),
		       sizeof(v->page->rest));
	watched = NULL;
	changing = NULL;

	may_not_fail();
	common_errors(v);
	if (!v->page)
		may(ENOENT);
	if (!errors) {
		check(nr_seen >= 1 && nr_seen <= 3, "read %u times", nr_seen);
		if (seen_faults[0] || seen_faults[1] || seen_faults[2])
			may(EFAULT);
		/* Each part as it was when it was read. */
		l = seen[0];
		if (nr_seen > 1)
			memcpy(l.counter, seen[1].counter, sizeof(l.counter));
		if (nr_seen > 2)
			memcpy(l.left, seen[2].left, sizeof(l.left));
		if (!errors)
			check_load(v, &l, counter, left, &slots);
	}
	if (machine_faults != faults || (!errors && slots && dead[p]))
		may(EIO);
	if (doubtful[p] && !errors)
		may(EIO);
	if (machine_faults != faults || (doubtful[p] && !rc))
		check(!rc || allows(rc), "load: %ld", rc);
	else
		check_result("load", rc);
	if (rc && rc != -EIO) {
		fuzz_done.refused++;
		return;
	}
	fuzz_done.loads += !rc;
	if (by_page)
		fuzz_done.page_loads += !rc;

	/* The old one was lost when an overflow came just before. */
	if (!rc && machine_faults != faults &&
	    peek(v)->generation == v->generation + 2)
		m_drop(v);
	/* What both name goes on. */
	v->generation++;
	v->overflow = v->shown_overflow = 0;
	v->stopped = v->told = false;
	v->rearm = l.flags & LOAD_REARM;
	v->stolen_virq = l.flags & XENPERFCTR_LOAD_STOLEN;
	was_throttled = false;
	for (i = 0; i < NR_SLOT; i++)
		was_throttled |= slots >> i & 1 && counter[i].sampling;
	was_throttled = was_throttled && throttles(v);
	for (i = 0; i < NR_SLOT; i++) {
		if (!(slots >> i & 1))
			continue;
		counter[i].value = v->slots >> i & 1 ? v->counter[i].value : 0;
		if (counter[i].sampling)
			counter[i].value = -(was_throttled ? max_period(i)
							   : left[i]) &
					   machine_mask(i);
		v->counter[i] = counter[i];
	}
	v->slots = slots;
	if (rc) {
		m_drop(v);
		fuzz_done.lost++;
	} else if (slots) {
		yielded[p] = false;
	}
}

/* An operation without argument. */
static void stop_or_resume(struct fuzz_vcpu *v, unsigned int op)
{
	void *arg = u8() % 16 ? NULL : arena;
	const unsigned int p = (unsigned int)v->pcpu;
	const unsigned int faults = machine_faults;
	const bool overflow = v->stopped && v->told;
	long rc;

	may_not_fail();
	if (op != XENPERFCTR_OP_stop || !v->page)
		common_errors(v);
	if (arg)
		may(EINVAL);
	else if (!v->page)
		may(ENOENT);
	rc = hypercall(v, op, arg);
	if (!errors && op == XENPERFCTR_OP_resume &&
	    (machine_faults != faults || doubtful[p])) {
		check(!rc || rc == -EIO, "resume: %ld", rc);
	} else {
		check_result("stop or resume", rc);
	}
	if (errors)
		return;
	if (op == XENPERFCTR_OP_stop) {
		if (v->slots || v->stolen_virq)
			m_drop(v);
	} else if (!rc && overflow) {
		m_resume(v);
	}
}

static void set_policy(struct fuzz_vcpu *v)
{
	const uint8_t how = u8(), what = u8();
	const unsigned int d = how % NR_DOMAINS;
	xen_perfctr_event_t events[XENPERFCTR_MAX_FILTER + 8];
	struct xen_domctl_perfctr_op op = {
		.cmd = XEN_DOMCTL_PERFCTR_set_policy,
		.level = what & 3,
		.filter = what >> 2 & 3,
		.nr_events = what >> 4,
	};
	static const uint16_t codes[] = {0xc0, 0x3c, 0xa4, 0x73,
					 0x9c, 0xc2, 0xe0, 0x2e};
	unsigned int i;
	long rc;

	if (!domain_exists[d])
		return;
	/* Mostly everybody may, as else little would happen. */
	if (!(how & 0x40))
		op.level |= 2;
	if (!(how & 0x10))
		op.filter = XENPERFCTR_FILTER_NONE;
	if (op.filter == XENPERFCTR_FILTER_NONE && !(how & 0x20))
		op.nr_events = 0;
	if (op.filter == 3 && !(how & 0x20))
		op.filter = XENPERFCTR_FILTER_ALLOW;
	if (how & 0x80 && what & 0x80) {
		op.cmd = u8() & 3;
		op.level = u8() & 7;
		op.nr_events = u8();
		/* Less room than a filter has events */
		if (op.nr_events & 0x40)
			op.nr_events &= 7;
	}
	op.events = any_handle(how & 0x80 ? u8() : 0);
	memset(events, 0, sizeof(events));
	for (i = 0; i < op.nr_events && i < XENPERFCTR_MAX_FILTER + 8; i++) {
		const uint8_t code = u8(), umask = u8();

		events[i].event = code & 0x80 ? codes[code & 7] : code;
		if (umask & 0x80 && machine_is_amd())
			events[i].event |= 0x100;
		events[i].mask = umask & 0x40 ? 0xff : umask & 3;
		events[i].umask = umask >> 2 & 7 & events[i].mask;
		if (code == 0x7f)
			events[i].umask ^= umask;
		if (code == 0x7e)
			events[i].event ^= 0x1000;
	}
	memcpy(arena, events, sizeof(events));

	may_not_fail();
	if (domain[d].xsm_denies)
		may(EPERM);
	if (host_error)
		may(-host_error);
	if (op.cmd != XEN_DOMCTL_PERFCTR_set_policy) {
		struct policy *m = &policy[d];
		const unsigned int n =
			op.nr_events < m->nr ? op.nr_events : m->nr;
		const uintptr_t at = (uintptr_t)op.events - (uintptr_t)arena;

		if (op.cmd != XEN_DOMCTL_PERFCTR_get_policy)
			may(EINVAL);
		if (n && (at >= writable || n * sizeof(*events) > writable - at))
			may(EFAULT);
		rc = perfctr_domctl(&domain[d].xen, &op);
		check_result("domctl", rc);
		check(rc || (op.level == m->level && op.filter == m->filter &&
			     op.nr_events == m->nr),
		      "get_policy");
		check(rc || !n || !memcmp(op.events, m->event,
					  n * sizeof(*events)),
		      "get_policy: events");
		check(rc || at || !memcmp(arena + n * sizeof(*events),
					  events + n,
					  sizeof(events) - n * sizeof(*events)),
		      "get_policy: behind the events");
		return;
	}
	if (op.level > XENPERFCTR_LEVEL_HOST ||
	    op.filter > XENPERFCTR_FILTER_DENY ||
	    (op.filter == XENPERFCTR_FILTER_NONE && op.nr_events))
		may(EINVAL);
	if (op.nr_events > XENPERFCTR_MAX_FILTER)
		may(E2BIG);
	else if (op.filter && op.nr_events &&
		 !any_arg_readable(op.events, op.nr_events * sizeof(*events)))
		may(EFAULT);
	else if (op.filter)
		for (i = 0; i < op.nr_events; i++) {
			xen_perfctr_event_t e;

			memcpy(&e, (uint8_t *)op.events + i * sizeof(e),
			       sizeof(e));
			if (e.umask & ~e.mask ||
			    e.event & ~event_code(guest_evtsel_mask()))
				may(EINVAL);
		}
	if (op.filter && alloc_fault_in == 1)
		may(ENOMEM);

	xen_host_cpu = (unsigned int)v->pcpu;
	{
		struct policy old = policy[d];
		struct policy new = {
			.level = op.level,
			.filter = op.filter,
			.nr = op.nr_events,
		};

		if (!errors) {
			if (new.nr)
				memcpy(new.event, op.events,
				       new.nr * sizeof(*events));
			/*
			 * Both are allowed while it changes: what is running
			 * has been allowed by the old one, and from the moment
			 * at which the caller's own are stopped it is the new.
			 */
			commits_at_irq_off = true;
			rc = perfctr_domctl(&domain[d].xen, &op);
			commits_at_irq_off = committed = false;
			if (fuzz_verbose)
				fprintf(stderr, "d%u: level %u, filter %u, %u events\n",
					d, op.level, op.filter, op.nr_events);
			check_result("set_policy", rc);
			policy[d] = new;
			fuzz_done.policies++;
			for (i = 0; i < NR_VCPUS; i++) {
				struct fuzz_vcpu *w = &vcpu[d][i];

				if (!w->page ||
				    (!w->slots && !w->stolen_virq) ||
				    !policy_forbids(w))
					continue;
				m_drop(w);
				w->virqs++;
				fuzz_done.revoked++;
			}
		} else {
			rc = perfctr_domctl(&domain[d].xen, &op);
			check_result("set_policy", rc);
			policy[d] = old;
		}
	}
}

/* ----- domains ------------------------------------------------------------ */

static void create_domain(unsigned int d, uint8_t kind)
{
	struct fuzz_domain *dom = &domain[d];
	unsigned int i;

	memset(dom, 0, sizeof(*dom));
	memset(&policy[d], 0, sizeof(policy[d]));
	dom->xen.domain_id = d;
	dom->xen.max_vcpus = NR_VCPUS;
	dom->xen.vcpu = vcpu_table[d];
	dom->hvm = kind & 1;
	dom->pv32 = !dom->hvm && (kind & 6) == 6;
	dom->nested = dom->hvm && (kind & 0x1e) == 0x1e;
	dom->xen.arch.vtsc = kind >> 5 & 1;
	perfctr_domain_init(&dom->xen);
	policy[d].level = d ? level_domu : level_dom0;
	check(dom->xen.arch.perfctr_level == policy[d].level, "d%u: level %u",
	      d, dom->xen.arch.perfctr_level);
	for (i = 0; i < NR_PAGES; i++) {
		struct page_info *pg = &page[d][i];

		pg->data = malloc(PAGE_SIZE);
		memset(pg->data, 0x40 + (int)i, PAGE_SIZE);
		pg->refs = pg->type_refs = 0;
		pg->mapped = false;
		pg->special = i == 5;
		pg->not_writable = i == 6;
		/* 7: not there, or not RAM. */
		pg->type = i == 7 ? (kind & 0x40 ? 5 : -1)
			   : i == 4 ? p2m_ram_logdirty
				    : p2m_ram_rw;
	}
	for (i = 0; i < NR_VCPUS; i++) {
		struct fuzz_vcpu *v = &vcpu[d][i];

		memset(v, 0, sizeof(*v));
		vcpu_table[d][i] = &v->xen;
		v->xen.domain = &dom->xen;
		v->xen.vcpu_id = i;
		v->xen.arch.flags = TF_kernel_mode;
		v->pcpu = -1;
		v->hw.rdpmc_exits = true;
		v->tsc_offset = (uint64_t)kind << 32;
	}
	domain_exists[d] = true;
}

static void take_pcpus(unsigned int d)
{
	unsigned int i;

	for (i = 0; i < NR_VCPUS; i++)
		if (vcpu[d][i].pcpu >= 0)
			switch_pcpu((unsigned int)vcpu[d][i].pcpu, NULL);
}

static void destroy_domain(unsigned int d)
{
	unsigned int i, p, times;

	take_pcpus(d);
	if (action_faults || machine_faults != fuzz_done.faults)
		for (i = 0; i < NR_VCPUS; i++)
			after_fault(&vcpu[d][i]);
	for (i = 0; i < NR_VCPUS; i++)
		check_page(&vcpu[d][i]);
	for (p = 0; p < NR_PCPUS; p++)
		if (context[p] && context[p]->xen.domain == &domain[d].xen) {
			write_ptbase(p, NULL);
			context[p] = NULL;
		}
	/* Again is allowed. */
	for (times = 0; times < 2; times++) {
		for (i = 0; i < NR_VCPUS; i++) {
			perfctr_vcpu_destroy(&vcpu[d][i].xen);
			vcpu[d][i].page = NULL;
		}
		perfctr_domain_destroy(&domain[d].xen);
	}
	for (i = 0; i < NR_PAGES; i++) {
		check(!page[d][i].refs && !page[d][i].type_refs,
		      "page %u is not given back", i);
		check(!page[d][i].mapped, "page %u is mapped", i);
		free(page[d][i].data);
		page[d][i].data = NULL;
	}
	memset(vcpu[d], 0, sizeof(vcpu[d]));
	vcpu[d][0].pcpu = vcpu[d][1].pcpu = -1;
	domain_exists[d] = false;
}

/* HVM only. */
static void soft_reset(unsigned int d)
{
	unsigned int i;

	take_pcpus(d);
	for (i = 0; i < NR_VCPUS; i++) {
		struct fuzz_vcpu *v = &vcpu[d][i];

		perfctr_vcpu_reset(&v->xen);
		v->page = NULL;
		v->slots = 0;
		check(v->hw.rdpmc_exits && !v->hw.pce && !v->hw.loads,
		      "reset: RDPMC");
	}
	fuzz_done.resets++;
}

/* The guest gives a page away that Xen does not hold, and it comes again. */
static void free_page(unsigned int d, unsigned int i)
{
	struct page_info *pg = &page[d][i];

	if (pg->refs)
		return;
	free(pg->data);
	pg->data = malloc(PAGE_SIZE);
	memset(pg->data, 0x99, PAGE_SIZE);
}

static void scribble(struct fuzz_vcpu *v)
{
	const uint16_t at = u16() % PAGE_SIZE;
	const uint8_t with = u8(), n = u8();

	if (!v->page)
		return;
	memset(v->page->data + at, with,
	       n < PAGE_SIZE - at ? n : (size_t)(PAGE_SIZE - at));
	if (at < sizeof(struct xen_perfctr_page))
		v->scribbled = true;
	memcpy(v->page->rest, v->page->data + sizeof(struct xen_perfctr_page),
	       sizeof(v->page->rest));
}

/* A vCPU that has a vPMU uses it. */
static void vpmu_visits(unsigned int p)
{
	struct fuzz_vcpu *v = running[p];
	const struct machine_pmu *pmu = &machine_pmu[p];
	const bool was = yielded[p] || dead[p] || doubtful[p] || !active;
	const unsigned int faults = machine_faults;
	unsigned int slot;

	if (!v || v->page || !machine_kind->slots)
		return;
	xen_host_cpu = p;
	perfctr_pmu_yield();
	if (!was && machine_faults == faults)
		for (slot = 0; slot < NR_SLOT; slot++) {
			check(!pmu->value[slot], "the vPMU sees counter %u",
			      slot);
			check(slot >= FIXED || !(pmu->evtsel[slot] & EN),
			      "event select %u is for the vPMU's guest", slot);
		}
	if (!was && machine_is_amd() && machine_has_global())
		check(machine_faults != faults ||
			      pmu->global_ctrl == machine_kind->slots,
		      "the vPMU's counters do not count");
	if (!dead[p] && active)
		yielded[p] = true;
	vpmu_active[p] = true;
	machine_junk(p, u64(), false);
	machine_pmu[p].lvtpc = u8() & 1 ? PMU_APIC_VECTOR
					: PMU_APIC_VECTOR | LVTPC_MASKED;
	fuzz_done.vpmu++;
}

/* A pCPU was down; its firmware has used the PMU. */
static void cpu_up(unsigned int p)
{
	const uint8_t how = u8();
	unsigned int faults;

	switch_pcpu(p, NULL);
	faults = machine_faults;
	write_ptbase(p, NULL);
	context[p] = NULL;
	softirq[p] = false;
	pmi_pending[p] = 0;
	if (machine_kind->slots)
		machine_junk(p, u64(), how & 0x80);
	machine_pmu[p].lvtpc = LVTPC_MASKED;
	machine_pmu[p].broken = machine_pmu[p].unreadable = -1;
	if ((how & 7) == 1)
		machine_pmu[p].broken = how >> 3 & 7;
	if ((how & 7) == 2)
		machine_pmu[p].unreadable = how >> 3 & 7;
	if (how & 0x40) {
		xen_host_cpu = p;
		perfctr_cpu_init(); /* a resume from S3 */
	} else {
		machine_cpu_up(p);
	}
	yielded[p] = false;
	doubtful[p] = false;
	dead[p] = !machine_kind->slots || !active || (int)p == machine_odd ||
		  machine_faults != faults ||
		  (machine_pmu[p].broken >= 0 &&
		   machine_kind->slots >> machine_pmu[p].broken & 1) ||
		  (machine_pmu[p].unreadable >= 0 &&
		   machine_kind->slots >> machine_pmu[p].unreadable & 1);
}

/* So many overflows that Xen has to do something about it. */
static void storm(struct fuzz_vcpu *v)
{
	const unsigned int p = (unsigned int)v->pcpu;
	unsigned int slot, i;

	for (slot = 0; slot < NR_SLOT; slot++)
		if (v->slots >> slot & 1 && v->counter[slot].sampling &&
		    asked_for(v, slot, context_of(v)))
			break;
	if (stormed || slot == NR_SLOT || action_faults)
		return;
	stormed = true;
	for (i = 0; i < 1010 && v->slots >> slot & 1 &&
		    machine_faults == fuzz_done.faults; i++) {
		const uint64_t tsc = xen_host_tsc;

		execute(p, context_of(v), v->counter[slot].kind,
			machine_mask(slot) - v->counter[slot].value + 1);
		xen_host_tsc = tsc + 100;
		to_guest(p);
		if (v->throttled)
			break;
		if (v->stopped && v->told) {
			if (hypercall(v, XENPERFCTR_OP_resume, NULL))
				break;
			m_resume(v);
		}
	}
	fuzz_done.storms++;
}

/* ----- a sequence --------------------------------------------------------- */

static const char *const cmdlines[] = {
	"on", "dom0=host,domu=host", "domu=sample", "dom0",
	"dom0=count,domu=denied", "domu=count", "off", "dom0=sample,domu=host",
	"dom0=bogus", "domu", "dom0=denied,domu=host", "",
	"dom0,domu=host", "dom0=host,,domu=host", "1", "domu=host,dom0=count,x",
};

/* As Xen sees words: what ends them need not be a comma. */
static bool word(const char *s, const char *name)
{
	const size_t n = strlen(name);

	return !strncmp(s, name, n) && strchr(",:;=", s[n]);
}

/* What the command line means, independently. */
static bool meaning(const char *s)
{
	static const char *const names[] = {"denied", "count", "sample",
					    "host"};
	unsigned int l[2] = {XENPERFCTR_LEVEL_HOST, XENPERFCTR_LEVEL_DENIED};

	level_dom0 = level_domu = 0;
	if (!strcmp(s, "on") || !strcmp(s, "1")) {
		level_dom0 = XENPERFCTR_LEVEL_HOST;
		level_domu = XENPERFCTR_LEVEL_SAMPLE;
		return true;
	}
	if (!strcmp(s, "off") || !strcmp(s, "0"))
		return false;
	for (;;) {
		const char *end = s + strcspn(s, ",");
		const unsigned int which = !strncmp(s, "domu=", 5);
		unsigned int i;

		if (!strncmp(s, "dom0=", 5) || which) {
			for (i = 0; i < 4 && !word(s + 5, names[i]); i++)
				;
			if (i == 4)
				return false;
			l[which] = i;
		} else if (!word(s, "dom0")) {
			return false;
		}
		if (!*end)
			break;
		s = end + 1;
	}
	level_dom0 = l[0];
	level_domu = l[1];
	return true;
}

static void boot(void)
{
	const uint8_t kind = u8(), cmdline = u8(), options = u8();
	char raw[24];
	const char *s = cmdlines[cmdline % 4];
	unsigned int p, i, nr = machine_nr_kinds;
	bool on;

	/* Those that Xen does not use are dull. */
	machine_reset(&machine_kinds[kind % (kind >= 0xe0 ? nr : 11)]);
	if (cmdline >= 0xc0)
		s = cmdlines[cmdline % (sizeof(cmdlines) / sizeof(*cmdlines))];
	if ((cmdline & 0xf0) == 0xf0) {
		/* Words of the right kind, and any letters. */
		for (i = 0; i < sizeof(raw) - 1; i++)
			raw[i] = (char)u8();
		raw[i] = 0;
		s = raw;
	}
	machine_has_apic = options % 16 != 15;
	opt_watchdog = options == 0x80;
	machine_odd = options % 32 == 16 ? 2 : -1;
	if (machine_odd >= 0)
		machine_cpu[machine_odd].x86 =
			machine_kind->family < 0x10 ? 0x10 : 0xf;
	if (options % 64 == 33)
		machine_pmu[0].broken = 0;
	hvm_funcs.perfctr_supported = machine_kind->hvm && options % 32 != 17;
	hvm_funcs.set_rdpmc_exiting = set_rdpmc_exiting;
	if (machine_kind->hvm && !machine_is_amd())
		hvm_funcs.set_perf_global_ctrl = set_perf_global_ctrl;
	for (p = 0; p < NR_PCPUS; p++) {
		idle_vcpu[p].domain = &idle_domain.xen;
		idle_vcpu[p].vcpu_id = p;
		idle_vcpu[p].is_running = true;
		xen_host_current[p] = &idle_vcpu[p];
		running[p] = context[p] = NULL;
		context_is_idle[p] = true;
		dead[p] = doubtful[p] = yielded[p] = vpmu_active[p] = false;
		pmi_pending[p] = pmi_skid[p] = 0;
		softirq[p] = false;
		machine_skew[p] = (int64_t)p * (options >> 6) * 1000;
		if (machine_kind->slots)
			machine_junk(p, options * 0x9e3779b97f4a7c15 + p,
				     false);
	}
	pmi_latency = 0;
	irqs_off = 0;
	committed = commits_at_irq_off = in_model = stormed = false;
	alloc_fault_in = map_fault_in = allocations = 0;
	softirq_handler = NULL;
	keyhandler = NULL;
	watched = NULL;
	changing = NULL;
	idle_domain.xen.domain_id = 0x7fff;
	fuzz_done.faults = 0;
	action_faults = 0;
	nr_action = 0;

	on = meaning(s);
	/* Xen's loop ends at a comma's end; a word too many is an error there. */
	check(machine_boot(s) == (on || !strcmp(s, "off") || !strcmp(s, "0")),
	      "perfctr=%s", s);
	active = on && !opt_watchdog && machine_kind->slots &&
		 !(machine_pmu[0].broken >= 0);
	check(perfctr_active == active, "active: %d", perfctr_active);
	host_error = active	     ? 0
		     : !on	     ? -EOPNOTSUPP
		     : opt_watchdog ? -EBUSY
				     : -ENODEV;
	for (p = 1; p < NR_PCPUS; p++)
		machine_cpu_up(p);
	for (p = 0; p < NR_PCPUS; p++)
		dead[p] = !active || (int)p == machine_odd;
	booted = true;
}

static void action(void)
{
	const uint8_t what = u8(), where = u8();
	const unsigned int p = where % NR_PCPUS;
	struct fuzz_vcpu *v = running[p];
	const unsigned int d = (where >> 2) % NR_DOMAINS;
	uint64_t n;
	uint8_t x;

	if (fuzz_verbose)
		fprintf(stderr, "%u: action %u of pCPU %u, d%dv%d %s, %#x\n",
			nr_action, what % 32, p,
			v ? (int)id_of(v->xen.domain) : -1,
			v ? (int)v->xen.vcpu_id : -1,
			!v ? "" : is_hvm(v) ? "HVM" : splits(v) ? "PV" : "PV32",
			where);
	xen_host_cpu = p;
	/* Whoever makes a hypercall has executed something before. */
	if (v && what % 32 >= 2 && what % 32 < 20) {
		to_guest(p);
		if (v->user && what % 32 < 16 && what % 32 > 3)
			toggle(v);
		if (action_faults || machine_faults != fuzz_done.faults)
			return;
	}
	switch (what % 32) {
	case 0:
	case 1: { /* a switch, of all the most frequent */
		struct fuzz_vcpu *next = &vcpu[d][where >> 4 & 1];

		if ((where & 0xc0) == 0xc0 || !domain_exists[d] || next->pcpu >= 0)
			next = NULL;
		to_kernel = what & 0x80;
		switch_pcpu(p, next);
		to_kernel = false;
		break;
	}
	case 2:
	case 3:
	case 16:
	case 17: /* somebody executes something */
		x = u8();
		n = u16();
		if (x & 0x40)
			n <<= x & 0x1f;
		if (!v || x & 0x80) {
			execute(p, CTX_XEN, x & 3, n);
			break;
		}
		/* A counter of that kind goes to where it wraps, or nearly. */
		if (x & 0x20 && v->slots) {
			unsigned int slot =
				(unsigned int)__builtin_ctz(v->slots);

			if (x & 0x10 && v->slots & (v->slots - 1))
				slot = 31 - (unsigned int)__builtin_clz(
						    v->slots);
			n = machine_mask(slot) - v->counter[slot].value +
			    (n & 3);
			execute(p, x & 8 ? CTX_USER : CTX_KERNEL,
				v->counter[slot].kind, n);
			break;
		}
		execute(p, x & 8 ? CTX_USER : CTX_KERNEL, x & 3, n);
		break;
	case 4:
	case 5:
	case 6:
		if (v)
			load(v);
		break;
	case 7:
	case 8:
		if (v)
			register_vcpu(v, XENPERFCTR_OP_register_vcpu);
		break;
	case 9:
		if (v)
			register_vcpu(v, XENPERFCTR_OP_unregister_vcpu);
		break;
	case 10:
		if (v)
			stop_or_resume(v, XENPERFCTR_OP_stop);
		break;
	case 11:
	case 12:
		if (v)
			stop_or_resume(v, XENPERFCTR_OP_resume);
		break;
	case 13:
		if (v)
			query(v);
		break;
	case 14:
		if (v && (x = u8()) > 5) {
			may_not_fail();
			common_errors(v);
			may(ENOSYS);
			check_result("op", hypercall(v, x, any_handle(u8())));
		}
		break;
	case 15:
		if (v)
			set_policy(v);
		break;
	case 18:
	case 19:
		if (v)
			toggle(v);
		break;
	case 20:
		pmi_latency = where >> 3 & 7;
		break;
	case 21: /* the interrupt comes now, or one that nobody expects */
		if (pmi_pending[p] || where & 0x80)
			interrupt(p);
		break;
	case 22:
		n = u16();
		xen_host_tsc += n << (where >> 2 & 15);
		if (where & 0x80)
			machine_skew[p] += (int16_t)u16();
		break;
	case 23:
		vpmu_visits(p);
		break;
	case 24:
		x = u8();
		if (domain_exists[d]) {
			if (x >= 0xe0 && is_hvm_domain(&domain[d].xen))
				soft_reset(d);
			else if (x >= 0xc0)
				take_pcpus(d);
			else if (x < 0x20)
				destroy_domain(d);
		} else {
			create_domain(d, x);
		}
		break;
	case 25:
		x = u8();
		if (domain_exists[d])
			free_page(d, x % NR_PAGES);
		break;
	case 26:
		if ((where & 0x38) == 0x38)
			cpu_up(p);
		break;
	case 27:
		scribble(&vcpu[d][where >> 4 & 1]);
		break;
	case 28:
		x = u8();
		if (x >= 0xe0 && v) {
			v->vpmu_counts = !v->page && (x & 1);
		} else if (x & 0x40) {
			alloc_fault_in = 1;
		} else if (x & 0x20) {
			map_fault_in = 1;
		} else if (domain_exists[d]) {
			domain[d].xsm_denies = (x & 7) == 7;
		}
		break;
	case 29:
		if (fuzz_inject_faults && where >= 0xc0) {
			x = u8();
			machine_fault_in = 1 + x % 16;
			machine_fault_again = x >= 0xe0 ? 1 + (where >> 2 & 15) : 0;
		}
		break;
	case 30:
		if (keyhandler && where >= 0xc0)
			keyhandler('f');
		break;
	case 31:
		if (v && (where & 0xf0) == 0x50) {
			to_guest(p);
			storm(v);
		}
		break;
	}
	if (what % 32 != 28)
		alloc_fault_in = map_fault_in = 0;
}

void fuzz_sequence(const uint8_t *data, size_t size)
{
	unsigned int d, p;

	input = data;
	input_left = size;
	arena = malloc(ARENA);
	memset(arena, 0, ARENA);
	readable = writable = ARENA;
	boot();
	for (d = 0; d < NR_DOMAINS; d++)
		create_domain(d, u8());
	for (p = 0; p < NR_PCPUS; p++)
		switch_pcpu(p, &vcpu[p % NR_DOMAINS][0]);
	check_all();
	while (input_left && nr_action < MAX_ACTIONS) {
		nr_action++;
		action();
		action_faults = machine_faults - fuzz_done.faults;
		check_all();
		fuzz_done.all_faults += action_faults;
		fuzz_done.faults = machine_faults;
		action_faults = 0;
		fuzz_done.actions++;
	}
	machine_fault_in = machine_fault_again = 0;
	for (p = 0; p < NR_PCPUS; p++)
		if (running[p])
			to_guest(p);
	check_all();
	for (d = 0; d < NR_DOMAINS; d++)
		if (domain_exists[d])
			destroy_domain(d);
	for (p = 0; p < NR_PCPUS; p++)
		check_pcpu(p);
	check(!allocations, "%d allocations are not freed", allocations);
	booted = false;
	free(arena);
	fuzz_done.sequences++;
}

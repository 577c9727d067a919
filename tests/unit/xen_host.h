/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Xen for the host: what xen/arch/x86/perfctr/{hypercall,vcpu,pmu,policy}.c need, so
 * that the very text of the patch series can be compiled into a test.  Included
 * before everything else; the headers that those files include, but for the
 * series' own, are empty.
 *
 * There are XEN_HOST_CPUS pCPUs, of which one at a time executes Xen
 * (xen_host_cpu), each with a PMU of its own.
 */
#ifndef TESTS_XEN_HOST_H
#define TESTS_XEN_HOST_H

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define XEN_HOST_CPUS 3
#define __XEN__

/* ----- the pCPUs ---------------------------------------------------------- */

#define XEN_HOST_GENERAL 16
#define XEN_HOST_FIXED   8

struct xen_host_pmu {
	uint64_t evtsel[XEN_HOST_GENERAL];
	uint64_t general[XEN_HOST_GENERAL];
	uint64_t fixed_ctrl;
	uint64_t fixed[XEN_HOST_FIXED];
	uint64_t global_ctrl;
};

/* What kind of PMU they have. */
struct xen_host_kind {
	unsigned int width; /* bits */
	unsigned int nr_general, nr_fixed;
	bool global; /* has a global control */
};

extern struct xen_host_kind xen_host_kind;
extern struct xen_host_pmu xen_host_pmu[XEN_HOST_CPUS];
extern unsigned long xen_host_cr4[XEN_HOST_CPUS];
extern unsigned int xen_host_cpu;
extern uint64_t xen_host_tsc;
/* WRMSRs ever, and those of them that wrote what was there. */
extern uint64_t xen_host_writes, xen_host_vain_writes;
/* The WRMSR after so many faults; 0: none. */
extern unsigned int xen_host_fault_in;

/* (Re)start everything; vCPUs of the time before must be gone. */
void xen_host_boot(const struct xen_host_kind *kind);
/* pCPU @cpu comes up, with whatever its firmware left in the PMU. */
void xen_host_cpu_up(unsigned int cpu);
/* @n events of @kind in ring 0 (Xen) or not. */
void xen_host_events(unsigned int cpu, unsigned int kind, uint64_t n,
		     bool ring0);
/* What RDPMC would say, by operand. */
uint64_t *xen_host_counter(unsigned int cpu, uint32_t index);
bool xen_host_counts(unsigned int cpu, uint32_t index, bool ring0);
uint64_t xen_host_mask(void);

/* ----- of Xen's own headers ----------------------------------------------- */

struct domain {
	unsigned int domain_id;
	unsigned int max_vcpus;
	struct vcpu **vcpu;
	struct {
		bool vtsc;
		uint8_t perfctr_level;
		struct perfctr_filter *perfctr_filter;
	} arch;
};

struct vcpu {
	struct domain *domain;
	unsigned int vcpu_id;
	unsigned int processor;
	bool is_running;
	struct {
		struct perfctr_vcpu *perfctr;
		bool perfctr_split;
		unsigned long flags;
	} arch;
};

extern struct vcpu *xen_host_current[XEN_HOST_CPUS];
#define current            xen_host_current[xen_host_cpu]
#define smp_processor_id() xen_host_cpu

#define __init
#define __ro_after_init
#define __initdata
#define __initconst
#define cf_check
#define __read_mostly
#define likely(x)            __builtin_expect(!!(x), 1)
#define unlikely(x)          __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a)        (sizeof(a) / sizeof((a)[0]))
#define BUILD_BUG_ON(x)      _Static_assert(!(x), #x)
#define ASSERT(x)            assert(x)
#define BUG_ON(x)            assert(!(x))
#define ASSERT_UNREACHABLE() assert(!"reached")

#define XENLOG_INFO    ""
#define XENLOG_WARNING ""
#define XENLOG_ERR     ""
void xen_host_printk(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
#define printk(...)          xen_host_printk(__VA_ARGS__)
#define gprintk(level, ...)  xen_host_printk(level __VA_ARGS__)
#define gdprintk(level, ...) xen_host_printk(level __VA_ARGS__)

#define DEFINE_PER_CPU(type, name) type per_cpu__##name[XEN_HOST_CPUS]
#define this_cpu(name)             (per_cpu__##name[xen_host_cpu])
#define per_cpu(name, cpu)         (per_cpu__##name[cpu])

static inline unsigned int find_first_set_bit(unsigned long word)
{
	return (unsigned int)__builtin_ctzl(word);
}
#define hweight32(x)                ((unsigned int)__builtin_popcount(x))
#define hweight64(x)                ((unsigned int)__builtin_popcountll(x))
#define array_index_nospec(i, size) (i)
#define arch_fetch_and_add(p, n)    __sync_fetch_and_add(p, n)
#define PAGE_SIZE                   4096
#define barrier()                   __asm__ __volatile__("" ::: "memory")
#define smp_wmb()                   __asm__ __volatile__("" ::: "memory")
#define write_atomic(p, x)          (*(volatile __typeof__(*(p)) *)(p) = (x))
#define read_atomic(p)              (*(volatile __typeof__(*(p)) *)(p))
#define xzalloc(type)               ((type *)calloc(1, sizeof(type)))
#define xfree(p)                    free(p)
#define XFREE(p)                    (free(p), (p) = NULL)
#define xzalloc_flex_struct(type, field, nr)                                   \
	((type *)calloc(1, offsetof(type, field[nr])))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define SWAP(a, b)                                                             \
	do {                                                                   \
		__typeof__(a) swap_ = (a);                                     \
		(a) = (b);                                                     \
		(b) = swap_;                                                   \
	} while (0)
static inline void *ERR_PTR(long error)
{
	return (void *)error;
}
#define PTR_ERR(p) ((int)(long)(p))
#define IS_ERR(p)  ((unsigned long)(p) >= (unsigned long)-4095)

/* A guest's memory is ours. */
#define XEN_GUEST_HANDLE_PARAM(type)  type *
#define XEN_GUEST_HANDLE_64(type)     type *
#define DEFINE_XEN_GUEST_HANDLE(type) struct swallows_the_semicolon
#define guest_handle_is_null(handle)  (!(handle))
#define guest_handle_add_offset(h, n) ((h) = (char *)(h) + (n))
#define copy_from_guest(to, handle, n)                                         \
	(memcpy(to, handle, (n) * sizeof(*(to))), 0)
#define copy_to_guest(handle, from, n)                                         \
	(memcpy(handle, from, (n) * sizeof(*(from))), 0)

/* The test's, which only counts them: its guest looks at its page itself. */
#define VIRQ_ARCH_2                   18
struct vcpu;
void xen_host_virq(struct vcpu *v);
#define send_guest_vcpu_virq(v, virq) ((void)(virq), xen_host_virq(v))

struct page_info;
typedef int p2m_type_t;
#define p2m_ram_rw                      0
#define p2m_ram_logdirty                1
#define P2M_UNSHARE                     1
#define PGT_writable_page               1
#define get_page_from_gfn(d, gfn, t, q)                                        \
	(*(t) = p2m_ram_rw, (struct page_info *)(gfn))
#define is_special_page(page)           false
#define get_page_type(page, type)       true
#define put_page(page)                  ((void)(page))
#define put_page_type(page)             ((void)(page))
#define put_page_and_type(page)         ((void)(page))
#define __map_domain_page_global(page)  ((void *)(page))
#define unmap_domain_page_global(p)     ((void)(p))

#define is_pv_vcpu(v)         ((void)(v), true)
#define is_pv_domain(d)       ((void)(d), true)
#define is_pv_32bit_vcpu(v)   ((void)(v), false)
#define is_pv_32bit_domain(d) ((void)(d), false)
#define is_hvm_vcpu(v)        ((void)(v), false)
#define is_hvm_domain(d)      ((void)(d), false)
/* All guests here are PV. */
struct hvm_funcs {
	bool perfctr_supported;
	void (*set_rdpmc_exiting)(struct vcpu *v, bool enable);
	void (*set_perf_global_ctrl)(struct vcpu *v, bool enable,
				     uint64_t guest, uint64_t host);
};
extern struct hvm_funcs hvm_funcs;
#define nestedhvm_enabled(d)         ((void)(d), false)
#define alternative_vcall(func, ...) ((func)(__VA_ARGS__))
#define hvm_update_guest_cr(v, cr)   assert(!"HVM")
#define hvm_get_guest_tsc(v)         (assert(!"HVM"), UINT64_C(0))
#define vpmu_detach(v)               ((void)(v), 0)
#define vpmu_attach(v)               ((void)(v))
#define is_hardware_domain(d) ((d)->domain_id == 0)
#define is_control_domain(d) ((d)->domain_id == 0)
#define is_idle_vcpu(v)       ((void)(v), false)
#define TF_kernel_mode        (1U << 0)
#define domain_vcpu(d, id)    ((id) < (d)->max_vcpus ? (d)->vcpu[id] : NULL)
#define for_each_vcpu(d, v)                                                    \
	for (struct vcpu **v_ = (d)->vcpu;                                     \
	     v_ < (d)->vcpu + (d)->max_vcpus && ((v) = *v_, true); v_++)

/* The test's: take the pCPU from @v, if it has one.  It gets one again. */
void xen_host_pause(struct vcpu *v);
#define vcpu_pause(v) xen_host_pause(v)
static inline void domain_pause(struct domain *d)
{
	struct vcpu *v;

	for_each_vcpu(d, v)
		xen_host_pause(v);
}
#define domain_unpause_except_self(d) ((void)(d))
#define domain_lock(d)                ((void)(d))
#define domain_unlock(d)              ((void)(d))

#define XSM_HOOK                       0
#define xsm_perfctr_op(a, d, op)       0
#define xsm_domctl_perfctr_op(a, d, c) 0

#define X86_CR4_PCE (1UL << 8)
unsigned long pv_make_cr4(const struct vcpu *v);
#define read_cr4()   (xen_host_cr4[xen_host_cpu])
#define write_cr4(x) ((void)(xen_host_cr4[xen_host_cpu] = (x)))

#define rdtsc()             (xen_host_tsc)
#define get_s_time()        (xen_host_tsc)
#define gtime_to_gtsc(d, t) ((void)(d), (t))

int wrmsr_safe(uint32_t msr, uint64_t value);
#define wrmsrl(msr, value) assert(!wrmsr_safe(msr, value))
/* Xen's macro.  Where it has the instruction itself, see below. */
#define rdpmc(index, low, high)                                                \
	do {                                                                   \
		uint64_t value_ = *xen_host_counter(xen_host_cpu, index);      \
		(low) = (uint32_t)value_;                                      \
		(high) = (uint32_t)(value_ >> 32);                             \
	} while (0)
/*
 * The instruction becomes one that always faults, and which the handler of
 * SIGILL executes.
 */
__asm__(".macro rdpmc\n\t"
	"ud2\n\t"
	".endm");
#define _ASM_EXTABLE(from, to) ""

/* ----- interrupts: the tests have none that come by themselves ------------ */

typedef int64_t s_time_t;
typedef uint16_t domid_t;
#define MILLISECS(ms)             ((s_time_t)(ms) * 1000000)
#define NOW()                     ((s_time_t)xen_host_tsc)
#define local_irq_save(flags)     ((flags) = 0)
#define local_irq_restore(flags)  ((void)(flags))
#define cpu_has_apic              true
#define APIC_LVTPC                0x340
#define PMU_APIC_VECTOR           0xf9
#define PERFCTR_SOFTIRQ           5
#define apic_write(reg, value)    ((void)(value))
#define raise_softirq(nr)         assert(!"softirq")
#define open_softirq(nr, handler) ((void)(handler))
#define register_keyhandler(key, fn, desc, diag) ((void)(fn))
#define for_each_online_cpu(cpu)                                               \
	for ((cpu) = 0; (cpu) < XEN_HOST_CPUS; (cpu)++)
#define noinline                  __attribute__((noinline))
struct cpu_user_regs {
	uint64_t rip;
	uint16_t cs;
};
extern struct cpu_user_regs xen_host_regs[XEN_HOST_CPUS];
#define guest_cpu_user_regs() (&xen_host_regs[xen_host_cpu])
#define hvm_get_cpl(v)        ((void)(v), 0)

#define X86_VENDOR_INTEL 1
#define X86_VENDOR_AMD   2
#define X86_VENDOR_HYGON 4
struct cpuinfo_x86 {
	unsigned int x86_vendor;
};
extern struct cpuinfo_x86 boot_cpu_data;
#define current_cpu_data boot_cpu_data

#define CPU_STARTING 1
#define NOTIFY_DONE  0
struct notifier_block {
	int (*notifier_call)(struct notifier_block *nb, unsigned long action,
			     void *hcpu);
	int priority;
};
void register_cpu_notifier(struct notifier_block *nb);
extern struct notifier_block *xen_host_notifier;

#define XENPMU_MODE_OFF 0
#define vpmu_mode       XENPMU_MODE_OFF
#define opt_watchdog    false
static inline int reserve_lapic_nmi(void)
{
	return 0;
}
int parse_bool(const char *s, const char *e);
int cmdline_strcmp(const char *frag, const char *name);

/* xen_boot.c */
extern int (*xen_host_initcall)(void);
extern int (*xen_host_param)(const char *);
void xen_host_add_initcall(int (*call)(void));
void xen_host_add_param(int (*parse)(const char *));
#define presmp_initcall(call)                                                  \
	static void __attribute__((constructor)) initcall_##call(void)         \
	{                                                                      \
		xen_host_add_initcall(call);                                   \
	}                                                                      \
	struct swallows_the_semicolon
#define custom_param(name, parse)                                              \
	static void __attribute__((constructor)) param_##parse(void)           \
	{                                                                      \
		xen_host_add_param(parse);                                     \
	}                                                                      \
	struct swallows_the_semicolon

long do_perfctr_op(unsigned int op, void *arg);

#endif /* TESTS_XEN_HOST_H */

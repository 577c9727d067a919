/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Xen for the fuzzer: what unit/xen_host.h has, with guests of all kinds, memory
 * that can't be read, allocations that fail, interrupts, and the PMU's own
 * description by CPUID, so that also intel.c and amd.c are the series'.
 */
#ifndef TESTS_XEN_FUZZ_H
#define TESTS_XEN_FUZZ_H

#include "../unit/xen_host.h"

#define NR_PCPUS XEN_HOST_CPUS

/* ----- what starts anew with each input ----------------------------------- */

#undef __ro_after_init
#undef __initdata
#undef __read_mostly
#define __ro_after_init __attribute__((section("xen_data")))
#define __initdata      __attribute__((section("xen_data")))
#define __read_mostly   __attribute__((section("xen_data")))

void machine_add_data(void *data, size_t size);
#undef DEFINE_PER_CPU
#define DEFINE_PER_CPU(type, name)                                             \
	type per_cpu__##name[XEN_HOST_CPUS];                                   \
	static void __attribute__((constructor)) add_##name(void)              \
	{                                                                      \
		machine_add_data(per_cpu__##name, sizeof(per_cpu__##name));    \
	}                                                                      \
	struct swallows_the_semicolon

/* ----- guests ------------------------------------------------------------- */

struct fuzz_domain {
	struct domain xen;
	bool hvm, pv32, nested;
	bool xsm_denies;
};

#define fuzz_domain(d) ((const struct fuzz_domain *)(d))

#undef is_pv_vcpu
#undef is_pv_domain
#undef is_pv_32bit_vcpu
#undef is_pv_32bit_domain
#undef is_hvm_vcpu
#undef is_hvm_domain
#undef nestedhvm_enabled
#define is_hvm_domain(d)      (fuzz_domain(d)->hvm)
#define is_hvm_vcpu(v)        is_hvm_domain((v)->domain)
#define is_pv_domain(d)       (!is_hvm_domain(d))
#define is_pv_vcpu(v)         (!is_hvm_vcpu(v))
#define is_pv_32bit_domain(d) (fuzz_domain(d)->pv32)
#define is_pv_32bit_vcpu(v)   is_pv_32bit_domain((v)->domain)
#define nestedhvm_enabled(d)  (fuzz_domain(d)->nested)

#undef vcpu_pause
#undef domain_unpause_except_self
#define vcpu_pause(v) fuzz_pause(v)
#define domain_pause  fuzz_domain_pause
#define domain_unpause_except_self(d) fuzz_domain_unpause(d)
void fuzz_pause(struct vcpu *v);
void fuzz_domain_pause(struct domain *d);
void fuzz_domain_unpause(struct domain *d);

#undef xsm_perfctr_op
#undef xsm_domctl_perfctr_op
#define xsm_perfctr_op(a, d, op)       fuzz_xsm(d)
#define xsm_domctl_perfctr_op(a, d, c) fuzz_xsm(d)
#define fuzz_xsm(d)                    (fuzz_domain(d)->xsm_denies ? -EPERM : 0)

#undef send_guest_vcpu_virq
#define send_guest_vcpu_virq(v, virq) fuzz_virq(v, virq)
void fuzz_virq(struct vcpu *v, unsigned int virq);

#undef hvm_update_guest_cr
#undef hvm_get_guest_tsc
#undef hvm_get_cpl
#define hvm_update_guest_cr(v, cr) fuzz_update_cr(v, cr)
#define hvm_get_guest_tsc(v)       fuzz_hvm_tsc(v)
#define hvm_get_cpl(v)             fuzz_hvm_cpl(v)
void fuzz_update_cr(struct vcpu *v, unsigned int cr);
uint64_t fuzz_hvm_tsc(struct vcpu *v);
unsigned int fuzz_hvm_cpl(struct vcpu *v);

#undef vpmu_detach
#undef vpmu_attach
int vpmu_detach(struct vcpu *v);
void vpmu_attach(struct vcpu *v);

/* ----- memory ------------------------------------------------------------- */

#undef copy_from_guest
#undef copy_to_guest
#define copy_from_guest(to, handle, n)                                         \
	fuzz_copy_from(to, handle, (n) * sizeof(*(to)))
#define copy_to_guest(handle, from, n)                                         \
	fuzz_copy_to(handle, from, (n) * sizeof(*(from)))
/* Both return how much was not copied. */
size_t fuzz_copy_from(void *to, const void *handle, size_t size);
size_t fuzz_copy_to(void *handle, const void *from, size_t size);

/* Xen's only one follows a copy from a page that the guest can write to. */
#undef barrier
#define barrier()                                                              \
	do {                                                                   \
		__asm__ __volatile__("" ::: "memory");                         \
		fuzz_page_was_read();                                          \
		__asm__ __volatile__("" ::: "memory");                         \
	} while (0)
void fuzz_page_was_read(void);

#undef get_page_from_gfn
#undef is_special_page
#undef get_page_type
#undef put_page
#undef put_page_type
#undef put_page_and_type
#undef __map_domain_page_global
#undef unmap_domain_page_global
struct page_info *get_page_from_gfn(struct domain *d, unsigned long gfn,
				    p2m_type_t *t, unsigned int q);
bool is_special_page(const struct page_info *page);
bool get_page_type(struct page_info *page, unsigned long type);
void put_page(struct page_info *page);
void put_page_type(struct page_info *page);
#define put_page_and_type(page) (put_page_type(page), put_page(page))
void *__map_domain_page_global(struct page_info *page);
void unmap_domain_page_global(const void *p);

#undef xzalloc
#undef xfree
#undef XFREE
#undef xzalloc_flex_struct
#define xzalloc(type) ((type *)fuzz_alloc(sizeof(type)))
#define xfree(p)      fuzz_free(p)
#define XFREE(p)      (fuzz_free(p), (p) = NULL)
#define xzalloc_flex_struct(type, field, nr)                                   \
	((type *)fuzz_alloc(offsetof(type, field[nr])))
void *fuzz_alloc(size_t size);
void fuzz_free(void *p);

/* A guess by which a mispredicted branch could read: none of the fuzzer's. */

/* ----- time, interrupts --------------------------------------------------- */

#undef rdtsc
#define rdtsc() machine_tsc()
uint64_t machine_tsc(void);

#undef local_irq_save
#undef local_irq_restore
#define local_irq_save(flags)    ((flags) = fuzz_irq_save())
#define local_irq_restore(flags) fuzz_irq_restore(flags)
unsigned long fuzz_irq_save(void);
void fuzz_irq_restore(unsigned long flags);

#undef cpu_has_apic
#define cpu_has_apic machine_has_apic
extern bool machine_has_apic;
#undef apic_write
#define apic_write(reg, value) machine_apic_write(reg, value)
void machine_apic_write(unsigned int reg, uint32_t value);

#undef raise_softirq
#undef open_softirq
#undef register_keyhandler
#define raise_softirq(nr)         fuzz_raise_softirq(nr)
#define open_softirq(nr, handler) fuzz_open_softirq(nr, handler)
#define register_keyhandler(key, fn, desc, diag)                               \
	((void)(desc), (void)(diag), fuzz_keyhandler(fn))
void fuzz_raise_softirq(unsigned int nr);
void fuzz_open_softirq(unsigned int nr, void (*handler)(void));
void fuzz_keyhandler(void (*handler)(unsigned char key));

#undef opt_watchdog
extern bool opt_watchdog;

/* ----- the processor ------------------------------------------------------ */

/*
 * RDPMC: a call of something that changes no register but the results, and
 * can go to the address for faults.
 */
#undef rdpmc
#define rdpmc(index, low, high)                                                \
	do {                                                                   \
		uint64_t value_ = machine_rdpmc(index);                        \
		(low) = (uint32_t)value_;                                      \
		(high) = (uint32_t)(value_ >> 32);                             \
	} while (0)
uint64_t machine_rdpmc(uint32_t index);
#undef _ASM_EXTABLE
#define _ASM_EXTABLE(from, to)                                                 \
	".pushsection machine_ex_table,\"a\"\n"                                \
	".balign 4\n"                                                         \
	".long " #from " - ., " #to " - .\n"                                   \
	".popsection\n"
__asm__(".purgem rdpmc\n\t"
	".macro rdpmc\n\t"
	"call machine_rdpmc_thunk\n\t"
	".endm");

#define X86_VENDOR_UNKNOWN 0
struct machine_cpu {
	unsigned int x86_vendor, x86;
	unsigned int cpuid_level, extended_cpuid_level;
};
extern struct machine_cpu machine_cpu[NR_PCPUS];
#define boot_cpu_data machine_cpu[xen_host_cpu]

void machine_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t reg[4]);
#define cpuid(leaf, a, b, c, d) cpuid_count(leaf, 0, a, b, c, d)
static inline void cpuid_count(uint32_t leaf, uint32_t subleaf, uint32_t *a,
			       uint32_t *b, uint32_t *c, uint32_t *d)
{
	uint32_t reg[4];

	machine_cpuid(leaf, subleaf, reg);
	*a = reg[0];
	*b = reg[1];
	*c = reg[2];
	*d = reg[3];
}
static inline uint32_t cpuid_reg(uint32_t leaf, unsigned int i)
{
	uint32_t reg[4];

	machine_cpuid(leaf, 0, reg);
	return reg[i];
}
#define cpuid_eax(leaf) cpuid_reg(leaf, 0)
#define cpuid_ebx(leaf) cpuid_reg(leaf, 1)
#define cpuid_ecx(leaf) cpuid_reg(leaf, 2)

#define cpu_has_pdcm machine_has_pdcm()
bool machine_has_pdcm(void);
#define cpu_has_tsx_force_abort  machine_has_tsx()
#define cpu_has_rtm_always_abort false
#define rtm_disabled             false
bool machine_has_tsx(void);
int machine_rdmsr(uint32_t msr, uint64_t *value);
#define rdmsr_safe(msr, value) machine_rdmsr(msr, &(value))
#define min_t(type, a, b)      ((type)(a) < (type)(b) ? (type)(a) : (type)(b))

#define MSR_IA32_PERF_CAPABILITIES    0x345
#define MSR_P6_EVNTSEL(n)             (0x186 + (n))
#define MSR_IA32_A_PERFCTR0           0x4c1
#define MSR_CORE_PERF_FIXED_CTR0      0x309
#define MSR_CORE_PERF_FIXED_CTR_CTRL  0x38d
#define MSR_CORE_PERF_GLOBAL_CTRL     0x38f
#define MSR_CORE_PERF_GLOBAL_OVF_CTRL 0x390
#define MSR_K7_EVNTSEL0               0xc0010000
#define MSR_K7_PERFCTR0               0xc0010004
#define MSR_AMD_FAM15H_EVNTSEL0       0xc0010200
#define MSR_AMD_FAM15H_PERFCTR0       0xc0010201

#endif /* TESTS_XEN_FUZZ_H */

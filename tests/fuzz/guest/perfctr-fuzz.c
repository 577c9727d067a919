// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile guest: a thread on each vCPU makes random perfctr hypercalls, with
 * arguments that the others change meanwhile, without regard for what it did
 * before.  Loaded instead of perfctr.ko.
 *
 *	insmod perfctr-fuzz.ko [seed=N] [sequences=N]
 *
 * A sequence is up to 16 hypercalls of one vCPU.  What has to be true whatever
 * the others and the host do, and is tested here:
 *
 *   - a call returns what xen-public/perfctr.h documents for it.  Not -EIO:
 *     that is a PMU that refused a value Xen had accepted;
 *   - after a stop RDPMC faults;
 *   - a counter of a control that was loaded is exact, or RDPMC faults since
 *     the host has taken it away;
 *   - Xen writes nowhere but where it is told to, and not there if that can't
 *     be written.
 *
 * What was found is in the kernel log, and in parameters: "running" threads,
 * "sequences_done", "exact" measurements, "violations".
 */
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/smp.h>

#include <asm/xen/hypercall.h>
#include <asm/xen/page.h>

#include <xen/events.h>
#include <xen/page.h>
#include <xen/xen-ops.h>
#include <xen/xen.h>

#include <xen-public/perfctr.h>

#define PAGES		4	/* for Xen to publish in, per vCPU */
#define SHARED		16	/* arguments that all vCPUs change */
#define LOOP		1000
/* The end of user space, where nothing is mapped */
#define UNMAPPED	((void *)0x7fffffffe000)

static unsigned long seed = 1;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "of the random numbers; vCPU n adds n");
static unsigned long sequences = 1000;
module_param(sequences, ulong, 0444);
MODULE_PARM_DESC(sequences, "each vCPU makes so many");

static unsigned int running;
module_param(running, uint, 0444);
static unsigned long sequences_done, exact, violations;
module_param(sequences_done, ulong, 0444);
module_param(exact, ulong, 0444);
module_param(violations, ulong, 0444);
/* Of the above */
static DEFINE_SPINLOCK(lock);

union argument {
	struct xen_perfctr_load load;
	struct xen_perfctr_register reg;
	struct xen_perfctr_query query;
	u64 word[128];
};

struct fuzzer {
	u64 state;		/* of the random numbers */
	struct task_struct *task;
	int irq;
	union argument own;
	unsigned long calls, good, virqs;
	u8 *page[PAGES];
};

static struct fuzzer *fuzzers;
/* Whole pages, so that no two of them depend on each other. */
static union argument *shared[SHARED];
static const union argument unwritable = { .word = { [0 ... 127] = 0x5a5a5a5a5a5a5a5aULL } };

/* xorshift64* (Vigna 2016) */
static u64 next(struct fuzzer *f)
{
	u64 x = f->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	f->state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

static u32 below(struct fuzzer *f, u32 n)
{
	return (next(f) >> 32) % n;
}

static bool one_in(struct fuzzer *f, u32 n)
{
	return below(f, n) == 0;
}

static void violation(const char *what, unsigned int op, long ret)
{
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	if (violations++ < 20)
		pr_err("perfctr-fuzz: violation: %s: vCPU %u, op %u, %ld\n", what,
		       smp_processor_id(), op, ret);
	spin_unlock_irqrestore(&lock, flags);
}

/* ----- arguments ---------------------------------------------------------- */

static u64 some_number(struct fuzzer *f)
{
	static const u64 edges[] = {
		0, 1, 23, 24, 25, 999, 1000, 0x7fffffff, 0x80000000, 0xffffffff,
		0x7fffffffffff, 0x800000000000, 0xffffffffffff, 1ULL << 63, U64_MAX,
	};

	return one_in(f, 2) ? edges[below(f, ARRAY_SIZE(edges))]
			    : next(f) >> below(f, 64);
}

static u64 some_evtsel(struct fuzzer *f)
{
	/* Instructions, branches, cycles; what the vendors have or do not. */
	static const u16 codes[] = { 0xc0, 0xc2, 0xc4, 0x3c, 0x76, 0xc5, 0x2e, 0xd1 };
	u64 evtsel = codes[below(f, ARRAY_SIZE(codes))];

	evtsel |= (u64)(1 + below(f, 3)) << 16;
	if (one_in(f, 4))
		evtsel |= (u64)below(f, 256) << 8;
	if (one_in(f, 16))
		evtsel |= 1ULL << below(f, 64);
	if (one_in(f, 64))
		evtsel = next(f);
	return evtsel;
}

static void some_load(struct fuzzer *f, struct xen_perfctr_load *load)
{
	unsigned int i;

	memset(load, 0, sizeof(*load));
	load->nr = one_in(f, 32) ? some_number(f) : below(f, 5);
	load->flags = one_in(f, 32) ? next(f) : below(f, 8) & below(f, 8);
	for (i = 0; i < min_t(u32, load->nr, XENPERFCTR_MAX_COUNTERS); i++) {
		struct xen_perfctr_counter *c = &load->counter[i];

		/* Mostly each once */
		c->index = one_in(f, 16) ? below(f, 8) : i;
		if (one_in(f, 8))
			c->index = XENPERFCTR_INDEX_FIXED + below(f, 4);
		if (one_in(f, 64))
			c->index = some_number(f);
		c->flags = one_in(f, 16) ? below(f, 4) : below(f, 4) == 0;
		if (one_in(f, 128))
			c->flags = next(f);
		c->evtsel = some_evtsel(f);
		/* What LOAD_REARM wants */
		if (load->flags & XENPERFCTR_LOAD_REARM && !one_in(f, 8))
			c->evtsel &= ~XENPERFCTR_EVTSEL_OS;
		if (c->index >= XENPERFCTR_INDEX_FIXED && !one_in(f, 4))
			c->evtsel &= XENPERFCTR_EVTSEL_USR | XENPERFCTR_EVTSEL_OS;
		if (c->flags & XENPERFCTR_COUNTER_SAMPLING)
			c->period = XENPERFCTR_MIN_PERIOD + below(f, 100000);
		if (one_in(f, 32))
			c->period = some_number(f);
		if (load->flags & XENPERFCTR_LOAD_LEFT &&
		    c->flags & XENPERFCTR_COUNTER_SAMPLING)
			load->left[i] = below(f, 2) * (1 + below(f, 5000));
		if (one_in(f, 64))
			load->left[i] = some_number(f);
	}
}

/*
 * Of a page table that stays one, the direct map's: a process's would be an ordinary page when
 * that has ended, which Xen would register, and this kernel could not make a page table of again.
 */
static u64 page_table_gfn(void)
{
	const unsigned long address = PAGE_OFFSET;
	pgd_t *pgd = pgd_offset_pgd(current->active_mm->pgd, address);

	return virt_to_gfn(pud_offset(p4d_offset(pgd, address), address));
}

static void some_register(struct fuzzer *f, struct xen_perfctr_register *reg)
{
	reg->vcpu_id = one_in(f, 16) ? some_number(f)
				     : xen_vcpu_nr(smp_processor_id());
	reg->pad = one_in(f, 64) ? next(f) : 0;
	/* Any page of our own that we can do without. */
	switch (below(f, 16)) {
	case 0:
		/* None of ours; in a PV guest low ones are others'. */
		reg->gfn = xen_pv_domain() && one_in(f, 2) ? below(f, 64)
							   : some_number(f) | 1ULL << 40;
		break;
	case 1:
		/* Its type forbids it. */
		if (xen_pv_domain()) {
			reg->gfn = page_table_gfn();
			break;
		}
		fallthrough;
	case 2:
		/* Another vCPU's, which may be registered there */
		reg->gfn = virt_to_gfn(fuzzers[cpumask_any(cpu_online_mask)].page[0]);
		break;
	default:
		reg->gfn = virt_to_gfn(fuzzers[smp_processor_id()].page[below(f, PAGES)]);
	}
}

/* Whatever another vCPU or Xen makes of it meanwhile. */
static void disturb(struct fuzzer *f)
{
	union argument *a = shared[below(f, SHARED)];
	unsigned int i;

	switch (below(f, 4)) {
	case 0:
		some_load(f, &a->load);
		break;
	case 1:
		some_register(f, &a->reg);
		break;
	default:
		for (i = below(f, 8); i; i--)
			WRITE_ONCE(a->word[below(f, ARRAY_SIZE(a->word))], some_number(f));
	}
	/* Where a load looks for its argument: any vCPU's page, at any time */
	if (one_in(f, 4)) {
		struct fuzzer *other = &fuzzers[below(f, nr_cpu_ids)];
		u8 *page = other->page[0] ? other->page[below(f, PAGES)] : NULL;

		if (page)
			some_load(f, (void *)page + XENPERFCTR_PAGE_LOAD);
	}
}

static const void *some_argument(struct fuzzer *f, unsigned int op)
{
	switch (below(f, 32)) {
	case 0:
		return (void *)some_number(f);
	case 1:
		return UNMAPPED;
	case 2:
		return &unwritable;
	case 3:
	case 4:
		return NULL;
	case 5 ... 12:
		return shared[below(f, SHARED)];
	default:
		break;
	}
	switch (op) {
	case XENPERFCTR_OP_query:
		memset(&f->own, 0, sizeof(f->own));
		f->own.query.version = one_in(f, 16) ? next(f) : XENPERFCTR_VERSION;
		break;
	case XENPERFCTR_OP_register_vcpu:
	case XENPERFCTR_OP_unregister_vcpu:
		some_register(f, &f->own.reg);
		break;
	case XENPERFCTR_OP_load:
		/* By the page, or as it is */
		if (one_in(f, 4))
			return NULL;
		some_load(f, &f->own.load);
		break;
	default:
		return one_in(f, 8) ? &f->own : NULL;
	}
	return &f->own;
}

/* ----- calls -------------------------------------------------------------- */

static long call(struct fuzzer *f, unsigned int op, const void *arg)
{
	f->calls++;
	return xen_single_call(__HYPERVISOR_perfctr_op, op, (unsigned long)arg, 0, 0, 0);
}

static bool documented(unsigned int op, long ret)
{
	switch (op) {
	case XENPERFCTR_OP_query:
		return !ret || ret == -EPERM || ret == -EFAULT || ret == -EINVAL;
	case XENPERFCTR_OP_register_vcpu:
		return !ret || ret == -EPERM || ret == -EFAULT || ret == -EINVAL ||
		       ret == -EEXIST || ret == -ENOENT || ret == -EACCES;
	case XENPERFCTR_OP_unregister_vcpu:
		return !ret || ret == -EPERM || ret == -EFAULT || ret == -EINVAL ||
		       ret == -ENOENT;
	case XENPERFCTR_OP_load:
		return !ret || ret == -EPERM || ret == -EFAULT || ret == -EINVAL ||
		       ret == -ENOENT || ret == -EOPNOTSUPP || ret == -EACCES;
	case XENPERFCTR_OP_stop:
	case XENPERFCTR_OP_resume:
		return !ret || ret == -EPERM || ret == -EINVAL || ret == -ENOENT;
	default:
		return ret == -ENOSYS || ret == -EPERM;
	}
}

/* False: it faults. */
static bool rdpmc_works(u32 index)
{
	int err = 0;
	u32 low, high;

	asm volatile("1: rdpmc\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_EFAULT_REG, %[err])
		     : [err] "+r" (err), "=a" (low), "=d" (high)
		     : "c" (index));
	return !err;
}

/*
 * Two RDPMC of general counter 0 around a loop.  The first one reads what was
 * before it: what is between the two values is itself and what follows it.
 */
#define BETWEEN		(1 + 2 + 1 + 2 * LOOP + 1)
static int measure(u64 *delta)
{
	u64 first_low, first_high, low, high;
	int err = 0;

	asm volatile("xor %%ecx, %%ecx\n"
		     "1: rdpmc\n"
		     "mov %%rax, %[first_low]\n"
		     "mov %%rdx, %[first_high]\n"
		     "mov %[loop], %%ecx\n"
		     "2: dec %%ecx\n"
		     "jnz 2b\n"
		     "xor %%ecx, %%ecx\n"
		     "3: rdpmc\n"
		     "4:\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 4b, EX_TYPE_EFAULT_REG, %[err])
		     _ASM_EXTABLE_TYPE_REG(3b, 4b, EX_TYPE_EFAULT_REG, %[err])
		     : [err] "+r" (err), [first_low] "=&r" (first_low),
		       [first_high] "=&r" (first_high), "=&a" (low), "=&d" (high)
		     : [loop] "i" (LOOP)
		     : "ecx", "cc");
	*delta = (low | high << 32) - (first_low | first_high << 32);
	return err;
}

/* A control that counts instructions, whatever there was before. */
static void test_exact(struct fuzzer *f)
{
	struct xen_perfctr_register reg = {
		.vcpu_id = xen_vcpu_nr(smp_processor_id()),
		.gfn = virt_to_gfn(f->page[0]),
	};
	unsigned long flags;
	u64 delta;
	long ret;
	int err;

	memset(&f->own.load, 0, sizeof(f->own.load));
	f->own.load.nr = 1;
	f->own.load.counter[0].evtsel = 0xc0 | XENPERFCTR_EVTSEL_USR | XENPERFCTR_EVTSEL_OS;

	local_irq_save(flags);
	call(f, XENPERFCTR_OP_register_vcpu, &reg);
	ret = call(f, XENPERFCTR_OP_load, &f->own.load);
	err = ret ? 1 : measure(&delta);
	local_irq_restore(flags);

	if (!documented(XENPERFCTR_OP_load, ret) || ret == -EINVAL || ret == -EFAULT)
		violation("a load that is right", XENPERFCTR_OP_load, ret);
	/*
	 * Else the host's policy has denied it, or its filter, or now both.  The
	 * counter goes on from where another control had it, and may have come
	 * to the end of its width, which is more than 32 bits.
	 */
	if (!err && (u32)delta != BETWEEN)
		violation("a count, which should be as below", BETWEEN, delta);
	if (!err) {
		spin_lock_irqsave(&lock, flags);
		exact++;
		spin_unlock_irqrestore(&lock, flags);
	}
}

static void sequence(struct fuzzer *f)
{
	unsigned int n;

	for (n = 1 + below(f, 16); n; n--) {
		unsigned int op = one_in(f, 64) ? some_number(f) : below(f, 6);
		const void *arg;
		long ret;

		/* Loads and what they stand on, more often than the rest */
		if (one_in(f, 2))
			op = XENPERFCTR_OP_load;
		else if (one_in(f, 4))
			op = XENPERFCTR_OP_register_vcpu;
		disturb(f);
		arg = some_argument(f, op);
		/*
		 * A register that another vCPU changes could name any page of
		 * this guest's, which would be its own fault.
		 */
		if (op == XENPERFCTR_OP_register_vcpu && arg && arg != &f->own &&
		    arg != &unwritable)
			arg = &f->own, some_register(f, &f->own.reg);
		/* The same where a query writes. */
		if (op == XENPERFCTR_OP_query && arg && arg != &unwritable &&
		    arg != UNMAPPED)
			arg = &f->own;

		preempt_disable();
		ret = call(f, op, arg);
		f->good += !ret;
		if (!documented(op, ret))
			violation("not documented", op, ret);
		if (op == XENPERFCTR_OP_stop && !arg && rdpmc_works(below(f, 4)))
			violation("RDPMC works after a stop", op, ret);
		preempt_enable();
		if (one_in(f, 8))
			cond_resched();
	}
	if (one_in(f, 8)) {
		preempt_disable();
		test_exact(f);
		preempt_enable();
	}
}

static int fuzz(void *data)
{
	struct fuzzer *f = data;
	unsigned long n, flags;
	long ret;

	for (n = 0; n < sequences && !kthread_should_stop(); n++) {
		sequence(f);
		cond_resched();
		if (n % 64 == 63 || n + 1 == sequences) {
			spin_lock_irqsave(&lock, flags);
			sequences_done += n % 64 + 1;
			spin_unlock_irqrestore(&lock, flags);
		}
	}

	preempt_disable();
	memset(&f->own, 0, sizeof(f->own));
	f->own.reg.vcpu_id = xen_vcpu_nr(smp_processor_id());
	call(f, XENPERFCTR_OP_unregister_vcpu, &f->own.reg);
	ret = call(f, XENPERFCTR_OP_unregister_vcpu, &f->own.reg);
	/* EPERM: the policy denies everything now, and there is no page. */
	if (ret != -ENOENT && ret != -EPERM)
		violation("still registered", XENPERFCTR_OP_unregister_vcpu, ret);
	preempt_enable();

	spin_lock_irqsave(&lock, flags);
	pr_info("perfctr-fuzz: vCPU %u: %lu sequences, %lu calls, %lu of them good, %lu interrupts\n",
		smp_processor_id(), n, f->calls, f->good, f->virqs);
	running--;
	spin_unlock_irqrestore(&lock, flags);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ / 10);
	return 0;
}

static irqreturn_t virq(int irq, void *data)
{
	struct fuzzer *f = data;

	f->virqs++;
	return IRQ_HANDLED;
}

static void give_up(void)
{
	unsigned int cpu, i;

	for_each_possible_cpu(cpu) {
		struct fuzzer *f = &fuzzers[cpu];

		if (f->task)
			kthread_stop(f->task);
	}
	for_each_possible_cpu(cpu) {
		struct fuzzer *f = &fuzzers[cpu];

		if (f->irq > 0)
			unbind_from_irqhandler(f->irq, f);
		for (i = 0; i < PAGES; i++)
			free_page((unsigned long)f->page[i]);
	}
	for (i = 0; i < SHARED; i++)
		free_page((unsigned long)shared[i]);
	kfree(fuzzers);
}

static int __init start(void)
{
	unsigned int cpu, i;

	if (!xen_domain())
		return -ENODEV;
	fuzzers = kcalloc(nr_cpu_ids, sizeof(*fuzzers), GFP_KERNEL);
	if (!fuzzers)
		return -ENOMEM;
	for (i = 0; i < SHARED; i++) {
		shared[i] = (void *)get_zeroed_page(GFP_KERNEL);
		if (!shared[i])
			goto no_memory;
	}
	for_each_online_cpu(cpu) {
		struct fuzzer *f = &fuzzers[cpu];

		/* Zero would stay so. */
		f->state = (seed + cpu) * 0x9e3779b97f4a7c15ULL | 1;
		for (i = 0; i < PAGES; i++) {
			f->page[i] = (void *)get_zeroed_page(GFP_KERNEL);
			if (!f->page[i])
				goto no_memory;
		}
		f->irq = bind_virq_to_irqhandler(VIRQ_PERFCTR, cpu, virq,
						 IRQF_PERCPU | IRQF_NOBALANCING,
						 "perfctr-fuzz", f);
		if (f->irq < 0) {
			give_up();
			return -EBUSY;
		}
	}
	/* All is there before one of them looks at another's. */
	for_each_online_cpu(cpu) {
		struct fuzzer *f = &fuzzers[cpu];
		struct task_struct *task;

		task = kthread_create_on_cpu(fuzz, f, cpu, "perfctr-fuzz/%u");
		if (IS_ERR(task))
			goto no_memory;
		get_task_struct(task);
		f->task = task;
		spin_lock_irq(&lock);
		running++;
		spin_unlock_irq(&lock);
		wake_up_process(task);
	}
	return 0;

no_memory:
	give_up();
	return -ENOMEM;
}

static void __exit stop(void)
{
	unsigned int i;

	give_up();
	for (i = 0; i < ARRAY_SIZE(unwritable.word); i++)
		if (unwritable.word[i] != unwritable.word[0] || !unwritable.word[0])
			violations++;
	pr_info("perfctr-fuzz: %lu sequences, %lu exact measurements, %lu violations\n",
		sequences_done, exact, violations);
}

module_init(start);
module_exit(stop);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Random perfctr hypercalls from all vCPUs");

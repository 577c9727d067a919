// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rings that samples are written to: one for each CPU, with one writer,
 * which is whatever runs on that CPU with interrupts off, and one reader in user
 * mode.
 *
 * User mode may write to all of what it has mapped.  Of that the kernel reads
 * @tail only, once for each record, and believes it no more than it has to: a
 * tail that makes no sense is a full ring.  Where the kernel writes next it keeps
 * for itself.
 */
#include <linux/atomic.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/gfp.h>
#include <linux/irq_work.h>
#include <linux/kref.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "perfctr.h"

/**
 * struct ring_cpu - one CPU's
 * @page: what user space maps; the data follows
 * @head: bytes written
 * @was_half_full: before what is written now
 * @lost: records for which there was no room
 * @untold: ... of them, since the last RING_LOST
 * @skipped: overflows that were not interrupted for
 * @wake: wakes the reader up, where it can be done
 * @ring: whose
 */
struct ring_cpu {
	struct perfctr_ring_page *page;
	u64 head;
	bool was_half_full;
	u64 lost;
	u64 untold;
	u64 skipped;
	struct irq_work wake;
	struct perfctr_ring *ring;
};

/**
 * struct perfctr_ring - the rings of a set and of all that inherits from it
 * @ref: one of each such set
 * @free: the last reference may go in a tracepoint
 * @ns: in which the ids of tasks are told
 * @wait: readers in poll()
 * @size: of the data, bytes
 * @nr_pages: of each CPU, the first one included
 * @pages: of all CPUs
 * @depth: of call chains; 0: none
 * @cred: of who made it, whose user's memory it is
 * @charged: pages of that user's
 * @shows_kernel: that one may know where the kernel's code is
 * @telling: how many of maps.c's workers are to write to it
 * @cpu: by number, those that are not possible with no page
 */
struct perfctr_ring {
	struct kref ref;
	struct rcu_work free;
	struct pid_namespace *ns;
	wait_queue_head_t wait;
	u32 size;
	unsigned int nr_pages;
	struct page **pages;
	unsigned int depth;
	const struct cred *cred;
	long charged;
	bool shows_kernel;
	atomic_t telling;
	struct ring_cpu cpu[];
};

/* ----- memory ------------------------------------------------------------- */

static void wake_fn(struct irq_work *work)
{
	struct ring_cpu *rc = container_of(work, struct ring_cpu, wake);

	wake_up_interruptible_all(&rc->ring->wait);
}

static void free_ring(struct perfctr_ring *ring)
{
	unsigned int cpu, i;

	for (cpu = 0; cpu < nr_cpu_ids; cpu++) {
		struct ring_cpu *rc = &ring->cpu[cpu];

		if (rc->page) {
			irq_work_sync(&rc->wake);
			vunmap(rc->page);
		}
	}
	for (i = 0; ring->pages && i < nr_cpu_ids * ring->nr_pages; i++)
		if (ring->pages[i])
			__free_page(ring->pages[i]);
	kvfree(ring->pages);
	atomic_long_sub(ring->charged, &ring->cred->user->locked_vm);
	put_cred(ring->cred);
	put_pid_ns(ring->ns);
	kvfree(ring);
}

static void free_fn(struct work_struct *work)
{
	free_ring(container_of(to_rcu_work(work), struct perfctr_ring, free));
}

/*
 * Rings live as long as a handle, which can be anywhere and costs little: so what counts
 * is the user, as for the rings of perf_event, and not the process.
 */
static bool charge(struct perfctr_ring *ring)
{
	atomic_long_t *locked = &ring->cred->user->locked_vm;
	const long nr = (long)num_possible_cpus() * ring->nr_pages;
	const long limit = (rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT) +
		num_possible_cpus() * (PERFCTR_RINGS_FREE_BYTES >> PAGE_SHIFT);

	if (atomic_long_add_return(nr, locked) > limit && !capable(CAP_IPC_LOCK)) {
		atomic_long_sub(nr, locked);
		return false;
	}
	ring->charged = nr;
	return true;
}

static int alloc_cpu(struct perfctr_ring *ring, unsigned int cpu)
{
	struct page **pages = &ring->pages[cpu * ring->nr_pages];
	struct ring_cpu *rc = &ring->cpu[cpu];
	unsigned int i;

	for (i = 0; i < ring->nr_pages; i++) {
		pages[i] = alloc_pages_node(cpu_to_node(cpu),
					    GFP_KERNEL_ACCOUNT | __GFP_ZERO, 0);
		if (!pages[i])
			return -ENOMEM;
	}
	rc->page = vmap(pages, ring->nr_pages, VM_MAP, PAGE_KERNEL);
	if (!rc->page)
		return -ENOMEM;
	rc->ring = ring;
	init_irq_work(&rc->wake, wake_fn);
	rc->page->version = PERFCTR_ABI_VERSION_DEV;
	rc->page->size = ring->size;
	rc->page->cpu = cpu;
	return 0;
}

struct perfctr_ring *perfctr_ring_create(const struct perfctr_dev_ring *arg)
{
	const bool chain = arg->flags & PERFCTR_RINGS_CALLCHAIN;
	struct perfctr_ring *ring;
	unsigned int cpu;
	int err;

	BUILD_BUG_ON(sizeof(struct perfctr_ring_page) > PAGE_SIZE);

	if (arg->flags & ~PERFCTR_RINGS_CALLCHAIN || arg->reserved ||
	    !is_power_of_2(arg->pages) || arg->pages > PERFCTR_RINGS_MAX_PAGES ||
	    arg->depth > PERFCTR_RINGS_MAX_DEPTH || chain != !!arg->depth)
		return ERR_PTR(-EINVAL);
	ring = kvzalloc(struct_size(ring, cpu, nr_cpu_ids), GFP_KERNEL_ACCOUNT);
	if (!ring)
		return ERR_PTR(-ENOMEM);
	kref_init(&ring->ref);
	INIT_RCU_WORK(&ring->free, free_fn);
	init_waitqueue_head(&ring->wait);
	ring->ns = get_pid_ns(task_active_pid_ns(current));
	ring->size = arg->pages * PAGE_SIZE;
	ring->nr_pages = arg->pages + 1;
	ring->depth = arg->depth;
	ring->cred = get_current_cred();
	ring->shows_kernel = perfmon_capable();
	if (!charge(ring)) {
		free_ring(ring);
		return ERR_PTR(-ENOBUFS);
	}
	ring->pages = kvcalloc(nr_cpu_ids * ring->nr_pages, sizeof(*ring->pages),
			       GFP_KERNEL_ACCOUNT);
	err = ring->pages ? 0 : -ENOMEM;
	for_each_possible_cpu(cpu)
		err = err ?: alloc_cpu(ring, cpu);
	if (err) {
		free_ring(ring);
		return ERR_PTR(err);
	}
	return ring;
}

void perfctr_ring_get(struct perfctr_ring *ring)
{
	kref_get(&ring->ref);
}

static void release(struct kref *ref)
{
	struct perfctr_ring *ring = container_of(ref, struct perfctr_ring, ref);

	queue_rcu_work(perfctr_wq, &ring->free);
}

void perfctr_ring_put(struct perfctr_ring *ring)
{
	if (ring)
		kref_put(&ring->ref, release);
}

/* ----- the reader --------------------------------------------------------- */

/* The page at @pgoff of the device's mapping, with a reference; or NULL. */
struct page *perfctr_ring_mapped(struct perfctr_ring *ring, unsigned long pgoff)
{
	const unsigned long first = PERFCTR_RING_OFFSET(0) >> PAGE_SHIFT;
	unsigned long cpu = pgoff / first - 1, n = pgoff % first;
	struct page *page;

	if (pgoff < first || cpu >= nr_cpu_ids || n >= ring->nr_pages ||
	    !ring->cpu[cpu].page)
		return NULL;
	page = ring->pages[cpu * ring->nr_pages + n];
	get_page(page);
	return page;
}

/* How much can be mapped there: bytes; 0: nothing. */
size_t perfctr_ring_bytes(const struct perfctr_ring *ring, unsigned long pgoff)
{
	const unsigned long first = PERFCTR_RING_OFFSET(0) >> PAGE_SHIFT;
	unsigned long cpu = pgoff / first - 1;

	if (pgoff < first || pgoff % first || cpu >= nr_cpu_ids ||
	    !ring->cpu[cpu].page)
		return 0;
	return ring->nr_pages * PAGE_SIZE;
}

static bool is_half_full(const struct perfctr_ring *ring,
			 const struct ring_cpu *rc)
{
	return READ_ONCE(rc->head) - READ_ONCE(rc->page->tail) >= ring->size / 2;
}

__poll_t perfctr_ring_poll(struct perfctr_ring *ring, struct file *file,
			   struct poll_table_struct *wait)
{
	unsigned int cpu;

	poll_wait(file, &ring->wait, wait);
	for_each_possible_cpu(cpu)
		if (is_half_full(ring, &ring->cpu[cpu]))
			return EPOLLIN | EPOLLRDNORM;
	return 0;
}

/* Somebody will write to @ring, be it that all of its threads have ended. */
void perfctr_ring_telling(struct perfctr_ring *ring)
{
	atomic_inc(&ring->telling);
}

/* ... and has; may sleep. */
void perfctr_ring_told(struct perfctr_ring *ring)
{
	if (atomic_dec_and_test(&ring->telling))
		wake_up_interruptible_all(&ring->wait);
}

bool perfctr_ring_is_telling(const struct perfctr_ring *ring)
{
	return atomic_read(&ring->telling);
}

/* Interrupts off; perhaps in the scheduler. */
void perfctr_ring_wake(struct perfctr_ring *ring)
{
	irq_work_queue(&ring->cpu[smp_processor_id()].wake);
}

/* ----- the writer: interrupts off ----------------------------------------- */

unsigned int perfctr_ring_depth(const struct perfctr_ring *ring)
{
	return ring->depth;
}

bool perfctr_ring_shows_kernel(const struct perfctr_ring *ring)
{
	return ring->shows_kernel;
}

static void *data_at(const struct perfctr_ring *ring, const struct ring_cpu *rc,
		     u64 pos)
{
	return (void *)rc->page + PAGE_SIZE + (pos & (ring->size - 1));
}

/* Room for @size bytes in one piece, or NULL. */
static void *reserve(struct perfctr_ring *ring, struct ring_cpu *rc, u32 size)
{
	/* Pairs with the reader's release: it has read what we overwrite. */
	const u64 tail = smp_load_acquire(&rc->page->tail);
	u32 to_end = ring->size - (rc->head & (ring->size - 1));
	u64 used = rc->head - tail, need = size;

	if (to_end < size)
		need += to_end;
	if (used > ring->size || need > ring->size - used)
		return NULL;
	if (to_end < size) {
		struct perfctr_ring_record *pad = data_at(ring, rc, rc->head);

		pad->type = PERFCTR_RING_PAD;
		pad->flags = 0;
		pad->size = to_end;
		rc->head += to_end;
	}
	return data_at(ring, rc, rc->head);
}

static void commit(struct perfctr_ring *ring, struct ring_cpu *rc, u32 size)
{
	rc->head += size;
	/* Pairs with the reader's acquire: the record is there whole. */
	smp_store_release(&rc->page->head, rc->head);
}

/*
 * Room for a record of @size bytes, which perfctr_ring_commit() then shows; or
 * NULL: it is lost, and counted as such.  @size is a multiple of 8.
 */
void *perfctr_ring_reserve(struct perfctr_ring *ring, u16 type, u16 flags,
			   u32 size)
{
	struct ring_cpu *rc = &ring->cpu[smp_processor_id()];
	struct perfctr_ring_record *record = NULL;

	/* Padding may be what crosses the half. */
	rc->was_half_full = is_half_full(ring, rc);
	if (unlikely(rc->untold)) {
		struct perfctr_ring_lost *lost = reserve(ring, rc, sizeof(*lost));

		if (lost) {
			lost->record.type = PERFCTR_RING_LOST;
			lost->record.flags = 0;
			lost->record.size = sizeof(*lost);
			lost->nr = rc->untold;
			rc->untold = 0;
			commit(ring, rc, sizeof(*lost));
		}
	}
	if (likely(!rc->untold))
		record = reserve(ring, rc, size);
	if (unlikely(!record)) {
		rc->untold++;
		WRITE_ONCE(rc->page->lost, ++rc->lost);
		/* A reader that has missed the half. */
		irq_work_queue(&rc->wake);
		return NULL;
	}
	record->type = type;
	record->flags = flags;
	record->size = size;
	return record;
}

/* @record's size may have become less. */
void perfctr_ring_commit(struct perfctr_ring *ring, void *record, u32 size)
{
	struct ring_cpu *rc = &ring->cpu[smp_processor_id()];

	((struct perfctr_ring_record *)record)->size = size;
	commit(ring, rc, size);
	if (!rc->was_half_full && is_half_full(ring, rc))
		irq_work_queue(&rc->wake);
}

void perfctr_ring_skipped(struct perfctr_ring *ring, u64 nr)
{
	struct ring_cpu *rc = &ring->cpu[smp_processor_id()];

	rc->skipped += nr;
	WRITE_ONCE(rc->page->skipped, rc->skipped);
}

/* @record is @task's, from now. */
void perfctr_ring_fill_task(const struct perfctr_ring *ring,
			    struct perfctr_ring_task *record,
			    struct task_struct *task, u64 tsc)
{
	record->pid = task_tgid_nr_ns(task, ring->ns);
	record->tid = task_pid_nr_ns(task, ring->ns);
	record->tsc = tsc;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a process has its code: told in the ring once a sample lies there.
 *
 * An interrupt can't walk the address space, so a worker does it.  It holds the
 * address space meanwhile: a process that exits, or executes another program,
 * can't take away what its samples mean.  It lists all that can be executed and
 * that it has not listed before, so that mostly one visit is enough.
 *
 * Another one is due when a sample lies where nothing is known, and when the
 * address space has changed its number of mappings or its size: a library may
 * have taken the place of another one.  The latter at most every MAPS_INTERVAL.
 */
#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/kdev_t.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "perfctr.h"

#define MAPS_INTERVAL	(HZ / 20)
#define MAPS_KNOWN	128

struct known {
	unsigned long start;
	unsigned long end;
	unsigned long pgoff;
	unsigned long ino;
	dev_t dev;
};

/**
 * struct perfctr_maps - what a thread's samples have been told of its mappings
 * @work: the worker's
 * @t: whose
 * @busy: the worker is to come, or is here: all below is its own
 * @mm: the address space, with a reference, while @busy; then only compared
 * @task: ids of the thread, and the time of the sample that has asked
 * @stale: the thread has executed another program since
 * @map_count: of @mm when it was looked at
 * @total_vm: as well
 * @when: jiffies
 * @nr: of @known
 * @known: what the ring has
 */
struct perfctr_maps {
	struct work_struct work;
	struct perfctr_thread *t;
	atomic_t busy;
	struct mm_struct *mm;
	bool stale;
	struct perfctr_ring_task task;
	int map_count;
	unsigned long total_vm;
	unsigned long when;
	unsigned int nr;
	struct known known[MAPS_KNOWN];
};

/* False: the ring has no room. */
static bool tell(struct perfctr_maps *m, const struct known *k, const char *path)
{
	const size_t length = strlen(path) + 1;
	const u32 size = ALIGN(sizeof(struct perfctr_ring_mmap) + length, 8);
	struct perfctr_ring *ring = m->t->ring;
	struct perfctr_ring_mmap *r;
	unsigned long flags;

	local_irq_save(flags);
	r = perfctr_ring_reserve(ring, PERFCTR_RING_MMAP, 0, size);
	if (r) {
		const struct perfctr_ring_record head = r->task.record;

		r->task = m->task;
		r->task.record = head;
		r->start = k->start;
		r->end = k->end;
		r->offset = (u64)k->pgoff << PAGE_SHIFT;
		r->ino = k->ino;
		r->maj = MAJOR(k->dev);
		r->min = MINOR(k->dev);
		memset(r->path, 0, size - sizeof(*r));
		memcpy(r->path, path, length);
		perfctr_ring_commit(ring, r, size);
	}
	local_irq_restore(flags);
	return r;
}

static bool is_known(const struct perfctr_maps *m, const struct known *k)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++)
		if (m->known[i].start == k->start && m->known[i].end == k->end &&
		    m->known[i].pgoff == k->pgoff && m->known[i].ino == k->ino &&
		    m->known[i].dev == k->dev)
			return true;
	return false;
}

/* What @k covers is something else now. */
static void add(struct perfctr_maps *m, const struct known *k)
{
	unsigned int i, n = 0;

	for (i = 0; i < m->nr; i++)
		if (m->known[i].end <= k->start || m->known[i].start >= k->end)
			m->known[n++] = m->known[i];
	if (n == MAPS_KNOWN)
		n--;	/* told, but will be told again */
	m->known[n++] = *k;
	m->nr = n;
}

static const char *name_of(const struct vm_area_struct *vma, char *buffer)
{
	const char *path;

	if (vma->vm_file) {
		path = file_path(vma->vm_file, buffer, PATH_MAX);
		return IS_ERR(path) ? "//toolong" : path;
	}
	if (vma->vm_mm->context.vdso == (void __user *)vma->vm_start)
		return "[vdso]";
	return "//anon";
}

static void look_at(struct perfctr_maps *m, char *buffer)
{
	struct mm_struct *mm = m->mm;
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;
	bool told = true;

	mmap_read_lock(mm);
	m->map_count = mm->map_count;
	m->total_vm = mm->total_vm;
	m->when = jiffies;
	for_each_vma(vmi, vma) {
		struct known k = {
			.start = vma->vm_start,
			.end = vma->vm_end,
			.pgoff = vma->vm_file ? vma->vm_pgoff : 0,
		};

		if (!(vma->vm_flags & VM_EXEC))
			continue;
		if (vma->vm_file) {
			const struct inode *inode = file_inode(vma->vm_file);

			k.ino = inode->i_ino;
			k.dev = inode->i_sb->s_dev;
		}
		if (is_known(m, &k))
			continue;
		told = tell(m, &k, name_of(vma, buffer));
		if (!told)
			break;
		add(m, &k);
	}
	mmap_read_unlock(mm);
	/* Again with the next sample. */
	if (!told)
		m->map_count = -1;
}

static void maps_fn(struct work_struct *work)
{
	struct perfctr_maps *m = container_of(work, struct perfctr_maps, work);
	char *buffer = (char *)__get_free_page(GFP_KERNEL);
	struct perfctr_thread *t = m->t;

	if (buffer)
		look_at(m, buffer);
	else
		m->map_count = -1;
	free_page((unsigned long)buffer);
	mmput(m->mm);
	/* Pairs with perfctr_maps_want(): it sees what is known now. */
	atomic_set_release(&m->busy, 0);
	perfctr_ring_told(t->ring);
	perfctr_thread_put(t);
}

static bool covers(const struct perfctr_maps *m, u64 ip)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++)
		if (ip >= m->known[i].start && ip < m->known[i].end)
			return true;
	return false;
}

/* Interrupts off.  A sample of @t, which is current, lies at @ip in user mode. */
void perfctr_maps_want(struct perfctr_thread *t, u64 ip, u64 tsc)
{
	struct perfctr_maps *m = t->maps;
	struct mm_struct *mm = current->mm;

	if (!m || !mm || atomic_read_acquire(&m->busy))
		return;
	/* Another one may have the same address. */
	if (m->mm != mm || m->stale) {
		m->stale = false;
		m->nr = 0;
		m->map_count = -1;
	}
	if (covers(m, ip) &&
	    ((mm->map_count == m->map_count && mm->total_vm == m->total_vm) ||
	     time_before(jiffies, m->when + MAPS_INTERVAL)))
		return;
	if (!mmget_not_zero(mm))
		return;
	m->mm = mm;
	perfctr_ring_fill_task(t->ring, &m->task, current, tsc);
	perfctr_thread_get(t);
	perfctr_ring_telling(t->ring);
	atomic_set(&m->busy, 1);
	/* Only here and in the worker, never both. */
	queue_work(perfctr_wq, &m->work);
}

void perfctr_maps_exec(struct perfctr_thread *t)
{
	if (t->maps)
		t->maps->stale = true;
}

/* Without memory: samples are not told where they are, and the reader is. */
struct perfctr_maps *perfctr_maps_alloc(struct perfctr_thread *t, gfp_t gfp)
{
	struct perfctr_maps *m = kzalloc(sizeof(*m), gfp);

	if (!m)
		return NULL;
	INIT_WORK(&m->work, maps_fn);
	m->t = t;
	m->map_count = -1;
	return m;
}

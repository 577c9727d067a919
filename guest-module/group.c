// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups: the sums of a thread and of all that it has forked.
 *
 * A group has a list of its live members and the sums of those that have
 * ended.  Both change, and are read, under its lock: a member that ends adds
 * its sums and leaves the list under one hold of it, so no reader misses or
 * doubles it.  The group lives as long as a member or a handle of one.
 *
 * Sums are added by position, so all members have the same counters: a member
 * that puts another control in force has left the group, with the sums it had;
 * and the first one may do so only when it is the only one, which makes it a
 * new group in all but the memory.
 *
 * The lock is taken with interrupts off, from tracepoints with preemption off:
 * it is a raw one, and nothing is freed or woken up under it.  Taken inside
 * no runqueue lock.  A member's sequence count is read inside it, and never
 * held by who waits for it.
 */
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "perfctr.h"

/**
 * struct perfctr_record - one member, live or ended, if there is memory
 * @node: in its group's tree
 * @rcu: frees
 * @serial: its key
 * @thread: the member while it is live; then NULL, and what follows is valid
 * @pid: its process
 * @tid: itself
 * @comm: terminated
 * @sums: final
 */
struct perfctr_record {
	struct rb_node node;
	struct rcu_head rcu;
	u64 serial;
	struct perfctr_thread *thread;
	struct pid *pid;
	struct pid *tid;
	char comm[TASK_COMM_LEN];
	struct perfctr_dev_sums sums;
};

/**
 * struct perfctr_group - what is read as one
 * @ref: one of each set that is, or was last, a member
 * @free: the last reference may go with preemption off
 * @lock: of all below
 * @live: members
 * @nr_live: ... their number
 * @sum: of those that have ended, and counts of them; nr: of all members
 * @records: by serial
 * @nr_records: ... of those that have ended
 * @want_records: the founder's control asked for them
 * @serial: last given
 */
struct perfctr_group {
	struct kref ref;
	struct rcu_work free;
	raw_spinlock_t lock;
	struct list_head live;
	unsigned int nr_live;
	struct perfctr_dev_group sum;
	struct rb_root records;
	unsigned int nr_records;
	bool want_records;
	u64 serial;
};

struct workqueue_struct *perfctr_wq;

/* ----- memory ------------------------------------------------------------- */

static struct perfctr_record *alloc_record(gfp_t gfp)
{
	return kzalloc(sizeof(struct perfctr_record), gfp);
}

static void free_record(struct perfctr_record *r)
{
	if (r) {
		put_pid(r->pid);
		put_pid(r->tid);
	}
	kfree(r);
}

static void free_record_rcu(struct rcu_head *rcu)
{
	free_record(container_of(rcu, struct perfctr_record, rcu));
}

static void free_records(struct rb_root *root)
{
	struct perfctr_record *r, *next;

	rbtree_postorder_for_each_entry_safe(r, next, root, node)
		free_record(r);
	*root = RB_ROOT;
}

static void free_fn(struct work_struct *work)
{
	struct perfctr_group *g = container_of(to_rcu_work(work),
					       struct perfctr_group, free);

	free_records(&g->records);
	kfree(g);
}

static struct perfctr_group *alloc_group(void)
{
	struct perfctr_group *g;

	g = kzalloc(sizeof(*g), GFP_KERNEL_ACCOUNT);
	if (!g)
		return NULL;
	kref_init(&g->ref);
	INIT_RCU_WORK(&g->free, free_fn);
	raw_spin_lock_init(&g->lock);
	INIT_LIST_HEAD(&g->live);
	g->records = RB_ROOT;
	return g;
}

static void release(struct kref *ref)
{
	struct perfctr_group *g = container_of(ref, struct perfctr_group, ref);

	/* After all that may just be looking whether they can have it. */
	queue_rcu_work(perfctr_wq, &g->free);
}

static void group_put(struct perfctr_group *g)
{
	if (g)
		kref_put(&g->ref, release);
}

/* The thread itself changes it, and the last reference frees it. */
static struct perfctr_group *own_group(const struct perfctr_thread *t)
{
	return rcu_dereference_protected(t->group, 1);
}

/* For others. */
static struct perfctr_group *group_get(const struct perfctr_thread *t)
{
	struct perfctr_group *g;

	rcu_read_lock();
	g = rcu_dereference(t->group);
	if (g && !kref_get_unless_zero(&g->ref))
		g = NULL;
	rcu_read_unlock();
	return g;
}

void perfctr_group_release(struct perfctr_thread *t)
{
	group_put(own_group(t));
}

/* ----- members: under the lock -------------------------------------------- */

static void add(struct perfctr_dev_sums *to, const struct perfctr_dev_sums *s)
{
	unsigned int i;

	to->tsc += s->tsc;
	to->stolen += s->stolen;
	for (i = 0; i < s->nr; i++) {
		to->pmc[i] += s->pmc[i];
		to->loaded[i] += s->loaded[i];
	}
}

static struct perfctr_record *record_of(struct rb_node *node)
{
	return rb_entry(node, struct perfctr_record, node);
}

static void insert(struct perfctr_group *g, struct perfctr_record *r)
{
	struct rb_node **p = &g->records.rb_node, *parent = NULL;

	/* Serial numbers grow, but a founder's may be given late. */
	while (*p) {
		parent = *p;
		p = r->serial < record_of(parent)->serial ?
			&parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&r->node, parent, p);
	rb_insert_color(&r->node, &g->records);
}

/* The first record after @serial, or NULL. */
static struct perfctr_record *after(struct perfctr_group *g, u64 serial)
{
	struct rb_node *node = g->records.rb_node;
	struct perfctr_record *found = NULL;

	while (node) {
		struct perfctr_record *r = record_of(node);

		if (r->serial > serial) {
			found = r;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

/* Takes @r over. */
static void join(struct perfctr_group *g, struct perfctr_thread *t,
		 struct perfctr_record *r)
{
	list_add_tail(&t->link, &g->live);
	g->nr_live++;
	g->serial++;
	t->record = r;
	if (r) {
		r->serial = g->serial;
		r->thread = t;
		insert(g, r);
	} else if (g->want_records) {
		g->sum.records_lost++;
	}
}

/* Returns the record that there is no room for, or NULL. */
static struct perfctr_record *leave(struct perfctr_group *g,
				    struct perfctr_thread *t)
{
	struct perfctr_record *r = t->record;
	struct perfctr_dev_sums sums;

	perfctr_thread_sums(t, &sums);
	add(&g->sum.sums, &sums);
	list_del(&t->link);
	g->nr_live--;
	g->sum.ended++;
	if (t->refused)
		g->sum.refused++;
	else if (sums.status & PERFCTR_STATUS_ERROR)
		g->sum.errors++;
	if (sums.status & PERFCTR_STATUS_ERROR && !g->sum.sums.error) {
		g->sum.sums.status |= PERFCTR_STATUS_ERROR;
		g->sum.sums.error = sums.error;
	}
	if (t->founder)
		g->sum.sums.status |= sums.status & PERFCTR_STATUS_EXITED;

	t->record = NULL;
	if (!r)
		return NULL;
	if (g->nr_records == PERFCTR_MAX_RECORDS) {
		rb_erase(&r->node, &g->records);
		g->sum.records_lost++;
		return r;
	}
	g->nr_records++;
	r->thread = NULL;
	r->pid = get_pid(task_tgid(t->task));
	r->tid = get_pid(task_pid(t->task));
	memcpy(r->comm, t->task->comm, sizeof(r->comm));
	r->comm[sizeof(r->comm) - 1] = '\0';
	r->sums = sums;
	return NULL;
}

static void leave_and_free(struct perfctr_group *g, struct perfctr_thread *t)
{
	struct perfctr_record *r;

	raw_spin_lock(&g->lock);
	r = leave(g, t);
	raw_spin_unlock(&g->lock);
	if (r)
		call_rcu(&r->rcu, free_record_rcu);
}

/* @t's counts are final. */
void perfctr_group_end(struct perfctr_thread *t)
{
	struct perfctr_group *g = own_group(t);

	if (g)
		leave_and_free(g, t);
}

/* Is there a member that has not ended? */
bool perfctr_group_is_live(const struct perfctr_thread *t)
{
	struct perfctr_group *g = group_get(t);
	bool live;

	if (!g)
		return !READ_ONCE(t->ended);
	live = READ_ONCE(g->nr_live);
	group_put(g);
	return live;
}

/* In stop_machine(), so nobody has the lock: a live member, or NULL. */
struct perfctr_thread *perfctr_group_member(const struct perfctr_thread *t)
{
	struct perfctr_group *g = own_group(t);

	return g ? list_first_entry_or_null(&g->live, struct perfctr_thread, link) : NULL;
}

/* ----- fork --------------------------------------------------------------- */

/* @t is new and has its parent's control. */
void perfctr_group_inherit(const struct perfctr_thread *parent,
			   struct perfctr_thread *t)
{
	struct perfctr_group *g = own_group(parent);
	struct perfctr_record *r = NULL;

	/* Only a founder that is alone changes this. */
	if (READ_ONCE(g->want_records))
		r = alloc_record(GFP_ATOMIC | __GFP_ACCOUNT | __GFP_NOWARN);
	kref_get(&g->ref);
	rcu_assign_pointer(t->group, g);
	raw_spin_lock(&g->lock);
	join(g, t, r);
	raw_spin_unlock(&g->lock);
}

/* A child is not counted. */
void perfctr_group_lost(const struct perfctr_thread *parent)
{
	struct perfctr_group *g = own_group(parent);

	raw_spin_lock(&g->lock);
	g->sum.lost++;
	raw_spin_unlock(&g->lock);
}

/* ----- a new control ------------------------------------------------------ */

static void nothing_yet(struct perfctr_change *c)
{
	c->grouped = true;
	c->group = NULL;
	c->record = NULL;
	c->old_group = NULL;
	c->old_records = RB_ROOT;
}

/* What perfctr_group_change() may need. */
int perfctr_group_prepare(const struct perfctr_thread *t,
			  struct perfctr_change *c)
{
	const u32 flags = c->setup.control.flags;

	c->grouped = flags & PERFCTR_CTL_INHERIT || rcu_access_pointer(t->group);
	if (likely(!c->grouped))
		return 0;
	nothing_yet(c);
	if (!(flags & PERFCTR_CTL_INHERIT))
		return 0;
	/*
	 * In this order: the thread itself may leave its group meanwhile, and
	 * whoever sees that it is a founder sees no group that it has left.
	 */
	if (!smp_load_acquire(&t->founder) || !rcu_access_pointer(t->group)) {
		c->group = alloc_group();
		if (!c->group)
			return -ENOMEM;
	}
	if (flags & PERFCTR_CTL_RECORDS) {
		c->record = alloc_record(GFP_KERNEL_ACCOUNT);
		if (!c->record)
			return -ENOMEM;
	}
	return 0;
}

/* What was not used, or is of no use any more. */
void perfctr_group_free_unused(struct perfctr_change *c)
{
	group_put(c->group);
	free_record(c->record);
	group_put(c->old_group);
	free_records(&c->old_records);
}

/* Would @b count what @t does, or did until STOP?  Of that there are the sums. */
static bool same_counters(const struct perfctr_thread *t,
			  const struct perfctr_setup *b)
{
	const struct perfctr_setup *a = &t->setup;
	const bool stopped = !a->control.nr && !a->tsc;

	return b->control.nr == (stopped ? t->page->nr : a->control.nr) &&
		b->tsc == (stopped ? t->page->tsc_sum != 0 : a->tsc) &&
		b->slice == a->slice &&
		!memcmp(b->control.counter, a->control.counter,
			b->control.nr * sizeof(b->control.counter[0]));
}

/*
 * The founder of a group with other live members can change only what changes
 * no sum.  If it is alone it stays so: only members fork members, and this one
 * is busy here.
 */
int perfctr_group_may_change(const struct perfctr_thread *t,
			     const struct perfctr_change *c)
{
	const struct perfctr_dev_control *control = &c->setup.control;
	struct perfctr_group *g = own_group(t);
	bool alone;

	if (!g || !t->founder)
		return 0;
	raw_spin_lock(&g->lock);
	alone = g->nr_live == 1;
	raw_spin_unlock(&g->lock);
	if (alone)
		return 0;
	/* Ticks alone, and stopped: there is no bit that would keep them. */
	if ((control->nr || t->setup.tsc) &&
	    control->preserve == BIT_ULL(control->nr) - 1 &&
	    same_counters(t, &c->setup) &&
	    !(control->flags & PERFCTR_CTL_RECORDS) == !READ_ONCE(g->want_records))
		return 0;
	return -EBUSY;
}

/* @t is the only member: what it does not preserve starts from 0. */
static void renew(struct perfctr_group *g, struct perfctr_thread *t,
		  struct perfctr_change *c)
{
	const struct perfctr_dev_control *control = &c->setup.control;
	struct perfctr_dev_sums *s = &g->sum.sums;
	const bool keeps_tsc = perfctr_thread_keeps_tsc(t, &c->setup);
	unsigned int i;

	if (!keeps_tsc) {
		s->tsc = 0;
		s->stolen = 0;
	}
	for (i = 0; i < PERFCTR_MAX_COUNTERS; i++) {
		bool keep = control->preserve & BIT_ULL(i);

		if (!keep)
			s->pmc[i] = 0;
		if (c->setup.slots == 1)
			s->loaded[i] = i < control->nr ? s->tsc : 0;
		else if (!keep)
			s->loaded[i] = 0;
	}
	s->nr = control->nr;
	g->want_records = control->flags & PERFCTR_CTL_RECORDS;
	if (control->preserve)
		return;

	/* A new group, of which nobody has ended. */
	c->old_records = g->records;
	g->records = RB_ROOT;
	g->nr_records = 0;
	s->status = 0;
	s->error = 0;
	g->sum.ended = 0;
	g->sum.errors = 0;
	g->sum.refused = 0;
	g->sum.lost = 0;
	g->sum.records_lost = 0;
	g->serial = 1;
	t->record = NULL;
}

/* The new control is loaded, but not yet in force.  It can't fail any more. */
void perfctr_group_change(struct perfctr_thread *t, struct perfctr_change *c)
{
	struct perfctr_group *g = own_group(t);

	if (likely(!c->grouped)) {
		if (likely(!g)) {
			smp_store_release(&t->founder, true);
			return;
		}
		/* Its own thread has got it one since. */
		nothing_yet(c);
	}
	if (g && t->founder) {
		raw_spin_lock(&g->lock);
		if (g->nr_live == 1) {
			renew(g, t, c);
			if (c->record && !t->record) {
				t->record = c->record;
				c->record = NULL;
				t->record->serial = 1;
				t->record->thread = t;
				insert(g, t->record);
			}
		}
		raw_spin_unlock(&g->lock);
		return;
	}
	if (g) {
		leave_and_free(g, t);
		rcu_assign_pointer(t->group, NULL);
		c->old_group = g;
		/* Who waits for the end of all. */
		if (t->ring)
			perfctr_ring_wake(t->ring);
	}
	/* Pairs with acquire: it is seen to have left before it is a founder. */
	smp_store_release(&t->founder, true);
	if (!c->group)
		return;
	g = c->group;
	c->group = NULL;
	g->want_records = c->setup.control.flags & PERFCTR_CTL_RECORDS;
	g->sum.sums.nr = c->setup.control.nr;
	join(g, t, c->record);
	c->record = NULL;
	/* Only now can others find it. */
	rcu_assign_pointer(t->group, g);
}

/* ----- reading ------------------------------------------------------------ */

/* As if it had ended, where it ended with an error: so the header has it. */
static void add_live(struct perfctr_dev_group *out,
		     const struct perfctr_dev_sums *sums)
{
	if (!(sums->status & PERFCTR_STATUS_ERROR)) {
		out->live++;
		out->sums.status |= PERFCTR_STATUS_RUNNING;
		return;
	}
	out->ended++;
	out->errors++;
	out->sums.status |= PERFCTR_STATUS_ERROR;
	if (!out->sums.error)
		out->sums.error = sums->error;
}

/* The set is all of its group. */
static void read_alone(struct perfctr_thread *t, struct perfctr_dev_group *out)
{
	struct perfctr_dev_sums *s = &out->sums;

	memset(out, 0, sizeof(*out));
	perfctr_thread_sums(t, s);
	/* Ended after the sums were taken: that is how they are told. */
	if (READ_ONCE(t->ended)) {
		perfctr_thread_sums(t, s);
		out->ended = 1;
		if (t->refused)
			out->refused = 1;
		else if (s->status & PERFCTR_STATUS_ERROR)
			out->errors = 1;
		return;
	}
	s->status &= ~PERFCTR_STATUS_RUNNING;
	add_live(out, s);
}

int perfctr_group_read(struct perfctr_thread *t, struct perfctr_dev_group *out)
{
	struct perfctr_dev_sums sums;
	struct perfctr_thread *m;
	struct perfctr_group *g;
	unsigned long flags;

	/* First: a founder's group is not one that it has inherited. */
	if (!smp_load_acquire(&t->founder))
		return -ENOENT;
	g = group_get(t);
	perfctr_vcpu_fold_running(t, g);
	if (!g) {
		read_alone(t, out);
		return 0;
	}
	raw_spin_lock_irqsave(&g->lock, flags);
	*out = g->sum;
	list_for_each_entry(m, &g->live, link) {
		perfctr_thread_sums(m, &sums);
		add(&out->sums, &sums);
		add_live(out, &sums);
	}
	raw_spin_unlock_irqrestore(&g->lock, flags);
	group_put(g);
	return 0;
}

int perfctr_group_next_record(struct perfctr_thread *t,
			      struct perfctr_dev_record *out)
{
	struct pid_namespace *ns = task_active_pid_ns(current);
	struct perfctr_record *r;
	struct perfctr_group *g;
	unsigned long flags;
	int err = 0;

	if (!smp_load_acquire(&t->founder))
		return -ENOENT;
	g = group_get(t);
	if (!g)
		return -EINVAL;
	if (!READ_ONCE(g->want_records)) {
		group_put(g);
		return -EINVAL;
	}
	perfctr_vcpu_fold_running(t, g);

	raw_spin_lock_irqsave(&g->lock, flags);
	r = after(g, out->serial);
	if (!r) {
		err = -ENOENT;
	} else if (r->thread) {
		struct task_struct *task = r->thread->task;

		out->serial = r->serial;
		/* It can't be gone before it has left us. */
		out->pid = task_tgid_nr_ns(task, ns);
		out->tid = task_pid_nr_ns(task, ns);
		memcpy(out->comm, task->comm, sizeof(out->comm));
		out->comm[sizeof(out->comm) - 1] = '\0';
		perfctr_thread_sums(r->thread, &out->sums);
	} else {
		out->serial = r->serial;
		out->pid = pid_nr_ns(r->pid, ns);
		out->tid = pid_nr_ns(r->tid, ns);
		memcpy(out->comm, r->comm, sizeof(out->comm));
		out->sums = r->sums;
	}
	raw_spin_unlock_irqrestore(&g->lock, flags);
	group_put(g);
	return err;
}

int __init perfctr_group_init(void)
{
	perfctr_wq = alloc_workqueue("perfctr", WQ_UNBOUND, 0);
	return perfctr_wq ? 0 : -ENOMEM;
}

void perfctr_group_uninit(void)
{
	/*
	 * maps.c's work, which can outlive all sets, and queues more by way of
	 * callbacks; then our callbacks, and those that queue work.
	 */
	flush_workqueue(perfctr_wq);
	rcu_barrier();
	destroy_workqueue(perfctr_wq);
	/* And those of sets whose last reference some work had. */
	rcu_barrier();
}

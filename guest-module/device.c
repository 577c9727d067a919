// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/perfctr: handles, their ioctls and the mapping.
 *
 * A handle is bound once and for its lifetime: file->private_data goes from
 * NULL to a thread's state and never changes again.  So a handle that several
 * processes share needs no lock, and neither does a mapping, which holds the
 * file, which holds the state.
 *
 * What it is bound to, and with which rights, is one word, so that it changes
 * at once: the state's address, with ATTACHED in its lowest bit if the handle
 * may act on a thread that is not the caller; or CPUS, which is no address.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "perfctr.h"

/* Shown where a mapping is not in its thread's address space. */
static struct page *elsewhere;

static int perfctr_open(struct inode *inode, struct file *file)
{
	file->private_data = NULL;	/* the misc layer left a pointer there */
	return nonseekable_open(inode, file);
}

#define ATTACHED	1ul
#define OWNS		4ul		/* the set ends with the handle */
#define CPUS		((void *)2ul)	/* counts whole vCPUs */

static void *binding(struct file *file)
{
	/* Pairs with the cmpxchg() in bind(): the state is there whole. */
	return smp_load_acquire(&file->private_data);
}

static bool is_attached(struct file *file)
{
	return (unsigned long)binding(file) & ATTACHED;
}

/* The thread's state; NULL: the handle is not bound to one. */
static struct perfctr_thread *bound(struct file *file)
{
	void *to = binding(file);

	return to == CPUS ? NULL : (void *)((unsigned long)to & ~(ATTACHED | OWNS));
}

static int bind(struct file *file, void *to)
{
	return cmpxchg(&file->private_data, NULL, to) ? -EBUSY : 0;
}

static int perfctr_release(struct inode *inode, struct file *file)
{
	struct perfctr_thread *t = bound(file);

	if (t) {
		if ((unsigned long)binding(file) & OWNS)
			perfctr_remote_unlink_group(t);
		perfctr_thread_put(t);
	} else if (binding(file) == CPUS) {
		perfctr_cpu_release();
	}
	return 0;
}

static long ioctl_create(struct file *file)
{
	struct perfctr_thread *t;
	int err;

	if (binding(file))
		return -EBUSY;
	t = perfctr_thread_create();
	if (IS_ERR(t))
		return PTR_ERR(t);
	/* Takes over our reference, unless it fails. */
	err = bind(file, t);
	if (err) {
		perfctr_thread_unlink(t);
		perfctr_thread_put(t);
	}
	return err;
}

static long ioctl_open(struct file *file)
{
	struct perfctr_thread *t;
	int err;

	if (binding(file))
		return -EBUSY;
	t = perfctr_thread_get_current();
	if (!t)
		return -ESRCH;
	err = bind(file, t);
	if (err)
		perfctr_thread_put(t);
	return err;
}

static long ioctl_attach(struct file *file, void __user *uarg)
{
	struct perfctr_dev_attach arg;
	struct perfctr_thread *t;
	unsigned long how;
	int err;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (binding(file))
		return -EBUSY;
	t = perfctr_remote_attach(&arg);
	if (IS_ERR(t))
		return PTR_ERR(t);
	how = arg.flags & PERFCTR_ATTACH_OWN ? ATTACHED | OWNS : ATTACHED;
	err = bind(file, (void *)((unsigned long)t | how));
	if (err) {
		/* Also if we are being killed. */
		if (arg.flags & PERFCTR_ATTACH_CREATE)
			perfctr_remote_unlink_group(t);
		perfctr_thread_put(t);
	}
	return err;
}

static long ioctl_cpu_control(struct file *file, void __user *uarg)
{
	struct perfctr_dev_cpu *arg;
	void *to;
	long err;

	if (!perfmon_capable())
		return -EPERM;
	arg = memdup_user(uarg, sizeof(*arg));
	if (IS_ERR(arg))
		return PTR_ERR(arg);

	to = binding(file);
	if (to == CPUS)
		err = perfctr_cpu_control(arg);
	else
		err = to ? -EBUSY : perfctr_cpu_claim();
	if (err || to == CPUS)
		goto out;
	/* Bound only if it counts: after an error the handle is what it was. */
	err = perfctr_cpu_control(arg) ?: bind(file, CPUS);
	if (err)
		perfctr_cpu_release();
out:
	kfree(arg);
	return err;
}

static long ioctl_cpu_read(struct file *file, void __user *uarg)
{
	void *to = binding(file);
	struct perfctr_dev_cpu *arg;
	long err;

	if (!perfmon_capable())
		return -EPERM;
	if (to != CPUS)
		return to ? -EBUSY : -ENOENT;
	arg = memdup_user(uarg, sizeof(*arg));
	if (IS_ERR(arg))
		return PTR_ERR(arg);
	err = perfctr_cpu_read(arg);
	if (!err && copy_to_user(uarg, arg, sizeof(*arg)))
		err = -EFAULT;
	kfree(arg);
	return err;
}

static long ioctl_info(void __user *arg)
{
	int err = perfctr_xen_refresh();

	if (err)
		return err;
	return copy_to_user(arg, &perfctr_info, sizeof(perfctr_info)) ?
		-EFAULT : 0;
}

/*
 * Behind @control->nr counters, what is there stays.  Each byte once: what was
 * checked is not read again.  By fields, as the checks of a copy would cost more
 * than all of this.
 */
static int get_control(struct perfctr_setup *s,
		       const struct perfctr_dev_control __user *from)
{
	struct perfctr_dev_control *control = &s->control;
	unsigned int i;
	s64 any = 0;

	if (!user_access_begin(from, sizeof(*from)))
		return -EFAULT;
	unsafe_get_user(control->nr, &from->nr, fault);
	unsafe_get_user(control->flags, &from->flags, fault);
	unsafe_get_user(control->preserve, &from->preserve, fault);
	unsafe_get_user(control->slice_us, &from->slice_us, fault);
	unsafe_get_user(control->si_signo, &from->si_signo, fault);
	/* What is too many is not copied, and an error for who checks it. */
	for (i = 0; i < min_t(u32, control->nr, PERFCTR_MAX_COUNTERS); i++) {
		struct perfctr_dev_counter *c = &control->counter[i];

		unsafe_get_user(c->index, &from->counter[i].index, fault);
		unsafe_get_user(c->flags, &from->counter[i].flags, fault);
		unsafe_get_user(c->evtsel, &from->counter[i].evtsel, fault);
		unsafe_get_user(c->ireset, &from->counter[i].ireset, fault);
		any |= c->ireset;
	}
	user_access_end();
	s->sampling = any;
	return 0;

fault:
	user_access_end();
	return -EFAULT;
}

static long ioctl_control(struct perfctr_thread *t, bool remote,
			  void __user *arg)
{
	struct perfctr_change c;
	int err;

	/* Not zeroed: nobody looks behind the counters that there are. */
	err = get_control(&c.setup, arg);
	if (err)
		return err;
	return remote ? perfctr_remote_control(t, &c) :
			perfctr_thread_control(t, &c);
}

static long ioctl_ring(struct perfctr_thread *t, bool remote, void __user *uarg)
{
	struct perfctr_dev_ring arg;
	struct perfctr_maps *maps;
	struct perfctr_ring *ring;
	int err;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	/* Who inherits a set has its ring. */
	if (!t->founder)
		return -ENOENT;
	ring = perfctr_ring_create(&arg);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	maps = perfctr_maps_alloc(t, GFP_KERNEL_ACCOUNT);
	err = remote ? perfctr_remote_set_ring(t, ring, maps) :
		       perfctr_thread_set_ring(t, ring, maps);
	if (err) {
		kfree(maps);
		perfctr_ring_put(ring);
	}
	return err;
}

static long ioctl_read(struct perfctr_thread *t, bool remote, void __user *arg)
{
	struct perfctr_dev_sums sums;

	if (remote)
		perfctr_vcpu_fold_running(t, NULL);
	perfctr_thread_read(t, &sums);
	return copy_to_user(arg, &sums, sizeof(sums)) ? -EFAULT : 0;
}

static long ioctl_read_group(struct perfctr_thread *t, void __user *arg)
{
	struct perfctr_dev_group *group;
	long err;

	group = kmalloc(sizeof(*group), GFP_KERNEL);
	if (!group)
		return -ENOMEM;
	err = perfctr_group_read(t, group);
	if (!err && copy_to_user(arg, group, sizeof(*group)))
		err = -EFAULT;
	kfree(group);
	return err;
}

static long ioctl_next_record(struct perfctr_thread *t, void __user *arg)
{
	struct perfctr_dev_record *record;
	long err;

	record = kzalloc(sizeof(*record), GFP_KERNEL);
	if (!record)
		return -ENOMEM;
	/* The rest is output only. */
	if (copy_from_user(&record->serial, arg, sizeof(record->serial))) {
		err = -EFAULT;
		goto out;
	}
	err = perfctr_group_next_record(t, record);
	if (!err && copy_to_user(arg, record, sizeof(*record)))
		err = -EFAULT;
out:
	kfree(record);
	return err;
}

static long ioctl_get_control(struct perfctr_thread *t, void __user *arg)
{
	struct perfctr_dev_control *control;
	long err;

	control = kmalloc(sizeof(*control), GFP_KERNEL);
	if (!control)
		return -ENOMEM;
	perfctr_thread_get_control(t, control);
	err = copy_to_user(arg, control, sizeof(*control)) ? -EFAULT : 0;
	kfree(control);
	return err;
}

static long perfctr_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	void __user *uarg = (void __user *)arg;
	struct perfctr_thread *t;
	bool remote;

	/* These two are what a program's loop may be made of. */
	if (cmd == PERFCTR_IOC_CONTROL || cmd == PERFCTR_IOC_STOP)
		goto own;

	/* For any handle. */
	switch (cmd) {
	case PERFCTR_IOC_INFO:
		return ioctl_info(uarg);
	case PERFCTR_IOC_CREATE:
		return ioctl_create(file);
	case PERFCTR_IOC_OPEN:
		return ioctl_open(file);
	case PERFCTR_IOC_ATTACH:
		return ioctl_attach(file, uarg);
	case PERFCTR_IOC_CPU_CONTROL:
		return ioctl_cpu_control(file, uarg);
	case PERFCTR_IOC_CPU_READ:
		return ioctl_cpu_read(file, uarg);
	case PERFCTR_IOC_READ:
	case PERFCTR_IOC_READ_GROUP:
	case PERFCTR_IOC_NEXT_RECORD:
	case PERFCTR_IOC_GET_CONTROL:
	case PERFCTR_IOC_UNLINK:
	case PERFCTR_IOC_RING:
	case PERFCTR_IOC_IRESUME:
		break;
	default:
		return -ENOTTY;
	}

	/* For whoever has a bound handle. */
	t = bound(file);
	if (!t)
		return -ENOENT;
	remote = is_attached(file);
	if (cmd == PERFCTR_IOC_READ)
		return ioctl_read(t, remote, uarg);
	if (cmd == PERFCTR_IOC_READ_GROUP)
		return ioctl_read_group(t, uarg);
	if (cmd == PERFCTR_IOC_NEXT_RECORD)
		return ioctl_next_record(t, uarg);
	if (cmd == PERFCTR_IOC_GET_CONTROL)
		return ioctl_get_control(t, uarg);

own:
	/* For the thread itself, or whom the kernel let at its memory. */
	t = bound(file);
	if (!t)
		return -ENOENT;
	remote = is_attached(file);
	if (READ_ONCE(t->ended))
		return -ENOENT;
	if (!remote && !perfctr_thread_is_current(t))
		return READ_ONCE(t->ended) ? -ENOENT : -EPERM;
	if (cmd == PERFCTR_IOC_CONTROL)
		return ioctl_control(t, remote, uarg);
	if (cmd == PERFCTR_IOC_STOP)
		return remote ? perfctr_remote_stop(t) : perfctr_thread_stop(t);
	switch (cmd) {
	case PERFCTR_IOC_RING:
		return ioctl_ring(t, remote, uarg);
	case PERFCTR_IOC_IRESUME:
		return remote ? perfctr_remote_iresume(t) :
				perfctr_thread_iresume(t);
	default:
		return remote ? perfctr_remote_unlink(t) :
				perfctr_thread_unlink(t);
	}
}

/*
 * The page is the thread's only in its own address space: what it says about
 * running counters is true only for the thread itself, and a child of fork()
 * inherits the mapping.  Anyone else sees a page that says so, never one from
 * which a wrong count could be computed.  So does a handle by ATTACH, which says
 * nothing of who uses it.
 */
static vm_fault_t perfctr_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct perfctr_thread *t = vma->vm_private_data;
	struct page *page = elsewhere;

	if (vmf->pgoff)
		return VM_FAULT_SIGBUS;
	if (vma->vm_mm == READ_ONCE(t->mm) && !is_attached(vma->vm_file))
		page = virt_to_page(t->page);
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct perfctr_vm_ops = {
	.fault = perfctr_fault,
};

static vm_fault_t ring_fault(struct vm_fault *vmf)
{
	struct perfctr_thread *t = vmf->vma->vm_private_data;

	vmf->page = perfctr_ring_mapped(t->ring, vmf->pgoff);
	return vmf->page ? 0 : VM_FAULT_SIGBUS;
}

static const struct vm_operations_struct ring_vm_ops = {
	.fault = ring_fault,
};

/* Whoever has the handle of the set has its samples, in any address space. */
static int mmap_ring(struct perfctr_thread *t, struct vm_area_struct *vma)
{
	/* Set once, with all that belongs to it. */
	struct perfctr_ring *ring = smp_load_acquire(&t->ring);

	if (!ring)
		return -ENOENT;
	if (vma->vm_end - vma->vm_start != perfctr_ring_bytes(ring, vma->vm_pgoff) ||
	    !(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	compat_vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, VM_MAYEXEC);
	vma->vm_private_data = t;
	vma->vm_ops = &ring_vm_ops;
	return 0;
}

static __poll_t perfctr_poll(struct file *file, struct poll_table_struct *wait)
{
	struct perfctr_thread *t = bound(file);
	struct perfctr_ring *ring = t ? smp_load_acquire(&t->ring) : NULL;
	__poll_t events;

	if (!ring)
		return EPOLLERR;
	events = perfctr_ring_poll(ring, file, wait);
	/* In this order: a thread asks for its mappings before it ends. */
	if (!perfctr_group_is_live(t) && !perfctr_ring_is_telling(ring))
		events |= EPOLLHUP;
	return events;
}

static int perfctr_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct perfctr_thread *t = bound(file);

	if (!t)
		return -ENOENT;
	if (vma->vm_pgoff >= PERFCTR_RING_OFFSET(0) >> PAGE_SHIFT)
		return mmap_ring(t, vma);
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	/* By MAYSHARE: of a handle opened read-only SHARED is not set. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EACCES;
	/* No way to write, now or by mprotect(), or to grow. */
	compat_vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP,
			    VM_MAYWRITE | VM_MAYEXEC);
	vma->vm_private_data = t;
	vma->vm_ops = &perfctr_vm_ops;
	return 0;
}

static const struct file_operations perfctr_fops = {
	.owner		= THIS_MODULE,
	.open		= perfctr_open,
	.release	= perfctr_release,
	.unlocked_ioctl	= perfctr_ioctl,
	/* The structures have one layout for 32- and 64-bit programs. */
	.compat_ioctl	= compat_ptr_ioctl,
	.mmap		= perfctr_mmap,
	.poll		= perfctr_poll,
};

/* Each program may count itself, and what it might trace: open to all. */
static struct miscdevice perfctr_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "perfctr",
	.fops	= &perfctr_fops,
	.mode	= 0666,
};

int __init perfctr_device_init(void)
{
	struct perfctr_page *page;
	int err;

	page = (struct perfctr_page *)get_zeroed_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	page->version = PERFCTR_ABI_VERSION_DEV;
	page->status = PERFCTR_STATUS_ERROR;
	page->error = -ESRCH;
	elsewhere = virt_to_page(page);

	err = misc_register(&perfctr_misc);
	if (err) {
		pr_err("perfctr: can't register /dev/perfctr (error %d); is another perfctr module loaded?\n",
		       err);
		__free_page(elsewhere);
	}
	return err;
}

void perfctr_device_uninit(void)
{
	misc_deregister(&perfctr_misc);
	__free_page(elsewhere);
}

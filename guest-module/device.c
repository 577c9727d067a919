// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/perfctr: handles, their ioctls and the mapping.
 *
 * A handle is bound once and for its lifetime: file->private_data goes from
 * NULL to a thread's state and never changes again.  So a handle that several
 * processes share needs no lock, and neither does a mapping, which holds the
 * file, which holds the state.
 */
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
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

static int perfctr_release(struct inode *inode, struct file *file)
{
	struct perfctr_thread *t = file->private_data;

	if (t)
		perfctr_thread_put(t);
	return 0;
}

static struct perfctr_thread *bound(struct file *file)
{
	/* Pairs with the cmpxchg() in bind(): the state is there whole. */
	return smp_load_acquire((struct perfctr_thread **)&file->private_data);
}

/* Takes over the caller's reference, unless it fails. */
static int bind(struct file *file, struct perfctr_thread *t)
{
	return cmpxchg(&file->private_data, NULL, t) ? -EBUSY : 0;
}

static long ioctl_create(struct file *file)
{
	struct perfctr_thread *t;
	int err;

	if (bound(file))
		return -EBUSY;
	t = perfctr_thread_create();
	if (IS_ERR(t))
		return PTR_ERR(t);
	perfctr_thread_get(t);
	err = bind(file, t);
	if (err) {
		perfctr_thread_unlink(t);
		perfctr_thread_put(t);
	}
	return err;
}

static long ioctl_open(struct file *file)
{
	struct perfctr_thread *t = perfctr_thread_current();
	int err;

	if (bound(file))
		return -EBUSY;
	if (!t)
		return -ESRCH;
	perfctr_thread_get(t);
	err = bind(file, t);
	if (err)
		perfctr_thread_put(t);
	return err;
}

static long ioctl_info(void __user *arg)
{
	return copy_to_user(arg, &perfctr_info, sizeof(perfctr_info)) ?
		-EFAULT : 0;
}

static long ioctl_control(struct perfctr_thread *t, void __user *arg)
{
	struct perfctr_dev_control *control;
	int err;

	control = memdup_user(arg, sizeof(*control));
	if (IS_ERR(control))
		return PTR_ERR(control);
	err = perfctr_thread_control(t, control);
	kfree(control);
	return err;
}

static long ioctl_read(struct perfctr_thread *t, void __user *arg)
{
	struct perfctr_dev_sums sums;

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

	/* For any handle. */
	switch (cmd) {
	case PERFCTR_IOC_INFO:
		return ioctl_info(uarg);
	case PERFCTR_IOC_CREATE:
		return ioctl_create(file);
	case PERFCTR_IOC_OPEN:
		return ioctl_open(file);
	case PERFCTR_IOC_READ:
	case PERFCTR_IOC_READ_GROUP:
	case PERFCTR_IOC_NEXT_RECORD:
	case PERFCTR_IOC_GET_CONTROL:
	case PERFCTR_IOC_CONTROL:
	case PERFCTR_IOC_STOP:
	case PERFCTR_IOC_UNLINK:
		break;
	default:
		return -ENOTTY;
	}

	/* For whoever has a bound handle. */
	t = bound(file);
	if (!t)
		return -ENOENT;
	if (cmd == PERFCTR_IOC_READ)
		return ioctl_read(t, uarg);
	if (cmd == PERFCTR_IOC_READ_GROUP)
		return ioctl_read_group(t, uarg);
	if (cmd == PERFCTR_IOC_NEXT_RECORD)
		return ioctl_next_record(t, uarg);
	if (cmd == PERFCTR_IOC_GET_CONTROL)
		return ioctl_get_control(t, uarg);

	/* For the thread itself. */
	if (t != perfctr_thread_current())
		return READ_ONCE(t->ended) ? -ENOENT : -EPERM;
	if (cmd == PERFCTR_IOC_CONTROL)
		return ioctl_control(t, uarg);
	if (cmd == PERFCTR_IOC_STOP)
		perfctr_thread_stop(t);
	else
		perfctr_thread_unlink(t);
	return 0;
}

/*
 * The page is the thread's only in its own address space: what it says about
 * running counters is true only for the thread itself, and a child of fork()
 * inherits the mapping.  Anyone else sees a page that says so, never one from
 * which a wrong count could be computed.
 */
static vm_fault_t perfctr_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct perfctr_thread *t = vma->vm_private_data;
	struct page *page = elsewhere;

	if (vmf->pgoff)
		return VM_FAULT_SIGBUS;
	if (vma->vm_mm == READ_ONCE(t->mm))
		page = virt_to_page(t->page);
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct perfctr_vm_ops = {
	.fault = perfctr_fault,
};

static int perfctr_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct perfctr_thread *t = bound(file);

	if (!t)
		return -ENOENT;
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
};

/* Each program may count itself, and only itself: open to all. */
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

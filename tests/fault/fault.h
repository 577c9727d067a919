/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included before each file of perfctr.ko's: what can fail for want of memory
 * fails when fault.c says so, and what is allocated is counted until it is freed.
 * A macro's own name in it is the function's.
 */
#ifndef PERFCTR_FAULT_H
#define PERFCTR_FAULT_H

#include <linux/cpuhotplug.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <xen/events.h>

/* Shall this one fail? */
bool fault_due(void);
/* What has been allocated, or not: @p. */
void *fault_took(void *p);
void fault_gave(const void *p);
/* The same, of an address or an error. */
#define fault_took_copy(p) \
	({ void *p_ = (p); IS_ERR(p_) ? p_ : fault_took(p_); })

#define FAULT_POINTER(call) \
	(fault_due() ? NULL : fault_took(call))
#define FAULT_ADDRESS(call) \
	((unsigned long)(fault_due() ? NULL : \
			 fault_took((void *)(call))))
#define FAULT_ERROR(call) (fault_due() ? -ENOMEM : (call))

#define kmalloc(size, gfp)	FAULT_POINTER(kmalloc(size, gfp))
#define kzalloc(size, gfp)	FAULT_POINTER(kzalloc(size, gfp))
#define kvzalloc(size, gfp)	FAULT_POINTER(kvzalloc(size, gfp))
#define kvcalloc(n, size, gfp)	FAULT_POINTER(kvcalloc(n, size, gfp))
#define alloc_pages_node(node, gfp, order) \
	((struct page *)FAULT_POINTER(alloc_pages_node(node, gfp, order)))
#define vmap(pages, n, flags, prot) FAULT_POINTER(vmap(pages, n, flags, prot))
#define memdup_user(from, size) \
	(fault_due() ? ERR_PTR(-ENOMEM) : fault_took_copy(memdup_user(from, size)))
#define get_zeroed_page(gfp)	FAULT_ADDRESS(get_zeroed_page(gfp))
#undef __get_free_page
#define __get_free_page(gfp)	FAULT_ADDRESS(__get_free_pages(gfp, 0))

#define kfree(p)	do { fault_gave(p); kfree(p); } while (0)
#define kvfree(p)	do { fault_gave(p); kvfree(p); } while (0)
#define vunmap(p)	do { fault_gave(p); vunmap(p); } while (0)
#undef free_page
#define free_page(a) \
	do { \
		fault_gave((void *)(a)); \
		free_pages(a, 0); \
	} while (0)
#undef __free_page
#define __free_page(p) \
	do { \
		fault_gave(p); \
		__free_pages(p, 0); \
	} while (0)

#undef alloc_workqueue
#define alloc_workqueue(...) \
	(fault_due() ? NULL : (alloc_workqueue)(__VA_ARGS__))
#define misc_register(m)	FAULT_ERROR(misc_register(m))
#define tracepoint_probe_register(tp, probe, data) \
	FAULT_ERROR(tracepoint_probe_register(tp, probe, data))
#define bind_virq_to_irqhandler(...) \
	FAULT_ERROR(bind_virq_to_irqhandler(__VA_ARGS__))

#endif /* PERFCTR_FAULT_H */

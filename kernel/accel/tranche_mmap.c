// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of the aperture into programs. Pages are mapped when they are touched, up to 2 MiB
 * at a time, write-back as the driver's own mapping is. When the memory is lost (with the
 * session, the device or the driver) mappings are taken away, and what is touched then is a
 * page of the object's own: a program gets errors of its API, never SIGBUS.
 */
#include <linux/mm.h>
#ifdef TRANCHE_PFN_T
#include <linux/pfn_t.h>
#define to_pfn_t(pfn) __pfn_to_pfn_t(pfn, PFN_DEV)
#else
#define to_pfn_t(pfn) (pfn)
#endif

#include <drm/drm_vma_manager.h>

#include "tranche_drv.h"

static_assert(PAGE_SIZE == TRNC_PAGE);

/* Takes away mappings of a session's objects, which others do not feel; NULL: of all. */
void tranche_zap(struct tranche_device *tdev, struct tranche_session *session)
{
	struct address_space *mapping = tdev->drm.anon_inode->i_mapping;
	struct tranche_object *obj;

	if (!session) {
		unmap_mapping_range(mapping, 0, 0, 1);
		return;
	}
	guard(mutex)(&session->lock);
	if (drm_mm_initialized(&session->mm))
		list_for_each_entry(obj, drm_mm_nodes(&session->mm), node.node_list)
			drm_vma_node_unmap(&obj->base.vma_node, mapping);
}

/* Bytes from the object's start. */
static u64 vma_offset(struct vm_area_struct *vma, unsigned long addr)
{
	struct drm_gem_object *gem = vma->vm_private_data;
	u64 page = vma->vm_pgoff - drm_vma_node_start(&gem->vma_node);

	return (page << PAGE_SHIFT) + (addr - vma->vm_start);
}

static unsigned long vma_pfn(struct vm_area_struct *vma, unsigned long addr)
{
	struct tranche_object *obj = to_object(vma->vm_private_data);
	struct tranche_device *tdev = to_tranche(obj->base.dev);

	return PHYS_PFN(tdev->aperture_start + obj->aperture_offset + vma_offset(vma, addr));
}

/* The page first, then those around it that one page table holds. */
static vm_fault_t insert_pages(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long start = ALIGN_DOWN(vmf->address, PMD_SIZE);
	unsigned long addr, end = min(start + PMD_SIZE, vma->vm_end);
	vm_fault_t ret = vmf_insert_pfn(vma, vmf->address, vma_pfn(vma, vmf->address));

	for (addr = max(start, vma->vm_start); addr < end && ret == VM_FAULT_NOPAGE;
	     addr += PAGE_SIZE)
		ret = vmf_insert_pfn(vma, addr, vma_pfn(vma, addr));
	return ret;
}

static vm_fault_t insert_pmd(struct vm_fault *vmf, unsigned int order)
{
#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
	struct vm_area_struct *vma = vmf->vma;
	unsigned long start = ALIGN_DOWN(vmf->address, PMD_SIZE);
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	unsigned long pfn;

	if (order != PMD_ORDER || start < vma->vm_start || start + PMD_SIZE > vma->vm_end)
		return VM_FAULT_FALLBACK;
	pfn = vma_pfn(vma, start);
	if (!IS_ALIGNED(pfn, 1 << PMD_ORDER))
		return VM_FAULT_FALLBACK;
	return vmf_insert_pfn_pmd(vmf, to_pfn_t(pfn), write);
#else
	return VM_FAULT_FALLBACK;
#endif
}

/* A page that programs see in place of lost memory; a host page says that it is lost. */
static struct page *object_dummy(struct tranche_object *obj, bool host)
{
	struct page *page = READ_ONCE(obj->dummy[host]);
	struct trnc_host_page *text;

	if (page)
		return page;
	page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!page)
		return NULL;
	text = page_address(page);
	if (host)
		text->lost = cpu_to_le32(obj->session->lost ?: TRNC_LOST_DEVICE);
	if (cmpxchg(&obj->dummy[host], NULL, page))
		__free_page(page);
	return READ_ONCE(obj->dummy[host]);
}

static vm_fault_t insert_dummy(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct tranche_object *obj = to_object(vma->vm_private_data);
	u64 page = ALIGN_DOWN(vma_offset(vma, vmf->address), PAGE_SIZE);
	bool host = obj->shape == TRANCHE_CHANNEL && page == TRNC_CHANNEL_HOST;
	struct page *dummy;

	/* What nobody writes needs no page of its own. */
	if (!(vma->vm_flags & VM_MAYWRITE) && !host)
		return vmf_insert_pfn(vma, vmf->address, my_zero_pfn(vmf->address));
	dummy = object_dummy(obj, host);
	return dummy ? vmf_insert_pfn(vma, vmf->address, page_to_pfn(dummy)) : VM_FAULT_OOM;
}

/* Within it nothing is unplugged or lost that was not before. */
static vm_fault_t object_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct tranche_object *obj = to_object(vmf->vma->vm_private_data);
	struct tranche_device *tdev = to_tranche(obj->base.dev);

	CLASS(tranche_use, use)(tdev);
	guard(rwsem_read)(&tdev->map_lock);
	if (!use.ok || tranche_object_is_lost(obj))
		return order ? VM_FAULT_FALLBACK : insert_dummy(vmf);
	return order ? insert_pmd(vmf, order) : insert_pages(vmf);
}

static vm_fault_t object_fault(struct vm_fault *vmf)
{
	return object_huge_fault(vmf, 0);
}

/* Debuggers read and write through here. */
static int object_access(struct vm_area_struct *vma, unsigned long addr, void *buf, int len,
			 int write)
{
	struct tranche_object *obj = to_object(vma->vm_private_data);
	struct tranche_device *tdev = to_tranche(obj->base.dev);
	void *at;

	if (write && !(vma->vm_flags & VM_MAYWRITE))
		return -EACCES;
	len = min_t(unsigned long, len, vma->vm_end - addr);
	CLASS(tranche_use, use)(tdev);
	guard(rwsem_read)(&tdev->map_lock);
	if (!use.ok || tranche_object_is_lost(obj))
		return -EIO;
	at = tdev->aperture + obj->aperture_offset + vma_offset(vma, addr);
	memcpy(write ? at : buf, write ? buf : at, len);
	return len;
}

static const struct vm_operations_struct object_vm_ops = {
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
	.fault = object_fault,
#ifdef CONFIG_ARCH_SUPPORTS_HUGE_PFNMAP
	.huge_fault = object_huge_fault,
#endif
	.access = object_access,
};

static enum tranche_rights object_rights(struct tranche_object *obj, u64 offset, u64 len)
{
	u32 ring_len = obj->base.size - tranche_channel_size(0);

	if (obj->shape == TRANCHE_CHANNEL)
		return tranche_channel_rights(ring_len, offset, len);
	if (!tranche_range_ok(offset, len, obj->base.size))
		return TRANCHE_NONE;
	return obj->shape == TRANCHE_EVENTS ? TRANCHE_READ : TRANCHE_WRITE;
}

/* The caller has a reference to the object, which becomes the mapping's. */
int tranche_object_mmap(struct drm_gem_object *gem, struct vm_area_struct *vma)
{
	struct tranche_object *obj = to_object(gem);
	enum tranche_rights rights;

	vma->vm_private_data = gem;
	rights = object_rights(obj, vma_offset(vma, vma->vm_start), vma->vm_end - vma->vm_start);
	if (!(vma->vm_flags & VM_SHARED) || rights == TRANCHE_NONE)
		return -EINVAL;
	/* Nobody runs what the host can write. */
	if (vma->vm_flags & (rights == TRANCHE_READ ? VM_EXEC | VM_WRITE : VM_EXEC))
		return -EACCES;
	vm_flags_clear(vma, rights == TRANCHE_READ ? VM_MAYEXEC | VM_MAYWRITE : VM_MAYEXEC);
	/* Channels are one process's: a child must not write to them. */
	if (obj->shape != TRANCHE_PLAIN)
		vm_flags_set(vma, VM_DONTCOPY);
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	vma->vm_ops = &object_vm_ops;
	return 0;
}

/* Channels and event blocks have no handle: their session's file may map them. */
static bool object_is_allowed(struct drm_gem_object *gem, struct drm_file *file)
{
	return drm_vma_node_is_allowed(&gem->vma_node, file) ||
	       (to_object(gem)->shape != TRANCHE_PLAIN &&
		to_object(gem)->session == file->driver_priv);
}

/* As drm_gem_mmap(), but for any part of an object. */
int tranche_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct drm_file *file = filp->private_data;
	struct drm_device *drm = file->minor->dev;
	struct drm_vma_offset_node *node;
	struct drm_gem_object *gem;
	int ret;

	if (drm_dev_is_unplugged(drm))
		return -ENODEV;
	drm_vma_offset_lock_lookup(drm->vma_offset_manager);
	node = drm_vma_offset_lookup_locked(drm->vma_offset_manager, vma->vm_pgoff,
					    vma_pages(vma));
	gem = node ? container_of(node, struct drm_gem_object, vma_node) : NULL;
	/* One that is being freed is still found. */
	if (gem && !kref_get_unless_zero(&gem->refcount))
		gem = NULL;
	drm_vma_offset_unlock_lookup(drm->vma_offset_manager);
	if (!gem)
		return -EINVAL;
	ret = object_is_allowed(gem, file) ? tranche_object_mmap(gem, vma) : -EACCES;
	if (ret)
		drm_gem_object_put(gem);
	return ret;
}

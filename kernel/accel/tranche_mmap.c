// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of the aperture into programs. Pages are mapped when they are
 * touched, up to 2 MiB at a time, write-back as the driver's own mapping is.
 * When the memory is lost (the session, the device, the driver) mappings are
 * taken away, and what is touched then is a page of the object's own: a
 * program gets errors of its API, never SIGBUS.
 */
#include <linux/mm.h>
#if __has_include(<linux/pfn_t.h>)
#include <linux/pfn_t.h>
#endif

#include <drm/drm_vma_manager.h>

#include "tranche_drv.h"

static_assert(PAGE_SIZE == TRNC_PAGE);

void tranche_device_zap(struct tranche_device *tdev)
{
	/* All of the device's: it is rare, and others just touch again. */
	unmap_mapping_range(tdev->drm.anon_inode->i_mapping, 0, 0, 1);
}

static u64 vma_offset(struct vm_area_struct *vma, struct tranche_object *obj)
{
	return (u64)(vma->vm_pgoff - drm_vma_node_start(&obj->base.vma_node))
	       << PAGE_SHIFT;
}

static unsigned long vma_pfn(struct vm_area_struct *vma,
			     struct tranche_object *obj, unsigned long addr)
{
	struct tranche_device *tdev = to_tranche(obj->base.dev);

	return PHYS_PFN(tdev->aperture_start + obj->aperture_offset +
			vma_offset(vma, obj) + (addr - vma->vm_start));
}

/* The page first, then those around it that one page table holds. */
static vm_fault_t insert_pages(struct vm_fault *vmf, struct tranche_object *obj)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long start = ALIGN_DOWN(vmf->address, PMD_SIZE);
	unsigned long end = min(start + PMD_SIZE, vma->vm_end);
	unsigned long addr;
	vm_fault_t ret;

	ret = vmf_insert_pfn(vma, vmf->address,
			     vma_pfn(vma, obj, vmf->address));
	for (addr = max(start, vma->vm_start);
	     addr < end && ret == VM_FAULT_NOPAGE; addr += PAGE_SIZE)
		ret = vmf_insert_pfn(vma, addr, vma_pfn(vma, obj, addr));
	return ret;
}

#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
static vm_fault_t insert_pmd(struct vm_fault *vmf, struct tranche_object *obj)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long start = ALIGN_DOWN(vmf->address, PMD_SIZE);
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	unsigned long pfn;

	if (start < vma->vm_start || start + PMD_SIZE > vma->vm_end)
		return VM_FAULT_FALLBACK;
	pfn = vma_pfn(vma, obj, start);
	if (!IS_ALIGNED(pfn, PMD_SIZE / PAGE_SIZE))
		return VM_FAULT_FALLBACK;
#ifdef PFN_DEV
	return vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(pfn, PFN_DEV), write);
#else
	return vmf_insert_pfn_pmd(vmf, pfn, write);
#endif
}
#endif

/* A page that programs see in place of lost memory; theirs to write. */
static struct page *object_dummy(struct tranche_object *obj, bool host)
{
	struct page **place = &obj->dummy[host];
	struct page *page = READ_ONCE(*place);
	struct trnc_host_page *text;

	if (page)
		return page;
	page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!page)
		return NULL;
	if (host) {
		text = page_address(page);
		text->lost = cpu_to_le32((obj->session ?
			READ_ONCE(obj->session->lost) : 0) ?: TRNC_LOST_DEVICE);
	}
	if (cmpxchg(place, NULL, page))
		__free_page(page);
	return READ_ONCE(*place);
}

static vm_fault_t insert_dummy(struct vm_fault *vmf, struct tranche_object *obj)
{
	struct vm_area_struct *vma = vmf->vma;
	u64 offset = vma_offset(vma, obj) + (vmf->address - vma->vm_start);
	bool host = obj->shape == TRANCHE_CHANNEL &&
		    ALIGN_DOWN(offset, PAGE_SIZE) == TRNC_CHANNEL_HOST;
	struct page *page;

	if (!(vma->vm_flags & VM_MAYWRITE) && !host)
		return vmf_insert_pfn(vma, vmf->address,
				      my_zero_pfn(vmf->address));
	page = object_dummy(obj, host);
	return page ? vmf_insert_pfn(vma, vmf->address, page_to_pfn(page)) :
		      VM_FAULT_OOM;
}

static vm_fault_t object_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct tranche_object *obj = to_object(vmf->vma->vm_private_data);
	struct tranche_device *tdev = to_tranche(obj->base.dev);
	vm_fault_t ret = VM_FAULT_FALLBACK;
	bool lost = true;
	int idx;

	if (drm_dev_enter(&tdev->drm, &idx)) {
		down_read(&tdev->map_lock);
		lost = tranche_object_is_lost(obj);
		if (!lost && !order)
			ret = insert_pages(vmf, obj);
#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
		else if (!lost && order == PMD_ORDER)
			ret = insert_pmd(vmf, obj);
#endif
		up_read(&tdev->map_lock);
		drm_dev_exit(idx);
	}
	return lost && !order ? insert_dummy(vmf, obj) : ret;
}

static vm_fault_t object_fault(struct vm_fault *vmf)
{
	return object_huge_fault(vmf, 0);
}

/* Debuggers read and write through here. */
static int object_access(struct vm_area_struct *vma, unsigned long addr,
			 void *buf, int len, int write)
{
	struct tranche_object *obj = to_object(vma->vm_private_data);
	struct tranche_device *tdev = to_tranche(obj->base.dev);
	int ret = -EIO;
	void *at;
	int idx;

	if (write && !(vma->vm_flags & VM_MAYWRITE))
		return -EACCES;
	len = min_t(unsigned long, len, vma->vm_end - addr);
	if (!drm_dev_enter(&tdev->drm, &idx))
		return -EIO;
	down_read(&tdev->map_lock);
	if (!tranche_object_is_lost(obj)) {
		at = tdev->aperture + obj->aperture_offset +
		     vma_offset(vma, obj) + (addr - vma->vm_start);
		memcpy(write ? at : buf, write ? buf : at, len);
		ret = len;
	}
	up_read(&tdev->map_lock);
	drm_dev_exit(idx);
	return ret;
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

static enum tranche_rights object_rights(struct tranche_object *obj, u64 offset,
					 u64 len)
{
	if (obj->shape == TRANCHE_CHANNEL)
		return tranche_channel_rights(obj->ring_len, offset, len);
	if (!tranche_range_ok(offset, len, obj->base.size))
		return TRANCHE_NONE;
	return obj->shape == TRANCHE_EVENTS ? TRANCHE_READ : TRANCHE_WRITE;
}

/* The caller has a reference to the object, which becomes the mapping's. */
int tranche_object_mmap(struct drm_gem_object *gem, struct vm_area_struct *vma)
{
	struct tranche_object *obj = to_object(gem);
	enum tranche_rights rights;

	rights = object_rights(obj, vma_offset(vma, obj),
			       vma->vm_end - vma->vm_start);
	if (!(vma->vm_flags & VM_SHARED) || rights == TRANCHE_NONE)
		return -EINVAL;
	if (rights == TRANCHE_READ) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	/* Nobody runs what the host can write. */
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	vm_flags_clear(vma, VM_MAYEXEC);
	/* Channels are one process's: a child must not write to them. */
	if (obj->shape != TRANCHE_PLAIN)
		vm_flags_set(vma, VM_DONTCOPY);
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	vma->vm_ops = &object_vm_ops;
	vma->vm_private_data = gem;
	return 0;
}

/* As drm_gem_mmap(), but for any part of an object. */
int tranche_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct drm_file *file = filp->private_data;
	struct drm_device *drm = file->minor->dev;
	struct drm_vma_offset_node *node;
	struct drm_gem_object *gem = NULL;
	int ret;

	if (drm_dev_is_unplugged(drm))
		return -ENODEV;
	drm_vma_offset_lock_lookup(drm->vma_offset_manager);
	node = drm_vma_offset_lookup_locked(drm->vma_offset_manager,
					    vma->vm_pgoff, vma_pages(vma));
	if (node)
		gem = container_of(node, struct drm_gem_object, vma_node);
	/* One that is being freed is still found. */
	if (gem && !kref_get_unless_zero(&gem->refcount))
		gem = NULL;
	drm_vma_offset_unlock_lookup(drm->vma_offset_manager);
	if (!gem)
		return -EINVAL;
	ret = drm_vma_node_is_allowed(node, file) ?
		      tranche_object_mmap(gem, vma) : -EACCES;
	if (ret)
		drm_gem_object_put(gem);
	return ret;
}

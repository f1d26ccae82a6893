/* SPDX-License-Identifier: MIT */
/* Regions as a holder asks for them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>

#include "pci/pci_priv.h"
#include "tranche/mdev.h"

static struct trn_pci *of_use(const struct trn_use *use)
{
	return trn_pci_of(trn_use_device(use));
}

int trn_pci_op_region_info(struct trn_use *use, uint32_t index, struct trn_region_info *ret)
{
	const struct trn_pci *pci = of_use(use);
	const struct pci_region *region = pci_region_at(pci, index);

	*ret = (struct trn_region_info){ 0 };
	if (index == TRN_PCI_REGION_CONFIG)
		*ret = (struct trn_region_info){ .size = pci->config.size, .flags = TRN_REGION_READ | TRN_REGION_WRITE };
	if (!region)
		return 0;
	ret->size = region->size;
	ret->flags = TRN_REGION_READ;
	if (!region->is_read_only)
		ret->flags |= TRN_REGION_WRITE;
	if (region->flags & TRN_PCI_BAR_MMAP)
		ret->flags |= TRN_REGION_MMAP;
	return 0;
}

int trn_pci_op_region_rw(struct trn_use *use, uint32_t index, uint64_t offset, void *buf, size_t len, int is_write)
{
	struct trn_pci *pci = of_use(use);
	int r;

	trn_pci_lock(pci);
	r = pci_region_access(pci, index, offset, buf, len, is_write);
	trn_pci_unlock(pci);
	return r;
}

int trn_pci_op_region_fd(struct trn_use *use, uint32_t index, uint64_t *ret_offset)
{
	const struct pci_region *region = pci_region_at(of_use(use), index);
	int fd;

	if (!region || !(region->flags & TRN_PCI_BAR_MMAP))
		return -EOPNOTSUPP;
	fd = fcntl(region->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	*ret_offset = region->fd_offset;
	return fd;
}

ssize_t trn_pci_op_region_areas(struct trn_use *use, uint32_t index, struct trn_span *ret, size_t max)
{
	struct trn_pci *pci = of_use(use);
	ssize_t r;

	if (!pci_region_at(pci, index))
		return -EINVAL;
	trn_pci_lock(pci);
	r = pci_region_areas(pci, index, ret, max);
	trn_pci_unlock(pci);
	return r;
}

int trn_pci_op_caps(struct trn_use *use, uint32_t index, struct trn_caps *caps)
{
	const struct pci_region *region = pci_region_at(of_use(use), index);
	uint32_t type[2];

	if (!region || index < TRN_PCI_REGION_FIRST_OWN)
		return 0;
	type[0] = region->type;
	type[1] = region->subtype;
	return trn_caps_add(caps, VFIO_REGION_INFO_CAP_TYPE, 1, type, sizeof(type));
}

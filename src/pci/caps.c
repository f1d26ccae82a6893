/* SPDX-License-Identifier: MIT */
/* Both lists of capabilities: each new one goes behind the others, at the next multiple of 4. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "base/range.h"
#include "pci/pci_priv.h"

static int refuse_late(const struct trn_pci *pci, struct trn_error *err)
{
	if (!pci->is_realized)
		return 0;
	return trn_error_set(err, -EINVAL, "TooLate", "the device is complete, it gets no more capabilities");
}

static int add_part(struct trn_pci *pci, const struct pci_config_part *part, const struct trn_pci_cap *cap,
		    struct pci_config_part **ret)
{
	struct pci_config *c = &pci->config;
	unsigned int data = part->start + part->header_len;

	if (cap->data)
		memcpy(c->bytes + data, cap->data, cap->len);
	if (cap->writable)
		memcpy(c->writable + data, cap->writable, cap->len);
	c->parts[c->nr_parts] = *part;
	*ret = &c->parts[c->nr_parts++];
	return part->start;
}

static int refuse_full(struct trn_error *err, const struct trn_pci_cap *cap)
{
	return trn_error_set(err, -ENOSPC, "ConfigFull", "no room in configuration space for capability %#x of %zu bytes", cap->id,
			     cap->len);
}

int pci_caps_add(struct trn_pci *pci, const struct trn_pci_cap *cap, struct pci_config_part **ret, struct trn_error *err)
{
	struct pci_config *c = &pci->config;
	struct pci_config_part part = { .start = c->next_cap, .header_len = 2 };

	if (refuse_late(pci, err))
		return -EINVAL;
	if (cap->id == 0 || cap->id > UINT8_MAX)
		return trn_error_set(err, -EINVAL, "BadCapability", "%#x is not the id of a capability", cap->id);
	if (c->nr_parts == PCI_MAX_CAPS || cap->len > PCI_CONFIG_SMALL ||
	    !base_range_is_within(part.start, part.header_len + cap->len, PCI_CONFIG_SMALL))
		return refuse_full(err, cap);
	part.len = (uint16_t)(part.header_len + cap->len);
	c->bytes[part.start] = (uint8_t)cap->id;
	c->bytes[c->last_cap ? c->last_cap + PCI_CAP_LIST_NEXT : PCI_CAPABILITY_LIST] = (uint8_t)part.start;
	c->bytes[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	c->last_cap = part.start;
	c->next_cap = (uint16_t)((part.start + part.len + 3) & ~3u);
	return add_part(pci, &part, cap, ret);
}

static int add_ext(struct trn_pci *pci, const struct trn_pci_cap *cap, struct pci_config_part **ret, struct trn_error *err)
{
	struct pci_config *c = &pci->config;
	struct pci_config_part part = { .start = c->next_ext_cap, .header_len = 4 };

	if (cap->id == 0 || cap->version == 0 || cap->version > 15)
		return trn_error_set(err, -EINVAL, "BadCapability", "%#x version %u is not an extended capability", cap->id,
				     cap->version);
	if (c->nr_parts == PCI_MAX_CAPS || cap->len > PCI_CONFIG_LARGE ||
	    !base_range_is_within(part.start, part.header_len + cap->len, PCI_CONFIG_LARGE))
		return refuse_full(err, cap);
	part.len = (uint16_t)(part.header_len + cap->len);
	pci_config_put32(c->bytes + part.start, cap->id | (uint32_t)cap->version << 16);
	if (c->last_ext_cap) {
		uint8_t *last = c->bytes + c->last_ext_cap;

		pci_config_put32(last, pci_config_get32(last) | (uint32_t)part.start << 20);
	}
	c->last_ext_cap = part.start;
	c->next_ext_cap = (uint16_t)((part.start + part.len + 3) & ~3u);
	return add_part(pci, &part, cap, ret);
}

/* These have a meaning for the library, or none that a driver could give them. */
static bool is_librarys(uint16_t id)
{
	return id == PCI_CAP_ID_PM || id == PCI_CAP_ID_MSI || id == PCI_CAP_ID_MSIX || id == PCI_CAP_ID_EXP;
}

int trn_pci_add_cap(struct trn_pci *pci, const struct trn_pci_cap *cap, struct trn_error *err)
{
	struct pci_config_part *part = NULL;
	int r;

	if (is_librarys(cap->id)) {
		trn_error_set(err, -EINVAL, "BadCapability", "capability %#x has a meaning for the library", cap->id);
		trn_error_hint(err, "use trn_pci_add_pm(), _express(), _msi() or _msix()");
		return -EINVAL;
	}
	r = pci_caps_add(pci, cap, &part, err);
	if (r < 0)
		return r;
	part->is_drivers = true;
	part->driver_written = cap->written;
	return r;
}

int trn_pci_add_ext_cap(struct trn_pci *pci, const struct trn_pci_cap *cap, struct trn_error *err)
{
	struct pci_config_part *part = NULL;
	int r;

	if (refuse_late(pci, err))
		return -EINVAL;
	if (!(pci->flags & TRN_PCI_EXPRESS))
		return trn_error_set(err, -EINVAL, "NotExpress", "extended capabilities need the flag TRN_PCI_EXPRESS");
	r = add_ext(pci, cap, &part, err);
	if (r < 0)
		return r;
	part->is_drivers = true;
	part->driver_written = cap->written;
	return r;
}

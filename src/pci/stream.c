/* SPDX-License-Identifier: MIT */
/* The head of a saved device: what it tells, and whether it is told of a device like this one. */
#include "pci/stream.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "tranche/mdev.h"

void trn_pci_writer_put(struct trn_pci_writer *w, const void *data, size_t len)
{
	if (w->error || !len)
		return;
	if (len > w->max - w->len) {
		w->error = -EFBIG;
		return;
	}
	if (len > w->room - w->len) {
		size_t room = w->len + len > w->max / 2 ? w->max : 2 * (w->len + len);
		uint8_t *more = realloc(w->data, room);

		if (!more) {
			w->error = -ENOMEM;
			return;
		}
		w->data = more;
		w->room = room;
	}
	memcpy(w->data + w->len, data, len);
	w->len += len;
}

int pci_stream_compat(struct trn_pci *pci, struct trn_pci_writer *ret)
{
	*ret = (struct trn_pci_writer){ .max = STREAM_MAX_COMPAT };
	if (pci->migration->save_compat)
		pci->migration->save_compat(pci, ret);
	return ret->error;
}

/* Capabilities that lie elsewhere, or of which other bits can be changed, are another device's. */
static uint32_t layout_of(const struct trn_pci *pci)
{
	const struct pci_config *c = &pci->config;
	uint32_t crc = base_crc32(0, c->writable, c->size);

	for (unsigned int i = 0; i < c->nr_parts; i++) {
		uint16_t place[] = { htole16(c->parts[i].start), htole16(c->parts[i].len) };

		crc = base_crc32(crc, place, sizeof(place));
	}
	return crc;
}

void pci_stream_head_fill(const struct trn_pci *pci, struct stream_head *ret)
{
	const char *type = trn_type_name(trn_device_type(pci->dev));
	size_t len = strlen(type);

	*ret = (struct stream_head){
		.vendor = htole16(pci->ids.vendor),
		.device = htole16(pci->ids.device),
		.subsystem_vendor = htole16(pci->ids.subsystem_vendor),
		.subsystem = htole16(pci->ids.subsystem),
		.class_code = htole32(pci->ids.class_code << 8 | pci->ids.revision),
		.flags = htole32(pci->flags),
		.config_size = htole32(pci->config.size),
		.layout = htole32(layout_of(pci)),
		.driver_version = htole32(pci->migration->version),
	};
	memcpy(ret->type, type, len < sizeof(ret->type) ? len : sizeof(ret->type) - 1);
	for (unsigned int i = 0; i < TRN_PCI_NR_IRQS; i++)
		ret->nr_irqs[i] = htole32(pci->irqs.kinds[i].count);
	for (unsigned int i = 0; i < PCI_NR_REGIONS; i++)
		ret->regions[i] = (struct stream_region){
			.size = htole64(pci->regions[i].size),
			.flags = htole32(pci->regions[i].flags),
			.type = htole32(pci->regions[i].type),
			.subtype = htole32(pci->regions[i].subtype),
		};
}

static int refuse(struct trn_error *err, const char *what)
{
	trn_error_set(err, -EINVAL, "OtherDevice", "the state is of a device with %s", what);
	trn_error_hint(err, "load it into a device of the same type, made by the same version");
	return -EINVAL;
}

static int check_regions(const struct stream_head *head, const struct stream_head *own, struct trn_error *err)
{
	char what[40];

	for (unsigned int i = 0; i < PCI_NR_REGIONS; i++)
		if (memcmp(&head->regions[i], &own->regions[i], sizeof(own->regions[i]))) {
			snprintf(what, sizeof(what), "another region %u", i);
			return refuse(err, what);
		}
	return 0;
}

static int check_type(const struct stream_head *head, const struct stream_head *own, struct trn_error *err)
{
	char what[sizeof(head->type) + 40];

	if (!memcmp(head->type, own->type, sizeof(own->type)))
		return 0;
	snprintf(what, sizeof(what), "the type %.*s, not %s", (int)strnlen(head->type, 60), head->type, own->type);
	for (char *c = what; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return refuse(err, what);
}

static int check_ids(const struct stream_head *head, const struct stream_head *own, struct trn_error *err)
{
	char what[64];

	if (head->vendor != own->vendor || head->device != own->device) {
		snprintf(what, sizeof(what), "the ids %04x:%04x, not %04x:%04x", le16toh(head->vendor), le16toh(head->device),
			 le16toh(own->vendor), le16toh(own->device));
		return refuse(err, what);
	}
	if (head->subsystem_vendor != own->subsystem_vendor || head->subsystem != own->subsystem)
		return refuse(err, "another subsystem");
	return head->class_code == own->class_code ? 0 : refuse(err, "another class or revision");
}

int pci_stream_head_check(const struct trn_pci *pci, const struct stream_head *head, struct trn_error *err)
{
	struct stream_head own;
	int r;

	pci_stream_head_fill(pci, &own);
	r = check_ids(head, &own, err);
	if (r == 0)
		r = check_type(head, &own, err);
	if (r == 0)
		r = check_regions(head, &own, err);
	if (r < 0)
		return r;
	if (head->flags != own.flags || memcmp(head->nr_irqs, own.nr_irqs, sizeof(own.nr_irqs)))
		return refuse(err, "other interrupts or flags");
	if (head->config_size != own.config_size || head->layout != own.layout)
		return refuse(err, "other capabilities");
	if (le32toh(head->driver_version) > pci->migration->version)
		return refuse(err, "a newer driver");
	return head->reserved ? refuse(err, "something that is not known here") : 0;
}

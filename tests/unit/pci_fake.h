/* SPDX-License-Identifier: MIT */
/* A PCI device of the shape that a test wants, made by the library through the core, and open. */
#ifndef PCI_FAKE_H
#define PCI_FAKE_H

#include <stdbool.h>

#include "tranche/mdev.h"
#include "tranche/pci.h"
#include "unit.h"

struct pci_fake {
	/* Set before pci_fake_start(). */
	uint32_t flags; /* TRN_PCI_* */
	const struct trn_pci_migration *migration;
	int (*build)(struct trn_pci *pci, struct trn_error *err); /* adds what the device has */
	bool is_left_unrealized;
	int opened_result;
	void (*runs)(struct trn_pci *pci); /* called when the device may do everything again; may be NULL */

	struct trn_core *core;
	struct trn_parent *parent;
	struct trn_device *dev;
	struct trn_use *use;
	struct trn_pci *pci;

	unsigned int nr_resets, nr_enabled, nr_opened, nr_closed;
	uint16_t command; /* as enabled() saw it last */
	enum trn_pci_activity activity;
};

extern const struct trn_device_ops pci_fake_ops;

/* Makes and opens the device; the struct is zeroed but for what the test sets. */
void pci_fake_start(struct pci_fake *f);
void pci_fake_stop(struct pci_fake *f);
/* The device that a build function is for. */
struct pci_fake *pci_fake_of(const struct trn_pci *pci);
/* Does a device of that shape come into being?  Return: of trn_device_create(). */
int pci_fake_try(int (*build)(struct trn_pci *pci, struct trn_error *err), uint32_t flags, struct trn_error *err);

/* Configuration space, as a holder reaches it; len 1, 2 or 4. */
uint32_t config_get(const struct pci_fake *f, unsigned int offset, unsigned int len);
void config_put(const struct pci_fake *f, unsigned int offset, unsigned int len, uint32_t value);
/* Offset of a capability found through the chain; 0: none. */
unsigned int config_find(const struct pci_fake *f, unsigned int id);
unsigned int config_find_ext(const struct pci_fake *f, unsigned int id);
/* Memory, I/O and bus mastering on. */
void config_enable(const struct pci_fake *f);

#endif

/* SPDX-License-Identifier: MIT */
/* A serial card: what its files share. */
#ifndef PARENTS_MTTY_PRIV_H
#define PARENTS_MTTY_PRIV_H

#include "parents/mtty/mtty.h"
#include "parents/mtty/port.h"
#include "tranche/pci.h"

struct mtty_card {
	struct trn_pci *pci;
	struct mtty_alarm alarm;
	struct mtty_port ports[MTTY_MAX_PORTS];
	unsigned int nr_ports;
	bool is_active; /* else nothing happens on its own */
	bool level;	/* of the interrupt pin */
};

static inline struct mtty_card *mtty_card_of(const struct trn_pci *pci)
{
	return trn_pci_priv(pci);
}

/* Sets the interrupt pin to what the chips want; with the lock. */
void mtty_card_update(struct mtty_card *card);

extern const struct trn_pci_migration mtty_migration;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The states of migration, and what is being saved or loaded meanwhile.
 *
 * A holder that leaves takes its migration with it: what was being saved or loaded is dropped, and the device runs again
 * with the state that it has (contract C27: the next holder goes on, and need not know of migration).  Only ERROR
 * stays, which a reset alone ends.
 *
 * A stream that is refused, when it is written or on the way from RESUMING to STOP, changes nothing.  The state is
 * RESUMING then; what was refused on the way is forgotten and another stream may be written.  One refused while written
 * stays refused until that way is tried, or a reset.
 *
 * DMA that was under way when the device was stopped ends later: its holder may be unable to answer before it hears
 * that the device stopped.  Until then STOP_COPY gives -EAGAIN to readers, so the state is saved after it.
 *
 * To compare memory takes long, and others want the lock meanwhile: the driver's threads, touches of mappings, accesses of
 * other threads.  So a saver works in slices of less than about a millisecond, and the lock is given away in between: what is
 * saved may have ended after that, or be another stream.  A load is ended in one step instead, as nobody may see half of it;
 * the device is stopped then, and its holder waits for that.
 */
#ifndef PCI_MIGRATION_H
#define PCI_MIGRATION_H

#ifndef TRANCHE_BUILDING_PCI
#error "belongs to the PCI library; drivers include tranche/pci.h"
#endif

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tranche/device.h"

struct trn_pci;
struct pci_saver;  /* save.c: makes the stream, piece by piece */
struct pci_loader; /* load.c: takes a stream in, without touching the device until it is whole */

struct pci_migration {
	enum trn_mig_state state;
	struct pci_saver *saver; /* in PRE_COPY, PRE_COPY_P2P, STOP_COPY */
	uint64_t nr_savers; /* that were made: tells one from the next, at the same address */
	uint64_t nr_reads; /* that began */
	uint64_t last_read; /* the number of the one that got something last */
	struct pci_loader *loader; /* in RESUMING */
};

/* Where a device with these TRN_MIG_CAN_* goes first, from from to to; ERROR: there is no way. */
enum trn_mig_state pci_migration_next(uint32_t flags, enum trn_mig_state from, enum trn_mig_state to);
void pci_migration_init(struct trn_pci *pci);
/* Back to RUNNING, whatever is under way is given up. */
void pci_migration_reset(struct trn_pci *pci);
/* At the end of the device: its driver, which may have freed what it has, hears nothing of it. */
void pci_migration_finish(struct trn_pci *pci);

/* save.c; is_final: the device is stopped, so that the stream can end */
int pci_saver_create(struct trn_pci *pci, bool is_final, struct pci_saver **ret);
void pci_saver_destroy(struct pci_saver *s); /* NULL is accepted */
void pci_saver_finalize(struct pci_saver *s); /* the device is stopped now */
/* One slice: fills buf from *done on.  1: there is more to do, after a pause; 0: it is full, or that was all; -ENOMSG: that was
 * all for now; or another error. */
int pci_saver_read(struct pci_saver *s, uint8_t *buf, size_t len, size_t *done);

/* Where in the memory of all regions. */
struct pci_cursor {
	uint32_t region;
	uint64_t page;
};
struct pci_sizing {
	struct trn_mig_sizes sizes;
	struct pci_cursor at;
};
/* One slice, the first with a zeroed *z.  true: there is more to do, after a pause. */
bool pci_saver_size(const struct pci_saver *s, struct pci_sizing *z);
/* Of a device that nobody saves; needs no lock. */
void pci_unsaved_sizes(const struct trn_pci *pci, struct trn_mig_sizes *ret);

/* load.c */
int pci_loader_create(struct trn_pci *pci, struct pci_loader **ret);
void pci_loader_destroy(struct pci_loader *l); /* NULL is accepted */
int pci_loader_write(struct pci_loader *l, const void *buf, size_t len, struct trn_error *err);
int pci_loader_commit(struct pci_loader *l, struct trn_error *err); /* all or nothing */

#endif

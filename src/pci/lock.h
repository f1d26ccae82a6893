/* SPDX-License-Identifier: MIT */
/*
 * The lock of a device: recursive, and given in the order in which it was asked for.
 *
 * A mutex goes to whoever comes first after its unlock, which mostly is the thread that unlocked it: work in slices would keep it,
 * and would in turn wait long for a thread that takes it again and again.
 */
#ifndef PCI_LOCK_H
#define PCI_LOCK_H

#ifndef TRANCHE_BUILDING_PCI
#error "belongs to the PCI library; drivers include tranche/pci.h"
#endif

#include <pthread.h>
#include <stdint.h>

struct pci_lock {
	pthread_mutex_t held; /* by the owner: for the tools that look at the order of locks */
	pthread_mutex_t mutex; /* of what follows */
	pthread_cond_t turn; /* now has changed */
	uint64_t now, end; /* the owner's place in the queue, and the place behind the last; equal: nobody is there */
	pthread_t owner; /* valid while depth > 0 */
	unsigned int depth;
};

int pci_lock_init(struct pci_lock *l);
void pci_lock_finish(struct pci_lock *l);
void pci_lock_take(struct pci_lock *l);
void pci_lock_give(struct pci_lock *l);
/* Lets all who wait have it first.  Does nothing when our caller had the lock already, who must not lose it. */
void pci_lock_pause(struct pci_lock *l);

#endif

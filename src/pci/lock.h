/* SPDX-License-Identifier: MIT */
/*
 * The lock of a device: recursive, and given in the order in which it was asked for.
 *
 * A mutex goes to whoever comes first after its unlock, which mostly is the thread that unlocked it: work in slices would keep it,
 * and would in turn wait long for a thread that takes it again and again.  Here each draws a number and sleeps until it is
 * called; when nobody waits that is two atomic operations and no system call.
 */
#ifndef PCI_LOCK_H
#define PCI_LOCK_H

#ifndef TRANCHE_BUILDING_PCI
#error "belongs to the PCI library; drivers include tranche/pci.h"
#endif

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct pci_lock {
	/* Low half: the number that the next one draws; high half: the number that is called, on which those who wait sleep.
	 * In one word, so that who has given the lock away need not look at it again: it may be gone. */
	_Atomic uint64_t queue;
	_Atomic pthread_t owner; /* 0: nobody; only the owner itself can find itself here */
	unsigned int depth; /* the owner's */
};

void pci_lock_init(struct pci_lock *l);
void pci_lock_take(struct pci_lock *l);
void pci_lock_give(struct pci_lock *l);
/* Lets all who wait have it first.  Does nothing when our caller had the lock already, who must not lose it. */
void pci_lock_pause(struct pci_lock *l);

static inline uint32_t pci_lock_next(uint64_t queue)
{
	return (uint32_t)queue;
}

static inline uint32_t pci_lock_now(uint64_t queue)
{
	return (uint32_t)(queue >> 32);
}

#endif

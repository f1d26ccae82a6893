/* SPDX-License-Identifier: MIT */
#include "pci/lock.h"

#include <errno.h>

#include "base/futex.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the half on which threads sleep lies behind the other one"
#endif

static _Atomic uint32_t *called_of(struct pci_lock *l)
{
	return (_Atomic uint32_t *)&l->queue + 1;
}

void pci_lock_init(struct pci_lock *l)
{
	*l = (struct pci_lock){ 0 };
}

static uint32_t draw(struct pci_lock *l)
{
	uint64_t queue = atomic_load(&l->queue), next;

	do
		next = (queue & ~(uint64_t)UINT32_MAX) | (uint32_t)(queue + 1); /* the other half gets no carry */
	while (!atomic_compare_exchange_weak(&l->queue, &queue, next));
	return pci_lock_next(queue);
}

static void wait_for_turn(struct pci_lock *l)
{
	uint32_t number = draw(l), now;
	int saved = errno;

	while ((now = pci_lock_now(atomic_load(&l->queue))) != number)
		base_futex_wait(called_of(l), now, -1);
	errno = saved;
}

void pci_lock_take(struct pci_lock *l)
{
	pthread_t self = pthread_self();

	if (atomic_load_explicit(&l->owner, memory_order_relaxed) != self) {
		wait_for_turn(l);
		atomic_store_explicit(&l->owner, self, memory_order_relaxed);
	}
	l->depth++;
}

void pci_lock_give(struct pci_lock *l)
{
	uint64_t queue;

	if (--l->depth)
		return;
	atomic_store_explicit(&l->owner, 0, memory_order_relaxed);
	queue = atomic_fetch_add(&l->queue, 1ull << 32) + (1ull << 32);
	/* Who draws a number from here on sees which one is called. */
	if (pci_lock_next(queue) != pci_lock_now(queue))
		base_futex_wake(called_of(l));
}

void pci_lock_pause(struct pci_lock *l)
{
	pci_lock_give(l);
	pci_lock_take(l);
}

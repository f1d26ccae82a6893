/* SPDX-License-Identifier: MIT */
#include "pci/lock.h"

#include <stdbool.h>

int pci_lock_init(struct pci_lock *l)
{
	int r;

	*l = (struct pci_lock){ 0 };
	r = pthread_mutex_init(&l->held, NULL);
	if (r)
		return -r;
	r = pthread_mutex_init(&l->mutex, NULL);
	if (r)
		goto destroy_held;
	r = pthread_cond_init(&l->turn, NULL);
	if (r)
		goto destroy_mutex;
	return 0;

destroy_mutex:
	pthread_mutex_destroy(&l->mutex);
destroy_held:
	pthread_mutex_destroy(&l->held);
	return -r;
}

void pci_lock_finish(struct pci_lock *l)
{
	pthread_cond_destroy(&l->turn);
	pthread_mutex_destroy(&l->mutex);
	pthread_mutex_destroy(&l->held);
}

/* true: our turn has come; false: we had it already. */
static bool wait_for_turn(struct pci_lock *l)
{
	bool is_new;

	pthread_mutex_lock(&l->mutex);
	is_new = !l->depth || !pthread_equal(l->owner, pthread_self());
	if (is_new) {
		uint64_t place = l->end++;

		while (l->now != place)
			pthread_cond_wait(&l->turn, &l->mutex);
		l->owner = pthread_self();
	}
	l->depth++;
	pthread_mutex_unlock(&l->mutex);
	return is_new;
}

void pci_lock_take(struct pci_lock *l)
{
	if (wait_for_turn(l))
		pthread_mutex_lock(&l->held);
}

void pci_lock_give(struct pci_lock *l)
{
	/* Only its owner changes the depth. */
	if (l->depth == 1)
		pthread_mutex_unlock(&l->held);
	pthread_mutex_lock(&l->mutex);
	if (!--l->depth && ++l->now != l->end)
		pthread_cond_broadcast(&l->turn);
	pthread_mutex_unlock(&l->mutex);
}

void pci_lock_pause(struct pci_lock *l)
{
	pci_lock_give(l);
	pci_lock_take(l);
}

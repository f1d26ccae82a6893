/* SPDX-License-Identifier: MIT */
/*
 * Sleepers of the executors' side, woken from the very thread that took the guest's access.  A word lies in the aperture,
 * which is mapped as long as the device is there: a bell that is forgotten too late wakes nobody, and nothing else.
 */
#include <string.h>

#include "base/futex.h"
#include "parents/compute/face.h"

void compute_bells_set(struct compute_bells *b, uint32_t session, uint32_t context, void *word)
{
	pthread_mutex_lock(&b->lock);
	b->words[session][context] = word;
	pthread_mutex_unlock(&b->lock);
}

void compute_bells_forget(struct compute_bells *b)
{
	pthread_mutex_lock(&b->lock);
	memset(b->words, 0, sizeof(b->words));
	pthread_mutex_unlock(&b->lock);
}

void compute_bells_ring(struct compute_bells *b, uint32_t session, uint32_t context)
{
	_Atomic uint32_t *word;

	if (session > FACE_SESSIONS || context > TRNC_MAX_CONTEXTS)
		return;
	pthread_mutex_lock(&b->lock);
	word = b->words[session][context];
	if (word)
		base_futex_wake(word);
	pthread_mutex_unlock(&b->lock);
}

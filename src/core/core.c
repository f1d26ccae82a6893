/* SPDX-License-Identifier: MIT */
#include "core/core_priv.h"

#include <stdlib.h>

struct trn_core *trn_core_create(void)
{
	struct trn_core *core = calloc(1, sizeof(*core));

	if (!core)
		return NULL;
	if (pthread_mutex_init(&core->lock, NULL))
		goto free_core;
	if (pthread_cond_init(&core->called, NULL))
		goto destroy_lock;
	core->refs = 1;
	base_list_init(&core->parents);
	base_list_init(&core->devices);
	base_list_init(&core->listeners);
	base_list_init(&core->events);
	return core;

destroy_lock:
	pthread_mutex_destroy(&core->lock);
free_core:
	free(core);
	return NULL;
}

void trn_core_destroy(struct trn_core *core)
{
	if (core)
		core_unref(core);
}

void core_ref_locked(struct trn_core *core)
{
	core->refs++;
}

void core_unref(struct trn_core *core)
{
	bool last;

	pthread_mutex_lock(&core->lock);
	last = --core->refs == 0;
	pthread_mutex_unlock(&core->lock);
	if (!last)
		return;
	pthread_cond_destroy(&core->called);
	pthread_mutex_destroy(&core->lock);
	free(core);
}

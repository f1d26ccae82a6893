/* SPDX-License-Identifier: MIT */
/* Names of owners: looking one up reads a file, or asks a service, and each answer names some. */
#include <unistd.h>

#include "daemon/manager_priv.h"

json_t *daemon_owner_name(struct daemon *d, uid_t owner)
{
	struct manager_name *n;

	for (size_t i = 0; i < MANAGER_NAMES; i++)
		if (d->names[i].json && d->names[i].uid == owner)
			return json_incref(d->names[i].json);
	n = &d->names[d->next_name++ % MANAGER_NAMES];
	json_decref(n->json);
	*n = (struct manager_name){ .uid = owner, .json = daemon_owner_json(owner) };
	return json_incref(n->json);
}

void daemon_names_forget(struct daemon *d)
{
	for (size_t i = 0; i < MANAGER_NAMES; i++) {
		json_decref(d->names[i].json);
		d->names[i].json = NULL;
	}
}

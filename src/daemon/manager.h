/* SPDX-License-Identifier: MIT */
/*
 * The manager: parents, types, definitions and devices, as the API shows them.  Single-threaded: everything runs on the event
 * loop's thread.  The shapes of all JSON are those of openapi.json.
 *
 * Refusals carry errno values as the kernel's mdev has them: EINVAL (a field that is missing, unknown, of a wrong type or out of
 * range; the sentence names it), EACCES (rights), ENOENT (no such thing), EEXIST, EUSERS (capacity), EBUSY (in use), EAGAIN (start
 * not finished), ENODEV (the parent leaves), ETIMEDOUT, ECANCELED, ENOSPC, EROFS, EIO (the disk) ...
 */
#ifndef DAEMON_MANAGER_H
#define DAEMON_MANAGER_H

#include <jansson.h>
#include <systemd/sd-event.h>

#include "daemon/call.h"
#include "daemon/config.h"

struct daemon; /* all of the process */

/*
 * Makes the manager: reads definitions, finds parents, adopts running devices, starts those that are to start by themselves.
 * When ready() is called all of that is done, or was given up with a sentence in the log; requests are answered before, too,
 * with EAGAIN where what they need is not known yet.
 */
int daemon_manager_create(sd_event *event, const struct daemon_config *config, void (*ready)(void *data), void *data,
			  struct daemon **ret, struct trn_error *err);
/* Devices go on. */
void daemon_manager_destroy(struct daemon *d);
/* SIGHUP: configuration, definitions that were changed by hand, parents that came or went. */
void daemon_manager_reload(struct daemon *d, const struct daemon_config *config);

/* --- reading: answers at once. *ret: a new reference. @name: NULL: all, as a list. Return: 0 or -errno. --- */

int daemon_get_about(struct daemon *d, const struct daemon_peer *peer, json_t **ret, struct trn_error *err);
int daemon_get_parents(struct daemon *d, const struct daemon_peer *peer, const char *name, json_t **ret, struct trn_error *err);
/* parent: NULL: of all parents. type: NULL: all. */
int daemon_get_types(struct daemon *d, const struct daemon_peer *peer, const char *parent, const char *type, json_t **ret,
		     struct trn_error *err);
int daemon_get_schedule(struct daemon *d, const struct daemon_peer *peer, const char *parent, json_t **ret,
			struct trn_error *err);
int daemon_get_definitions(struct daemon *d, const struct daemon_peer *peer, const char *uuid, json_t **ret,
			   struct trn_error *err);
int daemon_get_devices(struct daemon *d, const struct daemon_peer *peer, const char *uuid, json_t **ret, struct trn_error *err);
/* Samples of the last minutes: of one device, or (NULL) of all parents and devices. */
int daemon_get_history(struct daemon *d, const struct daemon_peer *peer, const char *uuid, json_t **ret, struct trn_error *err);

/* --- changing: the answer comes by call->done(). body: borrowed, hostile; NULL: none --- */

/* query: the words behind the "?" as an object of strings; hostile; NULL: none. */
void daemon_post_parent(struct daemon *d, struct daemon_call *call, json_t *body);
void daemon_delete_parent(struct daemon *d, struct daemon_call *call, const char *name, json_t *query);
void daemon_patch_schedule(struct daemon *d, struct daemon_call *call, const char *parent, json_t *body);
void daemon_post_definition(struct daemon *d, struct daemon_call *call, json_t *body);
void daemon_patch_definition(struct daemon *d, struct daemon_call *call, const char *uuid, json_t *body);
void daemon_delete_definition(struct daemon *d, struct daemon_call *call, const char *uuid);
void daemon_start_definition(struct daemon *d, struct daemon_call *call, const char *uuid);
void daemon_post_device(struct daemon *d, struct daemon_call *call, json_t *body);
void daemon_patch_device(struct daemon *d, struct daemon_call *call, const char *uuid, json_t *body);
void daemon_delete_device(struct daemon *d, struct daemon_call *call, const char *uuid, json_t *query);
void daemon_post_reload(struct daemon *d, struct daemon_call *call);

/* --- events: after the change is complete --- */

struct daemon_listener;
/* kind: "parent-added", "parent-removed", "parent-changed", "device-added", "device-removed", "device-changed", "definition-added", ... as
 * in openapi.json; what: borrowed.  seq: from 1 on, without gaps. */
typedef void (*daemon_event_fn)(void *data, uint64_t seq, const char *kind, json_t *what);
/* NULL: no memory. */
struct daemon_listener *daemon_listener_add(struct daemon *d, daemon_event_fn fn, void *data);
void daemon_listener_remove(struct daemon_listener *l); /* NULL is accepted; also from inside of fn */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Mediated devices: parents, the types that they offer, devices made of these types, and their life.
 *
 * A driver describes itself by a struct trn_device_ops (tranche/device.h) and registers a parent: something
 * with a capacity that can be cut into devices.  A type says what one device costs; types of different size mix
 * freely on one parent as long as the capacity lasts.
 *
 * Two counts keep a device: references keep its memory, uses (open connections) keep it from being removed.
 * A device that was removed is invisible at once; its UUID and its share of the capacity come back when the last
 * reference is gone.
 *
 * Nothing is global: everything hangs on a struct trn_core.  All functions may be called from any thread, also
 * from the driver's calls and from listeners, unless said otherwise.  Strings and structs given are copied.
 * All "err" parameters may be NULL.  Strings that are returned live as long as the object that they belong to.
 */
#ifndef TRANCHE_MDEV_H
#define TRANCHE_MDEV_H

#include <stddef.h>
#include <stdint.h>

#include "tranche/device.h"
#include "tranche/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct trn_core;
struct trn_parent;
struct trn_type;
struct trn_listener;

/* --- Resources --- */

enum trn_resource {
	TRN_RESOURCE_MEMORY,   /* bytes */
	TRN_RESOURCE_TIME,     /* thousandths of the parent's computing time */
	TRN_RESOURCE_SESSIONS, /* uses at the same time; a device that costs n of them has at most n uses */
	TRN_RESOURCE_UNITS,    /* what the driver counts: ports, heads, instances */
	TRN_NR_RESOURCES
};

/* An amount of each resource; in a capacity, 0 means that the parent has none of it. */
struct trn_resources {
	uint64_t amount[TRN_NR_RESOURCES];
};

/**
 * trn_resource_name - a resource as people call it: "memory", "time", "sessions", "units"
 * @resource: which one
 *
 * Return: static string; "unknown" when there is no such resource.
 */
const char *trn_resource_name(enum trn_resource resource);

/* --- UUIDs --- */

#define TRN_UUID_SIZE 37 /* 36 characters and the NUL */

/**
 * trn_uuid_parse - check a UUID and bring it into its one form
 * @text: not necessarily NUL-terminated
 * @len:  36, or 37 with a newline at the end
 * @ret:  out; lower-case, NUL-terminated; untouched on failure
 * @err:  optional
 *
 * Return: 0 or -EINVAL.
 */
int trn_uuid_parse(const char *text, size_t len, char ret[TRN_UUID_SIZE], struct trn_error *err);

/* --- The core --- */

/**
 * trn_core_create - make an empty registry of parents and devices
 *
 * Return: the core, or NULL without memory. Opposite: trn_core_destroy().
 */
struct trn_core *trn_core_create(void);

/**
 * trn_core_destroy - the owner lets go
 * @core: NULL is accepted; all parents are unregistered, all listeners removed
 *
 * The memory goes when the last parent that somebody still references is gone.
 */
void trn_core_destroy(struct trn_core *core);

/* --- Events --- */

enum trn_event_kind {
	TRN_EVENT_PARENT_REGISTERED,
	TRN_EVENT_PARENT_UNREGISTERED,
	TRN_EVENT_DEVICE_ADDED,   /* complete: it can be found, opened and removed */
	TRN_EVENT_DEVICE_REMOVED, /* invisible; perhaps not yet released */
};

/* @dev is NULL in events of parents.  Both are valid during the call, take a reference to keep one. */
struct trn_event {
	enum trn_event_kind kind;
	struct trn_parent *parent;
	struct trn_device *dev;
};

typedef void (*trn_listener_fn)(const struct trn_event *event, void *data);

/**
 * trn_listener_add - hear of what happens from now on
 * @core: the registry
 * @fn:   called for one event at a time, in the order in which they happened, perhaps by another thread than
 *        the one that caused it; may call every function of this header
 * @data: for @fn
 *
 * Return: the listener, or NULL without memory. Opposite: trn_listener_remove().
 */
struct trn_listener *trn_listener_add(struct trn_core *core, trn_listener_fn fn, void *data);

/**
 * trn_listener_remove - hear no more
 * @listener: NULL is accepted; invalid afterwards
 *
 * When it returns, the function does not run and will not be called again.  From inside the function it may be
 * called too, and then does not wait for it.  The caller must not hold a lock that the function takes.
 */
void trn_listener_remove(struct trn_listener *listener);

/* --- Parents --- */

/**
 * struct trn_type_desc - a type that a parent offers
 * @name:        without the driver's name: "2" becomes "mtty-2"; [A-Za-z0-9_.-]
 * @pretty_name: for people; NULL: the full name
 * @description: free text; may be NULL
 * @cost:        what one device takes of the parent; at least one amount must not be 0
 * @adjustable:  bits (1 << TRN_RESOURCE_...) of what trn_device_create() may ask for in another amount
 * @ops:         calls of devices of this type, of a driver of the same name; not copied. NULL: those of the parent
 */
struct trn_type_desc {
	const char *name;
	const char *pretty_name;
	const char *description;
	struct trn_resources cost;
	uint32_t adjustable;
	const struct trn_device_ops *ops;
};

/**
 * struct trn_parent_desc - what can be cut into devices
 * @name:     unique in the core; [A-Za-z0-9_.:+-], does not start with a dot
 * @ops:      the driver: the calls of all types that have none of their own; not copied
 * @types:    array of @nr_types, with different names
 * @nr_types: at least 1
 * @capacity: what there is to be shared
 * @priv:     the driver's own, for trn_parent_priv(); must stay valid until @release
 * @release:  called once with @priv when the last device and the last reference are gone, which may be after
 *            trn_parent_unregister(); never when registering fails. NULL: nothing to do
 */
struct trn_parent_desc {
	const char *name;
	const struct trn_device_ops *ops;
	const struct trn_type_desc *types;
	size_t nr_types;
	struct trn_resources capacity;
	void *priv;
	void (*release)(void *priv);
};

/* What to do with a device that is in use. */
enum trn_remove_policy {
	TRN_REMOVE_REFUSE, /* answer -EBUSY */
	TRN_REMOVE_ASK,    /* ask the holders to leave, and wait */
};

/**
 * struct trn_remove_params - how to remove; zeroed: refuse
 * @policy:       see above
 * @timeout_ms:   how long to wait; 0: ask once, do not wait; < 0: no limit
 * @ask_every_ms: time between two calls of the driver's request; <= 0: 1000
 * @cancel_fd:    becomes readable when the caller gives up (an eventfd, a pipe, a socket that is closed); <= 0: none
 */
struct trn_remove_params {
	enum trn_remove_policy policy;
	int timeout_ms;
	int ask_every_ms;
	int cancel_fd;
};

/**
 * trn_parent_register - offer something to be cut into devices
 * @core: the registry
 * @desc: checked completely before anything happens
 * @ret:  out; a reference, the caller's; untouched on failure
 * @err:  optional
 *
 * Return: 0, -EINVAL (a mandatory call of the driver is missing, half of a pair, a bad name or type), -EEXIST
 * (the name is in use), -ENOMEM. Opposite: trn_parent_unregister() and trn_parent_unref().
 */
int trn_parent_register(struct trn_core *core, const struct trn_parent_desc *desc, struct trn_parent **ret,
			struct trn_error *err);

/**
 * trn_parent_unregister - withdraw a parent and remove its devices
 * @parent: the caller keeps its reference
 * @how:    NULL: refuse when a device is in use
 * @err:    optional
 *
 * All or nothing.  From its start on create and remove are answered -ENODEV; those that are already running are
 * waited for (a remove that waits for holders is ended with -ENODEV); then each device is removed once.  A
 * refusal leaves the parent and all its devices as they were.  Not from a driver's init or request.
 * Return: 0; 1 when another unregister is under way or was done; -EBUSY (a device is in use), -ETIMEDOUT,
 * -ECANCELED, or the error of eventfd(2).
 */
int trn_parent_unregister(struct trn_parent *parent, const struct trn_remove_params *how, struct trn_error *err);

/**
 * trn_parent_find - look up a registered parent
 * @core: the registry
 * @name: its name
 *
 * Return: a reference, or NULL. Opposite: trn_parent_unref().
 */
struct trn_parent *trn_parent_find(struct trn_core *core, const char *name);

/**
 * trn_parent_list - all registered parents, oldest first
 * @core: the registry
 * @ret:  out; array of @ret_nr references and a NULL, for trn_parent_list_free()
 * @ret_nr: out; may be NULL
 *
 * Return: 0 or -ENOMEM.
 */
int trn_parent_list(struct trn_core *core, struct trn_parent ***ret, size_t *ret_nr);

/**
 * trn_parent_list_free - drop a list and its references
 * @list: from trn_parent_list(); NULL is accepted
 */
void trn_parent_list_free(struct trn_parent **list);

/**
 * trn_parent_ref - one more reference
 * @parent: the caller has one
 *
 * Return: @parent. Opposite: trn_parent_unref().
 */
struct trn_parent *trn_parent_ref(struct trn_parent *parent);

/**
 * trn_parent_unref - one reference less
 * @parent: NULL is accepted
 *
 * Return: NULL.
 */
struct trn_parent *trn_parent_unref(struct trn_parent *parent);

/**
 * trn_parent_name - the name given at register
 * @parent: referenced
 *
 * Return: string.
 */
const char *trn_parent_name(const struct trn_parent *parent);

/**
 * trn_parent_priv - the driver's own pointer
 * @parent: referenced
 *
 * Return: what trn_parent_register() was given.
 */
void *trn_parent_priv(const struct trn_parent *parent);

/**
 * trn_parent_get_capacity - what there is, and what is left
 * @parent:    referenced
 * @ret_total: out; may be NULL
 * @ret_left:  out; may be NULL; a snapshot
 */
void trn_parent_get_capacity(struct trn_parent *parent, struct trn_resources *ret_total,
			     struct trn_resources *ret_left);

/* --- Types: they live as long as their parent, whose reference also keeps them. --- */

/**
 * trn_type_find - look up a type of a parent
 * @parent: referenced
 * @name:   full name, "<driver>-<type>"
 *
 * Return: the type, or NULL.
 */
struct trn_type *trn_type_find(struct trn_parent *parent, const char *name);

/**
 * trn_type_at - the types of a parent one by one
 * @parent: referenced
 * @index:  from 0 on, in the driver's order
 *
 * Return: the type, or NULL behind the last.
 */
struct trn_type *trn_type_at(struct trn_parent *parent, size_t index);

/**
 * trn_type_parent - the parent of a type
 * @type: any
 *
 * Return: the parent, without a reference.
 */
struct trn_parent *trn_type_parent(const struct trn_type *type);

/**
 * trn_type_name - full name, "<driver>-<type>"
 * @type: any
 *
 * Return: string.
 */
const char *trn_type_name(const struct trn_type *type);

/**
 * trn_type_pretty_name - name for people
 * @type: any
 *
 * Return: string; the full name when the driver gave none.
 */
const char *trn_type_pretty_name(const struct trn_type *type);

/**
 * trn_type_description - free text
 * @type: any
 *
 * Return: string, or NULL when the driver gave none.
 */
const char *trn_type_description(const struct trn_type *type);

/**
 * trn_type_device_api - which kind of server serves devices of the type
 * @type: any
 *
 * Return: string.
 */
const char *trn_type_device_api(const struct trn_type *type);

/**
 * trn_type_get_cost - what one device takes when nothing else is asked for
 * @type: any
 * @ret:  out
 */
void trn_type_get_cost(const struct trn_type *type, struct trn_resources *ret);

/**
 * trn_type_adjustable - what of it can be chosen when a device is made, and changed later
 * @type: any
 *
 * Return: bits (1 << TRN_RESOURCE_...).
 */
uint32_t trn_type_adjustable(const struct trn_type *type);

/**
 * trn_type_get_available - how many more devices of the type fit
 * @type: any
 *
 * Computed from what is left of the parent's capacity, so devices of other types count too.  A snapshot.
 * Return: 0 to INT_MAX; 0 while the parent is leaving.
 */
int trn_type_get_available(struct trn_type *type);

/* --- Devices --- */

/**
 * struct trn_create_params - what device to make
 * @uuid:      36 characters, or 37 with a newline; any case
 * @owner:     whose it is (a user, a tenant); NULL: ""
 * @vm:        which virtual machine or container it is for; never guessed; NULL: ""
 * @override:  bits (1 << TRN_RESOURCE_...): which amounts to take from @resources instead of the type's cost
 * @resources: amounts, each > 0
 */
struct trn_create_params {
	const char *uuid;
	const char *owner;
	const char *vm;
	uint32_t override;
	struct trn_resources resources;
};

/**
 * trn_device_create - make a device
 * @type:   its parent is referenced by the caller
 * @params: see above
 * @ret:    out, may be NULL; a reference, the caller's; untouched on failure
 * @err:    optional
 *
 * All or nothing, in this order: the UUID is checked against all devices of the core, those that are dying
 * included; capacity is taken; the driver's init runs; the device becomes visible; listeners hear of it.
 * Return: 0, -EINVAL (UUID, text longer than 255 bytes, amount that may not be chosen), -EEXIST (UUID in use),
 * -EUSERS (not enough left), -ENODEV (the parent is leaving), -ENOMEM, or the error of the driver's init.
 */
int trn_device_create(struct trn_type *type, const struct trn_create_params *params, struct trn_device **ret,
		      struct trn_error *err);

/**
 * trn_device_remove - make a device invisible, for ever
 * @dev: the caller keeps its reference
 * @how: NULL: refuse when it is in use
 * @err: optional
 *
 * While it waits for holders nobody can open the device; when it gives up, the device is as before.
 * Return: 0; 1 when another remove is under way or was done (nothing is waited for); -EAGAIN (its create is not
 * finished), -ENODEV (the parent is leaving and removes it), -EBUSY (in use), -ETIMEDOUT, -ECANCELED, or the error
 * of eventfd(2).
 */
int trn_device_remove(struct trn_device *dev, const struct trn_remove_params *how, struct trn_error *err);

/**
 * trn_device_find - look up a device
 * @core: the registry
 * @uuid: as in struct trn_create_params
 * @ret:  out; a reference; untouched on failure
 * @err:  optional
 *
 * Return: 0, -EINVAL (not a UUID), -EAGAIN (its create is not finished), -ENODEV (none, or removed).
 * Opposite: trn_device_unref().
 */
int trn_device_find(struct trn_core *core, const char *uuid, struct trn_device **ret, struct trn_error *err);

/**
 * trn_device_list - all visible devices, oldest first
 * @core:   the registry
 * @parent: only those of this parent; NULL: all
 * @ret:    out; array of @ret_nr references and a NULL, for trn_device_list_free()
 * @ret_nr: out; may be NULL
 *
 * Return: 0 or -ENOMEM.
 */
int trn_device_list(struct trn_core *core, const struct trn_parent *parent, struct trn_device ***ret,
		    size_t *ret_nr);

/**
 * trn_device_list_free - drop a list and its references
 * @list: from trn_device_list(); NULL is accepted
 */
void trn_device_list_free(struct trn_device **list);

/**
 * trn_device_ref - one more reference
 * @dev: the caller has one
 *
 * Return: @dev. Opposite: trn_device_unref().
 */
struct trn_device *trn_device_ref(struct trn_device *dev);

/**
 * trn_device_unref - one reference less
 * @dev: NULL is accepted
 *
 * The last one calls the driver's release and gives UUID and capacity back.
 * Return: NULL.
 */
struct trn_device *trn_device_unref(struct trn_device *dev);

/**
 * trn_device_open - begin to use a device
 * @dev:    referenced; the use takes a reference of its own, dropped by trn_use_close()
 * @holder: who uses it, for messages ("VM web1", "process 4711"); NULL: "somebody"
 * @priv:   for trn_use_priv(), for example the holder's session; may be NULL
 * @ret:    out; untouched on failure
 * @err:    optional
 *
 * Return: 0, -ENODEV (removed, being removed, or held), -EAGAIN (its create is not finished), -EUSERS (as many uses as it
 * has sessions), -EINVAL (text longer than 255 bytes), -ENOMEM, or the error of the driver's open.
 * Opposite: trn_use_close().
 */
int trn_device_open(struct trn_device *dev, const char *holder, void *priv, struct trn_use **ret,
		    struct trn_error *err);

/**
 * trn_device_nr_uses - how many uses there are now
 * @dev: referenced
 *
 * Return: a snapshot.
 */
unsigned int trn_device_nr_uses(struct trn_device *dev);

/**
 * trn_device_get_holders - who uses a device now
 * @dev:    referenced
 * @buf:    out; the names that were given to trn_device_open(), oldest use first, each with its NUL; may be NULL if @len is 0
 * @len:    of @buf; names that do not fit, and those after them, are left out
 * @ret_nr: out; how many were written; may be NULL
 *
 * Return: how many uses there are; a snapshot.
 */
unsigned int trn_device_get_holders(struct trn_device *dev, char *buf, size_t len, unsigned int *ret_nr);

/**
 * trn_device_watch_uses - hear when the number of uses changes
 * @dev: referenced
 * @fd:  an eventfd(2) that does not block, or -1 to hear no more; the caller's, which sets -1 before it closes it
 *
 * It is signalled after each change.  There is one such descriptor a device, the last that was set.
 */
void trn_device_watch_uses(struct trn_device *dev, int fd);

/**
 * trn_device_hold - keep new users away from a device that may be removed soon
 * @dev:    referenced
 * @policy: TRN_REMOVE_REFUSE: only if nobody uses it; TRN_REMOVE_ASK: those who use it may go on
 * @err:    optional
 *
 * For who must not block, where trn_device_remove() does: hold, then watch the uses (trn_device_watch_uses()) and ask
 * (trn_device_ask_holders()) until there are none, then remove, which does not wait then; or trn_device_unhold(), and the
 * device is as before.  While it is held trn_device_open() answers -ENODEV; all else goes on, a remove included.
 * Return: 0, -EBUSY (in use, and @policy refuses), -EALREADY (it is held, or a remove waits for its users), -EAGAIN (its
 * create is not finished), -ENODEV (removed, or its parent leaves), -EINVAL (another policy).
 * Opposite: trn_device_unhold().
 */
int trn_device_hold(struct trn_device *dev, enum trn_remove_policy policy, struct trn_error *err);

/**
 * trn_device_unhold - let users in again
 * @dev: referenced; one that is not held stays as it is
 */
void trn_device_unhold(struct trn_device *dev);

/**
 * trn_device_ask_holders - ask those who use a device to leave, once
 * @dev:      referenced
 * @nr_asked: how often they were asked before
 *
 * Return: 1; 0 when the driver has no way to ask.
 */
int trn_device_ask_holders(struct trn_device *dev, unsigned int nr_asked);

/**
 * trn_device_uuid - the UUID in its one form
 * @dev: referenced
 *
 * Return: string.
 */
const char *trn_device_uuid(const struct trn_device *dev);

/**
 * trn_device_type - the type of a device
 * @dev: referenced; keeps the parent and so the type
 *
 * Return: the type.
 */
struct trn_type *trn_device_type(const struct trn_device *dev);

/**
 * trn_device_get_ops - the calls of a device; the table's address tells whose device it is
 * @dev: referenced
 *
 * Return: the table given at register: of the type, or else of the parent.
 */
const struct trn_device_ops *trn_device_get_ops(const struct trn_device *dev);

/**
 * trn_device_owner - whose device it is
 * @dev: referenced
 *
 * Return: string, perhaps empty.
 */
const char *trn_device_owner(const struct trn_device *dev);

/**
 * trn_device_vm - which virtual machine or container it is for
 * @dev: referenced
 *
 * Return: string, perhaps empty.
 */
const char *trn_device_vm(const struct trn_device *dev);

/**
 * trn_device_get_resources - what the device has taken of its parent: its quota
 * @dev: referenced
 * @ret: out; a snapshot
 */
void trn_device_get_resources(const struct trn_device *dev, struct trn_resources *ret);

/**
 * trn_device_adjust - take more of the parent, or give something back
 * @dev:  referenced; the driver does not hear of it: who calls this has told it, or will
 * @want: all that the device shall have from now on; what its type does not let be chosen stays as it is
 * @err:  optional
 *
 * All or nothing.  To grow, adjust first, then use it; to shrink, stop using it first.
 * Return: 0, -EINVAL (an amount that may not be chosen, or that cannot be 0), -EUSERS (not enough left), -EAGAIN (its create
 * is not finished), -ENODEV (removed).
 */
int trn_device_adjust(struct trn_device *dev, const struct trn_resources *want, struct trn_error *err);

/**
 * trn_device_priv - the driver's own pointer
 * @dev: referenced
 *
 * Return: what the driver's init attached.
 */
void *trn_device_priv(const struct trn_device *dev);

/**
 * trn_device_set_priv - attach the driver's own pointer
 * @dev:  in the driver's init
 * @priv: stays the driver's, which frees it in its release
 */
void trn_device_set_priv(struct trn_device *dev, void *priv);

#ifdef __cplusplus
}
#endif
#endif

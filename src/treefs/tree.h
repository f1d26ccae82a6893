/* SPDX-License-Identifier: MIT */
/*
 * What is known of tranched's parents, types and devices: objects with ready-made texts, replaced as a whole by each
 * look at the API (sync.h).  What is the same as before keeps its number.
 */
#ifndef TREEFS_TREE_H
#define TREEFS_TREE_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum treefs_class { TREEFS_NO_CLASS, TREEFS_A_DRIVER, TREEFS_A_PARENT, TREEFS_A_TYPE, TREEFS_A_DEVICE };

/* Texts of an object, each with its newline. */
enum treefs_value {
	TREEFS_NO_VALUE,
	TREEFS_VALUE_AVAILABLE,
	TREEFS_VALUE_API,
	TREEFS_VALUE_NAME,
	TREEFS_VALUE_DESCRIPTION,
	TREEFS_VALUE_UEVENT,
	TREEFS_VALUE_MEMORY,
	TREEFS_VALUE_TIME,
	TREEFS_VALUE_OWNER,
	TREEFS_VALUE_VM,
	TREEFS_VALUE_STATE,
	TREEFS_VALUE_LIFETIME,
	TREEFS_VALUE_PID,
	TREEFS_VALUE_SOCKET,
	TREEFS_NR_VALUES,
};

struct treefs_object {
	uint32_t id;
	enum treefs_class class;
	char *name;	/* in the tree */
	char *api_name; /* what tranched calls it */
	char *born;	/* tells a device from an earlier one of the same UUID */
	/* Itself, and those that it belongs to; NULL: none. */
	const struct treefs_object *driver, *parent, *type;
	char *values[TREEFS_NR_VALUES];
};

struct treefs_state {
	struct treefs_object **by_id;	/* rising */
	struct treefs_object **by_name; /* by class, name, parent */
	size_t nr, room;
};

struct treefs_tree {
	pthread_rwlock_t lock; /* of all below */
	bool is_known;	       /* tranched answers */
	struct treefs_state *state;
	uint32_t last_id;
};

/* Return: 0 or -ENOMEM. */
int treefs_tree_init(struct treefs_tree *tree);
void treefs_tree_finish(struct treefs_tree *tree);

/* Return: NULL: there is none. */
const struct treefs_object *treefs_tree_get(const struct treefs_tree *tree, uint32_t id);
/* parent: of types; NULL for all others. */
const struct treefs_object *treefs_tree_find(const struct treefs_state *state, enum treefs_class class,
	const char *name, const struct treefs_object *parent);
/* The first one of the class whose number is greater than id. */
const struct treefs_object *treefs_tree_after(const struct treefs_tree *tree, enum treefs_class class, uint32_t id);

/*
 * What the three lists of the API say.  What cannot stand in a tree (a name with a slash, a device without its type) is
 * left out: *ret_missing.
 * Return: NULL: no memory.
 */
struct treefs_state *treefs_state_create(json_t *parents, json_t *types, json_t *devices, bool *ret_missing);
void treefs_state_destroy(struct treefs_state *s); /* NULL is accepted */
/* Puts state in the place of the tree's, and gives numbers; the tree is locked for writing. Return: the one before, to
 * be destroyed. */
struct treefs_state *treefs_tree_replace(struct treefs_tree *tree, struct treefs_state *state);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The places of the tree.  A place is a kind (a row of the table in node.c) and the object that it belongs to (0:
 * none); both together are the inode number, so that nothing has to be kept for what the kernel remembers, and a number
 * is never used for anything else.
 */
#ifndef TREEFS_NODE_H
#define TREEFS_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "treefs/tree.h"

enum treefs_kind {
	TREEFS_ROOT = 1,  /* FUSE's number for it */
	TREEFS_CLASS = 3, /* 1 and 2 are cookies of "." and ".." */
	TREEFS_BUS,
	TREEFS_DEVICES,
	TREEFS_MDEV_BUS,
	TREEFS_CLASS_PARENT,
	TREEFS_MDEV,
	TREEFS_BUS_DEVICES,
	TREEFS_BUS_DEVICE,
	TREEFS_BUS_DRIVERS,
	TREEFS_BUS_AUTOPROBE,
	TREEFS_BUS_UEVENT,
	TREEFS_DRIVER,
	TREEFS_DRIVER_DEVICE,
	TREEFS_PARENT,
	TREEFS_TYPES,
	TREEFS_TYPE,
	TREEFS_CREATE,
	TREEFS_AVAILABLE,
	TREEFS_API,
	TREEFS_NAME,
	TREEFS_DESCRIPTION,
	TREEFS_TYPE_DEVICES,
	TREEFS_TYPE_DEVICE,
	TREEFS_DEVICE,
	TREEFS_REMOVE,
	TREEFS_DEVICE_TYPE,
	TREEFS_UEVENT,
	TREEFS_SUBSYSTEM,
	TREEFS_DEVICE_DRIVER,
	TREEFS_MEMORY,
	TREEFS_TIME,
	TREEFS_OWNER,
	TREEFS_VM,
	TREEFS_TRANCHE,
	TREEFS_TRANCHE_MEMORY,
	TREEFS_TRANCHE_TIME,
	TREEFS_TRANCHE_OWNER,
	TREEFS_TRANCHE_VM,
	TREEFS_TRANCHE_STATE,
	TREEFS_TRANCHE_LIFETIME,
	TREEFS_TRANCHE_PID,
	TREEFS_TRANCHE_SOCKET,
	TREEFS_NR_KINDS,
};

/* What a write to a file does. */
enum treefs_command { TREEFS_NONE, TREEFS_IGNORE, TREEFS_DO_CREATE, TREEFS_DO_REMOVE, TREEFS_DO_CHANGE };

struct treefs_row {
	enum treefs_kind in;	/* the folder that it lies in */
	const char *name;	/* NULL: one entry for each object of a class, which is called as the object is */
	enum treefs_class each; /* of which class */
	mode_t mode;
	const char *text;	 /* link: where to, %p %t %u %d: parent, type, UUID, driver; file: of all objects */
	enum treefs_value value; /* file: which value of the object; TREEFS_NO_VALUE: none */
	enum treefs_command command;
};

struct treefs_node {
	enum treefs_kind kind;
	const struct treefs_row *row;
	const struct treefs_object *object; /* NULL: the place belongs to none */
};

/* One entry of a folder. cookie: to go on behind it. */
struct treefs_entry {
	uint64_t cookie;
	uint64_t ino;
	mode_t mode;
	const char *name;
};

/* All of these: the tree is locked, and what they give is good for as long. */

/* Return: 0, -ENOENT (it has gone), -EIO (it is not known: tranched is away). */
int treefs_node_get(const struct treefs_tree *tree, uint64_t ino, struct treefs_node *ret);
uint64_t treefs_node_ino(enum treefs_kind kind, const struct treefs_object *object);
/* Return: 0, -ENOENT, -ENOTDIR, -EIO. */
int treefs_node_lookup(
	const struct treefs_tree *tree, const struct treefs_node *folder, const char *name, struct treefs_node *ret);
/* The entry behind cookie (0: the first). Return: 1, 0 (there is none), -EIO. */
int treefs_node_next(
	const struct treefs_tree *tree, const struct treefs_node *folder, uint64_t cookie, struct treefs_entry *ret);
bool treefs_node_is_folder(uint64_t ino); /* (needs no lock) */
/* What the entry ".." of a folder is. */
uint64_t treefs_node_above(const struct treefs_node *folder);
/* Text of a link or a file. Return: its length; -EACCES: it is not for reading. */
ssize_t treefs_node_text(const struct treefs_node *node, char *ret, size_t len);
/* Calls fn for each entry by which the object is seen in a folder: (folder, name, what the entry is). */
typedef void (*treefs_entry_fn)(void *data, uint64_t folder, const char *name, uint64_t ino);
void treefs_node_each_entry(const struct treefs_object *object, treefs_entry_fn fn, void *data);

#endif

/* SPDX-License-Identifier: MIT */
#include "treefs/node.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DIR_MODE (S_IFDIR | 0755)
#define LINK_MODE (S_IFLNK | 0777)
#define READ_MODE (S_IFREG | 0444)
#define WRITE_MODE (S_IFREG | 0200)
#define BOTH_MODE (S_IFREG | 0644)

#define DIRECTORY(folder, entry) { .in = TREEFS_##folder, .name = entry, .mode = DIR_MODE }
#define FOLDERS(folder, of) { .in = TREEFS_##folder, .each = TREEFS_A_##of, .mode = DIR_MODE }
#define LINKS(folder, of, to) { .in = TREEFS_##folder, .each = TREEFS_A_##of, .mode = LINK_MODE, .text = to }
#define LINK(folder, entry, to) { .in = TREEFS_##folder, .name = entry, .mode = LINK_MODE, .text = to }
#define READ(folder, entry, v) { .in = TREEFS_##folder, .name = entry, .mode = READ_MODE, .value = TREEFS_VALUE_##v }
#define WRITE(folder, entry, what) { .in = TREEFS_##folder, .name = entry, .mode = WRITE_MODE, .command = TREEFS_##what }
#define BOTH(folder, entry, v, what) \
	{ .in = TREEFS_##folder, .name = entry, .mode = BOTH_MODE, .value = TREEFS_VALUE_##v, .command = TREEFS_##what }

/* The whole tree. */
static const struct treefs_row rows[TREEFS_NR_KINDS] = {
	[TREEFS_ROOT] = { .in = TREEFS_ROOT, .name = "", .mode = DIR_MODE },
	[TREEFS_CLASS] = DIRECTORY(ROOT, "class"),
	[TREEFS_BUS] = DIRECTORY(ROOT, "bus"),
	[TREEFS_DEVICES] = DIRECTORY(ROOT, "devices"),

	[TREEFS_MDEV_BUS] = DIRECTORY(CLASS, "mdev_bus"),
	[TREEFS_CLASS_PARENT] = LINKS(MDEV_BUS, PARENT, "../../devices/%p"),

	[TREEFS_MDEV] = DIRECTORY(BUS, "mdev"),
	[TREEFS_BUS_DEVICES] = DIRECTORY(MDEV, "devices"),
	[TREEFS_BUS_DEVICE] = LINKS(BUS_DEVICES, DEVICE, "../../../devices/%p/%u"),
	[TREEFS_BUS_DRIVERS] = DIRECTORY(MDEV, "drivers"),
	[TREEFS_DRIVER] = FOLDERS(BUS_DRIVERS, DRIVER),
	[TREEFS_DRIVER_DEVICE] = LINKS(DRIVER, DEVICE, "../../../../devices/%p/%u"),
	/* The bus never binds by itself: both say so, and do nothing. */
	[TREEFS_BUS_AUTOPROBE] = { .in = TREEFS_MDEV, .name = "drivers_autoprobe", .mode = BOTH_MODE,
				   .text = "1\n", .command = TREEFS_IGNORE },
	[TREEFS_BUS_UEVENT] = WRITE(MDEV, "uevent", IGNORE),

	[TREEFS_PARENT] = FOLDERS(DEVICES, PARENT),
	[TREEFS_TYPES] = DIRECTORY(PARENT, "mdev_supported_types"),
	[TREEFS_TYPE] = FOLDERS(TYPES, TYPE),
	[TREEFS_CREATE] = WRITE(TYPE, "create", DO_CREATE),
	[TREEFS_AVAILABLE] = READ(TYPE, "available_instances", AVAILABLE),
	[TREEFS_API] = READ(TYPE, "device_api", API),
	[TREEFS_NAME] = READ(TYPE, "name", NAME),
	[TREEFS_DESCRIPTION] = READ(TYPE, "description", DESCRIPTION),
	[TREEFS_TYPE_DEVICES] = DIRECTORY(TYPE, "devices"),
	[TREEFS_TYPE_DEVICE] = LINKS(TYPE_DEVICES, DEVICE, "../../../%u"),

	[TREEFS_DEVICE] = FOLDERS(PARENT, DEVICE),
	[TREEFS_REMOVE] = WRITE(DEVICE, "remove", DO_REMOVE),
	[TREEFS_DEVICE_TYPE] = LINK(DEVICE, "mdev_type", "../mdev_supported_types/%t"),
	[TREEFS_UEVENT] = BOTH(DEVICE, "uevent", UEVENT, IGNORE),
	[TREEFS_SUBSYSTEM] = LINK(DEVICE, "subsystem", "../../../bus/mdev"),
	[TREEFS_DEVICE_DRIVER] = LINK(DEVICE, "driver", "../../../bus/mdev/drivers/%d"),
	/* mdevctl's attributes lie in the device's own folder. */
	[TREEFS_MEMORY] = BOTH(DEVICE, "memory", MEMORY, DO_CHANGE),
	[TREEFS_TIME] = BOTH(DEVICE, "time", TIME, DO_CHANGE),
	[TREEFS_OWNER] = BOTH(DEVICE, "owner", OWNER, DO_CHANGE),
	[TREEFS_VM] = BOTH(DEVICE, "vm", VM, DO_CHANGE),
	/* Where a driver's own files are in the kernel: a folder that is called as it is. */
	[TREEFS_TRANCHE] = DIRECTORY(DEVICE, "tranche"),
	[TREEFS_TRANCHE_MEMORY] = BOTH(TRANCHE, "memory", MEMORY, DO_CHANGE),
	[TREEFS_TRANCHE_TIME] = BOTH(TRANCHE, "time", TIME, DO_CHANGE),
	[TREEFS_TRANCHE_OWNER] = BOTH(TRANCHE, "owner", OWNER, DO_CHANGE),
	[TREEFS_TRANCHE_VM] = BOTH(TRANCHE, "vm", VM, DO_CHANGE),
	[TREEFS_TRANCHE_STATE] = READ(TRANCHE, "state", STATE),
	[TREEFS_TRANCHE_LIFETIME] = READ(TRANCHE, "lifetime", LIFETIME),
	[TREEFS_TRANCHE_PID] = READ(TRANCHE, "pid", PID),
	[TREEFS_TRANCHE_SOCKET] = READ(TRANCHE, "socket", SOCKET),
};

uint64_t treefs_node_ino(enum treefs_kind kind, const struct treefs_object *object)
{
	return (uint64_t)(object ? object->id : 0) << 8 | kind;
}

bool treefs_node_is_folder(uint64_t ino)
{
	uint64_t kind = ino & 0xff;

	return kind < TREEFS_NR_KINDS && S_ISDIR(rows[kind].mode);
}

/* Is the row's entry, and all below it, about one object?  Then which class? */
static enum treefs_class class_of(enum treefs_kind kind)
{
	for (; kind != TREEFS_ROOT; kind = rows[kind].in)
		if (rows[kind].each)
			return rows[kind].each;
	return TREEFS_NO_CLASS;
}

int treefs_node_get(const struct treefs_tree *tree, uint64_t ino, struct treefs_node *ret)
{
	enum treefs_kind kind = ino & 0xff;
	uint64_t id = ino >> 8;

	if (kind >= TREEFS_NR_KINDS || !rows[kind].mode || id > UINT32_MAX)
		return -ENOENT;
	*ret = (struct treefs_node){ .kind = kind, .row = &rows[kind] };
	if (id == 0)
		return 0;
	if (!tree->is_known)
		return -EIO;
	ret->object = treefs_tree_get(tree, (uint32_t)id);
	return ret->object && ret->object->class == class_of(kind) ? 0 : -ENOENT;
}

/* Is the object one that the folder has an entry for?  Folders that belong to no object have all. */
static bool belongs(const struct treefs_object *o, const struct treefs_object *folder)
{
	return !folder || o->driver == folder || o->parent == folder || o->type == folder;
}

static bool is_type_list(const struct treefs_node *folder)
{
	return folder->kind == TREEFS_TYPES;
}

int treefs_node_lookup(const struct treefs_tree *tree, const struct treefs_node *folder, const char *name,
		       struct treefs_node *ret)
{
	int r = -ENOENT;

	if (!S_ISDIR(folder->row->mode))
		return -ENOTDIR;
	for (enum treefs_kind k = TREEFS_ROOT + 1; k < TREEFS_NR_KINDS; k++) {
		const struct treefs_row *row = &rows[k];
		const struct treefs_object *o = folder->object;

		if (row->in != folder->kind)
			continue;
		if (row->each) {
			if (!tree->is_known) {
				r = -EIO;
				continue;
			}
			o = treefs_tree_find(tree->state, row->each, name, is_type_list(folder) ? folder->object : NULL);
			if (!o || !belongs(o, folder->object))
				continue;
		} else if (strcmp(row->name, name) != 0) {
			continue;
		}
		*ret = (struct treefs_node){ .kind = k, .row = row, .object = o };
		return 0;
	}
	return r;
}

uint64_t treefs_node_above(const struct treefs_node *folder)
{
	const struct treefs_object *o = folder->object;
	enum treefs_kind above = folder->row->in;

	if (o && folder->row->each)
		switch (class_of(above)) {
		case TREEFS_A_PARENT:
			o = o->parent;
			break;
		case TREEFS_A_TYPE:
			o = o->type;
			break;
		case TREEFS_A_DRIVER:
			o = o->driver;
			break;
		case TREEFS_NO_CLASS:
		case TREEFS_A_DEVICE:
			o = NULL;
			break;
		}
	return treefs_node_ino(above, o);
}

/* Cookies: 1 and 2 for the folder itself and the one above, then (object, kind) of each entry, rising. */
static uint64_t cookie_of(enum treefs_kind kind, const struct treefs_object *o, bool is_one_of_many)
{
	return (uint64_t)(is_one_of_many ? o->id : 0) << 8 | kind;
}

static void take_smaller(struct treefs_entry *best, enum treefs_kind kind, const struct treefs_object *o)
{
	const struct treefs_row *row = &rows[kind];
	uint64_t cookie = cookie_of(kind, o, row->each != TREEFS_NO_CLASS);

	if (best->cookie && best->cookie <= cookie)
		return;
	*best = (struct treefs_entry){ .cookie = cookie, .ino = treefs_node_ino(kind, o), .mode = row->mode,
				       .name = row->each ? o->name : row->name };
}

/* The first object behind the cookie that the folder has an entry of this kind for. */
static const struct treefs_object *object_after(const struct treefs_tree *tree, const struct treefs_node *folder,
						enum treefs_kind kind, uint64_t cookie)
{
	uint32_t id = (uint32_t)(cookie >> 8);
	const struct treefs_object *o;

	if (id && kind > (cookie & 0xff))
		id--;
	do {
		o = treefs_tree_after(tree, rows[kind].each, id);
		if (o)
			id = o->id;
	} while (o && !belongs(o, folder->object));
	return o;
}

int treefs_node_next(const struct treefs_tree *tree, const struct treefs_node *folder, uint64_t cookie,
		     struct treefs_entry *ret)
{
	struct treefs_entry best = { 0 };

	if (cookie < 2) {
		bool is_self = cookie == 0;

		*ret = (struct treefs_entry){ .cookie = cookie + 1, .name = is_self ? "." : "..", .mode = DIR_MODE };
		ret->ino = is_self ? treefs_node_ino(folder->kind, folder->object) : treefs_node_above(folder);
		return 1;
	}
	for (enum treefs_kind k = TREEFS_ROOT + 1; k < TREEFS_NR_KINDS; k++) {
		const struct treefs_object *o = folder->object;

		if (rows[k].in != folder->kind)
			continue;
		if (rows[k].each) {
			if (!tree->is_known)
				return -EIO;
			o = object_after(tree, folder, k, cookie);
			if (!o)
				continue;
		} else if (k <= cookie) {
			continue;
		}
		take_smaller(&best, k, o);
	}
	*ret = best;
	return best.cookie != 0;
}

static const char *word_of(const struct treefs_object *o, char letter)
{
	switch (letter) {
	case 'p':
		return o->parent->name;
	case 't':
		return o->type->name;
	case 'u':
		return o->name;
	default:
		return o->driver->name;
	}
}

static size_t expand(const char *text, const struct treefs_object *o, char *ret, size_t len)
{
	size_t at = 0;

	for (; *text; text++) {
		const char *word = *text == '%' ? word_of(o, *++text) : NULL;
		int n = word ? snprintf(ret + at, len - at, "%s", word) : snprintf(ret + at, len - at, "%c", *text);

		if (n < 0 || (size_t)n >= len - at)
			break;
		at += (size_t)n;
	}
	return at;
}

ssize_t treefs_node_text(const struct treefs_node *node, char *ret, size_t len)
{
	const struct treefs_row *row = node->row;

	if (row->text)
		return (ssize_t)expand(row->text, node->object, ret, len);
	if (!row->value)
		return -EACCES;
	return snprintf(ret, len, "%s", node->object->values[row->value]) < (int)len ? (ssize_t)strlen(ret) : (ssize_t)len - 1;
}

void treefs_node_each_entry(const struct treefs_object *object, treefs_entry_fn fn, void *data)
{
	for (enum treefs_kind k = TREEFS_ROOT + 1; k < TREEFS_NR_KINDS; k++) {
		struct treefs_node node = { .kind = k, .row = &rows[k], .object = object };

		if (rows[k].each == object->class)
			fn(data, treefs_node_above(&node), object->name, treefs_node_ino(k, object));
	}
}

/* SPDX-License-Identifier: MIT */
#include "treefs/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int treefs_tree_init(struct treefs_tree *tree)
{
	*tree = (struct treefs_tree){.state = calloc(1, sizeof(struct treefs_state))};
	if (!tree->state)
		return -ENOMEM;
	pthread_rwlock_init(&tree->lock, NULL);
	return 0;
}

void treefs_tree_finish(struct treefs_tree *tree)
{
	treefs_state_destroy(tree->state);
	pthread_rwlock_destroy(&tree->lock);
}

/* The first place in by_id of a number that is not below id. */
static size_t lower_bound(const struct treefs_state *s, uint64_t id)
{
	size_t low = 0, high = s->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->by_id[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct treefs_object *treefs_tree_get(const struct treefs_tree *tree, uint32_t id)
{
	const struct treefs_state *s = tree->state;
	size_t i = lower_bound(s, id);

	return i < s->nr && s->by_id[i]->id == id ? s->by_id[i] : NULL;
}

const struct treefs_object *treefs_tree_after(const struct treefs_tree *tree, enum treefs_class class, uint32_t id)
{
	const struct treefs_state *s = tree->state;

	for (size_t i = lower_bound(s, (uint64_t)id + 1); i < s->nr; i++)
		if (s->by_id[i]->class == class)
			return s->by_id[i];
	return NULL;
}

static int compare_names(const struct treefs_object *a, const struct treefs_object *b)
{
	int r;

	if (a->class != b->class)
		return a->class < b->class ? -1 : 1;
	r = strcmp(a->name, b->name);
	if (r || a->class != TREEFS_A_TYPE)
		return r;
	return strcmp(a->parent->name, b->parent->name);
}

static int by_name(const void *a, const void *b)
{
	return compare_names(*(const struct treefs_object *const *)a, *(const struct treefs_object *const *)b);
}

static int by_id(const void *a, const void *b)
{
	const struct treefs_object *x = *(const struct treefs_object *const *)a,
				   *y = *(const struct treefs_object *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

const struct treefs_object *treefs_tree_find(
	const struct treefs_state *s, enum treefs_class class, const char *name, const struct treefs_object *parent)
{
	size_t low = 0, high = s->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct treefs_object *o = s->by_name[middle];
		int r = o->class != class ? (o->class < class ? -1 : 1) : strcmp(o->name, name);

		if (r == 0 && class == TREEFS_A_TYPE)
			r = strcmp(o->parent->name, parent->name);
		if (r == 0)
			return o;
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool is_same_text(const char *a, const char *b)
{
	return !a || !b ? a == b : !strcmp(a, b);
}

/* The object that was this one in the state before. */
static const struct treefs_object *find_earlier(const struct treefs_state *old, const struct treefs_object *o)
{
	const struct treefs_object *found = treefs_tree_find(old, o->class, o->name, o->parent);

	if (!found || !is_same_text(found->born, o->born))
		return NULL;
	/* One that has moved has other places, too. */
	if (o->class == TREEFS_A_DEVICE && found->type->id != o->type->id)
		return NULL;
	if (o->class == TREEFS_A_TYPE && found->parent->id != o->parent->id)
		return NULL;
	if (o->class == TREEFS_A_PARENT && found->driver->id != o->driver->id)
		return NULL;
	return found;
}

struct treefs_state *treefs_tree_replace(struct treefs_tree *tree, struct treefs_state *state)
{
	struct treefs_state *old = tree->state;

	/* by_name has the classes one after the other: what an object belongs to has its number before it. */
	for (size_t i = 0; i < state->nr; i++) {
		struct treefs_object *o = state->by_name[i];
		const struct treefs_object *earlier = find_earlier(old, o);

		o->id = earlier ? earlier->id : ++tree->last_id;
	}
	qsort(state->by_id, state->nr, sizeof(*state->by_id), by_id);
	tree->state = state;
	return old;
}

static void object_destroy(struct treefs_object *o)
{
	for (size_t i = 0; i < TREEFS_NR_VALUES; i++)
		free(o->values[i]);
	free(o->name);
	free(o->api_name);
	free(o->born);
	free(o);
}

void treefs_state_destroy(struct treefs_state *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->nr; i++)
		object_destroy(s->by_name[i]);
	free(s->by_id);
	free(s->by_name);
	free(s);
}

int treefs_state_add(struct treefs_state *s, struct treefs_object *o)
{
	if (s->nr == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct treefs_object **names = reallocarray(s->by_name, room, sizeof(*names)), **ids;

		if (!names)
			goto no_memory;
		s->by_name = names;
		ids = reallocarray(s->by_id, room, sizeof(*ids));
		if (!ids)
			goto no_memory;
		s->by_id = ids;
		s->room = room;
	}
	s->by_name[s->nr] = s->by_id[s->nr] = o;
	s->nr++;
	return 0;

no_memory:
	object_destroy(o);
	return -ENOMEM;
}

void treefs_state_sort(struct treefs_state *s)
{
	if (s->nr)
		qsort(s->by_name, s->nr, sizeof(*s->by_name), by_name);
}

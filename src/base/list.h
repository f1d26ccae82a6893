/* SPDX-License-Identifier: MIT */
/* Intrusive doubly linked list. A head is a node that points at itself when empty; a removed node too. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct base_list {
	struct base_list *prev, *next;
};

static inline void base_list_init(struct base_list *l)
{
	l->prev = l->next = l;
}

static inline bool base_list_is_empty(const struct base_list *l)
{
	return l->next == l;
}

static inline void base_list_append(struct base_list *head, struct base_list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* Removing a node twice, or one that was only initialised, is harmless. */
static inline void base_list_remove(struct base_list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	base_list_init(node);
}

#define base_container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define base_list_for_each(pos, head, member)                                  \
	for (pos = base_container_of((head)->next, __typeof__(*pos), member);  \
	     &pos->member != (head);                                           \
	     pos = base_container_of(pos->member.next, __typeof__(*pos), member))

/* The body may remove and free pos. */
#define base_list_for_each_safe(pos, tmp, head, member)                        \
	for (pos = base_container_of((head)->next, __typeof__(*pos), member),  \
	    tmp = base_container_of(pos->member.next, __typeof__(*pos), member); \
	     &pos->member != (head);                                           \
	     pos = tmp, tmp = base_container_of(tmp->member.next, __typeof__(*tmp), member))

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What happens when the program forks.  The child shares the parent's socket and memory but none of its threads: all
 * that it inherited counts as lost, is never locked again and never freed, and new sessions connect anew.  Nothing is
 * sent, so the parent notices nothing.  Of the memory of buffers the child has what the program was given pointers to
 * (client_mem_show): the device could not take back what a child has mapped.
 */
#include <errno.h>
#include <stdatomic.h>

#include "base/cleanup.h"
#include "client/session.h"

_Atomic unsigned int client_process_number = 1;

/* Held over fork(), so that the list is whole in the child. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct base_list sessions = { &sessions, &sessions };
static struct client_device **watched;
static size_t nr_watched;

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
	struct client_session *s, *next;

	atomic_fetch_add(&client_process_number, 1);
	base_list_for_each_safe(s, next, &sessions, node) {
		/* Closed, not shut down: the parent uses the connection. */
		s->fd = base_close(s->fd);
		base_list_remove(&s->node);
	}
	for (size_t i = 0; i < nr_watched; i++) {
		watched[i]->live = NULL;
		pthread_mutex_init(&watched[i]->lock, NULL);
	}
	pthread_mutex_unlock(&lock); /* taken by this thread, before */
}

int client_fork_watch_devices(struct client_device **devices, size_t nr)
{
	watched = devices;
	nr_watched = nr;
	return -pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void client_fork_register(struct client_session *s)
{
	pthread_mutex_lock(&lock);
	base_list_append(&sessions, &s->node);
	pthread_mutex_unlock(&lock);
}

void client_fork_unregister(struct client_session *s)
{
	pthread_mutex_lock(&lock);
	base_list_remove(&s->node);
	pthread_mutex_unlock(&lock);
}

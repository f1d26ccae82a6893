/* SPDX-License-Identifier: MIT */
#include "client/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/output.h"
#include "client/refuse.h"
#include "client/transport.h"

/* ----------------------------------------------------------------- loss */

static void print_loss(const struct trn_error *why)
{
	if (secure_getenv("TRANCHE_QUIET"))
		return;
	fprintf(stderr, "tranche: %s\n", why->text);
}

void client_session_lose_locked(struct client_session *s, const struct trn_error *why)
{
	struct client_context *c;

	if (atomic_load(&s->lost))
		return;
	s->why_lost = *why;
	s->why_lost.code = -ESHUTDOWN;
	atomic_store(&s->lost, true);
	if (s->is_up)
		print_loss(&s->why_lost);

	if (s->transport->end_calls_locked)
		s->transport->end_calls_locked(s);
	base_list_for_each(c, &s->contexts, node)
		s->transport->wake_lost(c);
}

void client_session_lose(struct client_session *s, const struct trn_error *why)
{
	pthread_mutex_lock(&s->lock);
	client_session_lose_locked(s, why);
	pthread_mutex_unlock(&s->lock);
}

int client_session_refuse_lost(struct client_session *s, struct trn_error *err)
{
	if (client_session_is_foreign(s))
		return client_refuse(err, -ESHUTDOWN, "Forked", "make a context of its own in the child",
				     "the connection to %s belongs to the parent process", s->device->path);
	/* why_lost does not change once lost is set. */
	return client_refuse(err, -ESHUTDOWN, s->why_lost.name, s->why_lost.hint, "%s", s->why_lost.text);
}

bool client_session_is_lost(const struct client_session *s)
{
	return client_session_is_gone(s);
}

bool client_session_is_coherent(const struct client_session *s)
{
	return s->flags & TRNC_SESSION_COHERENT;
}

bool client_session_has_svm(const struct client_session *s)
{
	return s->features & TRNC_FEATURE_SVM && s->flags & TRNC_SESSION_SVM;
}

/* -------------------------------------------------------------- connect */

/* With device->lock held. The first connection tells what the device is; programs keep what they were told. */
static void learn_device(struct client_session *s, const struct client_facts *facts, struct client_grant *grant)
{
	struct client_device *d = s->device;

	if (d->is_known)
		return;
	d->probe = TAKE_PTR(grant->probe);
	d->probe_len = grant->probe_len;
	memcpy(d->uuid, facts->uuid, sizeof(d->uuid));
	d->quota = grant->quota;
	d->has_svm = client_session_has_svm(s);
	d->is_known = true;
}

static int shake_hands(struct client_session *s, struct trn_error *err)
{
	struct client_facts facts = { 0 };
	struct client_grant grant = { 0 };
	int r;

	r = s->transport->hello(s, &facts, err);
	if (r < 0)
		return r;
	r = client_window_open(s, facts.window_size, facts.features & TRNC_FEATURE_SVM);
	if (r < 0)
		return client_refuse_memory(err);
	s->features = s->window ? facts.features & TRNC_FEATURE_SVM : 0;
	r = s->transport->create(s, &facts, &grant, err);
	if (r < 0)
		return r;
	client_window_trim(s, grant.window_size);
	s->flags = grant.flags;
	client_session_account(s, TRNC_SEGMENT_BUFFER)->limit = grant.quota;
	client_session_account(s, TRNC_SEGMENT_SERVICE)->limit = grant.service;
	learn_device(s, &facts, &grant);
	free(grant.probe);
	pthread_mutex_lock(&s->lock);
	s->is_up = true;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/* Nobody uses it any more. Not for a forked child's copy: its locks may be held by threads that are not here. */
static void destroy_session(struct client_session *s)
{
	struct client_segment *seg, *next;

	client_fork_unregister(s);
	client_output_stop(s);
	base_list_for_each_safe(seg, next, &s->dying, node) {
		base_list_remove(&seg->node);
		free(seg);
	}
	if (s->transport->finish)
		s->transport->finish(s);
	base_close(s->fd);
	client_window_close(s);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->reap_lock);
	pthread_mutex_destroy(&s->output_lock);
	free(s);
}

static struct client_session *new_session(struct client_device *d, int fd)
{
	struct client_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->device = d;
	s->transport = d->transport;
	s->fd = fd;
	s->refs = 1;
	s->process = client_process();
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->reap_lock, NULL);
	pthread_mutex_init(&s->output_lock, NULL);
	base_list_init(&s->node);
	base_list_init(&s->calls);
	base_list_init(&s->dying);
	base_list_init(&s->contexts);
	return s;
}

static int connect_session(struct client_device *d, struct client_session **ret, struct trn_error *err)
{
	_cleanup_close_ int fd = d->transport->connect(d, err);
	struct client_session *s;
	int r;

	if (fd < 0)
		return fd;
	s = new_session(d, fd);
	if (!s)
		return client_refuse_memory(err);
	fd = -1;
	client_fork_register(s);

	r = shake_hands(s, err);
	if (r < 0) {
		destroy_session(s);
		return r;
	}
	*ret = s;
	return 0;
}

int client_session_get(struct client_device *d, struct client_session **ret, struct trn_error *err)
{
	int r = 0;

	pthread_mutex_lock(&d->lock);
	if (d->live)
		d->live->transport->drain(d->live, 0); /* a farewell may be waiting there */
	if (d->live && !client_session_is_lost(d->live)) {
		d->live->refs++;
		*ret = d->live;
	} else {
		d->live = NULL; /* its users keep it alive */
		r = connect_session(d, &d->live, err);
		if (r == 0)
			*ret = d->live;
	}
	pthread_mutex_unlock(&d->lock);
	return r;
}

struct client_session *client_session_ref(struct client_session *s)
{
	if (client_session_is_foreign(s))
		return s;
	pthread_mutex_lock(&s->device->lock);
	s->refs++;
	pthread_mutex_unlock(&s->device->lock);
	return s;
}

struct client_session *client_session_put(struct client_session *s)
{
	struct client_device *d;
	bool is_last;

	/* What a child inherited it leaves alone, memory and all. */
	if (!s || client_session_is_foreign(s))
		return NULL;
	d = s->device;
	pthread_mutex_lock(&d->lock);
	is_last = --s->refs == 0;
	if (is_last && d->live == s)
		d->live = NULL;
	pthread_mutex_unlock(&d->lock);
	if (is_last)
		destroy_session(s);
	return NULL;
}

int client_session_memory(struct client_session *s, struct trnc_memory_reply *ret, struct trn_error *err)
{
	return s->transport->memory(s, ret, err);
}

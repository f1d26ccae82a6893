/* SPDX-License-Identifier: MIT */
/*
 * Sleeping through a guest's driver: each thread by itself, in the ioctl WAIT, which compares with the channel what the thread has
 * seen before it looked at its condition.  What changes in between ends the call at once, so no wake-up is lost.
 *
 * Every wake-up is an interrupt of the virtual machine.  So the driver is told the least count of commands at which the
 * condition can be true, and the host does not wake it before.
 */
#include <errno.h>

#include "base/futex.h"
#include "client/accel.h"

#define LOOK_AGAIN 1
#define NEVER UINT64_MAX

static void see(const struct client_context *c, struct drm_tranche_wait *w)
{
	w->kicks = atomic_load(client_word32(&c->user->kicks));
	w->attention = atomic_load(client_word64(&c->host->attention));
	w->commands = atomic_load(client_word64(&c->host->commands));
}

static uint64_t choose_sequence(const struct client_condition *cond, uint64_t commands)
{
	uint64_t target = cond->target ? cond->target(cond->data) : 0;

	/* Too low a target may have been reached by others' commands: then any news will do. */
	return target > commands ? target : commands + 1;
}

/* The call ended with an error: lost, or the driver does not know the context. */
static int end_by_error(struct client_context *c, const struct client_condition *cond)
{
	if (!client_context_check_lost(c))
		atomic_store(&c->lost, true);
	return cond->done(cond->data) ? 0 : -ESHUTDOWN;
}

static int sleep_once(struct client_context *c, const struct client_condition *cond, int64_t deadline_ns)
{
	struct drm_tranche_wait w = { .context = c->id, .timeout_ns = deadline_ns };
	int r;

	see(c, &w);
	if (cond->done(cond->data))
		return 0;
	if (client_context_check_lost(c))
		return -ESHUTDOWN;
	w.sequence = choose_sequence(cond, w.commands);
	r = client_accel_ioctl(c->session, DRM_IOCTL_TRANCHE_WAIT, &w);
	if (r == -ETIME)
		return cond->done(cond->data) ? 0 : -ETIMEDOUT;
	return r < 0 ? end_by_error(c, cond) : LOOK_AGAIN;
}

int client_accel_sleep(struct client_context *c, const struct client_condition *cond, int64_t deadline_ns)
{
	int r;

	/* Before the look at kicks: who changes them then sees that somebody is to be woken. */
	atomic_fetch_add(&c->nr_sleepers, 1);
	do
		r = sleep_once(c, cond, deadline_ns);
	while (r == LOOK_AGAIN);
	atomic_fetch_sub(&c->nr_sleepers, 1);
	return r;
}

void client_accel_wake(struct client_context *c)
{
	struct drm_tranche_wake wake = { .context = c->id };

	atomic_fetch_add(client_word32(&c->user->kicks), 1);
	if (atomic_load(&c->nr_sleepers))
		client_accel_ioctl_raw(c->session, DRM_IOCTL_TRANCHE_WAKE, &wake);
}

void client_accel_ring(struct client_session *s, uint32_t context, _Atomic uint32_t *flag)
{
	struct drm_tranche_doorbell bell = { .context = context };

	/* Whether it is lost finds out who waits. */
	client_accel_ioctl_raw(s, DRM_IOCTL_TRANCHE_DOORBELL, &bell);
}

/* --------------------------------------------------------------- output */

/* Text counts as attention of every context: one is taken that is not lost, and cannot go meanwhile. */
static struct client_context *pin_context_locked(struct client_session *s)
{
	struct client_accel *a = s->accel;

	for (size_t i = 1; i <= TRNC_MAX_CONTEXTS && !a->pinned; i++) {
		struct client_context *c = atomic_load(&a->contexts[i]);

		if (c && !client_context_is_lost(c))
			a->pinned = c;
	}
	return a->pinned;
}

static void sleep_on(struct client_context *c, const struct client_text *text)
{
	struct drm_tranche_wait w = { .context = c->id, .sequence = NEVER, .timeout_ns = -1 };

	atomic_fetch_add(&c->nr_sleepers, 1);
	see(c, &w);
	/* Who takes the context away does so before it changes kicks, and who wants the thread's end, too. */
	if (atomic_load(&c->session->accel->contexts[c->id]) == c && !text->has_news(text->data) &&
	    client_accel_ioctl(c->session, DRM_IOCTL_TRANCHE_WAIT, &w) < 0 && !client_context_check_lost(c))
		atomic_store(&c->lost, true);
	atomic_fetch_sub(&c->nr_sleepers, 1);
}

/* No context, no kernel that prints. */
static void sleep_without_locked(struct client_session *s, const struct client_text *text)
{
	unsigned int round = s->accel->round;
	bool has_news;

	pthread_mutex_unlock(&s->lock);
	has_news = text->has_news(text->data);
	pthread_mutex_lock(&s->lock);
	while (!has_news && s->accel->round == round)
		pthread_cond_wait(&s->accel->changed, &s->lock);
}

void client_accel_output_sleep(struct client_session *s, const struct client_text *text)
{
	struct client_accel *a = s->accel;
	struct client_context *c;

	atomic_exchange(client_word32(&text->head->user_asleep), 1);
	pthread_mutex_lock(&s->lock);
	c = pin_context_locked(s);
	if (c) {
		pthread_mutex_unlock(&s->lock);
		sleep_on(c, text);
		pthread_mutex_lock(&s->lock);
		a->pinned = NULL;
		pthread_cond_broadcast(&a->changed);
	} else {
		sleep_without_locked(s, text);
	}
	pthread_mutex_unlock(&s->lock);
}

void client_accel_output_wake(struct client_session *s, struct trnc_output *head)
{
	struct client_accel *a = s->accel;

	pthread_mutex_lock(&s->lock);
	a->round++;
	pthread_cond_broadcast(&a->changed);
	if (a->pinned)
		client_accel_wake(a->pinned);
	pthread_mutex_unlock(&s->lock);
}

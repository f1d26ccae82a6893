/* SPDX-License-Identifier: MIT */
#include "executor/wake.h"

#include <unistd.h>

#include "base/log.h"

void exec_waker_init(struct exec_waker *w, int fd)
{
	w->fd = fd;
	pthread_mutex_init(&w->lock, NULL);
	base_list_init(&w->sleepers);
}

void exec_waker_add(struct exec_waker *w, struct exec_sleeper *s, struct trnc_host_page *page,
		    struct trnc_kernel_page *kernel)
{
	s->waker = w;
	s->page = page;
	s->kernel = kernel;
	pthread_mutex_lock(&w->lock);
	base_list_append(&w->sleepers, &s->node);
	pthread_mutex_unlock(&w->lock);
}

void exec_waker_remove(struct exec_sleeper *s)
{
	struct exec_waker *w = s->waker;

	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	base_list_remove(&s->node);
	pthread_mutex_unlock(&w->lock);
}

/* Who takes the flag back wakes, and nobody else. */
static void wake(struct exec_sleeper *s)
{
	_Atomic uint32_t *asleep = (_Atomic uint32_t *)&s->kernel->kernel_asleep;
	uint32_t expected = TRNC_KERNEL_ASLEEP;
	const uint64_t one = 1;

	/* A counter that is full has a wake-up on its way. */
	if (atomic_compare_exchange_strong(asleep, &expected, TRNC_KERNEL_WAKING) &&
	    write(s->waker->fd, &one, sizeof(one)) < 0)
		log_debug("wake-up of a guest: %m");
}

static bool is_asleep(struct exec_sleeper *s)
{
	return atomic_load((_Atomic uint32_t *)&s->kernel->kernel_asleep) == TRNC_KERNEL_ASLEEP;
}

void exec_sleeper_completed(struct exec_sleeper *s)
{
	/* The wish is read after the flag: who lowers it sets the flag again, and then looks at the count. */
	if (is_asleep(s) && atomic_load((_Atomic uint64_t *)&s->page->commands) >=
				    atomic_load((_Atomic uint64_t *)&s->kernel->wake_at))
		wake(s);
}

void exec_sleeper_news(struct exec_sleeper *s)
{
	atomic_fetch_add((_Atomic uint64_t *)&s->page->attention, 1);
	if (is_asleep(s))
		wake(s);
}

void exec_waker_news(struct exec_waker *w)
{
	struct exec_sleeper *s;

	pthread_mutex_lock(&w->lock);
	base_list_for_each(s, &w->sleepers, node)
		exec_sleeper_news(s);
	pthread_mutex_unlock(&w->lock);
}

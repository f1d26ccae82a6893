/* SPDX-License-Identifier: MIT */
#include "parents/compute/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"

struct compute_worker {
	pthread_mutex_t lock; /* protects the lists and the flags */
	struct base_list todo, finished;
	bool is_running; /* the thread will look at todo again */
	bool has_thread; /* there is one to join */
	pthread_t thread;
	int fd; /* eventfd: finished is not empty */
	sd_event_source *io;
};

static struct compute_job *take(struct base_list *list)
{
	struct compute_job *job;

	if (base_list_is_empty(list))
		return NULL;
	job = base_container_of(list->next, struct compute_job, node);
	base_list_remove(&job->node);
	return job;
}

static void *work(void *arg)
{
	struct compute_worker *w = arg;
	struct compute_job *job;

	pthread_mutex_lock(&w->lock);
	while ((job = take(&w->todo))) {
		pthread_mutex_unlock(&w->lock);
		job->run(job);
		pthread_mutex_lock(&w->lock);
		base_list_append(&w->finished, &job->node);
		(void)eventfd_write(w->fd, 1);
	}
	w->is_running = false;
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void finish_jobs(struct compute_worker *w)
{
	for (;;) {
		struct compute_job *job;

		pthread_mutex_lock(&w->lock);
		job = take(&w->finished);
		pthread_mutex_unlock(&w->lock);
		if (!job)
			return;
		job->done(job);
	}
}

static int on_finished(sd_event_source *source, int fd, uint32_t events, void *data)
{
	eventfd_t count;

	(void)eventfd_read(fd, &count);
	finish_jobs(data);
	return 0;
}

int compute_worker_create(sd_event *event, struct compute_worker **ret)
{
	struct compute_worker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	pthread_mutex_init(&w->lock, NULL);
	base_list_init(&w->todo);
	base_list_init(&w->finished);
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = w->fd < 0 ? -errno : sd_event_add_io(event, &w->io, w->fd, EPOLLIN, on_finished, w);
	if (r < 0) {
		compute_worker_destroy(w);
		return r;
	}
	*ret = w;
	return 0;
}

struct compute_worker *compute_worker_destroy(struct compute_worker *w)
{
	if (!w)
		return NULL;
	if (w->has_thread)
		pthread_join(w->thread, NULL);
	finish_jobs(w);
	sd_event_source_disable_unref(w->io);
	base_close(w->fd);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return NULL;
}

/* Signals are the loop's: the thread gets none. */
static bool start_thread(struct compute_worker *w)
{
	sigset_t all, old;
	int r;

	/* One that found nothing to do is at its end: this does not wait. */
	if (w->has_thread)
		pthread_join(w->thread, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&w->thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	w->has_thread = r == 0;
	return w->has_thread;
}

void compute_worker_add(struct compute_worker *w, struct compute_job *job)
{
	bool was_running;

	pthread_mutex_lock(&w->lock);
	base_list_append(&w->todo, &job->node);
	was_running = w->is_running;
	w->is_running = true;
	pthread_mutex_unlock(&w->lock);
	if (!was_running && !start_thread(w))
		work(w);
}

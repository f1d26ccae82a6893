/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "parent/broker_priv.h"

static void start_next(struct parent_broker *b);

static void free_ask(struct broker_ask *a)
{
	a->peer->nr_asks--;
	a->peer->asked_bytes -= a->len;
	base_list_remove(&a->node);
	free(a);
}

static int add_ask(struct broker_job *j, struct broker_peer *p, uint64_t id, size_t len)
{
	struct broker_ask *a = malloc(sizeof(*a));

	if (!a)
		return -ENOMEM;
	*a = (struct broker_ask){ .peer = p, .id = id, .len = len };
	base_list_append(&j->asks, &a->node);
	p->nr_asks++;
	p->asked_bytes += len;
	return 0;
}

/* Who has asked first is who it runs for. */
static struct broker_peer *owner_of(const struct broker_job *j)
{
	return base_container_of(j->asks.next, struct broker_ask, node)->peer;
}

/* ------------------------------------------------------------------- end */

static void free_job(struct broker_job *j)
{
	struct broker_ask *a, *next;

	base_list_for_each_safe(a, next, &j->asks, node)
		free_ask(a);
	base_list_remove(&j->node);
	sd_event_source_disable_unref(j->io);
	base_close(j->sock);
	parent_built_finish(&j->built);
	broker_order_unref(j->order);
	free(j);
}

/* The worker is gone or about to be. */
static void reap(struct broker_job *j)
{
	struct rusage u = { 0 };

	if (!j->pid)
		return;
	while (wait4(j->pid, NULL, 0, &u) < 0 && errno == EINTR) {
	}
	j->pid = 0;
	j->broker->nr_running--;
	broker_count_time(j->broker, j->tag, (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000u +
						     (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000u);
}

void broker_end_job(struct broker_job *j)
{
	if (j->pid) {
		/* Its helper ends with it. */
		kill(-j->pid, SIGKILL);
		kill(j->pid, SIGKILL);
	}
	reap(j);
	free_job(j);
}

void broker_forget_asks(struct broker_peer *p)
{
	struct parent_broker *b = p->broker;
	struct broker_job *j, *next_job;
	struct broker_ask *a, *next;

	base_list_for_each_safe(j, next_job, &b->jobs, node) {
		base_list_for_each_safe(a, next, &j->asks, node)
			if (a->peer == p)
				free_ask(a);
		/* One that is answered still goes to the store. */
		if (base_list_is_empty(&j->asks) && !j->is_answered)
			broker_end_job(j);
	}
	start_next(b);
}

/* ---------------------------------------------------------------- answers */

static void answer_all(struct broker_job *j, int r)
{
	struct broker_ask *a, *next;

	base_list_for_each_safe(a, next, &j->asks, node) {
		if (r < 0)
			broker_peer_refuse(a->peer, a->id, r, "a program cannot be compiled here");
		else
			broker_peer_answer(a->peer, a->id, &j->built, j->built.flags);
		free_ask(a);
	}
}

static int on_worker(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct broker_job *j = data;
	struct parent_broker *b = j->broker;
	int r;

	if (!j->is_answered) {
		r = parent_work_receive(j->sock, &j->built, &j->expected);
		if (r == 0)
			return 0;
		answer_all(j, r);
		j->is_answered = true;
		j->has_failed = r < 0;
		return 0;
	}
	/* What it says after a failure is for nobody, but it must not be left waiting, nor we for its disk. */
	if (!parent_work_has_ended(j->sock))
		return 0;
	reap(j);
	free_job(j);
	start_next(b);
	broker_go_on(b);
	return 0;
}

/* ----------------------------------------------------------------- begin */

static int start(struct broker_job *j)
{
	struct parent_broker *b = j->broker;
	int r = parent_work_start(&j->work, &j->pid, &j->sock);

	if (r < 0) {
		j->pid = 0;
		return r;
	}
	b->nr_running++;
	j->tag = owner_of(j)->tag;
	broker_count(b, j->tag, false);
	return sd_event_add_io(b->process->event, &j->io, j->sock, EPOLLIN, on_worker, j);
}

static unsigned int running_for(const struct parent_broker *b, const struct broker_peer *p)
{
	const struct broker_job *j;
	unsigned int nr = 0;

	base_list_for_each(j, &b->jobs, node)
		nr += j->pid && !base_list_is_empty(&j->asks) && owner_of(j) == p;
	return nr;
}

/* Of those who wait for it, who has least running. */
static unsigned int least_running(const struct broker_job *j)
{
	const struct broker_ask *a;
	unsigned int least = ~0u;

	base_list_for_each(a, &j->asks, node) {
		unsigned int nr = running_for(j->broker, a->peer);

		if (nr < least)
			least = nr;
	}
	return least;
}

/* Of those that wait: the first one of the peer for whom least is running. */
static struct broker_job *pick(struct parent_broker *b, unsigned int *least)
{
	struct broker_job *j, *best = NULL;

	*least = ~0u;
	base_list_for_each(j, &b->jobs, node) {
		unsigned int nr;

		if (j->pid || j->is_answered || base_list_is_empty(&j->asks))
			continue;
		nr = least_running(j);
		if (nr < *least) {
			*least = nr;
			best = j;
		}
	}
	return best;
}

/* Who has nothing running need not wait for others: they may have asked for what never ends. */
static void start_next(struct parent_broker *b)
{
	struct broker_job *j;
	unsigned int least;

	while (!b->is_ending && (j = pick(b, &least)) && (b->nr_running < b->max_running || least == 0)) {
		int r = start(j);

		if (r < 0) {
			answer_all(j, r);
			broker_end_job(j);
		}
	}
}

static struct broker_job *find_job(struct parent_broker *b, const struct parent_key *key)
{
	struct broker_job *j;

	base_list_for_each(j, &b->jobs, node)
		if (memcmp(&j->work.key, key, sizeof(*key)) == 0 && !j->has_failed)
			return j;
	return NULL;
}

bool broker_is_building(const struct parent_broker *b, const struct parent_key *key)
{
	const struct broker_job *j;

	base_list_for_each(j, &b->jobs, node)
		if (memcmp(&j->work.key, key, sizeof(*key)) == 0)
			return true;
	return false;
}

static struct broker_job *new_job(struct parent_broker *b, struct broker_order *o, const struct parent_key *key,
				  const struct parent_fate *fate)
{
	struct broker_job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->broker = b;
	j->sock = -1;
	j->order = o;
	o->refs++;
	j->work = (struct parent_work){
		.process = b->process, .store = b->store, .scratch = b->scratch, .key = *key, .fate = *fate,
		.order = &o->head, .order_len = o->len, .is_guest = o->is_guest,
	};
	parent_built_init(&j->built);
	base_list_init(&j->asks);
	base_list_append(&b->jobs, &j->node);
	return j;
}

static void answer_stored(struct broker_peer *p, uint64_t id, const struct parent_built *b, uint32_t flags)
{
	/* First: who has its program may ask for the count. */
	broker_count(p->broker, p->tag, true);
	broker_peer_answer(p, id, b, flags | TRNC_BROKER_REPLY_STORED);
}

/* Somebody else has asked for it just now. What is not storable may differ from one moment to the next. */
static bool join(struct broker_peer *p, uint64_t id, size_t len, const struct parent_key *key,
		 const struct parent_fate *fate)
{
	struct broker_job *j = fate->is_storable ? find_job(p->broker, key) : NULL;

	if (!j)
		return false;
	if (j->is_answered)
		answer_stored(p, id, &j->built, fate->reads_files ? 0 : TRNC_BROKER_REPLY_FINAL);
	else
		return add_ask(j, p, id, len) == 0;
	return true;
}

static bool answer_from_store(struct broker_peer *p, uint64_t id, const struct broker_order *order,
			      const struct parent_key *key)
{
	struct parent_built found;

	if (!p->broker->store || parent_store_get(p->broker->store, key, &found) < 0)
		return false;
	answer_stored(p, id, &found, found.flags);
	parent_built_finish(&found);
	if (order->head.device == TRNC_BROKER_MAIN)
		broker_found(p->broker, order, key);
	return true;
}

void broker_compile(struct broker_peer *p, uint64_t id, struct broker_order *order)
{
	struct parent_broker *b = p->broker;
	struct parent_fate fate;
	struct parent_key key;
	struct broker_job *j;
	int r = broker_find_key(b, order, order->head.device, &key, &fate);

	if (r < 0) {
		broker_peer_refuse(p, id, r, "a program's request");
		return;
	}
	if (join(p, id, order->len, &key, &fate) || (fate.is_storable && answer_from_store(p, id, order, &key)))
		return;
	j = new_job(b, order, &key, &fate);
	if (!j || add_ask(j, p, id, order->len) < 0) {
		broker_peer_refuse(p, id, -ENOMEM, "a program's request");
		if (j)
			broker_end_job(j);
		return;
	}
	start_next(b);
}

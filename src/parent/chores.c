/* SPDX-License-Identifier: MIT */
/* Work-group functions that programs have used, made for those who come after them: one program at a time, nicely. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "parent/broker_priv.h"

/* A program's first launches come together. */
#define DELAY_US 20000u
#define MAX_CHORES 64u

static void arm(struct parent_broker *b, uint64_t delay_us);

static void free_chore(struct broker_chore *c)
{
	base_list_remove(&c->node);
	broker_order_unref(c->order);
	free(c);
}

/* The order with its variants, as a worker gets it. malloc'ed. */
static uint8_t *make_order(const struct broker_chore *c, size_t *ret_len)
{
	struct trnc_broker_compile head = c->order->head;
	size_t variants = c->nr_variants * sizeof(c->variants[0]), rest = c->order->len - sizeof(head);
	uint8_t *bytes = malloc(sizeof(head) + variants + rest);

	if (!bytes)
		return NULL;
	head.device = TRNC_BROKER_QUICK;
	head.nr_variants = c->nr_variants;
	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), c->variants, variants);
	memcpy(bytes + sizeof(head) + variants, c->order->rest, rest);
	*ret_len = sizeof(head) + variants + rest;
	return bytes;
}

static int start(struct broker_chore *c, pid_t *ret_pid, int *ret_sock)
{
	_cleanup_free_ uint8_t *order = make_order(c, &c->work.order_len);

	if (!order)
		return -ENOMEM;
	c->work.order = order;
	return parent_work_start(&c->work, ret_pid, ret_sock);
}

static int on_done(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct parent_broker *b = data;

	while (waitpid(b->chore_pid, NULL, 0) < 0 && errno == EINTR) {
	}
	b->chore_pid = 0;
	b->chore_io = sd_event_source_disable_unref(b->chore_io);
	b->chore_sock = base_close(b->chore_sock);
	arm(b, b->is_ending ? 0 : DELAY_US);
	return 0;
}

/* The first one whose program is in the store: that may be under way. */
static struct broker_chore *pick(const struct parent_broker *b)
{
	struct broker_chore *c;

	base_list_for_each(c, &b->chores, node)
		if (!broker_is_building(b, &c->work.key))
			return c;
	return NULL;
}

static int on_time(sd_event_source *source, uint64_t usec, void *data)
{
	struct parent_broker *b = data;
	struct broker_chore *c;
	int r;

	c = b->chore_pid ? NULL : pick(b);
	if (!c)
		return 0; /* the end of what is under way brings us back */
	r = start(c, &b->chore_pid, &b->chore_sock);
	free_chore(c);
	if (r == 0)
		r = sd_event_add_io(b->process->event, &b->chore_io, b->chore_sock, EPOLLIN, on_done, b);
	if (r < 0)
		log_debug("work-group functions are not made: %s", strerror(-r));
	return 0;
}

static void arm(struct parent_broker *b, uint64_t delay_us)
{
	if (b->chore_pid || base_list_is_empty(&b->chores))
		return;
	b->chore_timer = sd_event_source_disable_unref(b->chore_timer);
	(void)sd_event_add_time_relative(b->process->event, &b->chore_timer, CLOCK_MONOTONIC, delay_us, 1000, on_time, b);
}

static struct broker_chore *find(struct parent_broker *b, const struct parent_key *key)
{
	struct broker_chore *c;
	unsigned int nr = 0;

	base_list_for_each(c, &b->chores, node) {
		if (memcmp(&c->work.key, key, sizeof(*key)) == 0)
			return c;
		nr++;
	}
	if (nr == MAX_CHORES)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (c)
		base_list_append(&b->chores, &c->node);
	return c;
}

static bool has_variant(const struct broker_chore *c, const struct trnc_broker_variant *v)
{
	for (uint32_t i = 0; i < c->nr_variants; i++)
		if (memcmp(&c->variants[i], v, sizeof(*v)) == 0)
			return true;
	return false;
}

/* The chore of a program, to which wishes can be added; NULL: it is not stored. */
static struct broker_chore *chore_of(struct parent_broker *b, const struct broker_order *order)
{
	struct parent_key main, quick;
	struct parent_fate fate;
	struct broker_chore *c;

	if (!b->store || broker_find_key(b, order, TRNC_BROKER_MAIN, &main, &fate) < 0 || !fate.is_storable ||
	    broker_find_key(b, order, TRNC_BROKER_QUICK, &quick, &fate) < 0)
		return NULL;
	c = find(b, &main);
	if (!c || c->order)
		return c;
	c->order = (struct broker_order *)(uintptr_t)order;
	c->order->refs++;
	c->work = (struct parent_work){
		.process = b->process, .store = b->store, .scratch = b->scratch,
		.key = main, .quick = quick, .fate = fate, .is_background = true,
		.is_guest = order->is_guest,
	};
	return c;
}

static void add_variants(struct broker_chore *c, const struct trnc_broker_variant *variants, uint32_t nr)
{
	for (uint32_t i = 0; i < nr && c->nr_variants < TRNC_BROKER_MAX_VARIANTS; i++)
		if (!has_variant(c, &variants[i]))
			c->variants[c->nr_variants++] = variants[i];
}

void broker_used(struct parent_broker *b, const struct broker_order *order, const struct trnc_broker_variant *variants,
		 uint32_t nr)
{
	struct broker_chore *c = chore_of(b, order);

	if (!c)
		return;
	add_variants(c, variants, nr);
	/* We may end before it is done. */
	parent_store_want(b->store, &c->work.key, variants, nr);
	arm(b, DELAY_US);
}

void broker_found(struct parent_broker *b, const struct broker_order *order, const struct parent_key *key)
{
	struct trnc_broker_variant list[TRNC_BROKER_MAX_VARIANTS];
	uint32_t nr = parent_store_wanted(b->store, key, list);
	struct broker_chore *c = nr ? chore_of(b, order) : NULL;

	if (!c)
		return;
	add_variants(c, list, nr);
	arm(b, 0);
}

void broker_go_on(struct parent_broker *b)
{
	arm(b, 0);
}

void broker_end_chores(struct parent_broker *b)
{
	struct broker_chore *c, *next;

	if (b->chore_pid) {
		/* Its helper ends with it. */
		kill(-b->chore_pid, SIGKILL);
		kill(b->chore_pid, SIGKILL);
		while (waitpid(b->chore_pid, NULL, 0) < 0 && errno == EINTR) {
		}
	}
	b->chore_timer = sd_event_source_disable_unref(b->chore_timer);
	b->chore_io = sd_event_source_disable_unref(b->chore_io);
	base_close(b->chore_sock);
	base_list_for_each_safe(c, next, &b->chores, node)
		free_chore(c);
}

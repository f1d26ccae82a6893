/* SPDX-License-Identifier: MIT */
/*
 * What devices used, second by second.
 *
 * Nothing is asked while nothing can change: a device without users has used what it had used before, and tells when that
 * is over (process.h, changed()).  So an idle host has no wake-ups at all.  While devices are used, they and their tranche-parent are asked
 * every second when somebody has looked within the last minute, else every five seconds: a page that is opened then
 * shows the minutes before, in means of five seconds.  Times without samples are times without use.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/manager_priv.h"

#define SAMPLES 300u
#define NS 1000000000ull
#define LOOK_NS (60 * NS)
#define CHECK_NS (2 * NS)
#define SLOW_US 5000000u
#define FAST_US 1000000u

struct manager_history {
	uint64_t last_ns; /* up to when it is filled */
	unsigned int nr, at; /* the next one goes there */
	float share[SAMPLES];
	uint64_t memory[SAMPLES];
};

void daemon_history_free(struct manager_history *h)
{
	free(h);
}

static void push(struct manager_history *h, unsigned int nr, double share, uint64_t memory)
{
	for (; nr; nr--) {
		h->share[h->at] = (float)share;
		h->memory[h->at] = memory;
		h->at = (h->at + 1) % SAMPLES;
		h->nr += h->nr < SAMPLES;
	}
}

/* A gap is longer than the slowest round: nobody used anything then. */
static void fill_gap(struct manager_history *h, uint64_t now, uint64_t memory)
{
	uint64_t missing = (now - h->last_ns) / NS;

	if (missing * NS <= SLOW_US * 1000ull + NS)
		return;
	missing--;
	push(h, missing > SAMPLES ? SAMPLES : (unsigned int)missing, 0, memory);
	h->last_ns += missing * NS;
}

static void add_sample(struct manager_history **at, uint64_t now, double share, uint64_t memory)
{
	struct manager_history *h = *at;
	uint64_t due;

	if (!h) {
		h = *at = calloc(1, sizeof(*h));
		if (!h)
			return;
		h->last_ns = now - NS;
	}
	fill_gap(h, now, memory);
	/* Timers are a little early or late: half a second belongs to the nearer one. */
	due = (now - h->last_ns + NS / 2) / NS;
	push(h, (unsigned int)due, share, memory);
	h->last_ns += due * NS;
}

/* ------------------------------------------------------------ asking */

static bool is_sampled(const struct manager_device *dev)
{
	return dev->state == MANAGER_RUNNING && (daemon_device_is_in_use(dev) || dev->share > 0);
}

static struct manager_device *device_of(struct manager_parent *p, const unsigned char uuid[16])
{
	char text[TRN_UUID_SIZE];
	struct manager_device *dev;
	char *s = text;

	for (int i = 0; i < 16; i++) {
		static const char digits[] = "0123456789abcdef";

		if (i == 4 || i == 6 || i == 8 || i == 10)
			*s++ = '-';
		*s++ = digits[uuid[i] >> 4];
		*s++ = digits[uuid[i] & 15];
	}
	*s = '\0';
	dev = daemon_device_find(p->d, text);
	return dev && dev->parent == p ? dev : NULL;
}

/* before_ns: 0: these are the first accounts, which say nothing about a time. */
static void take_account(struct manager_device *dev, const struct trnc_parent_account *a, uint64_t span_ns)
{
	uint64_t busy = a->busy_ns - dev->account.busy_ns;

	dev->share = span_ns && a->busy_ns >= dev->account.busy_ns ? (double)busy / (double)span_ns : 0;
	if (dev->share > 1)
		dev->share = 1;
	dev->account = *a;
}

static void accounts_known(void *data, const struct trnc_parent_accounts *head, const struct trnc_parent_account *accounts,
			   const struct trn_error *err)
{
	struct manager_parent *p = data;
	uint64_t span = 0, now = daemon_now_ns();
	struct manager_device *dev;

	if (err)
		return;
	if (p->accounts_ns && head->now_ns > p->accounts_ns)
		span = head->now_ns - p->accounts_ns;
	p->accounts_ns = head->now_ns;
	p->busy_ns = head->busy_ns;
	p->use = 0;
	base_list_for_each(dev, &p->d->devices, node)
		if (dev->parent == p)
			dev->share = 0;
	for (uint32_t i = 0; i < head->nr; i++) {
		dev = device_of(p, accounts[i].uuid);
		if (!dev)
			continue;
		take_account(dev, &accounts[i], span);
		p->use += dev->share;
	}
	if (p->use > 1)
		p->use = 1;
	add_sample(&p->history, now, p->use, 0);
	base_list_for_each(dev, &p->d->devices, node)
		if (dev->parent == p && daemon_device_is_visible(dev))
			add_sample(&dev->history, now, dev->share, dev->stats.used);
}

static void stats_known(void *data, const struct trnc_control_stats *stats, const struct trn_error *err)
{
	struct manager_device *dev = data;

	dev->is_asked = false;
	if (!stats)
		return;
	dev->stats = *stats;
	if (!dev->parent->is_compute)
		add_sample(&dev->history, daemon_now_ns(), 0, stats->used);
}

static void ask(struct daemon *d)
{
	struct manager_device *dev;
	struct manager_parent *p;

	base_list_for_each(dev, &d->devices, node) {
		if (!is_sampled(dev) || dev->is_asked)
			continue;
		dev->is_asked = daemon_process_stats(dev->process, stats_known, dev) >= 0;
	}
	base_list_for_each(p, &d->parents, node) {
		bool any = false;

		base_list_for_each(dev, &d->devices, node)
			any |= dev->parent == p && is_sampled(dev);
		if (any && p->sharer && p->is_up)
			(void)daemon_sharer_accounts(p->sharer, accounts_known, p);
		else
			p->use = 0;
	}
}

void daemon_history_account(struct manager_parent *p)
{
	if (p->sharer && p->is_up)
		(void)daemon_sharer_accounts(p->sharer, accounts_known, p);
}

/* Those who are not sampled may hang unseen: who looks sees how it is a few seconds later. */
static void check_answers(struct daemon *d, uint64_t now)
{
	struct manager_device *dev;

	if (d->asked_all_ns && now - d->asked_all_ns < CHECK_NS)
		return;
	base_list_for_each(dev, &d->devices, node) {
		if (dev->state != MANAGER_RUNNING || is_sampled(dev))
			continue;
		d->asked_all_ns = now;
		daemon_device_check_answers(dev);
	}
}

/* ------------------------------------------------------------ when */

/* 0: not at all */
static uint64_t interval_us(const struct daemon *d)
{
	const struct manager_device *dev;

	base_list_for_each(dev, &d->devices, node)
		if (is_sampled(dev))
			return d->looked_ns && daemon_now_ns() - d->looked_ns < LOOK_NS ? FAST_US : SLOW_US;
	return 0;
}

static int sample(sd_event_source *source, uint64_t usec, void *data);

static void arm(struct daemon *d, bool sooner)
{
	uint64_t in_us = interval_us(d), since_us = (daemon_now_ns() - d->sampled_ns) / 1000;
	uint64_t now;
	int is_on = SD_EVENT_OFF;

	if (!in_us) {
		if (d->sample_source)
			(void)sd_event_source_set_enabled(d->sample_source, SD_EVENT_OFF);
		return;
	}
	if (d->sample_source)
		(void)sd_event_source_get_enabled(d->sample_source, &is_on);
	if (is_on != SD_EVENT_OFF && !sooner)
		return;
	in_us = since_us >= in_us ? 1 : in_us - since_us;
	if (sd_event_now(d->event, CLOCK_MONOTONIC, &now) < 0)
		return;
	if (!d->sample_source) {
		(void)sd_event_add_time(d->event, &d->sample_source, CLOCK_MONOTONIC, now + in_us, 20000, sample, d);
		return;
	}
	(void)sd_event_source_set_time(d->sample_source, now + in_us);
	(void)sd_event_source_set_enabled(d->sample_source, SD_EVENT_ONESHOT);
}

static int sample(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon *d = data;

	d->sampled_ns = daemon_now_ns();
	ask(d);
	arm(d, false);
	return 0;
}

void daemon_history_wake(struct daemon *d)
{
	arm(d, false);
}

void daemon_looked(struct daemon *d)
{
	uint64_t now = daemon_now_ns();
	bool was_slow = !d->looked_ns || now - d->looked_ns >= LOOK_NS;

	d->looked_ns = now;
	check_answers(d, now);
	arm(d, was_slow);
}

/* ------------------------------------------------------------ answers */

static json_t *shares_json(const struct manager_history *h)
{
	json_t *list = json_array();

	for (unsigned int i = 0; h && i < h->nr; i++) {
		double share = (double)h->share[(h->at + SAMPLES - h->nr + i) % SAMPLES];

		json_array_append_new(list, json_real((double)(long)(share * 10000 + 0.5) / 10000));
	}
	return list;
}

static json_t *memory_json(const struct manager_history *h)
{
	json_t *list = json_array();

	for (unsigned int i = 0; h && i < h->nr; i++)
		json_array_append_new(list, json_integer((json_int_t)h->memory[(h->at + SAMPLES - h->nr + i) % SAMPLES]));
	return list;
}

static json_t *parents_json(struct daemon *d, uint64_t now)
{
	json_t *json = json_object();
	struct manager_parent *p;

	base_list_for_each(p, &d->parents, node) {
		if (p->history)
			fill_gap(p->history, now, 0);
		json_object_set_new(json, p->name, json_pack("{s:o}", "use", shares_json(p->history)));
	}
	return json;
}

int daemon_get_history(struct daemon *d, const struct daemon_peer *peer, const char *uuid, json_t **ret, struct trn_error *err)
{
	struct manager_device *dev, *only = NULL;
	uint64_t now_ns = daemon_now_ns();
	struct timespec now;
	json_t *devices;
	struct trn_error own = { 0 };
	int r = daemon_check_right(peer, DAEMON_READ, err = err ? err : &own);

	if (r >= 0 && uuid)
		r = daemon_device_get(d, uuid, &only, err);
	if (r < 0)
		return r;
	daemon_looked(d);
	clock_gettime(CLOCK_REALTIME, &now);
	devices = json_object();
	base_list_for_each(dev, &d->devices, node) {
		if (!daemon_device_is_visible(dev) || (only && dev != only))
			continue;
		if (dev->history)
			fill_gap(dev->history, now_ns, dev->stats.used);
		json_object_set_new(devices, dev->spec.uuid, json_pack("{s:s, s:o, s:o}", "parent", dev->parent->name, "share",
								       shares_json(dev->history), "memory", memory_json(dev->history)));
	}
	*ret = json_pack("{s:i, s:i, s:o, s:o, s:o}", "interval_ms", 1000, "samples", (int)SAMPLES, "now", daemon_instant_json(&now),
			 "parents", only ? json_object() : parents_json(d, now_ns), "devices", devices);
	return *ret ? 0 : daemon_no_memory(err);
}

/* SPDX-License-Identifier: MIT */
/* What tranched asks: schedules, accounts, and the end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/futex.h"
#include "parent/census.h"
#include "parent/shared.h"

#define MIN_SLICE_US 500u
#define MAX_SLICE_US 100000u

static void reply_info(struct parent_link *l, const struct parent_message *m)
{
	const struct parent_hub *h = l->hub;
	const struct parent_schedule *s = parent_gate_schedule(h->gate);
	struct trnc_parent_info info = {
		.policy = s->policy,
		.slice_us = (uint32_t)(s->slice_ns / 1000),
		.pid = getpid(),
		.time_joined = parent_member_time_joined(h),
		.memory = h->options.memory,
		.memory_joined = parent_member_memory_joined(h),
		.compiled = h->counts.compiled,
		.stored = h->counts.stored,
	};
	const struct parent_member *d;
	const struct parent_runner *r;

	base_list_for_each(d, &h->members, node)
		info.nr_devices++;
	base_list_for_each(r, &h->runners, node)
		info.nr_executors += r->member != NULL;
	parent_link_reply(l, &m->head, &info, sizeof(info), -1);
}

int parent_manager_manage(struct parent_link *l, const struct parent_message *m, struct trn_error *err)
{
	int r = parent_message_body(m, NULL, 0, 0, err);

	if (r < 0)
		return r;
	l->kind = PARENT_LINK_MANAGER;
	reply_info(l, m);
	return 0;
}

int parent_manager_schedule(struct parent_link *l, const struct parent_message *m, struct trn_error *err)
{
	struct trnc_parent_schedule s;
	int r = parent_message_body(m, &s, sizeof(s), 0, err);

	if (r < 0)
		return r;
	if (s.policy > TRNC_POLICY_FIXED) {
		trn_error_set(err, -EINVAL, "BadPolicy", "there is no policy %u", s.policy);
		return trn_error_hint(err, "0 is best effort, 1 equal share, 2 fixed share");
	}
	if (s.slice_us && (s.slice_us < MIN_SLICE_US || s.slice_us > MAX_SLICE_US)) {
		trn_error_set(err, -EINVAL, "BadSlice", "a slice of %u us is not between %u and %u", s.slice_us, MIN_SLICE_US,
			      MAX_SLICE_US);
		return trn_error_hint(err, "5000 us are a good slice");
	}
	parent_gate_set(l->hub->gate, s.policy, s.slice_us);
	reply_info(l, m);
	return 0;
}

/* --------------------------------------------------------------- accounts */

void parent_manager_account(const struct parent_hub *h, const struct parent_member *d, struct trnc_parent_account *ret)
{
	struct parent_runner *r;

	*ret = (struct trnc_parent_account){ .cpu_ns = d->ended_ns, .time = d->share.time };
	memcpy(ret->uuid, d->uuid, sizeof(ret->uuid));
	base_list_for_each(r, &h->runners, node) {
		struct parent_census c;

		if (r->member != d)
			continue;
		parent_census_look(r->pid, true, &c);
		if (c.cpu_ns > r->children_ns)
			r->children_ns = c.cpu_ns;
		ret->cpu_ns += parent_runner_cpu_ns(r);
		ret->memory_behind += c.private_bytes;
		ret->executors++;
	}
	parent_gate_account(h->gate, d, ret);
}

int parent_manager_accounts(struct parent_link *l, const struct parent_message *m, struct trn_error *err)
{
	struct parent_hub *h = l->hub;
	struct trnc_parent_accounts head = { .now_ns = base_clock_ns() };
	uint64_t busy_ns = h->left_ns;
	_cleanup_free_ uint8_t *body = NULL;
	const struct parent_member *d;
	int r = parent_message_body(m, NULL, 0, 0, err);

	if (r < 0)
		return r;
	base_list_for_each(d, &h->members, node)
		head.nr++;
	body = malloc(sizeof(head) + head.nr * sizeof(struct trnc_parent_account));
	if (!body)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the accounts");
	head.nr = 0;
	base_list_for_each(d, &h->members, node) {
		struct trnc_parent_account a;

		parent_manager_account(h, d, &a);
		busy_ns += a.busy_ns;
		memcpy(body + sizeof(head) + head.nr++ * sizeof(a), &a, sizeof(a));
	}
	/* It never falls: what was counted once of a child that is gone is not seen twice. */
	if (busy_ns > h->busy_ns)
		h->busy_ns = busy_ns;
	head.busy_ns = h->busy_ns;
	memcpy(body, &head, sizeof(head));
	parent_link_reply(l, &m->head, body, sizeof(head) + head.nr * sizeof(struct trnc_parent_account), -1);
	return 0;
}

int parent_manager_quit(struct parent_link *l, const struct parent_message *m, struct trn_error *err)
{
	struct parent_hub *h = l->hub;
	int r = parent_message_body(m, NULL, 0, 0, err);

	if (r < 0)
		return r;
	if (!base_list_is_empty(&h->members)) {
		trn_error_set(err, -EBUSY, "InUse", "devices have joined %s", h->options.name);
		return trn_error_hint(err, "stop them first");
	}
	h->is_ending = true;
	parent_link_reply(l, &m->head, NULL, 0, -1);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Who gets a compute parent's time: kept for this boot (manager_kept.c), else as configured, else best effort. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "daemon/manager_priv.h"

#define DEFAULT_SLICE_US 5000u

static const char *const policy_names[] = { "best-effort", "equal", "fixed" };


static const struct daemon_parent_config *config_of(const struct manager_parent *p)
{
	const struct daemon_config *c = p->d->config;

	for (size_t i = 0; i < c->nr_parents; i++)
		if (!strcmp(c->parents[i].name, p->name))
			return &c->parents[i];
	return NULL;
}

static int policy_of(const char *text, uint32_t *ret)
{
	for (uint32_t i = 0; text && i < 3; i++) {
		if (strcmp(policy_names[i], text))
			continue;
		*ret = i;
		return 0;
	}
	return -EINVAL;
}

void daemon_schedule_init(struct manager_parent *p)
{
	const struct daemon_parent_config *config = config_of(p);
	struct trnc_parent_schedule s = { .slice_us = DEFAULT_SLICE_US };
	json_t *kept, *mine;
	uint32_t policy;

	if (!p->is_compute)
		return;
	if (config && config->has_policy)
		s.policy = (uint32_t)config->policy;
	if (config && config->slice_us)
		s.slice_us = config->slice_us;
	kept = daemon_kept_load(p->d, p->name);
	mine = json_object_get(kept, "schedule");
	if (mine && policy_of(json_string_value(json_object_get(mine, "policy")), &policy) >= 0) {
		json_int_t slice = json_integer_value(json_object_get(mine, "slice_us"));

		s.policy = policy;
		if (slice >= 500 && slice <= 100000)
			s.slice_us = (uint32_t)slice;
	}
	json_decref(kept);
	p->schedule = s;
}

json_t *daemon_schedule_json(const struct manager_parent *p)
{
	if (!p->is_compute)
		return json_null();
	return json_pack("{s:s, s:f}", "policy", policy_names[p->schedule.policy], "slice_ms", p->schedule.slice_us / 1000.0);
}

static void pushed(void *data, const struct trnc_parent_info *info, const struct trn_error *err)
{
	if (err)
		base_log_error(BASE_LOG_WARNING, err);
}

void daemon_schedule_push(struct manager_parent *p)
{
	if (p->sharer && p->is_up)
		(void)daemon_sharer_schedule(p->sharer, &p->schedule, pushed, NULL);
}

static int read_policy(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct trnc_parent_schedule *s = data;

	if (policy_of(json_string_value(value), &s->policy) < 0)
		return daemon_json_refuse(err, name, value, "\"best-effort\", \"equal\" or \"fixed\"");
	return 0;
}

static int read_slice(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct trnc_parent_schedule *s = data;
	double ms = json_number_value(value);

	if (!json_is_number(value) || !(ms >= 0.5 && ms <= 100.0))
		return daemon_json_refuse(err, name, value, "milliseconds from 0.5 to 100");
	s->slice_us = (uint32_t)lround(ms * 1000);
	return 0;
}

static int get_scheduled(struct daemon *d, const char *name, struct manager_parent **ret, struct trn_error *err)
{
	int r = daemon_parent_get(d, name, ret, err);

	if (r >= 0 && !(*ret)->is_compute) {
		trn_error_set(err, -EOPNOTSUPP, "NoSchedule", "parent %s has no time to be shared out", name);
		return trn_error_hint(err, "only compute parents have a schedule");
	}
	return r;
}

int daemon_get_schedule(struct daemon *d, const struct daemon_peer *peer, const char *parent, json_t **ret, struct trn_error *err)
{
	struct manager_parent *p;
	struct trn_error own = { 0 };
	int r = daemon_check_right(peer, DAEMON_READ, err = err ? err : &own);

	if (r >= 0)
		r = get_scheduled(d, parent, &p, err);
	if (r < 0)
		return r;
	*ret = daemon_schedule_json(p);
	return *ret ? 0 : daemon_no_memory(err);
}

static void keep(struct manager_parent *p)
{
	json_t *kept = daemon_kept_load(p->d, p->name);
	struct trn_error err = { 0 };
	char key[80];

	json_object_set_new(kept, "schedule", json_pack("{s:s, s:I}", "policy", policy_names[p->schedule.policy], "slice_us",
							(json_int_t)p->schedule.slice_us));
	snprintf(key, sizeof(key), "kept:%s", p->name);
	daemon_problem_over(p->d, "kept", p->name);
	/* It works now; what could be lost is that it does after a restart. */
	if (daemon_kept_save(p->d, p->name, kept, &err) < 0)
		daemon_problem_set(p->d, key, &err, NULL);
	json_decref(kept);
}

static int patch(struct daemon *d, const struct daemon_peer *peer, const char *name, json_t *body, struct manager_parent **ret,
		 struct trn_error *err)
{
	static const struct daemon_field fields[] = { { "policy", 1, read_policy }, { "slice_ms", 1, read_slice } };
	struct trnc_parent_schedule s;
	struct manager_parent *p;
	int r = daemon_check_right(peer, DAEMON_ADMIN, err);

	if (r >= 0)
		r = get_scheduled(d, name, &p, err);
	if (r >= 0)
		r = daemon_parent_check_stays(p, err);
	if (r < 0)
		return r;
	s = p->schedule;
	r = daemon_json_read(body, fields, 2, 1, &s, err);
	if (r < 0)
		return r;
	p->schedule = s;
	*ret = p;
	return 0;
}

void daemon_patch_schedule(struct daemon *d, struct daemon_call *call, const char *parent, json_t *body)
{
	struct trn_error err = { 0 };
	struct manager_parent *p;

	if (patch(d, call->peer, parent, body, &p, &err) < 0) {
		daemon_done(call, NULL, &err);
		return;
	}
	keep(p);
	/* Every value that gets here is one that tranche-parent takes; one that is down gets it when it is up. */
	daemon_schedule_push(p);
	daemon_tell(d, "parent-changed", daemon_parent_json(p));
	daemon_done(call, daemon_schedule_json(p), NULL);
}

/* SPDX-License-Identifier: MIT */
/* Parents as they are: found by name, made, dropped, shown.  Which there shall be is manager_find.c, leaving is manager_leave.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/manager_priv.h"

struct manager_parent *daemon_parent_find(struct daemon *d, const char *name)
{
	struct manager_parent *p;

	base_list_for_each(p, &d->parents, node)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

int daemon_parent_get(struct daemon *d, const char *name, struct manager_parent **ret, struct trn_error *err)
{
	struct manager_parent *p = daemon_parent_find(d, name);

	if (p) {
		*ret = p;
		return 0;
	}
	if (!d->knows_parents) {
		trn_error_set(err, -EAGAIN, "NotReady", "tranched has just started and still looks for parents");
		return trn_error_hint(err, "try again in a moment");
	}
	trn_error_set(err, -ENOENT, "NoSuchParent", "there is no parent %.63s", name);
	return trn_error_hint(err, "list the parents to see which there are");
}

int daemon_parent_check_stays(const struct manager_parent *p, struct trn_error *err)
{
	if (!p->leave)
		return 0;
	trn_error_set(err, -ENODEV, "ParentLeaving", "parent %s is leaving", p->name);
	return trn_error_hint(err, "choose another parent, or try again when it is back");
}

unsigned int daemon_parent_nr_devices(struct manager_parent *p)
{
	struct manager_device *dev;
	unsigned int nr = 0;

	base_list_for_each(dev, &p->d->devices, node)
		nr += dev->parent == p;
	return nr;
}

void daemon_parent_exit(struct manager_parent *p)
{
	p->nr_inside--;
	daemon_leave_step(p);
}

/* ------------------------------------------------------------ tranche-parent */

static void sharer_up(void *data, const struct trnc_parent_info *info)
{
	struct manager_parent *p = data;

	p->is_up = true;
	p->is_down = false;
	daemon_problem_over(p->d, "tranche-parent", p->name);
	p->pid = info ? info->pid : 0;
	p->accounts_ns = 0;
	daemon_schedule_push(p);
	daemon_tell(p->d, "parent-changed", daemon_parent_json(p));
	daemon_history_wake(p->d);
}

static void sharer_down(void *data, const struct trn_error *why)
{
	struct manager_parent *p = data;

	struct trn_error err = { 0 };
	char key[80];

	p->is_up = false;
	p->is_down = true;
	p->pid = 0;
	if (why)
		err = *why;
	/* One that was told to end by somebody else, too. */
	trn_error_set(&err, -EIO, "ParentDown", "tranche-parent %s has ended", p->name);
	trn_error_prefix(&err, "parent %s: ", p->name);
	trn_error_hint(&err, "it is started again after a pause; the log of tranche-parent may say more");
	snprintf(key, sizeof(key), "tranche-parent:%.63s", p->name);
	daemon_problem_set(p->d, key, &err, NULL);
	daemon_tell(p->d, "parent-changed", daemon_parent_json(p));
}

static const struct daemon_sharer_events sharer_events = { .up = sharer_up, .down = sharer_down };

/* ------------------------------------------------------------ life */

static void free_parent(struct manager_parent *p)
{
	if (p->core) {
		(void)trn_parent_unregister(p->core, NULL, NULL);
		trn_parent_unref(p->core);
	}
	daemon_history_free(p->history);
	json_decref(p->options);
	free(p->name);
	free(p->driver);
	free(p);
}

static struct manager_parent *make_parent(struct daemon *d, const struct manager_parent_params *params)
{
	struct manager_parent *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->d = d;
	p->name = strdup(params->name);
	p->driver = strdup(params->driver);
	p->options = params->options ? json_deep_copy(params->options) : NULL;
	if (!p->name || !p->driver || (params->options && !p->options)) {
		free_parent(p);
		return NULL;
	}
	p->is_compute = !strcmp(params->driver, "compute");
	p->has_host = params->host;
	if (params->host)
		p->host = *params->host;
	p->host_device = params->host_device;
	p->memory = params->memory;
	p->is_posted = params->is_posted;
	p->is_seen = true;
	return p;
}

int daemon_parent_add(struct daemon *d, const struct manager_parent_params *params, struct manager_parent **ret, struct trn_error *err)
{
	struct manager_parent *p = make_parent(d, params);
	int r;

	if (!p)
		return daemon_no_memory(err);
	r = daemon_types_register(d, params, &p->core, err);
	if (r >= 0 && p->is_compute) {
		daemon_schedule_init(p);
		r = daemon_sharer_open(d->processes, p->name, p->host_device, p->memory, &sharer_events, p, &p->sharer, err);
	}
	if (r < 0) {
		free_parent(p);
		return r;
	}
	p->is_up = !p->is_compute;
	base_list_append(&d->parents, &p->node);
	log_info("parent %s: driver %s", p->name, p->driver);
	daemon_tell(d, "parent-added", daemon_parent_json(p));
	p->is_shown = true;
	if (ret)
		*ret = p;
	return 0;
}

void daemon_parent_drop(struct manager_parent *p, bool quit)
{
	struct daemon *d = p->d;
	json_t *what = json_pack("{s:s}", "name", p->name);

	daemon_problem_over(d, "parent", p->name);
	daemon_problem_over(d, "tranche-parent", p->name);
	base_list_remove(&p->node);
	if (p->sharer)
		daemon_sharer_close(p->sharer, quit);
	free_parent(p);
	/* When tranched ends, parents do not go: it is only not looking any more. */
	if (!quit) {
		json_decref(what);
		return;
	}
	log_info("parent %s is gone", json_string_value(json_object_get(what, "name")));
	daemon_tell(d, "parent-removed", what);
}

/* ------------------------------------------------------------ answers */

static json_t *host_json(const struct manager_parent *p)
{
	const struct daemon_host_device *h = &p->host;

	if (!p->has_host)
		return json_null();
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "index", (json_int_t)h->index, "kind", h->kind, "name", h->name,
			 "vendor", h->vendor, "driver", h->driver, "version", h->version, "platform", h->platform, "memory",
			 (json_int_t)h->memory, "units", (json_int_t)h->units);
}

/* Its tranche-parent need not run yet: whoever needs it waits for it. */
static const char *state_name(const struct manager_parent *p)
{
	return p->leave ? "leaving" : p->is_down ? "down" : "up";
}

static unsigned int nr_visible(struct manager_parent *p)
{
	struct manager_device *dev;
	unsigned int nr = 0;

	base_list_for_each(dev, &p->d->devices, node)
		nr += dev->parent == p && daemon_device_is_visible(dev);
	return nr;
}

json_t *daemon_parent_json(struct manager_parent *p)
{
	struct trn_resources total, left;

	trn_parent_get_capacity(p->core, &total, &left);
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o}", "name", p->name, "driver", p->driver, "state",
			 state_name(p), "host_device", host_json(p), "capacity", daemon_resources_json(&total, &total),
			 "left", daemon_resources_json(&total, &left), "devices", (int)nr_visible(p), "schedule",
			 daemon_schedule_json(p), "use", p->is_compute ? json_real(p->use) : json_null(), "busy_ns",
			 p->is_compute ? json_integer((json_int_t)p->busy_ns) : json_null(), "pid",
			 p->pid ? json_integer(p->pid) : json_null(), "types", daemon_type_names(p->core));
}

int daemon_get_parents(struct daemon *d, const struct daemon_peer *peer, const char *name, json_t **ret, struct trn_error *err)
{
	struct manager_parent *p = NULL;
	json_t *list;
	struct trn_error own = { 0 };
	int r = daemon_check_right(peer, DAEMON_READ, err = err ? err : &own);

	if (r >= 0 && (name || !d->knows_parents))
		r = daemon_parent_get(d, name ? name : "", &p, err);
	if (r < 0)
		return r;
	daemon_looked(d);
	if (name) {
		*ret = daemon_parent_json(p);
		return *ret ? 0 : daemon_no_memory(err);
	}
	list = json_array();
	base_list_for_each(p, &d->parents, node)
		json_array_append_new(list, daemon_parent_json(p));
	*ret = json_pack("{s:o}", "parents", list);
	return *ret ? 0 : daemon_no_memory(err);
}

/* ------------------------------------------------------------ POST */

struct posted {
	const char *name, *driver;
	uint64_t host_device, memory;
	bool has_host_device;
	json_t *options;
};

static int read_name(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct posted *p = data;

	return daemon_json_text(value, name, 63, name[0] == 'n' ? &p->name : &p->driver, err);
}

static int read_host_device(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct posted *p = data;

	if (json_is_null(value))
		return 0;
	p->has_host_device = true;
	return daemon_json_number(value, name, 0, 1023, &p->host_device, err);
}

static int read_memory(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct posted *p = data;

	return json_is_null(value) ? 0 : daemon_json_number(value, name, 1ull << 20, INT64_MAX, &p->memory, err);
}

static int read_options(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct posted *p = data;
	struct manager_spec spec = { 0 };
	json_t *body = json_pack("{s:O}", "options", value);
	int r = body ? daemon_spec_read(body, SPEC_REST, &spec, err) : daemon_no_memory(err);

	json_decref(body);
	daemon_spec_clear(&spec);
	p->options = json_is_object(value) ? value : NULL;
	return r;
}

static int check_posted(struct daemon *d, struct posted *p, const struct daemon_host_device **ret_host, struct trn_error *err)
{
	if (!p->name || !p->driver) {
		trn_error_set(err, -EINVAL, "MissingField", "a parent needs a %s", p->name ? "driver" : "name");
		return trn_error_hint(err, "give name and driver");
	}
	if (daemon_parent_find(d, p->name)) {
		trn_error_set(err, -EEXIST, "NameInUse", "there is a parent %s already", p->name);
		return trn_error_hint(err, "choose another name, or remove the other parent first");
	}
	if (strcmp(p->driver, "compute"))
		return 0;
	*ret_host = daemon_host_at(d, (uint32_t)p->host_device);
	if (!*ret_host) {
		trn_error_set(err, -ENOENT, "NoHostDevice", "the host has no OpenCL device %u", (unsigned int)p->host_device);
		return trn_error_hint(err, "tranche-executor --devices lists them");
	}
	if (!p->memory)
		p->memory = daemon_shared_memory((*ret_host)->memory);
	return 0;
}

static int post_parent(struct daemon *d, const struct daemon_peer *peer, json_t *body, struct manager_parent **ret, struct trn_error *err)
{
	static const struct daemon_field fields[] = {
		{ "name", 1, read_name }, { "driver", 1, read_name }, { "host_device", 1, read_host_device },
		{ "memory", 1, read_memory }, { "options", 1, read_options },
	};
	const struct daemon_host_device *host = NULL;
	struct manager_parent_params params;
	struct posted posted = { 0 };
	int r = daemon_check_right(peer, DAEMON_ADMIN, err);

	if (r >= 0 && !d->knows_parents)
		r = daemon_parent_get(d, "", ret, err);
	if (r >= 0)
		r = daemon_json_read(body, fields, sizeof(fields) / sizeof(*fields), 1, &posted, err);
	if (r >= 0)
		r = check_posted(d, &posted, &host, err);
	if (r < 0)
		return r;
	params = (struct manager_parent_params){ .name = posted.name, .driver = posted.driver, .host = host,
						 .host_device = (uint32_t)posted.host_device, .memory = posted.memory,
						 .options = posted.options, .is_posted = true };
	return daemon_parent_add(d, &params, ret, err);
}

void daemon_post_parent(struct daemon *d, struct daemon_call *call, json_t *body)
{
	struct trn_error err = { 0 };
	struct manager_parent *p;

	if (post_parent(d, call->peer, body, &p, &err) < 0) {
		daemon_done(call, NULL, &err);
		return;
	}
	daemon_done(call, daemon_parent_json(p), NULL);
	daemon_autostart(d);
}

/* SPDX-License-Identifier: MIT */
/*
 * Serves the daemon's HTTP layer on a manager that has a few objects and does what a test tells it, by the type of a device that is
 * to be started: "never" is not answered at all, "refuse" and "late-refuse" with an error, others after 100 ms; and by the policy of
 * a stop: "ask" waits for ever.
 * POST /v1/definitions with "vm": "N" tells of N events.  GET /v1 tells what became of calls.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "daemon/http_priv.h"

#define UUID "11111111-2222-3333-4444-555555555555"

struct daemon_listener {
	struct daemon *d;
	daemon_event_fn fn;
	void *data;
};

struct daemon {
	sd_event *event;
	struct daemon_listener listener; /* the one of the HTTP layer */
	uint64_t seq;
	unsigned int nr_cancelled, nr_pending;
	bool has_pidfd;
	char *last_query;
};

struct pending {
	struct daemon *d;
	struct daemon_call *call;
	sd_event_source *timer;
	bool refuses;
};

/* JSON with ' for ", which C would have to escape. */
static json_t *make(const char *quoted)
{
	char *text = strdup(quoted);
	json_t *json;

	for (char *c = text; c && *c; c++)
		if (*c == '\'')
			*c = '"';
	json = text ? json_loads(text, 0, NULL) : NULL;
	if (!json)
		abort();
	free(text);
	return json;
}

static json_t *make_parent(void)
{
	return make("{'name':'cpu0','driver':'compute','state':'up','host_device':{'index':0,'kind':'cpu','name':'Fake <b>CPU</b>',"
		    "'vendor':'Fake','driver':'1','version':'OpenCL 3.0','platform':'Fake','memory':8589934592,'units':2},"
		    "'capacity':{'memory':8589934592,'time':1000},'left':{'memory':6442450944,'time':750},'devices':1,"
		    "'schedule':{'policy':'best-effort','slice_ms':5.0},'use':0.25,'pid':1,'types':['compute-1g','compute-2g']}");
}

static json_t *make_type(void)
{
	return make("{'parent':'cpu0','name':'compute-2g','pretty_name':'2 GiB','description':'A device with 2 GiB','device_api':'compute',"
		    "'available_instances':3,'cost':{'memory':2147483648},'adjustable':['time']}");
}

static json_t *make_definition(void)
{
	return make("{'uuid':'" UUID "','parent':'cpu0','type':'compute-2g','start':'auto','memory':null,'time':25.0,'owner':'root',"
		    "'vm':'web1','attrs':[],'options':{},'running':true}");
}

static json_t *make_device(void)
{
	return make("{'uuid':'" UUID "','parent':'cpu0','type':'compute-2g','device_api':'compute','state':'running','defined':true,"
		    "'lifetime':'until-stopped','memory':2147483648,'time':25.0,'owner':'root','vm':'<script>alert(1)</script>\\\"\\\\\\n',"
		    "'attrs':[],'options':{},'pid':1,'socket':'/x.sock','started':'2026-01-01T00:00:00Z','in_use':true,"
		    "'stats':{'sessions_now':1,'sessions':5,'used':1073741824,'peak':1073741824,'granted':7,'refused':1,'behind':0,"
		    "'executors_now':1,'executors_lost':0,'commands':123456,'compiled':3,'stored':9,'busy_ns':1500000000,'wait_ns':1000,"
		    "'slices':10,'stops':0,'longest_wait_ns':900,'cpu_ns':1400000000,'share':0.125}}");
}

/* One, or all of them. */
static int give(json_t *(*make_one)(void), const char *plural, const char *name, const char *wanted, json_t **ret, struct trn_error *err)
{
	if (wanted && strcmp(wanted, name)) {
		trn_error_set(err, -ENOENT, "NotFound", "there is no %s", wanted);
		return trn_error_hint(err, "look at the list");
	}
	*ret = wanted ? make_one() : json_pack("{s:[o]}", plural, make_one());
	return 0;
}

int daemon_get_about(struct daemon *d, const struct daemon_peer *peer, json_t **ret, struct trn_error *err)
{
	static const char *const rights[] = { "none", "read", "use", "admin" };

	*ret = make("{'name':'tranched','version':'0.1.0','api':1,'started':'2026-01-01T00:00:00Z','user':'somebody','uid':1000,"
		    "'runtime_dir':'/r','definitions_dir':'/d','config':null,'ready':true,"
		    "'problems':[{'name':'BadFile','message':'a <i>problem</i>','hint':'mend it','file':null}]}");
	json_object_set_new(*ret, "rights", json_string(rights[peer->right]));
	json_object_set_new(*ret, "pid", json_integer(getpid()));
	json_object_set_new(*ret, "cancelled", json_integer(d->nr_cancelled));
	json_object_set_new(*ret, "pending", json_integer(d->nr_pending));
	json_object_set_new(*ret, "has_pidfd", json_boolean(d->has_pidfd));
	json_object_set_new(*ret, "last_query", d->last_query ? json_string(d->last_query) : json_null());
	return 0;
}

int daemon_get_parents(struct daemon *d, const struct daemon_peer *peer, const char *name, json_t **ret, struct trn_error *err)
{
	return give(make_parent, "parents", "cpu0", name, ret, err);
}

int daemon_get_types(struct daemon *d, const struct daemon_peer *peer, const char *parent, const char *type, json_t **ret,
		     struct trn_error *err)
{
	if (parent && strcmp(parent, "cpu0"))
		return -ENOENT; /* a manager that says no more */
	return give(make_type, "types", "compute-2g", type, ret, err);
}

int daemon_get_schedule(struct daemon *d, const struct daemon_peer *peer, const char *parent, json_t **ret, struct trn_error *err)
{
	if (strcmp(parent, "cpu0"))
		return -ENOENT;
	*ret = json_pack("{s:s,s:f}", "policy", "equal", "slice_ms", 5.0);
	return 0;
}

int daemon_get_definitions(struct daemon *d, const struct daemon_peer *peer, const char *uuid, json_t **ret, struct trn_error *err)
{
	return give(make_definition, "definitions", UUID, uuid, ret, err);
}

int daemon_get_devices(struct daemon *d, const struct daemon_peer *peer, const char *uuid, json_t **ret, struct trn_error *err)
{
	return give(make_device, "devices", UUID, uuid, ret, err);
}

int daemon_get_history(struct daemon *d, const struct daemon_peer *peer, const char *uuid, json_t **ret, struct trn_error *err)
{
	*ret = make("{'interval_ms':1000,'samples':3,'now':'2026-01-01T00:00:00Z','parents':{'cpu0':{'use':[0.1,0.2,0.25]}},"
		    "'devices':{'" UUID "':{'parent':'cpu0','share':[0.1,0.2,0.125],'memory':[268435456,536870912,1073741824]}}}");
	return 0;
}

/* ------------------------------------------------------------ changing */

static void refuse(struct daemon_call *call)
{
	struct trn_error err = { 0 };

	trn_error_set(&err, -EUSERS, "NoCapacity", "there is no more memory");
	trn_error_hint(&err, "stop something");
	call->done(call, NULL, &err);
}

static int handle_timer(sd_event_source *source, uint64_t at, void *data)
{
	struct pending *p = data;
	struct daemon_call *call = p->call;

	p->d->nr_pending--;
	call->manager_data = NULL;
	call->cancel = NULL;
	if (p->refuses)
		refuse(call);
	else
		call->done(call, make_device(), NULL);
	sd_event_source_disable_unref(p->timer);
	free(p);
	return 0;
}

static void handle_cancel(struct daemon_call *call)
{
	struct pending *p = call->manager_data;

	p->d->nr_cancelled++;
	p->d->nr_pending--;
	sd_event_source_disable_unref(p->timer);
	free(p);
}

static void later(struct daemon *d, struct daemon_call *call, bool refuses, uint64_t us)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	*p = (struct pending){ .d = d, .call = call, .refuses = refuses };
	call->manager_data = p;
	call->cancel = handle_cancel;
	d->nr_pending++;
	d->has_pidfd = call->peer_pidfd >= 0;
	if (us)
		sd_event_add_time_relative(d->event, &p->timer, CLOCK_MONOTONIC, us, 1, handle_timer, p);
}

static void tell(struct daemon *d, const char *kind, json_t *what)
{
	d->seq++;
	if (d->listener.fn)
		d->listener.fn(d->listener.data, d->seq, kind, what);
	json_decref(what);
}

static void note_query(struct daemon *d, json_t *query)
{
	free(d->last_query);
	d->last_query = query ? json_dumps(query, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
}

void daemon_post_parent(struct daemon *d, struct daemon_call *call, json_t *body)
{
	call->done(call, make_parent(), NULL);
}

void daemon_delete_parent(struct daemon *d, struct daemon_call *call, const char *name, json_t *query)
{
	note_query(d, query);
	call->done(call, NULL, NULL);
}

void daemon_patch_schedule(struct daemon *d, struct daemon_call *call, const char *parent, json_t *body)
{
	call->done(call, json_pack("{s:s,s:f}", "policy", "equal", "slice_ms", 5.0), NULL);
}

void daemon_post_definition(struct daemon *d, struct daemon_call *call, json_t *body)
{
	const char *vm = json_string_value(json_object_get(body, "vm"));

	for (long i = 0, nr = vm ? atol(vm) : 0; i < nr; i++)
		tell(d, "definition-changed", make_definition());
	call->done(call, make_definition(), NULL);
}

void daemon_patch_definition(struct daemon *d, struct daemon_call *call, const char *uuid, json_t *body)
{
	call->done(call, make_definition(), NULL);
}

void daemon_delete_definition(struct daemon *d, struct daemon_call *call, const char *uuid)
{
	call->done(call, NULL, NULL);
}

void daemon_start_definition(struct daemon *d, struct daemon_call *call, const char *uuid)
{
	later(d, call, false, 20000);
}

void daemon_post_device(struct daemon *d, struct daemon_call *call, json_t *body)
{
	const char *type = json_string_value(json_object_get(body, "type"));

	if (type && !strcmp(type, "refuse"))
		refuse(call);
	else if (type && !strcmp(type, "never"))
		later(d, call, false, 0);
	else
		later(d, call, type && !strcmp(type, "late-refuse"), 100000);
}

void daemon_patch_device(struct daemon *d, struct daemon_call *call, const char *uuid, json_t *body)
{
	tell(d, "device-changed", make_device());
	call->done(call, make_device(), NULL);
}

void daemon_delete_device(struct daemon *d, struct daemon_call *call, const char *uuid, json_t *query)
{
	const char *policy = json_string_value(json_object_get(query, "policy"));

	note_query(d, query);
	if (policy && !strcmp(policy, "ask"))
		later(d, call, false, 0);
	else
		call->done(call, NULL, NULL);
}

void daemon_post_reload(struct daemon *d, struct daemon_call *call)
{
	call->done(call, NULL, NULL);
}

struct daemon_listener *daemon_listener_add(struct daemon *d, daemon_event_fn fn, void *data)
{
	d->listener = (struct daemon_listener){ .d = d, .fn = fn, .data = data };
	return &d->listener;
}

void daemon_listener_remove(struct daemon_listener *l)
{
	if (l)
		l->fn = NULL;
}

/* ------------------------------------------------------------- the rest */

struct fake {
	struct daemon_config config;
	struct http_limits limits; /* 0: as they are */
	struct daemon daemon;
	struct daemon_http *http;
};

static int handle_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *data)
{
	struct fake *fake = data;

	fake->config.others_read = !fake->config.others_read;
	daemon_http_reload(fake->http, &fake->config);
	return 0;
}

static int parse(int argc, char **argv, struct fake *fake)
{
	static const struct option options[] = { /* 1: has an argument */
		{ "max", 1, NULL, 'm' }, { "listen", 1, NULL, 'l' }, { "mode", 1, NULL, 'o' },
		{ "use-group", 1, NULL, 'u' }, { "admin-group", 1, NULL, 'a' }, { "no-others", 0, NULL, 'n' },
		{ "head-ms", 1, NULL, 'h' }, { "idle-ms", 1, NULL, 'i' }, { "keep-alive-ms", 1, NULL, 'k' },
		{ "routes", 0, NULL, 'r' }, { 0 },
	};
	int c;

	fake->config = (struct daemon_config){ .socket_mode = 0660, .others_read = true, .max_connections = 1000 };
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'm': fake->config.max_connections = (unsigned int)atoi(optarg); break;
		case 'l': fake->config.listen = optarg; break;
		case 'o': fake->config.socket_mode = (mode_t)strtoul(optarg, NULL, 8); break;
		case 'u': fake->config.use_group = optarg; break;
		case 'a': fake->config.admin_group = optarg; break;
		case 'n': fake->config.others_read = false; break;
		case 'h': fake->limits.head = strtoull(optarg, NULL, 10) * 1000; break;
		case 'i': fake->limits.idle = strtoull(optarg, NULL, 10) * 1000; break;
		case 'k': fake->limits.keep_alive = strtoull(optarg, NULL, 10) * 1000; break;
		case 'r': fputs(daemon_http_list_routes(), stdout); exit(EXIT_SUCCESS);
		default: return -EINVAL;
		}
	}
	fake->config.socket = optind == argc - 1 ? argv[optind] : NULL;
	return fake->config.socket ? 0 : -EINVAL;
}

static void set_limits(struct fake *fake)
{
	struct http_limits *limits = &fake->http->limits;

	if (fake->limits.head)
		limits->head = fake->limits.head;
	if (fake->limits.idle)
		limits->idle = fake->limits.idle;
	if (fake->limits.keep_alive)
		limits->keep_alive = fake->limits.keep_alive;
}

int main(int argc, char **argv)
{
	struct fake fake = { 0 };
	struct trn_error err = { 0 };
	sigset_t signals;
	int r;

	base_log_init("http-fake");
	if (parse(argc, argv, &fake) < 0)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (sd_event_default(&fake.daemon.event) < 0)
		return 1;
	sd_event_add_signal(fake.daemon.event, NULL, SIGTERM, NULL, NULL);
	sd_event_add_signal(fake.daemon.event, NULL, SIGHUP, handle_hangup, &fake);
	r = daemon_http_create(fake.daemon.event, &fake.daemon, &fake.config, &fake.http, &err);
	if (r < 0) {
		base_log_error(BASE_LOG_ERROR, &err);
		return 1;
	}
	set_limits(&fake);
	puts("ready");
	fflush(stdout);
	r = sd_event_loop(fake.daemon.event);
	daemon_http_destroy(fake.http);
	sd_event_unref(fake.daemon.event);
	free(fake.daemon.last_query);
	printf("cancelled %u pending %u\n", fake.daemon.nr_cancelled, fake.daemon.nr_pending);
	return r < 0 ? 1 : 0;
}

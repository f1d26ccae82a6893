/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "parent/broker_priv.h"
#include "parent/identity.h"

/* Helpers' folders of those who were killed are found there again, and removed. */
static struct parent_store *open_scratch(void)
{
	const char *tmp = getenv("TMPDIR");
	_cleanup_free_ char *path = NULL;
	struct parent_store *s = NULL;
	struct trn_error err = { 0 };

	if (asprintf(&path, "%s/tranche-build-%u", tmp && *tmp == '/' ? tmp : "/tmp", geteuid()) < 0) {
		path = NULL;
		return NULL;
	}
	if (parent_store_open(path, 0, &s, &err) < 0)
		base_log_error(BASE_LOG_DEBUG, &err);
	return s;
}

static void open_store(struct parent_broker *b)
{
	_cleanup_free_ char *place = base_store_place();
	struct trn_error err = { 0 };

	if (place && parent_store_open(place, PARENT_STORE_MAX, &b->store, &err) < 0)
		base_log_error(BASE_LOG_INFO, &err);
	b->scratch = b->store ? b->store : open_scratch();
}

/* Half of what this process may have open waits for executors to take it; the other half is to work with. */
static unsigned int max_waiting_fds(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < 2)
		return 256;
	return limit.rlim_cur > 1u << 16 ? 1u << 15 : (unsigned int)limit.rlim_cur / 2;
}

static void identify(struct parent_broker *b)
{
	if (b->is_host_known)
		return;
	b->knows_host = parent_identify_host(b->process->forks, &b->host);
	b->is_host_known = true;
}

static int on_idle(sd_event_source *source, void *data)
{
	identify(data);
	return 0;
}

/* Before somebody waits for it; where nothing is loaded it would have to be, for nothing if nobody asks. */
static void identify_when_idle(struct parent_broker *b)
{
	sd_event_source *source;

	if (!b->process->forks || sd_event_add_defer(b->process->event, &source, on_idle, b) < 0)
		return;
	if (sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE) >= 0 && sd_event_source_set_floating(source, true) >= 0)
		sd_event_source_unref(source);
	else
		sd_event_source_disable_unref(source);
}

int parent_broker_create(const struct parent_process *p, struct parent_broker **ret)
{
	struct parent_broker *b = calloc(1, sizeof(*b));
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (!b)
		return -ENOMEM;
	b->process = p;
	b->chore_sock = -1;
	b->max_running = processors > 0 ? (unsigned int)processors + 1 : 2;
	b->max_out_fds = max_waiting_fds();
	base_list_init(&b->peers);
	base_list_init(&b->jobs);
	base_list_init(&b->chores);
	open_store(b);
	identify_when_idle(b);
	*ret = b;
	return 0;
}

void parent_broker_destroy(struct parent_broker *b)
{
	struct broker_job *j, *next_job;

	if (!b)
		return;
	b->is_ending = true;
	broker_close_peers(b);
	base_list_for_each_safe(j, next_job, &b->jobs, node)
		broker_end_job(j);
	broker_end_chores(b);
	if (b->scratch != b->store)
		parent_store_close(b->scratch);
	parent_store_close(b->store);
	free(b);
}

void parent_broker_open(struct parent_broker *b, int sock, int folder, uint64_t tag, bool is_guest)
{
	base_close(folder);
	if (b)
		broker_peer_open(b, sock, tag, is_guest);
	else
		base_close(sock);
}

bool parent_broker_owns(const struct parent_broker *b, pid_t pid)
{
	const struct broker_job *j;

	if (pid == b->chore_pid)
		return true;
	base_list_for_each(j, &b->jobs, node)
		if (j->pid == pid)
			return true;
	return false;
}

static uint64_t children_ns(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_CHILDREN, &u) < 0)
		return 0;
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000u +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000u;
}

static void tell_counts(struct parent_broker *b)
{
	struct {
		struct trnc_msg head;
		struct trnc_parent_counts body;
	} m = { .head = { .type = TRNC_PARENT_COUNTS, .len = sizeof(m) } };

	b->counts.cpu_ns = children_ns(); /* executors are none of ours */
	m.body = b->counts;
	/* Never waits: the next one says it all again. */
	(void)!send(TRNC_PARENT_FD, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void broker_count(struct parent_broker *b, uint64_t tag, bool is_stored)
{
	if (is_stored)
		b->counts.stored++;
	else
		b->counts.compiled++;
	if (b->process->hub)
		parent_hub_count(b->process->hub, tag, is_stored);
	else
		tell_counts(b);
}

void broker_count_time(struct parent_broker *b, uint64_t tag, uint64_t cpu_ns)
{
	if (b->process->hub)
		parent_hub_count_time(b->process->hub, tag, cpu_ns);
	else
		tell_counts(b);
}

struct broker_order *broker_order_unref(struct broker_order *o)
{
	if (o && --o->refs == 0)
		free(o);
	return NULL;
}

int broker_find_key(struct parent_broker *b, const struct broker_order *o, uint32_t device, struct parent_key *ret,
		    struct parent_fate *ret_fate)
{
	struct parent_request q;
	int r = parent_request_parse(o->rest, o->len - sizeof(o->head), &q);

	if (r < 0)
		return r;
	identify(b);
	q.device = device;
	q.is_guest = o->is_guest;
	q.host_device = o->head.host_device;
	q.identity = o->head.identity;
	parent_key_make(&b->host, &q, ret, ret_fate);
	if (!b->knows_host)
		ret_fate->is_storable = false;
	return 0;
}

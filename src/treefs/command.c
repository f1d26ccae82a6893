/* SPDX-License-Identifier: MIT */
#include "treefs/command.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "base/cleanup.h"
#include "base/list.h"
#include "base/log.h"
#include "treefs/parse.h"

/* More at a time are refused: each has a thread and a connection. */
#define MAX_WORKERS 64
/* Refusals in the log: so many in so many seconds. */
#define MAX_LOGGED 50
#define LOG_S 10

struct job {
	struct base_list link; /* in waiting, or in running */
	fuse_req_t req;
	enum treefs_command command;
	char *path;
	json_t *body;
	size_t len;	/* what a write that went well returns */
	int cancel_fd;	/* readable: given up */
	char what[128]; /* for the log */
};

struct treefs_commands {
	struct treefs_watch *watch;
	char *socket;
	bool will_wait;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct base_list waiting, running;
	size_t nr_waiting, nr_idle, nr_workers;
	bool is_ending;
	time_t logged_since;
	unsigned int nr_logged;
};

static void job_destroy(struct job *j)
{
	if (!j)
		return;
	json_decref(j->body);
	base_close(j->cancel_fd);
	free(j->path);
	free(j);
}

/* --- carrying out --- */

static int request(struct api *a, const struct job *j, struct trn_error *err)
{
	switch (j->command) {
	case TREEFS_DO_CREATE:
		return api_post(a, j->path, j->body, NULL, err);
	case TREEFS_DO_REMOVE:
		return api_delete(a, j->path, err);
	case TREEFS_DO_CHANGE:
		return api_patch(a, j->path, j->body, NULL, err);
	case TREEFS_NONE:
	case TREEFS_IGNORE:
		break;
	}
	return 0;
}

/* How a write shows it. Return: 0 or -errno. */
static int write_error(const struct job *j, int r, const struct trn_error *err)
{
	if (r == 0)
		return 0;
	if (r == -ECANCELED)
		return -EINTR;
	if (api_is_no_daemon(err))
		return -EIO;
	switch (-r) {
	case ENOENT:
		/* Somebody else was quicker to remove it; or it, or its parent, has gone. */
		return j->command == TREEFS_DO_REMOVE ? 0 : -ENODEV;
	case ECONNRESET:
	case EPROTO:
		return -EIO;
	default:
		return r;
	}
}

/* Whoever reads the log may be slow, or be asleep; who writes to a file does not wait for that. */
static bool may_log(struct treefs_commands *c)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	time_t now = time(NULL);
	bool may;

	pthread_mutex_lock(&c->lock);
	if (now < c->logged_since || now - c->logged_since >= LOG_S) {
		c->logged_since = now;
		c->nr_logged = 0;
	}
	may = c->nr_logged < MAX_LOGGED && poll(&p, 1, 0) == 1;
	c->nr_logged += may;
	pthread_mutex_unlock(&c->lock);
	return may;
}

static void tell_refusal(struct treefs_commands *c, const struct job *j, int r, struct trn_error *err)
{
	if (r == 0 || r == -EINTR || !may_log(c))
		return;
	trn_error_prefix(err, "%s: ", j->what);
	base_log_error(BASE_LOG_WARNING, err);
}

static void answer(struct job *j, int r)
{
	/* Waits until an interruption that is just being told has been told. */
	fuse_req_interrupt_func(j->req, NULL, NULL);
	if (r < 0)
		fuse_reply_err(j->req, -r);
	else
		fuse_reply_write(j->req, j->len);
}

static void carry_out(struct treefs_commands *c, struct api *a, struct job *j)
{
	struct trn_error err = {0};
	int r;

	api_set_cancel(a, j->cancel_fd);
	r = write_error(j, request(a, j, &err), &err);
	api_set_cancel(a, -1);
	tell_refusal(c, j, r, &err);
	/* Who has changed something sees it when the write has returned. */
	if (r == 0)
		treefs_watch_refresh(c->watch);
	answer(j, r);
}

/* Return: NULL: no more to do. */
static struct job *next_job(struct treefs_commands *c)
{
	struct job *j = NULL;

	pthread_mutex_lock(&c->lock);
	c->nr_idle++;
	while (base_list_is_empty(&c->waiting) && !c->is_ending)
		pthread_cond_wait(&c->changed, &c->lock);
	c->nr_idle--;
	if (!base_list_is_empty(&c->waiting)) {
		j = base_container_of(c->waiting.next, struct job, link);
		base_list_remove(&j->link);
		base_list_append(&c->running, &j->link);
		c->nr_waiting--;
		if (c->is_ending)
			eventfd_write(j->cancel_fd, 1);
	}
	pthread_mutex_unlock(&c->lock);
	return j;
}

static void *run_worker(void *data)
{
	struct treefs_commands *c = data;
	struct trn_error err = {0};
	struct api *a = NULL;
	struct job *j;
	int r = api_open(c->socket, &a, &err);

	while ((j = next_job(c))) {
		if (r == 0)
			carry_out(c, a, j);
		else
			answer(j, r);
		pthread_mutex_lock(&c->lock);
		base_list_remove(&j->link);
		pthread_mutex_unlock(&c->lock);
		job_destroy(j);
	}
	api_close(a);
	pthread_mutex_lock(&c->lock);
	c->nr_workers--;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* --- taking --- */

static int start_worker(struct treefs_commands *c)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	if (c->nr_workers == MAX_WORKERS)
		return -EAGAIN;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, run_worker, c);
	pthread_attr_destroy(&attr);
	if (r == 0)
		c->nr_workers++;
	return -r;
}

static void handle_interrupt(fuse_req_t req, void *data)
{
	struct job *j = data;

	eventfd_write(j->cancel_fd, 1);
}

/* Gives the job to a worker. Return: 0, or -EAGAIN, and the job stays the caller's. */
static int put_job(struct treefs_commands *c, struct job *j)
{
	int r = 0;

	/* Before a worker can answer it.  Only waiting is interrupted: of others nobody would know whether they had
	 * happened. */
	if (j->command == TREEFS_DO_REMOVE)
		fuse_req_interrupt_func(j->req, handle_interrupt, j);
	pthread_mutex_lock(&c->lock);
	if (c->is_ending)
		r = -EAGAIN;
	else if (c->nr_idle <= c->nr_waiting)
		r = start_worker(c);
	if (r == 0) {
		base_list_append(&c->waiting, &j->link);
		c->nr_waiting++;
		pthread_cond_signal(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	if (r < 0)
		fuse_req_interrupt_func(j->req, NULL, NULL);
	return r;
}

/* NULL: no memory, or no descriptor. */
static struct job *job_create(fuse_req_t req, enum treefs_command command, size_t len)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	*j = (struct job){
		.req = req, .command = command, .len = len, .cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	base_list_init(&j->link);
	if (j->cancel_fd >= 0)
		return j;
	free(j);
	return NULL;
}

static int submit(struct treefs_commands *c, struct job *j)
{
	int r = j->path && (j->body || j->command == TREEFS_DO_REMOVE) ? put_job(c, j) : -ENOMEM;

	if (r < 0)
		job_destroy(j);
	return r;
}

static int start_create(
	struct treefs_commands *c, fuse_req_t req, const struct treefs_object *type, const char *text, size_t len)
{
	char uuid[TREEFS_UUID_SIZE];
	int r = treefs_parse_uuid(text, len, uuid);
	struct job *j;

	if (r < 0)
		return r;
	j = job_create(req, TREEFS_DO_CREATE, len);
	if (!j)
		return -ENOMEM;
	j->path = strdup("/v1/devices");
	j->body = json_pack("{s:s, s:s, s:s}", "parent", type->parent->api_name, "type", type->api_name, "uuid", uuid);
	snprintf(j->what, sizeof(j->what), "%.40s/%.40s/create", type->parent->name, type->name);
	return submit(c, j);
}

static int start_remove(
	struct treefs_commands *c, fuse_req_t req, const struct treefs_object *device, const char *text, size_t len)
{
	unsigned long number;
	int r = treefs_parse_number(text, len, &number);
	struct job *j;

	if (r < 0)
		return r;
	if (number == 0) {
		fuse_reply_write(req, len);
		return 0;
	}
	j = job_create(req, TREEFS_DO_REMOVE, len);
	if (!j)
		return -ENOMEM;
	j->path = api_path("/v1/devices/", device->api_name, c->will_wait ? "?policy=ask" : "?policy=refuse", NULL);
	snprintf(j->what, sizeof(j->what), "%.40s/remove", device->name);
	return submit(c, j);
}

static int start_change(
	struct treefs_commands *c, fuse_req_t req, const struct treefs_node *node, const char *text, size_t len)
{
	char *value;
	int r = treefs_parse_value(text, len, &value);
	struct job *j;

	if (r < 0)
		return r;
	j = job_create(req, TREEFS_DO_CHANGE, len);
	if (j) {
		j->path = api_path("/v1/devices/", node->object->api_name, NULL);
		/* NULL for bytes that are no UTF-8. */
		j->body = json_pack("{s:[{s:s}]}", "attrs", node->row->name, value);
		snprintf(j->what, sizeof(j->what), "%.40s/%.40s", node->object->name, node->row->name);
	}
	free(value);
	if (j && !j->body) {
		job_destroy(j);
		return -EINVAL;
	}
	return j ? submit(c, j) : -ENOMEM;
}

int treefs_command_start(
	struct treefs_commands *c, fuse_req_t req, const struct treefs_node *node, const char *text, size_t len)
{
	switch (node->row->command) {
	case TREEFS_IGNORE:
		fuse_reply_write(req, len);
		return 0;
	case TREEFS_DO_CREATE:
		return start_create(c, req, node->object, text, len);
	case TREEFS_DO_REMOVE:
		return start_remove(c, req, node->object, text, len);
	case TREEFS_DO_CHANGE:
		return start_change(c, req, node, text, len);
	case TREEFS_NONE:
		break;
	}
	return -EACCES;
}

/* --- life --- */

int treefs_commands_create(struct treefs_watch *watch, const char *socket, bool will_wait, struct treefs_commands **ret,
	struct trn_error *err)
{
	struct treefs_commands *c = calloc(1, sizeof(*c));

	if (c)
		c->socket = strdup(socket);
	if (!c || !c->socket) {
		free(c);
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory to start");
	}
	c->watch = watch;
	c->will_wait = will_wait;
	base_list_init(&c->waiting);
	base_list_init(&c->running);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	*ret = c;
	return 0;
}

void treefs_commands_end(struct treefs_commands *c)
{
	struct job *j;

	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->is_ending = true;
	pthread_cond_broadcast(&c->changed);
	while (c->nr_workers) {
		base_list_for_each(j, &c->running, link) eventfd_write(j->cancel_fd, 1);
		pthread_cond_wait(&c->changed, &c->lock);
	}
	pthread_mutex_unlock(&c->lock);
}

void treefs_commands_destroy(struct treefs_commands *c)
{
	if (!c)
		return;
	treefs_commands_end(c);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->changed);
	free(c->socket);
	free(c);
}

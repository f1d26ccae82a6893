/* SPDX-License-Identifier: MIT */
#include "parents/compute/forker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "parents/compute/environment.h"
#include "parents/compute/launch.h"
#include "parents/compute/priv.h"
#include "tranche/wire/parent.h"

#define MAX_DEATHS 16	   /* then there is something wrong that another one does not mend */
#define ANSWER_US 10000000 /* loading the host's OpenCL may take long on a cold machine */

void compute_forker_init(struct compute_forker *f, struct compute_device *d)
{
	*f = (struct compute_forker){ .device = d, .sock = -1, .pidfd = -1 };
}

/* ------------------------------------------------------------------ end */

bool compute_forker_is_there(const struct compute_forker *f)
{
	return f->sock >= 0 && (f->is_joined || !f->device->config->parent_socket);
}

static struct compute_executor *find_asked(const struct compute_forker *f, uint64_t id)
{
	struct compute_executor *ex;

	base_list_for_each(ex, &f->device->executors, node)
		if (ex->start_id && !ex->is_unasked && (!id || ex->start_id == id))
			return ex;
	return NULL;
}

/* One that was asked for is told of. */
void compute_forker_set_told(struct compute_forker *f, struct compute_executor *ex)
{
	ex->start_id = 0;
	ex->is_unasked = false;
	if (--f->nr_asked == 0) {
		f->limit = sd_event_source_disable_unref(f->limit);
		compute_strays_kill(f->device);
	}
}

/* It does not speak to us any more, or not what it should. What it was asked for is started without it. */
void compute_forker_lose(struct compute_forker *f)
{
	struct compute_executor *ex;

	log_debug("tranche-parent is gone");
	f->limit = sd_event_source_disable_unref(f->limit);
	f->io = sd_event_source_disable_unref(f->io);
	f->sock = base_close(f->sock);
	f->nr_deaths++;
	if (f->pid)
		kill(f->pid, SIGKILL);
	if (f->device->config->parent_socket)
		compute_member_lost(f);
	/* One that is shared comes back perhaps: what waits for that waits on. */
	while ((ex = find_asked(f, 0))) {
		compute_forker_set_told(f, ex);
		compute_executor_not_forked(ex, -ESHUTDOWN);
	}
}

void compute_forker_stop(struct compute_forker *f)
{
	if (f->sock >= 0)
		compute_forker_lose(f);
}

static int on_exit_of(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct compute_forker *f = data;

	if (waitpid(f->pid, NULL, WNOHANG) == 0)
		return 0;
	f->pid = 0;
	f->exit = sd_event_source_disable_unref(f->exit);
	f->pidfd = base_close(f->pidfd);
	/* What it had started for its own work is ours now. */
	compute_strays_kill(f->device);
	return 0;
}

void compute_forker_finish(struct compute_forker *f)
{
	bool ends_itself = f->sock >= 0 && !f->nr_asked;

	compute_member_finish(f);
	f->io = sd_event_source_disable_unref(f->io);
	f->exit = sd_event_source_disable_unref(f->exit);
	f->limit = sd_event_source_disable_unref(f->limit);
	f->sock = base_close(f->sock);
	f->pidfd = base_close(f->pidfd);
	if (f->pid && !ends_itself) {
		kill(f->pid, SIGKILL);
		while (waitpid(f->pid, NULL, 0) < 0 && errno == EINTR) {
		}
	}
	/* It is no stray, and what it had started for itself is its own. */
	compute_strays_kill(f->device);
	f->pid = 0;
}

/* -------------------------------------------------------------- answers */

static int on_limit(sd_event_source *source, uint64_t usec, void *data)
{
	log_warning("tranche-parent does not answer and is ended");
	compute_forker_lose(data);
	return 0;
}

int compute_forker_limit(struct compute_forker *f)
{
	if (f->limit)
		return 0;
	return sd_event_add_time_relative(f->device->config->event, &f->limit, CLOCK_MONOTONIC, ANSWER_US, 1000, on_limit, f);
}

/* Is it a child of ours, as it has to be for all that comes?  It is not where nobody reaps what its parent left. */
static bool is_child(int pidfd)
{
	siginfo_t info;

	return waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static int take_counts(struct compute_forker *f, const uint8_t *body, size_t len)
{
	struct trnc_parent_counts counts;

	if (len != sizeof(counts))
		return -EPROTO;
	memcpy(&counts, body, sizeof(counts));
	/* It may not be the first one, and counts from 0. */
	f->device->stats.compiled += counts.compiled - f->counts.compiled;
	f->device->stats.stored += counts.stored - f->counts.stored;
	f->device->stats.cpu_ns += counts.cpu_ns - f->counts.cpu_ns;
	f->counts = counts;
	return 0;
}

static int take_answer(struct compute_forker *f, const void *packet, size_t len, int *pidfd)
{
	struct trnc_parent_started body;
	struct compute_executor *ex;
	struct trnc_msg m;

	if (len < sizeof(m))
		return -EPROTO;
	memcpy(&m, packet, sizeof(m));
	if (m.type == TRNC_PARENT_COUNTS && m.id == 0 && m.len == len)
		return take_counts(f, (const uint8_t *)packet + sizeof(m), len - sizeof(m));
	if (m.type != ((uint32_t)TRNC_PARENT_START | TRNC_MSG_REPLY))
		return m.len == len ? compute_member_take(f, &m, (const uint8_t *)packet + sizeof(m), len - sizeof(m), pidfd) : -EPROTO;
	ex = m.id ? find_asked(f, m.id) : NULL;
	if (!ex || m.type != ((uint32_t)TRNC_PARENT_START | TRNC_MSG_REPLY) || m.len != len)
		return -EPROTO;
	if (m.status) {
		compute_forker_set_told(f, ex);
		compute_executor_not_forked(ex, -EAGAIN);
		return 0;
	}
	if (len != sizeof(m) + sizeof(body) || *pidfd < 0 ||
	    (!f->device->config->parent_socket && !is_child(*pidfd)))
		return -EPROTO;
	if (f->device->config->parent_socket)
		ex->shared_id = m.id;
	memcpy(&body, (const uint8_t *)packet + sizeof(m), sizeof(body));
	f->nr_deaths = 0;
	/* Before the strays are looked for: it is none any more. */
	compute_executor_forked(ex, body.pid, TAKE_FD(*pidfd));
	compute_forker_set_told(f, ex);
	return 0;
}

static int on_packet(sd_event_source *source, int fd, uint32_t events, void *data)
{
	_Alignas(8) uint8_t packet[TRNC_MSG_MAX];
	struct compute_forker *f = data;
	_cleanup_close_ int pidfd = -1;
	size_t nr_fds = 1;
	ssize_t len = base_recv(fd, packet, sizeof(packet), &pidfd, &nr_fds);

	if (len == -EAGAIN)
		return 0;
	if (len <= 0 || take_answer(f, packet, (size_t)len, &pidfd) < 0)
		compute_forker_lose(f);
	return 0;
}

/* ---------------------------------------------------------------- start */

int compute_forker_watch_socket(struct compute_forker *f)
{
	if (fcntl(f->sock, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return sd_event_add_io(f->device->config->event, &f->io, f->sock, EPOLLIN, on_packet, f);
}

static int watch(struct compute_forker *f)
{
	sd_event *event = f->device->config->event;
	int r;

	f->pidfd = pidfd_open(f->pid, 0);
	if (f->pidfd < 0)
		return -errno;
	r = sd_event_add_io(event, &f->exit, f->pidfd, EPOLLIN, on_exit_of, f);
	return r < 0 ? r : compute_forker_watch_socket(f);
}

static int start(struct compute_forker *f)
{
	const struct compute_config *config = f->device->config;
	char *executor = (char *)(uintptr_t)config->executor_path;
	char *argv[] = { (char[]){ "tranche-parent" }, (char[]){ "--executor" }, executor,
			 config->forker_execs ? (char[]){ "--no-fork" } : NULL, NULL };
	_cleanup_close_ int theirs = -1;
	char **env = NULL;
	int ends[2], r = f->device->face ? compute_environment_for_guests(&env) : 0;

	if (r == 0)
		r = base_socket_pair(ends);
	if (r < 0) {
		compute_environment_free(env);
		return r;
	}
	f->sock = ends[0];
	f->counts = (struct trnc_parent_counts){ 0 };
	theirs = ends[1];
	r = compute_launch(config->forker_path, argv, env ? env : environ, theirs, &f->pid);
	compute_environment_free(env);
	if (r < 0) {
		f->pid = 0;
		return r;
	}
	return watch(f);
}

void compute_forker_start(struct compute_forker *f)
{
	int r;

	if (!f->device->config->forker_path || f->device->config->parent_socket || f->sock >= 0 || f->pid || f->nr_deaths >= MAX_DEATHS)
		return;
	r = start(f);
	if (r == 0)
		return;
	log_debug("cannot start %s: %s", f->device->config->forker_path, strerror(-r));
	f->nr_deaths++;
	compute_forker_finish(f);
}

/* ------------------------------------------------------------------ ask */

/* Return: 0 or -errno; *ret is to be freed. */
static int make_request(char *const env[], uint64_t id, struct trnc_msg **ret)
{
	struct trnc_parent_start body = { 0 };
	size_t env_len = 0, head = sizeof(struct trnc_msg) + sizeof(body);
	struct trnc_msg *m;
	char *to;

	for (; env[body.nr_env]; body.nr_env++)
		env_len += strlen(env[body.nr_env]) + 1;
	if (env_len > INT32_MAX)
		return -E2BIG;
	m = calloc(1, head + env_len);
	if (!m)
		return -ENOMEM;
	body.env_len = (uint32_t)env_len;
	*m = (struct trnc_msg){ .type = TRNC_PARENT_START, .len = (uint32_t)(head + env_len), .id = id };
	to = (char *)(m + 1);
	memcpy(to, &body, sizeof(body));
	to += sizeof(body);
	for (; *env; env++)
		to = stpcpy(to, *env) + 1;
	*ret = m;
	return 0;
}

int compute_forker_ask(struct compute_forker *f, struct compute_executor *ex, char *const env[], int sock, int folder)
{
	_cleanup_free_ struct trnc_msg *m = NULL;
	int r;

	if (!compute_forker_is_there(f))
		return f->device->config->parent_socket ? compute_member_wait(f, ex) : -ENOTCONN;
	r = make_request(env, f->last_id + 1, &m);
	if (r < 0)
		return r;
	r = compute_forker_limit(f);
	if (r < 0)
		return r;
	r = base_send(f->sock, m, m->len, (const int[]){ sock, folder }, 2);
	if (r < 0) {
		if (!f->nr_asked)
			f->limit = sd_event_source_disable_unref(f->limit);
		return r;
	}
	if (!ex->is_unasked)
		f->nr_asked++;
	ex->is_unasked = false;
	ex->start_id = ++f->last_id;
	return 0;
}

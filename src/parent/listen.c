/* SPDX-License-Identifier: MIT */
/* The process that listens: its lock, its socket, its loop, its end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "parent/shared.h"

#define MAX_LINKS (TRNC_PARENT_MAX_DEVICES + 64)

/* ------------------------------------------------------------------- open */

static int take_lock(const char *path, struct trn_error *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return trn_error_set(err, -errno, "NoLock", "cannot open the lock %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		trn_error_set(err, -errno, "Locked", "the lock %s is held: %s", path, strerror(errno));
		return trn_error_hint(err, "another tranche-parent serves this parent; end that first");
	}
	return TAKE_FD(fd);
}

/* Of one that had the lock before us, and was killed. */
static void remove_stale(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
}

/* A connection for each device, a process descriptor and a socket for each executor. */
static void want_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int parent_hub_open(struct parent_process *p, const struct parent_listen_options *o, struct parent_hub **ret, struct trn_error *err)
{
	struct parent_hub *h = calloc(1, sizeof(*h));

	if (!h)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	h->process = p;
	h->options = *o;
	h->sock = h->probe = -1;
	base_list_init(&h->links);
	base_list_init(&h->members);
	base_list_init(&h->runners);
	h->packet = malloc(PARENT_MAX_PACKET);
	h->lock = take_lock(o->lock, err);
	if (h->lock >= 0) {
		remove_stale(o->listen);
		/* Who connects now waits until the host's OpenCL is loaded. */
		h->sock = base_socket_listen(o->listen, err);
	}
	if (h->sock < 0 || !h->packet) {
		parent_hub_close(h);
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	}
	h->cgroups = parent_cgroups_open(o->name);
	want_descriptors();
	*ret = h;
	return 0;
}

/* ----------------------------------------------------------------- accept */

static bool may_connect(int sock)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

static int on_connect(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct parent_hub *h = data;
	int sock;

	/* Whoever closes a connection lets the next one in. */
	if (h->nr_links >= MAX_LINKS)
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (sock < 0) {
		if ((errno == EMFILE || errno == ENFILE || errno == ENOMEM) && h->nr_links)
			return sd_event_source_set_enabled(source, SD_EVENT_OFF);
		return 0;
	}
	if (may_connect(sock)) {
		parent_link_open(h, sock);
	} else {
		log_debug("another user may not connect");
		base_close(sock);
	}
	return 0;
}

/* ----------------------------------------------------------------- linger */

static int on_idle(sd_event_source *source, uint64_t usec, void *data)
{
	struct parent_hub *h = data;

	log_debug("nobody is connected to %s any more", h->options.name);
	h->is_ending = true;
	return 0;
}

void parent_hub_note_links(struct parent_hub *h)
{
	uint64_t now = 0;

	if (!h->options.linger_s || !h->gate)
		return;
	h->idle = sd_event_source_disable_unref(h->idle);
	if (h->nr_links == 0 && sd_event_now(h->process->event, CLOCK_MONOTONIC, &now) >= 0)
		(void)sd_event_add_time(h->process->event, &h->idle, CLOCK_MONOTONIC,
					now + h->options.linger_s * 1000000ull, 0, on_idle, h);
}

/* ------------------------------------------------------------------- loop */

static int on_child(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	parent_runner_sweep(data);
	return 0;
}

static int on_end(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct parent_hub *h = data;

	h->is_ending = true;
	return 0;
}

static int watch(struct parent_hub *h)
{
	sd_event *event = h->process->event;
	/* One that is stopped, or goes on, is no news. */
	const struct sigaction ends_only = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP };
	sigset_t ours;
	int r;

	sigaction(SIGCHLD, &ends_only, NULL);
	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigprocmask(SIG_BLOCK, &ours, NULL);
	r = sd_event_add_signal(event, NULL, SIGTERM, on_end, h);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGINT, on_end, h);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGCHLD, on_child, h);
	if (r >= 0)
		r = sd_event_add_io(event, &h->accept, h->sock, EPOLLIN, on_connect, h);
	return r;
}

int parent_hub_run(struct parent_hub *h)
{
	struct parent_process *p = h->process;
	int r = sd_event_new(&p->event);

	if (r >= 0)
		r = parent_broker_create(p, &p->broker);
	if (r >= 0)
		r = parent_gate_create(h, &h->gate);
	if (r >= 0)
		r = watch(h);
	if (r >= 0)
		parent_hub_note_links(h);
	if (r >= 0)
		(void)sd_notify(true, "READY=1");
	while (r >= 0 && !h->is_ending)
		r = sd_event_run(p->event, UINT64_MAX);
	return r;
}

static void add_counts(struct parent_hub *h, uint64_t tag, const struct trnc_parent_counts *more)
{
	const struct parent_runner *r = parent_runner_find(h, tag);
	struct parent_member *d = r ? r->member : NULL;

	h->counts.compiled += more->compiled;
	h->counts.stored += more->stored;
	if (!d)
		return;
	d->counts.compiled += more->compiled;
	d->counts.stored += more->stored;
	d->counts.cpu_ns += more->cpu_ns;
	parent_link_tell(d->link, TRNC_PARENT_COUNTS, 0, &d->counts, sizeof(d->counts));
}

void parent_hub_count(struct parent_hub *h, uint64_t tag, bool is_stored)
{
	const struct trnc_parent_counts more = { .compiled = !is_stored, .stored = is_stored };

	add_counts(h, tag, &more);
}

void parent_hub_count_time(struct parent_hub *h, uint64_t tag, uint64_t cpu_ns)
{
	const struct trnc_parent_counts more = { .cpu_ns = cpu_ns };

	add_counts(h, tag, &more);
}

/* -------------------------------------------------------------------- end */

static void end(struct parent_hub *h)
{
	struct parent_process *p = h->process;
	struct parent_link *l, *next;

	parent_runner_end_all(h);
	base_list_for_each_safe(l, next, &h->links, node)
		parent_link_close(l);
	parent_gate_destroy(h->gate);
	parent_broker_destroy(p->broker);
	base_close(p->mould);
	if (p->mould_pid > 0)
		while (waitpid(p->mould_pid, NULL, 0) < 0 && errno == EINTR) {
		}
	sd_event_source_disable_unref(h->accept);
	sd_event_source_disable_unref(h->idle);
	sd_event_unref(p->event);
}

void parent_hub_close(struct parent_hub *h)
{
	if (h->gate)
		end(h);
	parent_cgroups_close(h->cgroups);
	if (h->sock >= 0)
		unlink(h->options.listen);
	base_close(h->sock);
	base_close(h->probe);
	base_close(h->lock);
	free(h->packet);
	free(h);
}

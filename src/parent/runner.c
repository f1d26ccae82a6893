/* SPDX-License-Identifier: MIT */
/*
 * Executors of devices that have joined: our children.  While one is not reaped its number, and so its group's, cannot be
 * anybody else's: that is when the group is killed.  What left the group, or was left by it, becomes our child.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "parent/census.h"
#include "parent/shared.h"

#define MAX_RUNNERS 4096u
/* Killing a process may bring its children; so many generations at once, the rest with the next signal. */
#define MAX_ROUNDS 16

struct parent_runner *parent_runner_find(const struct parent_hub *h, uint64_t tag)
{
	struct parent_runner *r;

	base_list_for_each(r, &h->runners, node)
		if (r->tag == tag)
			return r;
	return NULL;
}

uint64_t parent_runner_cpu_ns(const struct parent_runner *r)
{
	uint64_t now = parent_census_cpu_ns(r->pid) + r->children_ns;

	return now > r->seen_ns ? now : r->seen_ns;
}

/* -------------------------------------------------------------------- end */

static uint64_t ns_of(const struct rusage *u)
{
	return (uint64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000000u +
	       (uint64_t)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1000u;
}

static bool is_known(const struct parent_hub *h, pid_t pid)
{
	const struct parent_runner *r;

	if (pid == h->process->mould_pid || parent_broker_owns(h->process->broker, pid))
		return true;
	base_list_for_each(r, &h->runners, node)
		if (r->pid == pid)
			return true;
	return false;
}

static struct parent_runner *of_group(const struct parent_hub *h, pid_t group)
{
	struct parent_runner *r;

	base_list_for_each(r, &h->runners, node)
		if (r->pid == group)
			return r;
	return NULL;
}

/* Its time is the device's in whose group it is; nobody's, if that is gone or it has left it. */
static void end_stray(struct parent_hub *h, pid_t pid)
{
	const struct parent_runner *r = of_group(h, getpgid(pid));
	struct rusage usage = { 0 };

	kill(pid, SIGKILL);
	while (wait4(pid, NULL, 0, &usage) < 0 && errno == EINTR) {
	}
	if (r && r->member)
		r->member->ended_ns += ns_of(&usage);
}

static int sweep_once(struct parent_hub *h)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t nr = parent_census_children(&pids);
	int found = 0;

	for (size_t i = 0; i < nr; i++) {
		if (is_known(h, pids[i]))
			continue;
		end_stray(h, pids[i]);
		found++;
	}
	return found;
}

void parent_runner_sweep(struct parent_hub *h)
{
	for (int i = 0; i < MAX_ROUNDS && sweep_once(h); i++) {
	}
}

static void free_runner(struct parent_runner *r)
{
	base_list_remove(&r->node);
	sd_event_source_disable_unref(r->exit);
	base_close(r->pidfd);
	if (r->page)
		munmap(r->page, (size_t)sysconf(_SC_PAGESIZE));
	parent_cgroup_unref(r->group);
	free(r);
}

/* It has ended, and waits to be reaped. */
static void reap(struct parent_runner *r, const siginfo_t *info)
{
	struct parent_hub *h = r->hub;
	struct trnc_parent_ended ended = { .pid = r->pid, .code = info->si_code, .status = info->si_status };
	struct rusage usage = { 0 };
	uint64_t before = r->member ? r->member->ended_ns : 0, seen = parent_runner_cpu_ns(r);

	kill(-r->pid, SIGKILL);
	parent_runner_sweep(h);
	while (wait4(r->pid, NULL, 0, &usage) < 0 && errno == EINTR) {
	}
	parent_gate_remove(h->gate, r);
	if (r->member) {
		/* What was told of is never less than before: children that nobody waited for are not in rusage. */
		r->member->ended_ns += ns_of(&usage);
		if (r->member->ended_ns - before < seen)
			r->member->ended_ns = before + seen;
		ended.cpu_ns = r->member->ended_ns - before;
		parent_link_tell(r->member->link, TRNC_PARENT_ENDED, r->id, &ended, sizeof(ended));
	}
	free_runner(r);
	parent_gate_settle(h->gate);
}

static int on_exit_of(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct parent_runner *r = data;
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid == r->pid)
		reap(r, &info);
	return 0;
}

void parent_runner_kill(struct parent_runner *r)
{
	kill(-r->pid, SIGKILL); /* on_exit_of() does the rest; one that is stopped dies, too */
}

void parent_runner_end_all(struct parent_hub *h)
{
	struct parent_runner *r, *next;
	siginfo_t info;

	base_list_for_each(r, &h->runners, node)
		parent_runner_kill(r);
	base_list_for_each_safe(r, next, &h->runners, node) {
		while (waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
		}
		parent_gate_remove(h->gate, r);
		while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR) {
		}
		free_runner(r);
	}
	parent_runner_sweep(h);
}

/* ------------------------------------------------------------------ start */

static bool is_folder(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static int check(struct parent_link *l, const struct parent_message *m, struct trn_error *err)
{
	const struct parent_runner *r;
	unsigned int nr = 0;

	if (!is_folder(m->fds[1]))
		return trn_error_set(err, -ENOTDIR, "BadDescriptors", "the session's folder is none");
	base_list_for_each(r, &l->hub->runners, node) {
		nr++;
		if (r->member == l->member && r->id == m->head.id)
			return trn_error_set(err, -EEXIST, "BadMessage", "an executor that was started with id %llu runs",
					     (unsigned long long)r->id);
	}
	if (nr < MAX_RUNNERS)
		return 0;
	trn_error_set(err, -EAGAIN, "TooManyExecutors", "%u executors run for %s", nr, l->hub->options.name);
	return trn_error_hint(err, "end a program that uses a device of this parent");
}

static struct parent_runner *new_runner(struct parent_link *l, uint64_t id)
{
	struct parent_runner *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	base_list_init(&r->node);
	r->hub = l->hub;
	r->member = l->member;
	r->tag = ++l->hub->last_tag;
	r->id = id;
	r->pidfd = -1;
	return r;
}

static int ask(struct parent_runner *r, const struct parent_start *s, int sock, int gate, struct parent_child *ret)
{
	struct parent_process *p = r->hub->process;
	int e = parent_mould_ask(p, s, sock, gate, ret);

	if (e != -EPIPE)
		return e;
	log_warning("the process that forks executors is gone, and is started anew");
	e = parent_mould_replace(p);
	return e < 0 ? e : parent_mould_ask(p, s, sock, gate, ret);
}

/* It exists, and waits to be let go: the device is told of it first. */
static int begin(struct parent_runner *r, struct parent_child *c, const struct parent_message *m, struct parent_link *l,
		 bool is_guest)
{
	struct parent_hub *h = r->hub;
	int e = sd_event_add_io(h->process->event, &r->exit, c->pidfd, EPOLLIN, on_exit_of, r);

	r->pid = c->pid;
	r->pidfd = TAKE_FD(c->pidfd);
	if (e < 0) {
		kill(-r->pid, SIGKILL);
		kill(r->pid, SIGKILL);
		while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR) {
		}
		base_close(c->broker);
		return e;
	}
	r->group = parent_cgroup_ref(r->member->group);
	parent_cgroup_add(r->group, r->pid);
	parent_gate_add(h->gate, r);
	c->pidfd = r->pidfd;
	if (parent_reply_started(l->sock, m->head.id, c) < 0)
		l->is_cut = true;
	/* It is gone already: its end is told of. */
	if (parent_child_go(c) < 0)
		base_close(c->broker);
	else
		parent_broker_open(h->process->broker, c->broker, fcntl(m->fds[1], F_DUPFD_CLOEXEC, 3), r->tag, is_guest);
	return 0;
}

static int make(struct parent_runner *r, struct parent_link *l, const struct parent_message *m, const struct parent_start *s)
{
	struct parent_child c = { .pidfd = -1, .broker = -1 };
	_cleanup_close_ int gate = parent_gate_make_page(l->hub->gate, r);
	int e = gate < 0 ? gate : ask(r, s, m->fds[0], gate, &c);

	return e < 0 ? e : begin(r, &c, m, l, s->is_guest);
}

int parent_runner_start(struct parent_link *l, const struct parent_message *m, struct trn_error *err)
{
	struct parent_start s = { 0 };
	struct parent_runner *r;
	int e = parent_start_parse(&s, m->packet, m->head.len, m->nr_fds, err);

	if (e == 0)
		e = check(l, m, err);
	if (e < 0)
		goto finish;
	r = new_runner(l, m->head.id);
	e = r ? make(r, l, m, &s) : -ENOMEM;
	if (e < 0) {
		trn_error_set(err, e, "NoProcess", "an executor cannot be forked: %s", strerror(-e));
		if (r)
			free_runner(r);
	}
finish:
	parent_start_finish(&s);
	return e;
}

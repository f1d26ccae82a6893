/* SPDX-License-Identifier: MIT */
/*
 * An executor's process: started with a socket as descriptor 3 and a folder of its own, watched by a pidfd, killed with
 * its whole group, reaped, and its folder removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/rmtree.h"
#include "base/socket.h"
#include "parents/compute/environment.h"
#include "parents/compute/priv.h"
#include "parents/compute/launch.h"

#define QUEUE_MAX (64u << 20) /* its client is not read while much of this is full */
#define GRACE_US 100000u      /* between the end of the socket and the end of the process */

static struct compute_executor *executor_of(struct compute_link *link)
{
	return base_container_of(link, struct compute_executor, link);
}

/* ----------------------------------------------------------------- link */

/* The spare one is nobody's loss. */
static void drop_spare(struct compute_executor *ex, const char *why)
{
	log_debug("the spare executor %s", why);
	ex->device->spare = NULL;
	compute_executor_kill(ex);
}

static void handle_message(struct compute_link *link, const void *data, size_t len, int *fd)
{
	struct compute_executor *ex = executor_of(link);

	if (ex->session)
		compute_session_executor_message(ex->session, data, len, fd);
	else if (!ex->is_killed)
		drop_spare(ex, "spoke before it was asked");
}

static void tell_end(struct compute_executor *ex, const struct trn_error *why)
{
	if (ex->is_killed)
		return;
	if (ex->session)
		compute_session_executor_ended(ex->session, why);
	else
		drop_spare(ex, why->text);
}

static int on_grace(sd_event_source *source, uint64_t usec, void *data)
{
	struct trn_error why = { 0 };

	trn_error_set(&why, -ESHUTDOWN, "ExecutorLost", "closed its connection and was ended");
	tell_end(data, &why);
	return 0;
}

/* A process that dies closes its socket before it can be waited for: why it died is worth a moment. */
static void handle_link_ended(struct compute_link *link, int reason)
{
	struct compute_executor *ex = executor_of(link);

	if (ex->grace)
		return;
	if (!ex->pid || sd_event_add_time_relative(ex->device->config->event, &ex->grace, CLOCK_MONOTONIC, GRACE_US, 1000,
						   on_grace, ex) < 0)
		on_grace(NULL, 0, ex);
}

static void handle_drained(struct compute_link *link)
{
	const struct compute_executor *ex = executor_of(link);

	if (ex->session)
		ex->session->client->pause(ex->session, false);
}

static const struct compute_link_ops executor_ops = {
	.receive = handle_message,
	.ended = handle_link_ended,
	.drained = handle_drained,
};

/* ------------------------------------------------------------------ end */

static void describe_end(const siginfo_t *info, struct trn_error *why)
{
	int sig = info->si_status;

	if (info->si_code == CLD_EXITED) {
		trn_error_set(why, -ESHUTDOWN, "ExecutorLost", "ended with status %d", info->si_status);
		return;
	}
	trn_error_set(why, -ESHUTDOWN, "ExecutorLost", "was killed by signal %d (%s)%s", sig, strsignal(sig),
		      sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGABRT
			      ? ": a kernel crashed"
			      : "");
	if (sig == SIGKILL)
		trn_error_hint(why, "if nobody did that by hand, this machine may have run out of memory: see dmesg");
}

struct removal {
	struct compute_job job;
	struct compute_device *device;
	char path[];
};

static void remove_in_thread(struct compute_job *job)
{
	(void)base_rmtree(AT_FDCWD, base_container_of(job, struct removal, job)->path);
}

static void on_removed(struct compute_job *job)
{
	struct removal *r = base_container_of(job, struct removal, job);

	compute_device_job_done(r->device);
	free(r);
}

static void remove_folder(struct compute_executor *ex)
{
	size_t len = strlen(ex->folder) + 1;
	struct removal *r;

	if (!ex->has_folder)
		return;
	ex->has_folder = false;
	r = calloc(1, sizeof(*r) + len);
	if (!r) {
		(void)base_rmtree(AT_FDCWD, ex->folder);
		return;
	}
	r->job = (struct compute_job){ .run = remove_in_thread, .done = on_removed };
	r->device = ex->device;
	memcpy(r->path, ex->folder, len);
	compute_device_add_job(ex->device, &r->job);
}

/* Nothing runs for it any more. */
static void set_gone(struct compute_executor *ex)
{
	if (ex->is_gone)
		return;
	ex->is_gone = true;
	remove_folder(ex);
	compute_device_schedule_gc(ex->device);
}

static uint64_t ns_of(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_usec * 1000u;
}

static int on_exit_of(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct compute_executor *ex = data;
	struct trn_error why = { 0 };
	struct rusage usage = { 0 };
	siginfo_t info = { 0 };
	pid_t pid = ex->pid;

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) < 0 || info.si_pid != pid)
		return 0;
	/* While it is not reaped its number, and so the group's, cannot be anybody else's. */
	kill(-pid, SIGKILL);
	wait4(pid, NULL, 0, &usage);
	ex->pid = 0;
	ex->exit = sd_event_source_disable_unref(ex->exit);
	if (ex->session)
		ex->device->stats.cpu_ns += ns_of(&usage.ru_utime) + ns_of(&usage.ru_stime);
	compute_strays_kill(ex->device);
	describe_end(&info, &why);
	tell_end(ex, &why);
	compute_executor_kill(ex);
	set_gone(ex);
	return 0;
}

void compute_executor_kill(struct compute_executor *ex)
{
	if (!ex || ex->is_killed)
		return;
	ex->is_killed = true;
	compute_link_close(&ex->link);
	ex->grace = sd_event_source_disable_unref(ex->grace);
	if (ex->pid && ex->shared_id)
		(void)pidfd_send_signal(ex->pidfd, SIGKILL, NULL, 0); /* who reaps it ends its group, and tells us */
	else if (ex->pid)
		kill(-ex->pid, SIGKILL); /* on_exit_of() does the rest */
	else if (!ex->start_id) /* else tranche-parent has to say what became of it */
		set_gone(ex);
}

static void free_executor(struct compute_executor *ex)
{
	base_list_remove(&ex->node);
	compute_link_close(&ex->link);
	sd_event_source_disable_unref(ex->exit);
	sd_event_source_disable_unref(ex->grace);
	base_close(ex->pidfd);
	base_close(ex->theirs);
	if (ex->session)
		ex->session->executor = NULL;
	free(ex);
}

void compute_executor_collect(struct compute_device *d)
{
	struct compute_executor *ex, *next;

	base_list_for_each_safe(ex, next, &d->executors, node)
		if (ex->is_gone)
			free_executor(ex);
}

/* Their processes were killed, and are waited for if they are ours. */
void compute_executor_end_all(struct compute_device *d)
{
	struct compute_executor *ex;

	base_list_for_each(ex, &d->executors, node) {
		compute_executor_kill(ex);
		if (ex->pid && !ex->shared_id)
			waitpid(ex->pid, NULL, 0);
		ex->pid = 0;
		set_gone(ex);
	}
}

/* ---------------------------------------------------------------- start */

static int spawn(const struct compute_start *start, pid_t *ret_pid)
{
	char *const argv[] = { (char[]){ "tranche-executor" }, NULL };

	return compute_launch(start->path, argv, start->env, start->sock, ret_pid);
}

/* When memory runs out the executor is the better victim: it holds one program's work only. */
static void prefer_as_victim(pid_t pid, int pidfd)
{
	_cleanup_close_ int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	/* The file is that of a process, not of a number: if it lives now it is this one. */
	if (fd >= 0 && pidfd_send_signal(pidfd, 0, NULL, 0) == 0 && write(fd, "500", 3) < 0)
		return; /* then not */
}

/* Takes over pidfd. */
static int watch(struct compute_executor *ex, pid_t pid, int pidfd)
{
	ex->pid = pid;
	ex->pidfd = pidfd;
	prefer_as_victim(pid, pidfd);
	/* One of a shared tranche-parent cannot be waited for: we are told of its end. */
	if (ex->shared_id)
		return 0;
	return sd_event_add_io(ex->device->config->event, &ex->exit, pidfd, EPOLLIN, on_exit_of, ex);
}

/* As a child of our own. */
static int start_process(struct compute_executor *ex, char **env, int sock)
{
	const struct compute_config *config = ex->device->config;
	const struct compute_start start = { .path = config->executor_path, .sock = sock, .env = env };
	pid_t pid = 0;
	int r = config->start ? config->start(&start, config->data, &pid) : spawn(&start, &pid);
	int pidfd;

	if (r < 0 || !pid)
		return r;
	ex->pid = pid;
	pidfd = pidfd_open(pid, 0);
	return pidfd < 0 ? -errno : watch(ex, pid, pidfd);
}

/* By tranche-parent, which has the host's OpenCL loaded already.  Our copy of the socket is for what happens if it fails. */
static int ask_forker(struct compute_executor *ex, char **env, int *sock)
{
	_cleanup_close_ int folder = -1;
	int r;

	if (!ex->has_folder)
		return -ENOTDIR;
	folder = open(ex->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	r = compute_forker_ask(&ex->device->forker, ex, env, *sock, folder);
	if (r == 0)
		ex->theirs = TAKE_FD(*sock);
	return r;
}

int compute_executor_ask(struct compute_executor *ex)
{
	char **env = NULL;
	int r = compute_environment_make(ex->folder, ex->device->face != NULL, &env);

	if (r == 0) {
		_cleanup_close_ int folder = open(ex->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

		r = folder < 0 ? -errno : compute_forker_ask(&ex->device->forker, ex, env, ex->theirs, folder);
	}
	compute_environment_free(env);
	return r;
}

static int start_somehow(struct compute_executor *ex, int *sock)
{
	char **env = NULL;
	int r = compute_environment_make(ex->folder, ex->device->face != NULL, &env);

	if (r < 0)
		return r;
	if (ask_forker(ex, env, sock) < 0) {
		r = start_process(ex, env, *sock);
		compute_forker_start(&ex->device->forker); /* for the next one */
	}
	compute_environment_free(env);
	return r;
}

static int make_folder(struct compute_executor *ex)
{
	if (!ex->device->config->runtime_dir)
		return 0;
	if (mkdir(ex->folder, 0700) < 0)
		return -errno;
	ex->has_folder = true;
	return 0;
}

/* A process that cannot be watched is ended here and now. */
static void undo_start(struct compute_executor *ex)
{
	if (ex->pid) {
		kill(-ex->pid, SIGKILL);
		waitpid(ex->pid, NULL, 0);
		ex->pid = 0;
	}
	remove_folder(ex);
	free_executor(ex);
}

static struct compute_executor *new_executor(struct compute_device *d)
{
	const char *above = d->config->runtime_dir ? d->config->runtime_dir : "";
	size_t len = strlen(above) + 40;
	struct compute_executor *ex = calloc(1, sizeof(*ex) + len);

	if (!ex)
		return NULL;
	ex->device = d;
	ex->pidfd = -1;
	ex->theirs = -1;
	base_list_init(&ex->node);
	compute_link_init(&ex->link, &executor_ops, QUEUE_MAX, true);
	snprintf(ex->folder, len, "%s/session-%llu", above, (unsigned long long)++d->last_executor);
	return ex;
}

int compute_executor_create(struct compute_device *d, struct compute_executor **ret, struct trn_error *err)
{
	struct compute_executor *ex = new_executor(d);
	_cleanup_close_ int theirs = -1;
	int ends[2], r;

	if (!ex)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for an executor");
	r = base_socket_pair(ends);
	if (r < 0)
		goto undo;
	theirs = ends[1];
	r = compute_link_open(&ex->link, d->config->event, ends[0]);
	if (r < 0) {
		base_close(ends[0]);
		goto undo;
	}
	/* Before there is a process: one that is no executor's is a stray. */
	base_list_append(&d->executors, &ex->node);
	r = make_folder(ex);
	if (r == 0)
		r = start_somehow(ex, &theirs);
	if (r < 0)
		goto undo;
	*ret = ex;
	return 0;

undo:
	trn_error_set(err, r, "NoExecutor", "cannot start the executor %s: %s", d->config->executor_path, strerror(-r));
	undo_start(ex);
	return r;
}

int compute_executor_start(struct compute_session *s, struct trn_error *err)
{
	struct compute_executor *ex = compute_spare_take(s->device);
	int r = ex ? 0 : compute_executor_create(s->device, &ex, err);

	if (r < 0)
		return r;
	ex->session = s;
	s->executor = ex;
	compute_behind_start(s->device);
	return 0;
}

uint32_t compute_executor_flags(const struct compute_device *d)
{
	return (getenv("TRANCHE_NOT_COHERENT") ? TRNC_EXEC_FLAG_NOT_COHERENT : 0) |
	       (d->config->no_quick ? TRNC_EXEC_FLAG_NO_QUICK : 0) | (d->face ? TRNC_EXEC_FLAG_GUEST : 0);
}

/* --------------------------------------------------- told by the forker */

/* It cannot be started, or not be watched. */
static void fail_start(struct compute_executor *ex, int r)
{
	struct trn_error why = { 0 };

	trn_error_set(&why, r, "NoExecutor", "cannot be started: %s", strerror(-r));
	tell_end(ex, &why);
	compute_executor_kill(ex);
}

void compute_executor_forked(struct compute_executor *ex, pid_t pid, int pidfd)
{
	int r = watch(ex, pid, pidfd);

	ex->theirs = base_close(ex->theirs);
	if (r < 0) {
		kill(-pid, SIGKILL);
		waitpid(pid, NULL, 0);
		ex->pid = 0;
		fail_start(ex, r);
		set_gone(ex);
	} else if (ex->is_killed && ex->shared_id) {
		(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	} else if (ex->is_killed) {
		kill(-pid, SIGKILL);
	}
}

void compute_executor_reaped(struct compute_executor *ex, const struct trnc_parent_ended *how)
{
	siginfo_t info = { .si_code = how->code };
	struct trn_error why = { 0 };

	info.si_status = how->status;
	ex->pid = 0;
	if (ex->session)
		ex->device->stats.cpu_ns += how->cpu_ns;
	describe_end(&info, &why);
	tell_end(ex, &why);
	compute_executor_kill(ex);
	set_gone(ex);
}

/* Its folder and its memory are given back when it has ended. */
static int on_orphan_exit(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct compute_executor *ex = data;

	ex->exit = sd_event_source_disable_unref(ex->exit);
	ex->pid = 0;
	set_gone(ex);
	return 0;
}

void compute_executor_orphaned(struct compute_executor *ex)
{
	struct trn_error why = { 0 };

	trn_error_set(&why, -ESHUTDOWN, "ParentLost", "was ended, because the tranche-parent that had started it is gone");
	trn_error_hint(&why, "start the program again");
	tell_end(ex, &why);
	compute_executor_kill(ex);
	if (!ex->exit && sd_event_add_io(ex->device->config->event, &ex->exit, ex->pidfd, EPOLLIN, on_orphan_exit, ex) < 0)
		set_gone(ex);
}

/* Nobody has read from its socket: the messages wait for the process that is started now. */
void compute_executor_not_forked(struct compute_executor *ex, int reason)
{
	_cleanup_close_ int sock = TAKE_FD(ex->theirs);
	char **env = NULL;
	int r;

	if (ex->is_killed) {
		set_gone(ex);
		return;
	}
	log_debug("an executor is started without tranche-parent: %s", strerror(-reason));
	r = compute_environment_make(ex->folder, ex->device->face != NULL, &env);
	if (r == 0)
		r = start_process(ex, env, sock);
	compute_environment_free(env);
	if (r < 0)
		fail_start(ex, r);
}

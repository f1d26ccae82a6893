/* SPDX-License-Identifier: MIT */
#include "parent/work.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/blob.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/rmtree.h"
#include "base/socket.h"
#include "executor/helper.h"
#include "executor/sandbox.h"
#include "parent/collect.h"
#include "parent/work_priv.h"

/* A build may take as long as that; one that nobody waits for, less. */
#define LIMIT_MS (15 * 60 * 1000)
#define BACKGROUND_LIMIT_MS (2 * 60 * 1000)
/* Private memory of a compiler: half of the machine's, or this if that is less. */
#define MAX_HEAP (16ull << 30)
#define LOW_PRIORITY 19

/* cl errors and states, without OpenCL's headers */
#define CL_BUILD_ERROR_ (-2)
#define CL_BUILD_PROGRAM_FAILURE_ (-11)

/* -------------------------------------------------------------- helper */

static uint64_t heap_limit(void)
{
	uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES), half = pages / 2 * (uint64_t)sysconf(_SC_PAGESIZE);

	return half < MAX_HEAP ? half : MAX_HEAP;
}

/* Of our environment what counts (the key says so), and where to write. */
static int make_environment(const struct parent_job *j)
{
	const char *hidden = getenv(TRNC_EXEC_HIDDEN);
	char **env;
	size_t nr = 0, kept = 0;

	while (environ[nr])
		nr++;
	env = calloc(nr + 1, sizeof(*env));
	if (!env)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++)
		if (parent_env_matters(environ[i]))
			env[kept++] = environ[i];
	environ = env;
	if (setenv("POCL_CACHE_DIR", j->cache, 1) < 0 || setenv("TMPDIR", j->scratch, 1) < 0 ||
	    setenv("XDG_CACHE_HOME", j->cache, 1) < 0 || setenv("TRANCHE_EXECUTOR", "1", 1) < 0 ||
	    (hidden && setenv(TRNC_EXEC_HIDDEN, hidden, 1) < 0) ||
	    (j->work->is_guest && setenv(TRNC_EXEC_GUEST, "1", 1) < 0))
		return -ENOMEM;
	return 0;
}

static void __attribute__((noreturn)) be_helper(const struct parent_job *j)
{
	const struct parent_process *p = j->work->process;
	char *argv[] = { (char[]){ "tranche-executor" }, (char[]){ "--build" }, NULL };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != j->self || make_environment(j) < 0)
		_exit(EXEC_HELPER_FAILED);
	if (j->work->is_background)
		setpriority(PRIO_PROCESS, 0, LOW_PRIORITY);
	if (dup2(j->order, TRNC_EXEC_FD) < 0 || fcntl(TRNC_EXEC_FD, F_SETFD, 0) < 0)
		_exit(EXEC_HELPER_FAILED);
	syscall(SYS_close_range, TRNC_EXEC_FD + 1, ~0u, 0);
	exec_sandbox_limit_heap(heap_limit());
	/*
	 * Not as a copy of us, although that would start 20 ms sooner: the broker has other programs' sources in its
	 * memory, and a compiler that this one gets the better of could read them.
	 */
	execve(p->executor_path, argv, environ);
	_exit(EXEC_HELPER_FAILED);
}

/* Runs it to its end, or to the end of our patience; nothing of it is left. Return: its wait status, or -errno. */
static int run_helper(struct parent_job *j)
{
	int limit = j->work->is_background ? BACKGROUND_LIMIT_MS : LIMIT_MS;
	_cleanup_close_ int pidfd = -1;
	pid_t pid = fork();
	int status = -ECHILD;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		be_helper(j);
	setpgid(pid, pid); /* as it does itself: whoever is first */
	pidfd = pidfd_open(pid, 0);
	if (pidfd >= 0) {
		struct pollfd p = { .fd = pidfd, .events = POLLIN };

		while (poll(&p, 1, limit) < 0 && errno == EINTR) {
		}
	}
	/* Its number is its group's while it is not reaped. */
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

/* -------------------------------------------------------------- results */

/* The build's log, when the compiler did not live to write one. */
static int put_death(struct parent_built *b, int wait_status)
{
	struct base_blob blob = { 0 };
	char text[200];

	if (WIFSIGNALED(wait_status))
		snprintf(text, sizeof(text), "the compiler was ended by signal %d (%s): it may have run out of memory\n",
			 WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
	else
		snprintf(text, sizeof(text), "the compiler gave up with status %d: is there room in the runtime folder?\n",
			 WEXITSTATUS(wait_status));
	base_blob_put_u32(&blob, TRNC_TAG_BUILD_STATUS, (uint32_t)CL_BUILD_ERROR_);
	base_blob_put_u32(&blob, TRNC_TAG_BINARY_TYPE, 0);
	base_blob_put_str(&blob, TRNC_TAG_LOG, text);
	base_blob_put_u32(&blob, TRNC_TAG_PRINTF, 0);
	base_blob_put_u32(&blob, TRNC_TAG_STATUS, (uint32_t)CL_BUILD_PROGRAM_FAILURE_);
	b->reply.fd = blob.failed ? -ENOMEM : parent_memory_of(blob.data, blob.len);
	b->reply.size = blob.len;
	base_blob_finish(&blob);
	return b->reply.fd < 0 ? b->reply.fd : 0;
}

/* Its reply lies where its order was. *ret_good: a build that went well. */
static int take_reply(struct parent_job *j, bool *ret_good)
{
	struct parent_built *b = &j->built;
	_cleanup_free_ uint8_t *bytes = NULL;
	struct base_blob_reader r;
	struct base_blob_item it;
	uint32_t status = 1;

	b->reply.fd = parent_copy_to_memory(j->order, TRNC_MAX_BLOB, &b->reply.size);
	if (b->reply.fd < 0)
		return b->reply.fd;
	bytes = malloc(b->reply.size + 1);
	if (!bytes || pread(b->reply.fd, bytes, b->reply.size, 0) != (ssize_t)b->reply.size)
		return -ENOMEM;
	base_blob_reader_init(&r, bytes, b->reply.size);
	while (base_blob_next(&r, &it))
		if (it.tag == TRNC_TAG_STATUS && !base_blob_u32(&it, &status))
			return -EBADMSG;
	*ret_good = !r.malformed && status == 0;
	return r.malformed ? -EBADMSG : 0;
}

static int collect(struct parent_job *j)
{
	_cleanup_close_ int fd = open(j->cache, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : parent_collect(fd, &j->built);
}

struct packet {
	int32_t status; /* of the first one: 0 or -errno */
	uint32_t nr_files;
	uint32_t flags;
	uint32_t reserved;
	char program[64];
	struct trnc_broker_file file;
};

static void tell(const struct parent_job *j, int r)
{
	const struct parent_built *b = &j->built;
	struct packet p = { .status = r, .nr_files = b->nr_files, .flags = b->flags, .file.size = b->reply.size };

	memcpy(p.program, b->program, sizeof(p.program));
	if (base_send(j->sock, &p, sizeof(p), &b->reply.fd, b->reply.fd >= 0 && r == 0) < 0 || r < 0)
		return;
	for (uint32_t i = 0; i < b->nr_files; i++) {
		p.file.size = b->files[i].size;
		memcpy(p.file.name, b->files[i].name, sizeof(p.file.name));
		if (base_send(j->sock, &p, sizeof(p), &b->files[i].fd, 1) < 0)
			return;
	}
}

static int take_packet(const struct packet *p, int fd, bool is_first, struct parent_built *b, uint32_t *expected)
{
	if (!is_first)
		return parent_built_add(b, p->file.name, p->file.size, fd);
	b->flags = p->flags;
	memcpy(b->program, p->program, sizeof(b->program));
	b->reply.size = p->file.size;
	b->reply.fd = fd;
	*expected = p->nr_files;
	return p->status < 0 ? p->status : 0;
}

int parent_work_receive(int sock, struct parent_built *b, uint32_t *expected)
{
	bool is_first = b->reply.fd < 0;

	while (is_first || b->nr_files < *expected) {
		struct packet p;
		int fd = -1, r;
		size_t nr_fds = 1;
		ssize_t n = base_recv(sock, &p, sizeof(p), &fd, &nr_fds);

		if (n == -EAGAIN || n == -EINTR)
			return 0;
		if (n != sizeof(p))
			return n < 0 ? (int)n : -EPIPE;
		if (nr_fds != 1)
			return p.status < 0 ? p.status : -EIO;
		r = take_packet(&p, fd, is_first, b, expected);
		if (r < 0)
			return r;
		is_first = false;
	}
	return 1;
}

bool parent_work_has_ended(int sock)
{
	struct packet p;
	ssize_t n;

	do
		n = base_recv(sock, &p, sizeof(p), NULL, NULL);
	while (n > 0 || n == -EMSGSIZE || n == -EINTR);
	return n != -EAGAIN;
}

/* -------------------------------------------------------------- worker */

static int make_place(struct parent_job *j)
{
	const char *tmp = getenv("TMPDIR");
	char name[64];
	int n;

	if (j->work->scratch) {
		j->lock = parent_store_make_tmp(j->work->scratch, name);
		if (j->lock >= 0) {
			n = snprintf(j->place, sizeof(j->place), "%s/%s", j->work->scratch->path, name);
			goto inside;
		}
	}
	n = snprintf(j->place, sizeof(j->place), "%s/tranche-build-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
	if (n < 0 || (size_t)n >= sizeof(j->place) || !mkdtemp(j->place)) {
		j->place[0] = '\0';
		return -errno;
	}
inside:
	if (n < 0 || (size_t)n >= sizeof(j->place))
		return -ENAMETOOLONG;
	snprintf(j->cache, sizeof(j->cache), "%s/cache", j->place);
	snprintf(j->scratch, sizeof(j->scratch), "%s/scratch", j->place);
	return mkdir(j->cache, 0700) < 0 || mkdir(j->scratch, 0700) < 0 ? -errno : 0;
}

static int make_order(struct parent_job *j)
{
	const uint8_t *p = j->work->order;
	size_t len = j->work->order_len;

	j->order = memfd_create("tranche-order", MFD_CLOEXEC);
	if (j->order < 0)
		return -errno;
	while (len) {
		ssize_t n = write(j->order, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -ENOMEM;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Return: 0 or -errno; what is to be stored in *ret_good. */
static int build(struct parent_job *j, bool *ret_good)
{
	int r = make_place(j), status;

	*ret_good = false;
	if (r == 0)
		r = make_order(j);
	if (r == 0 && j->work->is_background)
		r = parent_work_seed(j);
	if (r < 0)
		return r;
	status = run_helper(j);
	if (status < 0)
		return status;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXEC_HELPER_FAILED)
		return -EIO;
	if (status)
		return put_death(&j->built, status);
	r = take_reply(j, ret_good);
	return r == 0 && *ret_good ? collect(j) : r;
}

static void close_all_but(const int *keep, size_t nr)
{
	unsigned int from = STDERR_FILENO + 1;

	for (;;) {
		unsigned int next = ~0u;

		for (size_t i = 0; i < nr; i++)
			if (keep[i] >= (int)from && (unsigned int)keep[i] < next)
				next = (unsigned int)keep[i];
		if (next != from)
			syscall(SYS_close_range, from, next == ~0u ? next : next - 1, 0);
		if (next == ~0u)
			return;
		from = next + 1;
	}
}

/* Of the one who is waited for no longer: who waits for the end of a pipe must not wait for us. */
static void close_output(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		base_close(null);
}

static void begin_worker(struct parent_job *j)
{
	const struct parent_store *s = j->work->store, *scratch = j->work->scratch;
	sigset_t none;

	setpgid(0, 0);
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL); /* not all can be set */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "tranche-broker");
	/* The sockets of executors must close when we close them. */
	close_all_but((const int[]){ j->sock, s ? s->entries : -1, s ? s->tmp : -1, scratch ? scratch->tmp : -1 }, 4);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (j->work->is_background) {
		setpriority(PRIO_PROCESS, 0, LOW_PRIORITY);
		close_output();
	}
	j->self = getpid();
}

static void __attribute__((noreturn)) be_worker(struct parent_job *j)
{
	const struct parent_work *w = j->work;
	bool is_good;
	int r;

	begin_worker(j);
	/* Held to the end: programs that are run one after the other all want the same. */
	if (w->is_background && parent_store_claim(w->store, &w->key) == -EWOULDBLOCK)
		_exit(EXIT_SUCCESS);
	r = build(j, &is_good);
	/* What was just compiled is what this program is now, whatever it depends on. */
	j->built.flags = TRNC_BROKER_REPLY_FINAL;
	if (r < 0)
		log_debug("a build: %s", strerror(-r));
	if (!w->is_background)
		tell(j, r);
	close_output();
	if (r == 0 && is_good && w->store && w->fate.is_storable) {
		/* Read again, it is only if no other file had a part in it. */
		if (w->fate.reads_files)
			j->built.flags &= ~TRNC_BROKER_REPLY_FINAL;
		r = w->is_background ? parent_work_extend(j) : parent_store_put(w->store, &w->key, &j->built);
		if (r < 0)
			log_debug("a program is not stored: %s", strerror(-r));
	}
	/* Also what could not be made: it would not be the next time, and there is a next time whenever the program runs. */
	if (w->is_background)
		parent_store_unwant(w->store, &w->key);
	if (j->place[0])
		(void)base_rmtree(AT_FDCWD, j->place);
	_exit(EXIT_SUCCESS);
}

int parent_work_start(const struct parent_work *w, pid_t *ret_pid, int *ret_sock)
{
	struct parent_job j = { .work = w, .lock = -1, .order = -1 };
	int ends[2], r = base_socket_pair(ends);

	if (r < 0)
		return r;
	parent_built_init(&j.built);
	j.sock = ends[1];
	*ret_pid = fork();
	if (*ret_pid == 0)
		be_worker(&j);
	base_close(ends[1]);
	if (*ret_pid < 0) {
		r = -errno;
		base_close(ends[0]);
		return r;
	}
	setpgid(*ret_pid, *ret_pid);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	*ret_sock = ends[0];
	return 0;
}

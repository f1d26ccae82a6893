/* SPDX-License-Identifier: MIT */
/*
 * From the first message to a host's OpenCL that is ready.
 * The order matters: what needs permissions comes before the sandbox, the window before the host's OpenCL (whose
 * libraries could take its addresses; in a process that tranche-parent forked they are there already, but far from what
 * TRNC_WINDOW_FROM names), and the sandbox before the host's threads exist.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "executor/broker.h"
#include "executor/entry.h"
#include "executor/executor.h"
#include "executor/probe.h"
#include "executor/sandbox.h"

struct setup {
	struct trnc_msg head;
	struct trnc_exec_setup body;
	/* not of the packet: what came with it */
	int fds[2]; /* of a guest: aperture, eventfd */
	size_t nr_fds;
};
#define SETUP_LEN offsetof(struct setup, fds)

struct prepare {
	struct trnc_msg head;
	struct trnc_exec_prepare body;
};

/* What PREPARE asked for, or SETUP if that came alone. */
struct prepared {
	bool is_done;
	struct trnc_exec_prepare what;
	int probe;
	uint64_t probe_len;
	struct trn_error err; /* its code is 0 if all is well */
};

/* All that does not depend on the client. */
static int make_host_ready(struct executor *ex, struct prepared *p, struct trn_error *err)
{
	const uint32_t host_device = p->what.host_device, flags = p->what.flags;
	int r;

	if (flags & ~(TRNC_EXEC_FLAG_NOT_COHERENT | TRNC_EXEC_FLAG_NO_QUICK | TRNC_EXEC_FLAG_GUEST))
		return trn_error_set(err, -EINVAL, "Flags", "unknown flags %#x", flags);
	/* Before the sandbox, which forbids it. */
	p->probe = memfd_create("tranche-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (p->probe < 0)
		return trn_error_set(err, -errno, "NoMemory", "no memory object for the device's description");
	r = exec_output_init(&ex->output);
	if (r < 0)
		return trn_error_set(err, r, "Output", "no pipe for the output: %s", strerror(-r));
	r = exec_sandbox_enter(flags & TRNC_EXEC_FLAG_GUEST, err);
	if (r == 0)
		r = exec_host_load(&ex->host, host_device, !(flags & TRNC_EXEC_FLAG_NO_QUICK), err);
	if (r == 0)
		r = exec_host_self_test(&ex->host, err);
	if (r == 0)
		r = exec_probe_write(&ex->host, p->probe, &p->probe_len, err);
	if (r < 0)
		return r;
	r = exec_output_start(&ex->output);
	return r < 0 ? trn_error_set(err, r, "NoThread", "no thread for the output") : 0;
}

static void prepare(struct executor *ex, const struct trnc_exec_prepare *what, struct prepared *p)
{
	*p = (struct prepared){ .is_done = true, .what = *what, .probe = -1 };
	(void)make_host_ready(ex, p, &p->err);
}

/* In process mode also the folder from where the program names files; a guest's paths are not ours. */
static int take_window(struct executor *ex, struct setup *s, struct trn_error *err)
{
	int r;

	if (!(s->body.flags & TRNC_EXEC_FLAG_GUEST)) {
		if (getenv(TRNC_EXEC_GUEST))
			return trn_error_set(err, -EINVAL, "NoGuest", "an executor of a guest got the session of a program");
		if (s->nr_fds)
			return trn_error_set(err, -EINVAL, "Descriptors", "%zu descriptors came, and no guest", s->nr_fds);
		exec_window_init(&ex->window, s->body.window_base, s->body.window_size, ex->kick_fd);
		if (s->body.cwd[0] && chdir(s->body.cwd) < 0)
			log_debug("working folder %s: %m", s->body.cwd);
		return 0;
	}
	if (!getenv(TRNC_EXEC_GUEST))
		exec_broker_close(); /* it would compile as for a program of this machine */
	if (s->nr_fds != 2)
		return trn_error_set(err, -EINVAL, "Descriptors", "a guest's session wants 2 descriptors, not %zu", s->nr_fds);
	r = exec_window_init_guest(&ex->window, &s->body, s->fds[0], ex->kick_fd, err);
	/* Before any code of a client runs, so that it never sees more of the aperture than what is mapped. */
	s->fds[0] = base_close(s->fds[0]);
	if (r < 0)
		return r;
	exec_waker_init(&ex->waker, TAKE_FD(s->fds[1]));
	return 0;
}

/* What the client chose.  Of the host's OpenCL nothing lies where a client asks for its window, loaded or not. */
static int make_ready(struct executor *ex, struct setup *s, struct prepared *p, struct trnc_exec_ready *ready)
{
	const struct trnc_exec_prepare what = { .host_device = s->body.host_device, .flags = s->body.flags };
	int r;

	if (p->is_done && (p->what.host_device != what.host_device || p->what.flags != what.flags))
		return trn_error_set(&p->err, -EINVAL, "Prepared", "something else was prepared");
	r = take_window(ex, s, &p->err);
	if (r < 0)
		return r;
	exec_sandbox_limit_heap(s->body.heap_limit);
	if (!p->is_done)
		prepare(ex, &what, p);
	if (p->err.code)
		return p->err.code;
	ex->host_device = what.host_device;
	ex->output.waker = ex->window.is_guest ? &ex->waker : NULL;
	ex->broker = exec_broker_open();
	ex->coherent = ex->host.coherent && !(what.flags & TRNC_EXEC_FLAG_NOT_COHERENT);
	if (!ex->coherent || !exec_host_has_svm(&ex->host))
		ex->window.svm = false;
	ready->probe_len = p->probe_len;
	ready->flags = (ex->coherent ? TRNC_SESSION_COHERENT : 0) | (ex->window.svm ? TRNC_SESSION_SVM : 0);
	return 0;
}

/* SETUP; does what PREPARE asks if that comes before. */
static int receive_setup(struct executor *ex, struct setup *ret, struct prepared *p)
{
	for (;;) {
		struct prepare early;
		ssize_t n;

		ret->nr_fds = 2;
		n = base_recv(ex->sock, ret, SETUP_LEN, ret->fds, &ret->nr_fds);

		if (n <= 0)
			return n < 0 ? (int)n : -EPIPE;
		if (n == sizeof(early) && ret->nr_fds == 0 && ret->head.type == TRNC_EXEC_PREPARE &&
		    ret->head.len == sizeof(early) && !p->is_done) {
			memcpy(&early, ret, sizeof(early));
			prepare(ex, &early.body, p);
			continue;
		}
		if (n != SETUP_LEN || ret->head.type != TRNC_EXEC_SETUP || ret->head.len != SETUP_LEN)
			return -EPROTO;
		ret->body.cwd[sizeof(ret->body.cwd) - 1] = '\0';
		return 0;
	}
}

int exec_setup(struct executor *ex)
{
	struct trnc_exec_ready ready = { 0 };
	struct prepared p = { .probe = -1 };
	struct setup s;
	int r = receive_setup(ex, &s, &p);

	if (r == 0) {
		r = make_ready(ex, &s, &p, &ready);
		if (r < 0)
			exec_reply_error(ex, s.head.type, s.head.id, &p.err);
		else
			exec_reply_fd(ex, s.head.type, s.head.id, &ready, sizeof(ready), p.probe);
	}
	base_close(p.probe);
	return r;
}

/*
 * The host's OpenCL allocates for each command in the ring's thread and frees in its workers.  In a heap of that
 * thread's own, which glibc grows and trims page by page, a stream of small kernels ran at 0.7 of native's rate; in
 * the main heap, kept at its size, at native's.
 */
void exec_tune_malloc(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 16 << 20);
	mallopt(M_TOP_PAD, 1 << 20);
	mallopt(M_MMAP_THRESHOLD, 4 << 20); /* setting the others has frozen it at a value that is small for compilers */
}

int exec_has_socket(void)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(TRNC_EXEC_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

void exec_run(void)
{
	/* The process is one session, to its end. */
	struct executor *ex = calloc(1, sizeof(*ex));
	int r;

	if (!ex)
		_exit(EXIT_FAILURE);
	ex->sock = TRNC_EXEC_FD;
	/* Our own driver, which the loader may find beside the host's, then shows no device. */
	setenv("TRANCHE_EXECUTOR", "1", 1);
	exec_gate_take(&ex->gate);
	exec_sandbox_begin();
	signal(SIGPIPE, SIG_IGN);
	ex->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ex->kick_fd < 0)
		_exit(EXIT_FAILURE);
	r = exec_setup(ex);
	if (r < 0) {
		log_debug("set-up: %s", strerror(-r));
		_exit(EXIT_FAILURE);
	}
	exec_control_run(ex);
}

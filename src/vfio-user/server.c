/* SPDX-License-Identifier: MIT */
#include "vfio-user/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/peer.h"
#include "base/thread.h"
#include "tranche/mdev.h"
#include "vfio-user/connection.h"

#define DEFAULT_CLIENTS 256u /* a thread and two buffers each, also for those that never say VERSION */
#define DEFAULT_MSG_FDS 16u
#define MAX_DATA_XFER_SIZE (16u << 20)
#define LEAVER_WAIT_S 5

static int check_params(const struct trn_server_params *p, struct trn_error *err)
{
	const char *api = trn_type_device_api(trn_device_type(p->dev));

	if (strcmp(api, "vfio-pci") != 0)
		trn_error_set(err, -EINVAL, "WrongApi", "device %s is a %s device, vfio-user serves vfio-pci",
			      trn_device_uuid(p->dev), api);
	else if (p->max_msg_fds > VFU_MAX_FDS)
		trn_error_set(err, -EINVAL, "BadLimit", "max_msg_fds is %u, at most %u can be", p->max_msg_fds,
			      VFU_MAX_FDS);
	else if (p->max_data_xfer_size > MAX_DATA_XFER_SIZE)
		trn_error_set(err, -EINVAL, "BadLimit", "max_data_xfer_size is %u, at most %u can be",
			      p->max_data_xfer_size, MAX_DATA_XFER_SIZE);
	else if (p->wait_ms < 0)
		trn_error_set(err, -EINVAL, "BadLimit", "wait_ms is %d, which no time is", p->wait_ms);
	else
		return 0;
	return trn_error_hint(err, "give a limit of 0 for the default, or another device");
}

static void init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

int trn_server_create(const struct trn_server_params *params, struct trn_server **ret, struct trn_error *err)
{
	struct trn_error reason = { 0 };
	struct trn_server *s;

	if (check_params(params, &reason) < 0) {
		if (err && !err->code)
			*err = reason;
		return reason.code;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a server");
	s->params = *params;
	s->params.dev = trn_device_ref(params->dev);
	if (!params->max_clients)
		s->params.max_clients = DEFAULT_CLIENTS;
	if (!params->max_msg_fds)
		s->params.max_msg_fds = DEFAULT_MSG_FDS;
	if (!params->max_data_xfer_size)
		s->params.max_data_xfer_size = VFU_DEFAULT_MAX_DATA_XFER_SIZE;
	if (!params->max_dma_maps)
		s->params.max_dma_maps = VFU_DEFAULT_MAX_DMA_MAPS;
	pthread_mutex_init(&s->lock, NULL);
	init_cond(&s->left);
	base_list_init(&s->conns);
	base_list_init(&s->ended);
	s->listen_fd = -1;
	*ret = s;
	return 0;
}

void vfu_server_conn_ended(struct trn_server *server, struct vfu_conn *c)
{
	pthread_mutex_lock(&server->lock);
	base_list_remove(&c->node);
	vfu_conn_close(c);
	base_list_append(&server->ended, &c->node);
	server->nr_accesses += c->nr_accesses;
	server->nr_conns--;
	server->nr_left++;
	pthread_cond_broadcast(&server->left);
	pthread_mutex_unlock(&server->lock);
}

static bool has_leaver_locked(struct trn_server *server, const struct vfu_conn *but)
{
	struct vfu_conn *c;

	base_list_for_each(c, &server->conns, node) {
		struct pollfd p = { .fd = c->fd };

		if (c != but && poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)))
			return true;
	}
	return false;
}

unsigned int vfu_server_nr_left(struct trn_server *server)
{
	unsigned int nr;

	pthread_mutex_lock(&server->lock);
	nr = server->nr_left;
	pthread_mutex_unlock(&server->lock);
	return nr;
}

bool vfu_server_wait_for_leaver(struct trn_server *server, const struct vfu_conn *c, unsigned int nr_left)
{
	struct timespec until;
	bool has_left;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LEAVER_WAIT_S;
	pthread_mutex_lock(&server->lock);
	while (r == 0 && server->nr_left == nr_left && !server->is_leaving && has_leaver_locked(server, c))
		r = pthread_cond_timedwait(&server->left, &server->lock, &until);
	has_left = server->nr_left != nr_left;
	pthread_mutex_unlock(&server->lock);
	return has_left;
}

/* Joins the threads that have ended. */
static void reap(struct trn_server *s)
{
	for (;;) {
		struct vfu_conn *c = NULL;

		pthread_mutex_lock(&s->lock);
		if (!base_list_is_empty(&s->ended)) {
			c = base_container_of(s->ended.next, struct vfu_conn, node);
			base_list_remove(&c->node);
		}
		pthread_mutex_unlock(&s->lock);
		if (!c)
			return;
		pthread_join(c->thread, NULL);
		vfu_conn_free(c);
	}
}

static bool is_full_locked(const struct trn_server *s)
{
	return s->nr_conns >= s->params.max_clients;
}

/* The thread waits for the lock before it ends, so it is listed by then. */
static int admit_locked(struct trn_server *s, struct vfu_conn *c)
{
	int r;

	if (s->is_leaving)
		return -ESHUTDOWN;
	if (is_full_locked(s))
		return -EUSERS;
	r = vfu_conn_start(c);
	if (r < 0)
		return r;
	base_list_append(&s->conns, &c->node);
	s->nr_conns++;
	return 0;
}

static int admit(struct trn_server *s, struct vfu_conn *c)
{
	unsigned int nr_left;
	int r;

	do {
		pthread_mutex_lock(&s->lock);
		nr_left = s->nr_left;
		r = admit_locked(s, c);
		pthread_mutex_unlock(&s->lock);
	} while (r == -EUSERS && vfu_server_wait_for_leaver(s, NULL, nr_left));
	return r;
}

static int set_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if ((flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int trn_server_connect(struct trn_server *server, int fd, struct trn_error *err)
{
	struct vfu_conn *c;
	int r;

	reap(server);
	r = set_blocking(fd);
	if (r < 0) {
		base_close(fd);
		return trn_error_set(err, r, "BadSocket", "descriptor %d is no socket: %s", fd, strerror(-r));
	}
	c = vfu_conn_new(server, fd);
	if (!c)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a connection");
	r = admit(server, c);
	if (r == 0)
		return 0;
	vfu_conn_free(c);
	if (r == -EUSERS)
		return trn_error_set(err, r, "TooManyClients", "device %s has %u clients, no more are let in",
				     trn_device_uuid(server->params.dev), server->params.max_clients);
	return trn_error_set(err, r, "NoThread", "no thread for a client: %s", strerror(-r));
}

static bool is_leaving(struct trn_server *s)
{
	bool yes;

	pthread_mutex_lock(&s->lock);
	yes = s->is_leaving;
	pthread_mutex_unlock(&s->lock);
	return yes;
}

/* Out of descriptors or memory: waits until there may be more. Return: is it worth another try? */
static bool handle_accept_error(int r)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };

	switch (r) {
	case EINTR:
	case ECONNABORTED:
	case EPERM:
		return true;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		log_debug("a client has to wait: %s", strerror(r));
		nanosleep(&pause, NULL);
		return true;
	default:
		return false; /* EINVAL: shut down by trn_server_destroy() */
	}
}

/* Takes over fd. */
static void let_in(struct trn_server *s, int fd)
{
	struct trn_error err = { 0 };

	if (s->params.checks_owner && base_peer_check(fd, s->params.owner, &err) < 0)
		base_close(fd);
	else
		trn_server_connect(s, fd, &err);
	if (err.code)
		base_log_error(BASE_LOG_DEBUG, &err);
}

static void *run_listener(void *arg)
{
	struct trn_server *s = arg;

	for (;;) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);

		/* Without a free descriptor accept4() does not look at the socket, so that it was shut down is not seen. */
		if (fd < 0 && (!handle_accept_error(errno) || is_leaving(s))) {
			if (!is_leaving(s))
				log_error("no more clients are let in: %m");
			return NULL;
		}
		if (fd >= 0)
			let_in(s, fd);
	}
}

int trn_server_listen(struct trn_server *server, int fd, struct trn_error *err)
{
	int r = server->listen_fd >= 0 ? -EBUSY : set_blocking(fd);

	if (r < 0) {
		base_close(fd);
		return trn_error_set(err, r, "CannotListen", "cannot listen at descriptor %d: %s", fd, strerror(-r));
	}
	server->listen_fd = fd;
	r = base_thread_start(&server->listener, run_listener, server);
	if (r < 0) {
		server->listen_fd = base_close(fd);
		return trn_error_set(err, r, "NoThread", "no thread to listen: %s", strerror(-r));
	}
	return 0;
}

unsigned int trn_server_nr_clients(struct trn_server *server)
{
	return server->nr_open;
}

void trn_server_get_stats(struct trn_server *server, struct trn_server_stats *ret)
{
	struct vfu_conn *c;

	ret->clients = server->nr_clients;
	pthread_mutex_lock(&server->lock);
	ret->accesses = server->nr_accesses;
	base_list_for_each(c, &server->conns, node)
		ret->accesses += c->nr_accesses;
	pthread_mutex_unlock(&server->lock);
}

void trn_server_end_clients(struct trn_server *server)
{
	struct vfu_conn *c;

	pthread_mutex_lock(&server->lock);
	base_list_for_each(c, &server->conns, node)
		vfu_conn_shutdown(c);
	pthread_mutex_unlock(&server->lock);
}

static void stop_listening(struct trn_server *s)
{
	if (s->listen_fd < 0)
		return;
	shutdown(s->listen_fd, SHUT_RDWR); /* wakes accept4() */
	pthread_join(s->listener, NULL);
	base_close(s->listen_fd);
}

static void end_conns(struct trn_server *s)
{
	trn_server_end_clients(s);
	pthread_mutex_lock(&s->lock);
	while (s->nr_conns)
		pthread_cond_wait(&s->left, &s->lock);
	pthread_mutex_unlock(&s->lock);
	reap(s);
}

void trn_server_destroy(struct trn_server *server)
{
	if (!server)
		return;
	pthread_mutex_lock(&server->lock);
	server->is_leaving = true;
	pthread_cond_broadcast(&server->left);
	pthread_mutex_unlock(&server->lock);
	stop_listening(server);
	end_conns(server);
	trn_device_unref(server->params.dev);
	pthread_cond_destroy(&server->left);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

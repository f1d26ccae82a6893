/* SPDX-License-Identifier: MIT */
/* Where clients connect, and who gets in. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "daemon/http_priv.h"

#define ACCEPTS 16 /* a turn of the loop */
#define BACKLOG 4096
#define NAME "api" /* of the socket that systemd passes: FileDescriptorName= */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage storage;
};

/* ------------------------------------------------------------ accepting */

/* The client's request is not read: it is told, and the socket is closed, without waiting for anything. */
static void refuse(int fd)
{
	char text[512];
	int len = snprintf(text, sizeof(text), "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
			   "Content-Length: %zu\r\nRetry-After: 1\r\nConnection: close\r\n\r\n%s",
			   strlen(daemon_http_too_many), daemon_http_too_many);

	(void)send(fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
	base_close(fd);
}

/* One user who is no administrator does not take all: others find room, and administrators can look at what goes on. */
static bool is_too_many_of_one(struct daemon_http *http, const struct daemon_peer *peer)
{
	unsigned int limit = http->limits.connections - http->limits.connections / 4, nr = 0;
	struct http_connection *c;

	if (http->nr_connections <= limit || peer->right == DAEMON_ADMIN)
		return false;
	base_list_for_each(c, &http->connections, node)
		nr += !c->is_closing && c->peer.uid == peer->uid;
	return nr > limit; /* with the one that is to be let in */
}

static bool has_room(struct daemon_http *http)
{
	return http->nr_connections - http->nr_closing < http->limits.connections || daemon_http_close_idle(http);
}

static void add(struct daemon_http *http, const struct http_listener *l, int fd, const union address *address, socklen_t len)
{
	struct http_connection *c = has_room(http) ? daemon_http_connection_create(http, fd, l->is_local) : NULL;

	if (!c || is_too_many_of_one(http, &c->peer)) {
		http->nr_refused++;
		daemon_http_connection_destroy(c);
		refuse(fd);
		return;
	}
	http->nr_accepted++;
	http->adding = c;
	/* It closes fd when it fails, too. */
	if (MHD_add_connection(http->mhd, fd, &address->any, len) != MHD_YES && !c->mhd)
		daemon_http_connection_destroy(c);
	http->adding = NULL;
}

/* Without a free descriptor nobody can be accepted, nor refused: the loop would spin. */
static void refuse_with_spare(struct daemon_http *http, int listener)
{
	int fd;

	http->spare_fd = base_close(http->spare_fd);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		refuse(fd);
	http->nr_refused++;
	http->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int handle_listener(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct daemon_http *http = data;
	struct http_listener *l = http->listeners;
	union address address;

	while (l->fd != fd)
		l++;
	for (unsigned int i = 0; i < ACCEPTS; i++) {
		socklen_t len = sizeof(address);
		int client = accept4(fd, &address.any, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client >= 0)
			add(http, l, client, &address, len);
		else if (errno == EMFILE || errno == ENFILE)
			refuse_with_spare(http, fd);
		else if (errno != ECONNABORTED && errno != EINTR)
			break;
	}
	/* MHD has them in a list of its own until it runs. */
	sd_event_source_set_enabled(http->again, SD_EVENT_ONESHOT);
	return 0;
}

/* ------------------------------------------------------------ listening */

static struct http_listener *find_free(struct daemon_http *http)
{
	for (unsigned int i = 0; i < HTTP_NR_LISTENERS; i++)
		if (http->listeners[i].fd < 0)
			return &http->listeners[i];
	return NULL;
}

static void forget(struct http_listener *l)
{
	sd_event_source_disable_unref(l->source);
	base_close(l->fd);
	free(l->place);
	*l = (struct http_listener){ .fd = -1 };
}

/* Takes fd over. */
static int install(struct daemon_http *http, int fd, const char *place, bool is_local, bool is_passed, struct trn_error *err)
{
	struct http_listener *l = find_free(http);
	int r;

	if (!l) {
		base_close(fd);
		return trn_error_set(err, -EMFILE, "TooManyListeners", "more than %d sockets to listen at", HTTP_NR_LISTENERS);
	}
	*l = (struct http_listener){ .fd = fd, .is_local = is_local, .is_passed = is_passed, .place = strdup(place) };
	r = l->place ? sd_event_add_io(http->event, &l->source, fd, EPOLLIN, handle_listener, http) : -ENOMEM;
	if (r < 0) {
		forget(l);
		return trn_error_set(err, r, "SocketFailed", "cannot listen at %s: %s", place, strerror(-r));
	}
	return 0;
}

/* A group that is not there is no reason not to serve: it stays with those who administer. */
static void set_owner(const char *path, const struct daemon_config *config)
{
	struct group *group = config->socket_group ? getgrnam(config->socket_group) : NULL;

	if (config->socket_group && !group)
		log_warning("%s: there is no group %s", path, config->socket_group);
	if (group && chown(path, (uid_t)-1, group->gr_gid) < 0)
		log_warning("cannot give %s to group %s: %s", path, config->socket_group, strerror(errno));
	if (chmod(path, config->socket_mode) < 0)
		log_warning("cannot set the mode of %s: %s", path, strerror(errno));
}

static int listen_local(struct daemon_http *http, const struct daemon_config *config, struct trn_error *err)
{
	int fd = base_socket_listen_stream(config->socket, err);

	if (fd < 0)
		return fd;
	/* Whoever accepts must not wait for one that has gone again; and a thousand may come at once. */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	listen(fd, BACKLOG);
	set_owner(config->socket, config);
	return install(http, fd, config->socket, true, false, err);
}

static int refuse_listen(const char *text, struct trn_error *err)
{
	trn_error_set(err, -EINVAL, "BadListen", "listen = %s is not an address of the loopback interface with a port", text);
	trn_error_hint(err, "127.0.0.1:7330 or [::1]:7330; for other machines, forward the port by ssh");
	return -EINVAL;
}

static bool parse_port(const char *text, in_port_t *ret)
{
	unsigned long port;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	port = strtoul(text, &end, 10);
	*ret = htons((in_port_t)port);
	return !*end && port > 0 && port < 65536;
}

static bool parse_address(const char *text, union address *ret, socklen_t *ret_len)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : sizeof(host);

	memset(ret, 0, sizeof(*ret));
	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (host[0] == '[') {
		*ret_len = sizeof(ret->v6);
		ret->v6.sin6_family = AF_INET6;
		host[len - 1] = host[len - 1] == ']' ? '\0' : 'x';
		return inet_pton(AF_INET6, host + 1, &ret->v6.sin6_addr) == 1 && IN6_IS_ADDR_LOOPBACK(&ret->v6.sin6_addr) &&
		       parse_port(colon + 1, &ret->v6.sin6_port);
	}
	*ret_len = sizeof(ret->v4);
	ret->v4.sin_family = AF_INET;
	return inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1 && ntohl(ret->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET &&
	       parse_port(colon + 1, &ret->v4.sin_port);
}

int daemon_http_check_listen(const char *text, struct trn_error *err)
{
	union address address;
	socklen_t len;

	return parse_address(text, &address, &len) ? 0 : refuse_listen(text, err);
}

static int listen_tcp(struct daemon_http *http, const char *text, struct trn_error *err)
{
	union address address;
	socklen_t len;
	int fd, one = 1;

	if (!parse_address(text, &address, &len))
		return refuse_listen(text, err);
	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, &address.any, len) < 0 || listen(fd, BACKLOG) < 0) {
		int r = -errno;

		base_close(fd);
		return trn_error_set(err, r, "SocketFailed", "cannot listen at %s: %s", text, strerror(-r));
	}
	return install(http, fd, text, false, false, err);
}

/* ------------------------------------------------- sockets of systemd */

static int take_passed(struct daemon_http *http, int fd, struct trn_error *err)
{
	union address address = { 0 };
	socklen_t len = sizeof(address);
	bool is_loopback;

	if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0) {
		fcntl(fd, F_SETFL, O_NONBLOCK);
		return install(http, fd, "the socket of systemd", true, true, err);
	}
	if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0 || getsockname(fd, &address.any, &len) < 0)
		return trn_error_set(err, -EINVAL, "BadSocket", "the socket \"" NAME "\" that systemd passes is not one to listen at");
	is_loopback = (address.any.sa_family == AF_INET && ntohl(address.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET) ||
		      (address.any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address.v6.sin6_addr));
	if (!is_loopback) {
		trn_error_set(err, -EINVAL, "BadListen", "the socket \"" NAME "\" that systemd passes is not on the loopback interface");
		return trn_error_hint(err, "ListenStream=127.0.0.1:7330, or a path");
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return install(http, fd, "the TCP socket of systemd", false, true, err);
}

/* Return: how many there were, or -errno. */
static int take_all_passed(struct daemon_http *http, struct trn_error *err)
{
	char **names = NULL;
	int nr = sd_listen_fds_with_names(1, &names), taken = 0, r = 0;

	for (int i = 0; i < nr; i++) {
		if (r == 0 && !strcmp(names[i], NAME)) {
			r = take_passed(http, SD_LISTEN_FDS_START + i, err);
			taken++;
		}
		free(names[i]);
	}
	free(names);
	return r < 0 ? r : taken;
}

int daemon_http_listen(struct daemon_http *http, const struct daemon_config *config, struct trn_error *err)
{
	int r = take_all_passed(http, err);

	if (r == 0)
		r = listen_local(http, config, err);
	if (r >= 0 && config->listen)
		r = listen_tcp(http, config->listen, err);
	return r < 0 ? r : 0;
}

void daemon_http_relisten(struct daemon_http *http, const struct daemon_config *config)
{
	bool is_there = false;
	struct trn_error err = { 0 };

	for (unsigned int i = 0; i < HTTP_NR_LISTENERS; i++) {
		struct http_listener *l = &http->listeners[i];

		if (l->fd < 0 || l->is_passed)
			continue;
		if (l->is_local)
			set_owner(l->place, config);
		else if (config->listen && !strcmp(l->place, config->listen))
			is_there = true;
		else
			forget(l);
	}
	if (config->listen && !is_there && listen_tcp(http, config->listen, &err) < 0)
		base_log_error(BASE_LOG_ERROR, &err);
}

void daemon_http_unlisten(struct daemon_http *http)
{
	for (unsigned int i = 0; i < HTTP_NR_LISTENERS; i++) {
		struct http_listener *l = &http->listeners[i];

		if (l->fd >= 0 && l->is_local && !l->is_passed)
			unlink(l->place);
		forget(l);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * The floor of an HTTP API, and a client that asks as fast as it can.
 *
 *   bench-api serve SOCKET            a bare libmicrohttpd, one thread, that answers every request with the same words
 *   bench-api ask SOCKET PATH N       N requests over one kept connection, one after the other; prints "rate REQUESTS_A_SECOND"
 */
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* As long as what tranched says of itself. */
static const char words[] =
	"{\"name\":\"bare\",\"version\":\"0.1.0\",\"api\":1,\"pid\":12345,\"started\":\"2026-01-01T00:00:00Z\",\"user\":\"root\",\"uid\":0,"
	"\"rights\":\"admin\",\"runtime_dir\":\"/run/tranche\",\"definitions_dir\":\"/etc/tranche/devices\",\"config\":null,"
	"\"ready\":true,\"problems\":[]}";

static int address_of(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return snprintf(ret->sun_path, sizeof(ret->sun_path), "%s", path) < (int)sizeof(ret->sun_path) ? 0 : -ENAMETOOLONG;
}

/* ---------------------------------------------------------------- serve */

static enum MHD_Result answer(void *data, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *upload, size_t *upload_size, void **state)
{
	struct MHD_Response *response;
	enum MHD_Result r;

	if (!*state) { /* the headers first, as every handler does */
		*state = data;
		return MHD_YES;
	}
	response = MHD_create_response_from_buffer(sizeof(words) - 1, (void *)(uintptr_t)words, MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(response, "Content-Type", "application/json");
	r = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return r;
}

static int serve(const char *path)
{
	struct MHD_Daemon *daemon;
	struct sockaddr_un address;
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), fd;
	const union MHD_DaemonInfo *info;

	signal(SIGPIPE, SIG_IGN);
	if (sock < 0 || address_of(path, &address) < 0 || bind(sock, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(sock, 128) < 0) {
		perror(path);
		return 1;
	}
	daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, answer, (void *)(uintptr_t)words,
				  MHD_OPTION_LISTEN_SOCKET, sock, MHD_OPTION_END);
	if (!daemon)
		return 1;
	info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
	fd = info->epoll_fd;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		MHD_UNSIGNED_LONG_LONG left;
		int wait = MHD_get_timeout(daemon, &left) == MHD_YES ? (int)left : -1;

		if (poll(&p, 1, wait) < 0 && errno != EINTR)
			return 1;
		MHD_run(daemon);
	}
}

/* ------------------------------------------------------------------ ask */

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Bytes of the whole answer that begins at buf, or 0 when it has not come yet. */
static size_t answer_length(const char *buf)
{
	const char *end = strstr(buf, "\r\n\r\n"), *length;

	if (!end)
		return 0;
	length = strcasestr(buf, "\r\nContent-Length:");
	if (!length || length > end)
		return (size_t)(end + 4 - buf);
	return (size_t)(end + 4 - buf) + strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
}

static int ask_once(int sock, const char *request, size_t len)
{
	static char buf[65536];
	size_t have = 0, whole;

	if (send(sock, request, len, MSG_NOSIGNAL) != (ssize_t)len)
		return -EPIPE;
	do {
		ssize_t n = recv(sock, buf + have, sizeof(buf) - 1 - have, 0);

		if (n <= 0)
			return -EPIPE;
		have += (size_t)n;
		buf[have] = '\0';
		whole = answer_length(buf);
	} while (!whole || have < whole);
	return strncmp(buf, "HTTP/1.1 200", 12) ? -EPROTO : 0;
}

static int ask(const char *path, const char *what, long nr)
{
	struct sockaddr_un address;
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r = 0;
	char request[512];
	double start;
	int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", what);

	if (sock < 0 || address_of(path, &address) < 0 || connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror(path);
		return 1;
	}
	for (int i = 0; i < 100 && r == 0; i++)
		r = ask_once(sock, request, (size_t)len);
	start = now_s();
	for (long i = 0; i < nr && r == 0; i++)
		r = ask_once(sock, request, (size_t)len);
	if (r < 0) {
		fprintf(stderr, "%s: %s\n", what, strerror(-r));
		return 1;
	}
	printf("rate %.0f\n", (double)nr / (now_s() - start));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(argv[2]);
	if (argc == 5 && !strcmp(argv[1], "ask"))
		return ask(argv[2], argv[3], strtol(argv[4], NULL, 10));
	fprintf(stderr, "usage: %s serve SOCKET | ask SOCKET PATH N\n", argv[0]);
	return 2;
}

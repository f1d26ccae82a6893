/* SPDX-License-Identifier: MIT */
/* tranche screen: a picture of what a display shows (src/parents/bochs/bochs.h: PNG and end of file). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "cli/verbs.h"

#define MAX_PICTURE (512u << 20)
#define PIECE (256u << 10)
#define ANSWER_S 30 /* a large picture is made when it is asked for */

struct picture {
	char *bytes; /* owned */
	size_t len;
};

static void print_help(void)
{
	printf("tranche screen [OPTION...] SOCKET\n\n"
	       "Gets a picture (PNG) of what a display shows, from the socket that it was given by \"-o screen=SOCKET\".\n\n"
	       "  -o, --output FILE      where it goes (default: standard output)\n"
	       "  -h, --help             show this text\n\n"
	       "See tranche-screen(1).\n");
}

static int usage(const char *what)
{
	log_error("%s; see tranche screen --help", what);
	return CLI_USAGE;
}

static int read_all(int sock, struct picture *ret, struct trn_error *err)
{
	for (;;) {
		char *bytes = realloc(ret->bytes, ret->len + PIECE + 1);
		ssize_t n;

		if (!bytes || ret->len > MAX_PICTURE)
			return trn_error_set(err, -EFBIG, "BadPicture", "the picture does not end after %zu bytes", ret->len);
		ret->bytes = bytes;
		n = read(sock, ret->bytes + ret->len, PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			trn_error_set(err, -errno, "NoPicture", "nobody sends a picture: %s",
				      errno == EAGAIN ? "there is no answer" : strerror(errno));
			return trn_error_hint(err, "take the socket of the display's option \"-o screen=SOCKET\", not the device's own");
		}
		ret->len += (size_t)n;
		ret->bytes[ret->len] = '\0';
		if (n == 0)
			return 0;
	}
}

/* What is no picture says why there is none. */
static int check(const struct picture *p, struct trn_error *err)
{
	static const char png[] = { '\x89', 'P', 'N', 'G', '\r', '\n', '\x1a', '\n' };

	if (p->len > sizeof(png) && !memcmp(p->bytes, png, sizeof(png)))
		return 0;
	if (p->len == 0)
		return trn_error_set(err, -EPROTO, "NoPicture", "the display sends nothing");
	return trn_error_set(err, -ENODATA, "NoPicture", "%.*s", (int)strcspn(p->bytes, "\n"), p->bytes);
}

static int get_picture(const char *path, struct picture *ret, struct trn_error *err)
{
	const struct timeval limit = { .tv_sec = ANSWER_S };
	_cleanup_close_ int sock = base_socket_connect_stream(path, err);
	int r;

	if (sock < 0)
		return sock;
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	r = read_all(sock, ret, err);
	return r < 0 ? r : check(ret, err);
}

static int write_all(int fd, const struct picture *p)
{
	for (size_t at = 0; at < p->len;) {
		ssize_t n = write(fd, p->bytes + at, p->len - at);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			at += (size_t)n;
	}
	return 0;
}

static int put_picture(const char *output, const struct picture *p, struct trn_error *err)
{
	int fd = output ? open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : STDOUT_FILENO;
	int r = fd < 0 ? -errno : write_all(fd, p);

	if (output && fd >= 0 && close(fd) < 0 && r == 0)
		r = -errno;
	return r < 0 ? trn_error_set(err, r, "CannotWrite", "cannot write %s: %s", output ? output : "the picture", strerror(-r)) : 0;
}

int verb_screen(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct trn_error err = { 0 };
	struct picture picture = { 0 };
	const char *output = NULL;
	int c, r;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
		if (c == 'h') {
			print_help();
			return 0;
		}
		if (c != 'o')
			return usage(c == ':' ? "--output wants a file" : "unknown option");
		output = optarg;
	}
	if (optind != argc - 1)
		return usage("one socket of a display is needed");
	if (!output && isatty(STDOUT_FILENO))
		return usage("a picture is no text for a terminal: give --output FILE, or a pipe");
	r = get_picture(argv[optind], &picture, &err);
	if (r == 0)
		r = put_picture(output, &picture, &err);
	if (r < 0)
		base_log_error(BASE_LOG_ERROR, &err);
	free(picture.bytes);
	return r < 0 ? CLI_REFUSED : 0;
}

/* SPDX-License-Identifier: MIT */
/* One transfer: waits on curl and on whoever cancels. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "api/api_priv.h"

static int no_memory(struct trn_error *err)
{
	return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a request");
}

static int set_url(struct api *a, const char *path)
{
	/* The host is for the Host header alone. */
	char url[4096] = "http://tranched";
	size_t len = strlen(url);

	if (strlen(path) >= sizeof(url) - len)
		return -E2BIG;
	memcpy(url + len, path, strlen(path) + 1);
	return curl_easy_setopt(a->easy, CURLOPT_URL, url) ? -ENOMEM : 0;
}

int api_prepare(struct api *a, const char *path, struct trn_error *err)
{
	int r;

	curl_easy_reset(a->easy);
	r = set_url(a, path);
	if (r == -E2BIG)
		return trn_error_set(err, r, "PathTooLong", "the request %.60s... is too long", path);
	if (r || curl_easy_setopt(a->easy, CURLOPT_UNIX_SOCKET_PATH, a->socket) ||
	    curl_easy_setopt(a->easy, CURLOPT_HTTPHEADER, a->headers) ||
	    /* Whatever http_proxy says: nothing of this goes there. */
	    curl_easy_setopt(a->easy, CURLOPT_PROXY, ""))
		return no_memory(err);
	curl_easy_setopt(a->easy, CURLOPT_NOSIGNAL, 1L);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_cancelled(const struct api *a)
{
	struct pollfd p = { .fd = a->cancel_fd, .events = POLLIN };

	return a->cancel_fd >= 0 && poll(&p, 1, 0) == 1;
}

static bool is_done(struct api *a, CURLcode *ret)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(a->multi, &left)))
		if (m->msg == CURLMSG_DONE) {
			*ret = m->data.result;
			return true;
		}
	return false;
}

/* Return: 0: *ret is set. */
static int drive(struct api *a, long timeout_ms, CURLcode *ret, struct trn_error *err)
{
	struct curl_waitfd cancel = { .fd = a->cancel_fd, .events = CURL_WAIT_POLLIN };
	int64_t end = now_ms() + timeout_ms;
	int running;

	for (;;) {
		int64_t wait = timeout_ms ? end - now_ms() : 60000;

		if (is_cancelled(a))
			return trn_error_set(err, -ECANCELED, "Cancelled", "the request was given up");
		if (curl_multi_perform(a->multi, &running))
			return no_memory(err);
		if (is_done(a, ret))
			return 0;
		if (wait <= 0) {
			trn_error_set(err, -ETIMEDOUT, "NoAnswer", "tranched at %s has not answered for %ld s", a->socket,
				      timeout_ms / 1000);
			return trn_error_hint(err, "see its log; its devices go on without it");
		}
		if (curl_multi_poll(a->multi, &cancel, a->cancel_fd >= 0, (int)wait, NULL))
			return no_memory(err);
	}
}

static int no_daemon(struct api *a, struct trn_error *err)
{
	long e = 0;

	curl_easy_getinfo(a->easy, CURLINFO_OS_ERRNO, &e);
	if (e == EACCES || e == EPERM) {
		trn_error_set(err, -EACCES, "NoAccess", "this user may not open %s", a->socket);
		return trn_error_hint(err, "become a member of the group that the socket belongs to, or ask who administers tranched");
	}
	if (e != ENOENT && e != ECONNREFUSED && e != ENOTDIR)
		e = e == EAGAIN ? EAGAIN : ECONNREFUSED;
	if (e == EAGAIN)
		return trn_error_set(err, -EAGAIN, "TooBusy", "tranched at %s has too many connections waiting", a->socket);
	trn_error_set(err, e == ECONNREFUSED ? -ECONNREFUSED : -ENOENT, "NoDaemon", "no tranched answers at %s", a->socket);
	return trn_error_hint(err, "start one: systemctl start tranched, or tranched --user as any user; "
				   "or name its socket with --socket or TRANCHE_SOCKET");
}

bool api_is_no_daemon(const struct trn_error *err)
{
	return err->code && err->name && !strcmp(err->name, "NoDaemon");
}

static int explain(struct api *a, CURLcode result, struct trn_error *err)
{
	switch ((int)result) {
	case CURLE_OK:
	case CURLE_WRITE_ERROR:
		return 0;
	case CURLE_COULDNT_CONNECT:
		return no_daemon(a, err);
	case CURLE_OUT_OF_MEMORY:
		return no_memory(err);
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
		trn_error_set(err, -ECONNRESET, "ConnectionLost", "tranched at %s closed the connection before it answered",
			      a->socket);
		return trn_error_hint(err, "look whether what was asked for has been done, and try again");
	default:
		return trn_error_set(err, -EPROTO, "NotUnderstood", "what answers at %s is no tranched: %s", a->socket,
				     curl_easy_strerror(result));
	}
}

int api_perform(struct api *a, long timeout_ms, CURLcode *ret_result, struct trn_error *err)
{
	int r;

	if (curl_multi_add_handle(a->multi, a->easy))
		return no_memory(err);
	r = drive(a, timeout_ms, ret_result, err);
	if (r == 0)
		r = explain(a, *ret_result, err);
	/* One that is not complete: its connection is closed with it. */
	curl_multi_remove_handle(a->multi, a->easy);
	return r;
}

/* SPDX-License-Identifier: MIT */
#ifndef API_API_PRIV_H
#define API_API_PRIV_H

#include <curl/curl.h>
#include <stddef.h>
#include <sys/un.h>

#include "api/api.h"

/* Different names of errors that are kept for the caller; tranched knows fewer. */
#define API_MAX_NAMES 64

/* What is received; a whole answer, or lines of a stream that are not complete yet. */
struct api_buffer {
	char *data;
	size_t len, room;
};

struct api {
	CURLM *multi; /* keeps the connection */
	CURL *easy;
	struct curl_slist *headers;
	int cancel_fd;
	char socket[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char *names[API_MAX_NAMES]; /* that err->name points to */
	size_t nr_names;
};

/* Return: 0, -ENOMEM, -E2BIG. */
int api_buffer_add(struct api_buffer *b, const void *data, size_t len);
void api_buffer_finish(struct api_buffer *b);

/* For curl: keeps all of an answer in a struct api_buffer. */
size_t api_buffer_write(char *data, size_t size, size_t nr, void *buffer);

/* Sets what all requests have in common. Return: 0 or -errno. */
int api_prepare(struct api *a, const char *path, struct trn_error *err);
/*
 * Carries out what was prepared.  timeout_ms: 0: none.  *ret_result: what curl says, when 0 is returned: the connection
 * worked.  It may be CURLE_WRITE_ERROR: the callback has ended it.  Return: 0 or -errno, with a sentence.
 */
int api_perform(struct api *a, long timeout_ms, CURLcode *ret_result, struct trn_error *err);

/* err from an answer with a status of 400 or more. Return: its code. */
int api_refused(struct api *a, long status, const char *body, size_t len, struct trn_error *err);

/* A copy of a name that lives as long as the handle. */
const char *api_keep_name(struct api *a, const char *name);

#endif

/* SPDX-License-Identifier: MIT */
#include "api/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_priv.h"

#define GET_MS 30000

int api_open(const char *socket, struct api **ret, struct trn_error *err)
{
	char path[PATH_MAX];
	struct api *a;
	int r = api_find_socket(socket, path, err);

	if (r < 0)
		return r;
	a = calloc(1, sizeof(*a));
	if (!a)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a connection");
	a->cancel_fd = -1;
	memcpy(a->socket, path, strlen(path) + 1);
	/* Without TLS: it is never needed, and takes longest to set up. */
	if (curl_global_init(CURL_GLOBAL_NOTHING)) {
		free(a);
		return trn_error_set(err, -ENOMEM, "NoMemory", "libcurl does not start");
	}
	a->multi = curl_multi_init();
	a->easy = curl_easy_init();
	/* No waiting for a "100 Continue": nobody says it. */
	a->headers = curl_slist_append(NULL, "Expect:");
	if (a->headers)
		curl_slist_append(a->headers, "Content-Type: application/json");
	if (!a->multi || !a->easy || !a->headers) {
		api_close(a);
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a connection");
	}
	*ret = a;
	return 0;
}

void api_close(struct api *a)
{
	if (!a)
		return;
	curl_easy_cleanup(a->easy);
	curl_multi_cleanup(a->multi);
	curl_slist_free_all(a->headers);
	curl_global_cleanup();
	for (size_t i = 0; i < a->nr_names; i++)
		free(a->names[i]);
	free(a);
}

const char *api_socket(const struct api *a)
{
	return a->socket;
}

void api_set_cancel(struct api *a, int fd)
{
	a->cancel_fd = fd;
}

static int not_understood(const struct api *a, const char *why, struct trn_error *err)
{
	trn_error_set(err, -EPROTO, "NotUnderstood", "what tranched at %s answered is not understood: %s", a->socket, why);
	return trn_error_hint(err, "are it and this program of the same version?");
}

/* answer: NULL when none is wanted. */
static int take_answer(struct api *a, const struct api_buffer *b, json_t **answer, struct trn_error *err)
{
	json_error_t why;
	long status = 0;

	curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 400)
		return api_refused(a, status, b->data, b->len, err);
	if (status < 200 || status >= 300)
		return not_understood(a, "its status is neither done nor refused", err);
	if (!answer)
		return 0;
	*answer = NULL;
	if (b->len == 0)
		return 0;
	*answer = json_loadb(b->data, b->len, JSON_REJECT_DUPLICATES, &why);
	return *answer ? 0 : not_understood(a, why.text, err);
}

static int transfer(struct api *a, const char *method, const char *path, const char *text, json_t **ret,
		    struct trn_error *err)
{
	struct api_buffer answer = { 0 };
	CURLcode result = CURLE_OK;
	int r = api_prepare(a, path, err);

	if (r < 0)
		return r;
	curl_easy_setopt(a->easy, CURLOPT_CUSTOMREQUEST, method);
	if (text) {
		curl_easy_setopt(a->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(text));
		curl_easy_setopt(a->easy, CURLOPT_POSTFIELDS, text);
	}
	curl_easy_setopt(a->easy, CURLOPT_WRITEFUNCTION, api_buffer_write);
	curl_easy_setopt(a->easy, CURLOPT_WRITEDATA, &answer);
	r = api_perform(a, strcmp(method, "GET") ? 0 : GET_MS, &result, err);
	if (r == 0 && result == CURLE_WRITE_ERROR)
		r = not_understood(a, "it is too long", err);
	if (r == 0)
		r = take_answer(a, &answer, ret, err);
	api_buffer_finish(&answer);
	return r;
}

int api_get(struct api *a, const char *path, json_t **ret, struct trn_error *err)
{
	int r = transfer(a, "GET", path, NULL, ret, err);

	if (r == 0 && ret && !*ret)
		return not_understood(a, "it is empty", err);
	return r;
}

static int with_body(struct api *a, const char *method, const char *path, json_t *body, json_t **ret, struct trn_error *err)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : strdup("");
	int r;

	if (!text)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a request");
	r = transfer(a, method, path, text, ret, err);
	free(text);
	return r;
}

int api_post(struct api *a, const char *path, json_t *body, json_t **ret, struct trn_error *err)
{
	return with_body(a, "POST", path, body, ret, err);
}

int api_patch(struct api *a, const char *path, json_t *body, json_t **ret, struct trn_error *err)
{
	return with_body(a, "PATCH", path, body, ret, err);
}

int api_delete(struct api *a, const char *path, struct trn_error *err)
{
	return transfer(a, "DELETE", path, NULL, NULL, err);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

/* How long, at most, for one that has just been started: it looks for parents and devices. */
#define NOT_READY_MS 30000
#define PAUSE_MS 100

int ctl_no_memory(struct ctl *c)
{
	return trn_error_set(&c->err, -ENOMEM, "NoMemory", "no memory is left");
}

int ctl_open(struct ctl *c)
{
	int r = c->api ? 0 : api_open(ctl_value(c, CTL_SOCKET), &c->api, &c->err);

	if (r == 0)
		api_set_cancel(c->api, c->cancel_fd);
	return r;
}

static int ask(struct ctl *c, const char *method, const char *path, json_t *body, json_t **ret)
{
	if (!strcmp(method, "GET"))
		return api_get(c->api, path, ret, &c->err);
	if (!strcmp(method, "POST"))
		return api_post(c->api, path, body, ret, &c->err);
	if (!strcmp(method, "PATCH"))
		return api_patch(c->api, path, body, ret, &c->err);
	return api_delete(c->api, path, &c->err);
}

/* Return: somebody gives up. */
static bool pause_or_cancel(const struct ctl *c)
{
	struct pollfd p = { .fd = c->cancel_fd, .events = POLLIN };

	return poll(&p, 1, PAUSE_MS) == 1;
}

/* What is refused as not ready has not been begun: it can be asked for again. */
static int ask_until_ready(struct ctl *c, const char *method, char *path, json_t *body, json_t **ret)
{
	int r = path ? ctl_open(c) : ctl_no_memory(c);

	if (r == 0)
		r = ask(c, method, path, body, ret);
	for (int ms = 0; r == -EAGAIN && !strcmp(c->err.name, "NotReady") && ms < NOT_READY_MS; ms += PAUSE_MS) {
		if (pause_or_cancel(c))
			break;
		r = ask(c, method, path, body, ret);
	}
	free(path);
	return r;
}

int ctl_get(struct ctl *c, char *path, json_t **ret)
{
	return ask_until_ready(c, "GET", path, NULL, ret);
}

int ctl_post(struct ctl *c, char *path, json_t *body, json_t **ret)
{
	return ask_until_ready(c, "POST", path, body, ret);
}

int ctl_patch(struct ctl *c, char *path, json_t *body, json_t **ret)
{
	return ask_until_ready(c, "PATCH", path, body, ret);
}

int ctl_delete(struct ctl *c, char *path)
{
	return ask_until_ready(c, "DELETE", path, NULL, NULL);
}

int ctl_get_list(struct ctl *c, const char *kind, json_t **ret)
{
	json_t *answer, *list;
	int r = ctl_get(c, api_path("/v1/", kind, NULL), &answer);

	if (r < 0)
		return r;
	list = json_object_get(answer, kind);
	if (json_is_array(list))
		*ret = json_incref(list);
	else
		r = trn_error_set(&c->err, -EPROTO, "NotUnderstood", "tranched's answer has no list \"%s\"", kind);
	json_decref(answer);
	return r;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/ctl.h"

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

int ctl_get(struct ctl *c, char *path, json_t **ret)
{
	int r = path ? ctl_open(c) : ctl_no_memory(c);

	if (r == 0)
		r = api_get(c->api, path, ret, &c->err);
	free(path);
	return r;
}

int ctl_post(struct ctl *c, char *path, json_t *body, json_t **ret)
{
	int r = path ? ctl_open(c) : ctl_no_memory(c);

	if (r == 0)
		r = api_post(c->api, path, body, ret, &c->err);
	free(path);
	return r;
}

int ctl_patch(struct ctl *c, char *path, json_t *body, json_t **ret)
{
	int r = path ? ctl_open(c) : ctl_no_memory(c);

	if (r == 0)
		r = api_patch(c->api, path, body, ret, &c->err);
	free(path);
	return r;
}

int ctl_delete(struct ctl *c, char *path)
{
	int r = path ? ctl_open(c) : ctl_no_memory(c);

	if (r == 0)
		r = api_delete(c->api, path, &c->err);
	free(path);
	return r;
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

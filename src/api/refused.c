/* SPDX-License-Identifier: MIT */
/* tranched's refusals, as the caller's errors. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_priv.h"

#define HIGHEST_ERRNO 140

static int errno_by_name(const char *name)
{
	for (int e = 1; name && e < HIGHEST_ERRNO; e++) {
		const char *known = strerrorname_np(e);

		if (known && !strcmp(known, name))
			return e;
	}
	return 0;
}

/* For an answer that is not tranched's own: of its HTTP library, before a request was understood. */
static int errno_by_status(long status)
{
	switch (status) {
	case 400:
		return EINVAL;
	case 401:
	case 403:
		return EACCES;
	case 404:
		return ENOENT;
	case 405:
	case 415:
	case 501:
		return EOPNOTSUPP;
	case 409:
		return EBUSY;
	case 410:
		return ENODEV;
	case 413:
		return E2BIG;
	case 499:
		return ECANCELED;
	case 503:
		return EAGAIN;
	case 504:
		return ETIMEDOUT;
	case 507:
		return ENOSPC;
	default:
		return EIO;
	}
}

const char *api_keep_name(struct api *a, const char *name)
{
	char *copy;

	for (size_t i = 0; i < a->nr_names; i++)
		if (!strcmp(a->names[i], name))
			return a->names[i];
	copy = a->nr_names < API_MAX_NAMES ? strdup(name) : NULL;
	if (!copy)
		return "Refused";
	a->names[a->nr_names++] = copy;
	return copy;
}

int api_refused(struct api *a, long status, const char *body, size_t len, struct trn_error *err)
{
	json_t *answer = body ? json_loadb(body, len, 0, NULL) : NULL;
	const char *name = NULL, *message = NULL, *hint = NULL, *number = NULL;
	int code;

	/* Nothing is left out of what can be understood. */
	json_unpack(answer, "{s:{s?s}}", "error", "name", &name);
	json_unpack(answer, "{s:{s?s}}", "error", "message", &message);
	json_unpack(answer, "{s:{s?s}}", "error", "hint", &hint);
	json_unpack(answer, "{s:{s?s}}", "error", "errno", &number);
	code = errno_by_name(number);
	if (!code)
		code = errno_by_status(status);
	if (message)
		trn_error_set(err, -code, api_keep_name(a, name && *name ? name : "Refused"), "%s", message);
	else
		trn_error_set(err, -code, "Refused", "tranched at %s refused with status %ld and no reason", a->socket, status);
	if (hint && *hint)
		trn_error_hint(err, "%s", hint);
	json_decref(answer);
	return -code;
}

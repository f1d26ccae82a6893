/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parent/parent.h"

/* A process has a name, a value and an end for each of its strings; no honest caller sends more than this. */
#define MAX_ENV 65536u

static int split(char **env, char *text, size_t len, uint32_t nr, struct trn_error *err)
{
	char *end = text + len;

	for (uint32_t i = 0; i < nr; i++) {
		char *zero = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

		if (!zero)
			return trn_error_set(err, -EINVAL, "BadEnvironment", "string %u of %u has no end", i + 1, nr);
		env[i] = text;
		text = zero + 1;
	}
	if (text != end)
		return trn_error_set(err, -EINVAL, "BadEnvironment", "%zu bytes follow the last string",
				     (size_t)(end - text));
	return 0;
}

static bool has_variable(char **env, const char *name)
{
	size_t len = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return true;
	return false;
}

int parent_start_parse(struct parent_start *ret, char *packet, size_t len, size_t nr_fds, struct trn_error *err)
{
	struct trnc_parent_start body;
	struct trnc_msg head = { 0 };
	int r;

	*ret = (struct parent_start){ .packet = packet, .len = len };
	memcpy(&head, packet, len < sizeof(head) ? len : sizeof(head));
	ret->id = head.id;
	if (len < sizeof(head) + sizeof(body) || head.len != len)
		return trn_error_set(err, -EBADMSG, "BadPacket", "a packet of %zu bytes is no message", len);
	if (head.type != TRNC_PARENT_START)
		return trn_error_set(err, -EOPNOTSUPP, "UnknownMessage", "there is no message type %u", head.type);
	if (head.id == 0 || head.status || head.flags)
		return trn_error_set(err, -EINVAL, "BadMessage", "START with id %llu, status %u and flags 0x%x",
				     (unsigned long long)head.id, head.status, head.flags);
	if (nr_fds != 2)
		return trn_error_set(err, -EINVAL, "BadDescriptors", "START wants 2 descriptors, not %zu", nr_fds);
	packet += sizeof(head);
	memcpy(&body, packet, sizeof(body));
	packet += sizeof(body);
	if (body.env_len != len - sizeof(head) - sizeof(body) || body.nr_env > MAX_ENV)
		return trn_error_set(err, -EINVAL, "BadLength", "%u strings of %u bytes in a packet of %zu", body.nr_env,
				     body.env_len, len);
	ret->env = calloc((size_t)body.nr_env + 1, sizeof(char *));
	if (!ret->env)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	r = split(ret->env, packet, body.env_len, body.nr_env, err);
	if (r == 0)
		ret->is_guest = has_variable(ret->env, TRNC_EXEC_GUEST);
	else
		parent_start_finish(ret);
	return r;
}

void parent_start_finish(struct parent_start *s)
{
	free(s->env);
	s->env = NULL;
}

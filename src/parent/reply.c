/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "parent/parent.h"

int parent_reply(int sock, uint32_t type, uint64_t id, const void *body, size_t len, int fd)
{
	size_t whole = sizeof(struct trnc_msg) + len;
	_cleanup_free_ struct trnc_msg *m = malloc(whole);

	if (!m)
		return -ENOMEM;
	*m = (struct trnc_msg){ .type = type | TRNC_MSG_REPLY, .len = (uint32_t)whole, .id = id };
	if (len)
		memcpy(m + 1, body, len);
	return base_send(sock, m, whole, &fd, fd < 0 ? 0 : 1);
}

int parent_refuse(int sock, uint32_t type, uint64_t id, const struct trn_error *err)
{
	struct {
		struct trnc_msg head;
		struct trnc_error_body body;
	} m = {
		.head = {
			.type = type | TRNC_MSG_REPLY, .len = sizeof(m), .id = id,
			.status = err->code < 0 ? (uint32_t)-err->code : EIO,
		},
	};

	log_debug("refused: %s", err->text);
	snprintf(m.body.name, sizeof(m.body.name), "%s", err->name ? err->name : "Refused");
	memcpy(m.body.text, err->text, sizeof(m.body.text)); /* of equal size, terminated */
	memcpy(m.body.hint, err->hint, sizeof(m.body.hint)); /* of equal size, terminated */
	return base_send(sock, &m, sizeof(m), NULL, 0);
}

int parent_reply_started(int sock, uint64_t id, const struct parent_child *c)
{
	const struct trnc_parent_started body = { .pid = c->pid };

	return parent_reply(sock, TRNC_PARENT_START, id, &body, sizeof(body), c->pidfd);
}

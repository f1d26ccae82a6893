/* SPDX-License-Identifier: MIT */
/* VERSION: both sides state their limits, in JSON; then the device is opened for the client. */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/peer.h"
#include "tranche/mdev.h"
#include "vfio-user/connection.h"
#include "vfio-user/dma.h"
#include "vfio-user/server.h"

#define MAX_DEPTH 16 /* of the text; the parser's own limit is more than a thread's stack has */
#define MIGRATION_PGSIZE 4096

static void decref_json(json_t **json)
{
	json_decref(*json);
}
#define _cleanup_json_ _cleanup_(decref_json)

static int refuse(const char *rule, const char *found)
{
	log_debug("VERSION: %s: %s", rule, found);
	return -EINVAL;
}

static bool is_too_deep(const char *text)
{
	bool in_string = false;
	int depth = 0;

	for (const char *p = text; *p; p++) {
		if (in_string && *p == '\\' && p[1])
			p++;
		else if (*p == '"')
			in_string = !in_string;
		else if (!in_string && (*p == '[' || *p == '{') && ++depth > MAX_DEPTH)
			return true;
		else if (!in_string && (*p == ']' || *p == '}'))
			depth--;
	}
	return false;
}

/* Numbers from 2^63 on, as in a mask of all page sizes, the parser knows as floating-point ones only. */
static json_t *parse(const char *text, json_error_t *ret_error)
{
	json_t *top = json_loads(text, 0, ret_error);

	return top ? top : json_loads(text, JSON_DECODE_INT_AS_REAL, ret_error);
}

static bool to_number(const json_t *v, uint64_t *ret)
{
	double d = json_number_value(v);

	if (json_is_integer(v) && json_integer_value(v) >= 0)
		*ret = (uint64_t)json_integer_value(v);
	else if (json_is_real(v) && d >= 0x1p64)
		*ret = UINT64_MAX;
	else if (json_is_real(v) && d >= 0 && d == (double)(uint64_t)d)
		*ret = (uint64_t)d;
	else
		return false;
	return true;
}

/* A limit that the client states: *ret stays when it does not. Larger numbers than fit mean the largest that does. */
static int get_number(const json_t *caps, const char *key, uint64_t min, uint64_t max, uint64_t *ret)
{
	const json_t *v = json_object_get(caps, key);
	uint64_t n;

	if (!v)
		return 0;
	if (!to_number(v, &n) || n < min)
		return refuse("a limit is a whole number, and not too small", key);
	*ret = n < max ? n : max;
	return 0;
}

static int get_u32(const json_t *caps, const char *key, uint64_t min, uint32_t *ret)
{
	uint64_t value = *ret;
	int r = get_number(caps, key, min, UINT32_MAX, &value);

	*ret = (uint32_t)value;
	return r;
}

static int get_bool(const json_t *caps, const char *key, bool *ret)
{
	const json_t *v = json_object_get(caps, key);

	if (!v)
		return 0;
	if (!json_is_boolean(v))
		return refuse("it is true or false", key);
	*ret = json_is_true(v);
	return 0;
}

static int get_twin(const json_t *caps, bool *ret)
{
	const json_t *twin = json_object_get(caps, "twin_socket");

	if (twin && !json_is_object(twin))
		return refuse("it is an object", "twin_socket");
	return get_bool(twin, "supported", ret);
}

static int get_limits(const json_t *caps, struct vfu_limits *ret)
{
	int r;

	r = get_u32(caps, "max_msg_fds", 0, &ret->max_msg_fds);
	if (r == 0)
		r = get_u32(caps, "max_data_xfer_size", 1, &ret->max_data_xfer_size);
	if (r == 0)
		r = get_u32(caps, "max_dma_maps", 0, &ret->max_dma_maps);
	if (r == 0)
		r = get_number(caps, "pgsizes", 1, UINT64_MAX, &ret->pgsizes);
	if (r == 0)
		r = get_bool(caps, "write_multiple", &ret->write_multiple);
	if (r == 0)
		r = get_twin(caps, &ret->twin_socket);
	return r;
}

/* text: what the client says behind the numbers, with its NUL. *ret_migration: does it speak of that? */
static int decode_text(const char *text, size_t len, struct vfu_limits *ret, bool *ret_migration)
{
	_cleanup_json_ json_t *top = NULL;
	const json_t *caps;
	json_error_t error;

	if (strnlen(text, len) != len - 1)
		return refuse("the text ends with its only NUL", "it does not");
	if (is_too_deep(text))
		return refuse("the text is nested not too deep", text);
	top = parse(text, &error);
	if (!json_is_object(top))
		return refuse("the text is a JSON object", top ? "it is something else" : error.text);
	caps = json_object_get(top, "capabilities");
	if (caps && !json_is_object(caps))
		return refuse("it is an object", "capabilities");
	*ret_migration = json_object_get(caps, "migration");
	return get_limits(caps, ret);
}

static int decode(const struct vfu_request *req, struct vfu_version *ret, struct vfu_limits *ret_limits, bool *ret_migration)
{
	if (req->len < sizeof(*ret))
		return refuse("it begins with two numbers", "it is too short");
	memcpy(ret, req->payload, sizeof(*ret));
	if (ret->major != VFU_MAJOR) {
		log_debug("VERSION: the major number is %u: %u came", VFU_MAJOR, ret->major);
		return -EPROTONOSUPPORT;
	}
	if (req->len == sizeof(*ret))
		return 0; /* the text is optional */
	return decode_text((const char *)req->payload + sizeof(*ret), req->len - sizeof(*ret), ret_limits, ret_migration);
}

/* Our limits; of what is optional only what the client has named. NULL: no memory. */
static char *make_text(const struct vfu_conn *c, const struct vfu_limits *theirs, bool has_migration)
{
	_cleanup_json_ json_t *caps = json_pack("{s:I, s:I, s:I, s:I}",
						"max_msg_fds", (json_int_t)c->ours.max_msg_fds,
						"max_data_xfer_size", (json_int_t)c->ours.max_data_xfer_size,
						"max_dma_maps", (json_int_t)c->ours.max_dma_maps,
						"pgsizes", (json_int_t)c->ours.pgsizes);
	_cleanup_json_ json_t *top = NULL;
	int r = caps ? 0 : -1;

	if (r == 0 && theirs->write_multiple)
		r = json_object_set_new(caps, "write_multiple", json_true());
	if (r == 0 && theirs->twin_socket)
		r = json_object_set_new(caps, "twin_socket", json_pack("{s:b, s:i}", "supported", 1, "fd_index", 0));
	if (r == 0 && has_migration)
		r = json_object_set_new(caps, "migration", json_pack("{s:i}", "pgsize", MIGRATION_PGSIZE));
	if (r == 0)
		top = json_pack("{s:O}", "capabilities", caps);
	return top ? json_dumps(top, JSON_COMPACT) : NULL;
}

static int reply_text(struct vfu_conn *c, struct vfu_request *req, uint16_t minor, const char *text)
{
	struct vfu_version v = { .major = VFU_MAJOR, .minor = minor };
	size_t len = strlen(text) + 1;
	uint8_t *reply = vfu_reply(c, req, sizeof(v) + len);

	if (!reply)
		return -E2BIG;
	memcpy(reply, &v, sizeof(v));
	memcpy(reply + sizeof(v), text, len);
	return 0;
}

static int add_twin(struct vfu_conn *c)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	c->twin_fd = fds[0];
	return vfu_reply_fd(c, fds[1]);
}

static int reply(struct vfu_conn *c, struct vfu_request *req, uint16_t minor, bool has_migration)
{
	_cleanup_free_ char *text = make_text(c, &c->theirs, has_migration);
	int r;

	if (!text)
		return -ENOMEM;
	r = reply_text(c, req, minor, text);
	if (r == 0 && c->theirs.twin_socket)
		r = add_twin(c);
	return r;
}

/* The kernel's word, not the client's. */
static void name_holder(const struct vfu_conn *c, char *buf, size_t len)
{
	char peer[BASE_PEER_TEXT];

	snprintf(buf, len, "vfio-user client, %s", base_peer_describe(c->fd, peer));
}

static int open_device(struct vfu_conn *c)
{
	unsigned int nr_left;
	struct trn_error err;
	char holder[32 + BASE_PEER_TEXT];
	int r;

	name_holder(c, holder, sizeof(holder));
	do {
		err = (struct trn_error){ 0 };
		nr_left = vfu_server_nr_left(c->server);
		r = trn_device_open(c->server->params.dev, holder, c, &c->use, &err);
		/* Who attaches again must not be refused because of its own former connection. */
	} while ((r == -EUSERS || r == -EBUSY) && vfu_server_wait_for_leaver(c->server, c, nr_left));
	if (r < 0) {
		base_log_error(BASE_LOG_DEBUG, &err);
		return r;
	}
	r = vfu_dma_open(c);
	if (r < 0) {
		trn_use_close(TAKE_PTR(c->use));
		return r;
	}
	vfu_dma_batch_begin(c);
	return 0;
}

/* After a failure behind open_device(): the client may try again. */
static void close_device(struct vfu_conn *c)
{
	vfu_dma_close(c);
	trn_use_close(TAKE_PTR(c->use));
	vfu_dma_free(c);
	c->twin_fd = base_close(c->twin_fd);
}

int vfu_handle_version(struct vfu_conn *c, struct vfu_request *req)
{
	struct vfu_limits before = c->theirs, theirs = c->theirs;
	bool has_migration = false;
	struct vfu_version v;
	int r;

	r = decode(req, &v, &theirs, &has_migration);
	if (r < 0)
		return r;
	theirs.twin_socket &= theirs.max_msg_fds > 0;
	r = open_device(c);
	if (r < 0)
		return r;
	c->theirs = theirs;
	r = reply(c, req, v.minor < VFU_MINOR ? v.minor : VFU_MINOR, has_migration && trn_use_mig_flags(c->use));
	if (r < 0) {
		close_device(c);
		c->theirs = before;
		return r;
	}
	c->has_version = true;
	c->server->nr_open++;
	c->server->nr_clients++;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "vfio_user.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/list.h"

/* The server's parts that are not under test here. */
static struct link *to_link(struct vfu_conn *c)
{
	return base_container_of(c, struct link, conn);
}

void *vfu_reply(struct vfu_conn *c, const struct vfu_request *req, size_t len)
{
	struct link *l = to_link(c);

	if (len > MAX_REPLY)
		return NULL;
	l->reply_len = len;
	return memset(l->reply, 0, len);
}

void vfu_reply_trim(struct vfu_conn *c, size_t len)
{
	assert_true(len <= to_link(c)->reply_len);
	to_link(c)->reply_len = len;
}

int vfu_send_command(struct vfu_conn *c, const struct vfu_header *header, const void *fixed, size_t fixed_len,
		     const void *data, size_t data_len)
{
	struct iovec iov[3] = {
		{ .iov_base = (void *)(uintptr_t)header, .iov_len = sizeof(*header) },
		{ .iov_base = (void *)(uintptr_t)fixed, .iov_len = fixed_len },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = data_len },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	size_t len = sizeof(*header) + fixed_len + data_len;

	while (to_link(c)->hold_send) {
		to_link(c)->is_held = true;
		usleep(1000);
	}
	if (to_link(c)->send_result < 0)
		return to_link(c)->send_result;
	assert_int_equal(header->size, len);
	return sendmsg(c->fd, &msg, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EPIPE;
}

/* The driver. */
static struct link *of_use(struct trn_use *use)
{
	return trn_device_priv(trn_use_device(use));
}

static int op_init(struct trn_device *dev, struct trn_error *err)
{
	trn_device_set_priv(dev, trn_parent_priv(trn_type_parent(trn_device_type(dev))));
	return 0;
}

static void op_release(struct trn_device *dev)
{
}

static int op_dma_map(struct trn_use *use, const struct trn_dma_map *map)
{
	struct link *l = of_use(use);

	l->nr_maps++;
	l->last_map = *map;
	return l->map_result;
}

static int op_dma_unmap(struct trn_use *use, uint64_t iova, uint64_t len)
{
	of_use(use)->nr_unmaps++;
	return 0;
}

static int op_get_state(struct trn_use *use, enum trn_mig_state *ret)
{
	*ret = of_use(use)->state;
	return 0;
}

static int op_set_state(struct trn_use *use, enum trn_mig_state to, struct trn_error *err)
{
	of_use(use)->state = to;
	return 0;
}

static ssize_t op_read(struct trn_use *use, void *buf, size_t len)
{
	struct link *l = of_use(use);
	int r = l->read_results[l->nr_reads++];

	if (r <= 0)
		return r;
	if ((size_t)r < len)
		len = (size_t)r;
	memset(buf, 0x5a, len);
	return (ssize_t)len;
}

static int op_write(struct trn_use *use, const void *buf, size_t len, struct trn_error *err)
{
	struct link *l = of_use(use);

	if (len > sizeof(l->written) - l->nr_written)
		return trn_error_set(err, -EFBIG, "TooMuch", "%zu bytes are too many", len);
	memcpy(l->written + l->nr_written, buf, len);
	l->nr_written += len;
	return 0;
}

static int op_sizes(struct trn_use *use, struct trn_mig_sizes *ret)
{
	*ret = (struct trn_mig_sizes){ .initial = 1, .dirty = 2, .stop_copy = 12345 };
	return 0;
}

static int op_log_start(struct trn_use *use, uint64_t page_size, const struct trn_span *ranges, size_t nr, struct trn_error *err)
{
	struct link *l = of_use(use);

	if (l->is_logging)
		return trn_error_set(err, -EINVAL, "Logging", "it does already");
	l->is_logging = true;
	l->log_page_size = page_size;
	l->nr_ranges = nr;
	for (size_t i = 0; i < nr && i < 4; i++)
		l->ranges[i] = ranges[i];
	return 0;
}

static void op_log_stop(struct trn_use *use)
{
	of_use(use)->is_logging = false;
}

static int op_log_report(struct trn_use *use, uint64_t iova, uint64_t len, uint64_t page_size, uint8_t *bitmap)
{
	struct link *l = of_use(use);
	uint64_t page = (l->dirty_page - iova) / page_size;

	if (!l->is_logging || ++l->nr_reports == l->fail_report_at)
		return -EINVAL;
	if (l->dirty_page >= iova && l->dirty_page < iova + len)
		bitmap[page / 8] |= (uint8_t)(1u << page % 8);
	return 0;
}

static const struct trn_migration_ops migration_ops = {
	.flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_PRE_COPY,
	.get_state = op_get_state,
	.set_state = op_set_state,
	.read = op_read,
	.write = op_write,
	.sizes = op_sizes,
};

static const struct trn_dma_log_ops log_ops = {
	.start = op_log_start,
	.stop = op_log_stop,
	.report = op_log_report,
};

static const struct trn_device_ops link_ops = {
	.name = "link",
	.device_api = "fake-api",
	.init = op_init,
	.release = op_release,
	.dma_map = op_dma_map,
	.dma_unmap = op_dma_unmap,
	.migration = &migration_ops,
	.dma_log = &log_ops,
};

static void make_device(struct link *l)
{
	static const struct trn_type_desc type = { .name = "one", .cost.amount[TRN_RESOURCE_UNITS] = 1 };
	struct trn_parent_desc desc = {
		.name = "parent",
		.ops = &link_ops,
		.types = &type,
		.nr_types = 1,
		.capacity.amount[TRN_RESOURCE_UNITS] = 1,
		.priv = l,
	};
	struct trn_create_params params = { .uuid = "00000000-0000-4000-8000-000000000001" };
	struct trn_error err = { 0 };

	l->core = trn_core_create();
	if (trn_parent_register(l->core, &desc, &l->parent, &err) != 0 ||
	    trn_device_create(trn_type_find(l->parent, "link-one"), &params, &l->dev, &err) != 0 ||
	    trn_device_open(l->dev, "the test", NULL, &l->conn.use, &err) != 0)
		fail_msg("%s", err.text);
}

static void make_sockets(int *ours, int *theirs)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	*ours = fds[0];
	*theirs = fds[1];
}

void link_open(struct link *l, uint32_t max_data_xfer_size, bool with_twin)
{
	struct vfu_limits limits = { .max_msg_fds = 8, .max_data_xfer_size = MIB, .max_dma_maps = 8, .pgsizes = 4096 };

	memset(l, 0, sizeof(*l));
	l->reply = malloc(MAX_REPLY);
	assert_non_null(l->reply);
	l->state = TRN_MIG_RUNNING;
	l->conn.ours = l->conn.theirs = limits;
	l->conn.theirs.max_data_xfer_size = max_data_xfer_size;
	l->conn.twin_fd = l->twin_peer = -1;
	make_sockets(&l->conn.fd, &l->peer);
	if (with_twin)
		make_sockets(&l->conn.twin_fd, &l->twin_peer);
	make_device(l);
	assert_int_equal(vfu_dma_open(&l->conn), 0);
}

void link_close(struct link *l)
{
	vfu_dma_close(&l->conn);
	trn_use_close(l->conn.use);
	vfu_dma_free(&l->conn);
	assert_null(l->conn.dma);
	trn_device_unref(l->dev);
	assert_int_equal(trn_parent_unregister(l->parent, NULL, NULL), 0);
	trn_parent_unref(l->parent);
	trn_core_destroy(l->core);
	base_close(l->conn.fd);
	base_close(l->conn.twin_fd);
	base_close(l->peer);
	base_close(l->twin_peer);
	free(l->reply);
}

int link_call(struct link *l, vfu_handler handler, uint16_t command, const void *payload, size_t len, int *fds, size_t nr_fds)
{
	struct vfu_request req = {
		.header = { .id = 7, .command = command, .size = (uint32_t)(sizeof(struct vfu_header) + len) },
		.payload = payload,
		.len = len,
		.fds = fds,
		.nr_fds = nr_fds,
	};

	l->reply_len = SIZE_MAX;
	return handler(&l->conn, &req);
}

int link_map(struct link *l, uint64_t iova, uint64_t len, uint32_t flags, int fd, uint64_t offset)
{
	struct vfu_dma_map wire = { .argsz = sizeof(wire), .flags = flags, .offset = offset, .address = iova, .size = len };
	int copy = fd >= 0 ? dup(fd) : -1, r;

	r = link_call(l, vfu_handle_dma_map, VFU_DMA_MAP, &wire, sizeof(wire), &copy, fd >= 0);
	base_close(copy);
	return r;
}

static int unmap(struct link *l, uint32_t flags, uint64_t iova, uint64_t len)
{
	struct vfu_dma_unmap wire = { .argsz = sizeof(wire), .flags = flags, .address = iova, .size = len };

	return link_call(l, vfu_handle_dma_unmap, VFU_DMA_UNMAP, &wire, sizeof(wire), NULL, 0);
}

int link_unmap(struct link *l, uint64_t iova, uint64_t len)
{
	return unmap(l, 0, iova, len);
}

int link_unmap_all(struct link *l)
{
	return unmap(l, VFU_DMA_UNMAP_ALL, 0, 0);
}

static void asked_done(struct trn_dma_request *req, int result)
{
	struct asked *a = base_container_of(req, struct asked, req);

	a->result = result;
	a->nr_done++;
}

int link_ask(struct link *l, struct asked *a, uint64_t iova, void *buf, size_t len, bool is_write)
{
	*a = (struct asked){ .req = { .iova = iova, .len = len, .buf = buf, .is_write = is_write, .done = asked_done } };
	return trn_use_dma(l->conn.use, &a->req);
}

void asked_wait(struct asked *a)
{
	for (int i = 0; i < 10000 && !a->nr_done; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	assert_int_equal(a->nr_done, 1);
}

static bool read_all(int fd, void *buf, size_t len, int timeout_ms)
{
	for (size_t have = 0; have < len;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, timeout_ms) != 1)
			return false;
		n = read(fd, (uint8_t *)buf + have, len - have);
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

bool got_receive(struct got *g, int fd, int timeout_ms)
{
	size_t data_len;

	if (!read_all(fd, &g->header, sizeof(g->header), timeout_ms))
		return false;
	assert_int_equal(g->header.flags, VFU_FLAG_COMMAND);
	data_len = g->header.size - sizeof(g->header) - sizeof(g->access);
	assert_true(data_len <= sizeof(g->data));
	assert_true(read_all(fd, &g->access, sizeof(g->access), 10000));
	return read_all(fd, g->data, data_len, 10000);
}

int link_reply(struct link *l, const struct vfu_header *command, const void *payload, size_t len, uint32_t flags, uint32_t error)
{
	struct vfu_request reply = {
		.header = {
			.id = command->id,
			.command = command->command,
			.size = (uint32_t)(sizeof(reply.header) + len),
			.flags = VFU_FLAG_REPLY | flags,
			.error = error,
		},
		.payload = payload,
		.len = len,
	};

	return vfu_dma_handle_reply(&l->conn, &reply);
}

int link_answer(struct link *l, const struct got *g, uint8_t value)
{
	size_t data_len = g->header.command == VFU_DMA_READ ? g->access.count : 0;
	uint8_t *payload = malloc(sizeof(g->access) + data_len);
	int r;

	assert_non_null(payload);
	memcpy(payload, &g->access, sizeof(g->access));
	memset(payload + sizeof(g->access), value, data_len);
	r = link_reply(l, &g->header, payload, sizeof(g->access) + data_len, 0, 0);
	free(payload);
	return r;
}

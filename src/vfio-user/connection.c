/* SPDX-License-Identifier: MIT */
#include "vfio-user/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/futex.h"
#include "base/log.h"
#include "base/thread.h"
#include "vfio-user/dma.h"
#include "vfio-user/input.h"
#include "vfio-user/output.h"
#include "vfio-user/server.h"

#define KNOWN_FLAGS (VFU_FLAG_TYPE_MASK | VFU_FLAG_NO_REPLY)
#define MAX_OTHER (64u << 10) /* bytes of a message that moves no data, such as VERSION or ranges of a log */
#define MAX_FIXED 64u /* of a message in front of its data */

static const vfu_handler handlers[VFU_NR_COMMANDS] = {
	[VFU_VERSION] = vfu_handle_version,
	[VFU_DMA_MAP] = vfu_handle_dma_map,
	[VFU_DMA_UNMAP] = vfu_handle_dma_unmap,
	[VFU_DEVICE_GET_INFO] = vfu_handle_device_info,
	[VFU_DEVICE_GET_REGION_INFO] = vfu_handle_region_info,
	[VFU_DEVICE_GET_REGION_IO_FDS] = vfu_handle_io_fds,
	[VFU_DEVICE_GET_IRQ_INFO] = vfu_handle_irq_info,
	[VFU_DEVICE_SET_IRQS] = vfu_handle_set_irqs,
	[VFU_REGION_READ] = vfu_handle_region_read,
	[VFU_REGION_WRITE] = vfu_handle_region_write,
	[VFU_DEVICE_RESET] = vfu_handle_reset,
	[VFU_REGION_WRITE_MULTI] = vfu_handle_write_multi,
	[VFU_DEVICE_FEATURE] = vfu_handle_feature,
	[VFU_MIG_DATA_READ] = vfu_handle_mig_data_read,
	[VFU_MIG_DATA_WRITE] = vfu_handle_mig_data_write,
};

static int handle_command(struct vfu_conn *c, struct vfu_request *req)
{
	const struct vfu_header *h = &req->header;

	if (h->flags & ~KNOWN_FLAGS) {
		log_debug("flags of a command are 0x%x at most: they are 0x%x", KNOWN_FLAGS, h->flags);
		return -EINVAL;
	}
	if (h->command >= VFU_NR_COMMANDS || !handlers[h->command]) {
		log_debug("command %u is none that a client can send", h->command);
		return -ENOSYS;
	}
	if (c->has_version == (h->command == VFU_VERSION)) {
		log_debug("VERSION is the first command, and said once: command %u came", h->command);
		return -EINVAL;
	}
	return handlers[h->command](c, req);
}

/* refusal: 0, or why only the header is there. */
static void handle_reply(struct vfu_conn *c, struct vfu_request *req, int refusal)
{
	if (refusal < 0) {
		req->header.flags |= VFU_FLAG_ERROR;
		req->header.error = (uint32_t)-refusal;
	}
	if (vfu_dma_handle_reply(c, req) < 0)
		log_debug("reply %u to command %u answers nothing that was asked", req->header.id, req->header.command);
}

/* All messages that are there. Return: how many, or -EBADMSG. */
static int handle_batch(struct vfu_conn *c)
{
	struct vfu_request req;
	int r, nr;

	for (nr = 0;; nr++) {
		r = vfu_input_next(c->input, &req);
		if (r == 0)
			return nr;
		if (r == -EBADMSG)
			return r;
		if ((req.header.flags & VFU_FLAG_TYPE_MASK) == VFU_FLAG_REPLY)
			handle_reply(c, &req, r);
		else
			vfu_output_finish(c, &req, r < 0 ? r : handle_command(c, &req));
		vfu_input_release(c->input);
	}
}

/* While a message is incomplete its rest must come in time. *deadline: 0 unless one was begun before. */
static int wait_for_rest(const struct vfu_conn *c, uint64_t *deadline)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int wait_ms = c->server->params.wait_ms;
	uint64_t now;

	if (!wait_ms || !vfu_input_is_partial(c->input))
		return 0;
	now = base_clock_ns();
	if (!*deadline)
		*deadline = now + (uint64_t)wait_ms * 1000000;
	if (*deadline > now && poll(&p, 1, (int)((*deadline - now) / 1000000) + 1) != 0)
		return 0; /* something is there, or receiving says what is wrong */
	log_debug("the rest of a message comes within %d ms: it did not", wait_ms);
	return -ETIMEDOUT;
}

static void serve(struct vfu_conn *c)
{
	uint64_t deadline = 0;

	for (;;) {
		int nr, r;

		if (wait_for_rest(c, &deadline) < 0 || vfu_input_receive(c->input, c->fd) <= 0)
			return;
		vfu_dma_batch_begin(c);
		nr = handle_batch(c);
		r = vfu_output_flush(c);
		vfu_dma_batch_end(c);
		if (nr < 0 || r < 0)
			return;
		if (nr)
			deadline = 0;
	}
}

void vfu_conn_serve(struct vfu_conn *c)
{
	serve(c);
	vfu_dma_close(c);
	if (c->use) {
		trn_use_close(c->use);
		c->server->nr_open--;
	}
	vfu_dma_free(c);
}

static void *run(void *arg)
{
	struct vfu_conn *c = arg;

	vfu_conn_serve(c);
	vfu_server_conn_ended(c->server, c);
	return NULL;
}

struct vfu_conn *vfu_conn_new(struct trn_server *server, int fd)
{
	const struct trn_server_params *p = &server->params;
	struct vfu_conn *c = calloc(1, sizeof(*c));
	size_t max = p->max_data_xfer_size > MAX_OTHER ? p->max_data_xfer_size : MAX_OTHER;

	if (!c) {
		base_close(fd);
		return NULL;
	}
	c->server = server;
	c->fd = fd;
	c->twin_fd = -1;
	base_list_init(&c->node);
	c->ours = (struct vfu_limits){
		.max_msg_fds = p->max_msg_fds,
		.max_data_xfer_size = p->max_data_xfer_size,
		.max_dma_maps = p->max_dma_maps,
		.pgsizes = VFU_DEFAULT_PGSIZES,
		.write_multiple = true,
		.twin_socket = true,
	};
	c->theirs = (struct vfu_limits){
		.max_msg_fds = VFU_DEFAULT_MAX_MSG_FDS,
		.max_data_xfer_size = VFU_DEFAULT_MAX_DATA_XFER_SIZE,
		.max_dma_maps = VFU_DEFAULT_MAX_DMA_MAPS,
		.pgsizes = VFU_DEFAULT_PGSIZES,
	};
	c->input = vfu_input_new(sizeof(struct vfu_header) + MAX_FIXED + max, p->max_msg_fds);
	c->output = vfu_output_new();
	if (c->input && c->output)
		return c;
	vfu_conn_free(c);
	return NULL;
}

int vfu_conn_start(struct vfu_conn *c)
{
	return base_thread_start(&c->thread, run, c);
}

void vfu_conn_shutdown(struct vfu_conn *c)
{
	/* The twin belongs to the connection's thread, which ends it when it finds this. */
	shutdown(c->fd, SHUT_RDWR);
}

void vfu_conn_close(struct vfu_conn *c)
{
	c->fd = base_close(c->fd);
	c->twin_fd = base_close(c->twin_fd);
	vfu_input_free(TAKE_PTR(c->input));
	vfu_output_free(TAKE_PTR(c->output));
}

void vfu_conn_free(struct vfu_conn *c)
{
	vfu_conn_close(c);
	free(c);
}

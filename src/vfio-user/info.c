/* SPDX-License-Identifier: MIT */
/*
 * What a client asks before it uses a device.  argsz is the room that it has for the reply: when that is too small for the
 * capabilities it gets the fixed part, and the size that it needs.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "vfio-user/connection.h"

/* What a capability may hold (trn_caps_add()). Areas beyond are not mapped, which is slower and not wrong. */
#define MAX_AREAS (((64u << 10) - sizeof(struct vfu_sparse)) / sizeof(struct vfu_sparse_area))

static void free_caps(struct trn_caps **caps)
{
	trn_caps_free(*caps);
}

/* Takes the fixed part of a request, the first word of which is argsz. */
static int load_fixed(const struct vfu_request *req, const char *what, void *ret, size_t len)
{
	uint32_t argsz;

	if (req->len < len) {
		log_debug("%s has %zu bytes: %zu came", what, len, req->len);
		return -EINVAL;
	}
	memcpy(ret, req->payload, len);
	memcpy(&argsz, ret, sizeof(argsz));
	if (argsz < len) {
		log_debug("argsz of %s is %zu at least: it is %u", what, len, argsz);
		return -EINVAL;
	}
	return 0;
}

static int check_index(const char *what, uint32_t index, uint32_t nr)
{
	if (index < nr)
		return 0;
	log_debug("%s: the device has %u, number %u was asked for", what, nr, index);
	return -EINVAL;
}

int vfu_handle_device_info(struct vfu_conn *c, struct vfu_request *req)
{
	_cleanup_(free_caps) struct trn_caps *caps = trn_caps_new();
	struct vfu_device_info_caps out = { 0 };
	struct trn_device_info info;
	size_t len = sizeof(out.info), caps_len;
	uint32_t argsz;
	uint8_t *reply;
	int r;

	if (!caps)
		return -ENOMEM;
	r = load_fixed(req, "GET_INFO", &out.info, sizeof(out.info));
	if (r < 0)
		return r;
	argsz = out.info.argsz;
	trn_use_info(c->use, &info);
	r = trn_use_caps(c->use, TRN_CAPS_OF_DEVICE, caps);
	if (r < 0)
		return r;
	caps_len = trn_caps_len(caps);
	out.info = (struct vfu_device_info){
		.argsz = (uint32_t)(caps_len ? sizeof(out) + caps_len : sizeof(out.info)),
		.flags = (info.flags & TRN_DEVICE_RESET ? VFU_DEVICE_FLAG_RESET : 0) |
			 (info.flags & TRN_DEVICE_PCI ? VFU_DEVICE_FLAG_PCI : 0),
		.num_regions = info.nr_regions,
		.num_irqs = info.nr_irqs,
	};
	if (caps_len && argsz >= out.info.argsz) {
		out.info.flags |= VFU_DEVICE_FLAG_CAPS;
		out.cap_offset = sizeof(out);
		len = out.info.argsz;
	}
	reply = vfu_reply(c, req, len);
	if (!reply)
		return -E2BIG;
	memcpy(reply, &out, len < sizeof(out) ? len : sizeof(out));
	if (out.cap_offset)
		trn_caps_write(caps, reply + sizeof(out), sizeof(out));
	return 0;
}

/* The parts of a region that may be mapped, at most MAX_AREAS. Return: how many (the caller frees *ret), or -errno. */
static ssize_t get_areas(struct trn_use *use, uint32_t index, struct trn_span **ret)
{
	_cleanup_free_ struct trn_span *areas = NULL;
	size_t room = 0;

	for (;;) {
		ssize_t n = trn_use_region_areas(use, index, areas, room);

		if (n < 0)
			return n;
		if ((size_t)n <= room) {
			*ret = TAKE_PTR(areas);
			return n < (ssize_t)MAX_AREAS ? n : (ssize_t)MAX_AREAS;
		}
		free(TAKE_PTR(areas));
		room = (size_t)n; /* it may be more by the next call */
		areas = calloc(room, sizeof(*areas));
		if (!areas)
			return -ENOMEM;
	}
}

static int add_sparse(struct trn_caps *caps, const struct trn_span *areas, size_t nr)
{
	size_t len = sizeof(struct vfu_sparse) + nr * sizeof(struct vfu_sparse_area);
	_cleanup_free_ uint8_t *data = malloc(len);
	struct vfu_sparse head = { .nr_areas = (uint32_t)nr };

	if (!data)
		return -ENOMEM;
	memcpy(data, &head, sizeof(head));
	for (size_t i = 0; i < nr; i++) {
		struct vfu_sparse_area a = { .offset = areas[i].start, .size = areas[i].len };

		memcpy(data + sizeof(head) + i * sizeof(a), &a, sizeof(a));
	}
	return trn_caps_add(caps, VFU_REGION_CAP_SPARSE_MMAP, 1, data, len);
}

/* What can be mapped: the descriptor, and the list of areas when they are not the whole region. */
static int offer_map(struct vfu_conn *c, struct vfu_region_info *out, struct trn_caps *caps, int *ret_fd)
{
	_cleanup_free_ struct trn_span *areas = NULL;
	_cleanup_close_ int fd = -1;
	ssize_t nr;
	int r;

	if (!c->theirs.max_msg_fds)
		return 0;
	nr = get_areas(c->use, out->index, &areas);
	if (nr <= 0)
		return (int)nr;
	fd = trn_use_region_fd(c->use, out->index, &out->offset);
	if (fd < 0)
		return fd;
	if (nr > 1 || areas[0].start || areas[0].len < out->size) {
		r = add_sparse(caps, areas, (size_t)nr);
		if (r < 0)
			return r;
	}
	out->flags |= VFU_REGION_FLAG_MMAP;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int describe_region(struct vfu_conn *c, struct vfu_region_info *out, struct trn_caps *caps, int *ret_fd)
{
	struct trn_region_info info;
	int r;

	r = trn_use_region_info(c->use, out->index, &info);
	if (r < 0)
		return r;
	out->size = info.size;
	if (!info.size)
		return 0;
	out->flags = (info.flags & TRN_REGION_READ ? VFU_REGION_FLAG_READ : 0) |
		     (info.flags & TRN_REGION_WRITE ? VFU_REGION_FLAG_WRITE : 0);
	if (info.flags & TRN_REGION_MMAP) {
		r = offer_map(c, out, caps, ret_fd);
		if (r < 0)
			return r;
	}
	return trn_use_caps(c->use, out->index, caps);
}

static int reply_region(struct vfu_conn *c, struct vfu_request *req, struct vfu_region_info *out, uint32_t argsz,
			const struct trn_caps *caps)
{
	size_t len = sizeof(*out);
	uint8_t *reply;

	out->argsz = (uint32_t)(sizeof(*out) + trn_caps_len(caps));
	if (trn_caps_len(caps) && argsz >= out->argsz) {
		/* Not said without the chain: QEMU takes an offset of 0 for an error, and others would follow it. */
		out->flags |= VFU_REGION_FLAG_CAPS;
		out->cap_offset = sizeof(*out);
		len = out->argsz;
	}
	reply = vfu_reply(c, req, len);
	if (!reply)
		return -E2BIG;
	memcpy(reply, out, sizeof(*out));
	if (out->cap_offset)
		trn_caps_write(caps, reply + sizeof(*out), sizeof(*out));
	return 0;
}

int vfu_handle_region_info(struct vfu_conn *c, struct vfu_request *req)
{
	_cleanup_(free_caps) struct trn_caps *caps = trn_caps_new();
	_cleanup_close_ int fd = -1;
	struct trn_device_info info;
	struct vfu_region_info in, out = { 0 };
	int r;

	if (!caps)
		return -ENOMEM;
	r = load_fixed(req, "GET_REGION_INFO", &in, sizeof(in));
	if (r < 0)
		return r;
	trn_use_info(c->use, &info);
	r = check_index("regions", in.index, info.nr_regions);
	if (r < 0)
		return r;
	out.index = in.index;
	r = describe_region(c, &out, caps, &fd);
	if (r < 0) {
		log_debug("region %u cannot be described: %s", in.index, strerror(-r));
		return r;
	}
	r = reply_region(c, req, &out, in.argsz, caps);
	if (r < 0 || fd < 0)
		return r;
	return vfu_reply_fd(c, TAKE_FD(fd));
}

int vfu_handle_irq_info(struct vfu_conn *c, struct vfu_request *req)
{
	struct vfu_irq_info in, *reply;
	struct trn_device_info device;
	struct trn_irq_info info;
	int r;

	r = load_fixed(req, "GET_IRQ_INFO", &in, sizeof(in));
	if (r < 0)
		return r;
	trn_use_info(c->use, &device);
	r = check_index("kinds of interrupts", in.index, device.nr_irqs);
	if (r < 0)
		return r;
	r = trn_use_irq_info(c->use, in.index, &info);
	if (r < 0)
		return r;
	in = (struct vfu_irq_info){ .argsz = sizeof(in), .index = in.index, .count = info.count, .flags = info.flags };
	reply = vfu_reply(c, req, sizeof(in));
	if (!reply)
		return -E2BIG;
	memcpy(reply, &in, sizeof(in));
	return 0;
}

static_assert(VFU_IRQ_EVENTFD == TRN_IRQ_EVENTFD && VFU_IRQ_MASKABLE == TRN_IRQ_MASKABLE &&
	      VFU_IRQ_AUTOMASKED == TRN_IRQ_AUTOMASKED && VFU_IRQ_NORESIZE == TRN_IRQ_NORESIZE, "one set of numbers");

/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: DMA_MAP, DMA_UNMAP and a device's accesses to what is mapped, against a list of maps that is searched from
 * end to end and two arrays that are the files.
 *
 * The input: a row of steps, each a byte that says what is done and the numbers that it needs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "input.h"
#include "parents/testdev/testdev.h"
#include "tranche/server.h"
#include "vfio-user/connection.h"
#include "vfio-user/dma.h"

#define PAGE 0x1000u
#define FILE_PAGES 16u
#define MAX_MAPS 8u
#define MAX_STEPS 64
#define MAX_LEN 0x3000u
#define NR_REQUESTS 4u

/* How the memory of a map comes: its file, and whether that is mapped. */
enum kind { SEALED, SHRINKING, SEALED_IO, SHRINKING_IO, READ_ONLY, MESSAGES, NR_KINDS };

struct map {
	uint64_t iova, len, offset;
	uint64_t id; /* of the map, never used twice */
	uint32_t flags; /* VFU_DMA_MAP_READ and _WRITE */
	enum kind kind;
};

struct file {
	int fd, read_only_fd;
	uint64_t size;
	uint8_t content[FILE_PAGES * PAGE];
};

struct request {
	struct trn_dma_request req;
	uint8_t buf[MAX_LEN];
	bool is_under_way;
	uint64_t ids[MAX_MAPS]; /* of the maps of MESSAGES that it has a part in */
	unsigned int nr_ids;
};

struct world {
	struct vfu_conn *c; /* NULL: nothing is made yet */
	struct file files[2]; /* sealed, shrinking */
	struct map maps[MAX_MAPS];
	unsigned int nr_maps;
	uint64_t last_id;
	struct request requests[NR_REQUESTS];
};

/* --- The model --- */

static struct file *file_of(struct world *w, enum kind kind)
{
	return &w->files[kind == SHRINKING || kind == SHRINKING_IO];
}

static bool is_io(enum kind kind)
{
	return kind == SEALED_IO || kind == SHRINKING_IO;
}

static bool overlaps(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

static int result_of_map(struct world *w, const struct map *m)
{
	if (!m->len || !m->flags || m->iova + m->len < m->iova)
		return -EINVAL;
	if (m->kind == READ_ONLY && m->flags & VFU_DMA_MAP_WRITE)
		return -EACCES;
	if (m->kind != MESSAGES && m->offset + m->len > file_of(w, m->kind)->size)
		return -EINVAL;
	for (unsigned int i = 0; i < w->nr_maps; i++)
		if (overlaps(w->maps[i].iova, w->maps[i].len, m->iova, m->len))
			return -EEXIST;
	return w->nr_maps == MAX_MAPS ? -ENOSPC : 0;
}

static const struct map *map_at(const struct world *w, uint64_t iova)
{
	for (unsigned int i = 0; i < w->nr_maps; i++)
		if (iova - w->maps[i].iova < w->maps[i].len)
			return &w->maps[i];
	return NULL;
}

/* Moves the bytes of one map; returns 0 or -EFAULT, at the first that its file does not have. */
static int move_part(struct world *w, const struct map *m, uint64_t iova, uint8_t *buf, size_t len, bool is_write)
{
	struct file *f = file_of(w, m->kind);
	uint64_t at = m->offset + (iova - m->iova);
	size_t n = at >= f->size ? 0 : f->size - at < len ? f->size - at : len;

	if (is_write && is_io(m->kind) && n < len)
		return -EFAULT; /* which would make the file longer */
	if (is_write)
		memcpy(f->content + at, buf, n);
	else
		memcpy(buf, f->content + at, n);
	return n < len ? -EFAULT : 0;
}

static int result_of_access(struct world *w, uint64_t iova, uint8_t *buf, size_t len, bool is_write)
{
	uint32_t right = is_write ? VFU_DMA_MAP_WRITE : VFU_DMA_MAP_READ;
	const struct map *m;
	bool has_messages = false;
	size_t n;
	int r = 0;

	for (size_t at = 0; at < len; at += n) {
		m = map_at(w, iova + at);
		if (!m || !(m->flags & right))
			return -EFAULT;
		n = m->iova + m->len - (iova + at) < len - at ? m->iova + m->len - (iova + at) : len - at;
		has_messages = has_messages || m->kind == MESSAGES;
	}
	for (size_t at = 0; at < len && r == 0; at += n) {
		m = map_at(w, iova + at);
		n = m->iova + m->len - (iova + at) < len - at ? m->iova + m->len - (iova + at) : len - at;
		if (m->kind != MESSAGES)
			r = move_part(w, m, iova + at, buf + at, n, is_write);
	}
	return r == 0 && has_messages ? 1 : r;
}

/* --- Steps --- */

static uint64_t take_address(struct input *in)
{
	static const uint64_t bases[] = { 0, 0x100000, 1ull << 40, UINT64_MAX - 0x20 * PAGE + 1 };
	uint8_t where = input_u8(in);

	return bases[where >> 6] + (where & 63) * (uint64_t)PAGE;
}

static void step_map(struct world *w, struct input *in)
{
	struct map m = { .iova = take_address(in) };
	uint8_t shape = input_u8(in), how = input_u8(in);
	struct vfu_dma_map wire;
	struct vfu_request req = { .payload = (const uint8_t *)&wire, .len = sizeof(wire) };
	int fd, r;

	m.len = (shape & 15) * (uint64_t)PAGE;
	m.offset = (shape >> 4) * (uint64_t)PAGE;
	m.flags = how & 3;
	m.kind = (enum kind)((how >> 2) % NR_KINDS);
	wire = (struct vfu_dma_map){ .argsz = sizeof(wire), .flags = m.flags, .offset = m.offset, .address = m.iova, .size = m.len };
	if (is_io(m.kind))
		wire.flags |= VFU_DMA_MAP_FILE_IO;
	fd = m.kind == READ_ONLY ? w->files[0].read_only_fd : file_of(w, m.kind)->fd;
	fd = m.kind == MESSAGES ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	req.fds = &fd;
	req.nr_fds = fd >= 0;
	r = result_of_map(w, &m);
	must(vfu_handle_dma_map(w->c, &req) == r);
	if (fd >= 0)
		close(fd);
	m.id = ++w->last_id;
	if (r == 0)
		w->maps[w->nr_maps++] = m;
}

/* Requests with a part in a map that is gone are over, the others go on.  A map that came later has no part of them. */
static void check_cancelled(struct world *w)
{
	for (unsigned int i = 0; i < NR_REQUESTS; i++) {
		const struct request *r = &w->requests[i];
		unsigned int nr = 0;

		for (unsigned int j = 0; j < r->nr_ids; j++)
			for (unsigned int k = 0; k < w->nr_maps; k++)
				nr += w->maps[k].id == r->ids[j];
		must(!r->nr_ids || r->is_under_way == (nr == r->nr_ids));
	}
}

static void note_parts(const struct world *w, struct request *r)
{
	r->nr_ids = 0;
	for (unsigned int i = 0; i < w->nr_maps; i++)
		if (w->maps[i].kind == MESSAGES && overlaps(w->maps[i].iova, w->maps[i].len, r->req.iova, r->req.len))
			r->ids[r->nr_ids++] = w->maps[i].id;
}

static void unmap(struct world *w, uint64_t iova, uint64_t len, uint32_t flags, int result)
{
	const struct vfu_dma_unmap wire = { .argsz = sizeof(wire), .flags = flags, .address = iova, .size = len };
	struct vfu_request req = { .payload = (const uint8_t *)&wire, .len = sizeof(wire) };

	must(vfu_handle_dma_unmap(w->c, &req) == result);
}

static void unmap_all(struct world *w)
{
	unmap(w, 0, 0, VFU_DMA_UNMAP_ALL, 0);
	w->nr_maps = 0;
	check_cancelled(w);
}

static void step_unmap(struct world *w, struct input *in)
{
	uint64_t iova = take_address(in), len = input_u8(in) % 16 * (uint64_t)PAGE;

	for (unsigned int i = 0; i < w->nr_maps; i++) {
		if (w->maps[i].iova != iova || w->maps[i].len != len)
			continue;
		unmap(w, iova, len, 0, 0);
		w->maps[i] = w->maps[--w->nr_maps];
		check_cancelled(w);
		return;
	}
	unmap(w, iova, len, 0, -ENOENT);
}

/* One that is there. */
static void step_unmap_known(struct world *w, struct input *in)
{
	unsigned int i = input_u8(in);
	struct map m;

	if (!w->nr_maps)
		return;
	m = w->maps[i % w->nr_maps];
	unmap(w, m.iova, m.len, 0, 0);
	i %= w->nr_maps;
	w->maps[i] = w->maps[--w->nr_maps];
	check_cancelled(w);
}

static void step_unmap_all(struct world *w, struct input *in)
{
	unmap_all(w);
}

static void handle_done(struct trn_dma_request *req, int result)
{
	struct request *r = req->data;

	/* Nothing is sent here, so it cannot end well. */
	must(r->is_under_way && result == -ECANCELED);
	r->is_under_way = false;
}

static void step_access(struct world *w, struct input *in)
{
	static uint8_t expected[MAX_LEN];
	struct request *request = &w->requests[input_u8(in) % NR_REQUESTS];
	uint64_t iova = take_address(in) + input_u16(in) % PAGE;
	size_t len = input_u16(in) % MAX_LEN + 1;
	uint8_t how = input_u8(in);
	bool is_write = how & 1;
	int r;

	if (request->is_under_way || iova + len < iova)
		return;
	for (size_t i = 0; i < len; i++)
		request->buf[i] = expected[i] = (uint8_t)(how + i * 13);
	request->req = (struct trn_dma_request){
		.iova = iova, .len = len, .buf = request->buf, .is_write = is_write, .done = handle_done, .data = request,
	};
	r = result_of_access(w, iova, expected, len, is_write);
	request->is_under_way = true;
	must(trn_use_dma(w->c->use, &request->req) == r);
	request->is_under_way = r == 1;
	if (r == 1)
		note_parts(w, request);
	else
		request->nr_ids = 0;
	if (r >= 0)
		must(input_is_same(request->buf, expected, len));
}

static void step_shrink(struct world *w, struct input *in)
{
	struct file *f = &w->files[1];
	uint64_t size = input_u8(in) % (FILE_PAGES + 1) * (uint64_t)PAGE;

	must(ftruncate(f->fd, (off_t)size) == 0);
	f->size = size;
	memset(f->content + size, 0, sizeof(f->content) - size);
}

static void (*const steps[])(struct world *w, struct input *in) = {
	step_map, step_map, step_access, step_access, step_access, step_unmap, step_unmap_known, step_unmap_all, step_shrink,
};

/* --- The world --- */

static void make_file(struct file *f, int seals)
{
	char path[64];

	f->fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	must(f->fd >= 0 && ftruncate(f->fd, sizeof(f->content)) == 0 && fcntl(f->fd, F_ADD_SEALS, seals) == 0);
	f->size = sizeof(f->content);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	f->read_only_fd = open(path, O_RDONLY | O_CLOEXEC);
	must(f->read_only_fd >= 0);
}

static void set_up(struct world *w)
{
	static const struct trn_create_params params = { .uuid = "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f" };
	struct trn_server_params server_params = { .max_dma_maps = MAX_MAPS };
	struct trn_core *core = trn_core_create();
	struct trn_parent *parent = NULL;
	struct trn_server *server;

	must(core && testdev_parent_register(core, "testdev", &parent, NULL) == 0);
	must(trn_device_create(trn_type_find(parent, "testdev-plain"), &params, &server_params.dev, NULL) == 0);
	must(trn_server_create(&server_params, &server, NULL) == 0);
	make_file(&w->files[0], F_SEAL_SHRINK | F_SEAL_GROW);
	make_file(&w->files[1], 0);
	w->c = vfu_conn_new(server, open("/dev/null", O_RDWR | O_CLOEXEC));
	must(w->c && trn_device_open(server_params.dev, "the fuzzer", w->c, &w->c->use, NULL) == 0);
	must(vfu_dma_open(w->c) == 0);
	vfu_dma_batch_begin(w->c); /* and no end: so nothing is sent */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	struct world *w = &world;
	struct input in = { data, size };

	if (!w->c)
		set_up(w);
	for (int i = 0; i < MAX_STEPS && input_has(&in); i++)
		steps[input_u8(&in) % (sizeof(steps) / sizeof(steps[0]))](w, &in);
	unmap_all(w);
	if (w->files[1].size < sizeof(w->files[1].content)) {
		must(ftruncate(w->files[1].fd, sizeof(w->files[1].content)) == 0);
		w->files[1].size = sizeof(w->files[1].content);
	}
	return 0;
}

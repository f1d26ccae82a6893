/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: the vfio-user server with the test device behind it, as a client meets it, from the first byte of a
 * connection to its end.  No kernel and no thread is between the two: recvmsg(), send() and sendmsg() of the server's socket
 * are here (-Wl,--wrap), and cut and glue the client's sends as a kernel does (wire.c).
 *
 * The input: a byte of flags, then sends of the client, each { u8 how, u8 fds, u16 len } and len bytes:
 *   how   1: one message, made of { u8 command, u8 flags } and its payload; else the bytes as they are
 *         2: can be read together with the next send
 *         4: followed by zeros, as many bytes as there are
 *         8: a reply to the oldest command of the server that has none; with 1 one that fits it
 *         bits 4-7: 3 times so many bytes are read at once, 0: all
 *   fds   bits 4-7: how many descriptors come with it, bits 0-3: of which kind.  None, but a kind: what the client does
 *         besides (enum deed)
 * Each command must get its reply, in order, and no descriptor may stay open.
 */
#include "wire.h"

#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "descriptors.h"
#include "parents/testdev/testdev.h"
#include "tranche/pci.h"
#include "tranche/server.h"
#include "vfio-user/connection.h"

enum flags { SAYS_VERSION = 1, IS_PLAIN = 2, ENABLES = 4, HAS_TWIN = 8, IS_SMALL = 16, HAS_MAPS = 32 };

#define MAX_DATA_XFER 4096u

struct world {
	struct trn_core *core;
	struct trn_device *devs[2];
	struct trn_server *servers[2];
	struct descriptors descriptors;
};

/* The thread that unmasks INTx keeps a descriptor of its own: it is made before the others are counted. */
static void use_unmasker(struct trn_use *use)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct trn_irq_set set = { .count = 1, .action = TRN_IRQ_TRIGGER, .data = TRN_IRQ_DATA_EVENTFD, .fds = &fd };

	must(trn_use_set_irqs(use, &set) == 0);
	set.action = TRN_IRQ_UNMASK;
	must(trn_use_set_irqs(use, &set) == 0);
	close(fd);
}

static void make_device(struct world *w, struct trn_parent *parent, unsigned int i, const char *type)
{
	char uuid[TRN_UUID_SIZE];
	const struct trn_create_params params = { .uuid = uuid };
	struct trn_server_params server = { .max_data_xfer_size = MAX_DATA_XFER, .max_dma_maps = 8 };

	snprintf(uuid, sizeof(uuid), "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e%02x", i);
	must(trn_device_create(trn_type_find(parent, type), &params, &w->devs[i], NULL) == 0);
	server.dev = w->devs[i];
	must(trn_server_create(&server, &w->servers[i], NULL) == 0);
}

static void set_up(struct world *w)
{
	struct trn_parent *parent = NULL;
	struct trn_use *use;

	w->core = trn_core_create();
	must(w->core && testdev_parent_register(w->core, "testdev", &parent, NULL) == 0);
	make_device(w, parent, 0, "testdev-full");
	make_device(w, parent, 1, "testdev-plain");
	must(trn_device_open(w->devs[0], "the fuzzer", NULL, &use, NULL) == 0);
	use_unmasker(use);
	trn_use_close(use);
	descriptors_make(&w->descriptors);
}

static void reset(struct trn_device *dev)
{
	struct trn_use *use;

	must(trn_device_open(dev, "the fuzzer", NULL, &use, NULL) == 0);
	must(trn_use_reset(use) == 0);
	trn_use_close(use);
}

/* --- An ordinary beginning --- */

static void say_version(uint8_t flags)
{
	char text[256];
	uint8_t payload[sizeof(struct vfu_version) + sizeof(text)] = { 0 };
	int len = snprintf(text, sizeof(text), "{\"capabilities\":{\"max_msg_fds\":%d,\"max_data_xfer_size\":%d,"
			   "\"write_multiple\":true,\"migration\":{\"pgsize\":4096}%s}}", flags & IS_SMALL ? 1 : 8,
			   flags & IS_SMALL ? 64 : 1 << 20, flags & HAS_TWIN ? ",\"twin_socket\":{\"supported\":true}" : "");

	payload[2] = VFU_MINOR;
	memcpy(payload + sizeof(struct vfu_version), text, (size_t)len);
	wire_say(VFU_VERSION, payload, sizeof(struct vfu_version) + (size_t)len + 1, -1);
}

static void enable(void)
{
	struct {
		struct vfu_region_access access;
		uint8_t command[2];
	} write = { { .offset = 4, .region = TRN_PCI_REGION_CONFIG, .count = 2 }, { 7, 0 } };

	wire_say(VFU_REGION_WRITE, &write, sizeof(write.access) + sizeof(write.command), -1);
}

/* Memory of each kind, side by side. */
static void map(const struct descriptors *d)
{
	const int fds[] = { d->fds[FD_SEALED], d->fds[FD_SHRINKING], -1, d->fds[FD_SEALED] };

	for (unsigned int i = 0; i < 4; i++) {
		struct vfu_dma_map m = {
			.argsz = sizeof(m),
			.flags = VFU_DMA_MAP_READ | VFU_DMA_MAP_WRITE | (i == 3 ? VFU_DMA_MAP_FILE_IO : 0),
			.address = 0x100000 + 0x10000 * i,
			.size = 0x10000,
		};

		wire_say(VFU_DMA_MAP, &m, sizeof(m), fds[i]);
	}
}

static void begin(const struct world *w, uint8_t flags)
{
	if (!(flags & SAYS_VERSION))
		return;
	say_version(flags);
	if (flags & ENABLES)
		enable();
	if (flags & HAS_MAPS)
		map(&w->descriptors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	struct world *w = &world;
	struct input in = { data, size };
	struct open_fds open_fds;
	struct vfu_conn *c;
	unsigned int which;
	uint8_t flags;

	if (!w->core)
		set_up(w);
	flags = input_u8(&in);
	which = flags & IS_PLAIN ? 1 : 0;
	reset(w->devs[which]);
	descriptors_restore(&w->descriptors);
	/* Each time: between two runs the fuzzer opens some for itself. */
	open_fds_note(&open_fds);
	c = vfu_conn_new(w->servers[which], wire_open(&w->descriptors, &in));
	must(c);
	begin(w, flags);
	vfu_conn_serve(c);
	vfu_conn_free(c);
	wire_close();
	must(trn_device_nr_uses(w->devs[which]) == 0 && trn_server_nr_clients(w->servers[which]) == 0);
	open_fds_check(&open_fds);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: what the device process takes from a client and from an executor, from the first byte of a
 * connection to its end.  Both are socket pairs whose other ends are here; there is no process, no OpenCL and no folder.
 *
 * The input is a row of steps { u8 what, u8 type, u8 len8, u8 id } with len8 * 8 bytes of body; the first byte of all
 * says whether the session is started first (1), and whether the device is a new one (2), which knows nothing of its
 * host yet; else it is the one of the input before.  After each step, and at the end, what must always hold is checked.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/socket.h"
#include "parents/compute/compute.h"
#include "tranche/wire/executor.h"

#define QUOTA (64ull << 20)
#define MAX_STEPS 32
#define MAX_ROUNDS 1000

struct world {
	sd_event *event;
	struct compute_config config;
	struct trn_core *core;
	struct trn_parent *parent;
	struct trn_device *dev;
	int client;   /* our end; -1: closed */
	int executor; /* our end of the newest executor; -1: none */
};

static void must(int holds)
{
	if (!holds)
		abort();
}

static int start_executor(const struct compute_start *start, void *data, pid_t *ret_pid)
{
	struct world *w = data;

	base_close(w->executor);
	w->executor = fcntl(start->sock, F_DUPFD_CLOEXEC, 0);
	must(w->executor >= 0 && fcntl(w->executor, F_SETFL, O_NONBLOCK) == 0);
	*ret_pid = 0;
	return 0;
}

/* Whatever comes: descriptors do not stay with us. */
static void drain(int *sock)
{
	uint8_t packet[TRNC_MSG_MAX];

	while (*sock >= 0) {
		int fds[BASE_MAX_FDS];
		size_t nr = BASE_MAX_FDS;
		ssize_t n = base_recv(*sock, packet, sizeof(packet), fds, &nr);

		for (size_t i = 0; n > 0 && i < nr; i++)
			close(fds[i]);
		if (n == 0)
			*sock = base_close(*sock);
		if (n <= 0)
			return;
	}
}

static void check(struct world *w)
{
	struct compute_stats s;

	compute_device_get_stats(w->dev, &s);
	must(s.used <= QUOTA && s.used <= s.peak && s.peak <= QUOTA);
}

static void turn(struct world *w)
{
	int rounds = 0;

	do {
		drain(&w->client);
		drain(&w->executor);
		must(++rounds < MAX_ROUNDS);
	} while (sd_event_run(w->event, 0) > 0);
	drain(&w->client);
	drain(&w->executor);
	check(w);
}

static void send_message(int sock, uint32_t type, uint64_t id, uint32_t status, const void *body, size_t len, int fd)
{
	_Alignas(8) uint8_t packet[TRNC_MSG_MAX];
	struct trnc_msg head = { .type = type, .len = (uint32_t)(sizeof(head) + len), .id = id, .status = status };

	if (sock < 0 || sizeof(head) + len > sizeof(packet))
		return;
	memcpy(packet, &head, sizeof(head));
	if (len)
		memcpy(packet + sizeof(head), body, len);
	(void)base_send(sock, packet, head.len, &fd, fd >= 0);
}

static int make_probe(void)
{
	struct {
		uint32_t tag, len, param, zero;
		uint64_t value;
	} item = { .tag = TRNC_TAG_DEVICE_INFO, .len = 16, .param = 0x101f, .value = 1ull << 40 };
	int fd = memfd_create("probe", MFD_CLOEXEC);

	must(fd >= 0 && write(fd, &item, sizeof(item)) == sizeof(item));
	return fd;
}

static void send_ready(struct world *w)
{
	struct trnc_exec_ready ready = { .flags = TRNC_SESSION_COHERENT, .probe_len = 24 };
	int probe = make_probe();

	send_message(w->executor, (uint32_t)TRNC_EXEC_SETUP | TRNC_MSG_REPLY, 1, 0, &ready, sizeof(ready), probe);
	close(probe);
	turn(w);
}

/* An ordinary beginning: a session with a context, and memory of both kinds. */
static void begin(struct world *w)
{
	struct trnc_hello hello = { .magic = TRNC_MAGIC };
	struct trnc_session_create create = { .version = TRNC_VERSION };
	struct trnc_segment_create service = { .offset = 0, .size = 1 << 20, .kind = TRNC_SEGMENT_SERVICE };
	struct trnc_segment_create buffer = { .offset = 1 << 20, .size = 1 << 20, .kind = TRNC_SEGMENT_BUFFER };
	struct trnc_context_create context = { .context = 1, .channel = 0, .ring_len = TRNC_RING_MIN };

	send_message(w->client, TRNC_MSG_HELLO, 1, 0, &hello, sizeof(hello), -1);
	send_message(w->client, TRNC_MSG_SESSION_CREATE, 2, 0, &create, sizeof(create), -1);
	turn(w);
	send_ready(w);
	send_message(w->client, TRNC_MSG_SEGMENT_CREATE, 3, 0, &service, sizeof(service), -1);
	send_message(w->client, TRNC_MSG_SEGMENT_CREATE, 4, 0, &buffer, sizeof(buffer), -1);
	send_message(w->client, TRNC_MSG_CONTEXT_CREATE, 5, 0, &context, sizeof(context), -1);
	turn(w);
	send_message(w->executor, (uint32_t)TRNC_MSG_CONTEXT_CREATE | TRNC_MSG_REPLY, 5, 0, NULL, 0, -1);
	turn(w);
}

enum step_kind { CLIENT_MESSAGE, CLIENT_BYTES, EXECUTOR_REPLY, EXECUTOR_REFUSAL, EXECUTOR_BYTES, EXECUTOR_READY,
		 EXECUTOR_CLOSES, CLIENT_HALF_CLOSES, CLIENT_SENDS_FD, NR_STEP_KINDS };

static void step(struct world *w, const uint8_t head[4], const uint8_t *body, size_t len)
{
	uint8_t refusal[sizeof(struct trnc_error_body)];
	int zero;

	switch ((enum step_kind)(head[0] % NR_STEP_KINDS)) {
	case CLIENT_MESSAGE:
		send_message(w->client, head[1], head[3], 0, body, len, -1);
		break;
	case CLIENT_BYTES:
		if (w->client >= 0 && len)
			(void)base_send(w->client, body, len, NULL, 0);
		break;
	case EXECUTOR_REPLY:
		send_message(w->executor, head[1] | TRNC_MSG_REPLY, head[3], 0, body, len, -1);
		break;
	case EXECUTOR_REFUSAL:
		memset(refusal, 'x', sizeof(refusal)); /* no string in it has an end */
		memcpy(refusal, body, len < sizeof(refusal) ? len : sizeof(refusal));
		send_message(w->executor, head[1] | TRNC_MSG_REPLY, head[3], 5, refusal, sizeof(refusal), -1);
		break;
	case EXECUTOR_BYTES:
		if (w->executor >= 0 && len)
			(void)base_send(w->executor, body, len, NULL, 0);
		break;
	case EXECUTOR_READY:
		if (w->executor >= 0)
			send_ready(w);
		break;
	case EXECUTOR_CLOSES:
		w->executor = base_close(w->executor);
		break;
	case CLIENT_HALF_CLOSES:
		w->client = base_close(w->client);
		break;
	case CLIENT_SENDS_FD:
		zero = open("/dev/null", O_RDONLY | O_CLOEXEC);
		send_message(w->client, head[1], head[3], 0, body, len, zero);
		base_close(zero);
		break;
	case NR_STEP_KINDS:
		break;
	}
	turn(w);
}

static void set_up(struct world *w)
{
	struct trn_create_params params = {
		.uuid = "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f",
		.override = 1u << TRN_RESOURCE_MEMORY,
		.resources.amount[TRN_RESOURCE_MEMORY] = QUOTA,
	};

	w->client = w->executor = -1;
	must(sd_event_new(&w->event) >= 0);
	w->config = (struct compute_config){
		.event = w->event, .executor_path = "none", .start = start_executor, .data = w,
	};
	w->core = trn_core_create();
	must(w->core && compute_parent_register(w->core, "compute", &w->config, &w->parent, NULL) == 0);
	must(trn_device_create(trn_type_find(w->parent, COMPUTE_TYPE), &params, &w->dev, NULL) == 0);
}

static void tear_down(struct world *w)
{
	must(trn_device_remove(w->dev, NULL, NULL) == 0);
	trn_device_unref(w->dev);
	must(trn_parent_unregister(w->parent, NULL, NULL) == 0);
	trn_parent_unref(w->parent);
	trn_core_destroy(w->core);
	sd_event_unref(w->event);
}

static void knock(struct world *w)
{
	int ends[2];

	must(base_socket_pair(ends) == 0);
	must(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
	w->client = ends[0];
	compute_device_connect(w->dev, ends[1]);
}

/* Everything ends, and nothing is charged to anybody any more. */
static void leave(struct world *w)
{
	struct compute_stats s;

	w->client = base_close(w->client);
	turn(w);
	w->executor = base_close(w->executor);
	while (!compute_device_is_idle(w->dev))
		must(sd_event_run(w->event, 5000000) > 0);
	compute_device_get_stats(w->dev, &s);
	must(s.used == 0 && s.sessions_now == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	struct world *w = &world;
	size_t at = 1;

	if (size < 1)
		return 0;
	if (w->dev && (data[0] & 2)) {
		tear_down(w);
		w->dev = NULL;
	}
	if (!w->dev)
		set_up(w);
	knock(w);
	if (data[0] & 1)
		begin(w);
	for (int i = 0; i < MAX_STEPS && size - at >= 4; i++) {
		const uint8_t *head = data + at;
		size_t len = (size_t)head[2] * 8;

		at += 4;
		if (len > size - at)
			len = size - at;
		step(w, head, data + at, len);
		at += len;
	}
	leave(w);
	return 0;
}

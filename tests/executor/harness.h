/* SPDX-License-Identifier: MIT */
/*
 * A small client of the executor: plays the device process and the program.  It starts the executor with a socket
 * pair, grants segments, writes records and looks at what comes out.  All waits end after a time limit, by a failed
 * assertion.
 */
#ifndef TESTS_EXECUTOR_HARNESS_H
#define TESTS_EXECUTOR_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "base/blob.h"
#include "tranche/wire/executor.h"

#define WINDOW_SIZE (1ull << 30)
#define RING_LEN (256u << 10)
/* The service segment that start() makes: channel, then room for blobs and the output ring. */
#define BLOBS_AT (1ull << 20)
#define BLOB_ROOM (1ull << 20)
#define REPLY_AT (BLOBS_AT + BLOB_ROOM)
#define OUTPUT_AT (REPLY_AT + BLOB_ROOM)
#define OUTPUT_LEN 65536u
#define STAGING_AT (4ull << 20)
#define SERVICE_SIZE (8ull << 20)
/* The buffer segment that start() makes. */
#define BUFFERS_AT (64ull << 20)
#define BUFFERS_SIZE (64ull << 20)

/* The aperture of a guest's device: shared window and window; the rest is somebody else's. */
#define GUEST_APERTURE_SIZE (2ull << 30)
#define GUEST_SHARED_AT (2ull << 20)
#define GUEST_SHARED_SIZE (64ull << 20)
#define GUEST_WINDOW_AT (256ull << 20)

#define TIMEOUT_NS 60000000000ull

struct harness {
	pid_t pid;
	int sock;
	int stderr_fd;
	uint8_t *window; /* the client's view */
	bool is_guest;
	uint8_t *aperture; /* of a guest: the window is in it */
	int wake_fd;	   /* of a guest: the executor's eventfd */
	struct trnc_exec_ready ready;
	uint8_t *probe;
	uint64_t control_seq, next_id;

	/* context 1 */
	struct trnc_user_page *user;
	struct trnc_host_page *page;
	struct trnc_kernel_page *kernel;
	uint8_t *ring;
	uint64_t producer;
	uint32_t next_event, next_handle;
	_Alignas(8) uint8_t rec[TRNC_REC_MAX]; /* being put together */
	uint32_t rec_len;
};

/* What the next executor finds beside its socket: descriptors of ours, -1: none (as at first). */
void harness_give(int broker, int gate);
/* Sends SETUP; a guest's with the descriptors that belong to it. Return: its id. */
uint64_t harness_send_setup(struct harness *h, struct trnc_exec_setup *setup);
/* Starts an executor and says nothing to it yet. */
void harness_fork(struct harness *h);
/* Starts an executor and gets it ready, without segments.  With TRANCHE_TEST_GUEST in the environment all are those of guests. */
void harness_spawn(struct harness *h, uint32_t host_device, uint32_t flags, uint64_t window_base);
/* The same, with segments and context 1. */
void harness_start(struct harness *h, uint32_t flags);
void harness_start_at(struct harness *h, uint32_t flags, uint64_t window_base);
/* Ends it and sees that it is gone. */
void harness_stop(struct harness *h);

void harness_map_segment(struct harness *h, uint64_t offset, uint64_t size, uint32_t kind);
uint64_t harness_send(struct harness *h, uint32_t type, const void *body, size_t len, int fd);
uint64_t harness_send_fds(struct harness *h, uint32_t type, const void *body, size_t len, const int *fds, size_t nr_fds);
/* The reply to a message, whose status must be as given. Return: bytes of body. */
size_t harness_recv(struct harness *h, uint64_t id, uint32_t status, void *body, size_t cap, int *ret_fd);
/* Both. */
size_t harness_call(struct harness *h, uint32_t type, const void *body, size_t len, uint32_t status, void *reply,
		    size_t cap);

uint64_t harness_event(struct harness *h);  /* a new event handle of block 0 */
uint64_t harness_handle(struct harness *h); /* a new handle of any other kind */
struct trnc_event_slot *harness_slot(struct harness *h, uint64_t event);
int32_t harness_status(struct harness *h, uint64_t event);
/* Waits until the status is 0 or negative, sleeping as a program does. */
int32_t harness_wait(struct harness *h, uint64_t event);
void harness_wait_seq(struct harness *h, uint64_t queue_event, uint64_t seq);
void harness_wait_refused(struct harness *h, uint64_t refused);
void harness_wait_lost(struct harness *h, uint32_t reason);

/* Records: put() starts one or adds to it; submit() publishes it. */
void harness_put(struct harness *h, const void *data, size_t len);
void harness_submit(struct harness *h, uint16_t type);
/* Puts it into the ring without telling the executor; it learns of all by harness_publish(). */
void harness_stage(struct harness *h, uint16_t type);
void harness_publish(struct harness *h);
/* Waits until the executor has handled all that was published: it has begun, is held, or was refused. */
void harness_wait_read(struct harness *h);

struct queue {
	uint64_t handle, event, seq;
};
void harness_queue(struct harness *h, struct queue *q, uint64_t properties);
uint64_t harness_buffer(struct harness *h, uint64_t offset, uint64_t size);

/* A command's head with its wait list; the body goes between. event may be 0. */
struct trnc_cmd harness_head(struct harness *h, struct queue *q, uint64_t event, uint32_t nr_waits);
void harness_marker(struct harness *h, struct queue *q, uint16_t type, uint64_t event, uint32_t nr_waits,
		    const uint64_t *waits);
void harness_fill(struct harness *h, struct queue *q, uint64_t buffer, uint64_t size, uint8_t value, uint64_t event,
		  uint32_t nr_waits, const uint64_t *waits);
void harness_user_event(struct harness *h, uint64_t event);
void harness_set_event(struct harness *h, uint64_t event, int32_t status);

/* Builds; the result is the reply blob in shared memory. Return: its length. */
uint64_t harness_build(struct harness *h, uint64_t program, const char *source, const char *options);
uint64_t harness_build_blob(struct harness *h, uint64_t program, const struct base_blob *request);
bool harness_find(struct harness *h, uint64_t len, uint32_t tag, struct base_blob_item *ret);
uint32_t harness_find_u32(struct harness *h, uint64_t len, uint32_t tag);
uint64_t harness_kernel(struct harness *h, uint64_t program, uint32_t index);

struct launch {
	uint64_t kernel, global, local;
	uint64_t event;
	uint32_t nr_waits;
	const uint64_t *waits;
	uint32_t nr_args;
	struct {
		uint16_t kind;
		uint64_t size;
		const void *data;
	} args[8];
};
void harness_launch(struct harness *h, struct queue *q, const struct launch *l, bool stage);

#endif

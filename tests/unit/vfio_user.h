/* SPDX-License-Identifier: MIT */
/*
 * A connection of the vfio-user server without its threads: the test is the connection's thread and calls handlers. The
 * device is a driver that writes down what it is told about memory, and gives and takes migration data as the test says.
 */
#ifndef TEST_VFIO_USER_H
#define TEST_VFIO_USER_H

#include <stdbool.h>

#include "tranche/mdev.h"
#include "unit.h"
#include "vfio-user/connection.h"
#include "vfio-user/dma.h"

#define MAX_REPLY (2u << 20)
#define MIB (1ull << 20)

struct link {
	struct trn_core *core;
	struct trn_parent *parent;
	struct trn_device *dev;
	struct vfu_conn conn;
	int peer; /* the client's end */
	int twin_peer;
	int send_result; /* of vfu_send_command() */
	_Atomic bool hold_send; /* vfu_send_command() waits */
	_Atomic bool is_held;

	uint8_t *reply; /* MAX_REPLY bytes */
	size_t reply_len;

	/* The driver. */
	unsigned int nr_maps, nr_unmaps;
	struct trn_dma_map last_map;
	int map_result;
	bool is_logging;
	unsigned int fail_report_at; /* the how-manieth; 0: none */
	unsigned int nr_reports;
	uint64_t dirty_page; /* its address; what a report says */
	struct trn_span ranges[4];
	size_t nr_ranges;
	uint64_t log_page_size;
	enum trn_mig_state state;
	int read_results[8]; /* what reads give: > 0 at most so many bytes of 0x5a */
	unsigned int nr_reads;
	uint8_t written[64];
	size_t nr_written;
};

void link_open(struct link *l, uint32_t max_data_xfer_size, bool with_twin);
/* In two steps, as the server does: DMA ends, the use ends. */
void link_close(struct link *l);

/* Calls a handler with that payload; the reply is in l->reply. */
int link_call(struct link *l, vfu_handler handler, uint16_t command, const void *payload, size_t len, int *fds, size_t nr_fds);
int link_map(struct link *l, uint64_t iova, uint64_t len, uint32_t flags, int fd, uint64_t offset); /* fd stays the caller's */
int link_unmap(struct link *l, uint64_t iova, uint64_t len);
int link_unmap_all(struct link *l);

/* A request of the driver. */
struct asked {
	struct trn_dma_request req;
	_Atomic unsigned int nr_done;
	_Atomic int result;
};

int link_ask(struct link *l, struct asked *a, uint64_t iova, void *buf, size_t len, bool is_write);
void asked_wait(struct asked *a); /* 10 s, until done */

/* What a client gets: a command of the server, with the data of a DMA_WRITE. */
struct got {
	struct vfu_header header;
	struct vfu_dma_access access;
	uint8_t data[MIB];
};

/* Receives one on that socket; false: there is none within the time. */
bool got_receive(struct got *g, int fd, int timeout_ms);
/* The reply as the connection's thread finds it. */
int link_reply(struct link *l, const struct vfu_header *command, const void *payload, size_t len, uint32_t flags, uint32_t error);
/* The right reply: to a DMA_READ with bytes of that value. */
int link_answer(struct link *l, const struct got *g, uint8_t value);

#endif

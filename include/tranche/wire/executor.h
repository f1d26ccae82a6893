/* SPDX-License-Identifier: MIT */
/*
 * Between the device process and the executor of one session, on a SOCK_SEQPACKET socket pair that the executor finds
 * as descriptor 3.  Framing and refusals are those of compute.h (struct trnc_msg).  The device process passes the
 * client's CONTEXT_*, EVENT_BLOCK_ADD, OUTPUT_SET and PROGRAM_* messages on with their ids, after it has checked them,
 * and the executor's replies back.  The messages below are its own.
 *
 * The executor is hostile territory once it has run a kernel: the device process believes nothing that comes from it
 * after EXEC_READY, and each session's table of segments, charges and contexts is the device process's own.
 */
#ifndef TRANCHE_WIRE_EXECUTOR_H
#define TRANCHE_WIRE_EXECUTOR_H

#include "tranche/wire/compute.h"

#define TRNC_EXEC_FD 3
#define TRNC_EXEC_HIDDEN "TRANCHE_HIDDEN" /* in its environment: a folder that it must not read, but for its own part of it */
/* In its environment, with any value, if it is to serve a guest: tranche-parent goes by it, since it believes nothing that the
 * executor says later.  SETUP's flag without it is served without the compile broker; without the flag it is refused. */
#define TRNC_EXEC_GUEST "TRANCHE_GUEST"
#define TRNC_EXEC_BROKER_FD 4 /* stream socket to the compile broker (parent.h); closed when there is none */

enum trnc_exec_type {
	TRNC_EXEC_SETUP = 64, /* first message but for PREPARE; the reply is READY's body with the probe blob's descriptor, or a refusal */
	TRNC_EXEC_SEGMENT_MAP = 65, /* with the segment's descriptor; no reply (id 0) */
	/* Before SETUP, or not at all: to make everything ready that does not depend on the client.  No reply (id 0): SETUP's
	 * tells what became of it.  SETUP then names the same device and flags. */
	TRNC_EXEC_PREPARE = 67,
	TRNC_EXEC_SEGMENT_UNMAP = 66, /* struct trnc_segment_destroy; reply (no body) when nothing maps it any more */
};

struct trnc_exec_setup {
	__u32 host_device; /* index over all devices of all platforms that the host's OpenCL lists */
	__u32 flags;	   /* TRNC_EXEC_FLAG_* */
	__u64 window_base; /* where to put the window; 0: anywhere */
	__u64 window_size;
	__u64 heap_limit; /* bytes of private memory that the executor may have beside segments; 0: no limit */
	/*
	 * TRNC_EXEC_FLAG_GUEST: the message brings two descriptors, of the device's aperture and of an eventfd.  The window is
	 * window_size bytes of the aperture at window_offset, mapped at once; so is the shared window, if shared_size is not 0;
	 * then the aperture's descriptor is closed, before any code of a client runs.  SEGMENT_MAP brings none then.
	 * To the eventfd the executor adds 1 to have the guest's kernel woken (TRNC_KERNEL_WAKING).
	 */
	__u64 window_offset;
	__u64 shared_offset;
	__u64 shared_size;
	char cwd[1024];
};
#define TRNC_EXEC_FLAG_NOT_COHERENT (1u << 0) /* behave as on a host whose buffers are not used in place (tests) */
#define TRNC_EXEC_FLAG_NO_QUICK (1u << 1)     /* one host device only, no routing of short kernels */
/* For a guest: the window lies in the aperture, paths are not the host's, and no file of the host may be read but those that
 * its OpenCL needs. */
#define TRNC_EXEC_FLAG_GUEST (1u << 2)
TRNC_ASSERT_SIZE(trnc_exec_setup, 1080);

struct trnc_exec_prepare {
	__u32 host_device; /* as in SETUP */
	__u32 flags;
};
TRNC_ASSERT_SIZE(trnc_exec_prepare, 8);

struct trnc_exec_ready {
	__u64 flags; /* TRNC_SESSION_* */
	__u64 probe_len;
};
TRNC_ASSERT_SIZE(trnc_exec_ready, 16);

struct trnc_exec_segment_map {
	__u64 offset;
	__u64 size;
	__u64 control_seq; /* 1 for the session's first, then 2, 3 ... */
	__u32 kind;
	__u32 reserved;
};
TRNC_ASSERT_SIZE(trnc_exec_segment_map, 32);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Between tranche-parent, which holds what the devices of one host OpenCL driver share, and those that it serves:
 *
 *  - the device process, on a SOCK_SEQPACKET socket that tranche-parent finds as descriptor 3: starts executors;
 *  - each executor, on a stream socket that it finds as descriptor TRNC_EXEC_BROKER_FD: asks for compiled programs.
 *
 * A device process is trusted as the user that runs it; an executor is hostile once it has run a kernel.  What a broker
 * gives out depends on nothing but the request: its key is computed from the request's own bytes, the files that it
 * includes and the compiler, so that who lies in a request gets the answer to the lie.
 */
#ifndef TRANCHE_WIRE_PARENT_H
#define TRANCHE_WIRE_PARENT_H

#include "tranche/wire/executor.h"

#define TRNC_PARENT_FD 3

enum trnc_parent_type {
	/* Device to parent: struct trnc_parent_start, then nr_env strings, each with its NUL; two descriptors: the
	 * executor's end of the socket of executor.h, and the session's folder (O_DIRECTORY).  The reply is a struct
	 * trnc_parent_started with a pidfd, or a refusal.  The executor is the caller's child, as if it had forked. */
	TRNC_PARENT_START = 96,

	/* Parent to device, id 0, whenever it has changed: struct trnc_parent_counts.  No reply. */
	TRNC_PARENT_COUNTS = 97,

	/* Executor to broker, framed as below. */
	TRNC_BROKER_COMPILE = 112,
	TRNC_BROKER_USED = 113, /* no reply */
};

struct trnc_parent_start {
	__u32 nr_env;	/* the whole environment of the executor */
	__u32 env_len;	/* bytes of it */
};
struct trnc_parent_started {
	__s32 pid;
	__u32 reserved;
};
TRNC_ASSERT_SIZE(trnc_parent_start, 8);
TRNC_ASSERT_SIZE(trnc_parent_started, 8);

struct trnc_parent_counts {
	__u64 compiled; /* programs that a helper was started for */
	__u64 stored;	/* programs that were there already */
	__u64 cpu_ns;	/* of all that was compiled */
};
TRNC_ASSERT_SIZE(trnc_parent_counts, 24);

/*
 * On the stream: struct trnc_msg whose len counts all of the message, up to TRNC_MAX_BLOB.  A COMPILE's body is a build
 * request as PROGRAM_BUILD carries it (compute.h), preceded by this.  Several requests may be under way; replies come as
 * they are ready, each with its request's id.
 */
struct trnc_broker_compile {
	__u32 device;	   /* TRNC_BROKER_* */
	__u32 nr_variants; /* of struct trnc_broker_variant, before the request: work-group functions to make, too */
	__u32 host_device; /* as in struct trnc_exec_setup */
	__u32 identity;	   /* of the device that the executor has under that number; 0: it does not say */
};
#define TRNC_BROKER_MAIN 0u  /* the host device itself */
#define TRNC_BROKER_QUICK 1u /* its twin that runs kernels on the calling thread */

/* A work-group function that a program used: the host's driver compiles one for each. */
struct trnc_broker_variant {
	__u32 kernel; /* index in the kernel table */
	__u32 flags;  /* TRNC_VARIANT_* */
	__u64 local[3];
};
#define TRNC_VARIANT_OFFSET (1u << 0) /* with a global offset */
#define TRNC_VARIANT_LARGE (1u << 1)  /* a large grid, as the host's driver counts */
#define TRNC_BROKER_MAX_VARIANTS 256u

/* Which work-group functions a program used that the reply to COMPILE did not bring: they are made for the next time. */
struct trnc_broker_used {
	__u64 compile; /* id of the COMPILE; one of the last TRNC_BROKER_REMEMBERED */
	__u32 nr_variants; /* of struct trnc_broker_variant, after this */
	__u32 reserved;
};
#define TRNC_BROKER_REMEMBERED 256u

/*
 * The reply: status 0, this body, nr_files of struct trnc_broker_file, then the build's reply blob (compute.h).  With
 * each of the struct trnc_broker_file comes the descriptor of a read-only file, in order, at most 64 a packet of the
 * stream; the executor copies them to the same names below its own cache folder.
 */
struct trnc_broker_reply {
	__u32 nr_files;
	__u32 blob_len;
	__u32 flags; /* TRNC_BROKER_REPLY_* */
	__u32 reserved;
	char program[64]; /* the program's folder below the cache folder; empty: the host's driver keeps none */
};
/* Nothing but the request decides what comes of it, no other file: the blob is what the host's own build will say. */
#define TRNC_BROKER_REPLY_FINAL (1u << 0)
#define TRNC_BROKER_REPLY_STORED (1u << 1) /* nothing was compiled for it */
struct trnc_broker_file {
	__u64 size;
	char name[248]; /* relative, no ".." */
};
TRNC_ASSERT_SIZE(trnc_broker_compile, 16);
TRNC_ASSERT_SIZE(trnc_broker_used, 16);
TRNC_ASSERT_SIZE(trnc_broker_variant, 32);
TRNC_ASSERT_SIZE(trnc_broker_reply, 80);
TRNC_ASSERT_SIZE(trnc_broker_file, 256);

#endif

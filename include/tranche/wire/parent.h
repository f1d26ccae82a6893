/* SPDX-License-Identifier: MIT */
/*
 * Between tranche-parent, which holds what the devices of one host OpenCL driver share, and those that it serves:
 *
 *  - the device process, on a SOCK_SEQPACKET socket: starts executors.  Either tranche-parent was started by it and finds
 *    the socket as descriptor 3, or it listens (--listen) and serves all device processes of one parent, which JOIN first;
 *  - tranched, on that listening socket, which says MANAGE first: sets schedules, reads accounts;
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

	/* ---- one that listens (--listen).  Who connects has the same user, or is root. ---- */

	/* Device to parent, before all else: struct trnc_parent_join; reply: struct trnc_parent_joined, with the descriptor of the
	 * probe record if there is one yet (PROBE), or a refusal: EUSERS (more memory or time than is left), EEXIST (the UUID has
	 * joined already).  The device is a member until its connection closes; its executors end then. */
	TRNC_PARENT_JOIN = 98,
	/* Parent to device, id of the START: struct trnc_parent_ended.  Its executor has ended and was reaped, and with it all of
	 * its process group.  (Executors are children of a tranche-parent that listens, not of the device process.) */
	TRNC_PARENT_ENDED = 99,
	/* Device to parent: struct trnc_parent_update; reply: no body, or a refusal as of JOIN and nothing was changed. */
	TRNC_PARENT_UPDATE = 100,
	/* Device to parent, with one descriptor, sealed: the host device's record (executor.h), learned before any program's code
	 * ran: it is kept for those who join later.  Body: struct trnc_parent_probe.  No reply, id 0. */
	TRNC_PARENT_PROBE = 101,

	/* Manager to parent, before all else: no body; reply: struct trnc_parent_info. */
	TRNC_PARENT_MANAGE = 102,
	TRNC_PARENT_SCHEDULE = 103, /* struct trnc_parent_schedule; reply: struct trnc_parent_info.  EINVAL: nothing was changed */
	/* No body; reply: struct trnc_parent_accounts, then nr of struct trnc_parent_account; may be longer than TRNC_MSG_MAX, up to
	 * TRNC_PARENT_MAX_DEVICES accounts. */
	TRNC_PARENT_ACCOUNTS = 104,
	TRNC_PARENT_QUIT = 105, /* no body; reply: no body, and it ends; EBUSY while a device has joined */

	/* Executor to broker, framed as below. */
	TRNC_BROKER_COMPILE = 112,
	TRNC_BROKER_USED = 113, /* no reply */
	TRNC_BROKER_GATE = 114, /* no body, no reply: look at my gate (gate.h) */
};

#define TRNC_PARENT_MAX_DEVICES 1024u

/* TRNC_PARENT_JOIN */
struct trnc_parent_join {
	__u8 uuid[16];
	__u64 memory; /* bytes of the quota; 0: none, nothing is counted */
	__u32 time;   /* thousandths of the host device's time that it was promised; 0: none */
	__u32 version; /* TRNC_VERSION */
};
TRNC_ASSERT_SIZE(trnc_parent_join, 32);

struct trnc_parent_joined {
	__u64 probe_len;   /* 0: no record yet */
	__u64 probe_flags; /* TRNC_SESSION_*, as in struct trnc_exec_ready */
};
TRNC_ASSERT_SIZE(trnc_parent_joined, 16);

struct trnc_parent_probe {
	__u64 len;
	__u64 flags;
};
TRNC_ASSERT_SIZE(trnc_parent_probe, 16);

struct trnc_parent_update {
	__u64 memory;
	__u32 time;
	__u32 reserved;
};
TRNC_ASSERT_SIZE(trnc_parent_update, 16);

struct trnc_parent_ended {
	__s32 pid;
	__s32 code;   /* si_code of waitid(2): CLD_EXITED, CLD_KILLED, CLD_DUMPED */
	__s32 status; /* si_status */
	__u32 reserved;
	__u64 cpu_ns; /* of it and of the children that it had waited for */
};
TRNC_ASSERT_SIZE(trnc_parent_ended, 24);

/* Who gets the host device when several want it. */
enum trnc_parent_policy {
	TRNC_POLICY_BEST_EFFORT = 0, /* nobody is held back: the host's own scheduler decides */
	TRNC_POLICY_EQUAL = 1,	     /* devices that want it take turns; nobody waits for one that does not */
	TRNC_POLICY_FIXED = 2,	     /* each has its promised time and no more, also when others want nothing.  Devices without a
				      * promise share, in equal parts, what is promised to nobody */
};

struct trnc_parent_schedule {
	__u32 policy;
	__u32 slice_us; /* 500 to 100000; 0: as it is (5000 at first) */
};
TRNC_ASSERT_SIZE(trnc_parent_schedule, 8);

struct trnc_parent_info {
	__u32 policy;
	__u32 slice_us;
	__s32 pid;
	__u32 nr_devices, nr_executors;
	__u32 time_joined;	    /* thousandths promised to those who have joined */
	__u64 memory, memory_joined; /* capacity (--memory; 0: none), and quotas of those who have joined */
	__u64 compiled, stored;
};
TRNC_ASSERT_SIZE(trnc_parent_info, 56);

struct trnc_parent_accounts {
	__u32 nr;
	__u32 reserved;
	__u64 now_ns; /* CLOCK_MONOTONIC, when this was read */
	__u64 busy_ns; /* of the host device's time, since it started: of these and of those that have left */
};
TRNC_ASSERT_SIZE(trnc_parent_accounts, 24);

/* Of one device that has joined; all since it joined. */
struct trnc_parent_account {
	__u8 uuid[16];
	__u64 busy_ns;	/* of the host device's time: CPU time of its executors and their children, divided by the processors */
	__u64 wait_ns;	/* it wanted the host device and somebody else had it */
	__u64 cpu_ns;	/* CPU time of its executors and their children */
	__u64 slices;	/* turns that it got */
	__u64 stops;	/* its executors were stopped for running without a turn, or for longer than it */
	__u64 longest_wait_ns;
	__u64 memory_behind; /* bytes, private memory of its executors and their children now */
	__u32 executors;
	__u32 time;	/* thousandths promised */
	__u32 flags;	/* TRNC_ACCOUNT_* */
	__u32 reserved;
};
TRNC_ASSERT_SIZE(trnc_parent_account, 88);
#define TRNC_ACCOUNT_WANTS (1u << 0)
#define TRNC_ACCOUNT_RUNS (1u << 1)   /* has the token now, or nobody is held back */
#define TRNC_ACCOUNT_STOPPED (1u << 2)

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

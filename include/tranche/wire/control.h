/* SPDX-License-Identifier: MIT */
/*
 * Between tranched and the process of one device, on a SOCK_SEQPACKET socket that the device process listens at
 * (--control-socket); framing and refusals are those of compute.h (struct trnc_msg).  Several may be connected at the same
 * time; the socket's folder is private, so whoever connects is trusted.
 *
 * A device that was started with --unconfirmed belongs to nobody until CONFIRM: it ends when the connection that said
 * HELLO first closes before that, and when nobody has said HELLO within TRNC_CONTROL_HELLO_MS.  So a daemon that dies in the
 * middle of a start leaves nothing behind, and one that has confirmed may come and go.
 */
#ifndef TRANCHE_WIRE_CONTROL_H
#define TRANCHE_WIRE_CONTROL_H

#include "tranche/wire/compute.h"

#define TRNC_CONTROL_HELLO_MS 10000u

enum trnc_control_type {
	TRNC_CONTROL_HELLO = 128,   /* no body; reply: struct trnc_control_hello */
	TRNC_CONTROL_CONFIRM = 129, /* no body; reply: no body.  Twice is harmless */
	TRNC_CONTROL_STATS = 130,   /* no body; reply: struct trnc_control_stats */
	/* Both with struct trnc_control_leave.  HOLD is answered when nobody uses the device, and from then on nobody can begin
	 * to: until RELEASE, or until its connection closes.  STOP is answered when the device is gone, the process then ends.
	 * Refused: EBUSY (in use, and policy REFUSE), ETIMEDOUT, ECANCELED, EALREADY (another one is under way). */
	TRNC_CONTROL_HOLD = 131,
	TRNC_CONTROL_RELEASE = 132, /* no body; reply: no body */
	TRNC_CONTROL_STOP = 133,
	TRNC_CONTROL_CANCEL = 134,  /* struct trnc_control_cancel: that HOLD or STOP is to be refused with ECANCELED; no reply */
	TRNC_CONTROL_SET = 135,	    /* struct trnc_control_set; reply: no body, or a refusal and nothing was changed */
	TRNC_CONTROL_HOLDERS = 136, /* no body; reply: struct trnc_control_holders */
	TRNC_CONTROL_CHANGED = 137, /* device to the others, id 0, no reply: the number of uses is another one; struct trnc_control_stats */
};

struct trnc_control_hello {
	__u8 uuid[16];
	__u8 boot_id[16];   /* /proc/sys/kernel/random/boot_id, as the device process found it when it started */
	__u64 start_ticks;  /* field 22 of its /proc/PID/stat */
	__u64 started_ns;   /* CLOCK_BOOTTIME */
	__u64 memory;	    /* quota in bytes; 0: none, or as much as the host's device has and not known yet */
	__u32 time;	    /* thousandths of the parent's time that it was promised; 0: none */
	__s32 pid;
	__u32 flags;	    /* TRNC_CONTROL_FLAG_* */
	__u32 reserved;
	char version[32];
};
TRNC_ASSERT_SIZE(trnc_control_hello, 104);
#define TRNC_CONTROL_FLAG_CONFIRMED (1u << 0)
#define TRNC_CONTROL_FLAG_HELD (1u << 1)     /* HOLD */
#define TRNC_CONTROL_FLAG_STOPPING (1u << 2) /* STOP is under way */

struct trnc_control_leave {
	__u32 policy;	  /* TRNC_CONTROL_* below */
	__s32 timeout_ms; /* ASK: how long to wait; 0: ask once; < 0: no limit */
};
TRNC_ASSERT_SIZE(trnc_control_leave, 8);
#define TRNC_CONTROL_REFUSE 0u
#define TRNC_CONTROL_ASK 1u   /* nobody new comes in; users are told, if the device has a way to; wait for them */
#define TRNC_CONTROL_FORCE 2u /* end what uses it */

struct trnc_control_cancel {
	__u64 id;
};
TRNC_ASSERT_SIZE(trnc_control_cancel, 8);

struct trnc_control_set {
	__u64 memory; /* bytes; 0: as it is.  Less than what is in use: EBUSY */
	__u32 time;   /* thousandths; TRNC_CONTROL_TIME_KEEP: as it is */
	__u32 reserved;
};
TRNC_ASSERT_SIZE(trnc_control_set, 16);
#define TRNC_CONTROL_TIME_KEEP 0xffffffffu

/* Who uses the device: nr strings, each with its NUL, follow ("process 4711", "VM web1"); cut to what fits into a message. */
struct trnc_control_holders {
	__u32 nr;    /* that follow */
	__u32 total; /* that there are */
};
TRNC_ASSERT_SIZE(trnc_control_holders, 8);

struct trnc_control_stats {
	__u64 uptime_ns;
	__u64 sessions_now, sessions; /* uses: programs, or virtual machines; now, and so far */
	__u64 quota;	      /* bytes; 0: not known yet, or the device has none */
	__u64 used, peak;     /* bytes of buffers: now, and at most */
	__u64 granted;	      /* bytes, all grants added up */
	__u64 refused;	      /* grants that the quota did not allow */
	__u64 behind;	      /* bytes that executors have beside buffers, as measured from outside */
	__u64 executors_now, executors_lost;
	__u64 commands;	      /* as the executors counted them; of a PCI device: accesses of its regions */
	__u64 compiled, stored;
	__u64 cpu_ns;	      /* of executors that have ended, and of compilers */
	__u64 traps;	      /* accesses of registers by a guest; 0: the device has none, or does not count them */
	__u64 doorbells;      /* of these: to tell the device of work */
	__u64 interrupts;     /* fired for a guest */
	__u64 reserved[1];
};
TRNC_ASSERT_SIZE(trnc_control_stats, 152);

#endif

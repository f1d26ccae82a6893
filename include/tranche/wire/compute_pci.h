/* SPDX-License-Identifier: MIT */
/*
 * The PCI face of a virtual compute device: registers, aperture, and what a guest's driver says that a program in
 * process mode does not.  Messages, channels and records are those of compute.h.  docs/wire.md is the specification;
 * this header is its exact form in C.
 *
 * BAR0: registers and the MSI-X table; each access traps.  BAR2: the aperture, memory that the guest maps write-back:
 * the control area, the shared window, then the sessions' windows.  All memory that the device touches is in it.
 */
#ifndef TRANCHE_WIRE_COMPUTE_PCI_H
#define TRANCHE_WIRE_COMPUTE_PCI_H

#include "tranche/wire/compute.h"

/* Of the range set aside for experiments: a driver looks at the subsystem and the vendor capability, too. */
#define TRNC_PCI_VENDOR 0x1af4
#define TRNC_PCI_DEVICE 0x10f5
#define TRNC_PCI_SUBSYSTEM_VENDOR 0x1af4
#define TRNC_PCI_SUBSYSTEM 0x5452
#define TRNC_PCI_CLASS 0x120000 /* processing accelerator */

#define TRNC_PCI_BAR_REGS 0
#define TRNC_PCI_BAR_APERTURE 2
#define TRNC_PCI_REGS_SIZE 0x4000u /* of BAR0 */
#define TRNC_PCI_MSIX_TABLE 0x2000u
#define TRNC_PCI_MSIX_PBA 0x3000u
#define TRNC_PCI_MAX_VECTORS 64u

/* The vendor-specific capability (id 9) in configuration space, from its first byte. */
struct trnc_pci_cap {
	__u8 id;
	__u8 next;
	__u8 len; /* sizeof(struct trnc_pci_cap) */
	__u8 reserved;
	__le32 magic;	       /* TRNC_MAGIC */
	__le32 version;	       /* TRNC_PCI_VERSION ... */
	__le32 version_oldest; /* ... of the host */
	__u8 luid[16];	       /* names the instance of the device: another one after each start of its process */
};
TRNC_ASSERT_SIZE(trnc_pci_cap, 32);

/* Versions of registers, aperture, messages, channels and records together, when they come by PCI. */
#define TRNC_PCI_VERSION 1u
#define TRNC_PCI_VERSION_OLDEST 1u

/* ---------------------------------------------------------------- registers */

/* All of 4 bytes, little-endian, accessed as 4 bytes.  64-bit values: low half first.  A device that is gone reads as ones. */
#define TRNC_REG_MAGIC 0x000u	       /* ro: TRNC_MAGIC */
#define TRNC_REG_VERSION 0x004u	       /* ro */
#define TRNC_REG_VERSION_OLDEST 0x008u /* ro */
#define TRNC_REG_STATUS 0x00cu	       /* ro: TRNC_STATUS_* */
#define TRNC_REG_FEATURES 0x010u       /* ro, 64: TRNC_FEATURE_* */
#define TRNC_REG_NONCE 0x018u	       /* ro, 64: random for each start of the device's process; not 0 */
#define TRNC_REG_GENERATION 0x020u     /* ro: counts the resets: contexts of an earlier one are gone */
#define TRNC_REG_NR_SESSIONS 0x024u    /* ro: slots for sessions, 1..64 */
#define TRNC_REG_UUID 0x028u	       /* ro, 16 bytes as in trnc_hello_reply */
#define TRNC_REG_CONTROL_SIZE 0x038u   /* ro: bytes of the control area, at 0 of the aperture */
#define TRNC_REG_PROBE_OFFSET 0x040u   /* ro: of the probe blob, in the control area */
#define TRNC_REG_PROBE_LEN 0x044u      /* ro: 0: not known before the first session */
#define TRNC_REG_SHARED_OFFSET 0x048u  /* ro, 64: of the shared window, in the aperture */
#define TRNC_REG_SHARED_SIZE 0x050u    /* ro, 64: 0: there is none */
#define TRNC_REG_WINDOWS_OFFSET 0x058u /* ro, 64: sessions' windows lie from here to the aperture's end */
#define TRNC_REG_WINDOW_SIZE 0x060u    /* ro, 64: bytes that a window should have; it may have less */
#define TRNC_REG_WINDOW_ALIGN 0x068u   /* ro: of their offsets and sizes; a power of two */
#define TRNC_REG_QUOTA 0x070u	       /* ro, 64: bytes of buffer memory; may change (TRNC_STATUS_CHANGED) */
#define TRNC_REG_SERVICE 0x078u	       /* ro, 64: bytes of service memory a session */

#define TRNC_REG_DRIVER_VERSION 0x100u	/* rw: picked by the driver before START; reads as 0 when it cannot be */
#define TRNC_REG_DRIVER_FEATURES 0x104u /* rw, 64: a subset of FEATURES */
#define TRNC_REG_COMMAND 0x10cu		/* wo: TRNC_COMMAND_* */
#define TRNC_REG_DOORBELL_CONTROL 0x110u /* wo, any value: requests were added, or replies were read */
#define TRNC_REG_DOORBELL_CHANNEL 0x114u /* wo: session << 8 | context, whose host_asleep was taken back; context 0: that of its text */

#define TRNC_STATUS_READY (1u << 0)   /* the aperture is clean: START may come */
#define TRNC_STATUS_RUNNING (1u << 1) /* started: rings are read */
#define TRNC_STATUS_FAILED (1u << 2)  /* the driver broke a rule of the rings; only a reset helps */
#define TRNC_STATUS_LEAVE (1u << 3)   /* the host asks the guest to end its sessions and let go of the device */
#define TRNC_STATUS_CHANGED (1u << 4) /* QUOTA has changed; cleared when STATUS is read */

#define TRNC_COMMAND_START 1u /* READY, versions and features are picked, the control area is zero */
#define TRNC_COMMAND_RESET 2u /* as a function-level reset, but for configuration space: ends all, READY is gone until it is clean */

/* ------------------------------------------------------------- control area */

/*
 * Two rings of slots of a fixed size, for requests and for replies.  Positions count slots since START and never wrap in 64 bits;
 * position p is slot p % TRNC_CONTROL_SLOTS.  The writer of a ring moves its producer, the reader its consumer.
 */
#define TRNC_CONTROL_GUEST 0x0000u   /* struct trnc_control_guest, written by the guest */
#define TRNC_CONTROL_HOST 0x1000u    /* struct trnc_control_host, written by the host */
#define TRNC_CONTROL_PENDING 0x2000u /* struct trnc_control_pending, by vector; bits set by the host, taken by the guest */
#define TRNC_CONTROL_REQUESTS 0x10000u
#define TRNC_CONTROL_REPLIES 0x20000u
#define TRNC_CONTROL_SLOTS 32u
#define TRNC_CONTROL_SLOT_SIZE 2048u
#define TRNC_CONTROL_MIN 0x30000u /* the least CONTROL_SIZE, without the probe blob */

struct trnc_control_guest {
	__le64 request_producer;
	__le64 reserved0[7];
	__le64 reply_consumer;
	__le64 reserved1[7];
};
TRNC_ASSERT_SIZE(trnc_control_guest, 128);

struct trnc_control_host {
	__le64 request_consumer;
	__le64 reserved0[7];
	__le64 reply_producer;
	__le64 reserved1[7];
};
TRNC_ASSERT_SIZE(trnc_control_host, 128);

/*
 * Before vector v is fired the host sets, in word v, the bit (session - 1) of each session whose sleepers have news; the guest
 * takes the whole word (exchange with 0) in its handler.  Vector 0 also tells of replies, and of STATUS.
 */
struct trnc_control_pending {
	__le64 sessions;
	__le64 reserved[7];
};
TRNC_ASSERT_SIZE(trnc_control_pending, 64);

struct trnc_control_slot {
	__le32 session; /* 1..NR_SESSIONS, chosen by the driver in SESSION_OPEN; 0: the device itself */
	__le32 reserved;
	struct trnc_msg msg; /* len counts msg and what follows it; ids are unique among all open requests of the driver */
	__u8 body[TRNC_CONTROL_SLOT_SIZE - 8 - sizeof(struct trnc_msg)];
};
TRNC_ASSERT_SIZE(trnc_control_slot, TRNC_CONTROL_SLOT_SIZE);

/* What a guest's driver says instead of HELLO and SESSION_CREATE, and about the shared window. */
enum trnc_pci_msg_type {
	TRNC_MSG_SESSION_OPEN = 32,   /* of a session; the reply is a struct trnc_session_reply, probe_len as in the register */
	TRNC_MSG_SESSION_CLOSE = 33,  /* of a session, lost or not; reply when its window is clean and may be used again */
	TRNC_MSG_SHARED_CREATE = 34,  /* session 0; struct trnc_shared_range; charged to the quota; reply: struct trnc_segment_reply */
	TRNC_MSG_SHARED_DESTROY = 35, /* session 0; no session has it any more; reply when it is clean */
	TRNC_MSG_SHARED_ATTACH = 36,  /* of a session with TRNC_FEATURE_SHARING: it may be used as a buffer segment at
				       * TRNC_SHARED_WINDOW + offset; reply: struct trnc_segment_reply */
	TRNC_MSG_SHARED_DETACH = 37,  /* struct trnc_segment_destroy with such an offset; reply: struct trnc_segment_reply */
};

/* The session's executor maps the shared window, in which every such session can read and write everything. */
#define TRNC_FEATURE_SHARING (1ull << 1)

struct trnc_session_open {
	__le64 features;    /* of the session: a subset of those that the driver picked */
	__le64 window;	    /* offset in the aperture, and size; overlaps no other session's */
	__le64 window_size;
	__le64 window_base; /* address in the program, for TRNC_FEATURE_SVM; else 0 */
	__le32 vector;	    /* fired for its sleepers: below the number that the guest has enabled */
	__le32 reserved;
	char cwd[1024];	    /* NUL-terminated; may be empty: paths are the guest's and mean nothing on the host */
};
TRNC_ASSERT_SIZE(trnc_session_open, 1064);

struct trnc_shared_range {
	__le64 offset; /* in the shared window; page-aligned */
	__le64 size;
};
TRNC_ASSERT_SIZE(trnc_shared_range, 16);

#endif

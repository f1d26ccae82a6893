/* SPDX-License-Identifier: MIT */
/*
 * The wire of a virtual compute device: every byte that crosses between a client (an OpenCL driver in a process, or a
 * guest's kernel driver), the device process and the executor.  docs/wire.md is the specification; this header is its
 * exact form in C.
 *
 * All integers are little-endian, all structs have a fixed size and no hidden padding.  Reserved fields and unknown
 * flag bits are zero; a receiver refuses what is not.  Offsets are bytes from the start of the session's window.
 * Status values are OpenCL's own error codes where a field says "cl".
 */
#ifndef TRANCHE_WIRE_COMPUTE_H
#define TRANCHE_WIRE_COMPUTE_H

#include <linux/types.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the wire structs are used in place: a big-endian port needs conversions"
#endif

#ifdef __cplusplus
#define TRNC_ASSERT_SIZE(type, bytes) static_assert(sizeof(struct type) == (bytes), #type " has its wire size")
#else
#define TRNC_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type " has its wire size")
#endif

#define TRNC_MAGIC 0x434e5254u /* "TRNC" */
#define TRNC_VERSION 1u
#define TRNC_VERSION_OLDEST 1u

#define TRNC_PAGE 4096u

/*
 * Offsets from here on lie in the device's shared window, which several sessions may have (only in a VM; compute_pci.h):
 * offset TRNC_SHARED_WINDOW + n is its byte n.  No session's own window is that large.
 */
#define TRNC_SHARED_WINDOW 0x400000000000ull

/* Feature bits, offered by the device in HELLO and picked by the client in SESSION_CREATE. */
#define TRNC_FEATURE_SVM (1ull << 0) /* the window can stand at the client's address on the host, too */

/* Where a client that picks TRNC_FEATURE_SVM puts its window, if it can: free in nearly every process of 47 bits, between
 * programs linked to a fixed place and those that are not, far below libraries and stacks. */
#define TRNC_WINDOW_FROM 0x180000000000ull
#define TRNC_WINDOW_TO 0x500000000000ull

/* ------------------------------------------------------------------ limits */

#define TRNC_MSG_MAX 4096u	     /* bytes of one control message */
#define TRNC_REC_MAX 65536u	     /* bytes of one record */
#define TRNC_RING_MIN 16384u	     /* bytes of a ring: a power of two in [MIN, MAX] and at least 2 * largest record sent */
#define TRNC_RING_MAX (16u << 20)
#define TRNC_MAX_CONTEXTS 64u	     /* a session */
#define TRNC_MAX_SEGMENTS 65536u     /* a session */
#define TRNC_MAX_OBJECTS (1u << 20)  /* handles of each kind, a context */
#define TRNC_EVENT_BLOCK_SLOTS 4096u /* slots of one event block */
#define TRNC_MAX_EVENT_BLOCKS 256u   /* a context */
#define TRNC_MAX_PENDING (1u << 20)  /* commands a context that are not complete; more are refused */
#define TRNC_MAX_WAITS 4096u	     /* events in one wait list */
#define TRNC_MAX_BLOB (256u << 20)   /* bytes of one request or reply blob */

/* ---------------------------------------------------------------- handles */

/*
 * A handle is chosen by the client: { generation << 32 | index }, generation not 0, index below the limit of its kind.
 * An index may be used again, with another generation, after its destroy record.  0 means "none".
 */
#define TRNC_HANDLE(index, generation) (((__u64)(generation) << 32) | (__u32)(index))

/* -------------------------------------------------------- control messages */

/*
 * Client to device, each answered by one reply with the same id, not always in the order of the requests.
 * In process mode a message is one packet of a SOCK_SEQPACKET Unix socket.
 */
enum trnc_msg_type {
	TRNC_MSG_HELLO = 1,
	TRNC_MSG_SESSION_CREATE = 2,
	TRNC_MSG_SEGMENT_CREATE = 3,  /* reply carries the segment's descriptor */
	TRNC_MSG_SEGMENT_DESTROY = 4, /* reply when the memory is free again */
	TRNC_MSG_CONTEXT_CREATE = 5,
	TRNC_MSG_CONTEXT_DESTROY = 6, /* reply when nothing of the context is left */
	TRNC_MSG_EVENT_BLOCK_ADD = 7,
	TRNC_MSG_OUTPUT_SET = 8,
	TRNC_MSG_PROGRAM_BUILD = 9,
	TRNC_MSG_PROGRAM_QUERY = 10,
	TRNC_MSG_MEMORY_QUERY = 11,
	TRNC_MSG_SESSION_LOST = 12, /* device to client, id 0, then the connection ends: struct trnc_error_body */
	/* 32 and up: only of a guest's driver (compute_pci.h) */
};
#define TRNC_MSG_REPLY 0x80000000u /* or'ed to the type of a reply */

struct trnc_msg {
	__le32 type;
	__le32 len;    /* of the whole message, header included; a multiple of 8 */
	__le64 id;     /* chosen by the client, echoed in the reply; not 0 */
	__le32 status; /* request: 0; reply: 0, or a positive errno, then struct trnc_error_body follows */
	__le32 flags;  /* 0 */
};
TRNC_ASSERT_SIZE(trnc_msg, 24);

/* Body of a refusal. All strings NUL-terminated. */
struct trnc_error_body {
	char name[48];
	char text[240];
	char hint[240];
};
TRNC_ASSERT_SIZE(trnc_error_body, 528);

struct trnc_hello {
	__le32 magic;
	__le32 reserved;
};
struct trnc_hello_reply {
	__le32 magic;
	__le32 version;	      /* newest that the device speaks */
	__le32 version_oldest; /* oldest that it still speaks */
	__le32 reserved;
	__le64 features;
	__u8 uuid[16];	   /* of the virtual device */
	__le64 window_size; /* bytes of a session's window, a multiple of the page size */
};
TRNC_ASSERT_SIZE(trnc_hello, 8);
TRNC_ASSERT_SIZE(trnc_hello_reply, 48);

struct trnc_session_create {
	__le32 version; /* picked by the client */
	__le32 reserved;
	__le64 features;	   /* picked, a subset of those offered */
	__le64 window_base; /* client's address of its window; 0 when it has none; a wish, for SVM */
	char cwd[1024];	   /* working folder, for relative include paths; NUL-terminated; may be empty */
};
/* Reply: the probe blob's descriptor is attached (read-only for the client, sealed). */
struct trnc_session_reply {
	__le64 session; /* not 0; unique for the device's life */
	__le64 quota;   /* bytes of buffer memory of the whole virtual device */
	__le64 service; /* bytes of service memory that the session may take */
	__le64 flags;   /* TRNC_SESSION_* */
	__le64 probe_len;
	__le64 reserved;
};
#define TRNC_SESSION_COHERENT (1ull << 0) /* buffers are used in place: a map is a wait and a pointer */
#define TRNC_SESSION_SVM (1ull << 1)	  /* the window stands at window_base on the host */
TRNC_ASSERT_SIZE(trnc_session_create, 1048);
TRNC_ASSERT_SIZE(trnc_session_reply, 48);

enum trnc_segment_kind {
	TRNC_SEGMENT_BUFFER = 1,  /* charged to the device's quota */
	TRNC_SEGMENT_SERVICE = 2, /* channels, staging, blobs: charged to the session's service memory */
};
struct trnc_segment_create {
	__le64 offset; /* chosen by the client; page-aligned; overlaps no other segment of the session */
	__le64 size;   /* bytes; page-aligned; not 0 */
	__le32 kind;
	__le32 flags; /* 0 */
};
struct trnc_segment_reply {
	__le64 control_seq; /* records that use the segment carry this number or a later one */
	__le64 used;	   /* of the kind's allowance, after the grant */
};
TRNC_ASSERT_SIZE(trnc_segment_create, 24);
TRNC_ASSERT_SIZE(trnc_segment_reply, 16);

struct trnc_segment_destroy {
	__le64 offset;	 /* of an existing segment */
	__le32 context;	 /* 0, or: let go only after this context's ring has been read ... */
	__le32 reserved;
	__le64 after_pos; /* ... up to this producer position (and all objects over the segment are gone) */
};
/* The reply is a struct trnc_segment_reply. */
TRNC_ASSERT_SIZE(trnc_segment_destroy, 24);

struct trnc_context_create {
	__le32 context; /* chosen by the client: 1..TRNC_MAX_CONTEXTS, not in use */
	__le32 flags;   /* 0 */
	__le64 channel; /* offset, page-aligned: three pages, the ring, event block 0; all in one service segment */
	__le32 ring_len;
	__le32 reserved;
	__le64 control_seq; /* the executor must have seen this before it looks at the channel */
};
struct trnc_context_destroy {
	__le32 context;
	__le32 reserved;
};
TRNC_ASSERT_SIZE(trnc_context_create, 32);
TRNC_ASSERT_SIZE(trnc_context_destroy, 8);

struct trnc_event_block_add {
	__le32 context;
	__le32 block;  /* 1..TRNC_MAX_EVENT_BLOCKS - 1, the next unused one */
	__le64 offset; /* page-aligned; TRNC_EVENT_BLOCK_SLOTS slots in one service segment */
	__le64 control_seq;
};
TRNC_ASSERT_SIZE(trnc_event_block_add, 24);

struct trnc_output_set {
	__le64 offset; /* page-aligned: struct trnc_output, then data_len bytes of ring, in one service segment */
	__le32 data_len; /* a power of two, at least a page */
	__le32 reserved;
	__le64 control_seq;
};
TRNC_ASSERT_SIZE(trnc_output_set, 24);

/* Build, compile, link or load a program. Request and reply are blobs in service segments. */
struct trnc_program_build {
	__le32 context;
	__le32 reserved;
	__le64 program; /* handle; created by its first request, afterwards built again */
	__le64 request; /* offset of the request blob */
	__le64 request_len;
	__le64 reply; /* offset where the reply blob is written */
	__le64 reply_cap;
	__le64 control_seq;
};
struct trnc_program_query {
	__le32 context;
	__le32 what; /* TRNC_QUERY_* */
	__le64 program;
	__le64 reply;
	__le64 reply_cap;
	__le64 control_seq;
};
/* len > reply_cap: nothing was written; ask again by PROGRAM_QUERY with more room (a build is not done twice). */
struct trnc_blob_reply {
	__le64 len;
};
enum trnc_query {
	TRNC_QUERY_RESULT = 1, /* the reply blob of the last build again */
	TRNC_QUERY_BINARY = 2, /* one TRNC_TAG_BINARY */
	TRNC_QUERY_IL = 3,
	TRNC_QUERY_LOG = 4, /* one TRNC_TAG_LOG: what the compiler has said so far; does not wait for the build */
};
TRNC_ASSERT_SIZE(trnc_program_build, 56);
TRNC_ASSERT_SIZE(trnc_program_query, 40);
TRNC_ASSERT_SIZE(trnc_blob_reply, 8);

struct trnc_memory_reply {
	__le64 quota;
	__le64 used;	    /* of the quota, by all sessions */
	__le64 session_used; /* by this one */
	__le64 service_used; /* by this one */
};
TRNC_ASSERT_SIZE(trnc_memory_reply, 32);

/* ---------------------------------------------------------------- channel */

/*
 * A context's submission channel: user page, host page, kernel page, ring (ring_len bytes), event block 0.
 * Positions count bytes since the channel was made and never wrap; a record at position p lies at ring[p % ring_len].
 * A record never wraps: what is left at the end is filled with one TRNC_REC_PAD, a bare struct trnc_rec whose len
 * reaches the end exactly.  Eight bytes left at the end have no room for one: both sides skip them unread.
 * A record's len is exact, without padding of its own beyond what its body says.
 */
#define TRNC_CHANNEL_USER 0u
#define TRNC_CHANNEL_HOST 4096u
#define TRNC_CHANNEL_KERNEL 8192u
#define TRNC_CHANNEL_RING 12288u

struct trnc_user_page {
	__le64 producer; /* position after the last record */
	__le32 user_cpu; /* CPU that the producer last ran on */
	__le32 kicks;	 /* in a VM: counted up by user space to end the waits of its own threads */
	__le32 reserved0[12];
	__le32 host_asleep; /* set by the host before it sleeps, cleared by whoever wakes it */
	__le32 reserved1[15];
	__le32 user_asleep; /* set by user space before it sleeps, cleared by the host, which then wakes all; not in a VM */
	__le32 reserved2[15];
};
TRNC_ASSERT_SIZE(trnc_user_page, 192);

struct trnc_host_page {
	__le64 consumer; /* position up to which records were read; their bytes may be written again */
	__le32 host_cpu; /* CPU that the reader last ran on */
	__le32 reserved0[13];
	__le32 lost;	   /* not 0: TRNC_LOST_*; the context is dead, nothing more completes */
	__le32 generation;  /* of the executor that serves the context, from 1 */
	__le64 refused;	   /* records that were refused */
	__s32 last_refusal; /* cl error of the newest one */
	__le32 reserved1;
	__le64 commands;	   /* commands completed */
	__le64 quick;	   /* of them, those that needed no worker of the host */
	__le64 attention;  /* in a VM: counted up for news that are no completion, before the wake-up */
	__le64 clock_ns;	   /* in a VM: CLOCK_MONOTONIC_RAW of the host when it was last written, before the end that it tells of */
	__le32 reserved2[2];
};
TRNC_ASSERT_SIZE(trnc_host_page, 128);

enum trnc_lost {
	TRNC_LOST_EXECUTOR = 1, /* it ended: a crash in a kernel, a kill */
	TRNC_LOST_RECORD = 2,	/* a record header that nobody can read past */
	TRNC_LOST_DEVICE = 3,	/* the device is being stopped */
	TRNC_LOST_LIMIT = 4,	/* memory or watchdog limit */
};

/*
 * Written by a guest's kernel before its threads sleep; process mode has none.  The host wakes it (compute_pci.h) when
 * kernel_asleep is TRNC_KERNEL_ASLEEP and either commands >= wake_at or attention has changed.
 */
struct trnc_kernel_page {
	__le32 kernel_asleep; /* TRNC_KERNEL_*; set by the guest's kernel, taken back by the host */
	__le32 reserved0;
	__le64 wake_at; /* the least count of commands that a sleeper waits for; all ones: none */
	__le32 reserved[12];
};
#define TRNC_KERNEL_AWAKE 0u
#define TRNC_KERNEL_ASLEEP 1u
#define TRNC_KERNEL_WAKING 2u /* by the host: the wake-up is on its way */
TRNC_ASSERT_SIZE(trnc_kernel_page, 64);

/*
 * An event slot, written by the host only. An event handle's index is block * TRNC_EVENT_BLOCK_SLOTS + slot.
 * state and seq are written last, with release order.  A slot that changes its owner gets seq = 0 before state shows
 * the new generation; until then its reader goes by neither.
 */
struct trnc_event_slot {
	__le64 state; /* generation << 32 | (u32)cl execution status: 3 queued .. 0 complete, or a negative cl error */
	__le64 seq;   /* of a queue's slot: every command of the queue with a sequence number <= seq is complete */
	__le64 queued_ns; /* CLOCK_MONOTONIC_RAW of the host */
	__le64 submit_ns;
	__le64 start_ns;
	__le64 end_ns;
	__le64 reserved[2];
};
TRNC_ASSERT_SIZE(trnc_event_slot, 64);

/* Text that kernels and the host's driver wrote to standard output, a ring of bytes; positions as in a channel. */
struct trnc_output {
	__le64 producer; /* host */
	__le64 reserved0[7];
	__le64 consumer; /* user */
	__le64 reserved1[7];
	__le32 host_asleep; /* the host waits for room */
	__le32 reserved2[15];
	__le32 user_asleep; /* the user waits for text */
	__le32 reserved3[15];
	__u8 reserved4[3840];
};
TRNC_ASSERT_SIZE(trnc_output, 4096);

/* ----------------------------------------------------------------- records */

enum trnc_rec_type {
	TRNC_REC_PAD = 1,

	/* objects */
	TRNC_REC_QUEUE_CREATE = 16,
	TRNC_REC_QUEUE_DESTROY = 17,
	TRNC_REC_BUFFER_CREATE = 18,
	TRNC_REC_SUB_BUFFER_CREATE = 19,
	TRNC_REC_BUFFER_DESTROY = 20,
	TRNC_REC_PROGRAM_DESTROY = 21,
	TRNC_REC_KERNEL_CREATE = 22,
	TRNC_REC_KERNEL_CLONE = 23,
	TRNC_REC_KERNEL_DESTROY = 24,
	TRNC_REC_USER_EVENT_CREATE = 25,
	TRNC_REC_USER_EVENT_SET = 26, /* also ends a CLIENT command */
	TRNC_REC_EVENT_RELEASE = 27,
	TRNC_REC_IMAGE_CREATE = 28,
	TRNC_REC_IMAGE_DESTROY = 29,
	TRNC_REC_SAMPLER_CREATE = 30,
	TRNC_REC_SAMPLER_DESTROY = 31,
	TRNC_REC_KERNEL_EXEC_INFO = 32,

	/* commands: struct trnc_cmd first, then the body, then the wait list, then arguments */
	TRNC_REC_NDRANGE = 64,
	TRNC_REC_COPY = 65,
	TRNC_REC_COPY_RECT = 66,
	TRNC_REC_FILL = 67,
	TRNC_REC_WRITE = 68, /* from a service segment into a buffer */
	TRNC_REC_MAP = 69,
	TRNC_REC_UNMAP = 70,
	TRNC_REC_MARKER = 71,
	TRNC_REC_BARRIER = 72,
	TRNC_REC_CLIENT = 73, /* done by the client: its event turns 1 (running) when it may begin */
	TRNC_REC_IMAGE_FETCH = 74, /* from an image into the bytes of its buffer; hosts that are not coherent */
	TRNC_REC_IMAGE_STORE = 75, /* and back */
};

struct trnc_rec {
	__le16 type;
	__le16 flags; /* 0 */
	__le32 len;   /* whole record, a multiple of 8 */
	__le64 control_seq; /* control messages up to this one must have been seen by the host first */
};
TRNC_ASSERT_SIZE(trnc_rec, 16);

struct trnc_rec_queue_create {
	struct trnc_rec rec;
	__le64 queue;
	__le64 event; /* the slot that counts this queue's completions; its status holds the sticky error */
	__le64 properties; /* cl_command_queue_properties; host queues only */
	__le32 first_unit; /* of a sub-device: which of the host device's compute units run its kernels ... */
	__le32 nr_units;	  /* ... and how many; 0, 0: all */
};
struct trnc_rec_object { /* QUEUE_, PROGRAM_, KERNEL_, IMAGE_, SAMPLER_DESTROY, USER_EVENT_CREATE, EVENT_RELEASE */
	struct trnc_rec rec;
	__le64 handle;
};
struct trnc_rec_buffer_create {
	struct trnc_rec rec;
	__le64 buffer;
	__le64 flags;  /* cl_mem_flags: access bits only */
	__le64 offset; /* in one buffer segment */
	__le64 size;
};
struct trnc_rec_sub_buffer_create {
	struct trnc_rec rec;
	__le64 buffer;
	__le64 parent;
	__le64 flags;
	__le64 origin;
	__le64 size;
};
struct trnc_rec_buffer_destroy {
	struct trnc_rec rec;
	__le64 buffer;
	__le64 event; /* 0, or completes when the host has let go of the memory */
};
struct trnc_rec_kernel_create {
	struct trnc_rec rec;
	__le64 kernel;
	__le64 program;
	__le32 index; /* in the program's kernel table */
	__le32 reserved;
};
struct trnc_rec_kernel_clone {
	struct trnc_rec rec;
	__le64 kernel;
	__le64 source;
};
struct trnc_rec_user_event_set {
	struct trnc_rec rec;
	__le64 event;
	__s32 status; /* cl: 0 or negative */
	__le32 reserved;
	__le64 start_ns; /* of a CLIENT command; else 0 */
	__le64 end_ns;
};
/* What clSetKernelExecInfo sets; holds for later launches of the kernel. */
struct trnc_rec_kernel_exec_info {
	struct trnc_rec rec;
	__le64 kernel;
	__le32 param; /* cl_kernel_exec_info */
	__le32 len;   /* bytes of the value that follow, padded to 8; pointers are 8 bytes, in the window */
};
/*
 * An image over the bytes of a buffer, which it keeps until it is destroyed.  A coherent host uses them in place, so all
 * transfers of the image are transfers of the buffer.  On another the image has memory of its own, and IMAGE_FETCH and
 * IMAGE_STORE move a region between the two.
 */
struct trnc_rec_image_create {
	struct trnc_rec rec;
	__le64 image;
	__le64 buffer;	 /* a whole buffer of the context, as large as the pitches say at least */
	__le64 flags;	 /* cl_mem_flags: access bits; COPY_HOST_PTR: an image with memory of its own begins as the bytes */
	__le32 order;	 /* cl_channel_order */
	__le32 data_type; /* cl_channel_type */
	__le32 type;	 /* cl_mem_object_type: 1D, 1D_BUFFER, 2D, 3D, and arrays of 1D and 2D */
	__le32 reserved;
	__le64 width, height, depth, array_size; /* in pixels and layers; 1 where the type has no such dimension */
	__le64 row_pitch, slice_pitch; /* bytes; slice_pitch 0 for 1D and 2D */
};
struct trnc_rec_sampler_create {
	struct trnc_rec rec;
	__le64 sampler;
	__le32 normalized; /* 0 or 1 */
	__le32 addressing; /* cl_addressing_mode */
	__le32 filter;	  /* cl_filter_mode */
	__le32 reserved;
};
TRNC_ASSERT_SIZE(trnc_rec_image_create, 104);
TRNC_ASSERT_SIZE(trnc_rec_sampler_create, 40);
TRNC_ASSERT_SIZE(trnc_rec_queue_create, 48);
TRNC_ASSERT_SIZE(trnc_rec_kernel_exec_info, 32);
TRNC_ASSERT_SIZE(trnc_rec_object, 24);
TRNC_ASSERT_SIZE(trnc_rec_buffer_create, 48);
TRNC_ASSERT_SIZE(trnc_rec_sub_buffer_create, 56);
TRNC_ASSERT_SIZE(trnc_rec_buffer_destroy, 32);
TRNC_ASSERT_SIZE(trnc_rec_kernel_create, 40);
TRNC_ASSERT_SIZE(trnc_rec_kernel_clone, 32);
TRNC_ASSERT_SIZE(trnc_rec_user_event_set, 48);

/* Head of every command. */
struct trnc_cmd {
	struct trnc_rec rec;
	__le64 queue;
	__le64 seq;   /* of this queue: 1, 2, 3 ... without a gap */
	__le64 event; /* 0, or the slot that tells of this command */
	__le64 queued_ns;
	__le32 nr_waits; /* u64 event handles, after the body */
	__le32 nr_args;	/* NDRANGE: arguments after the wait list; else 0 */
};
TRNC_ASSERT_SIZE(trnc_cmd, 56);

struct trnc_cmd_ndrange {
	struct trnc_cmd cmd;
	__le64 kernel;
	__le32 dims; /* 1..3 */
	__le32 flags; /* TRNC_NDRANGE_* */
	__le64 offset[3]; /* unused dimensions: 0, 1, 1 */
	__le64 global[3];
	__le64 local[3];
};
#define TRNC_NDRANGE_LOCAL (1u << 0) /* local is given; else the host chooses */
TRNC_ASSERT_SIZE(trnc_cmd_ndrange, 144);

/* Arguments that changed since the kernel's last NDRANGE (all of them before the first); data padded to 8 bytes. */
struct trnc_arg {
	__le32 index;
	__le16 kind; /* TRNC_ARG_* */
	__le16 reserved;
	__le64 size; /* VALUE: bytes that follow; LOCAL: bytes of local memory, nothing follows; else 8, a handle (BUFFER 0: NULL) */
};
TRNC_ASSERT_SIZE(trnc_arg, 16);
enum trnc_arg_kind {
	TRNC_ARG_VALUE = 1,
	TRNC_ARG_BUFFER = 2,
	TRNC_ARG_LOCAL = 3,
	TRNC_ARG_IMAGE = 4,
	TRNC_ARG_SAMPLER = 5,
	TRNC_ARG_SVM = 6, /* where the table says BUFFER: 8 bytes, an address in the window (TRNC_SESSION_SVM), or 0 */
};

struct trnc_cmd_copy {
	struct trnc_cmd cmd;
	__le64 src, dst;
	__le64 src_offset, dst_offset, size;
};
struct trnc_cmd_copy_rect {
	struct trnc_cmd cmd;
	__le64 src, dst;
	__le64 src_origin[3], dst_origin[3], region[3];
	__le64 src_row_pitch, src_slice_pitch, dst_row_pitch, dst_slice_pitch;
};
struct trnc_cmd_fill {
	struct trnc_cmd cmd;
	__le64 buffer, offset, size;
	__le64 pattern_size; /* 1, 2, 4 .. 128 */
	__u8 pattern[128];
};
struct trnc_cmd_write {
	struct trnc_cmd cmd;
	__le64 buffer, offset, size;
	__le64 source; /* offset in one service segment */
};
struct trnc_cmd_map { /* MAP and UNMAP; on a coherent host only their order matters */
	struct trnc_cmd cmd;
	__le64 buffer, offset, size;
	__le64 flags; /* cl_map_flags; UNMAP: 0 */
	__le64 map;   /* chosen by the client: names the map for its UNMAP; not 0 */
};
TRNC_ASSERT_SIZE(trnc_cmd_copy, 96);
TRNC_ASSERT_SIZE(trnc_cmd_copy_rect, 176);
TRNC_ASSERT_SIZE(trnc_cmd_fill, 216);
TRNC_ASSERT_SIZE(trnc_cmd_write, 88);
TRNC_ASSERT_SIZE(trnc_cmd_map, 96);
struct trnc_cmd_image { /* IMAGE_FETCH and IMAGE_STORE */
	struct trnc_cmd cmd;
	__le64 image;
	__le64 origin[3], region[3]; /* pixels, rows, slices or layers, as clEnqueueReadImage counts them */
};
TRNC_ASSERT_SIZE(trnc_cmd_image, 112);
/* MARKER, BARRIER and CLIENT are a struct trnc_cmd and the wait list. */

/* ------------------------------------------------------------------- blobs */

/* Items { u32 tag, u32 len, bytes, zero padding to 8 }. Unknown tags in a reply are skipped; in a request refused. */
enum trnc_tag {
	/* probe blob */
	TRNC_TAG_PLATFORM_INFO = 1, /* item: u32 param, u32 0, value as clGetPlatformInfo gives it */
	TRNC_TAG_DEVICE_INFO = 2,   /* item: u32 param, u32 0, value as clGetDeviceInfo gives it */
	TRNC_TAG_DEVICE_ERROR = 3,  /* item: u32 param, s32 cl error: the host refuses this query */
	TRNC_TAG_IMAGE_FORMATS = 4, /* item: u32 cl_mem_object_type, u32 0, u64 flags, cl_image_format[] */

	/* build request */
	TRNC_TAG_OP = 16,	/* u32 TRNC_OP_* */
	TRNC_TAG_SOURCE = 17,	/* bytes without NUL */
	TRNC_TAG_BINARY = 18,	/* bytes */
	TRNC_TAG_OPTIONS = 19,	/* string */
	TRNC_TAG_CWD = 20,	/* string */
	TRNC_TAG_HEADER = 21,	/* items: NAME, SOURCE */
	TRNC_TAG_NAME = 22,	/* string */
	TRNC_TAG_INPUT = 23,	/* u64 handle of a program to link */
	TRNC_TAG_IL = 24,	/* bytes */
	TRNC_TAG_FILE = 26,	/* items: NAME (an absolute path), SOURCE; from a guest: a header that the build may ask for */
	TRNC_TAG_SPEC_CONSTANT = 25, /* u32 id, u32 size, then size bytes: of a BUILD of what LOAD_IL loaded */

	/* build reply */
	TRNC_TAG_STATUS = 32,	    /* u32: cl error of the call as a whole */
	TRNC_TAG_BUILD_STATUS = 33, /* u32: cl_build_status */
	TRNC_TAG_LOG = 34,	    /* string */
	TRNC_TAG_BINARY_TYPE = 35,  /* u32 */
	TRNC_TAG_GLOBALS_SIZE = 36, /* u64: CL_PROGRAM_BUILD_GLOBAL_VARIABLE_TOTAL_SIZE */
	TRNC_TAG_PRINTF = 37,	    /* u32: not 0 when kernels of the program may print */
	TRNC_TAG_BINARY_STATUS = 38, /* u32: cl_int of a load */
	TRNC_TAG_KERNEL = 39,	    /* items below, in the order of the table's index */

	/* kernel */
	TRNC_TAG_KERNEL_NAME = 48,	 /* string */
	TRNC_TAG_KERNEL_ATTRIBUTES = 49, /* string */
	TRNC_TAG_WORK_GROUP_SIZE = 50,	 /* u64 */
	TRNC_TAG_COMPILE_GROUP_SIZE = 51, /* u64[3] */
	TRNC_TAG_LOCAL_MEM = 52,	 /* u64 */
	TRNC_TAG_PRIVATE_MEM = 53,	 /* u64 */
	TRNC_TAG_PREFERRED_MULTIPLE = 54, /* u64 */
	TRNC_TAG_ARG = 55,		 /* items below, in order */

	/* argument */
	TRNC_TAG_ARG_KIND = 64,	    /* u32 TRNC_ARG_* */
	TRNC_TAG_ARG_SIZE = 65,	    /* u32: bytes that clSetKernelArg wants; 0: LOCAL, or the host takes any */
	TRNC_TAG_ARG_ADDRESS = 66,  /* u32, as clGetKernelArgInfo; the next five are absent when the host has no info */
	TRNC_TAG_ARG_ACCESS = 67,   /* u32 */
	TRNC_TAG_ARG_QUALIFIER = 68, /* u64 */
	TRNC_TAG_ARG_TYPE_NAME = 69, /* string */
	TRNC_TAG_ARG_NAME = 70,	    /* string */
};

enum trnc_op {
	TRNC_OP_BUILD = 1,	   /* SOURCE, or none when the program was loaded or built before */
	TRNC_OP_COMPILE = 2,	   /* SOURCE, HEADER* */
	TRNC_OP_LINK = 3,	   /* INPUT* */
	TRNC_OP_LOAD_BINARY = 4,   /* BINARY: create only, no build */
	TRNC_OP_LOAD_IL = 5,	   /* IL: create only, no build */
};

#endif

/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
#ifndef _TRANCHE_ACCEL_H_
#define _TRANCHE_ACCEL_H_

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * DOC: tranche_accel
 *
 * A virtual compute device of Tranche. An open file of /dev/accel/accelN is a
 * session once &DRM_TRANCHE_SESSION_CREATE was called, and everything that it
 * makes ends with it. Memory is a GEM object over the device's aperture, mapped
 * through its fake offset. A context has a channel of shared pages: user space
 * writes records into its ring and the device reads them, without a call of the
 * kernel. What records and messages mean is specified in docs/wire.md; the
 * structs of shared memory are in include/tranche/wire/compute.h.
 *
 * Rules of all ioctls: unknown flags and padding that is not zero are refused
 * with EINVAL. ENODEV: the device is gone, or its host wants it back and a
 * session was asked for. ESHUTDOWN: the session is lost,
 * &DRM_TRANCHE_SESSION_STATUS says why; closing the file and opening it again
 * gives a new one. ENOTCONN: the file has no session yet. EIO: the host
 * answered what cannot be, and the device was reset. EUSERS: that is one
 * context, or object, too many. EBUSY: another thread does the same to the same
 * thing, or all sessions are taken. EINTR/ERESTARTSYS: a signal; the call can
 * be repeated. Errors that the host gave are passed on as its errno.
 */

#define DRM_TRANCHE_GET_INFO		0x00
#define DRM_TRANCHE_GET_PROBE		0x01
#define DRM_TRANCHE_SESSION_CREATE	0x02
#define DRM_TRANCHE_SESSION_STATUS	0x03
#define DRM_TRANCHE_MEMORY_QUERY	0x04
#define DRM_TRANCHE_GEM_CREATE		0x05
#define DRM_TRANCHE_GEM_DESTROY		0x06
#define DRM_TRANCHE_GEM_INFO		0x07
#define DRM_TRANCHE_CONTEXT_CREATE	0x08
#define DRM_TRANCHE_CONTEXT_DESTROY	0x09
#define DRM_TRANCHE_EVENT_BLOCK_ADD	0x0a
#define DRM_TRANCHE_OUTPUT_SET		0x0b
#define DRM_TRANCHE_PROGRAM_BUILD	0x0c
#define DRM_TRANCHE_PROGRAM_QUERY	0x0d
#define DRM_TRANCHE_WAIT		0x0e
#define DRM_TRANCHE_WAKE		0x0f
#define DRM_TRANCHE_DOORBELL		0x10
#define DRM_TRANCHE_EVENTFD		0x11

/**
 * struct drm_tranche_info - what the device is; needs no session
 * @version: of the wire, as the driver picked it
 * @generation: counts resets of the device
 * @features: TRNC_FEATURE_* that sessions may pick
 * @nonce: names the instance of the device
 * @uuid: of the device, 16 bytes
 * @quota: bytes of buffer memory of the whole device
 * @service: bytes of service memory that a session may take, if others leave it
 * @window_size: bytes of the window that a session will get, if the aperture
 *	has room for it
 * @probe_len: bytes that &DRM_TRANCHE_GET_PROBE gives; 0 until the device had its
 *	first session
 * @pad: zero
 */
struct drm_tranche_info {
	__u32 version;
	__u32 generation;
	__u64 features;
	__u64 nonce;
	__u8 uuid[16];
	__u64 quota;
	__u64 service;
	__u64 window_size;
	__u32 probe_len;
	__u32 pad;
};

/**
 * struct drm_tranche_get_probe - the host's answers to OpenCL's queries
 * @data: pointer to @len bytes that are filled
 * @len: in: room; out: length of the blob. If the room is too small nothing is
 *	written
 * @pad: zero
 *
 * ENODATA: not known yet, see @probe_len of &struct drm_tranche_info.
 */
struct drm_tranche_get_probe {
	__u64 data;
	__u32 len;
	__u32 pad;
};

#define DRM_TRANCHE_SESSION_SVM		(1 << 0)
#define DRM_TRANCHE_SESSION_SHARING	(1 << 1)

/**
 * struct drm_tranche_session_create - make the file a session; once a file
 * @flags: DRM_TRANCHE_SESSION_SVM: the window is to stand at @window_base on the
 *	host, too. DRM_TRANCHE_SESSION_SHARING: it exports and imports memory;
 *	what is exportable can be read and written by all sessions with this flag
 * @vector_hint: which interrupt is used for its waits; any number
 * @window_base: address that the program reserved for its window, or 0
 * @cwd: pointer to the working folder's name, with @cwd_len bytes
 * @cwd_len: at most 1023; may be 0
 * @pad: zero
 * @session: out: number of the session, unique for the device's life
 * @session_flags: out: TRNC_SESSION_*
 * @quota: out: bytes
 * @service: out: bytes
 * @window_size: out: bytes; all offsets are below it
 * @probe_len: out: as in &struct drm_tranche_info
 *
 * EALREADY: it is one. EBUSY: the device has no more slots for sessions. ENOSPC:
 * the aperture has no room for another window.
 */
struct drm_tranche_session_create {
	__u32 flags;
	__u32 vector_hint;
	__u64 window_base;
	__u64 cwd;
	__u32 cwd_len;
	__u32 pad;
	__u64 session;
	__u64 session_flags;
	__u64 quota;
	__u64 service;
	__u64 window_size;
	__u64 probe_len;
};

/**
 * struct drm_tranche_session_status - is the session lost, and why
 * @lost: 0, or TRNC_LOST_*
 * @pad: zero
 * @name: the host's stable name of the reason, NUL-terminated
 * @text: the host's sentence, NUL-terminated; any bytes but control characters
 */
struct drm_tranche_session_status {
	__u32 lost;
	__u32 pad;
	__u8 name[48];
	__u8 text[240];
};

/**
 * struct drm_tranche_memory - struct trnc_memory_reply
 * @quota: bytes of the device
 * @used: of them, by all sessions
 * @session_used: of them, by this one
 * @service_used: bytes of service memory of this session
 */
struct drm_tranche_memory {
	__u64 quota;
	__u64 used;
	__u64 session_used;
	__u64 service_used;
};

#define DRM_TRANCHE_GEM_BUFFER		1
#define DRM_TRANCHE_GEM_SERVICE		2

#define DRM_TRANCHE_GEM_EXPORTABLE	(1 << 0)

/**
 * struct drm_tranche_gem_create - memory of the device, zero-filled
 * @size: bytes, a multiple of 4096, not 0
 * @kind: DRM_TRANCHE_GEM_BUFFER (charged to the quota) or
 *	DRM_TRANCHE_GEM_SERVICE
 * @flags: DRM_TRANCHE_GEM_EXPORTABLE: it may be given to other files as a
 *	dma-buf; buffers of sessions with DRM_TRANCHE_SESSION_SHARING only
 * @handle: out
 * @pad: zero
 * @offset: out: what records call it by
 * @mmap_offset: out: for mmap()
 * @control_seq: out: records that use it carry this or a later number
 * @used: out: bytes of the kind's allowance, afterwards
 *
 * ENOSPC: quota or allowance. ENOMEM: no room in the window.
 */
struct drm_tranche_gem_create {
	__u64 size;
	__u32 kind;
	__u32 flags;
	__u32 handle;
	__u32 pad;
	__u64 offset;
	__u64 mmap_offset;
	__u64 control_seq;
	__u64 used;
};

/**
 * struct drm_tranche_gem_destroy - close a handle; the host lets go of the memory
 * later, when the ring has been read so far
 * @handle: of the file
 * @context: 0, or: not before this context's ring has been read ...
 * @after_pos: ... up to this position
 *
 * Does not wait. The memory is given back when no handle, mapping or dma-buf
 * has it any more. The same as GEM_CLOSE with context 0.
 */
struct drm_tranche_gem_destroy {
	__u32 handle;
	__u32 context;
	__u64 after_pos;
};

/**
 * struct drm_tranche_gem_info - how to use an object, imported ones above all
 * @handle: of the file
 * @kind: out
 * @size: out
 * @offset: out
 * @mmap_offset: out
 * @control_seq: out
 *
 * An imported object becomes one of this session by this call. EPERM: the
 * session is without DRM_TRANCHE_SESSION_SHARING.
 */
struct drm_tranche_gem_info {
	__u32 handle;
	__u32 kind;
	__u64 size;
	__u64 offset;
	__u64 mmap_offset;
	__u64 control_seq;
};

/**
 * struct drm_tranche_context_create - a context and its channel
 * @ring_len: bytes: a power of two, 16 KiB to 16 MiB
 * @context: out: its number, from 1
 * @mmap_offset: out: of the channel: user page (read and write), host page (read
 *	only), kernel page (not at all), ring (read and write), event block 0
 *	(read only). A mapping covers pages of one of these. It is not inherited by
 *	fork()
 * @control_seq: out
 */
struct drm_tranche_context_create {
	__u32 ring_len;
	__u32 context;
	__u64 mmap_offset;
	__u64 control_seq;
};

/**
 * struct drm_tranche_context_destroy - end a context; waits for its kernels
 * @context: number
 * @pad: zero
 *
 * Killed while it waits, the context ends all the same.
 */
struct drm_tranche_context_destroy {
	__u32 context;
	__u32 pad;
};

/**
 * struct drm_tranche_event_block_add - 4,096 more event slots
 * @context: number
 * @block: the next one of the context
 * @mmap_offset: out: read only
 */
struct drm_tranche_event_block_add {
	__u32 context;
	__u32 block;
	__u64 mmap_offset;
};

/**
 * struct drm_tranche_output_set - where kernels' text goes
 * @handle: of a service object: struct trnc_output, then the ring of text
 * @data_len: bytes of the ring: a power of two, at least a page
 *
 * Text counts as attention of all contexts (&struct drm_tranche_wait).
 */
struct drm_tranche_output_set {
	__u32 handle;
	__u32 data_len;
};

/**
 * struct drm_tranche_program_build - build, compile, link or load a program
 * @context: number
 * @request_handle: service object with the request blob
 * @reply_handle: service object for the reply blob; may be the same
 * @pad: zero
 * @program: handle, as in records
 * @request_offset: bytes in the object
 * @request_len: bytes
 * @reply_offset: bytes in the object
 * @reply_cap: bytes
 * @reply_len: out: if more than @reply_cap nothing was written: query it
 *
 * Waits for the end of the build, killably; both objects live on until it ends.
 */
struct drm_tranche_program_build {
	__u32 context;
	__u32 request_handle;
	__u32 reply_handle;
	__u32 pad;
	__u64 program;
	__u64 request_offset;
	__u64 request_len;
	__u64 reply_offset;
	__u64 reply_cap;
	__u64 reply_len;
};

/**
 * struct drm_tranche_program_query - ask for something of a program
 * @context: number
 * @what: TRNC_QUERY_*
 * @reply_handle: as in &struct drm_tranche_program_build
 * @pad: zero
 * @program: handle
 * @reply_offset: bytes
 * @reply_cap: bytes
 * @reply_len: out
 */
struct drm_tranche_program_query {
	__u32 context;
	__u32 what;
	__u32 reply_handle;
	__u32 pad;
	__u64 program;
	__u64 reply_offset;
	__u64 reply_cap;
	__u64 reply_len;
};

/**
 * struct drm_tranche_wait - sleep until a context has news
 * @context: number
 * @kicks: the user page's kicks as last seen
 * @sequence: ends when the host page's count of commands is at least this; all
 *	ones: never
 * @attention: ends when the host page's attention is not this
 * @timeout_ns: CLOCK_MONOTONIC, absolute; negative: none
 * @commands: out: as the host page says
 * @attention_now: out: likewise
 *
 * Also ends when the context is lost (ESHUTDOWN), when kicks has changed, at the
 * time-out (ETIME), and by a signal (EINTR; the deadline is absolute, so that the
 * call is simply repeated).
 */
struct drm_tranche_wait {
	__u32 context;
	__u32 kicks;
	__u64 sequence;
	__u64 attention;
	__s64 timeout_ns;
	__u64 commands;
	__u64 attention_now;
};

/**
 * struct drm_tranche_wake - look at kicks: ends the waits of a context
 * @context: number
 * @pad: zero
 */
struct drm_tranche_wake {
	__u32 context;
	__u32 pad;
};

/**
 * struct drm_tranche_doorbell - wake the host, which sleeps on host_asleep
 * @context: number; 0: it waits for room for text
 * @pad: zero
 *
 * The caller has taken host_asleep back (exchange with 0, was not 0).
 */
struct drm_tranche_doorbell {
	__u32 context;
	__u32 pad;
};

/**
 * struct drm_tranche_eventfd - have an eventfd signalled once
 * @context: number
 * @fd: an eventfd; -1: forget those that are armed
 * @sequence: as in &struct drm_tranche_wait
 * @attention: likewise
 *
 * Signalled at once if it has come already; also when the context is lost. At
 * most 64 are armed a context (ENOSPC).
 */
struct drm_tranche_eventfd {
	__u32 context;
	__s32 fd;
	__u64 sequence;
	__u64 attention;
};

#define DRM_IOCTL_TRANCHE_GET_INFO \
	DRM_IOR(DRM_COMMAND_BASE + DRM_TRANCHE_GET_INFO, struct drm_tranche_info)
#define DRM_IOCTL_TRANCHE_GET_PROBE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_TRANCHE_GET_PROBE, struct drm_tranche_get_probe)
#define DRM_IOCTL_TRANCHE_SESSION_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_TRANCHE_SESSION_CREATE, struct drm_tranche_session_create)
#define DRM_IOCTL_TRANCHE_SESSION_STATUS \
	DRM_IOR(DRM_COMMAND_BASE + DRM_TRANCHE_SESSION_STATUS, struct drm_tranche_session_status)
#define DRM_IOCTL_TRANCHE_MEMORY_QUERY \
	DRM_IOR(DRM_COMMAND_BASE + DRM_TRANCHE_MEMORY_QUERY, struct drm_tranche_memory)
#define DRM_IOCTL_TRANCHE_GEM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_TRANCHE_GEM_CREATE, struct drm_tranche_gem_create)
#define DRM_IOCTL_TRANCHE_GEM_DESTROY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_TRANCHE_GEM_DESTROY, struct drm_tranche_gem_destroy)
#define DRM_IOCTL_TRANCHE_GEM_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_TRANCHE_GEM_INFO, struct drm_tranche_gem_info)
#define DRM_IOCTL_TRANCHE_CONTEXT_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_TRANCHE_CONTEXT_CREATE, struct drm_tranche_context_create)
#define DRM_IOCTL_TRANCHE_CONTEXT_DESTROY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_TRANCHE_CONTEXT_DESTROY, struct drm_tranche_context_destroy)
#define DRM_IOCTL_TRANCHE_EVENT_BLOCK_ADD \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_TRANCHE_EVENT_BLOCK_ADD, struct drm_tranche_event_block_add)
#define DRM_IOCTL_TRANCHE_OUTPUT_SET \
	DRM_IOW(DRM_COMMAND_BASE + DRM_TRANCHE_OUTPUT_SET, struct drm_tranche_output_set)
#define DRM_IOCTL_TRANCHE_PROGRAM_BUILD \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_TRANCHE_PROGRAM_BUILD, struct drm_tranche_program_build)
#define DRM_IOCTL_TRANCHE_PROGRAM_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_TRANCHE_PROGRAM_QUERY, struct drm_tranche_program_query)
#define DRM_IOCTL_TRANCHE_WAIT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_TRANCHE_WAIT, struct drm_tranche_wait)
#define DRM_IOCTL_TRANCHE_WAKE \
	DRM_IOW(DRM_COMMAND_BASE + DRM_TRANCHE_WAKE, struct drm_tranche_wake)
#define DRM_IOCTL_TRANCHE_DOORBELL \
	DRM_IOW(DRM_COMMAND_BASE + DRM_TRANCHE_DOORBELL, struct drm_tranche_doorbell)
#define DRM_IOCTL_TRANCHE_EVENTFD \
	DRM_IOW(DRM_COMMAND_BASE + DRM_TRANCHE_EVENTFD, struct drm_tranche_eventfd)

#if defined(__cplusplus)
}
#endif

#endif

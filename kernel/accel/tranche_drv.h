/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the driver's files share. Order of locks, the outermost first:
 *
 *   reset_lock > attach_lock > tranche_device.lock > tranche_session.lock
 *     > map_lock > tranche_context.lock (irq) or tranche_control.lock
 *
 * mmap_lock may be held when any of these but reset_lock and attach_lock is
 * taken; so nobody copies from or to user space with one of them.
 */
#ifndef TRANCHE_DRV_H
#define TRANCHE_DRV_H

#include <linux/completion.h>
#include <linux/eventfd.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_mm.h>

#include "tranche_check.h"

#define TRANCHE_MAX_SESSIONS 64
#define TRANCHE_MAX_VECTORS 9
#define TRANCHE_REPLY_MAX sizeof(struct trnc_session_reply)

struct tranche_context;
struct tranche_device;
struct tranche_object;
struct tranche_session;

enum tranche_request_state {
	TRANCHE_REQUEST_NEW,
	TRANCHE_REQUEST_QUEUED, /* waits for room in the ring */
	TRANCHE_REQUEST_SENT,
	TRANCHE_REQUEST_DONE,
};

/**
 * struct tranche_request - a message to the host, and its answer
 * @tdev: where it goes
 * @ref: of who made it, and of the control rings until it is DONE
 * @link: in the control's backlog or sent list
 * @state: under the control's lock
 * @abandoned: nobody waits for it any more; likewise
 * @type: TRNC_MSG_*
 * @id: in tranche_control.requests, for as long as it exists
 * @slot: the session's number, or 0
 * @epoch: of the device; 0: any
 * @deadline: in jiffies
 * @session: whose, or NULL; counted from submission to @done
 * @context: what it is about, counted by who sets it; put after @done
 * @object: likewise
 * @owner: of @done alone
 * @done: called once, may sleep; before whoever waits goes on
 * @status: negative errno; valid in @done and later
 * @completion: after @done
 * @open: the body of SESSION_OPEN, which is too large for @body
 * @body: of the request
 * @reply: of the reply, if @status is 0
 */
struct tranche_request {
	struct tranche_device *tdev;
	struct kref ref;
	struct list_head link;
	enum tranche_request_state state;
	bool abandoned;
	u32 type;
	u32 id;
	u32 slot;
	u32 epoch;
	unsigned long deadline;
	struct tranche_session *session;
	struct tranche_context *context;
	struct tranche_object *object[2];
	void *owner;
	void (*done)(struct tranche_request *req);
	int status;
	struct completion completion;
	struct trnc_session_open *open;
	union {
		struct trnc_segment_create segment_create;
		struct trnc_segment_destroy segment_destroy;
		struct trnc_shared_range shared;
		struct trnc_context_create context_create;
		struct trnc_context_destroy context_destroy;
		struct trnc_event_block_add event_block;
		struct trnc_output_set output;
		struct trnc_program_build build;
		struct trnc_program_query query;
	} body;
	union {
		struct trnc_session_reply session;
		struct trnc_segment_reply segment;
		struct trnc_blob_reply blob;
		struct trnc_memory_reply memory;
		u8 bytes[TRANCHE_REPLY_MAX];
	} reply;
};

/**
 * struct tranche_control - the driver's side of the two control rings
 * @lock: protects everything here but @requests, @replies and @copy
 * @error: why nothing can be sent; 0 when the device is running
 * @broken: the host broke a rule: reset it
 * @producer: of requests
 * @consumer: of requests, as last seen
 * @replies: consumer of replies; of the worker
 * @backlog: requests that wait for room
 * @sent: requests without an answer
 * @requests: all of them, by id
 * @next_id: for @requests
 * @copy: of the reply that is looked at; of the worker
 */
struct tranche_control {
	spinlock_t lock;
	int error;
	bool broken;
	u64 producer;
	u64 consumer;
	u64 replies;
	struct list_head backlog;
	struct list_head sent;
	struct xarray requests;
	u32 next_id;
	struct trnc_control_slot *copy;
};

struct tranche_vector {
	struct tranche_device *tdev;
	unsigned int index;
};

/**
 * struct tranche_device - one PCI function
 * @drm: the node /dev/accel/accelN
 * @regs: BAR0
 * @aperture: BAR2, all of it, write-back; user mappings get their memory type
 *	from this mapping, so it stays
 * @aperture_start: its address on the bus
 * @aperture_size: bytes
 * @nr_vectors: of interrupts; the first is for replies
 * @vectors: what their handlers get
 * @layout: as of the last START
 * @control: rings
 * @wq: runs @work
 * @work: replies, time limits, resets; by interrupt or every half second while
 *	somebody waits
 * @waits: how many threads and eventfds wait for contexts
 * @status_at: when STATUS was read, in jiffies
 * @look: an interrupt came that may be about STATUS
 * @leaving: the host wants the device back
 * @reset_lock: held while the device is started, stopped or answers are handled
 * @lock: protects @windows, @shared, and who is in @sessions
 * @windows: of sessions, offsets in the aperture
 * @shared: exportable objects, offsets in the shared window
 * @sessions: by slot - 1
 * @map_lock: read while pages are mapped into programs; written to make
 *	objects lost
 * @epoch: counts stops, from 1; objects of the shared window of another one
 *	are lost
 */
struct tranche_device {
	struct drm_device drm;
	void __iomem *regs;
	void *aperture;
	phys_addr_t aperture_start;
	u64 aperture_size;
	unsigned int nr_vectors;
	struct tranche_vector vectors[TRANCHE_MAX_VECTORS];
	struct tranche_layout layout;
	struct tranche_control control;
	struct workqueue_struct *wq;
	struct delayed_work work;
	atomic_t waits;
	unsigned long status_at;
	bool look;
	bool leaving;
	struct mutex reset_lock;
	struct mutex lock;
	struct drm_mm windows;
	struct drm_mm shared;
	struct tranche_session __rcu *sessions[TRANCHE_MAX_SESSIONS];
	struct rw_semaphore map_lock;
	u32 epoch;
};

enum tranche_session_state {
	TRANCHE_SESSION_NONE, /* a file that has not asked for one */
	TRANCHE_SESSION_OPENING,
	TRANCHE_SESSION_OPEN,
};

/**
 * struct tranche_session - an open file
 * @tdev: its device
 * @ref: of the file, of each object in the window, of each request under way
 * @rcu: interrupt handlers look at it
 * @file: a tag only, for rights to mmap()
 * @lock: protects what follows
 * @state: under the device's lock, too
 * @closing: the file is going: nothing more is asked for
 * @ended: the file is gone
 * @lost: 0, or why it is dead; written with the device's map_lock
 * @lost_name: the host's words
 * @lost_text: the host's words
 * @slot: number on the wire, or 0; written with the device's lock
 * @vector: fired for its waits
 * @sharing: it may have objects of the shared window
 * @window: in the aperture; offset and size stay when the node is gone
 * @window_start: of it
 * @window_size: of it
 * @mm: objects in the window
 * @reply: the host's answer to SESSION_OPEN
 * @contexts: by number - 1
 * @output: where kernels' text goes
 * @close: SESSION_CLOSE, ready so that it cannot fail
 * @attach_lock: serialises SHARED_ATTACH
 * @attached: objects of the shared window, by page
 * @bytes: of objects by kind, [0] of the shared window
 * @nr_objects: in @mm
 * @commands: completed in contexts that are gone
 */
struct tranche_session {
	struct tranche_device *tdev;
	struct kref ref;
	struct rcu_head rcu;
	struct drm_file *file;
	struct mutex lock;
	enum tranche_session_state state;
	bool closing;
	bool ended;
	u32 lost;
	u8 lost_name[48];
	u8 lost_text[240];
	u32 slot;
	u32 vector;
	bool sharing;
	struct drm_mm_node window;
	u64 window_start;
	u64 window_size;
	struct drm_mm mm;
	struct trnc_session_reply reply;
	struct tranche_context __rcu *contexts[TRNC_MAX_CONTEXTS];
	struct tranche_object *output;
	struct tranche_request *close;
	struct mutex attach_lock;
	struct xarray attached;
	u64 bytes[DRM_TRANCHE_GEM_SERVICE + 1];
	u32 nr_objects;
	u64 commands;
};

/* Not of the uapi: what an object is for. */
enum tranche_shape { TRANCHE_PLAIN, TRANCHE_CHANNEL, TRANCHE_EVENTS };

/**
 * struct tranche_object - memory of the device, granted and charged by the host
 * @base: the GEM object
 * @session: in whose window it lies, counted; NULL: in the shared window
 * @node: in the window
 * @aperture_offset: of it
 * @epoch: of the device, for the shared window
 * @kind: DRM_TRANCHE_GEM_*
 * @shape: who may map what
 * @ring_len: of a channel
 * @control_seq: the host's answer
 * @used: the host's answer
 * @is_granted: the host has it
 * @hint: when it may be destroyed
 * @hint_pos: position in that context's ring
 * @destroy: ready so that it cannot fail
 * @dummy: pages that are shown when the memory is lost: [0] written by the
 *	program, [1] a host page that says so
 * @link: in its context's list of blocks
 */
struct tranche_object {
	struct drm_gem_object base;
	struct tranche_session *session;
	struct drm_mm_node node;
	u64 aperture_offset;
	u32 epoch;
	u32 kind;
	enum tranche_shape shape;
	u32 ring_len;
	u64 control_seq;
	u64 used;
	bool is_granted;
	u32 hint;
	u64 hint_pos;
	struct tranche_request *destroy;
	struct page *dummy[2];
	struct list_head link;
};

/**
 * struct tranche_context - a channel and who waits for it
 * @ref: of the session's table, and of who uses it
 * @rcu: interrupt handlers look at it
 * @session: lives longer
 * @id: from 1
 * @is_live: the host has it, and nobody has destroyed it; session's lock
 * @adding: an event block is under way; session's lock
 * @nr_blocks: of events; session's lock
 * @blocks: objects of them, with the channel; session's lock
 * @channel: the first of @blocks
 * @user: the user page
 * @host: the host page
 * @kernel: our page
 * @destroy: CONTEXT_DESTROY, ready so that it cannot fail
 * @lock: protects @waiters, and our page
 * @waiters: struct tranche_waiter
 * @queue: their threads
 */
struct tranche_context {
	struct kref ref;
	struct rcu_head rcu;
	struct tranche_session *session;
	u32 id;
	bool is_live;
	bool adding;
	u32 nr_blocks;
	struct list_head blocks;
	struct tranche_object *channel;
	struct trnc_user_page *user;
	struct trnc_host_page *host;
	struct trnc_kernel_page *kernel;
	struct tranche_request *destroy;
	spinlock_t lock;
	struct list_head waiters;
	wait_queue_head_t queue;
};

static inline struct tranche_device *to_tranche(struct drm_device *drm)
{
	return container_of(drm, struct tranche_device, drm);
}

static inline struct tranche_object *to_object(struct drm_gem_object *gem)
{
	return container_of(gem, struct tranche_object, base);
}

/* tranche_drv.c */
void tranche_device_stop(struct tranche_device *tdev, int error);
void tranche_device_zap(struct tranche_device *tdev);
bool tranche_device_check(struct tranche_device *tdev);
int tranche_device_reset(struct tranche_device *tdev);
u32 tranche_probe_len(struct tranche_device *tdev);

/* tranche_control.c */
int tranche_control_init(struct tranche_device *tdev);
void tranche_control_start(struct tranche_device *tdev);
void tranche_control_stop(struct tranche_device *tdev, int error);
void tranche_control_kick(struct tranche_device *tdev);
irqreturn_t tranche_irq(int irq, void *data);
struct tranche_request *tranche_request_new(struct tranche_device *tdev,
					    u32 type);
void tranche_request_put(struct tranche_request *req);
void tranche_request_submit(struct tranche_request *req,
			    struct tranche_session *session);
int tranche_request_wait(struct tranche_request *req);
int tranche_request_call(struct tranche_request *req,
			 struct tranche_session *session);

/* tranche_session.c */
int tranche_open(struct drm_device *drm, struct drm_file *file);
int tranche_release(struct inode *inode, struct file *filp);
void tranche_postclose(struct drm_device *drm, struct drm_file *file);
void tranche_show_fdinfo(struct drm_printer *p, struct drm_file *file);
int tranche_session_create(struct drm_device *drm, void *data,
			   struct drm_file *file);
struct tranche_session *tranche_session_of(struct drm_file *file);
void tranche_session_put(struct tranche_session *session);
void tranche_session_free_slot(struct tranche_session *session);
void tranche_session_lose(struct tranche_session *session, u32 lost,
			  const struct trnc_error_body *why);
void tranche_session_wake(struct tranche_session *session);
bool tranche_session_lost(struct tranche_device *tdev,
			  const struct trnc_control_slot *slot);

/* tranche_gem.c */
extern const struct drm_gem_object_funcs tranche_gem_funcs;
struct tranche_object *tranche_object_new(struct tranche_device *tdev,
					  struct tranche_session *session,
					  u64 size, u32 kind,
					  enum tranche_shape shape);
int tranche_object_grant(struct tranche_object *obj);
void tranche_object_get(struct tranche_object *obj);
void tranche_object_put(struct tranche_object *obj);
bool tranche_object_is_lost(struct tranche_object *obj);
u64 tranche_object_offset(struct tranche_object *obj);
int tranche_object_lookup(struct drm_file *file, u32 handle, u64 offset,
			  u64 len, struct tranche_object **ret_obj);
void tranche_session_detach_all(struct tranche_session *session);
int tranche_gem_create(struct drm_device *drm, void *data,
		       struct drm_file *file);
int tranche_gem_destroy(struct drm_device *drm, void *data,
			struct drm_file *file);
int tranche_gem_info(struct drm_device *drm, void *data,
		     struct drm_file *file);

/* tranche_mmap.c */
int tranche_mmap(struct file *filp, struct vm_area_struct *vma);
int tranche_object_mmap(struct drm_gem_object *gem,
			struct vm_area_struct *vma);

/* tranche_context.c */
struct tranche_context *tranche_context_get(struct tranche_session *session,
					    u32 id);
struct tranche_context *tranche_context_get_live(struct drm_file *file, u32 id);
void tranche_context_put(struct tranche_context *ctx);
void tranche_context_drop(struct tranche_context *ctx);
int tranche_context_create(struct drm_device *drm, void *data,
			   struct drm_file *file);
int tranche_context_destroy(struct drm_device *drm, void *data,
			    struct drm_file *file);
int tranche_event_block_add(struct drm_device *drm, void *data,
			    struct drm_file *file);
int tranche_output_set(struct drm_device *drm, void *data,
		       struct drm_file *file);
int tranche_program_build(struct drm_device *drm, void *data,
			  struct drm_file *file);
int tranche_program_query(struct drm_device *drm, void *data,
			  struct drm_file *file);

/* tranche_wait.c */
void tranche_context_wake(struct tranche_context *ctx);
void tranche_context_forget(struct tranche_context *ctx);
int tranche_wait(struct drm_device *drm, void *data, struct drm_file *file);
int tranche_wake(struct drm_device *drm, void *data, struct drm_file *file);
int tranche_doorbell(struct drm_device *drm, void *data,
		     struct drm_file *file);
int tranche_eventfd(struct drm_device *drm, void *data,
		    struct drm_file *file);

/* tranche_ioctl.c */
extern const struct drm_driver tranche_driver;

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the driver's files share. Order of locks, the outermost first:
 *
 *   reset_lock > attach_lock > tranche_device.lock > tranche_session.lock > map_lock
 *     > tranche_context.lock (irq), tranche_control.lock
 *
 * All but the first two may be taken with a mmap_lock held: so nobody copies from or to
 * user space with one of them.
 */
#ifndef TRANCHE_DRV_H
#define TRANCHE_DRV_H

#include <linux/cleanup.h>
#include <linux/completion.h>
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
#include <drm/drm_ioctl.h>
#include <drm/drm_mm.h>

#include "tranche_check.h"

#define TRANCHE_MAX_VECTORS 9

enum tranche_request_state {
	TRANCHE_REQUEST_NEW, /* also while it waits for room in the ring */
	TRANCHE_REQUEST_SENT,
	TRANCHE_REQUEST_DONE,
};

/* A message to the host, and its answer. */
struct tranche_request {
	struct tranche_device *tdev;
	struct kref ref; /* of who made it, and of the control rings until it is DONE */
	struct list_head link; /* in a list of tranche_control */
	enum tranche_request_state state; /* under the control's lock */
	bool abandoned; /* who waited was killed; likewise */
	u32 type; /* TRNC_MSG_* */
	u32 id; /* in tranche_control.requests, for as long as it exists */
	u32 slot; /* the session's number, or 0 */
	u32 epoch; /* of the device that it is for; 0: any */
	unsigned long deadline; /* in jiffies, once it is SENT */
	struct tranche_session *session; /* or NULL; counted from submission until it is DONE */
	struct tranche_context *context; /* or NULL; counted by who sets it, likewise */
	struct tranche_object *object[2]; /* or NULL; likewise */
	void *owner; /* of done() alone */
	void (*done)(struct tranche_request *req); /* or NULL; once, before a waiter goes on */
	int status; /* negative errno, then */
	struct completion completion;
	struct trnc_session_open *open; /* the body of SESSION_OPEN, too large for this one: */
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
	} reply; /* if status is 0 */
};

/* The driver's side of the two control rings. */
struct tranche_control {
	spinlock_t lock; /* protects what follows, up to requests */
	int error; /* why nothing can be sent; 0: the device runs */
	bool broken; /* the host broke a rule */
	u64 producer; /* of requests */
	u64 consumer; /* of requests, as last seen */
	unsigned long moved; /* when it moved, or the backlog began, in jiffies */
	struct list_head backlog; /* requests that wait for room */
	struct list_head sent; /* those without an answer, the oldest first */
	struct list_head patient; /* likewise, without a time limit */
	struct xarray requests; /* all of them, by id */
	u32 next_id;
	u64 replies; /* consumer of replies; of the worker */
	struct trnc_control_slot *copy; /* of the reply that is looked at; likewise */
	struct trnc_control_guest *guest; /* in the aperture */
	struct trnc_control_host *host; /* likewise */
};

/* One PCI function. */
struct tranche_device {
	struct drm_device drm; /* /dev/accel/accelN */
	void __iomem *regs; /* BAR0 */
	void *aperture; /* BAR2, all of it, write-back; user mappings get their type from it */
	phys_addr_t aperture_start;
	u64 aperture_size;
	unsigned int nr_vectors;
	struct tranche_device *vectors[TRANCHE_MAX_VECTORS]; /* itself, for their handler */
	struct tranche_layout layout; /* as of the last START */
	struct tranche_control control;
	struct workqueue_struct *wq;
	struct delayed_work work; /* replies, time limits, resets */
	atomic_t waits; /* threads and eventfds that wait for contexts */
	unsigned long status_at; /* when STATUS was read, in jiffies */
	bool look; /* an interrupt came that may be about STATUS */
	bool leaving; /* the host wants the device back */
	struct mutex reset_lock; /* held to start, stop, and to handle answers */
	struct mutex lock; /* protects windows, shared, and who is in sessions */
	struct drm_mm windows; /* offsets in the aperture */
	struct drm_mm shared; /* offsets in the shared window */
	struct tranche_session __rcu *sessions[TRANCHE_MAX_SESSIONS]; /* by slot - 1 */
	struct rw_semaphore map_lock; /* read to map pages, written to lose objects */
	u32 epoch; /* counts stops, from 1; shared objects of another one are lost */
};

enum tranche_session_state {
	TRANCHE_SESSION_NONE, /* a file that has not asked for one */
	TRANCHE_SESSION_OPENING,
	TRANCHE_SESSION_OPEN,
};

/* An open file. */
struct tranche_session {
	struct tranche_device *tdev;
	struct kref ref; /* of the file, of each object in the window, of requests */
	struct rcu_head rcu; /* interrupt handlers look at it */
	struct mutex lock; /* protects what follows, up to attach_lock */
	enum tranche_session_state state;
	bool closing; /* the file is going: nothing more is asked for */
	bool ended; /* the file is gone */
	u32 lost; /* 0, or TRNC_LOST_*; with the device's map_lock, too */
	u8 lost_name[48]; /* the host's words */
	u8 lost_text[240];
	u32 slot; /* number on the wire, or 0; of the device's lock, too */
	bool sharing; /* it may have objects of the shared window */
	struct drm_mm_node window;
	u64 window_start; /* stays when the node is gone */
	u64 window_size;
	struct drm_mm mm; /* objects in the window */
	struct trnc_session_reply reply; /* to SESSION_OPEN */
	struct tranche_context __rcu *contexts[TRNC_MAX_CONTEXTS]; /* by number - 1 */
	struct tranche_object *output; /* where kernels' text goes */
	struct xarray attached; /* objects of the shared window, by page */
	u64 bytes[DRM_TRANCHE_GEM_SERVICE + 1]; /* by kind; [0]: shared */
	u32 nr_objects; /* in mm */
	u64 commands; /* completed in contexts that are gone */
	struct mutex attach_lock; /* one SHARED_ATTACH at a time */
	struct tranche_request *close; /* made early, so that it cannot fail */
};

/* Not of the uapi: what an object is for. */
enum tranche_shape { TRANCHE_PLAIN, TRANCHE_CHANNEL, TRANCHE_EVENTS };

/* Memory of the device, granted and charged by the host. */
struct tranche_object {
	struct drm_gem_object base;
	struct tranche_session *session; /* whose window, counted; NULL: the shared window */
	struct drm_mm_node node; /* in the window */
	u64 aperture_offset;
	u32 epoch; /* of the device; of shared ones */
	u32 kind; /* DRM_TRANCHE_GEM_* */
	enum tranche_shape shape;
	bool is_granted; /* the host has it; its answer: */
	u64 control_seq;
	u64 used;
	u32 hint; /* destroyed when this context's ring has been read ... */
	u64 hint_pos; /* ... up to here */
	struct tranche_request *destroy; /* made early, so that it cannot fail */
	struct page *dummy[2]; /* shown when the memory is lost: to write; host page */
	struct list_head link; /* in tranche_context.blocks */
};

/* A channel, and who waits for it. */
struct tranche_context {
	struct kref ref; /* of the session's table, and of who uses it */
	struct rcu_head rcu; /* interrupt handlers look at it */
	struct tranche_session *session; /* lives longer */
	u32 id; /* from 1 */
	bool is_live; /* the host has it, and nobody destroys it; session's lock */
	bool adding; /* an event block is under way; likewise */
	u32 nr_blocks; /* of events; likewise */
	struct list_head blocks; /* their objects, counted, the channel first; likewise */
	struct trnc_user_page *user;
	struct trnc_host_page *host;
	struct trnc_kernel_page *kernel;
	struct tranche_request *destroy; /* made early, so that it cannot fail */
	spinlock_t lock; /* protects waiters, and writes to the kernel page */
	struct list_head waiters; /* struct tranche_waiter */
	wait_queue_head_t queue; /* of their threads */
};

static inline struct tranche_device *to_tranche(struct drm_device *drm)
{
	return container_of(drm, struct tranche_device, drm);
}

static inline struct tranche_object *to_object(struct drm_gem_object *gem)
{
	return container_of(gem, struct tranche_object, base);
}

/* drm_dev_enter() until the end of the block: CLASS(tranche_use, use)(tdev); if (!use.ok) */
struct tranche_use {
	bool ok;
	int idx;
};

static inline struct tranche_use tranche_enter(struct tranche_device *tdev)
{
	struct tranche_use use = { };

	use.ok = drm_dev_enter(&tdev->drm, &use.idx);
	return use;
}

DEFINE_CLASS(tranche_use, struct tranche_use, _T.ok ? drm_dev_exit(_T.idx) : (void)0,
	     tranche_enter(tdev), struct tranche_device *tdev)

/* tranche_drv.c */
void tranche_device_stop(struct tranche_device *tdev, int error);
bool tranche_device_check(struct tranche_device *tdev);
void tranche_device_reset(struct tranche_device *tdev, const char *why);
void tranche_device_retry(struct tranche_device *tdev);
void *tranche_probe_find(struct tranche_device *tdev, u32 *ret_len);

/* tranche_control.c */
int tranche_control_init(struct tranche_device *tdev);
void tranche_control_start(struct tranche_device *tdev);
void tranche_control_stop(struct tranche_device *tdev, int error);
void tranche_control_kick(struct tranche_device *tdev);
void tranche_control_watch(struct tranche_device *tdev);
void tranche_control_wake(struct tranche_device *tdev, u64 sessions);
irqreturn_t tranche_irq(int irq, void *data);
struct tranche_request *tranche_request_new(struct tranche_device *tdev, u32 type);
void tranche_request_put(struct tranche_request *req);
void tranche_request_submit(struct tranche_request *req, struct tranche_session *session);
int tranche_request_wait(struct tranche_request *req);
int tranche_request_call(struct tranche_request *req, struct tranche_session *session);
DEFINE_FREE(tranche_request, struct tranche_request *, tranche_request_put(_T))

/* tranche_session.c */
int tranche_open(struct drm_device *drm, struct drm_file *file);
int tranche_release(struct inode *inode, struct file *filp);
void tranche_postclose(struct drm_device *drm, struct drm_file *file);
void tranche_show_fdinfo(struct drm_printer *p, struct drm_file *file);
struct tranche_session *tranche_session_of(struct drm_file *file);
void tranche_session_put(struct tranche_session *session);
void tranche_session_free_slot(struct tranche_session *session);
void tranche_session_lose(struct tranche_session *session, u32 lost,
			  const struct trnc_error_body *why);
void tranche_session_wake(struct tranche_session *session);
bool tranche_session_lost(struct tranche_device *tdev, const struct trnc_control_slot *slot);
drm_ioctl_t tranche_session_create;

/* tranche_gem.c */
extern const struct drm_gem_object_funcs tranche_gem_funcs;
struct tranche_object *tranche_object_new(struct tranche_device *tdev,
					  struct tranche_session *session, u64 size, u32 kind,
					  enum tranche_shape shape);
void tranche_object_put(struct tranche_object *obj);
bool tranche_object_is_lost(struct tranche_object *obj);
u64 tranche_object_offset(struct tranche_object *obj);
int tranche_object_lookup(struct drm_file *file, u32 handle, u64 offset, u64 len,
			  struct tranche_object **ret_obj);
void tranche_session_detach_all(struct tranche_session *session);
drm_ioctl_t tranche_gem_create, tranche_gem_destroy, tranche_gem_info;
DEFINE_FREE(tranche_object, struct tranche_object *, tranche_object_put(_T))

/* tranche_mmap.c */
void tranche_zap(struct tranche_device *tdev, struct tranche_session *session);
int tranche_mmap(struct file *filp, struct vm_area_struct *vma);
int tranche_object_mmap(struct drm_gem_object *gem, struct vm_area_struct *vma);

/* tranche_context.c */
struct tranche_context *tranche_context_get(struct tranche_session *session, u32 id);
struct tranche_context *tranche_context_get_live(struct drm_file *file, u32 id);
void tranche_context_put(struct tranche_context *ctx);
void tranche_context_drop(struct tranche_context *ctx);
drm_ioctl_t tranche_context_create, tranche_context_destroy, tranche_event_block_add;
drm_ioctl_t tranche_output_set, tranche_program_build, tranche_program_query;
DEFINE_FREE(tranche_context, struct tranche_context *, tranche_context_put(_T))

/* tranche_wait.c */
void tranche_context_wake(struct tranche_context *ctx);
void tranche_context_prune(struct tranche_context *ctx, bool all);
drm_ioctl_t tranche_wait, tranche_wake, tranche_doorbell, tranche_eventfd;

/* tranche_ioctl.c */
extern const struct drm_driver tranche_driver;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a driver of mediated devices implements, and what the holder of an open device may call.
 *
 * The table joins drivers (src/parents) with servers (a vfio-user socket, a compute socket) that do not know
 * each other.  Regions and interrupts are addressed by index; what an index means is agreed between the two by
 * device_api ("vfio-pci": the indices of VFIO's PCI devices; "compute": none).
 *
 * Life of a device:  init -> [ open -> (region_*, irq_*, dma_*, reset) -> close ]* -> release
 */
#ifndef TRANCHE_DEVICE_H
#define TRANCHE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tranche/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct trn_device;
struct trn_use;

#define TRN_REGION_READ (1u << 0)
#define TRN_REGION_WRITE (1u << 1)
#define TRN_REGION_MMAP (1u << 2)

/* Half-open range [start, start + len) of bytes. */
struct trn_span {
	uint64_t start;
	uint64_t len;
};

/**
 * struct trn_device_info - what kind of device it is
 * @flags:      TRN_DEVICE_*
 * @nr_regions: regions have the indices [0, @nr_regions); some may be absent (size 0)
 * @nr_irqs:    kinds of interrupts have the indices [0, @nr_irqs); some may be absent (count 0)
 */
struct trn_device_info {
	uint32_t flags;
	uint32_t nr_regions;
	uint32_t nr_irqs;
};

#define TRN_DEVICE_RESET (1u << 0) /* trn_use_reset() works */
#define TRN_DEVICE_PCI (1u << 1)   /* indices are those of VFIO's PCI devices */

/* One region of a device; size 0: the device has no such region. */
struct trn_region_info {
	uint64_t size; /* in bytes */
	uint32_t flags; /* TRN_REGION_* */
};

/*
 * A list of capabilities that grows, in the form of VFIO's capability chains: an id, a version, and data that
 * only those who know the id understand.  Made by who asks, filled by drivers with trn_caps_add().
 */
struct trn_caps;

#define TRN_CAPS_OF_DEVICE UINT32_MAX /* in place of a region's index */

/**
 * struct trn_ioeventfd - a write to a region that only has to wake somebody
 * @offset:        in the region
 * @size:          of the write in bytes: 1, 2, 4, 8, or 0 for any
 * @datamatch:     with TRN_IOEVENTFD_DATAMATCH: only this value counts
 * @flags:         TRN_IOEVENTFD_*
 * @fd:            eventfd that is signalled; a new duplicate, the asker's
 * @shadow_fd:     memory into which the value is written before the signal, likewise the asker's; -1: none
 * @shadow_offset: in @shadow_fd
 */
struct trn_ioeventfd {
	uint64_t offset;
	uint64_t datamatch;
	uint64_t shadow_offset;
	uint32_t size;
	uint32_t flags;
	int fd;
	int shadow_fd;
};

#define TRN_IOEVENTFD_DATAMATCH (1u << 0)
#define TRN_IOEVENTFD_PIO (1u << 1) /* the region is an I/O BAR */

#define TRN_IRQ_EVENTFD (1u << 0)   /* can be wired to an eventfd */
#define TRN_IRQ_MASKABLE (1u << 1)  /* mask and unmask work */
#define TRN_IRQ_AUTOMASKED (1u << 2) /* masks itself when it fires (level triggered) */
#define TRN_IRQ_NORESIZE (1u << 3)  /* the number in use is fixed while any is wired */

/* One kind of interrupt of a device; count 0: the device has no such kind. */
struct trn_irq_info {
	uint32_t count;
	uint32_t flags;
};

enum trn_irq_action { TRN_IRQ_MASK, TRN_IRQ_UNMASK, TRN_IRQ_TRIGGER };
enum trn_irq_data { TRN_IRQ_DATA_NONE, TRN_IRQ_DATA_BOOL, TRN_IRQ_DATA_EVENTFD };

/**
 * struct trn_irq_set - a change to interrupts [start, start + count) of one kind
 * @index:  the kind
 * @action: mask, unmask, or trigger; TRIGGER with fds wires, with bools fires those that are not 0, with no data
 *          fires all, and with no data and count 0 unwires the whole kind
 * @data:   which of @bools and @fds is given
 * @bools:  @count bytes, 0 or not
 * @fds:    @count eventfds, -1 unwires one; they stay the caller's, a driver that keeps one duplicates it
 */
struct trn_irq_set {
	uint32_t index;
	uint32_t start;
	uint32_t count;
	enum trn_irq_action action;
	enum trn_irq_data data;
	const uint8_t *bools;
	const int *fds;
};

#define TRN_DMA_READ (1u << 0)
#define TRN_DMA_WRITE (1u << 1)

/* Memory of the holder that the device may touch: [iova, iova + len) is at offset in fd (-1: not mappable). */
struct trn_dma_map {
	uint64_t iova;
	uint64_t len;
	uint64_t offset;
	int fd; /* stays the caller's; a driver that keeps it duplicates it */
	uint32_t flags; /* TRN_DMA_* */
};

/**
 * struct trn_dma_request - a device reads or writes memory of its holder
 * @iova:     address, with @len inside memory that the holder has offered (it may span several offers)
 * @len:      in bytes, > 0
 * @buf:      @len bytes, the asker's, untouched by it until the end
 * @is_write: to the holder's memory
 * @done:     called once when trn_use_dma() has returned 1: by any thread, without locks, also while the use closes
 *            (then with -ECANCELED). @result: 0 or a negative errno. Must not block
 * @data:     the asker's
 *
 * The struct is the asker's and stays in place until the end.
 */
struct trn_dma_request {
	uint64_t iova;
	size_t len;
	void *buf;
	int is_write;
	void (*done)(struct trn_dma_request *req, int result);
	void *data;
	struct trn_dma_request *next; /* the holder's, between start and end */
	uint64_t cookie;	      /* likewise */
};

/**
 * struct trn_dma_ops - how a device reaches memory of its holder; given by the holder with trn_use_set_dma_ops()
 * @access: as trn_use_dma(); any thread
 */
struct trn_dma_ops {
	int (*access)(struct trn_use *use, struct trn_dma_request *req);
};

/* --- Migration: the states, arcs and rules of VFIO's migration protocol, version 2. --- */

enum trn_mig_state {
	TRN_MIG_ERROR = 0, /* only a reset leads out */
	TRN_MIG_STOP = 1,
	TRN_MIG_RUNNING = 2,
	TRN_MIG_STOP_COPY = 3,
	TRN_MIG_RESUMING = 4,
	TRN_MIG_RUNNING_P2P = 5, /* starts nothing of its own: no DMA, no interrupt */
	TRN_MIG_PRE_COPY = 6,
	TRN_MIG_PRE_COPY_P2P = 7,
	TRN_NR_MIG_STATES
};

#define TRN_MIG_CAN_STOP_COPY (1u << 0) /* mandatory */
#define TRN_MIG_CAN_P2P (1u << 1)
#define TRN_MIG_CAN_PRE_COPY (1u << 2)

/**
 * struct trn_mig_sizes - how much there is to move, in bytes; estimates
 * @initial:   what pre-copy has not yet given of its first pass; 0 outside of pre-copy
 * @dirty:     what has changed since pre-copy gave it; 0 outside of pre-copy
 * @stop_copy: what STOP_COPY would give now
 */
struct trn_mig_sizes {
	uint64_t initial;
	uint64_t dirty;
	uint64_t stop_copy;
};

/**
 * struct trn_migration_ops - how a device is moved; for the rules see the trn_use_mig_* functions
 *
 * All calls but flags_of are mandatory.  That one is for a table that serves several kinds of devices: it says which of
 * flags this one has, 0 when it cannot be moved.
 */
struct trn_migration_ops {
	uint32_t flags; /* TRN_MIG_CAN_* */
	uint32_t (*flags_of)(struct trn_use *use);
	int (*get_state)(struct trn_use *use, enum trn_mig_state *ret);
	int (*set_state)(struct trn_use *use, enum trn_mig_state to, struct trn_error *err);
	ssize_t (*read)(struct trn_use *use, void *buf, size_t len);
	int (*write)(struct trn_use *use, const void *buf, size_t len, struct trn_error *err);
	int (*sizes)(struct trn_use *use, struct trn_mig_sizes *ret);
};

/**
 * struct trn_dma_log_ops - which memory of the holder a device has written; all calls are mandatory, see trn_use_dma_log_*
 */
struct trn_dma_log_ops {
	int (*start)(struct trn_use *use, uint64_t page_size, const struct trn_span *ranges, size_t nr,
		     struct trn_error *err);
	void (*stop)(struct trn_use *use);
	int (*report)(struct trn_use *use, uint64_t iova, uint64_t len, uint64_t page_size, uint8_t *bitmap);
};

/**
 * struct trn_device_ops - a driver of mediated devices
 *
 * The table must live as long as any device made with it; declare it static const.  Its address tells the
 * drivers apart.  No lock of the core is held during any call, so every call may use the public functions,
 * except where said.  Calls through one use come one at a time only if its holder takes care of that; calls
 * through several uses may run at the same time.  Return: 0 or a negative errno, unless said otherwise.
 */
struct trn_device_ops {
	/* Prefix of the type names, [A-Za-z0-9_]; mandatory. */
	const char *name;
	/* Which kind of server can serve the devices ("vfio-pci", "compute"); mandatory. */
	const char *device_api;

	/*
	 * Called by trn_device_create(), once, before anybody can find the device; may block.  Makes what the
	 * device owns and remembers it with trn_device_set_priv().  On failure it leaves nothing behind and fills
	 * @err; release is not called then.  Mandatory.  Opposite: release.
	 */
	int (*init)(struct trn_device *dev, struct trn_error *err);
	/*
	 * Called once, when the last reference is gone; by whichever thread dropped it; nobody uses the device.
	 * Afterwards its share of the parent's capacity is free.  May not take a reference.  Mandatory.
	 */
	void (*release)(struct trn_device *dev);

	/*
	 * Called for each use, before it exists for its holder.  trn_use_priv() is what the opener gave.
	 * NULL: nothing to do (then close is NULL too).  Opposite: close, which is not called when open fails.
	 */
	int (*open)(struct trn_use *use, struct trn_error *err);
	/* Called once by trn_use_close(), after the holder's last call through this use.  Cannot fail; may block. */
	void (*close)(struct trn_use *use);

	/*
	 * Asks all holders to leave, because somebody wants to remove the device: called at once and then
	 * repeatedly, with @nr_asked = 0, 1, 2 ..., until they left or the remover gave up.  Must not block; may
	 * close uses itself.  NULL: holders cannot be asked, only waited for.
	 */
	void (*request)(struct trn_device *dev, unsigned int nr_asked);

	/* Puts the device into the state that it has after init; keeps DMA maps and interrupt wiring.
	 * NULL: trn_use_reset() answers -EOPNOTSUPP. */
	int (*reset)(struct trn_use *use);

	/* Says what the device is.  NULL: flags and numbers are 0. */
	void (*info)(struct trn_use *use, struct trn_device_info *ret);
	/* Adds capabilities of region @index, or of the device (TRN_CAPS_OF_DEVICE), except the list of what may be
	 * mapped, which the server makes of region_areas. NULL: none. */
	int (*caps)(struct trn_use *use, uint32_t index, struct trn_caps *caps);

	/* Describes region @index; unknown indices have size 0.  NULL: the device has no regions (then region_rw
	 * and region_fd are NULL too). */
	int (*region_info)(struct trn_use *use, uint32_t index, struct trn_region_info *ret);
	/*
	 * Reads or writes [@offset, @offset + @len) of region @index, which the caller has checked against
	 * region_info (also the direction); any length and alignment.  Mandatory with region_info.
	 */
	int (*region_rw)(struct trn_use *use, uint32_t index, uint64_t offset, void *buf, size_t len, int is_write);
	/* Gives a new CLOEXEC fd, the caller's, in which the areas of region @index lie from *@ret_offset on.
	 * NULL: no region has TRN_REGION_MMAP.  Return: fd or -errno. */
	int (*region_fd)(struct trn_use *use, uint32_t index, uint64_t *ret_offset);
	/* Says which parts of a region with TRN_REGION_MMAP may be mapped now: fills at most @max of @ret with
	 * page-aligned spans, in rising order, that neither touch nor overlap.  NULL: all of it.  Return: how many there
	 * are (> @max: ask again with more room) or -errno. */
	ssize_t (*region_areas)(struct trn_use *use, uint32_t index, struct trn_span *ret, size_t max);
	/* Gives the ioeventfds of region @index: fills at most @max of @ret.  NULL: none has any.  Return: how many
	 * there are (> @max: none was filled in) or -errno. */
	ssize_t (*region_ioeventfds)(struct trn_use *use, uint32_t index, struct trn_ioeventfd *ret, size_t max);

	/* Describes interrupts of kind @index; unknown kinds have count 0.  NULL: none (then set_irqs is NULL). */
	int (*irq_info)(struct trn_use *use, uint32_t index, struct trn_irq_info *ret);
	/* Changes what @set says, all or nothing; the range was checked.  Mandatory with irq_info. */
	int (*set_irqs)(struct trn_use *use, const struct trn_irq_set *set);

	/* The holder offers or withdraws memory.  dma_unmap returns after the last access.  Both or none; NULL: the
	 * device never touches its holder's memory, both calls then succeed and do nothing. */
	int (*dma_map)(struct trn_use *use, const struct trn_dma_map *map);
	int (*dma_unmap)(struct trn_use *use, uint64_t iova, uint64_t len);
	/* trn_use_dma() is never called either: a server keeps none of the holder's memory, neither mapped nor open. */
	bool never_dma;

	/* NULL: the device cannot be moved; does not log. */
	const struct trn_migration_ops *migration;
	const struct trn_dma_log_ops *dma_log;
};

/* --- For holders: what can be done with an open device (trn_device_open() in mdev.h makes a use). --- */

/**
 * trn_use_close - end a use
 * @use: from trn_device_open(); NULL is accepted; invalid afterwards
 *
 * Waits for nobody; the caller makes sure that no other call through @use runs.  Calls the driver's close.
 * Threads: any; also from a device callback.
 */
void trn_use_close(struct trn_use *use);

/**
 * trn_use_device - the device of a use
 * @use: open
 *
 * Return: the device; no reference is taken, it is valid while @use is open.
 */
struct trn_device *trn_use_device(const struct trn_use *use);

/**
 * trn_use_holder - who opened the device, as given to trn_device_open()
 * @use: open
 *
 * Return: string, valid while @use is open.
 */
const char *trn_use_holder(const struct trn_use *use);

/**
 * trn_use_priv - the pointer that the opener or the driver's open attached
 * @use: open
 *
 * Return: the pointer, perhaps NULL. Threads: any; ordered by the caller with trn_use_set_priv().
 */
void *trn_use_priv(const struct trn_use *use);

/**
 * trn_use_set_priv - attach a pointer to a use
 * @use:  open, or in the driver's open
 * @priv: stays the caller's
 */
void trn_use_set_priv(struct trn_use *use, void *priv);

/**
 * trn_use_reset - put the device into the state after init
 * @use: open
 *
 * Return: 0, -EOPNOTSUPP when the driver cannot, or the driver's negative errno.
 */
int trn_use_reset(struct trn_use *use);

/**
 * trn_use_info - what kind of device it is
 * @use: open
 * @ret: out
 */
void trn_use_info(struct trn_use *use, struct trn_device_info *ret);

/**
 * trn_use_caps - capabilities of a region or of the device
 * @use:   open
 * @index: of a region, or TRN_CAPS_OF_DEVICE
 * @caps:  from trn_caps_new(); receives them behind what it has
 *
 * Return: 0, -ENOMEM, or the driver's negative errno.
 */
int trn_use_caps(struct trn_use *use, uint32_t index, struct trn_caps *caps);

/**
 * trn_caps_new - an empty list of capabilities
 *
 * Return: the list, or NULL without memory. Opposite: trn_caps_free().
 */
struct trn_caps *trn_caps_new(void);

/**
 * trn_caps_free - drop a list
 * @caps: NULL is accepted
 */
void trn_caps_free(struct trn_caps *caps);

/**
 * trn_caps_add - add a capability at the end
 * @caps:    the list
 * @id:      as VFIO numbers them
 * @version: of the format of @data
 * @data:    what follows the header; copied
 * @len:     in bytes, at most 64 KiB; the next capability begins at a multiple of 8
 *
 * Return: 0, -EINVAL (too long), -ENOMEM.
 */
int trn_caps_add(struct trn_caps *caps, uint16_t id, uint16_t version, const void *data, size_t len);

/**
 * trn_caps_len - how long the chain is
 * @caps: the list
 *
 * Return: bytes of trn_caps_write(), a multiple of 8; 0: empty.
 */
size_t trn_caps_len(const struct trn_caps *caps);

/**
 * trn_caps_write - the list as VFIO's chain
 * @caps: the list, not empty
 * @buf:  receives trn_caps_len() bytes: each capability with its header (struct vfio_info_cap_header)
 * @base: where @buf will lie in the structure that it is part of: the "next" offsets count from there
 */
void trn_caps_write(const struct trn_caps *caps, void *buf, uint32_t base);

/**
 * trn_use_region_info - describe a region
 * @use:   open
 * @index: any number
 * @ret:   out; size 0 when there is no such region
 *
 * Return: 0 or the driver's negative errno.
 */
int trn_use_region_info(struct trn_use *use, uint32_t index, struct trn_region_info *ret);

/**
 * trn_use_region_read - read bytes of a region
 * @use:    open
 * @index:  any number
 * @offset: in bytes, with @len inside the region; any alignment
 * @buf:    receives @len bytes
 * @len:    in bytes; 0 does nothing
 *
 * Return: 0, -EINVAL (no such region, or outside it), -EACCES (write-only), or the driver's negative errno.
 */
int trn_use_region_read(struct trn_use *use, uint32_t index, uint64_t offset, void *buf, size_t len);

/**
 * trn_use_region_write - write bytes of a region
 * @use, @index, @offset, @len: as trn_use_region_read()
 * @buf:    @len bytes
 *
 * Return: as trn_use_region_read(), -EACCES for a read-only region.
 */
int trn_use_region_write(struct trn_use *use, uint32_t index, uint64_t offset, const void *buf, size_t len);

/**
 * trn_use_region_fd - get what can be mapped of a region
 * @use:        open
 * @index:      any number
 * @ret_offset: out; where the region's byte 0 lies in the fd; untouched on failure
 *
 * Only the areas that trn_use_region_areas() names may be mapped.
 * Return: a new CLOEXEC fd, the caller's; -EINVAL (no such region), -EOPNOTSUPP (cannot be mapped), or the
 * driver's negative errno.
 */
int trn_use_region_fd(struct trn_use *use, uint32_t index, uint64_t *ret_offset);

/**
 * trn_use_region_areas - which parts of a region may be mapped
 * @use:   open
 * @index: any number
 * @ret:   receives at most @max page-aligned spans in rising order
 * @max:   room in @ret
 *
 * Return: how many there are (more than @max: ask again with more room), -EINVAL (no such region), -EOPNOTSUPP (cannot
 * be mapped), or the driver's negative errno.
 */
ssize_t trn_use_region_areas(struct trn_use *use, uint32_t index, struct trn_span *ret, size_t max);

/**
 * trn_use_region_ioeventfds - which writes to a region only have to wake somebody
 * @use:   open
 * @index: any number
 * @ret:   receives at most @max of them, with new descriptors, the caller's
 * @max:   room in @ret
 *
 * Return: how many there are (more than @max: none was given), -EINVAL (no such region), or the driver's negative errno.
 */
ssize_t trn_use_region_ioeventfds(struct trn_use *use, uint32_t index, struct trn_ioeventfd *ret, size_t max);

/**
 * trn_use_irq_info - describe a kind of interrupt
 * @use:   open
 * @index: any number
 * @ret:   out; count 0 when there is no such kind
 *
 * Return: 0 or the driver's negative errno.
 */
int trn_use_irq_info(struct trn_use *use, uint32_t index, struct trn_irq_info *ret);

/**
 * trn_use_set_irqs - wire, unwire, mask or fire interrupts
 * @use: open
 * @set: what to do; all or nothing
 *
 * Return: 0, -EINVAL (no such kind, range outside it, or data that does not go with the action), -ENOTTY (mask or unmask of a
 * kind that is not maskable), or the driver's negative errno.
 */
int trn_use_set_irqs(struct trn_use *use, const struct trn_irq_set *set);

/**
 * trn_use_dma_map - let the device touch memory of the holder
 * @use: open
 * @map: what and where; len > 0, neither range may overflow
 *
 * Return: 0 (also when the device never touches such memory), -EINVAL, or the driver's negative errno.
 */
int trn_use_dma_map(struct trn_use *use, const struct trn_dma_map *map);

/**
 * trn_use_never_dma - does the device never touch its holder's memory?
 * @use: open
 *
 * Return: never_dma of its struct trn_device_ops.
 */
bool trn_use_never_dma(const struct trn_use *use);

/**
 * trn_use_dma_unmap - take memory back
 * @use:  open
 * @iova: with @len a range that was mapped
 * @len:  in bytes, > 0
 *
 * After it returns the device does not touch the memory any more.
 * Return: 0, -EINVAL, or the driver's negative errno.
 */
int trn_use_dma_unmap(struct trn_use *use, uint64_t iova, uint64_t len);

/**
 * trn_use_set_dma_ops - let the device reach memory that was offered
 * @use: open; before the first trn_use_dma_map()
 * @ops: must live as long as @use; NULL: there is no memory (as after trn_device_open())
 */
void trn_use_set_dma_ops(struct trn_use *use, const struct trn_dma_ops *ops);

/**
 * trn_use_dma - for drivers: read or write memory of the holder
 * @use: open
 * @req: what; stays in place until the end
 *
 * Never waits for the holder: what cannot be done at once goes on behind, which also holds in a region callback.
 * Threads: any.
 * Return: 0 done (@req's done is not called), 1 under way (it will be), -EFAULT (not all of it is offered for that
 * direction), -EBUSY (too many under way), -EOPNOTSUPP (the holder has no memory), -EINVAL, -ENOMEM.
 */
int trn_use_dma(struct trn_use *use, struct trn_dma_request *req);

/**
 * trn_use_mig_flags - how the device can be moved
 * @use: open
 *
 * Return: TRN_MIG_CAN_*; 0: not at all (then the other calls give -EOPNOTSUPP).
 */
uint32_t trn_use_mig_flags(struct trn_use *use);

/**
 * trn_use_mig_get_state - the state of migration
 * @use: open
 * @ret: out; untouched on failure
 *
 * Return: 0, -EOPNOTSUPP, or the driver's negative errno.
 */
int trn_use_mig_get_state(struct trn_use *use, enum trn_mig_state *ret);

/**
 * trn_use_mig_set_state - go to another state, over those between
 * @use: open
 * @to:  any number is checked
 * @err: optional
 *
 * When it fails the device may rest in a state between: ask.
 * Return: 0, -EINVAL (no such state, one that the device does not have, no way there, or what was written while
 * RESUMING is not a whole stream of such a device), -EOPNOTSUPP, or the driver's negative errno.
 */
int trn_use_mig_set_state(struct trn_use *use, enum trn_mig_state to, struct trn_error *err);

/**
 * trn_use_mig_read - get a piece of the device's state
 * @use: open; in PRE_COPY, PRE_COPY_P2P or STOP_COPY
 * @buf: receives at most @len bytes
 * @len: > 0
 *
 * Return: number of bytes; 0: that was all (STOP_COPY); -ENOMSG: nothing more now (pre-copy); -EAGAIN: DMA that began before
 * the device was stopped is still under way; -EINVAL (another state), -EOPNOTSUPP, or the driver's negative errno.
 */
ssize_t trn_use_mig_read(struct trn_use *use, void *buf, size_t len);

/**
 * trn_use_mig_write - give a piece of a device's state
 * @use: open; in RESUMING
 * @buf: @len bytes, in pieces of any size
 * @len: in bytes
 * @err: optional
 *
 * What can be refused early is refused here, with the device's state untouched.
 * Return: 0, -EINVAL (another state, or not a stream of such a device), -EFBIG, -EOPNOTSUPP, -ENOMEM, or the driver's
 * negative errno.
 */
int trn_use_mig_write(struct trn_use *use, const void *buf, size_t len, struct trn_error *err);

/**
 * trn_use_mig_sizes - how much there is to move
 * @use: open
 * @ret: out; untouched on failure
 *
 * Return: 0, -EOPNOTSUPP, or the driver's negative errno.
 */
int trn_use_mig_sizes(struct trn_use *use, struct trn_mig_sizes *ret);

/**
 * trn_use_dma_log_start - note which memory of the holder the device writes, from now on
 * @use:       open
 * @page_size: wanted; the driver may take another
 * @ranges:    of addresses; @nr 0: all
 * @nr:        number of @ranges
 * @err:       optional
 *
 * Return: 0, -EINVAL (page size no power of two, ranges that are empty, unaligned or overlap, or logging already),
 * -EOVERFLOW (a range leaves the address space), -E2BIG (too many), -EOPNOTSUPP, -ENOMEM, or the driver's negative errno.
 */
int trn_use_dma_log_start(struct trn_use *use, uint64_t page_size, const struct trn_span *ranges, size_t nr,
			  struct trn_error *err);

/**
 * trn_use_dma_log_stop - note no more, forget what was noted
 * @use: open; may be called twice
 *
 * Return: 0 or -EOPNOTSUPP.
 */
int trn_use_dma_log_stop(struct trn_use *use);

/**
 * trn_use_dma_log_report - which pages were written since the last report
 * @use:       open
 * @iova:      multiple of @page_size
 * @len:       likewise, > 0
 * @page_size: a power of two, at least 4096; of the bits
 * @bitmap:    one bit a page, least significant first; bits are set, never cleared
 *
 * The device forgets what it has reported.  After an error all must be taken as written.
 * Return: 0, -EINVAL (not logging, unaligned), -EOVERFLOW, -EOPNOTSUPP, or the driver's negative errno.
 */
int trn_use_dma_log_report(struct trn_use *use, uint64_t iova, uint64_t len, uint64_t page_size, uint8_t *bitmap);

#ifdef __cplusplus
}
#endif
#endif

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

#include <stddef.h>
#include <stdint.h>

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
 * struct trn_region_info - one region of a device
 * @size:     in bytes; 0: the device has no such region
 * @flags:    TRN_REGION_*
 * @areas:    which parts may be mapped, page-aligned, in rising order; NULL with TRN_REGION_MMAP: all of it.
 *            Owned by the driver, valid until the device's release
 * @nr_areas: number of @areas
 */
struct trn_region_info {
	uint64_t size;
	uint32_t flags;
	uint32_t nr_areas;
	const struct trn_span *areas;
};

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

	/* Describes interrupts of kind @index; unknown kinds have count 0.  NULL: none (then set_irqs is NULL). */
	int (*irq_info)(struct trn_use *use, uint32_t index, struct trn_irq_info *ret);
	/* Changes what @set says, all or nothing; the range was checked.  Mandatory with irq_info. */
	int (*set_irqs)(struct trn_use *use, const struct trn_irq_set *set);

	/* The holder offers or withdraws memory.  dma_unmap returns after the last access.  Both or none; NULL: the
	 * device never touches its holder's memory, both calls then succeed and do nothing. */
	int (*dma_map)(struct trn_use *use, const struct trn_dma_map *map);
	int (*dma_unmap)(struct trn_use *use, uint64_t iova, uint64_t len);
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
 * Only the areas that trn_use_region_info() names may be mapped.
 * Return: a new CLOEXEC fd, the caller's; -EINVAL (no such region), -EOPNOTSUPP (cannot be mapped), or the
 * driver's negative errno.
 */
int trn_use_region_fd(struct trn_use *use, uint32_t index, uint64_t *ret_offset);

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
 * Return: 0, -EINVAL (no such kind, range outside it, or data that does not go with the action), or the
 * driver's negative errno.
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
 * trn_use_dma_unmap - take memory back
 * @use:  open
 * @iova: with @len a range that was mapped
 * @len:  in bytes, > 0
 *
 * After it returns the device does not touch the memory any more.
 * Return: 0, -EINVAL, or the driver's negative errno.
 */
int trn_use_dma_unmap(struct trn_use *use, uint64_t iova, uint64_t len);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: MIT */
/*
 * The PCI device library: configuration space, BARs, capabilities, interrupts, reset and migration of a device that is
 * made in software, with the semantics that VFIO gives to a real one.
 *
 * How to write a device: in the init call of struct trn_device_ops make a struct trn_pci with trn_pci_create(), add BARs
 * and capabilities, and finish with trn_pci_realize().  Let the other calls of the table point to the trn_pci_op_*
 * functions; a driver that wants one to be different puts its own function there, which does its own part and calls
 * the trn_pci_op_* function for the rest.  Nothing else of the library is open to drivers.
 *
 * Locking: each device has one lock, which the library holds during every call of struct trn_pci_ops and of the structs
 * below.  A driver's own threads, timers and event loops take it with trn_pci_lock().  It may be taken again by the thread
 * that has it, so all trn_pci_* functions may be called with it and without, except trn_pci_destroy() and trn_pci_unmap(),
 * which wait for threads that want it.  A driver never waits while holding it.
 *
 * "BAR" below is an index from 0 to 5; a 64-bit BAR takes the next index too.
 */
#ifndef TRANCHE_PCI_H
#define TRANCHE_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tranche/device.h"
#include "tranche/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct trn_pci;

#define TRN_PCI_DEVICE_API "vfio-pci"

/* Indices of regions, and of kinds of interrupts, as VFIO numbers them. */
enum trn_pci_region {
	TRN_PCI_REGION_BAR0 = 0, /* up to 5 */
	TRN_PCI_REGION_ROM = 6,
	TRN_PCI_REGION_CONFIG = 7,
	TRN_PCI_REGION_VGA = 8,
	TRN_PCI_REGION_FIRST_OWN = 9, /* from here on: the device's own, trn_pci_add_region() */
};

enum trn_pci_irq { TRN_PCI_IRQ_INTX, TRN_PCI_IRQ_MSI, TRN_PCI_IRQ_MSIX, TRN_PCI_IRQ_ERR, TRN_PCI_IRQ_REQ, TRN_PCI_NR_IRQS };

/* --- Making a device --- */

struct trn_pci_ids {
	uint16_t vendor;
	uint16_t device;
	uint16_t subsystem_vendor;
	uint16_t subsystem;
	uint32_t class_code; /* 24 bits: class, subclass, programming interface */
	uint8_t revision;
};

/* What a device does at the moment; each includes what the later ones forbid. */
enum trn_pci_activity {
	TRN_PCI_ACTIVE, /* everything */
	TRN_PCI_QUIET,	/* answers accesses, starts no DMA and no interrupt of its own */
	TRN_PCI_STOPPED, /* its state does not change */
};

/**
 * struct trn_pci_ops - what a driver does for its device; all optional, called with the device's lock held
 * @reset:    registers and inner state become as after init, the content of memory that the library made too if the
 *            device wants that; the library has already reset configuration space and interrupts
 * @activity: what the device may do has changed (migration)
 * @enabled:  memory or I/O accesses or bus mastering were switched in the command register; ask with trn_pci_command()
 * @opened:   somebody has opened the device
 * @closed:   the last holder has closed it
 */
struct trn_pci_ops {
	void (*reset)(struct trn_pci *pci);
	void (*activity)(struct trn_pci *pci, enum trn_pci_activity activity);
	void (*enabled)(struct trn_pci *pci);
	int (*opened)(struct trn_pci *pci, struct trn_error *err);
	void (*closed)(struct trn_pci *pci);
};

#define TRN_PCI_EXPRESS (1u << 0)	/* configuration space of 4096 bytes instead of 256 */
#define TRN_PCI_INTX (1u << 1)		/* has the interrupt pin A */
#define TRN_PCI_ASK_TO_LEAVE (1u << 2)	/* tells the holder by REQ that it should leave; QEMU then unplugs the device */
#define TRN_PCI_ERR (1u << 3)		/* has the ERR interrupt, for trn_pci_signal_error() */

struct trn_pci_migration;

/**
 * struct trn_pci_params - what a PCI device is
 * @ids:       as in configuration space
 * @flags:     TRN_PCI_*
 * @ops:       lives as long as the device; may be NULL
 * @migration: how the driver's own state is moved; NULL: the device cannot be migrated. Lives as long as the device
 * @priv:      for trn_pci_priv()
 */
struct trn_pci_params {
	struct trn_pci_ids ids;
	uint32_t flags;
	const struct trn_pci_ops *ops;
	const struct trn_pci_migration *migration;
	void *priv;
};

/**
 * trn_pci_create - begin to make a PCI device
 * @dev:    in its driver's init; its private pointer (trn_device_set_priv()) becomes the library's
 * @params: copied
 * @ret:    out; untouched on failure
 * @err:    optional
 *
 * Return: 0, -EINVAL (class of more than 24 bits, unknown flags), -ENOMEM. Opposite: trn_pci_destroy().
 */
int trn_pci_create(struct trn_device *dev, const struct trn_pci_params *params, struct trn_pci **ret, struct trn_error *err);

/**
 * trn_pci_realize - the device is complete: its shape is fixed from now on
 * @pci: as made so far
 * @err: optional
 *
 * Without it the device cannot be opened.
 * Return: 0, -EINVAL (the parts do not fit together: an MSI-X table outside of its BAR, ...), -ENOMEM.
 */
int trn_pci_realize(struct trn_pci *pci, struct trn_error *err);

/**
 * trn_pci_destroy - free a device; for the driver's release, and its init when it fails
 * @pci: NULL is accepted
 */
void trn_pci_destroy(struct trn_pci *pci);

/**
 * trn_pci_of - the PCI device of a device
 * @dev: made by a driver that called trn_pci_create()
 *
 * Return: the PCI device.
 */
struct trn_pci *trn_pci_of(const struct trn_device *dev);

/**
 * trn_pci_device - the device of a PCI device
 * @pci: any
 *
 * Return: the device, without a reference.
 */
struct trn_device *trn_pci_device(const struct trn_pci *pci);

/**
 * trn_pci_priv - the driver's own pointer
 * @pci: any
 *
 * Return: what trn_pci_create() was given.
 */
void *trn_pci_priv(const struct trn_pci *pci);

/**
 * trn_pci_lock - take the device's lock; for the driver's own threads and event loops
 * @pci: any
 */
void trn_pci_lock(struct trn_pci *pci);

/**
 * trn_pci_unlock - give the lock back
 * @pci: any
 */
void trn_pci_unlock(struct trn_pci *pci);

/* --- BARs and other regions --- */

#define TRN_PCI_BAR_IO (1u << 0)       /* I/O ports; else memory */
#define TRN_PCI_BAR_64 (1u << 1)       /* 64-bit memory */
#define TRN_PCI_BAR_PREFETCH (1u << 2) /* prefetchable memory */
#define TRN_PCI_BAR_RAM (1u << 3)      /* the library makes memory of @size, which @rw need not know of */
#define TRN_PCI_BAR_MMAP (1u << 4)     /* with RAM: holders may map it */
/*
 * With RAM and @fd: a file that cannot be sealed, as one on a tmpfs of the driver's own.  Who has it open, as every holder that
 * may map it, can cut it off: a touch of what is missing then ends the process with SIGBUS, the device's and the holder's own.
 * So only for a process with one device, which nobody but that device's holder needs.
 */
#define TRN_PCI_BAR_UNSEALED (1u << 5)

/**
 * struct trn_pci_bar - one BAR, or a region of the device's own
 * @size:   in bytes; of a BAR a power of two: I/O 4 to 256, memory at least 16; of RAM at least a page
 * @flags:  TRN_PCI_BAR_*
 * @rw:     reads or writes [@offset, @offset + @len) inside the region, any length and alignment; called for everything
 *          that holders may not map, and with RAM may be NULL: then the memory is accessed. Without RAM it is optional in a
 *          BAR that holds the MSI-X table: what lies beside that reads 0 then. An access of a guest's instruction comes as
 *          one call, unless it crosses a border between these. Return: 0 or a negative errno
 * @areas:  with MMAP: which parts may be mapped now, as region_areas of struct trn_device_ops, at most 4096; what is left
 *          out goes through @rw when there is one, else to the memory. NULL: all
 * @fd:     with RAM: memory of the driver instead (a memfd sealed against shrinking, but for TRN_PCI_BAR_UNSEALED; the library
 *          duplicates it, and fixes its seals); <= 0: none
 * @offset: of the region's first byte in @fd; page-aligned
 */
struct trn_pci_bar {
	uint64_t size;
	uint32_t flags;
	int (*rw)(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write);
	ssize_t (*areas)(struct trn_pci *pci, struct trn_span *ret, size_t max);
	int fd;
	uint64_t offset;
};

/**
 * trn_pci_add_bar - give the device a BAR
 * @pci:   not realized yet
 * @index: 0 to 5; 64-bit: 0 to 4
 * @bar:   copied
 * @err:   optional
 *
 * Return: 0, -EINVAL, -EEXIST (the index is taken), -ENOMEM, or the error of memfd_create(2) or mmap(2).
 */
int trn_pci_add_bar(struct trn_pci *pci, unsigned int index, const struct trn_pci_bar *bar, struct trn_error *err);

/**
 * trn_pci_set_rom - give the device an expansion ROM
 * @pci:  not realized yet
 * @data: copied; the ROM's size is @len rounded up to a power of two, at least 2 KiB
 * @len:  in bytes, 1 to 16 MiB
 * @err:  optional
 *
 * Return: 0, -EINVAL, -EEXIST, -ENOMEM.
 */
int trn_pci_set_rom(struct trn_pci *pci, const void *data, size_t len, struct trn_error *err);

/**
 * trn_pci_add_region - give the device a region that is not a BAR
 * @pci:     not realized yet
 * @type:    of VFIO's type capability: (1 << 31 | PCI vendor) or one of VFIO's own types
 * @subtype: of that type
 * @region:  copied; any size, no I/O, 64 or PREFETCH flag
 * @err:     optional
 *
 * Return: the region's index (>= 9), -EINVAL, -ENOSPC (more than 16 regions), -ENOMEM, or the error of memory.
 */
int trn_pci_add_region(struct trn_pci *pci, uint32_t type, uint32_t subtype, const struct trn_pci_bar *region,
		       struct trn_error *err);

/**
 * trn_pci_ram - memory of a region that the library made or was given
 * @pci:   any
 * @index: of a region with TRN_PCI_BAR_RAM
 *
 * The holder may write to it at any time: copy once, then check.
 * Return: its first byte, valid until trn_pci_destroy(); NULL: the region has no memory.
 */
void *trn_pci_ram(const struct trn_pci *pci, unsigned int index);

/**
 * trn_pci_ram_wrote - the driver has changed memory of a region
 * @pci:    any
 * @index:  of a region with TRN_PCI_BAR_RAM
 * @offset: in bytes, with @len inside the region
 * @len:    in bytes
 *
 * Not needed for correct migration, which compares; harmless.
 */
void trn_pci_ram_wrote(struct trn_pci *pci, unsigned int index, uint64_t offset, uint64_t len);

/**
 * trn_pci_add_ioeventfd - a write to a BAR that only has to wake the driver
 * @pci:   realized or not
 * @index: of a region
 * @ev:    descriptors stay the caller's, the library duplicates them; shadow memory is a memfd sealed against shrinking
 * @err:   optional
 *
 * Holders that can will signal the descriptor without a message; writes that come as messages are handled by the
 * library the same way (they do not reach @rw).
 * Return: 0, -EINVAL (outside of the region, inside the MSI-X table, a size that is not 0, 1, 2, 4 or 8), -EEXIST (overlaps another
 * one with the same value), -ENOSPC (more than 64), or the error of dup(2).
 */
int trn_pci_add_ioeventfd(struct trn_pci *pci, unsigned int index, const struct trn_ioeventfd *ev, struct trn_error *err);

/* --- Capabilities --- */

/**
 * struct trn_pci_cap - one capability of configuration space
 * @id:       of a capability, or extended capability
 * @version:  of an extended capability, 1 to 15
 * @data:     what follows the header (2 bytes, extended: 4); @len bytes; NULL: zeroes
 * @writable: which bits of it a guest may change; @len bytes; NULL: none
 * @len:      in bytes
 * @written:  called after a guest has changed some of it, @offset from the start of @data; NULL: nothing to do
 */
struct trn_pci_cap {
	uint16_t id;
	uint8_t version;
	const void *data;
	const void *writable;
	size_t len;
	void (*written)(struct trn_pci *pci, unsigned int offset, unsigned int len);
};

/**
 * trn_pci_add_cap - add a capability behind the others
 * @pci: not realized yet
 * @cap: data and masks are copied
 * @err: optional
 *
 * For kinds with a meaning (PM, MSI, MSI-X, PCI Express) use the functions below.
 * Return: offset of its header in configuration space, or -EINVAL, -ENOSPC (configuration space is full).
 */
int trn_pci_add_cap(struct trn_pci *pci, const struct trn_pci_cap *cap, struct trn_error *err);

/**
 * trn_pci_add_ext_cap - add an extended capability behind the others
 * @pci: with TRN_PCI_EXPRESS; not realized yet
 * @cap: data and masks are copied
 * @err: optional
 *
 * Return: as trn_pci_add_cap(), from 0x100 on.
 */
int trn_pci_add_ext_cap(struct trn_pci *pci, const struct trn_pci_cap *cap, struct trn_error *err);

/**
 * trn_pci_add_pm - add power management: D0 and D3hot, in which memory, I/O and INTx are off; waking is no reset
 * @pci: not realized yet
 * @err: optional
 *
 * Return: offset, or as trn_pci_add_cap().
 */
int trn_pci_add_pm(struct trn_pci *pci, struct trn_error *err);

/**
 * trn_pci_add_express - add the PCI Express capability of an endpoint, with function-level reset
 * @pci: with TRN_PCI_EXPRESS; not realized yet
 * @err: optional
 *
 * Return: offset, or as trn_pci_add_cap().
 */
int trn_pci_add_express(struct trn_pci *pci, struct trn_error *err);

/**
 * trn_pci_add_msi - add MSI (64-bit addresses)
 * @pci:        not realized yet
 * @nr_vectors: 1, 2, 4, 8, 16 or 32
 * @err:        optional
 *
 * Return: offset, or as trn_pci_add_cap().
 */
int trn_pci_add_msi(struct trn_pci *pci, unsigned int nr_vectors, struct trn_error *err);

/**
 * trn_pci_add_msix - add MSI-X
 * @pci:          not realized yet; the BAR may be added later
 * @nr_vectors:   1 to 2048
 * @bar:          memory BAR of table and pending bits; the library handles accesses to both
 * @table_offset: in the BAR, multiple of 8; 16 bytes a vector
 * @pba_offset:   likewise; a bit a vector, in words of 8 bytes
 * @err:          optional
 *
 * Return: offset, or as trn_pci_add_cap().
 */
int trn_pci_add_msix(struct trn_pci *pci, unsigned int nr_vectors, unsigned int bar, uint32_t table_offset,
		     uint32_t pba_offset, struct trn_error *err);

/**
 * trn_pci_config_read - bytes of configuration space as a guest would read them
 * @pci:    any
 * @offset: in bytes, with @len inside configuration space
 * @buf:    receives @len bytes
 * @len:    in bytes
 *
 * Return: 0 or -EINVAL.
 */
int trn_pci_config_read(struct trn_pci *pci, unsigned int offset, void *buf, size_t len);

/**
 * trn_pci_config_set - change bytes of configuration space whatever the guest may write
 * @pci:    any
 * @offset: in bytes, with @len inside configuration space
 * @buf:    @len bytes
 * @len:    in bytes
 *
 * For a driver's own capabilities and for registers that report; has no side effect. A reset brings back the values that
 * stood there when the device was realized.
 * Return: 0 or -EINVAL.
 */
int trn_pci_config_set(struct trn_pci *pci, unsigned int offset, const void *buf, size_t len);

#define TRN_PCI_COMMAND_IO 0x1u
#define TRN_PCI_COMMAND_MEMORY 0x2u
#define TRN_PCI_COMMAND_MASTER 0x4u
#define TRN_PCI_COMMAND_INTX_DISABLE 0x400u

/**
 * trn_pci_command - the command register
 * @pci: any
 *
 * Return: its 16 bits; I/O, memory and master read as 0 in D3hot.
 */
uint16_t trn_pci_command(struct trn_pci *pci);

/* --- Interrupts --- */

/**
 * trn_pci_set_intx - set the level of the interrupt pin
 * @pci:   with TRN_PCI_INTX
 * @level: true: asserted, until it is set to false
 *
 * The holder hears of it when INTx is wired, unmasked and not disabled in the command register; it then is masked until
 * the holder unmasks it, and is signalled again if the level is still asserted.
 */
void trn_pci_set_intx(struct trn_pci *pci, bool level);

/**
 * trn_pci_fire - send an MSI or MSI-X message
 * @pci:    with either
 * @vector: 0 to the number of vectors - 1
 *
 * A vector that is not wired is remembered, and fires when it is wired.
 * Return: 0, -EINVAL (no such vector), -ENOTCONN (neither is in use now: a device with a pin uses that instead).
 */
int trn_pci_fire(struct trn_pci *pci, unsigned int vector);

/**
 * trn_pci_signal_error - tell the holder by ERR that the device has failed beyond repair
 * @pci: with TRN_PCI_ERR
 */
void trn_pci_signal_error(struct trn_pci *pci);

/* --- DMA --- */

/**
 * trn_pci_dma - read or write memory of the holder
 * @pci: any
 * @req: stays in place until the end
 *
 * As trn_use_dma(), for the holder that has the device open; pages that are written are logged.  Must not be waited for
 * in a call of the library.  What is under way when the device is stopped ends afterwards, as its holder may have to hear
 * of the stop first: @req's done then still changes the driver's state, which is saved only after it has returned.
 * Return: as trn_use_dma(); -EPERM (bus mastering is off, or the device is not TRN_PCI_ACTIVE), -ENOTCONN (nobody has it open).
 */
int trn_pci_dma(struct trn_pci *pci, struct trn_dma_request *req);

/* --- Migration --- */

struct trn_pci_writer;

/**
 * trn_pci_writer_put - append to the state that is being saved
 * @w:    from the library
 * @data: @len bytes
 * @len:  in bytes
 *
 * A failure is remembered by the writer, so that it need not be looked at.
 */
void trn_pci_writer_put(struct trn_pci_writer *w, const void *data, size_t len);

/**
 * struct trn_pci_migration - how a driver's own state is moved
 * @flags:        TRN_MIG_CAN_*; STOP_COPY always
 * @version:      of what @save writes
 * @max_state:    bytes that @save writes at most
 * @save_compat:  writes what the device at the other end must have too (at most 4096 bytes); sent first. May be NULL
 * @check_compat: may a device of that kind's state be loaded here? Return: 0 or -EINVAL with a sentence. NULL: the bytes must be
 *                those that @save_compat writes here
 * @save:         writes all that is not configuration space, interrupts and memory of regions; device stopped
 * @load:         takes what @save of some version <= @version wrote; all or nothing: checks before it changes anything.
 *                trn_pci_config_read() gives the new configuration space already, in which any byte of the driver's own
 *                capabilities may have any value: what the driver relies on it checks here. Memory comes afterwards, and
 *                the level of the pin and pending messages are the state's whatever is set here. Return: 0 or -EINVAL with
 *                a sentence
 *
 * The library moves configuration space, interrupt state and the memory of regions, and checks that ids, type, BARs and
 * capabilities are the same.  Called with the device's lock held.
 */
struct trn_pci_migration {
	uint32_t flags;
	uint32_t version;
	size_t max_state;
	void (*save_compat)(struct trn_pci *pci, struct trn_pci_writer *w);
	int (*check_compat)(struct trn_pci *pci, const void *data, size_t len, struct trn_error *err);
	int (*save)(struct trn_pci *pci, struct trn_pci_writer *w);
	int (*load)(struct trn_pci *pci, uint32_t version, const void *data, size_t len, struct trn_error *err);
};

/* --- The library's part of struct trn_device_ops; for the table of a driver --- */

/**
 * trn_pci_op_open - a holder comes; one at a time
 * @use, @err: as in struct trn_device_ops
 *
 * Return: 0, -EBUSY (somebody has it open), -ENODEV (never realized), or what the driver's opened() says.
 */
int trn_pci_op_open(struct trn_use *use, struct trn_error *err);

/**
 * trn_pci_op_close - the holder leaves: interrupts are unwired, DMA is forgotten, the state stays
 * @use: as in struct trn_device_ops
 *
 * A migration that is under way is given up, so that the next holder finds a running device; out of ERROR only a reset leads.
 */
void trn_pci_op_close(struct trn_use *use);

/**
 * trn_pci_op_request - ask the holder to leave, by REQ (TRN_PCI_ASK_TO_LEAVE)
 * @dev, @nr_asked: as in struct trn_device_ops
 */
void trn_pci_op_request(struct trn_device *dev, unsigned int nr_asked);

/**
 * trn_pci_op_reset - reset the function, in whatever state it is; it runs afterwards
 * @use: as in struct trn_device_ops
 *
 * Return: 0.
 */
int trn_pci_op_reset(struct trn_use *use);

/**
 * trn_pci_op_info - a PCI device with a reset, its regions and five kinds of interrupts
 * @use, @ret: as in struct trn_device_ops
 */
void trn_pci_op_info(struct trn_use *use, struct trn_device_info *ret);

/**
 * trn_pci_op_caps - the type of own regions
 * @use, @index, @caps: as in struct trn_device_ops
 *
 * The pages of the MSI-X table and of its pending bits are never among those that may be mapped, so that no region says
 * that they are.
 * Return: 0 or -ENOMEM.
 */
int trn_pci_op_caps(struct trn_use *use, uint32_t index, struct trn_caps *caps);

/**
 * trn_pci_op_region_info - regions as VFIO numbers them
 * @use, @index, @ret: as in struct trn_device_ops
 *
 * Return: 0.
 */
int trn_pci_op_region_info(struct trn_use *use, uint32_t index, struct trn_region_info *ret);

/**
 * trn_pci_op_region_rw - accesses of configuration space, ROM, BARs and own regions
 * @use, @index, @offset, @buf, @len, @is_write: as in struct trn_device_ops
 *
 * Return: 0, -EIO (memory or I/O is off), or what the driver says.
 */
int trn_pci_op_region_rw(struct trn_use *use, uint32_t index, uint64_t offset, void *buf, size_t len, int is_write);

/**
 * trn_pci_op_region_fd - the memory of a region
 * @use, @index, @ret_offset: as in struct trn_device_ops
 *
 * Return: a descriptor, -EOPNOTSUPP, or the error of dup(2).
 */
int trn_pci_op_region_fd(struct trn_use *use, uint32_t index, uint64_t *ret_offset);

/**
 * trn_pci_op_region_areas - what may be mapped now
 * @use, @index, @ret, @max: as in struct trn_device_ops
 *
 * Return: how many areas there are, or a negative errno.
 */
ssize_t trn_pci_op_region_areas(struct trn_use *use, uint32_t index, struct trn_span *ret, size_t max);

/**
 * trn_pci_op_region_ioeventfds - those of trn_pci_add_ioeventfd()
 * @use, @index, @ret, @max: as in struct trn_device_ops
 *
 * Return: how many there are, or a negative errno.
 */
ssize_t trn_pci_op_region_ioeventfds(struct trn_use *use, uint32_t index, struct trn_ioeventfd *ret, size_t max);

/**
 * trn_pci_op_irq_info - INTx, MSI, MSI-X, ERR and REQ, with the flags that are true
 * @use, @index, @ret: as in struct trn_device_ops
 *
 * Return: 0.
 */
int trn_pci_op_irq_info(struct trn_use *use, uint32_t index, struct trn_irq_info *ret);

/**
 * trn_pci_op_set_irqs - wiring, masking and firing
 * @use, @set: as in struct trn_device_ops
 *
 * Return: 0, -EINVAL (another kind is in use, nothing to unmask), -ENOTTY (that kind cannot), or the error of dup(2).
 */
int trn_pci_op_set_irqs(struct trn_use *use, const struct trn_irq_set *set);

/**
 * trn_pci_migration_ops - for the migration field: the states, arcs and stream of the library
 */
extern const struct trn_migration_ops trn_pci_migration_ops;

/**
 * trn_pci_dma_log_ops - for the dma_log field: logs what trn_pci_dma() writes
 */
extern const struct trn_dma_log_ops trn_pci_dma_log_ops;

/* --- Holders in the same process: mappings that can be taken back --- */

struct trn_pci_mapping;

/**
 * trn_pci_map - map a part of a BAR that appears page by page, when it is touched
 * @use:      open, of a device of this library
 * @index:    of a region with TRN_PCI_BAR_MMAP
 * @offset:   page-aligned
 * @len:      likewise, > 0
 * @ret:      out; the mapping
 * @ret_addr: out; its first byte
 *
 * While memory is off, after a reset and in D3hot the pages are gone: then, and where the driver lets nothing be
 * mapped, a touch gives a private page of ones, and what is written there is lost. Who holds the device's lock must
 * not touch a mapping (nor give it to a call of the library as a buffer): the page would be waited for with the lock held.
 * Return: 0, -EINVAL, -EOPNOTSUPP (the region or the kernel cannot), -ENOMEM, or the error of userfaultfd(2). Opposite: trn_pci_unmap().
 */
int trn_pci_map(struct trn_use *use, uint32_t index, uint64_t offset, uint64_t len, struct trn_pci_mapping **ret,
		void **ret_addr);

/**
 * trn_pci_unmap - end a mapping; the holder does so before it closes its use
 * @mapping: NULL is accepted
 *
 * Waits for the mapping's thread, which takes the device's lock: not with that held.
 */
void trn_pci_unmap(struct trn_pci_mapping *mapping);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: MIT */
/*
 * The test device: one of everything that a PCI device of the library can have, and registers with which a test makes it
 * happen.  Type "testdev-full" has all that follows; "testdev-plain" has BAR0 alone, and no capability, interrupt, DMA or
 * migration: what cannot be done there fails, or is ignored.
 *
 * Ids: 1af4:10f0, subsystem 1af4:1100, class 0xff0000, revision 1.  All numbers are little-endian.
 *
 * BAR0: 4 KiB of memory, trapped.  32-bit registers; an access may have any size and alignment and is one of their bytes.
 * A write stores bytes; when it has stored a register's last byte, the register acts on all four.
 *
 *   0x00 ID           "TSTD"; read-only
 *   0x04 SCRATCH      keeps what is written
 *   0x08 COUNTER      a write adds 1, whatever the value; reads the count
 *   0x0c FIRE         a write sends the message of that vector; reads the result of the last one, 0 or a negative errno
 *   0x10 INTX         bit 0 is the level of the interrupt pin; reads 0 or 1
 *   0x14 ERROR        a write signals ERR; reads 0
 *   0x18 RESETS       resets since the device was made; read-only, kept by resets, not migrated
 *   0x1c LAST         the value last written to any register from SCRATCH to ERROR; read-only
 *   0x20 DMA_ADDR     of the holder's memory, lower half; 0x24: upper half
 *   0x28 DMA_LEN      in bytes, 1 to 1 MiB
 *   0x2c DMA_OFFSET   in BAR2, where DMA_LEN bytes must fit
 *   0x30 DMA_CMD      a write of 1 copies the holder's memory to BAR2, of 2 BAR2 to the holder's memory; reads what was
 *                     written last
 *   0x34 DMA_STATUS   0 idle, 1 busy, 2 done, 0x80000000 | errno failed (EINVAL: command, length or offset; EBUSY: the one
 *                     before is still under way); read-only.  At the end of a transfer vector 1 fires if messages are in
 *                     use.  One that is under way when the device stops for migration ends with ECANCELED; with a reset
 *                     it is forgotten
 *   0x40 DOORBELL     ioeventfd: 4 bytes, any value
 *   0x44 DOORBELL2    ioeventfd: 4 bytes, value 7, with shadow memory at offset 0x44 of a page
 *   0x48 RINGS        how often DOORBELL was signalled (lower 16 bits) and DOORBELL2 (upper); read-only.  The device looks
 *                     at the eventfds when this is read
 *   0x4c REJECT       any access that touches it fails with EPERM and does nothing
 *   0x80 to 0xff      128 bytes that keep what is written
 *   else              reads 0, writes are ignored; doorbells too, when the size or the value is another
 *
 * BAR1: 32 I/O ports that keep what is written, trapped.
 * BAR2: 1 MiB of memory, 64-bit, prefetchable, which may be mapped except the pages [0x4000, 0x8000).
 * BAR4: 16 KiB of memory: the MSI-X table at 0, its pending bits at 0x2000, else bytes that keep what is written; not to be
 *       mapped.
 * ROM: 2 KiB, a valid image for no processor.
 * Region 9: type (1 << 31 | 0x1af4), subtype 1; 8 KiB of memory, all of which may be mapped; a reset leaves it alone.
 *
 * Interrupts: pin A, MSI with 4 vectors, MSI-X with 8, ERR, REQ.
 * Capabilities: PM, MSI, MSI-X, PCI Express with function-level reset, and a vendor capability of 16 bytes: from byte 4 on
 * "TSTD", 4 bytes that a guest may write, and a count of those writes (read-only).  Extended: serial number
 * 01 02 03 04 05 06 07 08, and a vendor-specific one with 12 bytes of data.
 *
 * Migration: STOP_COPY, P2P and PRE_COPY; compatibility data "testdev 1"; all registers and storage but RESETS.
 * Reset: registers, storage, and the memory of BAR2 and BAR4 become 0.
 */
#ifndef PARENTS_TESTDEV_H
#define PARENTS_TESTDEV_H

#include "tranche/mdev.h"

/* Registers a parent that has room for 1024 devices. The results are those of trn_parent_register(). */
int testdev_parent_register(struct trn_core *core, const char *name, struct trn_parent **ret, struct trn_error *err);

#endif

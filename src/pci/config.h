/* SPDX-License-Identifier: MIT */
/*
 * Configuration space: what it holds, what a guest may change, and what happens when it does.
 *
 * Accesses are cut at the borders of registers with side effects, so that any length and alignment is safe.
 */
#ifndef PCI_CONFIG_H
#define PCI_CONFIG_H

#ifndef TRANCHE_BUILDING_PCI
#error "belongs to the PCI library; drivers include tranche/pci.h"
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_CONFIG_SMALL 256u
#define PCI_CONFIG_LARGE 4096u
#define PCI_MAX_CAPS 64u

struct trn_pci;
struct trn_pci_cap;
struct trn_error;

/* A part of configuration space with a meaning: the bytes [start, start + len) */
struct pci_config_part {
	uint16_t start; /* multiple of 4 */
	uint16_t len;
	uint8_t header_len; /* of a capability: 2, or 4 when it is an extended one */
	bool is_drivers; /* what follows the header is the driver's to change */
	/* After a guest has written to bits that it may change; NULL: nothing to do. offset counts from start, before are the
	 * len bytes as they were. Inside one aligned word of 4 bytes. */
	void (*written)(struct trn_pci *pci, const struct pci_config_part *part, unsigned int offset, unsigned int len,
			const uint8_t *before);
	void (*driver_written)(struct trn_pci *pci, unsigned int offset, unsigned int len); /* offset behind the header */
};

struct pci_config {
	uint8_t bytes[PCI_CONFIG_LARGE]; /* as a guest reads them */
	uint8_t writable[PCI_CONFIG_LARGE]; /* [const] bits that a guest may change */
	uint8_t initial[PCI_CONFIG_LARGE]; /* [const] after a reset */
	unsigned int size; /* [const] 256 or 4096 */
	struct pci_config_part parts[PCI_MAX_CAPS]; /* [const] header and capabilities, not sorted */
	unsigned int nr_parts; /* [const] */
	uint16_t next_cap; /* while made: where the next capability goes */
	uint16_t next_ext_cap;
	uint16_t last_cap; /* header of the last one, 0: none */
	uint16_t last_ext_cap;
	uint16_t pm, express, msi, msix; /* [const] offsets of the headers; 0: none */
	uint16_t active; /* COMMAND as it was last acted upon; in D3hot without I/O, memory and master */
};

/* Numbers lie in configuration space in little-endian order. */
uint16_t pci_config_get16(const uint8_t *from);
uint32_t pci_config_get32(const uint8_t *from);
void pci_config_put16(uint8_t *to, uint16_t v);
void pci_config_put32(uint8_t *to, uint32_t v);

/* config_header.c: fills the header from pci->ids and flags. */
void pci_config_init(struct trn_pci *pci);
/* Remembers the bytes for resets; called by realize when all parts are there. */
void pci_config_seal(struct trn_pci *pci);
void pci_config_reset(struct trn_pci *pci);
/* COMMAND or the power state may have changed: does what follows from it. */
void pci_config_update(struct trn_pci *pci);

/* config_header.c: the register of a BAR or of the ROM; size is a power of two, flags are TRN_PCI_BAR_*. */
void pci_config_add_bar(struct trn_pci *pci, unsigned int index, uint64_t size, uint32_t flags);
void pci_config_add_rom(struct trn_pci *pci, uint64_t size);
/* caps.c: makes room for a capability and fills it. Return: its offset, the part in *ret; or -errno with a sentence. */
int pci_caps_add(struct trn_pci *pci, const struct trn_pci_cap *cap, struct pci_config_part **ret, struct trn_error *err);

/* As a guest does it; offset and len are inside. len bytes may cross parts. */
void pci_config_read(struct trn_pci *pci, unsigned int offset, void *buf, size_t len);
void pci_config_write(struct trn_pci *pci, unsigned int offset, const void *buf, size_t len);

/* Are accesses to memory, or to I/O, let through; does the device master the bus?  (COMMAND and power state.) */
bool pci_config_memory_is_on(const struct trn_pci *pci);
bool pci_config_io_is_on(const struct trn_pci *pci);
bool pci_config_master_is_on(const struct trn_pci *pci);
/* May the pin signal?  (COMMAND's disable bit and power state.) */
bool pci_config_intx_is_on(const struct trn_pci *pci);

/* config_state.c. For a saved state: checks that bytes could have come from a device of this shape (all bits that nobody may
 * change are the same), and exchanges them for what is there; what follows from that is pci_config_update()'s. */
int pci_config_check(const struct trn_pci *pci, const uint8_t *bytes, size_t len, struct trn_error *err);
void pci_config_swap(struct trn_pci *pci, uint8_t *bytes);

#endif

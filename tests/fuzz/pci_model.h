/* SPDX-License-Identifier: MIT */
/*
 * What a guest should see of a PCI device, in the most simple way: bytes, and for each bit whether a guest may change it.  It is
 * written down from the PCI specifications, not from src/pci.
 */
#ifndef FUZZ_PCI_MODEL_H
#define FUZZ_PCI_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_CONFIG_SIZE 4096u
#define MODEL_CONTENT_SIZE 65536u
#define MODEL_NR_REGIONS 12u

struct model_region {
	uint64_t size; /* 0: none */
	size_t content_size; /* what lies behind reads 0 and keeps nothing */
	size_t content_end; /* behind it nothing was written since the last reset */
	bool is_io;
	bool is_read_only;
	uint8_t content[MODEL_CONTENT_SIZE];
};

struct model_msix {
	unsigned int nr_vectors; /* 0: none */
	unsigned int bar;
	uint32_t table_offset, pba_offset;
	uint8_t table[2048 * 16];
};

struct model {
	unsigned int size; /* of configuration space */
	uint8_t bytes[MODEL_CONFIG_SIZE];
	uint8_t mask[MODEL_CONFIG_SIZE];
	uint8_t initial[MODEL_CONFIG_SIZE];
	unsigned int pm, msi, express; /* offsets; 0: none */
	bool level; /* of the pin */
	struct model_region regions[MODEL_NR_REGIONS];
	struct model_msix msix;
};

void model_reset(struct model *m);
void model_mask16(struct model *m, unsigned int at, uint16_t mask);
void model_mask32(struct model *m, unsigned int at, uint32_t mask);

uint8_t model_config_byte(const struct model *m, size_t at);
/* The device was reset by it (FLR) when the bytes say so. */
void model_config_write(struct model *m, unsigned int offset, const uint8_t *bytes, size_t len);
uint16_t model_command(const struct model *m); /* as it is in effect */

/* What an access gives: 0 or -errno. */
int model_access_result(const struct model *m, unsigned int index, uint64_t offset, size_t len, bool is_write);
void model_region_write(struct model *m, unsigned int index, uint64_t offset, const uint8_t *bytes, size_t len);
/* Only the bits of *ret_mask are known. */
uint8_t model_region_byte(const struct model *m, unsigned int index, uint64_t at, uint8_t *ret_mask);

#endif

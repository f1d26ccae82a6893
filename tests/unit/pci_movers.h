/* SPDX-License-Identifier: MIT */
/* Two PCI devices with something of everything, and the steps that move the state of one into the other. */
#ifndef PCI_MOVERS_H
#define PCI_MOVERS_H

#include <stdbool.h>

#include "pci_fake.h"

#define PAGE 4096u
#define BAR_SIZE (64u * PAGE)
#define OWN_SIZE (2u * PAGE + 100u)
#define NR_MSIX 4u
#define MAX_STATE 64u
#define NO_VALUE 0x66u /* which the driver refuses to find in its capability */

struct mover {
	struct pci_fake fake;
	char compat[16];
	uint8_t state[MAX_STATE]; /* the driver's: state[0] bytes in all */
	unsigned int nr_loads;
	uint32_t loaded_version;
	unsigned int vendor; /* capability */
	int config_result;
	uint8_t config_seen[4]; /* of it, while the state was loaded */
};

/* What the tests of a program share: all is as movers_setup() makes it when a test begins. */
extern struct movers {
	struct mover a, b;
	struct trn_pci_migration migration; /* of both */
	bool is_large, is_other_layout; /* what mover_start() makes next */
	bool has_own_check;
} movers;

int movers_setup(void **state);
int movers_teardown(void **state);

#define MOVERS_TEST(name) cmocka_unit_test_setup_teardown(name, movers_setup, movers_teardown)

/* Makes and opens the device; its former one has been stopped. */
void mover_start(struct mover *d);
/* The driver's save(), as movers_setup() sets it. */
int mover_save(struct trn_pci *pci, struct trn_pci_writer *w);

void mover_go(struct mover *d, enum trn_mig_state to);
uint8_t *mover_ram(struct mover *d, unsigned int index);
/* Something in everything that a device has. */
void mover_make_busy(struct mover *d, unsigned int seed);

struct mover_stream {
	uint8_t *data;
	size_t len, room;
};

void mover_append(struct mover_stream *s, const void *data, size_t len);
void mover_finish(struct mover_stream *s); /* frees it */

/* Until there is nothing more (now). Return: what the last read said. */
ssize_t mover_read_all(struct mover *d, struct mover_stream *s, size_t piece);
/* Goes to STOP_COPY; the stream is the caller's. */
struct mover_stream mover_save_all(struct mover *d, size_t piece);
/* Writes the stream and goes to STOP. */
int mover_try_load(struct mover *d, const void *data, size_t len, size_t piece, struct trn_error *err);
/* The same, and it works. */
void mover_load_all(struct mover *d, const struct mover_stream *s, size_t piece);

/* All that can be seen of a device, without the memory of BAR2. */
struct mover_picture {
	uint8_t config[256], table[PAGE], own[OWN_SIZE], state[MAX_STATE];
};

void mover_look(struct mover *d, struct mover_picture *p);
/* With the memory of BAR2. */
void mover_assert_same(struct mover *x, struct mover *y);

#endif

/* SPDX-License-Identifier: MIT */
/* A serial card in this process: the test is its holder, and runs its event loop. */
#ifndef TEST_MTTY_CARD_H
#define TEST_MTTY_CARD_H

#include "unit.h"

#include <stdbool.h>

#include "parents/mtty/mtty.h"
#include "parents/mtty/uart.h"
#include "tranche/mdev.h"
#include "tranche/pci.h"

struct card {
	sd_event *event;
	struct mtty_config config;
	struct trn_core *core;
	struct trn_parent *parent;
	struct trn_device *dev;
	struct trn_use *use;
};

/* A device of the type, opened, with I/O switched on. */
void card_make(struct card *card, const char *type, struct mtty_line_config first, struct mtty_line_config second);
void card_free(struct card *card);

uint8_t card_read(struct card *card, unsigned int port, unsigned int reg);
void card_write(struct card *card, unsigned int port, unsigned int reg, unsigned int value);
/* As a driver that opens a port: 8 bits, 115200 baud, FIFO with the FCR bits, DTR and RTS. */
void card_open_port(struct card *card, unsigned int port, unsigned int fcr);
/* By polling; the loop runs while nothing goes on. */
void card_send(struct card *card, unsigned int port, const void *bytes, size_t len);
void card_expect(struct card *card, unsigned int port, const void *bytes, size_t len);

/* Runs the loop until it has been quiet for so long. */
void card_settle(struct card *card, unsigned int quiet_ms);
/* Runs the loop until the condition is true, for two seconds at most. */
#define card_until(card, condition)                                      \
	do {                                                             \
		bool is_true_ = (condition);                             \
		for (int i_ = 0; i_ < 2000 && !is_true_; i_++) {         \
			sd_event_run((card)->event, 1000);               \
			is_true_ = (condition);                          \
		}                                                        \
		if (!is_true_)                                           \
			fail_msg("never: %s", #condition);               \
	} while (0)

/* A descriptor that gives bytes: exactly these come, while the loop runs. */
void card_expect_at(struct card *card, int fd, const void *bytes, size_t len);

/* A new eventfd on INTx. */
int card_wire(struct card *card);
bool card_take_signal(int fd);
void card_unmask(struct card *card);

/* len bytes, all values, without a short period. */
void card_fill(uint8_t *bytes, size_t len);

#endif

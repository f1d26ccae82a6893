/* SPDX-License-Identifier: MIT */
/*
 * A port: a chip and a line, with a buffer for each direction between them, so that the line is read and written in
 * large pieces and the chip's user needs no system call for a byte.  The buffers belong to the line: what a guest does with
 * the chip's FIFOs does not touch them.
 *
 * The line is heard while the guest asserts RTS, as by a peer with hardware flow control; so nothing is lost while the guest
 * opens the port and clears the FIFOs.  A loop needs none and is always heard.
 *
 * All functions are called with the device's lock held.
 */
#ifndef PARENTS_MTTY_PORT_H
#define PARENTS_MTTY_PORT_H

#include "parents/mtty/alarm.h"
#include "parents/mtty/line.h"
#include "parents/mtty/uart.h"

#define MTTY_BUFFER_SIZE 4096u

/* Bytes [start, end) wait. */
struct mtty_buffer {
	uint8_t bytes[MTTY_BUFFER_SIZE];
	unsigned int start, end;
};

struct mtty_port {
	struct mtty_uart uart;
	struct mtty_line line;
	struct mtty_buffer in, out; /* as seen from the guest */
	uint64_t out_since_ns;	    /* when the first byte came into out */
	bool is_reading;	    /* the loop waits for the line to have bytes */
	bool is_writing;	    /* the loop waits for the line to have room */
	struct mtty_alarm *alarm;   /* the device's */
};

/* What a guest does; any thread. */
uint8_t mtty_port_read(struct mtty_port *port, unsigned int reg);
void mtty_port_write(struct mtty_port *port, unsigned int reg, uint8_t value);
/* Bytes on their way out are still sent; those on their way in are lost with the FIFO. */
void mtty_port_reset(struct mtty_port *port);

/* Does all that is due, by the loop's thread: when the line stirs, when the alarm rings. */
void mtty_port_run(struct mtty_port *port);
/* The device is stopped: waits for nothing; by the loop's thread. */
void mtty_port_rest(struct mtty_port *port);

static inline unsigned int mtty_buffer_len(const struct mtty_buffer *b)
{
	return b->end - b->start;
}

#endif

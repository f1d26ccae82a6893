/* SPDX-License-Identifier: MIT */
/*
 * A 16550A: registers and FIFOs alone.  Knows no line, no clock and no interrupt controller; who uses it moves the bytes,
 * says what time it is (nanoseconds of any clock that does not jump), and asks for the level of the interrupt.
 *
 * With the transmitter as fast as its user takes the bytes, nothing here waits for a baud rate; the divisor
 * counts for the receive time-out only.  The interrupt is not gated by OUT2: that is wiring of ISA cards.
 */
#ifndef PARENTS_MTTY_UART_H
#define PARENTS_MTTY_UART_H

#include <stdbool.h>
#include <stdint.h>

#define UART_FIFO_SIZE 16u
#define UART_NR_REGS 8u
#define UART_CLOCK_HZ 1843200u /* 16 times 115200 */

/* Registers; the first two are the divisor while LCR has DLAB. */
#define UART_DATA 0u /* read: RBR, write: THR */
#define UART_IER 1u
#define UART_IIR 2u  /* write: FCR */
#define UART_FCR 2u
#define UART_LCR 3u
#define UART_MCR 4u
#define UART_LSR 5u
#define UART_MSR 6u
#define UART_SCR 7u

#define UART_IER_RX 0x01u
#define UART_IER_TX 0x02u
#define UART_IER_LINE 0x04u
#define UART_IER_MODEM 0x08u
#define UART_IER_MASK 0x0fu

/* Interrupts in falling priority; the receive time-out is of the second. */
#define UART_IIR_LINE 0x06u
#define UART_IIR_RX 0x04u
#define UART_IIR_TIMEOUT 0x0cu
#define UART_IIR_TX 0x02u
#define UART_IIR_MODEM 0x00u
#define UART_IIR_NONE 0x01u
#define UART_IIR_FIFO 0xc0u

#define UART_FCR_ENABLE 0x01u
#define UART_FCR_CLEAR_RX 0x02u
#define UART_FCR_CLEAR_TX 0x04u
#define UART_FCR_TRIGGER 0xc0u /* 1, 4, 8, 14 bytes */
#define UART_FCR_KEPT 0xc9u    /* bits that stay after a write */

#define UART_LCR_WIDTH 0x03u /* 5 to 8 bits */
#define UART_LCR_STOP 0x04u
#define UART_LCR_PARITY 0x08u
#define UART_LCR_BREAK 0x40u
#define UART_LCR_DLAB 0x80u

#define UART_MCR_DTR 0x01u
#define UART_MCR_RTS 0x02u
#define UART_MCR_OUT1 0x04u
#define UART_MCR_OUT2 0x08u
#define UART_MCR_LOOP 0x10u
#define UART_MCR_AFE 0x20u
#define UART_MCR_MASK 0x3fu

#define UART_LSR_DR 0x01u
#define UART_LSR_OE 0x02u
#define UART_LSR_PE 0x04u
#define UART_LSR_FE 0x08u
#define UART_LSR_BI 0x10u
#define UART_LSR_THRE 0x20u
#define UART_LSR_TEMT 0x40u
#define UART_LSR_FIFO_ERROR 0x80u
#define UART_LSR_OF_BYTE (UART_LSR_PE | UART_LSR_FE | UART_LSR_BI)
#define UART_LSR_ERRORS (UART_LSR_OE | UART_LSR_OF_BYTE)

#define UART_MSR_DCTS 0x01u
#define UART_MSR_DDSR 0x02u
#define UART_MSR_TERI 0x04u
#define UART_MSR_DDCD 0x08u
#define UART_MSR_DELTAS 0x0fu
#define UART_MSR_CTS 0x10u
#define UART_MSR_DSR 0x20u
#define UART_MSR_RI 0x40u
#define UART_MSR_DCD 0x80u
#define UART_MSR_INPUTS 0xf0u

#define UART_NEVER UINT64_MAX

struct mtty_fifo {
	uint8_t bytes[UART_FIFO_SIZE];
	uint8_t errors[UART_FIFO_SIZE]; /* UART_LSR_OF_BYTE; of the receiver */
	unsigned int head;
	unsigned int count;
};

struct mtty_uart {
	struct mtty_fifo rx, tx;
	uint8_t ier, fcr, lcr, mcr, scr;
	uint8_t errors; /* UART_LSR_ERRORS that LSR shows: overrun, and those of the byte on top, until LSR is read */
	uint8_t deltas; /* low half of MSR */
	uint8_t inputs; /* high half of MSR, as the line has it */
	uint16_t divisor;
	bool tx_event;	/* the transmitter has become empty, and nobody has been told */
	bool timed_out; /* the receive time-out has come */
	bool sending;	/* bytes have left the FIFO that have not left the transmitter */
	uint64_t touched_ns; /* when the receive FIFO last got or gave a byte */
};

/* As after power on; the inputs stay as they are. */
void mtty_uart_reset(struct mtty_uart *u);

/* Accesses by the guest; reg < UART_NR_REGS. */
uint8_t mtty_uart_read(struct mtty_uart *u, unsigned int reg, uint64_t now_ns);
void mtty_uart_write(struct mtty_uart *u, unsigned int reg, uint8_t value, uint64_t now_ns);

/* The level of the interrupt. */
bool mtty_uart_is_pending(const struct mtty_uart *u);

/* A byte comes in, with UART_LSR_OF_BYTE errors; when there is no room, that is an overrun. */
void mtty_uart_receive(struct mtty_uart *u, uint8_t byte, uint8_t errors, uint64_t now_ns);
/* How many bytes can come in without overrun; 0 in loop mode, in which the receiver is not connected. */
unsigned int mtty_uart_room(const struct mtty_uart *u);

/* Takes a byte out of the transmitter. Return: false: none, or none may be sent (auto flow control). */
bool mtty_uart_send(struct mtty_uart *u, uint8_t *ret_byte);
/* Are bytes that were taken still under way?  Then TEMT is clear. */
void mtty_uart_set_sending(struct mtty_uart *u, bool sending);

/* The modem's lines: UART_MSR_INPUTS bits. */
void mtty_uart_set_inputs(struct mtty_uart *u, uint8_t inputs);
/* UART_MCR_DTR and _RTS as they are on the line: not in loop mode, and RTS as auto flow control has it. */
uint8_t mtty_uart_outputs(const struct mtty_uart *u);

/* When the receive time-out comes if nothing happens; UART_NEVER: it does not, or nobody would hear of it. */
uint64_t mtty_uart_deadline(const struct mtty_uart *u);
/* Time has passed. */
void mtty_uart_expire(struct mtty_uart *u, uint64_t now_ns);

/* Fit the parts together? For a state that somebody else has written. */
bool mtty_uart_is_valid(const struct mtty_uart *u);

#endif

/* SPDX-License-Identifier: MIT */
#include "parents/mtty/uart.h"

#include <string.h>

#define RESET_DIVISOR 12u /* 9600 baud */

static bool has_fifo(const struct mtty_uart *u)
{
	return u->fcr & UART_FCR_ENABLE;
}

/* Without FIFO there is the one byte of the holding register. */
static unsigned int depth(const struct mtty_uart *u)
{
	return has_fifo(u) ? UART_FIFO_SIZE : 1;
}

static unsigned int trigger(const struct mtty_uart *u)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };

	return has_fifo(u) ? levels[u->fcr >> 6] : 1;
}

static bool is_looped(const struct mtty_uart *u)
{
	return u->mcr & UART_MCR_LOOP;
}

static void push(struct mtty_fifo *f, uint8_t byte, uint8_t errors)
{
	unsigned int at = (f->head + f->count) % UART_FIFO_SIZE;

	f->bytes[at] = byte;
	f->errors[at] = errors;
	f->count++;
}

static uint8_t pop(struct mtty_fifo *f)
{
	uint8_t byte = f->bytes[f->head];

	f->head = (f->head + 1) % UART_FIFO_SIZE;
	f->count--;
	return byte;
}

static void clear(struct mtty_fifo *f)
{
	memset(f, 0, sizeof(*f));
}

static uint8_t byte_mask(const struct mtty_uart *u)
{
	return (uint8_t)(0xff >> (3 - (u->lcr & UART_LCR_WIDTH)));
}

/* --- Receiver --- */

/* LSR shows the errors of a byte when it comes to the top. */
static void show_errors(struct mtty_uart *u)
{
	if (u->rx.count == 0)
		return;
	u->errors |= u->rx.errors[u->rx.head];
	u->rx.errors[u->rx.head] = 0;
}

static bool has_hidden_errors(const struct mtty_uart *u)
{
	for (unsigned int i = 0; i < u->rx.count; i++)
		if (u->rx.errors[(u->rx.head + i) % UART_FIFO_SIZE])
			return true;
	return false;
}

static void clear_rx(struct mtty_uart *u)
{
	clear(&u->rx);
	u->errors &= UART_LSR_OE;
	u->timed_out = false;
}

void mtty_uart_receive(struct mtty_uart *u, uint8_t byte, uint8_t errors, uint64_t now_ns)
{
	if (u->rx.count >= depth(u)) {
		u->errors |= UART_LSR_OE;
		/* The FIFO keeps what it has; the holding register is overwritten. */
		if (has_fifo(u))
			return;
		clear(&u->rx);
	}
	push(&u->rx, byte & byte_mask(u), errors & UART_LSR_OF_BYTE);
	u->touched_ns = now_ns;
	show_errors(u);
}

unsigned int mtty_uart_room(const struct mtty_uart *u)
{
	return is_looped(u) ? 0 : depth(u) - u->rx.count;
}

static uint8_t read_data(struct mtty_uart *u, uint64_t now_ns)
{
	uint8_t byte;

	if (u->rx.count == 0)
		return 0;
	byte = pop(&u->rx);
	u->timed_out = false;
	u->touched_ns = now_ns;
	show_errors(u);
	return byte;
}

/* Twice the bits of a character with start, parity and stop, because 5 bits have one and a half stop bits. */
static unsigned int half_bits(const struct mtty_uart *u)
{
	unsigned int width = 5 + (u->lcr & UART_LCR_WIDTH);
	unsigned int stop = !(u->lcr & UART_LCR_STOP) ? 2 : width == 5 ? 3 : 4;

	return 2 + 2 * width + (u->lcr & UART_LCR_PARITY ? 2 : 0) + stop;
}

static uint64_t four_characters_ns(const struct mtty_uart *u)
{
	/* A divisor of 0 stops a real clock, and with it the time-out; guests are better off with the fastest. */
	uint64_t divisor = u->divisor ? u->divisor : 1;

	return 4ull * half_bits(u) * divisor * 16 * 1000000000 / (2ull * UART_CLOCK_HZ);
}

uint64_t mtty_uart_deadline(const struct mtty_uart *u)
{
	if (!has_fifo(u) || !(u->ier & UART_IER_RX) || u->timed_out)
		return UART_NEVER;
	if (u->rx.count == 0 || u->rx.count >= trigger(u))
		return UART_NEVER;
	return u->touched_ns + four_characters_ns(u);
}

void mtty_uart_expire(struct mtty_uart *u, uint64_t now_ns)
{
	if (now_ns >= mtty_uart_deadline(u))
		u->timed_out = true;
}

/* --- Modem lines --- */

static uint8_t seen_inputs(const struct mtty_uart *u)
{
	uint8_t seen = 0;

	if (!is_looped(u))
		return u->inputs;
	seen |= u->mcr & UART_MCR_RTS ? UART_MSR_CTS : 0;
	seen |= u->mcr & UART_MCR_DTR ? UART_MSR_DSR : 0;
	seen |= u->mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0;
	seen |= u->mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0;
	return seen;
}

/* The ring indicator counts when it ends. */
static void note_deltas(struct mtty_uart *u, uint8_t before)
{
	uint8_t now = seen_inputs(u), changed = before ^ now;

	u->deltas |= (changed & (UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD)) >> 4;
	u->deltas |= (before & ~now & UART_MSR_RI) >> 4;
}

void mtty_uart_set_inputs(struct mtty_uart *u, uint8_t inputs)
{
	uint8_t before = seen_inputs(u);

	u->inputs = inputs & UART_MSR_INPUTS;
	note_deltas(u, before);
}

uint8_t mtty_uart_outputs(const struct mtty_uart *u)
{
	uint8_t pins = u->mcr & (UART_MCR_DTR | UART_MCR_RTS);

	if (is_looped(u))
		return 0;
	if ((u->mcr & UART_MCR_AFE) && has_fifo(u) && u->rx.count >= trigger(u))
		pins &= (uint8_t)~UART_MCR_RTS;
	return pins;
}

static uint8_t read_msr(struct mtty_uart *u)
{
	uint8_t value = seen_inputs(u) | u->deltas;

	u->deltas = 0;
	return value;
}

/* --- Transmitter --- */

static bool may_send(const struct mtty_uart *u)
{
	return !(u->mcr & UART_MCR_AFE) || (seen_inputs(u) & UART_MSR_CTS);
}

static bool take(struct mtty_uart *u, uint8_t *ret_byte)
{
	if (u->tx.count == 0 || !may_send(u))
		return false;
	*ret_byte = pop(&u->tx);
	if (u->tx.count == 0)
		u->tx_event = true;
	return true;
}

bool mtty_uart_send(struct mtty_uart *u, uint8_t *ret_byte)
{
	return !is_looped(u) && take(u, ret_byte);
}

void mtty_uart_set_sending(struct mtty_uart *u, bool sending)
{
	u->sending = sending;
}

/* In loop mode the transmitter feeds the receiver, which overruns as a real one does. */
static void run_loop(struct mtty_uart *u, uint64_t now_ns)
{
	uint8_t byte;

	while (is_looped(u) && take(u, &byte))
		mtty_uart_receive(u, byte, 0, now_ns);
}

static void clear_tx(struct mtty_uart *u)
{
	if (u->tx.count > 0)
		u->tx_event = true;
	clear(&u->tx);
}

static void write_data(struct mtty_uart *u, uint8_t value)
{
	u->tx_event = false;
	if (u->tx.count < depth(u))
		push(&u->tx, value & byte_mask(u), 0);
}

/* --- The other registers --- */

static uint8_t cause(const struct mtty_uart *u)
{
	if ((u->ier & UART_IER_LINE) && u->errors)
		return UART_IIR_LINE;
	if ((u->ier & UART_IER_RX) && u->rx.count >= trigger(u))
		return UART_IIR_RX;
	if ((u->ier & UART_IER_RX) && u->timed_out)
		return UART_IIR_TIMEOUT;
	if ((u->ier & UART_IER_TX) && u->tx_event)
		return UART_IIR_TX;
	if ((u->ier & UART_IER_MODEM) && u->deltas)
		return UART_IIR_MODEM;
	return UART_IIR_NONE;
}

bool mtty_uart_is_pending(const struct mtty_uart *u)
{
	return cause(u) != UART_IIR_NONE;
}

static uint8_t read_iir(struct mtty_uart *u)
{
	uint8_t why = cause(u);

	if (why == UART_IIR_TX)
		u->tx_event = false;
	return why | (has_fifo(u) ? UART_IIR_FIFO : 0);
}

static uint8_t read_lsr(struct mtty_uart *u)
{
	uint8_t value = u->errors;

	if (u->rx.count > 0)
		value |= UART_LSR_DR;
	if (u->tx.count == 0)
		value |= UART_LSR_THRE | (u->sending ? 0 : UART_LSR_TEMT);
	if (has_fifo(u) && ((u->errors & UART_LSR_OF_BYTE) || has_hidden_errors(u)))
		value |= UART_LSR_FIFO_ERROR;
	u->errors = 0;
	return value;
}

/* Enabling the transmitter's interrupt while it is empty raises it: drivers start that way, and test for it. */
static void write_ier(struct mtty_uart *u, uint8_t value)
{
	if ((value & ~u->ier & UART_IER_TX) && u->tx.count == 0)
		u->tx_event = true;
	u->ier = value & UART_IER_MASK;
}

static void write_fcr(struct mtty_uart *u, uint8_t value)
{
	bool switched = (value ^ u->fcr) & UART_FCR_ENABLE;

	if (switched || (value & UART_FCR_CLEAR_RX))
		clear_rx(u);
	if (switched || (value & UART_FCR_CLEAR_TX))
		clear_tx(u);
	/* The other bits are written with the enable bit only. */
	u->fcr = value & UART_FCR_ENABLE ? value & UART_FCR_KEPT : 0;
}

static void write_lcr(struct mtty_uart *u, uint8_t value, uint64_t now_ns)
{
	bool begins = value & ~u->lcr & UART_LCR_BREAK;

	u->lcr = value;
	if (begins && is_looped(u))
		mtty_uart_receive(u, 0, UART_LSR_BI, now_ns);
}

static void write_mcr(struct mtty_uart *u, uint8_t value)
{
	uint8_t before = seen_inputs(u);

	u->mcr = value & UART_MCR_MASK;
	note_deltas(u, before);
}

static bool is_divisor(const struct mtty_uart *u, unsigned int reg)
{
	return (u->lcr & UART_LCR_DLAB) && reg <= UART_IER;
}

uint8_t mtty_uart_read(struct mtty_uart *u, unsigned int reg, uint64_t now_ns)
{
	if (is_divisor(u, reg))
		return (uint8_t)(u->divisor >> (reg * 8));
	switch (reg) {
	case UART_DATA:
		return read_data(u, now_ns);
	case UART_IER:
		return u->ier;
	case UART_IIR:
		return read_iir(u);
	case UART_LCR:
		return u->lcr;
	case UART_MCR:
		return u->mcr;
	case UART_LSR:
		return read_lsr(u);
	case UART_MSR:
		return read_msr(u);
	case UART_SCR:
		return u->scr;
	default:
		return 0xff;
	}
}

static void write_register(struct mtty_uart *u, unsigned int reg, uint8_t value, uint64_t now_ns)
{
	switch (reg) {
	case UART_DATA:
		write_data(u, value);
		break;
	case UART_IER:
		write_ier(u, value);
		break;
	case UART_FCR:
		write_fcr(u, value);
		break;
	case UART_LCR:
		write_lcr(u, value, now_ns);
		break;
	case UART_MCR:
		write_mcr(u, value);
		break;
	case UART_SCR:
		u->scr = value;
		break;
	default: /* the status registers are read only */
		break;
	}
}

void mtty_uart_write(struct mtty_uart *u, unsigned int reg, uint8_t value, uint64_t now_ns)
{
	if (is_divisor(u, reg))
		u->divisor = (uint16_t)((u->divisor & ~(0xffu << (reg * 8))) | (unsigned int)value << (reg * 8));
	else
		write_register(u, reg, value, now_ns);
	run_loop(u, now_ns);
}

void mtty_uart_reset(struct mtty_uart *u)
{
	uint8_t inputs = u->inputs;

	*u = (struct mtty_uart){ .inputs = inputs, .divisor = RESET_DIVISOR };
}

/* --- States from elsewhere --- */

static bool is_fifo_valid(const struct mtty_fifo *f, unsigned int room)
{
	if (f->head >= UART_FIFO_SIZE || f->count > room)
		return false;
	for (unsigned int i = 0; i < UART_FIFO_SIZE; i++)
		if (f->errors[i] & ~UART_LSR_OF_BYTE)
			return false;
	return true;
}

bool mtty_uart_is_valid(const struct mtty_uart *u)
{
	if ((u->ier & ~UART_IER_MASK) || (u->mcr & ~UART_MCR_MASK) || (u->fcr & ~UART_FCR_KEPT))
		return false;
	if ((u->fcr && !has_fifo(u)) || (u->errors & ~UART_LSR_ERRORS))
		return false;
	if ((u->deltas & ~UART_MSR_DELTAS) || (u->inputs & ~UART_MSR_INPUTS))
		return false;
	if (u->timed_out && (!has_fifo(u) || u->rx.count == 0))
		return false;
	if (u->tx_event && u->tx.count > 0)
		return false;
	return is_fifo_valid(&u->rx, depth(u)) && is_fifo_valid(&u->tx, depth(u));
}

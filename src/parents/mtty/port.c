/* SPDX-License-Identifier: MIT */
#include "parents/mtty/port.h"

#include <string.h>

/* Bytes that go out are gathered for so long, or until there are so many: a guest writes them one by one, and a wake-up
 * costs more than a byte. */
#define GATHER_NS 500000u
#define GATHER_BYTES (MTTY_BUFFER_SIZE / 2)

/* --- Buffers --- */

static unsigned int room(const struct mtty_buffer *b)
{
	return MTTY_BUFFER_SIZE - mtty_buffer_len(b);
}

/* There is room. */
static void put(struct mtty_buffer *b, uint8_t byte)
{
	if (b->end == MTTY_BUFFER_SIZE) {
		memmove(b->bytes, b->bytes + b->start, mtty_buffer_len(b));
		b->end -= b->start;
		b->start = 0;
	}
	b->bytes[b->end++] = byte;
}

static void drop(struct mtty_buffer *b, unsigned int len)
{
	b->start += len;
	if (b->start == b->end)
		b->start = b->end = 0;
}

static void clear(struct mtty_buffer *b)
{
	drop(b, mtty_buffer_len(b));
}

/* --- Between chip and buffers --- */

static bool is_loop(const struct mtty_port *port)
{
	return port->line.kind == MTTY_LINE_LOOP;
}

static bool is_heard(const struct mtty_port *port)
{
	return is_loop(port) || (mtty_uart_outputs(&port->uart) & UART_MCR_RTS);
}

/* A plug wires RTS to CTS and DTR to DSR and DCD; another peer has all three on while it is there. */
static uint8_t inputs(const struct mtty_port *port)
{
	uint8_t pins = mtty_uart_outputs(&port->uart);

	if (!is_loop(port))
		return port->line.has_peer ? UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD : 0;
	return (pins & UART_MCR_RTS ? UART_MSR_CTS : 0) | (pins & UART_MCR_DTR ? UART_MSR_DSR | UART_MSR_DCD : 0);
}

static bool move_out(struct mtty_port *port, uint64_t now_ns)
{
	struct mtty_buffer *to = is_loop(port) ? &port->in : &port->out;
	bool has_moved = false;
	uint8_t byte;

	if (mtty_buffer_len(&port->out) == 0)
		port->out_since_ns = now_ns;
	while (room(to) > 0 && mtty_uart_send(&port->uart, &byte)) {
		put(to, byte);
		has_moved = true;
	}
	/* Nobody is there: as on a cable that is not plugged in. */
	if (!is_loop(port) && !port->line.has_peer)
		clear(&port->out);
	mtty_uart_set_sending(&port->uart, mtty_buffer_len(&port->out) > 0);
	return has_moved;
}

static bool move_in(struct mtty_port *port, uint64_t now_ns)
{
	struct mtty_buffer *in = &port->in;
	bool has_moved = false;

	while (mtty_buffer_len(in) > 0 && is_heard(port) && mtty_uart_room(&port->uart) > 0) {
		mtty_uart_receive(&port->uart, in->bytes[in->start], 0, now_ns);
		drop(in, 1);
		has_moved = true;
	}
	return has_moved;
}

/* Until nothing moves: in a loop what goes out comes in, and with auto flow control that takes CTS away and brings it back. */
static void move(struct mtty_port *port, uint64_t now_ns)
{
	bool has_moved;

	do {
		mtty_uart_set_inputs(&port->uart, inputs(port));
		has_moved = move_out(port, now_ns);
		has_moved = move_in(port, now_ns) || has_moved;
	} while (has_moved);
	mtty_uart_set_inputs(&port->uart, inputs(port));
}

/* --- Between buffers and line --- */

static bool wants_bytes(const struct mtty_port *port)
{
	return port->line.is_readable && is_heard(port) && mtty_buffer_len(&port->in) == 0;
}

static void flush(struct mtty_port *port)
{
	struct mtty_buffer *out = &port->out;

	while (mtty_buffer_len(out) > 0) {
		size_t n = mtty_line_write(&port->line, out->bytes + out->start, mtty_buffer_len(out));

		if (n == 0)
			break;
		drop(out, (unsigned int)n);
	}
}

static void fill(struct mtty_port *port, uint64_t now_ns)
{
	while (wants_bytes(port)) {
		port->in.end = (unsigned int)mtty_line_read(&port->line, port->in.bytes, MTTY_BUFFER_SIZE);
		if (port->in.end == 0)
			break;
		move_in(port, now_ns);
	}
}

static uint64_t gathered_at(const struct mtty_port *port)
{
	if (mtty_buffer_len(&port->out) == 0 || port->is_writing)
		return ALARM_NEVER;
	return mtty_buffer_len(&port->out) >= GATHER_BYTES ? port->out_since_ns : port->out_since_ns + GATHER_NS;
}

/* The loop is woken for what only it can do. */
static void set_alarm(struct mtty_port *port, uint64_t now_ns)
{
	mtty_alarm_set(port->alarm, gathered_at(port));
	mtty_alarm_set(port->alarm, mtty_uart_deadline(&port->uart));
	if (wants_bytes(port) && !port->is_reading)
		mtty_alarm_set(port->alarm, now_ns);
}

static void watch(struct mtty_port *port, bool read, bool write)
{
	port->is_reading = read;
	port->is_writing = write;
	mtty_line_watch(&port->line, read, write);
}

static void transfer(struct mtty_port *port, uint64_t now_ns)
{
	move(port, now_ns);
	flush(port);
	/* The chip may have held back bytes for want of room. */
	move_out(port, now_ns);
	fill(port, now_ns);
}

void mtty_port_run(struct mtty_port *port)
{
	uint64_t now_ns = mtty_alarm_now();

	mtty_line_look(&port->line);
	mtty_uart_expire(&port->uart, now_ns);
	transfer(port, now_ns);
	/* What a peer has left behind may now be read to its end, and the next one may come, for whom the chip may hold bytes. */
	if (!port->line.has_peer) {
		mtty_line_look(&port->line);
		if (port->line.has_peer)
			transfer(port, now_ns);
	}
	mtty_uart_set_inputs(&port->uart, inputs(port));
	watch(port, wants_bytes(port), mtty_buffer_len(&port->out) > 0);
	set_alarm(port, now_ns);
}

void mtty_port_rest(struct mtty_port *port)
{
	mtty_line_look(&port->line);
	watch(port, false, false);
}

/* --- What a guest does --- */

static bool is_break(const struct mtty_port *port)
{
	return is_loop(port) && (port->uart.lcr & UART_LCR_BREAK) && !(port->uart.mcr & UART_MCR_LOOP);
}

uint8_t mtty_port_read(struct mtty_port *port, unsigned int reg)
{
	uint64_t now_ns = mtty_alarm_now();
	uint8_t value;

	mtty_uart_expire(&port->uart, now_ns);
	value = mtty_uart_read(&port->uart, reg, now_ns);
	move(port, now_ns);
	set_alarm(port, now_ns);
	return value;
}

void mtty_port_write(struct mtty_port *port, unsigned int reg, uint8_t value)
{
	uint64_t now_ns = mtty_alarm_now();
	bool was_break = is_break(port);

	mtty_uart_write(&port->uart, reg, value, now_ns);
	if (is_break(port) && !was_break)
		mtty_uart_receive(&port->uart, 0, UART_LSR_BI, now_ns);
	move(port, now_ns);
	set_alarm(port, now_ns);
}

void mtty_port_reset(struct mtty_port *port)
{
	uint64_t now_ns = mtty_alarm_now();

	mtty_uart_reset(&port->uart);
	clear(&port->in);
	/* Now rather than later, so that the state is that after init but for what a slow peer leaves. */
	flush(port);
	mtty_uart_set_inputs(&port->uart, inputs(port));
	port->uart.deltas = 0;
	mtty_uart_set_sending(&port->uart, mtty_buffer_len(&port->out) > 0);
	set_alarm(port, now_ns);
}

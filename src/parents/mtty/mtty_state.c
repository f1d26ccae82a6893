/* SPDX-License-Identifier: MIT */
/*
 * What is moved of a card, version 1, little-endian: for each port a struct saved_port, then the bytes on their way in, then
 * those on their way out.  A device with as many ports can take it, however these are connected.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "parents/mtty/priv.h"

#define VERSION 1u

#define FLAG_TX_EVENT 0x01u
#define FLAG_TIMED_OUT 0x02u
#define FLAGS (FLAG_TX_EVENT | FLAG_TIMED_OUT)

/* FIFOs begin with the oldest byte; bytes behind their count are 0. */
struct saved_port {
	uint8_t ier, fcr, lcr, mcr, scr;
	uint8_t errors, deltas, inputs;
	uint16_t divisor;
	uint16_t nr_in, nr_out;
	uint8_t flags;
	uint8_t nr_rx, nr_tx;
	uint8_t reserved;
	uint8_t rx[UART_FIFO_SIZE], rx_errors[UART_FIFO_SIZE], tx[UART_FIFO_SIZE];
};
_Static_assert(sizeof(struct saved_port) == 66, "has no gaps");

/* --- Saving --- */

static uint8_t save_fifo(const struct mtty_fifo *f, uint8_t *bytes, uint8_t *errors)
{
	for (unsigned int i = 0; i < f->count; i++) {
		unsigned int at = (f->head + i) % UART_FIFO_SIZE;

		bytes[i] = f->bytes[at];
		if (errors)
			errors[i] = f->errors[at];
	}
	return (uint8_t)f->count;
}

static void save_port(const struct mtty_port *port, struct trn_pci_writer *w)
{
	const struct mtty_uart *u = &port->uart;
	unsigned int nr_in = mtty_buffer_len(&port->in), nr_out = mtty_buffer_len(&port->out);
	struct saved_port saved = {
		.ier = u->ier,
		.fcr = u->fcr,
		.lcr = u->lcr,
		.mcr = u->mcr,
		.scr = u->scr,
		.errors = u->errors,
		.deltas = u->deltas,
		.inputs = u->inputs,
		.divisor = htole16(u->divisor),
		.nr_in = htole16((uint16_t)nr_in),
		.nr_out = htole16((uint16_t)nr_out),
		.flags = (uint8_t)((u->tx_event ? FLAG_TX_EVENT : 0) | (u->timed_out ? FLAG_TIMED_OUT : 0)),
	};

	saved.nr_rx = save_fifo(&u->rx, saved.rx, saved.rx_errors);
	saved.nr_tx = save_fifo(&u->tx, saved.tx, NULL);
	trn_pci_writer_put(w, &saved, sizeof(saved));
	trn_pci_writer_put(w, port->in.bytes + port->in.start, nr_in);
	trn_pci_writer_put(w, port->out.bytes + port->out.start, nr_out);
}

static int save(struct trn_pci *pci, struct trn_pci_writer *w)
{
	const struct mtty_card *card = mtty_card_of(pci);

	for (unsigned int i = 0; i < card->nr_ports; i++)
		save_port(&card->ports[i], w);
	return 0;
}

static void save_compat(struct trn_pci *pci, struct trn_pci_writer *w)
{
	const struct mtty_card *card = mtty_card_of(pci);
	const char kind[] = { 'm', 't', 't', 'y', (char)('0' + card->nr_ports) };

	trn_pci_writer_put(w, kind, sizeof(kind));
}

/* --- Loading --- */

struct loaded_port {
	struct mtty_uart uart;
	struct mtty_buffer in, out;
};

struct reader {
	const uint8_t *at;
	size_t left;
};

static bool take(struct reader *r, void *ret, size_t len)
{
	if (r->left < len)
		return false;
	memcpy(ret, r->at, len);
	r->at += len;
	r->left -= len;
	return true;
}

static bool load_buffer(struct reader *r, struct mtty_buffer *b, uint16_t nr)
{
	b->end = le16toh(nr);
	return b->end <= MTTY_BUFFER_SIZE && take(r, b->bytes, b->end);
}

static void load_uart(const struct saved_port *saved, struct mtty_uart *u)
{
	u->ier = saved->ier;
	u->fcr = saved->fcr;
	u->lcr = saved->lcr;
	u->mcr = saved->mcr;
	u->scr = saved->scr;
	u->errors = saved->errors;
	u->deltas = saved->deltas;
	u->inputs = saved->inputs;
	u->divisor = le16toh(saved->divisor);
	u->tx_event = saved->flags & FLAG_TX_EVENT;
	u->timed_out = saved->flags & FLAG_TIMED_OUT;
	u->rx.count = saved->nr_rx;
	u->tx.count = saved->nr_tx;
	memcpy(u->rx.bytes, saved->rx, UART_FIFO_SIZE);
	memcpy(u->rx.errors, saved->rx_errors, UART_FIFO_SIZE);
	memcpy(u->tx.bytes, saved->tx, UART_FIFO_SIZE);
	u->touched_ns = mtty_alarm_now();
}

/* What no card saves would get lost unnoticed. The counts are known to be possible ones. */
static bool has_clean_ends(const struct saved_port *saved)
{
	for (unsigned int i = saved->nr_rx; i < UART_FIFO_SIZE; i++)
		if (saved->rx[i] || saved->rx_errors[i])
			return false;
	for (unsigned int i = saved->nr_tx; i < UART_FIFO_SIZE; i++)
		if (saved->tx[i])
			return false;
	return true;
}

static bool load_port(struct reader *r, struct loaded_port *port)
{
	struct saved_port saved;

	if (!take(r, &saved, sizeof(saved)) || (saved.flags & ~FLAGS) || saved.reserved)
		return false;
	load_uart(&saved, &port->uart);
	if (!mtty_uart_is_valid(&port->uart) || !has_clean_ends(&saved))
		return false;
	return load_buffer(r, &port->in, saved.nr_in) && load_buffer(r, &port->out, saved.nr_out);
}

static void apply(struct mtty_card *card, const struct loaded_port *ports)
{
	for (unsigned int i = 0; i < card->nr_ports; i++) {
		struct mtty_port *port = &card->ports[i];

		port->uart = ports[i].uart;
		port->in = ports[i].in;
		port->out = ports[i].out;
		port->out_since_ns = ports[i].uart.touched_ns;
		mtty_uart_set_sending(&port->uart, mtty_buffer_len(&port->out) > 0);
	}
	/* The pin's level is the library's, and may be another one now: it is set whatever we thought that it was. */
	card->level = false;
	trn_pci_set_intx(card->pci, false);
	mtty_card_update(card);
}

/* What differs at this end, its modem lines, comes as a change when the device runs. */
static int load(struct trn_pci *pci, uint32_t version, const void *data, size_t len, struct trn_error *err)
{
	struct mtty_card *card = mtty_card_of(pci);
	struct reader r = { data, len };
	_cleanup_free_ struct loaded_port *ports = calloc(MTTY_MAX_PORTS, sizeof(*ports));

	if (!ports)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the state of a serial card");
	if (version != VERSION)
		return trn_error_set(err, -EINVAL, "BadState", "the state of the serial card has version %u, not %u", version,
				     VERSION);
	for (unsigned int i = 0; i < card->nr_ports; i++)
		if (!load_port(&r, &ports[i]))
			return trn_error_set(err, -EINVAL, "BadState", "the state of port %u is not one that a port can have",
					     i);
	if (r.left > 0)
		return trn_error_set(err, -EINVAL, "BadState", "%zu bytes follow the state of %u ports", r.left, card->nr_ports);
	apply(card, ports);
	return 0;
}

const struct trn_pci_migration mtty_migration = {
	.flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P | TRN_MIG_CAN_PRE_COPY,
	.version = VERSION,
	.max_state = MTTY_MAX_PORTS * (sizeof(struct saved_port) + 2 * MTTY_BUFFER_SIZE),
	.save_compat = save_compat,
	.check_compat = NULL,
	.save = save,
	.load = load,
};

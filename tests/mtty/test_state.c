/* SPDX-License-Identifier: MIT */
/* Cards on the move: no byte is lost, and what is not the state of a card changes nothing. */
#include "card.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parents/mtty/priv.h"

#define LOOP ((struct mtty_line_config){ .kind = MTTY_LINE_LOOP })
#define PTY ((struct mtty_line_config){ .kind = MTTY_LINE_PTY })

struct stream {
	uint8_t bytes[65536];
	size_t len;
};

static void go(struct card *card, enum trn_mig_state to)
{
	struct trn_error err = { 0 };

	if (trn_use_mig_set_state(card->use, to, &err) < 0)
		fail_msg("%s", err.text);
}

static void read_stream(struct card *card, struct stream *s)
{
	ssize_t n;

	while ((n = trn_use_mig_read(card->use, s->bytes + s->len, sizeof(s->bytes) - s->len)) > 0)
		s->len += (size_t)n;
	assert_true(n == 0 || n == -ENOMSG);
}

/* By way of pre-copy and P2P, or at once. */
static void save(struct card *card, bool ahead, struct stream *s)
{
	s->len = 0;
	if (ahead) {
		go(card, TRN_MIG_PRE_COPY);
		read_stream(card, s);
		go(card, TRN_MIG_PRE_COPY_P2P);
		read_stream(card, s);
	}
	go(card, TRN_MIG_STOP_COPY);
	read_stream(card, s);
}

static int load(struct card *card, const struct stream *s, size_t piece)
{
	struct trn_error err = { 0 };
	int r = 0;

	go(card, TRN_MIG_RESUMING);
	for (size_t at = 0; r == 0 && at < s->len; at += piece)
		r = trn_use_mig_write(card->use, s->bytes + at, s->len - at < piece ? s->len - at : piece, &err);
	return r < 0 ? r : trn_use_mig_set_state(card->use, TRN_MIG_RUNNING, &err);
}

static int open_terminal(struct card *card, unsigned int port)
{
	int fd = open(mtty_line_name(card->dev, port), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	assert_true(fd >= 0);
	card_until(card, card_read(card, port, UART_MSR) & UART_MSR_DCD);
	return fd;
}

static void test_registers(void **state)
{
	static const uint8_t want[] = { 0, UART_IER_LINE, UART_IIR_FIFO | UART_IIR_NONE, 0x1b, 0x02, 0x60, 0x10, 0x5a };
	static struct stream s;
	struct card from, to;

	card_make(&from, "mtty-2", LOOP, LOOP);
	card_make(&to, "mtty-2", LOOP, LOOP);
	card_write(&from, 1, UART_FCR, UART_FCR_ENABLE);
	card_write(&from, 1, UART_IER, UART_IER_LINE);
	card_write(&from, 1, UART_LCR, UART_LCR_DLAB);
	card_write(&from, 1, UART_DATA, 0x34);
	card_write(&from, 1, UART_IER, 0x12);
	card_write(&from, 1, UART_LCR, 0x1b);
	card_write(&from, 1, UART_MCR, UART_MCR_RTS);
	card_write(&from, 1, UART_SCR, 0x5a);
	card_read(&from, 1, UART_MSR);
	save(&from, true, &s);
	assert_int_equal(load(&to, &s, 7), 0);
	for (unsigned int reg = 0; reg < UART_NR_REGS; reg++)
		assert_int_equal(card_read(&to, 1, reg), want[reg]);
	card_write(&to, 1, UART_LCR, UART_LCR_DLAB);
	assert_int_equal(card_read(&to, 1, UART_DATA), 0x34);
	assert_int_equal(card_read(&to, 1, UART_IER), 0x12);
	assert_int_equal(card_read(&to, 0, UART_SCR), 0);
	card_free(&from);
	card_free(&to);
}

/* A pending interrupt is signalled at the other end, when it runs there. */
static void test_interrupt(void **state)
{
	static struct stream s;
	struct card from, to;
	int fd;

	card_make(&from, "mtty-1", LOOP, LOOP);
	card_make(&to, "mtty-1", LOOP, LOOP);
	card_write(&from, 0, UART_IER, UART_IER_TX);
	save(&from, false, &s);
	fd = card_wire(&to);
	assert_int_equal(load(&to, &s, sizeof(s.bytes)), 0);
	card_settle(&to, 1);
	assert_true(card_take_signal(fd));
	assert_int_equal(card_read(&to, 0, UART_IIR), UART_IIR_TX);
	close(fd);
	card_free(&from);
	card_free(&to);
}

/* While it stands still nothing is read or sent; afterwards all of it comes. */
static void test_standing_still(void **state)
{
	struct card card;
	int fd, irq;

	card_make(&card, "mtty-1", PTY, LOOP);
	card_open_port(&card, 0, 0);
	fd = open_terminal(&card, 0);
	irq = card_wire(&card);
	card_write(&card, 0, UART_IER, UART_IER_RX);
	go(&card, TRN_MIG_STOP);
	assert_int_equal(write(fd, "abc", 3), 3);
	card_settle(&card, 2);
	assert_int_equal(card_read(&card, 0, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	assert_false(card_take_signal(irq));
	go(&card, TRN_MIG_RUNNING);
	card_until(&card, card_take_signal(irq));
	card_expect(&card, 0, "abc", 3);
	close(irq);
	close(fd);
	card_free(&card);
}

static void test_reset_sets_it_going(void **state)
{
	struct card card;
	int fd;

	card_make(&card, "mtty-1", PTY, LOOP);
	fd = open_terminal(&card, 0);
	go(&card, TRN_MIG_STOP);
	card_settle(&card, 2);
	assert_int_equal(trn_use_reset(card.use), 0);
	assert_int_equal(trn_use_region_write(card.use, TRN_PCI_REGION_CONFIG, 4, "\1\0", 2), 0);
	card_open_port(&card, 0, 0);
	assert_int_equal(write(fd, "abc", 3), 3);
	card_expect(&card, 0, "abc", 3);
	card_send(&card, 0, "def", 3);
	card_expect_at(&card, fd, "def", 3);
	close(fd);
	card_free(&card);
}

/* Some bytes each way before the move, the rest after it: those in the FIFOs and buffers move along. */
static void move_midway(unsigned int round, bool ahead)
{
	static uint8_t bytes[9000];
	static struct stream s;
	struct card from, to;
	size_t first = 1 + round * 701 % 6000, eaten = round * 37 % first;
	uint8_t got[4096];
	ssize_t n;
	int fd, new_fd;

	card_fill(bytes, sizeof(bytes));
	card_make(&from, "mtty-2", PTY, LOOP);
	card_make(&to, "mtty-2", PTY, LOOP);
	card_open_port(&from, 0, 0x80);
	fd = open_terminal(&from, 0);
	assert_int_equal(write(fd, bytes, first), first);
	card_expect(&from, 0, bytes, eaten);
	/* The peer has not read these: they are in the terminal, or move. */
	card_send(&from, 0, bytes, first);
	save(&from, ahead, &s);

	new_fd = open(mtty_line_name(to.dev, 0), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	assert_true(new_fd >= 0);
	card_settle(&to, 1);
	assert_int_equal(load(&to, &s, 1 + round * 13 % 300), 0);
	card_write(&to, 0, UART_MCR, UART_MCR_DTR | UART_MCR_RTS);

	/* What the old terminal still holds of the peer's words follows through the new one, as a management tool does it. */
	sd_event_run(to.event, 0);
	go(&from, TRN_MIG_STOP);
	for (size_t at = eaten; at < first; at++) {
		if (!(card_read(&to, 0, UART_LSR) & UART_LSR_DR))
			card_settle(&to, 1);
		if (!(card_read(&to, 0, UART_LSR) & UART_LSR_DR)) {
			assert_int_equal(write(new_fd, bytes + at, first - at), first - at);
			card_expect(&to, 0, bytes + at, first - at);
			break;
		}
		assert_int_equal(card_read(&to, 0, UART_DATA), bytes[at]);
	}

	n = read(fd, got, sizeof(got));
	n = n < 0 ? 0 : n;
	assert_memory_equal(got, bytes, (size_t)n);
	for (size_t done = (size_t)n; done < first; done += (size_t)n) {
		n = read(fd, got, sizeof(got));
		if (n <= 0) {
			card_expect_at(&to, new_fd, bytes + done, first - done);
			break;
		}
		assert_memory_equal(got, bytes + done, (size_t)n);
	}
	close(fd);
	close(new_fd);
	card_free(&from);
	card_free(&to);
}

static void test_midway(void **state)
{
	for (unsigned int round = 0; round < 20; round++)
		move_midway(round, round & 1);
}

static bool is_pin_up(struct card *card)
{
	uint16_t status = 0;

	assert_int_equal(trn_use_region_read(card->use, TRN_PCI_REGION_CONFIG, PCI_STATUS, &status, sizeof(status)), 0);
	return status & PCI_STATUS_INTERRUPT;
}

/* Whatever a stream says of the pin, it ends as the chips have it: else it would be up, or down, for ever. */
static void test_pin_is_as_the_chips_have_it(void **state)
{
	static struct stream s;

	for (unsigned int wanted = 0; wanted < 2; wanted++) {
		struct card from, to;

		card_make(&from, "mtty-1", LOOP, LOOP);
		card_make(&to, "mtty-1", LOOP, LOOP);
		card_write(&from, 0, UART_IER, wanted ? UART_IER_TX : 0);
		go(&from, TRN_MIG_STOP_COPY);
		trn_pci_set_intx(trn_pci_of(from.dev), !wanted);
		s.len = 0;
		read_stream(&from, &s);
		assert_int_equal(load(&to, &s, sizeof(s.bytes)), 0);
		assert_int_equal(is_pin_up(&to), wanted);
		card_free(&from);
		card_free(&to);
	}
}

static void test_other_number_of_ports(void **state)
{
	static struct stream s;
	struct card from, to;

	card_make(&from, "mtty-1", LOOP, LOOP);
	card_make(&to, "mtty-2", LOOP, LOOP);
	card_write(&to, 1, UART_SCR, 0x33);
	save(&from, true, &s);
	assert_int_equal(load(&to, &s, sizeof(s.bytes)), -EINVAL);
	assert_int_equal(card_read(&to, 1, UART_SCR), 0x33);
	go(&from, TRN_MIG_RUNNING);
	card_free(&from);
	card_free(&to);
}

/* Every truncation and a change of any byte is refused, or makes a state that a card can have. */
static void test_broken_streams(void **state)
{
	static struct stream good, bad;
	struct card card;
	unsigned int refused = 0;

	card_make(&card, "mtty-2", LOOP, LOOP);
	card_open_port(&card, 0, 0);
	card_write(&card, 0, UART_DATA, 'x');
	save(&card, false, &good);
	go(&card, TRN_MIG_RUNNING);
	for (size_t len = 0; len < good.len; len++) {
		bad = good;
		bad.len = len;
		card_write(&card, 1, UART_SCR, (unsigned int)len);
		assert_true(load(&card, &bad, sizeof(bad.bytes)) < 0);
		assert_int_equal(card_read(&card, 1, UART_SCR), len & 0xff);
		trn_use_reset(card.use);
		assert_int_equal(trn_use_region_write(card.use, TRN_PCI_REGION_CONFIG, 4, "\1\0", 2), 0);
	}
	for (size_t at = 0; at < good.len; at++) {
		bad = good;
		bad.bytes[at] ^= 0xff;
		refused += load(&card, &bad, sizeof(bad.bytes)) < 0;
		trn_use_reset(card.use);
	}
	assert_in_range(refused, good.len / 2, good.len);
	assert_int_equal(load(&card, &good, sizeof(good.bytes)), 0);
	card_expect(&card, 0, "x", 1);
	card_free(&card);
}

/* --- The card's own part, which the stream's checksum hides --- */

#define PORT_LEN 66u
#define AT_IER 0u
#define AT_FCR 1u
#define AT_MCR 3u
#define AT_ERRORS 5u
#define AT_NR_IN 10u
#define AT_FLAGS 14u
#define AT_NR_RX 15u
#define AT_NR_TX 16u
#define AT_RESERVED 17u
#define AT_RX 18u
#define AT_RX_ERRORS 34u
#define AT_TX 50u

static void refuse_own(struct card *card, uint32_t version, const uint8_t *bytes, size_t len)
{
	struct trn_error err = { 0 };

	card_write(card, 0, UART_SCR, 0x44);
	assert_int_equal(mtty_migration.load(trn_pci_of(card->dev), version, bytes, len, &err), -EINVAL);
	assert_string_equal(err.name, "BadState");
	assert_int_equal(card_read(card, 0, UART_SCR), 0x44);
}

static void refuse_byte(struct card *card, unsigned int at, uint8_t value)
{
	uint8_t bytes[2 * PORT_LEN] = { 0 };

	bytes[PORT_LEN + at] = value; /* in the second port, so that the first could already have been changed */
	refuse_own(card, 1, bytes, sizeof(bytes));
}

static void test_states_that_no_card_has(void **state)
{
	static uint8_t bytes[2 * PORT_LEN + 4097];
	struct card card;

	card_make(&card, "mtty-2", LOOP, LOOP);
	refuse_byte(&card, AT_IER, 0x10);
	refuse_byte(&card, AT_FCR, 0x40);
	refuse_byte(&card, AT_MCR, 0x80);
	refuse_byte(&card, AT_ERRORS, 0x01);
	refuse_byte(&card, AT_FLAGS, 0x04);
	refuse_byte(&card, AT_FLAGS, 0x02); /* timed out with nothing there */
	refuse_byte(&card, AT_NR_RX, 2);    /* without FIFO */
	refuse_byte(&card, AT_NR_TX, 17);
	refuse_byte(&card, AT_RESERVED, 1);
	refuse_byte(&card, AT_RX_ERRORS, 0x02);
	refuse_byte(&card, AT_RX, 'a'); /* behind the last byte */
	refuse_byte(&card, AT_RX_ERRORS, 0x04);
	refuse_byte(&card, AT_TX + 15, 'a');
	refuse_byte(&card, AT_NR_IN, 1); /* which is not there */

	/* Lengths, and the largest buffer. */
	refuse_own(&card, 2, bytes, 2 * PORT_LEN);
	refuse_own(&card, 1, bytes, 2 * PORT_LEN - 1);
	refuse_own(&card, 1, bytes, 2 * PORT_LEN + 1);
	bytes[AT_NR_IN + 1] = 0x10;
	bytes[AT_NR_IN] = 1;
	refuse_own(&card, 1, bytes, 2 * PORT_LEN + 4097);
	bytes[AT_NR_IN] = 0;
	assert_int_equal(mtty_migration.load(trn_pci_of(card.dev), 1, bytes, 2 * PORT_LEN + 4096, NULL), 0);
	assert_int_equal(card_read(&card, 0, UART_SCR), 0);
	card_free(&card);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_standing_still),
		cmocka_unit_test(test_reset_sets_it_going),
		cmocka_unit_test(test_midway),
		cmocka_unit_test(test_pin_is_as_the_chips_have_it),
		cmocka_unit_test(test_other_number_of_ports),
		cmocka_unit_test(test_broken_streams),
		cmocka_unit_test(test_states_that_no_card_has),
	};

	return unit_run(tests);
}

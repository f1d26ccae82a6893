/* SPDX-License-Identifier: MIT */
/* Point 25 (divisor and trigger levels are those of the guest).
 * The 16550A by itself: each register, the FIFOs, interrupts and their order, loop mode, modem lines, time-out. */
#include "unit.h"

#include "parents/mtty/uart.h"

#define FIFO_ON UART_FCR_ENABLE
#define TRIGGER_4 0x40u
#define TRIGGER_8 0x80u
#define TRIGGER_14 0xc0u
#define CHARACTER_NS 86805u /* 10 bits at 115200 baud, rounded down */

static struct mtty_uart new_uart(void)
{
	struct mtty_uart u = { 0 };

	mtty_uart_reset(&u);
	return u;
}

static uint8_t rd(struct mtty_uart *u, unsigned int reg)
{
	return mtty_uart_read(u, reg, 0);
}

static void wr(struct mtty_uart *u, unsigned int reg, unsigned int value)
{
	mtty_uart_write(u, reg, (uint8_t)value, 0);
}

static void receive(struct mtty_uart *u, const char *text)
{
	for (; *text; text++)
		mtty_uart_receive(u, (uint8_t)*text, 0, 0);
}

static void test_after_reset(void **state)
{
	struct mtty_uart u = new_uart();

	assert_int_equal(rd(&u, UART_IER), 0);
	assert_int_equal(rd(&u, UART_IIR), UART_IIR_NONE);
	assert_int_equal(rd(&u, UART_LCR), 0);
	assert_int_equal(rd(&u, UART_MCR), 0);
	assert_int_equal(rd(&u, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	assert_int_equal(rd(&u, UART_MSR), 0);
	assert_int_equal(rd(&u, UART_SCR), 0);
	assert_int_equal(rd(&u, UART_DATA), 0);
	assert_false(mtty_uart_is_pending(&u));
	assert_true(mtty_uart_is_valid(&u));
}

static void test_reset_keeps_inputs(void **state)
{
	struct mtty_uart u = new_uart();

	mtty_uart_set_inputs(&u, UART_MSR_CTS | UART_MSR_DCD);
	wr(&u, UART_SCR, 1);
	wr(&u, UART_MCR, 0x0b);
	receive(&u, "x");
	mtty_uart_reset(&u);
	assert_int_equal(rd(&u, UART_MSR), UART_MSR_CTS | UART_MSR_DCD);
	assert_int_equal(rd(&u, UART_SCR), 0);
	assert_int_equal(rd(&u, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
}

static void test_masks(void **state)
{
	struct mtty_uart u = new_uart();

	wr(&u, UART_IER, 0xff);
	assert_int_equal(rd(&u, UART_IER), 0x0f);
	wr(&u, UART_MCR, 0xff);
	assert_int_equal(rd(&u, UART_MCR), 0x3f);
	wr(&u, UART_SCR, 0xa5);
	assert_int_equal(rd(&u, UART_SCR), 0xa5);
	wr(&u, UART_LCR, 0x7f);
	assert_int_equal(rd(&u, UART_LCR), 0x7f);
}

static void test_status_is_read_only(void **state)
{
	struct mtty_uart u = new_uart();

	wr(&u, UART_LSR, 0xff);
	wr(&u, UART_MSR, 0xff);
	assert_int_equal(rd(&u, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	assert_int_equal(rd(&u, UART_MSR), 0);
}

static void test_divisor(void **state)
{
	struct mtty_uart u = new_uart();

	wr(&u, UART_IER, 0x05);
	wr(&u, UART_LCR, UART_LCR_DLAB | 3);
	wr(&u, UART_DATA, 0x34);
	wr(&u, UART_IER, 0x12);
	assert_int_equal(rd(&u, UART_DATA), 0x34);
	assert_int_equal(rd(&u, UART_IER), 0x12);
	assert_int_equal(u.divisor, 0x1234);
	wr(&u, UART_LCR, 3);
	assert_int_equal(rd(&u, UART_IER), 0x05);
	assert_int_equal(u.tx.count, 0);
}

static void test_without_fifo(void **state)
{
	struct mtty_uart u = new_uart();

	wr(&u, UART_LCR, 3);
	receive(&u, "ab");
	assert_int_equal(rd(&u, UART_LSR) & (UART_LSR_DR | UART_LSR_OE), UART_LSR_DR | UART_LSR_OE);
	assert_int_equal(rd(&u, UART_DATA), 'b');
	assert_int_equal(rd(&u, UART_LSR) & UART_LSR_DR, 0);
	assert_int_equal(rd(&u, UART_IIR) & UART_IIR_FIFO, 0);
	assert_int_equal(mtty_uart_room(&u), 1);
}

static void test_fifo_order(void **state)
{
	struct mtty_uart u = new_uart();

	wr(&u, UART_LCR, 3);
	wr(&u, UART_FCR, FIFO_ON);
	assert_int_equal(rd(&u, UART_IIR), UART_IIR_FIFO | UART_IIR_NONE);
	for (unsigned int round = 0; round < 3; round++) {
		receive(&u, "0123456789");
		for (char c = '0'; c <= '9'; c++)
			assert_int_equal(rd(&u, UART_DATA), c);
	}
	assert_int_equal(rd(&u, UART_LSR) & UART_LSR_DR, 0);
}

static void test_overrun(void **state)
{
	struct mtty_uart u = new_uart();

	wr(&u, UART_LCR, 3);
	wr(&u, UART_FCR, FIFO_ON);
	wr(&u, UART_IER, UART_IER_LINE);
	receive(&u, "0123456789abcdef");
	assert_int_equal(mtty_uart_room(&u), 0);
	assert_false(mtty_uart_is_pending(&u));
	receive(&u, "X");
	assert_int_equal(rd(&u, UART_IIR) & 0x0f, UART_IIR_LINE);
	assert_int_equal(rd(&u, UART_LSR) & UART_LSR_OE, UART_LSR_OE);
	assert_int_equal(rd(&u, UART_LSR) & UART_LSR_OE, 0);
	assert_false(mtty_uart_is_pending(&u));
	for (const char *c = "0123456789abcdef"; *c; c++)
		assert_int_equal(rd(&u, UART_DATA), *c);
}

static void check_trigger(unsigned int fcr, unsigned int level)
{
	struct mtty_uart u = new_uart();

	wr(&u, UART_FCR, FIFO_ON | fcr);
	wr(&u, UART_IER, UART_IER_RX);
	for (unsigned int i = 1; i < level; i++) {
		receive(&u, "x");
		assert_false(mtty_uart_is_pending(&u));
	}
	receive(&u, "x");
	assert_int_equal(rd(&u, UART_IIR), UART_IIR_FIFO | UART_IIR_RX);
	assert_int_equal(rd(&u, UART_IIR), UART_IIR_FIFO | UART_IIR_RX);
	rd(&u, UART_DATA);
	assert_false(mtty_uart_is_pending(&u));
}

static void test_trigger_levels(void **state)
{
	check_trigger(0, 1);
	check_trigger(TRIGGER_4, 4);
	check_trigger(TRIGGER_8, 8);
	check_trigger(TRIGGER_14, 14);
}

static void test_time_out(void **state)
{
	struct mtty_uart u = new_uart();
	uint64_t due;

	u.divisor = 1;
	wr(&u, UART_LCR, 3);
	wr(&u, UART_FCR, FIFO_ON | TRIGGER_8);
	assert_int_equal(mtty_uart_deadline(&u), UART_NEVER);
	wr(&u, UART_IER, UART_IER_RX);
	mtty_uart_receive(&u, 'a', 0, 1000);
	mtty_uart_receive(&u, 'b', 0, 5000);
	due = mtty_uart_deadline(&u);
	assert_in_range(due, 5000 + 4 * CHARACTER_NS, 5000 + 4 * CHARACTER_NS + 4);

	mtty_uart_expire(&u, due - 1);
	assert_false(mtty_uart_is_pending(&u));
	mtty_uart_expire(&u, due);
	assert_int_equal(rd(&u, UART_IIR), UART_IIR_FIFO | UART_IIR_TIMEOUT);
	assert_int_equal(mtty_uart_deadline(&u), UART_NEVER);

	/* Reading a byte ends it, and starts it anew for those that are left. */
	assert_int_equal(mtty_uart_read(&u, UART_DATA, 1000000), 'a');
	assert_false(mtty_uart_is_pending(&u));
	assert_in_range(mtty_uart_deadline(&u), 1000000 + 4 * CHARACTER_NS, 1000000 + 4 * CHARACTER_NS + 4);
	assert_int_equal(rd(&u, UART_DATA), 'b');
	assert_int_equal(mtty_uart_deadline(&u), UART_NEVER);
}

static void test_no_time_out_at_trigger(void **state)
{
	struct mtty_uart u = new_uart();

	wr(&u, UART_FCR, FIFO_ON | TRIGGER_4);
	wr(&u, UART_IER, UART_IER_RX);
	receive(&u, "abcd");
	assert_int_equal(mtty_uart_deadline(&u), UART_NEVER);
	rd(&u, UART_DATA);
	assert_int_not_equal(mtty_uart_deadline(&u), UART_NEVER);
	wr(&u, UART_IER, 0);
	assert_int_equal(mtty_uart_deadline(&u), UART_NEVER);
}

/* How long after one character the time-out comes. */
static uint64_t time_out_of(unsigned int lcr, unsigned int divisor)
{
	struct mtty_uart u = new_uart();

	u.divisor = (uint16_t)divisor;
	wr(&u, UART_LCR, lcr);
	wr(&u, UART_FCR, FIFO_ON | TRIGGER_8);
	wr(&u, UART_IER, UART_IER_RX);
	receive(&u, "x");
	return mtty_uart_deadline(&u);
}

static void test_time_out_follows_format(void **state)
{
	uint64_t bit_ns = time_out_of(3, 3) / 40;

	assert_in_range(bit_ns, 26041, 26042);
	assert_in_range(time_out_of(3 | UART_LCR_PARITY, 3), 44 * bit_ns, 44 * (bit_ns + 1));
	assert_in_range(time_out_of(3 | UART_LCR_STOP, 3), 44 * bit_ns, 44 * (bit_ns + 1));
	assert_in_range(time_out_of(0, 3), 28 * bit_ns, 28 * (bit_ns + 1));
	assert_in_range(time_out_of(UART_LCR_STOP, 3), 30 * bit_ns, 30 * (bit_ns + 1));
	assert_in_range(time_out_of(3, 12), 160 * bit_ns, 160 * (bit_ns + 1));
	assert_int_equal(time_out_of(3, 0), time_out_of(3, 1));
}

static void test_errors_of_bytes(void **state)
{
	struct mtty_uart u = new_uart();

	wr(&u, UART_LCR, 3);
	wr(&u, UART_FCR, FIFO_ON | TRIGGER_14);
	wr(&u, UART_IER, UART_IER_LINE);
	mtty_uart_receive(&u, 'a', 0, 0);
	mtty_uart_receive(&u, 'b', UART_LSR_FE, 0);
	mtty_uart_receive(&u, 'c', UART_LSR_PE, 0);

	/* Not on top yet: only the summary. */
	assert_int_equal(rd(&u, UART_LSR) & (UART_LSR_ERRORS | UART_LSR_FIFO_ERROR), UART_LSR_FIFO_ERROR);
	assert_false(mtty_uart_is_pending(&u));
	assert_int_equal(rd(&u, UART_DATA), 'a');
	assert_int_equal(rd(&u, UART_IIR) & 0x0f, UART_IIR_LINE);
	assert_int_equal(rd(&u, UART_LSR) & (UART_LSR_ERRORS | UART_LSR_FIFO_ERROR), UART_LSR_FE | UART_LSR_FIFO_ERROR);
	assert_false(mtty_uart_is_pending(&u));
	assert_int_equal(rd(&u, UART_DATA), 'b');
	assert_int_equal(rd(&u, UART_LSR) & UART_LSR_ERRORS, UART_LSR_PE);
	assert_int_equal(rd(&u, UART_DATA), 'c');
	assert_int_equal(rd(&u, UART_LSR) & (UART_LSR_ERRORS | UART_LSR_FIFO_ERROR), 0);
}

static void test_break_in(void **state)
{
	struct mtty_uart u = new_uart();

	wr(&u, UART_FCR, FIFO_ON);
	mtty_uart_receive(&u, 0, UART_LSR_BI, 0);
	assert_int_equal(rd(&u, UART_LSR) & (UART_LSR_BI | UART_LSR_DR), UART_LSR_BI | UART_LSR_DR);
	assert_int_equal(rd(&u, UART_LSR) & UART_LSR_BI, 0);
	assert_int_equal(rd(&u, UART_DATA), 0);
}

static void test_transmit(void **state)
{
	struct mtty_uart u = new_uart();
	uint8_t byte;

	wr(&u, UART_LCR, 3);
	wr(&u, UART_FCR, FIFO_ON);
	assert_false(mtty_uart_send(&u, &byte));
	for (char c = 'a'; c < 'a' + 16; c++)
		wr(&u, UART_DATA, (unsigned int)c);
	assert_int_equal(rd(&u, UART_LSR) & (UART_LSR_THRE | UART_LSR_TEMT), 0);
	wr(&u, UART_DATA, 'X'); /* no room: lost */
	for (char c = 'a'; c < 'a' + 16; c++) {
		assert_int_equal(rd(&u, UART_LSR) & UART_LSR_THRE, 0);
		assert_true(mtty_uart_send(&u, &byte));
		assert_int_equal(byte, c);
	}
	assert_false(mtty_uart_send(&u, &byte));
	mtty_uart_set_sending(&u, true);
	assert_int_equal(rd(&u, UART_LSR), UART_LSR_THRE);
	mtty_uart_set_sending(&u, false);
	assert_int_equal(rd(&u, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
}

static void test_transmit_interrupt(void **state)
{
	struct mtty_uart u = new_uart();
	uint8_t byte;

	wr(&u, UART_FCR, FIFO_ON);
	/* What the driver tries at each open: enabled while empty it comes, each time anew; reading its cause ends it. */
	for (unsigned int i = 0; i < 2; i++) {
		wr(&u, UART_IER, UART_IER_TX);
		assert_int_equal(rd(&u, UART_IIR) & 0x0f, UART_IIR_TX);
		assert_int_equal(rd(&u, UART_IIR) & 0x0f, UART_IIR_NONE);
		wr(&u, UART_IER, UART_IER_TX); /* no change: no event */
		assert_false(mtty_uart_is_pending(&u));
		wr(&u, UART_IER, 0);
	}

	wr(&u, UART_IER, UART_IER_TX);
	wr(&u, UART_DATA, 'a');
	wr(&u, UART_DATA, 'b');
	assert_false(mtty_uart_is_pending(&u));
	mtty_uart_send(&u, &byte);
	assert_false(mtty_uart_is_pending(&u));
	mtty_uart_send(&u, &byte);
	assert_true(mtty_uart_is_pending(&u));
	wr(&u, UART_DATA, 'c'); /* ends it too */
	assert_false(mtty_uart_is_pending(&u));
}

static void test_cause_is_not_lost_to_another(void **state)
{
	struct mtty_uart u = new_uart();

	wr(&u, UART_FCR, FIFO_ON);
	wr(&u, UART_IER, UART_IER_TX | UART_IER_RX);
	receive(&u, "x");
	assert_int_equal(rd(&u, UART_IIR) & 0x0f, UART_IIR_RX);
	rd(&u, UART_DATA);
	assert_int_equal(rd(&u, UART_IIR) & 0x0f, UART_IIR_TX);
}

static void test_priorities(void **state)
{
	struct mtty_uart u = new_uart();

	wr(&u, UART_LCR, 3);
	wr(&u, UART_FCR, FIFO_ON);
	wr(&u, UART_IER, UART_IER_MASK);
	mtty_uart_set_inputs(&u, UART_MSR_CTS);
	mtty_uart_receive(&u, 'x', UART_LSR_FE, 0);
	assert_int_equal(rd(&u, UART_IIR) & 0x0f, UART_IIR_LINE);
	rd(&u, UART_LSR);
	assert_int_equal(rd(&u, UART_IIR) & 0x0f, UART_IIR_RX);
	rd(&u, UART_DATA);
	assert_int_equal(rd(&u, UART_IIR) & 0x0f, UART_IIR_TX);
	assert_int_equal(rd(&u, UART_IIR) & 0x0f, UART_IIR_MODEM);
	rd(&u, UART_MSR);
	assert_int_equal(rd(&u, UART_IIR) & 0x0f, UART_IIR_NONE);
}

static void test_nothing_enabled_nothing_pending(void **state)
{
	struct mtty_uart u = new_uart();

	wr(&u, UART_FCR, FIFO_ON);
	receive(&u, "0123456789abcdefX");
	mtty_uart_set_inputs(&u, UART_MSR_INPUTS);
	assert_false(mtty_uart_is_pending(&u));
	assert_int_equal(rd(&u, UART_IIR), UART_IIR_FIFO | UART_IIR_NONE);
}

static void test_fifo_control(void **state)
{
	struct mtty_uart u = new_uart();
	uint8_t byte;

	wr(&u, UART_FCR, FIFO_ON);
	receive(&u, "abc");
	wr(&u, UART_DATA, 'x');
	wr(&u, UART_FCR, FIFO_ON | UART_FCR_CLEAR_RX);
	assert_int_equal(rd(&u, UART_LSR) & (UART_LSR_DR | UART_LSR_THRE), 0);
	receive(&u, "d");
	wr(&u, UART_FCR, FIFO_ON | UART_FCR_CLEAR_TX);
	assert_int_equal(rd(&u, UART_LSR) & (UART_LSR_DR | UART_LSR_THRE), UART_LSR_DR | UART_LSR_THRE);
	assert_false(mtty_uart_send(&u, &byte));
	/* Switching clears both. */
	wr(&u, UART_DATA, 'y');
	wr(&u, UART_FCR, 0);
	assert_int_equal(rd(&u, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	assert_int_equal(rd(&u, UART_IIR), UART_IIR_NONE);
	/* Without the enable bit the others do not count. */
	wr(&u, UART_FCR, TRIGGER_14);
	assert_int_equal(u.fcr, 0);
}

static void test_word_length(void **state)
{
	struct mtty_uart u = new_uart();
	uint8_t byte;

	wr(&u, UART_LCR, 2);
	wr(&u, UART_FCR, FIFO_ON);
	mtty_uart_receive(&u, 0xff, 0, 0);
	assert_int_equal(rd(&u, UART_DATA), 0x7f);
	wr(&u, UART_LCR, 0);
	wr(&u, UART_DATA, 0xff);
	assert_true(mtty_uart_send(&u, &byte));
	assert_int_equal(byte, 0x1f);
}

static void test_deltas(void **state)
{
	struct mtty_uart u = new_uart();

	wr(&u, UART_IER, UART_IER_MODEM);
	mtty_uart_set_inputs(&u, UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD);
	assert_true(mtty_uart_is_pending(&u));
	assert_int_equal(rd(&u, UART_MSR), UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD | UART_MSR_DCTS | UART_MSR_DDSR |
						   UART_MSR_DDCD);
	assert_false(mtty_uart_is_pending(&u));
	assert_int_equal(rd(&u, UART_MSR), UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD);
	/* There and back is a change too. */
	mtty_uart_set_inputs(&u, UART_MSR_DSR | UART_MSR_DCD);
	mtty_uart_set_inputs(&u, UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD);
	assert_int_equal(rd(&u, UART_MSR) & UART_MSR_DELTAS, UART_MSR_DCTS);
}

static void test_ring_counts_when_it_ends(void **state)
{
	struct mtty_uart u = new_uart();

	mtty_uart_set_inputs(&u, UART_MSR_RI);
	assert_int_equal(rd(&u, UART_MSR), UART_MSR_RI);
	mtty_uart_set_inputs(&u, 0);
	assert_int_equal(rd(&u, UART_MSR), UART_MSR_TERI);
}

static void test_loop_mode_mirrors(void **state)
{
	static const uint8_t pairs[][2] = {
		{ UART_MCR_DTR, UART_MSR_DSR },
		{ UART_MCR_RTS, UART_MSR_CTS },
		{ UART_MCR_OUT1, UART_MSR_RI },
		{ UART_MCR_OUT2, UART_MSR_DCD },
	};
	struct mtty_uart u = new_uart();

	mtty_uart_set_inputs(&u, UART_MSR_CTS);
	for (unsigned int i = 0; i < 4; i++) {
		wr(&u, UART_MCR, UART_MCR_LOOP | pairs[i][0]);
		assert_int_equal(rd(&u, UART_MSR) & UART_MSR_INPUTS, pairs[i][1]);
	}
	/* The pins are off meanwhile, and the line is not heard. */
	assert_int_equal(mtty_uart_outputs(&u), 0);
	assert_int_equal(mtty_uart_room(&u), 0);
	wr(&u, UART_MCR, UART_MCR_DTR | UART_MCR_RTS);
	assert_int_equal(mtty_uart_outputs(&u), UART_MCR_DTR | UART_MCR_RTS);
	assert_int_equal(rd(&u, UART_MSR) & UART_MSR_INPUTS, UART_MSR_CTS);
}

/* What a driver's probe does: write 0x1a, expect CTS and DCD. */
static void test_loop_mode_of_a_probe(void **state)
{
	struct mtty_uart u = new_uart();

	wr(&u, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	assert_int_equal(rd(&u, UART_MSR) & UART_MSR_INPUTS, UART_MSR_DCD | UART_MSR_CTS);
}

static void test_loop_mode_data(void **state)
{
	struct mtty_uart u = new_uart();
	uint8_t byte;

	wr(&u, UART_LCR, 3);
	wr(&u, UART_FCR, FIFO_ON);
	wr(&u, UART_MCR, UART_MCR_LOOP);
	for (char c = 'a'; c < 'a' + 17; c++)
		wr(&u, UART_DATA, (unsigned int)c);
	assert_false(mtty_uart_send(&u, &byte));
	assert_int_equal(rd(&u, UART_LSR), UART_LSR_DR | UART_LSR_OE | UART_LSR_THRE | UART_LSR_TEMT);
	for (char c = 'a'; c < 'a' + 16; c++)
		assert_int_equal(rd(&u, UART_DATA), c);
	wr(&u, UART_LCR, 3 | UART_LCR_BREAK);
	assert_int_equal(rd(&u, UART_LSR) & UART_LSR_BI, UART_LSR_BI);
}

static void test_auto_flow_control(void **state)
{
	struct mtty_uart u = new_uart();
	uint8_t byte;

	wr(&u, UART_LCR, 3);
	wr(&u, UART_FCR, FIFO_ON | TRIGGER_4);
	wr(&u, UART_MCR, UART_MCR_AFE | UART_MCR_RTS);
	wr(&u, UART_DATA, 'x');
	assert_false(mtty_uart_send(&u, &byte));
	assert_int_equal(rd(&u, UART_LSR) & UART_LSR_THRE, 0);
	mtty_uart_set_inputs(&u, UART_MSR_CTS);
	assert_true(mtty_uart_send(&u, &byte));

	receive(&u, "abc");
	assert_int_equal(mtty_uart_outputs(&u), UART_MCR_RTS);
	receive(&u, "d");
	assert_int_equal(mtty_uart_outputs(&u), 0);
	rd(&u, UART_DATA);
	assert_int_equal(mtty_uart_outputs(&u), UART_MCR_RTS);
}

static void test_valid(void **state)
{
	struct mtty_uart good = new_uart(), u;

	wr(&good, UART_FCR, FIFO_ON);
	receive(&good, "abc");
	assert_true(mtty_uart_is_valid(&good));

#define refuse(change)                                 \
	do {                                           \
		u = good;                              \
		change;                                \
		assert_false(mtty_uart_is_valid(&u));  \
	} while (0)
	refuse(u.rx.count = 17);
	refuse(u.tx.count = 17);
	refuse(u.rx.head = 16);
	refuse(u.rx.errors[1] = UART_LSR_OE);
	refuse(u.ier = 0x10);
	refuse(u.mcr = 0x40);
	refuse(u.fcr = 0x03);
	refuse(u.fcr = TRIGGER_4);
	refuse(u.fcr = 0); /* three bytes do not fit into a holding register */
	refuse(u.errors = UART_LSR_DR);
	refuse(u.deltas = 0x10);
	refuse(u.inputs = 0x01);
	refuse(u.rx.count = 0; u.timed_out = true);
	refuse(u.tx.count = 1; u.tx_event = true);
#undef refuse
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after_reset),
		cmocka_unit_test(test_reset_keeps_inputs),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_status_is_read_only),
		cmocka_unit_test(test_divisor),
		cmocka_unit_test(test_without_fifo),
		cmocka_unit_test(test_fifo_order),
		cmocka_unit_test(test_overrun),
		cmocka_unit_test(test_trigger_levels),
		cmocka_unit_test(test_time_out),
		cmocka_unit_test(test_no_time_out_at_trigger),
		cmocka_unit_test(test_time_out_follows_format),
		cmocka_unit_test(test_errors_of_bytes),
		cmocka_unit_test(test_break_in),
		cmocka_unit_test(test_transmit),
		cmocka_unit_test(test_transmit_interrupt),
		cmocka_unit_test(test_cause_is_not_lost_to_another),
		cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_nothing_enabled_nothing_pending),
		cmocka_unit_test(test_fifo_control),
		cmocka_unit_test(test_word_length),
		cmocka_unit_test(test_deltas),
		cmocka_unit_test(test_ring_counts_when_it_ends),
		cmocka_unit_test(test_loop_mode_mirrors),
		cmocka_unit_test(test_loop_mode_of_a_probe),
		cmocka_unit_test(test_loop_mode_data),
		cmocka_unit_test(test_auto_flow_control),
		cmocka_unit_test(test_valid),
	};

	return unit_run(tests);
}

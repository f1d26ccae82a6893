/* SPDX-License-Identifier: MIT */
/* Point 24. The card: what it says of itself, its ports, its interrupt, its pool. */
#include "card.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LOOP ((struct mtty_line_config){ .kind = MTTY_LINE_LOOP })

static uint32_t config(struct card *card, unsigned int offset, unsigned int len)
{
	uint32_t value = 0;

	assert_int_equal(trn_use_region_read(card->use, TRN_PCI_REGION_CONFIG, offset, &value, len), 0);
	return value;
}

static void test_identity(void **state)
{
	struct card card;

	card_make(&card, "mtty-2", LOOP, LOOP);
	assert_int_equal(config(&card, 0x00, 4), 0x32534348);
	assert_int_equal(config(&card, 0x08, 4), 0x07000210);
	assert_int_equal(config(&card, 0x2c, 4), 0x32534348);
	assert_int_equal(config(&card, 0x06, 2) & 0x10, 0); /* no capabilities */
	assert_int_equal(config(&card, 0x34, 1), 0);
	assert_int_equal(config(&card, 0x3d, 1), 1);
	assert_string_equal(mtty_line_name(card.dev, 0), "loop");
	assert_null(mtty_line_name(card.dev, 2));
	card_free(&card);
}

static uint32_t sized(struct card *card, unsigned int bar)
{
	uint32_t ones = UINT32_MAX;

	assert_int_equal(trn_use_region_write(card->use, TRN_PCI_REGION_CONFIG, 0x10 + 4 * bar, &ones, 4), 0);
	return config(card, 0x10 + 4 * bar, 4);
}

static void check_bars(const char *type, unsigned int nr_ports)
{
	struct trn_region_info info;
	struct trn_irq_info irq;
	struct card card;

	card_make(&card, type, LOOP, LOOP);
	for (unsigned int i = 0; i < 6; i++) {
		assert_int_equal(trn_use_region_info(card.use, i, &info), 0);
		assert_int_equal(info.size, i < nr_ports ? 8 : 0);
		assert_int_equal(sized(&card, i), i < nr_ports ? 0xfffffff9 : 0);
	}
	assert_int_equal(trn_use_irq_info(card.use, TRN_PCI_IRQ_INTX, &irq), 0);
	assert_int_equal(irq.count, 1);
	assert_int_equal(trn_use_irq_info(card.use, TRN_PCI_IRQ_MSI, &irq), 0);
	assert_int_equal(irq.count, 0);
	card_free(&card);
}

static void test_bars(void **state)
{
	check_bars("mtty-1", 1);
	check_bars("mtty-2", 2);
}

static void test_ports_are_apart(void **state)
{
	struct card card;
	uint8_t bytes[8];

	card_make(&card, "mtty-2", LOOP, LOOP);
	card_write(&card, 0, UART_SCR, 0x11);
	card_write(&card, 1, UART_SCR, 0x22);
	assert_int_equal(card_read(&card, 0, UART_SCR), 0x11);
	assert_int_equal(card_read(&card, 1, UART_SCR), 0x22);
	/* An access of several bytes is one of several registers. */
	assert_int_equal(trn_use_region_read(card.use, 1, 0, bytes, 8), 0);
	assert_int_equal(bytes[UART_LSR], UART_LSR_THRE | UART_LSR_TEMT);
	assert_int_equal(bytes[UART_SCR], 0x22);
	assert_int_equal(trn_use_region_read(card.use, 1, 4, bytes, 8), -EINVAL);
	card_free(&card);
}

static void test_pool(void **state)
{
	struct trn_create_params params = { .uuid = "5d1c6cd5-1d3c-4c0c-8f5c-0d7a3b1e2f41" };
	struct trn_device *second;
	struct card card;

	card_make(&card, "mtty-2", LOOP, LOOP);
	assert_int_equal(trn_type_get_available(trn_type_find(card.parent, "mtty-1")), 22);
	assert_int_equal(trn_device_create(trn_type_find(card.parent, "mtty-1"), &params, &second, NULL), 0);
	assert_int_equal(trn_type_get_available(trn_type_find(card.parent, "mtty-1")), 21);
	assert_int_equal(trn_type_get_available(trn_type_find(card.parent, "mtty-2")), 10);
	assert_string_equal(trn_type_pretty_name(trn_type_find(card.parent, "mtty-1")), "Single port serial");
	assert_string_equal(trn_type_pretty_name(trn_type_find(card.parent, "mtty-2")), "Dual port serial");
	assert_string_equal(trn_type_device_api(trn_type_find(card.parent, "mtty-2")), "vfio-pci");
	trn_device_unref(second);
	card_free(&card);
}

static void test_interrupt(void **state)
{
	struct card card;
	int fd;

	card_make(&card, "mtty-2", LOOP, LOOP);
	fd = card_wire(&card);
	assert_false(card_take_signal(fd));
	card_write(&card, 0, UART_IER, UART_IER_TX);
	assert_true(card_take_signal(fd));

	/* Masked by itself: another cause is not heard until it is unmasked, and then because it is still there. */
	card_write(&card, 1, UART_IER, UART_IER_TX);
	assert_int_equal(card_read(&card, 0, UART_IIR) & 0x0f, UART_IIR_TX);
	assert_false(card_take_signal(fd));
	card_unmask(&card);
	assert_true(card_take_signal(fd));
	assert_int_equal(card_read(&card, 1, UART_IIR) & 0x0f, UART_IIR_TX);
	card_unmask(&card);
	assert_false(card_take_signal(fd));
	close(fd);
	card_free(&card);
}

static void test_loop_wires_modem_lines(void **state)
{
	struct card card;

	card_make(&card, "mtty-1", LOOP, LOOP);
	card_write(&card, 0, UART_MCR, UART_MCR_RTS);
	assert_int_equal(card_read(&card, 0, UART_MSR), UART_MSR_CTS | UART_MSR_DCTS);
	card_write(&card, 0, UART_MCR, UART_MCR_DTR);
	assert_int_equal(card_read(&card, 0, UART_MSR),
			 UART_MSR_DSR | UART_MSR_DCD | UART_MSR_DCTS | UART_MSR_DDSR | UART_MSR_DDCD);
	card_free(&card);
}

static void test_loop_returns_all(void **state)
{
	static uint8_t bytes[5000];
	struct card card;
	size_t sent = 0;

	card_fill(bytes, sizeof(bytes));
	card_make(&card, "mtty-1", LOOP, LOOP);
	card_open_port(&card, 0, 0);
	/* Until the transmitter says that it is busy: nothing is overrun. */
	while (card_read(&card, 0, UART_LSR) & UART_LSR_THRE)
		for (unsigned int i = 0; i < UART_FIFO_SIZE; i++)
			card_write(&card, 0, UART_DATA, bytes[sent++]);
	assert_in_range(sent, 4096, 4096 + 3 * UART_FIFO_SIZE);
	assert_int_equal(card_read(&card, 0, UART_LSR) & UART_LSR_OE, 0);
	card_expect(&card, 0, bytes, sent);
	assert_int_equal(card_read(&card, 0, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	card_free(&card);
}

static void test_loop_with_auto_flow_control(void **state)
{
	struct card card;

	card_make(&card, "mtty-1", LOOP, LOOP);
	card_open_port(&card, 0, 0);
	card_write(&card, 0, UART_MCR, UART_MCR_AFE | UART_MCR_RTS);
	for (const char *c = "0123456789"; *c; c++)
		card_write(&card, 0, UART_DATA, (unsigned int)*c);
	card_expect(&card, 0, "0123456789", 10);
	assert_int_equal(card_read(&card, 0, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	card_free(&card);
}

static void test_loop_break(void **state)
{
	struct card card;

	card_make(&card, "mtty-1", LOOP, LOOP);
	card_open_port(&card, 0, 0);
	card_write(&card, 0, UART_LCR, 3 | UART_LCR_BREAK);
	assert_int_equal(card_read(&card, 0, UART_LSR) & (UART_LSR_BI | UART_LSR_DR), UART_LSR_BI | UART_LSR_DR);
	card_write(&card, 0, UART_LCR, 3);
	assert_int_equal(card_read(&card, 0, UART_LSR) & UART_LSR_BI, 0);
	card_free(&card);
}

static void test_time_out_interrupt(void **state)
{
	struct card card;
	int fd;

	card_make(&card, "mtty-1", LOOP, LOOP);
	card_open_port(&card, 0, 0x80);
	fd = card_wire(&card);
	card_write(&card, 0, UART_IER, UART_IER_RX);
	card_write(&card, 0, UART_DATA, 'x');
	assert_false(card_take_signal(fd));
	card_until(&card, card_take_signal(fd));
	assert_int_equal(card_read(&card, 0, UART_IIR), UART_IIR_FIFO | UART_IIR_TIMEOUT);
	card_expect(&card, 0, "x", 1);
	close(fd);
	card_free(&card);
}

static void test_reset(void **state)
{
	struct card card;
	int fd;

	card_make(&card, "mtty-1", LOOP, LOOP);
	card_open_port(&card, 0, 0x40);
	fd = card_wire(&card);
	card_write(&card, 0, UART_IER, UART_IER_MASK);
	card_write(&card, 0, UART_SCR, 7);
	card_write(&card, 0, UART_DATA, 'x');
	card_take_signal(fd);
	assert_int_equal(trn_use_reset(card.use), 0);
	card_settle(&card, 1);
	assert_false(card_take_signal(fd));
	assert_int_equal(trn_use_region_write(card.use, TRN_PCI_REGION_CONFIG, 4, "\1\0", 2), 0);
	for (unsigned int reg = 0; reg < UART_NR_REGS; reg++) {
		static const uint8_t want[] = { 0, 0, UART_IIR_NONE, 0, 0, UART_LSR_THRE | UART_LSR_TEMT, 0, 0 };

		assert_int_equal(card_read(&card, 0, reg), want[reg]);
	}
	close(fd);
	card_free(&card);
}

static void test_idle_means_asleep(void **state)
{
	struct card card;

	card_make(&card, "mtty-2", (struct mtty_line_config){ .kind = MTTY_LINE_PTY }, LOOP);
	card_open_port(&card, 0, 0);
	card_write(&card, 0, UART_IER, UART_IER_MASK);
	card_write(&card, 0, UART_DATA, 'x');
	card_settle(&card, 5);
	assert_int_equal(sd_event_run(card.event, 50000), 0);
	card_free(&card);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_bars),
		cmocka_unit_test(test_ports_are_apart),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_loop_wires_modem_lines),
		cmocka_unit_test(test_loop_returns_all),
		cmocka_unit_test(test_loop_with_auto_flow_control),
		cmocka_unit_test(test_loop_break),
		cmocka_unit_test(test_time_out_interrupt),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_idle_means_asleep),
	};

	return unit_run(tests);
}

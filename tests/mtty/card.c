/* SPDX-License-Identifier: MIT */
#include "card.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define UUID "5d1c6cd5-1d3c-4c0c-8f5c-0d7a3b1e2f40"

void card_make(struct card *card, const char *type, struct mtty_line_config first, struct mtty_line_config second)
{
	const struct trn_create_params params = { .uuid = UUID };
	struct trn_error err = { 0 };
	uint16_t command = TRN_PCI_COMMAND_IO;

	memset(card, 0, sizeof(*card));
	assert_true(sd_event_new(&card->event) >= 0);
	card->config = (struct mtty_config){ .event = card->event, .lines = { first, second } };
	card->core = trn_core_create();
	assert_non_null(card->core);
	assert_int_equal(mtty_parent_register(card->core, "mtty", &card->config, &card->parent, NULL), 0);
	if (trn_device_create(trn_type_find(card->parent, type), &params, &card->dev, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(trn_device_open(card->dev, NULL, NULL, &card->use, NULL), 0);
	assert_int_equal(trn_use_region_write(card->use, TRN_PCI_REGION_CONFIG, 4, &command, 2), 0);
}

void card_free(struct card *card)
{
	trn_use_close(card->use);
	assert_int_equal(trn_parent_unregister(card->parent, NULL, NULL), 0);
	trn_device_unref(card->dev);
	trn_parent_unref(card->parent);
	trn_core_destroy(card->core);
	sd_event_unref(card->event);
}

uint8_t card_read(struct card *card, unsigned int port, unsigned int reg)
{
	uint8_t value;

	assert_int_equal(trn_use_region_read(card->use, port, reg, &value, 1), 0);
	return value;
}

void card_write(struct card *card, unsigned int port, unsigned int reg, unsigned int value)
{
	uint8_t byte = (uint8_t)value;

	assert_int_equal(trn_use_region_write(card->use, port, reg, &byte, 1), 0);
}

void card_open_port(struct card *card, unsigned int port, unsigned int fcr)
{
	card_write(card, port, UART_LCR, UART_LCR_DLAB | 3);
	card_write(card, port, UART_DATA, 1);
	card_write(card, port, UART_IER, 0);
	card_write(card, port, UART_LCR, 3);
	card_write(card, port, UART_FCR, UART_FCR_ENABLE | fcr);
	card_write(card, port, UART_MCR, UART_MCR_DTR | UART_MCR_RTS);
	card_settle(card, 1);
	card_read(card, port, UART_MSR);
}

void card_send(struct card *card, unsigned int port, const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < len; i++) {
		if (!(card_read(card, port, UART_LSR) & UART_LSR_THRE))
			card_until(card, card_read(card, port, UART_LSR) & UART_LSR_THRE);
		card_write(card, port, UART_DATA, byte[i]);
	}
}

void card_expect(struct card *card, unsigned int port, const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < len; i++) {
		if (!(card_read(card, port, UART_LSR) & UART_LSR_DR))
			card_until(card, card_read(card, port, UART_LSR) & UART_LSR_DR);
		assert_int_equal(card_read(card, port, UART_DATA), byte[i]);
	}
}

void card_settle(struct card *card, unsigned int quiet_ms)
{
	for (int i = 0; i < 1000; i++)
		if (sd_event_run(card->event, quiet_ms * 1000ull) == 0)
			return;
	fail_msg("the loop does not come to rest");
}

void card_expect_at(struct card *card, int fd, const void *bytes, size_t len)
{
	const uint8_t *want = bytes;
	uint8_t got[4096];
	size_t done = 0;

	for (int i = 0; i < 2000 && done < len; i++) {
		ssize_t n = read(fd, got, sizeof(got));

		if (n > 0) {
			assert_true(done + (size_t)n <= len);
			assert_memory_equal(got, want + done, (size_t)n);
			done += (size_t)n;
		} else {
			sd_event_run(card->event, 1000);
		}
	}
	assert_int_equal(done, len);
}

int card_wire(struct card *card)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	const struct trn_irq_set set = {
		.index = TRN_PCI_IRQ_INTX,
		.count = 1,
		.action = TRN_IRQ_TRIGGER,
		.data = TRN_IRQ_DATA_EVENTFD,
		.fds = &fd,
	};

	assert_true(fd >= 0);
	assert_int_equal(trn_use_set_irqs(card->use, &set), 0);
	return fd;
}

bool card_take_signal(int fd)
{
	eventfd_t value;

	return eventfd_read(fd, &value) == 0;
}

void card_unmask(struct card *card)
{
	const struct trn_irq_set set = {
		.index = TRN_PCI_IRQ_INTX,
		.count = 1,
		.action = TRN_IRQ_UNMASK,
		.data = TRN_IRQ_DATA_NONE,
	};

	assert_int_equal(trn_use_set_irqs(card->use, &set), 0);
}

void card_fill(uint8_t *bytes, size_t len)
{
	uint32_t x = 1;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(x >> 24);
	}
}

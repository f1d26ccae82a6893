/* SPDX-License-Identifier: MIT */
#include "parents/mtty/mtty.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parents/mtty/priv.h"

/* --- What the chips do on their own --- */

void mtty_card_update(struct mtty_card *card)
{
	bool level = false;

	for (unsigned int i = 0; i < card->nr_ports; i++)
		level = level || mtty_uart_is_pending(&card->ports[i].uart);
	if (level == card->level)
		return;
	card->level = level;
	trn_pci_set_intx(card->pci, level);
}

/* A line has stirred, or it is time. */
static void run(void *data)
{
	struct mtty_card *card = data;

	trn_pci_lock(card->pci);
	mtty_alarm_take(&card->alarm);
	for (unsigned int i = 0; i < card->nr_ports; i++) {
		if (card->is_active)
			mtty_port_run(&card->ports[i]);
		else
			mtty_port_rest(&card->ports[i]);
	}
	mtty_card_update(card);
	trn_pci_unlock(card->pci);
}

/* --- Calls of the library --- */

/* An access of several bytes is one of several registers, in rising order. */
static void access_port(struct mtty_port *port, uint64_t offset, uint8_t *bytes, size_t len, bool is_write)
{
	for (size_t i = 0; i < len; i++) {
		unsigned int reg = (unsigned int)(offset + i);

		if (is_write)
			mtty_port_write(port, reg, bytes[i]);
		else
			bytes[i] = mtty_port_read(port, reg);
	}
}

static int rw(struct trn_pci *pci, unsigned int port, uint64_t offset, void *buf, size_t len, bool is_write)
{
	struct mtty_card *card = mtty_card_of(pci);

	access_port(&card->ports[port], offset, buf, len, is_write);
	mtty_card_update(card);
	return 0;
}

static int rw_first(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	return rw(pci, 0, offset, buf, len, is_write);
}

static int rw_second(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	return rw(pci, 1, offset, buf, len, is_write);
}

/* The library has taken the interrupt pin down. */
static void reset(struct trn_pci *pci)
{
	struct mtty_card *card = mtty_card_of(pci);

	for (unsigned int i = 0; i < card->nr_ports; i++)
		mtty_port_reset(&card->ports[i]);
	card->level = false;
	trn_pci_set_intx(pci, false);
}

/* Bytes that come in raise interrupts: the chips stand still unless the device may do all. */
static void activity(struct trn_pci *pci, enum trn_pci_activity activity)
{
	struct mtty_card *card = mtty_card_of(pci);

	card->is_active = activity == TRN_PCI_ACTIVE;
	/* A state that was loaded brought a level of its own, which need not be what its chips want. */
	trn_pci_set_intx(pci, card->level);
	mtty_alarm_set(&card->alarm, mtty_alarm_now());
}

static const struct trn_pci_ops pci_ops = {
	.reset = reset,
	.activity = activity,
	.enabled = NULL,
	.opened = NULL,
	.closed = NULL,
};

/* --- Making a card --- */

static int add_pci(struct mtty_card *card, struct trn_device *dev, struct trn_error *err)
{
	static int (*const port_rw[])(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write) = {
		rw_first,
		rw_second,
	};
	const struct trn_pci_params params = {
		.ids = {
			.vendor = 0x4348,
			.device = 0x3253,
			.subsystem_vendor = 0x4348,
			.subsystem = 0x3253,
			.class_code = 0x070002, /* serial controller, 16550 */
			.revision = 0x10,
		},
		.flags = TRN_PCI_INTX | TRN_PCI_ASK_TO_LEAVE,
		.ops = &pci_ops,
		.migration = &mtty_migration,
		.priv = card,
	};
	int r = trn_pci_create(dev, &params, &card->pci, err);

	for (unsigned int i = 0; r >= 0 && i < card->nr_ports; i++) {
		struct trn_pci_bar bar = { .size = UART_NR_REGS, .flags = TRN_PCI_BAR_IO, .rw = port_rw[i] };

		r = trn_pci_add_bar(card->pci, i, &bar, err);
	}
	return r < 0 ? r : trn_pci_realize(card->pci, err);
}

static int open_ports(struct mtty_card *card, const struct mtty_config *config, struct trn_error *err)
{
	int r = mtty_alarm_init(&card->alarm, config->event, run, card);

	if (r < 0)
		return trn_error_set(err, r, "NoTimer", "cannot make a timer: %s", strerror(-r));
	for (unsigned int i = 0; i < card->nr_ports; i++) {
		struct mtty_port *port = &card->ports[i];

		mtty_uart_reset(&port->uart);
		port->alarm = &card->alarm;
		r = mtty_line_open(&port->line, &config->lines[i], config->event, run, card, err);
		if (r < 0) {
			trn_error_prefix(err, "port %u: ", i);
			return r;
		}
	}
	return 0;
}

static void free_card(struct mtty_card *card)
{
	for (unsigned int i = 0; i < card->nr_ports; i++)
		mtty_line_close(&card->ports[i].line);
	mtty_alarm_finish(&card->alarm);
	trn_pci_destroy(card->pci);
	free(card);
}

int mtty_init(struct trn_device *dev, struct trn_error *err)
{
	const struct mtty_config *config = trn_parent_priv(trn_type_parent(trn_device_type(dev)));
	struct trn_resources taken;
	struct mtty_card *card;
	int r;

	trn_device_get_resources(dev, &taken);
	if (taken.amount[TRN_RESOURCE_UNITS] > MTTY_MAX_PORTS) {
		trn_error_set(err, -EINVAL, "TooBig", "a serial card has at most %u ports", MTTY_MAX_PORTS);
		trn_error_hint(err, "make several cards");
		return -EINVAL;
	}
	card = calloc(1, sizeof(*card));
	if (!card) {
		trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a serial card");
		return -ENOMEM;
	}
	card->nr_ports = (unsigned int)taken.amount[TRN_RESOURCE_UNITS];
	card->is_active = true;
	r = add_pci(card, dev, err);
	if (r >= 0)
		r = open_ports(card, config, err);
	if (r < 0)
		free_card(card);
	return r;
}

void mtty_release(struct trn_device *dev)
{
	free_card(mtty_card_of(trn_pci_of(dev)));
}

const char *mtty_line_name(const struct trn_device *dev, unsigned int port)
{
	const struct mtty_card *card = mtty_card_of(trn_pci_of(dev));

	return port < card->nr_ports ? card->ports[port].line.name : NULL;
}

static const struct trn_device_ops mtty_ops = {
	.name = "mtty",
	.device_api = TRN_PCI_DEVICE_API,
	.init = mtty_init,
	.release = mtty_release,
	.open = trn_pci_op_open,
	.close = trn_pci_op_close,
	.request = trn_pci_op_request,
	.reset = trn_pci_op_reset,
	.info = trn_pci_op_info,
	.caps = trn_pci_op_caps,
	.region_info = trn_pci_op_region_info,
	.region_rw = trn_pci_op_region_rw,
	.region_fd = NULL,
	.region_areas = NULL,
	.region_ioeventfds = NULL,
	.irq_info = trn_pci_op_irq_info,
	.set_irqs = trn_pci_op_set_irqs,
	/* The card never touches its holder's memory, and says so when it is asked what it has written. */
	.dma_map = NULL,
	.dma_unmap = NULL,
	.never_dma = true,
	.migration = &trn_pci_migration_ops,
	.dma_log = &trn_pci_dma_log_ops,
};

int mtty_parent_register(struct trn_core *core, const char *name, const struct mtty_config *config,
			 struct trn_parent **ret, struct trn_error *err)
{
	static const struct trn_type_desc types[] = {
		{
			.name = "1",
			.pretty_name = "Single port serial",
			.cost.amount[TRN_RESOURCE_UNITS] = 1,
		},
		{
			.name = "2",
			.pretty_name = "Dual port serial",
			.cost.amount[TRN_RESOURCE_UNITS] = 2,
		},
	};
	struct trn_parent_desc desc = {
		.name = name,
		.ops = &mtty_ops,
		.types = types,
		.nr_types = 2,
		.capacity.amount[TRN_RESOURCE_UNITS] = MTTY_PARENT_PORTS,
		.priv = (void *)(uintptr_t)config,
	};

	return trn_parent_register(core, &desc, ret, err);
}

/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: configuration space and BARs of devices of several shapes, against a model that knows of each bit only
 * whether a guest may change it (pci_model.c).
 *
 * The input: a byte that chooses the shape, then a row of steps, each a byte that says what is done and the numbers that it
 * needs.  After each step the device reads as the model says, twice.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "input.h"
#include "pci_shapes.h"

#define MAX_STEPS 32
#define MAX_LEN 64u
#define MAX_VECTORS 16u

static void check_config(struct shaped *s)
{
	uint8_t now[MODEL_CONFIG_SIZE], again[MODEL_CONFIG_SIZE];
	size_t size = s->model.size;

	must(trn_pci_config_read(s->pci, 0, now, size) == 0);
	must(trn_use_region_read(s->use, TRN_PCI_REGION_CONFIG, 0, again, size) == 0);
	must(input_is_same(now, again, size));
	now[PCI_STATUS] ^= model_config_byte(&s->model, PCI_STATUS) ^ s->model.bytes[PCI_STATUS];
	must(input_is_same(now, s->model.bytes, size));
	must(trn_pci_command(s->pci) == model_command(&s->model));
}

/* Both lists end, and visit no place twice. */
static void check_chains(struct shaped *s)
{
	const uint8_t *b = s->model.bytes;
	unsigned int nr = 0, at;

	for (at = b[PCI_STATUS] & PCI_STATUS_CAP_LIST ? b[PCI_CAPABILITY_LIST] : 0; at; at = b[at + 1], nr++)
		must(at >= 0x40 && at % 4 == 0 && nr < 48);
	must(nr == s->nr_caps);
	if (s->model.size <= 256)
		return;
	for (at = 0x100, nr = 0; at && (b[at] || b[at + 1]); at = b[at + 2] >> 4 | b[at + 3] << 4, nr++)
		must(at >= 0x100 && at % 4 == 0 && nr < 64);
	must(nr == s->nr_ext_caps);
}

/* --- Steps --- */

static void write_config(struct shaped *s, unsigned int offset, const uint8_t *bytes, size_t len)
{
	int r = trn_use_region_write(s->use, TRN_PCI_REGION_CONFIG, offset, bytes, len);

	must(r == (offset + len > s->model.size ? -EINVAL : 0));
	if (r == 0)
		model_config_write(&s->model, offset, bytes, len);
}

static void step_config_write(struct shaped *s, struct input *in)
{
	unsigned int offset = input_u16(in) % (MODEL_CONFIG_SIZE + 8);
	size_t len = 1 + input_u8(in) % MAX_LEN;
	uint8_t bytes[MAX_LEN];

	input_fill(in, bytes, len);
	write_config(s, offset, bytes, len);
}

/* A register as a guest writes it: at its place, 1, 2 or 4 bytes. */
static void step_register_write(struct shaped *s, struct input *in)
{
	unsigned int offset = input_u8(in);
	size_t len = (size_t)1 << input_u8(in) % 3;
	uint8_t bytes[4];

	input_fill(in, bytes, len);
	write_config(s, offset & ~((unsigned int)len - 1), bytes, len);
}

static void step_config_read(struct shaped *s, struct input *in)
{
	unsigned int offset = input_u16(in) % (MODEL_CONFIG_SIZE + 8);
	size_t len = 1 + input_u8(in) % MAX_LEN;
	uint8_t bytes[MAX_LEN];
	int r = trn_use_region_read(s->use, TRN_PCI_REGION_CONFIG, offset, bytes, len);

	must(r == (offset + len > s->model.size ? -EINVAL : 0));
	must(trn_pci_config_read(s->pci, offset, bytes, len) == r);
	for (size_t i = 0; r == 0 && i < len; i++)
		must(bytes[i] == model_config_byte(&s->model, offset + i));
}

static void step_command(struct shaped *s, struct input *in)
{
	uint8_t bytes[2];

	input_fill(in, bytes, sizeof(bytes));
	write_config(s, PCI_COMMAND, bytes, sizeof(bytes));
}

static void step_power(struct shaped *s, struct input *in)
{
	uint8_t state = input_u8(in);

	if (s->model.pm)
		write_config(s, s->model.pm + PCI_PM_CTRL, &state, 1);
}

static void access_region(struct shaped *s, unsigned int index, uint64_t offset, size_t len, struct input *in, bool is_write)
{
	uint8_t bytes[MAX_LEN] = { 0 }, again[MAX_LEN];
	int want = model_access_result(&s->model, index, offset, len, is_write);

	if (is_write) {
		input_fill(in, bytes, len);
		must(trn_use_region_write(s->use, index, offset, bytes, len) == want);
		if (want == 0)
			model_region_write(&s->model, index, offset, bytes, len);
		return;
	}
	must(trn_use_region_read(s->use, index, offset, bytes, len) == want);
	if (want < 0)
		return;
	must(trn_use_region_read(s->use, index, offset, again, len) == 0);
	for (size_t i = 0; i < len; i++) {
		uint8_t mask, byte = model_region_byte(&s->model, index, offset + i, &mask);

		must(bytes[i] == again[i] && (bytes[i] & mask) == byte);
	}
}

static void step_region(struct shaped *s, struct input *in, bool is_write)
{
	unsigned int index = input_u8(in) % 12;
	unsigned int kind = input_u8(in);
	uint64_t size = s->model.regions[index].size, offset = input_u16(in);
	size_t len = 1 + kind % MAX_LEN;

	if (kind & 0x40) /* around the end */
		offset = size + 32 - offset % 96;
	else if (kind & 0x80)
		offset = input_number(in, 8);
	if (index != TRN_PCI_REGION_CONFIG)
		access_region(s, index, offset, len, in, is_write);
}

static void step_table(struct shaped *s, struct input *in)
{
	const struct model_msix *msix = &s->model.msix;
	unsigned int offset = input_u16(in), kind = input_u8(in);
	uint64_t len = 16ull * msix->nr_vectors + 32;

	if (!msix->nr_vectors)
		return;
	/* Some bytes before the table, and some behind it. */
	offset = (unsigned int)(offset % len);
	if (msix->table_offset >= 16)
		offset -= 16;
	access_region(s, msix->bar, msix->table_offset + (uint64_t)(int64_t)(int)offset, 1 + kind % 32, in, kind & 0x80);
}

static void step_reset(struct shaped *s, struct input *in)
{
	must(trn_use_reset(s->use) == 0);
	model_reset(&s->model);
}

static void check_irq_info(struct shaped *s)
{
	for (uint32_t i = 0; i < TRN_PCI_NR_IRQS; i++) {
		struct trn_irq_info info;

		must(trn_use_irq_info(s->use, i, &info) == 0);
		must(info.count == s->nr_irqs[i]);
	}
}

static void step_set_irqs(struct shaped *s, struct input *in)
{
	uint8_t bools[MAX_VECTORS];
	int fds[MAX_VECTORS];
	struct trn_irq_set set = {
		.index = input_u8(in) % 8,
		.start = input_u16(in),
		.count = input_u8(in) % (MAX_VECTORS + 1),
		.action = (enum trn_irq_action)(input_u8(in) % 3),
		.data = (enum trn_irq_data)(input_u8(in) % 3),
		.bools = bools,
		.fds = fds,
	};
	int r;

	/* That would start a thread. */
	if (set.action == TRN_IRQ_UNMASK && set.data == TRN_IRQ_DATA_EVENTFD)
		return;
	input_fill(in, bools, sizeof(bools));
	for (unsigned int i = 0; i < MAX_VECTORS; i++)
		fds[i] = bools[i] & 1 ? s->eventfds[bools[i] % SHAPED_NR_EVENTFDS] : -1;
	r = trn_use_set_irqs(s->use, &set);
	must(r == 0 || r == -EINVAL || r == -ENOTTY);
	if (set.index >= TRN_PCI_NR_IRQS || (uint64_t)set.start + set.count > s->nr_irqs[set.index])
		must(r < 0);
	check_irq_info(s);
}

static void step_device(struct shaped *s, struct input *in)
{
	unsigned int what = input_u8(in), vector = input_u16(in);
	int r;

	switch (what % 3) {
	case 0:
		trn_pci_set_intx(s->pci, vector & 1);
		s->model.level = s->nr_irqs[TRN_PCI_IRQ_INTX] && (vector & 1);
		break;
	case 1:
		r = trn_pci_fire(s->pci, vector % 0x1000);
		must(r == 0 || r == -EINVAL || r == -ENOTCONN);
		break;
	default:
		trn_pci_signal_error(s->pci);
	}
}

static void step_state(struct shaped *s, struct input *in)
{
	enum trn_mig_state to = (enum trn_mig_state)(input_u8(in) % 10), now;
	int r = trn_use_mig_set_state(s->use, to, NULL);

	if (!trn_use_mig_flags(s->use)) {
		must(r == -EOPNOTSUPP);
		return;
	}
	must(trn_use_mig_get_state(s->use, &now) == 0);
	must(now < TRN_NR_MIG_STATES && (r < 0 || now == to));
}

static void step_reopen(struct shaped *s, struct input *in)
{
	shaped_close(s);
	shaped_open(s);
	check_irq_info(s);
}

static void step_info(struct shaped *s, struct input *in)
{
	uint32_t index = input_u8(in) % 30;
	struct trn_region_info info;
	struct trn_span areas[4];
	ssize_t n;

	must(trn_use_region_info(s->use, index, &info) == 0);
	must(index == TRN_PCI_REGION_CONFIG ? info.size == s->model.size :
					      info.size == (index < MODEL_NR_REGIONS ? s->model.regions[index].size : 0));
	n = trn_use_region_areas(s->use, index, areas, 4);
	for (ssize_t i = 0; i < n && i < 4; i++)
		must(areas[i].len && areas[i].start <= info.size && areas[i].len <= info.size - areas[i].start);
	if (n > 0) {
		uint64_t offset;
		int fd = trn_use_region_fd(s->use, index, &offset);

		must(fd >= 0);
		close(fd);
	}
}

static void step_region_read(struct shaped *s, struct input *in)
{
	step_region(s, in, false);
}

static void step_region_write(struct shaped *s, struct input *in)
{
	step_region(s, in, true);
}

static void (*const steps[])(struct shaped *s, struct input *in) = {
	step_config_write, step_register_write, step_config_read, step_command, step_power, step_region_read,
	step_region_write, step_table, step_reset, step_set_irqs, step_device, step_state, step_reopen, step_info,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct shaped *s;

	if (!size)
		return 0;
	s = shaped_get(input_u8(&in));
	shaped_open(s);
	step_reset(s, &in);
	check_config(s);
	for (int i = 0; i < MAX_STEPS && input_has(&in); i++) {
		steps[input_u8(&in) % (sizeof(steps) / sizeof(steps[0]))](s, &in);
		check_config(s);
	}
	check_chains(s);
	shaped_close(s);
	return 0;
}

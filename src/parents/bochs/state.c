/* SPDX-License-Identifier: MIT */
/* What the library does not move by itself: the registers and the monitor, little-endian. */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>

#include "parents/bochs/priv.h"

#define STATE_VERSION 1u

struct state {
	uint16_t regs[BOCHS_NR_REGS];
	uint16_t zero;
	uint32_t link;
	uint32_t edid_size;
	uint8_t edid[BOCHS_EDID_MAX];
};
static_assert(sizeof(struct state) == 32 + BOCHS_EDID_MAX, "no holes");

static int save(struct trn_pci *pci, struct trn_pci_writer *w)
{
	const struct bochs *b = trn_pci_priv(pci);
	struct state s = {
		.link = htole32(b->monitor.link),
		.edid_size = htole32(b->monitor.edid_size),
	};

	for (unsigned int i = 0; i < BOCHS_NR_REGS; i++)
		s.regs[i] = htole16(b->regs[i]);
	memcpy(s.edid, b->monitor.edid, sizeof(s.edid));
	trn_pci_writer_put(w, &s, sizeof(s));
	return 0;
}

static int load(struct trn_pci *pci, uint32_t version, const void *data, size_t len, struct trn_error *err)
{
	struct bochs *b = trn_pci_priv(pci);
	uint16_t regs[BOCHS_NR_REGS];
	struct state s;

	if (version != STATE_VERSION || len != sizeof(s))
		return trn_error_set(err, -EINVAL, "BadState", "the display's state has %zu bytes of version %u, not %zu of %u", len,
				     version, sizeof(s), STATE_VERSION);
	memcpy(&s, data, sizeof(s));
	s.link = le32toh(s.link);
	s.edid_size = le32toh(s.edid_size);
	for (unsigned int i = 0; i < BOCHS_NR_REGS; i++)
		regs[i] = le16toh(s.regs[i]);
	if (s.zero || !bochs_dispi_is_possible(b->model, regs))
		return trn_error_set(err, -EINVAL, "BadState", "the display's registers (mode %ux%u, %u bits) are none of a %s",
				     regs[BOCHS_XRES], regs[BOCHS_YRES], regs[BOCHS_BPP], b->model->pretty_name);
	if (s.edid_size > BOCHS_EDID_MAX || (s.link != VFIO_DEVICE_GFX_LINK_STATE_UP && s.link != VFIO_DEVICE_GFX_LINK_STATE_DOWN))
		return trn_error_set(err, -EINVAL, "BadState", "an EDID of %u bytes and link state %u are those of no monitor",
				     s.edid_size, s.link);
	memcpy(b->regs, regs, sizeof(regs));
	b->monitor.link = s.link;
	b->monitor.edid_size = s.edid_size;
	memcpy(b->monitor.edid, s.edid, sizeof(s.edid));
	return 0;
}

const struct trn_pci_migration bochs_migration = {
	.flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P | TRN_MIG_CAN_PRE_COPY,
	.version = STATE_VERSION,
	.max_state = sizeof(struct state),
	.save_compat = NULL,
	.check_compat = NULL,
	.save = save,
	.load = load,
};

/* SPDX-License-Identifier: MIT */
/* Reset, and the state that moves to another host. */
#include <errno.h>
#include <string.h>

#include "parents/testdev/priv.h"

#define STATE_VERSION 1u

static const char compat[] = "testdev 1";

void testdev_reset(struct trn_pci *pci)
{
	struct testdev *t = trn_pci_priv(pci);

	testdev_dma_forget(t, 0);
	testdev_doorbells_look(t); /* what was signalled before is gone, too */
	memset(&t->state, 0, sizeof(t->state));
	if (t->is_full) {
		memset(trn_pci_ram(pci, 2), 0, TESTDEV_RAM_SIZE);
		memset(trn_pci_ram(pci, 4), 0, TESTDEV_BAR4_SIZE);
	}
	t->nr_resets++;
}

static void save_compat(struct trn_pci *pci, struct trn_pci_writer *w)
{
	trn_pci_writer_put(w, compat, sizeof(compat) - 1);
}

static int save(struct trn_pci *pci, struct trn_pci_writer *w)
{
	struct testdev *t = trn_pci_priv(pci);

	testdev_doorbells_look(t);
	trn_pci_writer_put(w, &t->state, sizeof(t->state));
	return 0;
}

static int load(struct trn_pci *pci, uint32_t version, const void *data, size_t len, struct trn_error *err)
{
	struct testdev *t = trn_pci_priv(pci);
	struct testdev_state s;

	if (version != STATE_VERSION || len != sizeof(s))
		return trn_error_set(err, -EINVAL, "BadState", "the test device's state has %zu bytes of version %u, not %zu of %u",
				     len, version, sizeof(s), STATE_VERSION);
	memcpy(&s, data, sizeof(s));
	if (s.intx > 1)
		return trn_error_set(err, -EINVAL, "BadState", "the level of the interrupt pin is %u", s.intx);
	testdev_dma_forget(t, 0);
	testdev_doorbells_look(t);
	t->state = s;
	return 0;
}

const struct trn_pci_migration testdev_migration = {
	.flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P | TRN_MIG_CAN_PRE_COPY,
	.version = STATE_VERSION,
	.max_state = sizeof(struct testdev_state),
	.save_compat = save_compat,
	.save = save,
	.load = load,
};

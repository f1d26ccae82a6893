/* SPDX-License-Identifier: MIT */
/* The states of migration: which way leads from one to another, and what happens on each step. */
#include <errno.h>

#include "pci/pci_priv.h"

/* Names for the table alone, so that its rows can be read. */
#define E_ TRN_MIG_ERROR
#define ST TRN_MIG_STOP
#define RU TRN_MIG_RUNNING
#define SC TRN_MIG_STOP_COPY
#define RE TRN_MIG_RESUMING
#define RP TRN_MIG_RUNNING_P2P
#define PC TRN_MIG_PRE_COPY
#define PP TRN_MIG_PRE_COPY_P2P

/* Where to go first, from the row's state to the column's; ERROR: there is no way. */
static const uint8_t next_hop[TRN_NR_MIG_STATES][TRN_NR_MIG_STATES] = {
	/*         ERROR STOP RUN STOP_COPY RESUMING RUN_P2P PRE_COPY PRE_COPY_P2P */
	[E_] = { E_, E_, E_, E_, E_, E_, E_, E_ },
	[ST] = { E_, ST, RP, SC, RE, RP, RP, RP },
	[RU] = { E_, RP, RU, RP, RP, RP, PC, RP },
	[SC] = { E_, ST, ST, SC, ST, ST, E_, E_ },
	[RE] = { E_, ST, ST, ST, RE, ST, ST, ST },
	[RP] = { E_, ST, RU, ST, ST, RP, RU, PP },
	[PC] = { E_, RU, RU, PP, RU, RU, PC, PP },
	[PP] = { E_, RP, RP, SC, RP, RP, PC, PP },
};

static const char *const state_names[TRN_NR_MIG_STATES] = {
	"ERROR", "STOP", "RUNNING", "STOP_COPY", "RESUMING", "RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P",
};

static const uint32_t needed_flags[TRN_NR_MIG_STATES] = {
	[RP] = TRN_MIG_CAN_P2P,
	[PC] = TRN_MIG_CAN_PRE_COPY,
	[PP] = TRN_MIG_CAN_P2P | TRN_MIG_CAN_PRE_COPY,
};

static const enum trn_pci_activity activities[TRN_NR_MIG_STATES] = {
	[E_] = TRN_PCI_STOPPED, [ST] = TRN_PCI_STOPPED, [RU] = TRN_PCI_ACTIVE, [SC] = TRN_PCI_STOPPED,
	[RE] = TRN_PCI_STOPPED, [RP] = TRN_PCI_QUIET,	[PC] = TRN_PCI_ACTIVE, [PP] = TRN_PCI_QUIET,
};

static uint32_t flags_of(const struct trn_pci *pci)
{
	return pci->migration ? pci->migration->flags | TRN_MIG_CAN_STOP_COPY : 0;
}

static bool has_state(uint32_t flags, enum trn_mig_state state)
{
	return (flags & needed_flags[state]) == needed_flags[state];
}

enum trn_mig_state pci_migration_next(uint32_t flags, enum trn_mig_state from, enum trn_mig_state to)
{
	enum trn_mig_state next = has_state(flags, to) ? next_hop[from][to] : TRN_MIG_ERROR;

	while (!has_state(flags, next))
		next = next_hop[next][to];
	return next;
}

static bool is_saving(enum trn_mig_state state)
{
	return state == TRN_MIG_STOP_COPY || state == TRN_MIG_PRE_COPY || state == TRN_MIG_PRE_COPY_P2P;
}

/* Interrupts that were held back come before the driver goes on. */
static void set_activity(struct trn_pci *pci, enum trn_pci_activity activity)
{
	if (pci->activity == activity)
		return;
	pci->activity = activity;
	if (activity == TRN_PCI_ACTIVE)
		pci_irqs_update(pci);
	if (pci->ops->activity)
		pci->ops->activity(pci, activity);
}

void pci_migration_finish(struct trn_pci *pci)
{
	pci_saver_destroy(pci->mig.saver);
	pci_loader_destroy(pci->mig.loader);
	pci->mig.saver = NULL;
	pci->mig.loader = NULL;
}

/* A DMA of before could end after, in memory that was loaded. */
static int end_load(struct trn_pci *pci, struct trn_error *err)
{
	struct pci_loader *loader = pci->mig.loader;
	int r;

	if (!loader)
		return trn_error_set(err, -EINVAL, "NoState", "no state was written since the last one was refused");
	if (pci->dma.nr_under_way)
		return trn_error_set(err, -EAGAIN, "Busy", "%u DMA requests are still under way", pci->dma.nr_under_way);
	r = pci_loader_commit(loader, err);
	pci_loader_destroy(loader);
	pci->mig.loader = NULL;
	return r;
}

/* What can fail, in the state before. */
static int prepare_step(struct trn_pci *pci, enum trn_mig_state to, struct trn_error *err)
{
	struct pci_migration *mig = &pci->mig;

	if (mig->state == TRN_MIG_RESUMING)
		return end_load(pci, err);
	if (to == TRN_MIG_RESUMING)
		return pci_loader_create(pci, &mig->loader);
	if (!is_saving(to) || mig->saver)
		return 0;
	mig->nr_savers++;
	return pci_saver_create(pci, to == TRN_MIG_STOP_COPY, &mig->saver);
}

static int step(struct trn_pci *pci, enum trn_mig_state to, struct trn_error *err)
{
	struct pci_migration *mig = &pci->mig;
	int r = prepare_step(pci, to, err);

	if (r < 0)
		return r;
	set_activity(pci, activities[to]);
	mig->state = to;
	if (!is_saving(to)) {
		pci_saver_destroy(mig->saver);
		mig->saver = NULL;
	} else if (to == TRN_MIG_STOP_COPY) {
		pci_saver_finalize(mig->saver);
	}
	return 0;
}

static int walk(struct trn_pci *pci, enum trn_mig_state to, struct trn_error *err)
{
	while (pci->mig.state != to) {
		enum trn_mig_state from = pci->mig.state, next = pci_migration_next(flags_of(pci), from, to);
		int r;

		if (next == TRN_MIG_ERROR)
			return trn_error_set(err, -EINVAL, "NoWay", "no way leads from migration state %s to %s",
					     state_names[from], state_names[to]);
		r = step(pci, next, err);
		if (r < 0)
			return trn_error_set(err, r, "NotReached", "migration state %s could not be reached from %s",
					     state_names[next], state_names[from]);
	}
	/* As everywhere else, nothing leads out of ERROR, nor from it to itself. */
	return to == TRN_MIG_ERROR ? -EINVAL : 0;
}

void pci_migration_init(struct trn_pci *pci)
{
	pci->mig = (struct pci_migration){ .state = TRN_MIG_RUNNING };
	pci->activity = TRN_PCI_ACTIVE;
}

void pci_migration_reset(struct trn_pci *pci)
{
	pci_migration_finish(pci);
	pci->mig.state = TRN_MIG_RUNNING;
	set_activity(pci, TRN_PCI_ACTIVE);
}

/* --- What a holder does --- */

static struct trn_pci *to_pci(const struct trn_use *use)
{
	return trn_pci_of(trn_use_device(use));
}

static uint32_t op_flags(struct trn_use *use)
{
	return flags_of(to_pci(use));
}

static int op_get_state(struct trn_use *use, enum trn_mig_state *ret)
{
	struct trn_pci *pci = to_pci(use);

	trn_pci_lock(pci);
	*ret = pci->mig.state;
	trn_pci_unlock(pci);
	return 0;
}

static int op_set_state(struct trn_use *use, enum trn_mig_state to, struct trn_error *err)
{
	struct trn_pci *pci = to_pci(use);
	int r;

	trn_pci_lock(pci);
	r = walk(pci, to, err);
	trn_pci_unlock(pci);
	return r;
}

/* As pci_saver_read(); what one read gives is one piece of the stream, also when several are under way. */
static int read_slice(struct trn_pci *pci, uint64_t nr, uint8_t *buf, size_t len, size_t *done)
{
	struct pci_migration *mig = &pci->mig;

	if (mig->state == TRN_MIG_STOP_COPY && pci->dma.nr_under_way)
		return -EAGAIN;
	if (*done && mig->last_read != nr)
		return 0;
	mig->last_read = nr;
	return pci_saver_read(mig->saver, buf, len, done);
}

static ssize_t read_locked(struct trn_pci *pci, uint8_t *buf, size_t len)
{
	const uint64_t saver = pci->mig.nr_savers, nr = ++pci->mig.nr_reads;
	size_t done = 0;
	int r = 1;

	while (pci->mig.saver && pci->mig.nr_savers == saver) {
		r = read_slice(pci, nr, buf, len, &done);
		if (r != 1)
			return done ? (ssize_t)done : r;
		pci_lock_pause(&pci->lock);
	}
	/* What came before belongs to a stream that has no end now. */
	return -EINVAL;
}

static ssize_t op_read(struct trn_use *use, void *buf, size_t len)
{
	struct trn_pci *pci = to_pci(use);
	ssize_t r;

	trn_pci_lock(pci);
	r = read_locked(pci, buf, len);
	trn_pci_unlock(pci);
	return r;
}

/* Also after a stream was refused on the way to STOP: the next one begins anew. */
static int write_piece(struct trn_pci *pci, const void *buf, size_t len, struct trn_error *err)
{
	int r = 0;

	if (pci->mig.state != TRN_MIG_RESUMING)
		return trn_error_set(err, -EINVAL, "NotResuming", "a state is written in migration state %s instead of RESUMING",
				     state_names[pci->mig.state]);
	if (!pci->mig.loader)
		r = pci_loader_create(pci, &pci->mig.loader);
	return r < 0 ? r : pci_loader_write(pci->mig.loader, buf, len, err);
}

static int op_write(struct trn_use *use, const void *buf, size_t len, struct trn_error *err)
{
	struct trn_pci *pci = to_pci(use);
	int r;

	trn_pci_lock(pci);
	r = write_piece(pci, buf, len, err);
	trn_pci_unlock(pci);
	return r;
}

/* false: nothing is saved (any more), or something else. */
static bool size_locked(struct trn_pci *pci, struct trn_mig_sizes *ret)
{
	const uint64_t saver = pci->mig.nr_savers;
	struct pci_sizing z = { 0 };

	while (pci->mig.saver && pci->mig.nr_savers == saver) {
		if (!pci_saver_size(pci->mig.saver, &z)) {
			*ret = z.sizes;
			return true;
		}
		pci_lock_pause(&pci->lock);
	}
	return false;
}

static int op_sizes(struct trn_use *use, struct trn_mig_sizes *ret)
{
	struct trn_pci *pci = to_pci(use);
	bool is_saved;

	trn_pci_lock(pci);
	is_saved = size_locked(pci, ret);
	trn_pci_unlock(pci);
	if (!is_saved)
		pci_unsaved_sizes(pci, ret);
	return 0;
}

const struct trn_migration_ops trn_pci_migration_ops = {
	.flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P | TRN_MIG_CAN_PRE_COPY,
	.flags_of = op_flags,
	.get_state = op_get_state,
	.set_state = op_set_state,
	.read = op_read,
	.write = op_write,
	.sizes = op_sizes,
};

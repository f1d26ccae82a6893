/* SPDX-License-Identifier: MIT */
/*
 * DMA: a request goes on to the holder when the device may make it, and what it writes is logged.
 *
 * A request that is not done at once is passed on in a copy, so that its end comes by here: only then is all of it
 * written, and only after the driver has heard of it may the device's state be saved.  It is logged at its
 * start too, as some of it may be seen before.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "pci/pci_priv.h"

struct under_way {
	struct trn_dma_request passed_on;
	struct trn_dma_request *asked;
	struct trn_pci *pci;
};

static void log_write(struct trn_pci *pci, const struct trn_dma_request *req)
{
	if (req->is_write)
		pci_dma_log_mark(pci, req->iova, req->len);
}

static void handle_end(struct trn_dma_request *passed_on, int result)
{
	struct under_way *u = passed_on->data;
	struct trn_pci *pci = u->pci;

	trn_pci_lock(pci);
	log_write(pci, passed_on);
	trn_pci_unlock(pci);
	u->asked->done(u->asked, result);
	free(u);
	trn_pci_lock(pci);
	pci->dma.nr_under_way--;
	trn_pci_unlock(pci);
}

/* The end may come at any time, but goes on behind us only: it needs the lock. */
static int pass_on(struct trn_pci *pci, struct trn_dma_request *req)
{
	_cleanup_free_ struct under_way *u = malloc(sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	*u = (struct under_way){ .passed_on = *req, .asked = req, .pci = pci };
	u->passed_on.done = handle_end;
	u->passed_on.data = u;
	pci->dma.nr_under_way++;
	r = trn_use_dma(pci->use, &u->passed_on);
	if (r >= 0 || r == -EFAULT) /* a fault may come after a part was written */
		log_write(pci, req);
	if (r == 1)
		TAKE_PTR(u);
	else
		pci->dma.nr_under_way--;
	return r;
}

static int check(const struct trn_pci *pci)
{
	if (!pci->use)
		return -ENOTCONN;
	return pci_config_master_is_on(pci) && pci->activity == TRN_PCI_ACTIVE ? 0 : -EPERM;
}

int trn_pci_dma(struct trn_pci *pci, struct trn_dma_request *req)
{
	int r;

	trn_pci_lock(pci);
	r = check(pci);
	if (r == 0)
		r = pass_on(pci, req);
	trn_pci_unlock(pci);
	return r;
}

/* SPDX-License-Identifier: MIT */
/* Writes that only wake: nobody waits for them here, the guest asks how many there were. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "base/eventfd.h"
#include "base/memfd.h"
#include "base/range.h"
#include "parents/testdev/priv.h"

#define SHADOW_OFFSET 0x44u /* not 0: a client that takes it for 0 is found out */
#define DATAMATCH 7u

static int add_doorbell(struct testdev *t, unsigned int i, struct trn_ioeventfd *ev, struct trn_error *err)
{
	t->doorbells[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->doorbells[i] < 0)
		return trn_error_set(err, -errno, "NoEventfd", "cannot make an eventfd: %s", strerror(errno));
	ev->size = 4;
	ev->fd = t->doorbells[i];
	return trn_pci_add_ioeventfd(t->pci, TRN_PCI_REGION_BAR0, ev, err);
}

int testdev_doorbells_init(struct testdev *t, struct trn_error *err)
{
	_cleanup_close_ int shadow = base_memfd_create("testdev-shadow", BASE_PAGE_SIZE);
	struct trn_ioeventfd any = { .offset = REG_DOORBELL, .shadow_fd = -1 };
	struct trn_ioeventfd matched = {
		.offset = REG_DOORBELL2,
		.datamatch = DATAMATCH,
		.flags = TRN_IOEVENTFD_DATAMATCH,
		.shadow_fd = shadow,
		.shadow_offset = SHADOW_OFFSET,
	};
	int r;

	if (shadow < 0)
		return trn_error_set(err, shadow, "NoMemory", "no shadow memory: %s", strerror(-shadow));
	r = add_doorbell(t, 0, &any, err);
	return r < 0 ? r : add_doorbell(t, 1, &matched, err);
}

void testdev_doorbells_finish(struct testdev *t)
{
	for (unsigned int i = 0; i < TESTDEV_NR_DOORBELLS; i++)
		t->doorbells[i] = base_close(t->doorbells[i]);
}

void testdev_doorbells_look(struct testdev *t)
{
	for (unsigned int i = 0; i < TESTDEV_NR_DOORBELLS; i++) {
		uint64_t n;

		if (base_eventfd_take(t->doorbells[i], &n))
			t->state.rings[i] += (uint32_t)n;
	}
}

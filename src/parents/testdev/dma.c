/* SPDX-License-Identifier: MIT */
/*
 * One transfer at a time, by way of memory of its own: so a transfer that ends after a reset, or when the device is stopped,
 * changes nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parents/testdev/priv.h"

#define BAR2 2u
#define VECTOR_DMA 1u

enum { STATUS_BUSY = 1, STATUS_DONE = 2 };
enum { COMMAND_FETCH = 1, COMMAND_STORE = 2 };

static uint32_t reg(const struct testdev *t, unsigned int r)
{
	return t->state.written[r / 4];
}

static uint32_t failed(int r)
{
	return 0x80000000u | (uint32_t)-r;
}

/* The transfer is over, or never began; its memory is ours again. */
static void finish(struct testdev *t, int result)
{
	struct trn_dma_request *req = &t->dma.request;

	if (!t->dma.is_forgotten) {
		if (result == 0 && !req->is_write)
			memcpy((uint8_t *)trn_pci_ram(t->pci, BAR2) + (size_t)req->data, req->buf, req->len);
		t->state.dma_status = result < 0 ? failed(result) : STATUS_DONE;
		(void)trn_pci_fire(t->pci, VECTOR_DMA); /* not in use: the guest looks at the status */
	}
	free(req->buf);
	req->buf = NULL;
	t->dma.is_busy = false;
}

static void handle_done(struct trn_dma_request *req, int result)
{
	struct testdev *t = (struct testdev *)(void *)((char *)req - offsetof(struct testdev, dma.request));

	trn_pci_lock(t->pci);
	finish(t, result);
	trn_pci_unlock(t->pci);
}

static int check(const struct testdev *t, uint32_t command)
{
	uint32_t len = reg(t, REG_DMA_LEN), offset = reg(t, REG_DMA_OFFSET);

	if (!t->is_full)
		return -EOPNOTSUPP;
	if (t->dma.is_busy)
		return -EBUSY;
	if (command != COMMAND_FETCH && command != COMMAND_STORE)
		return -EINVAL;
	return len == 0 || len > TESTDEV_RAM_SIZE || offset > TESTDEV_RAM_SIZE - len ? -EINVAL : 0;
}

void testdev_dma_start(struct testdev *t, uint32_t command)
{
	struct trn_dma_request *req = &t->dma.request;
	size_t offset = reg(t, REG_DMA_OFFSET), len = reg(t, REG_DMA_LEN);
	int r = check(t, command);
	void *buf = NULL;

	if (r == 0) {
		buf = malloc(len);
		r = buf ? 0 : -ENOMEM;
	}
	if (r < 0) {
		t->state.dma_status = failed(r);
		return;
	}
	if (command == COMMAND_STORE)
		memcpy(buf, (uint8_t *)trn_pci_ram(t->pci, BAR2) + offset, len);
	*req = (struct trn_dma_request){
		.iova = reg(t, REG_DMA_ADDR_LOW) | (uint64_t)reg(t, REG_DMA_ADDR_HIGH) << 32,
		.len = len,
		.buf = buf,
		.is_write = command == COMMAND_STORE,
		.done = handle_done,
		.data = (void *)offset,
	};
	t->dma.is_busy = true;
	t->dma.is_forgotten = false;
	t->state.dma_status = STATUS_BUSY;
	r = trn_pci_dma(t->pci, req);
	if (r <= 0)
		finish(t, r);
}

void testdev_dma_forget(struct testdev *t, uint32_t status)
{
	if (t->dma.is_busy && !t->dma.is_forgotten) {
		t->dma.is_forgotten = true;
		t->state.dma_status = status;
	}
}

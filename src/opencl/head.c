/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

/* The loader's, of the one platform that a process has here, from its first call on. */
static void *_Atomic loader_data;

void head_set_loader_data(void *data)
{
	atomic_store_explicit(&loader_data, data, memory_order_release);
}

void head_init(struct head *h, enum kind kind)
{
	h->dispatch = &trncl_dispatch;
	h->loader_data = atomic_load_explicit(&loader_data, memory_order_acquire);
	h->kind = kind;
	atomic_init(&h->refs, 1);
}

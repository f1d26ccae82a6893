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

void head_ref(struct head *h)
{
	atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
}

bool head_unref(struct head *h)
{
	/* What every thread did to the object is seen by the one that frees it. No fence: thread sanitizers know none. */
	if (atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1)
		return false;
	h->kind = 0;
	return true;
}

bool head_is(const void *obj, enum kind kind)
{
	const struct head *h = obj;

	return h && h->kind == (uint32_t)kind;
}

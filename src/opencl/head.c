/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

void head_init(struct head *h, enum kind kind)
{
	h->dispatch = &trncl_dispatch;
	h->kind = kind;
	atomic_init(&h->refs, 1);
}

void head_ref(struct head *h)
{
	atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
}

bool head_unref(struct head *h)
{
	/* Release: what this thread did to the object is seen by the one that frees it. */
	if (atomic_fetch_sub_explicit(&h->refs, 1, memory_order_release) != 1)
		return false;
	atomic_thread_fence(memory_order_acquire);
	h->kind = 0;
	return true;
}

bool head_is(const void *obj, enum kind kind)
{
	const struct head *h = obj;

	return h && h->kind == (uint32_t)kind;
}

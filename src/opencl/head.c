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

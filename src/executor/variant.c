/* SPDX-License-Identifier: MIT */
#include "executor/variant.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

/* From this many work items in a dimension on PoCL counts a grid as large (USHRT_MAX). */
#define LARGE_GRID 65535u
/* Of a local memory argument: its size is the launch's, not the function's. */
#define SOME_LOCAL 16u
#define SOME_BUFFER 4096u

bool exec_variant_parse(const char *name, struct trnc_broker_variant *ret)
{
	struct trnc_broker_variant v = { .flags = TRNC_VARIANT_OFFSET | TRNC_VARIANT_LARGE };
	char *end;

	for (int i = 0; i < 3; i++) {
		if (*name < '0' || *name > '9')
			return false;
		v.local[i] = strtoull(name, &end, 10);
		if (v.local[i] == 0 || (i < 2 && *end != '-'))
			return false;
		name = end + (i < 2);
	}
	if (strncmp(name, "-goffs0", 7) == 0) {
		v.flags &= ~TRNC_VARIANT_OFFSET;
		name += 7;
	}
	if (strcmp(name, "-smallgrid") == 0)
		v.flags &= ~TRNC_VARIANT_LARGE;
	else if (*name)
		return false;
	*ret = v;
	return true;
}

/* ---------------------------------------------------------------- making */

struct maker {
	struct exec_context *c;
	struct exec_host *h;
	cl_command_queue queue;
	cl_event never;
	cl_mem buffer, image;
	cl_sampler sampler;
	uint8_t *zeros;
};

#define MAX_VALUE 4096u

/* A value's size is found by trial; zeros are as good as any: nobody looks at them. */
static bool set_value(struct maker *m, cl_kernel kernel, cl_uint index)
{
	for (size_t size = 1; size <= MAX_VALUE; size++)
		if (m->h->SetKernelArg(kernel, index, size, m->zeros) == CL_SUCCESS)
			return true;
	return false;
}

static bool make_image(struct maker *m)
{
	const cl_image_format format = { CL_RGBA, CL_FLOAT };
	const cl_image_desc desc = {
		.image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 16, .image_height = 16,
	};

	if (!m->image && m->h->CreateImage)
		m->image = m->h->CreateImage(m->c->host, CL_MEM_READ_WRITE, &format, &desc, NULL, NULL);
	return m->image;
}

static bool set_arg(struct maker *m, cl_kernel kernel, cl_uint index, uint8_t kind)
{
	switch (kind) {
	case TRNC_ARG_LOCAL:
		return m->h->SetKernelArg(kernel, index, SOME_LOCAL, NULL) == CL_SUCCESS;
	case TRNC_ARG_BUFFER:
		return m->h->SetKernelArg(kernel, index, sizeof(m->buffer), &m->buffer) == CL_SUCCESS;
	case TRNC_ARG_IMAGE:
		return make_image(m) &&
		       m->h->SetKernelArg(kernel, index, sizeof(m->image), &m->image) == CL_SUCCESS;
	case TRNC_ARG_SAMPLER:
		if (!m->sampler && m->h->CreateSampler)
			m->sampler = m->h->CreateSampler(m->c->host, CL_FALSE, CL_ADDRESS_NONE, CL_FILTER_NEAREST, NULL);
		return m->sampler &&
		       m->h->SetKernelArg(kernel, index, sizeof(m->sampler), &m->sampler) == CL_SUCCESS;
	default:
		return set_value(m, kernel, index);
	}
}

static void make_one(struct maker *m, const struct exec_kernel_entry *k, cl_program program,
		     const struct trnc_broker_variant *v)
{
	const bool has_offset = v->flags & TRNC_VARIANT_OFFSET, is_large = v->flags & TRNC_VARIANT_LARGE;
	size_t local[3], global[3], offset[3];
	cl_event event = NULL;
	cl_kernel kernel;
	cl_int err;

	for (int i = 0; i < 3; i++) {
		local[i] = v->local[i];
		if (local[i] == 0 || local[i] > 65536)
			return;
		offset[i] = has_offset ? local[i] : 0;
		global[i] = local[i];
	}
	if (is_large)
		global[0] = local[0] * (LARGE_GRID / local[0] + 1);
	kernel = m->h->CreateKernel(program, k->name, &err);
	if (!kernel)
		return;
	for (cl_uint i = 0; i < k->nr_args; i++)
		if (!set_arg(m, kernel, i, k->kinds[i])) {
			log_debug("work-group function of %s: argument %u cannot be set", k->name, i);
			return; /* the process ends soon */
		}
	err = m->h->EnqueueNDRangeKernel(m->queue, kernel, 3, has_offset ? offset : NULL, global, local, 1, &m->never,
					 &event);
	if (err)
		log_debug("work-group function of %s: error %d", k->name, err);
}

void exec_variants_make(struct exec_context *c, const struct exec_kernel_table *t,
			const struct trnc_broker_variant *variants, uint32_t nr)
{
	_cleanup_free_ uint8_t *zeros = calloc(1, MAX_VALUE);
	struct maker m = { .c = c, .h = &c->ex->host, .zeros = zeros };
	cl_int err;

	if (nr == 0 || !zeros)
		return;
	m.never = m.h->CreateUserEvent(c->host, &err);
	m.queue = exec_host_create_queue(m.h, c->host, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &err);
	m.buffer = m.h->CreateBuffer(c->host, CL_MEM_READ_WRITE, SOME_BUFFER, NULL, &err);
	if (!m.never || !m.queue || !m.buffer)
		return;
	for (uint32_t i = 0; i < nr; i++)
		if (variants[i].kernel < t->nr_kernels)
			make_one(&m, &t->kernels[variants[i].kernel], t->host, &variants[i]);
}

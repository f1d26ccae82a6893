/* SPDX-License-Identifier: MIT */
#include "executor/kernel_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Sizes of values that are tried; a host may say that it takes fewer bytes of arguments in all. */
#define MAX_VALUE 4096u
/* No kernel argument has this size by its type, but local memory may. */
#define ODD_LOCAL 3u
/* A host that takes more sizes than this for one value takes all. */
#define UNCHECKED 8u
#define MAX_TEXT 4096u

struct arg {
	uint16_t kind;
	uint32_t size;
	bool has_info;
	cl_kernel_arg_address_qualifier address;
	cl_kernel_arg_access_qualifier access;
	cl_kernel_arg_type_qualifier qualifier;
	char type[256];
	char name[256];
};

/* ----------------------------------------------------------------- probing */

/*
 * What clSetKernelArg takes tells kinds and sizes, which OpenCL has no query for:
 *  - local memory: any size without a value;
 *  - buffers: a handle's size without a value (NULL);
 *  - values: sizes with a value; the largest one, because some hosts take a 3-vector without its fourth element.
 *    A host that takes every size (PoCL, for structures) does not know better: then 0, "the host does not check".
 *  - images and samplers are told by the argument's type name alone, or else refuse values of all sizes but a handle's.
 */
static void probe_size(struct exec_host *h, cl_kernel kernel, cl_uint index, const uint8_t *zeros, struct arg *a)
{
	uint32_t taken = 0, largest = 0;

	for (uint32_t size = 1; size <= MAX_VALUE && taken <= UNCHECKED; size++)
		if (h->SetKernelArg(kernel, index, size, zeros) == CL_SUCCESS) {
			taken++;
			largest = size;
		} else if (taken && size > 2 * largest) {
			break;
		}
	a->size = taken > UNCHECKED ? 0 : largest;
}

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool kind_by_info(struct arg *a)
{
	size_t len = strlen(a->type);

	if (!a->has_info)
		return false;
	if (a->address == CL_KERNEL_ARG_ADDRESS_LOCAL)
		a->kind = TRNC_ARG_LOCAL;
	else if (strcmp(a->type, "sampler_t") == 0)
		a->kind = TRNC_ARG_SAMPLER;
	else if (starts_with(a->type, "image") && len > 2 && strcmp(a->type + len - 2, "_t") == 0)
		a->kind = TRNC_ARG_IMAGE;
	else if (len && a->type[len - 1] == '*')
		a->kind = TRNC_ARG_BUFFER;
	else
		a->kind = TRNC_ARG_VALUE;
	return true;
}

static bool is_pocl(struct exec_host *h)
{
	char name[64] = "";

	return h->GetPlatformInfo(h->platform, CL_PLATFORM_NAME, sizeof(name) - 1, name, NULL) == CL_SUCCESS &&
	       strcmp(name, "Portable Computing Language") == 0;
}

/*
 * Of programs that were loaded as binaries PoCL tells no types, but it knows them: it takes three quarters of a value's
 * size, for vectors of three, and nothing but a handle's size for images and samplers; and of images it sees whether the
 * handle is one.
 */
static bool kind_by_pocl(struct exec_host *h, cl_kernel kernel, cl_uint index, const uint8_t *zeros, struct arg *a)
{
	const size_t size = sizeof(cl_mem), three = size / 4 * 3;

	if (h->SetKernelArg(kernel, index, size, zeros) != CL_SUCCESS ||
	    h->SetKernelArg(kernel, index, three, zeros) == CL_SUCCESS || !is_pocl(h))
		return false;
	a->kind = h->SetKernelArg(kernel, index, size, &zeros) == CL_SUCCESS ? TRNC_ARG_SAMPLER : TRNC_ARG_IMAGE;
	return true;
}

static void kind_by_trial(struct exec_host *h, cl_kernel kernel, cl_uint index, const uint8_t *zeros, struct arg *a)
{
	if (h->SetKernelArg(kernel, index, ODD_LOCAL, NULL) == CL_SUCCESS)
		a->kind = TRNC_ARG_LOCAL;
	else if (h->SetKernelArg(kernel, index, sizeof(cl_mem), NULL) == CL_SUCCESS)
		a->kind = TRNC_ARG_BUFFER;
	else if (!kind_by_pocl(h, kernel, index, zeros, a))
		a->kind = TRNC_ARG_VALUE;
}

static void probe_arg(struct exec_host *h, cl_kernel kernel, cl_uint index, const uint8_t *zeros, struct arg *a)
{
	*a = (struct arg){ 0 };
	a->has_info =
		h->GetKernelArgInfo(kernel, index, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof(a->address), &a->address,
				    NULL) == CL_SUCCESS &&
		h->GetKernelArgInfo(kernel, index, CL_KERNEL_ARG_ACCESS_QUALIFIER, sizeof(a->access), &a->access,
				    NULL) == CL_SUCCESS &&
		h->GetKernelArgInfo(kernel, index, CL_KERNEL_ARG_TYPE_QUALIFIER, sizeof(a->qualifier), &a->qualifier,
				    NULL) == CL_SUCCESS &&
		h->GetKernelArgInfo(kernel, index, CL_KERNEL_ARG_TYPE_NAME, sizeof(a->type) - 1, a->type, NULL) ==
			CL_SUCCESS &&
		h->GetKernelArgInfo(kernel, index, CL_KERNEL_ARG_NAME, sizeof(a->name) - 1, a->name, NULL) ==
			CL_SUCCESS;
	if (!kind_by_info(a))
		kind_by_trial(h, kernel, index, zeros, a);
	switch (a->kind) {
	case TRNC_ARG_VALUE:
		probe_size(h, kernel, index, zeros, a);
		break;
	case TRNC_ARG_LOCAL:
		a->size = 0;
		break;
	default:
		a->size = sizeof(cl_mem);
	}
}

/* --------------------------------------------------------------- reporting */

static void put_arg(struct base_blob *b, const struct arg *a, bool show_info)
{
	size_t mark = base_blob_begin(b, TRNC_TAG_ARG);

	base_blob_put_u32(b, TRNC_TAG_ARG_KIND, a->kind);
	base_blob_put_u32(b, TRNC_TAG_ARG_SIZE, a->size);
	if (a->has_info && show_info) {
		base_blob_put_u32(b, TRNC_TAG_ARG_ADDRESS, a->address);
		base_blob_put_u32(b, TRNC_TAG_ARG_ACCESS, a->access);
		base_blob_put_u64(b, TRNC_TAG_ARG_QUALIFIER, a->qualifier);
		base_blob_put_str(b, TRNC_TAG_ARG_TYPE_NAME, a->type);
		base_blob_put_str(b, TRNC_TAG_ARG_NAME, a->name);
	}
	base_blob_end(b, mark);
}

static void put_size(struct exec_host *h, cl_kernel kernel, cl_kernel_work_group_info param, uint32_t tag,
		     struct base_blob *b)
{
	union {
		size_t size;
		cl_ulong wide;
		size_t group[3];
	} v = { .group = { 0 } };
	size_t len = param == CL_KERNEL_COMPILE_WORK_GROUP_SIZE ? sizeof(v.group) : sizeof(v.wide);

	if (h->GetKernelWorkGroupInfo(kernel, h->device, param, len, &v, NULL) == CL_SUCCESS)
		base_blob_put(b, tag, &v, len);
}

static void put_attributes(struct exec_host *h, cl_kernel kernel, struct base_blob *b)
{
	char text[MAX_TEXT] = "";

	if (h->GetKernelInfo(kernel, CL_KERNEL_ATTRIBUTES, sizeof(text) - 1, text, NULL) == CL_SUCCESS)
		base_blob_put_str(b, TRNC_TAG_KERNEL_ATTRIBUTES, text);
}

static int32_t add_kernel(struct exec_host *h, cl_kernel kernel, bool show_info, const uint8_t *zeros,
			  struct base_blob *b, struct exec_kernel_entry *entry)
{
	char name[MAX_TEXT] = "";
	cl_uint nr_args = 0;
	size_t mark;
	cl_int err;

	err = h->GetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof(name) - 1, name, NULL);
	if (!err)
		err = h->GetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof(nr_args), &nr_args, NULL);
	if (err)
		return err;
	entry->name = strdup(name);
	entry->nr_args = nr_args;
	entry->kinds = calloc(nr_args + 1, 1);
	if (!entry->name || !entry->kinds)
		return CL_OUT_OF_HOST_MEMORY;

	mark = base_blob_begin(b, TRNC_TAG_KERNEL);
	base_blob_put_str(b, TRNC_TAG_KERNEL_NAME, name);
	put_attributes(h, kernel, b);
	put_size(h, kernel, CL_KERNEL_WORK_GROUP_SIZE, TRNC_TAG_WORK_GROUP_SIZE, b);
	put_size(h, kernel, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, TRNC_TAG_COMPILE_GROUP_SIZE, b);
	put_size(h, kernel, CL_KERNEL_LOCAL_MEM_SIZE, TRNC_TAG_LOCAL_MEM, b);
	put_size(h, kernel, CL_KERNEL_PRIVATE_MEM_SIZE, TRNC_TAG_PRIVATE_MEM, b);
	put_size(h, kernel, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, TRNC_TAG_PREFERRED_MULTIPLE, b);
	for (cl_uint i = 0; i < nr_args; i++) {
		struct arg a;

		probe_arg(h, kernel, i, zeros, &a);
		entry->kinds[i] = (uint8_t)a.kind;
		put_arg(b, &a, show_info);
	}
	base_blob_end(b, mark);
	return CL_SUCCESS;
}

int32_t exec_kernel_table_make(struct exec_program *p, bool show_info, struct base_blob *reply,
			       struct exec_kernel_table **ret)
{
	_cleanup_free_ uint8_t *zeros = calloc(1, MAX_VALUE);
	_cleanup_free_ cl_kernel *kernels = NULL;
	struct exec_host *h = &p->context->ex->host;
	struct exec_kernel_table *t;
	cl_uint nr = 0;
	int32_t err;

	err = h->CreateKernelsInProgram(p->host, 0, NULL, &nr);
	if (err)
		return err;
	kernels = calloc(nr + 1, sizeof(*kernels));
	t = calloc(1, sizeof(*t) + nr * sizeof(t->kernels[0]));
	if (!zeros || !kernels || !t) {
		free(t);
		return CL_OUT_OF_HOST_MEMORY;
	}
	t->refs = 1;
	t->host = p->host;
	t->may_print = p->may_print;
	t->nr_kernels = nr;
	if (nr)
		err = h->CreateKernelsInProgram(p->host, nr, kernels, NULL);
	for (cl_uint i = 0; i < nr && !err; i++)
		err = add_kernel(h, kernels[i], show_info, zeros, reply, &t->kernels[i]);
	for (cl_uint i = 0; i < nr; i++)
		if (kernels[i])
			h->ReleaseKernel(kernels[i]);
	if (err) {
		exec_kernel_table_unref(t);
		return err;
	}
	*ret = t;
	return CL_SUCCESS;
}

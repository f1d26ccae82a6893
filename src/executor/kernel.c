/* SPDX-License-Identifier: MIT */
#include "executor/kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "executor/image.h"
#include "executor/sampler.h"

/* ----------------------------------------------------------------- objects */

static int32_t new_kernel(struct exec_context *c, struct exec_kernel_table *table, uint32_t index, cl_kernel host,
			  struct exec_kernel **ret)
{
	uint32_t nr_args = table->kernels[index].nr_args;
	struct exec_kernel *k = calloc(1, sizeof(*k) + nr_args * sizeof(k->args[0]));

	if (!k) {
		c->ex->host.ReleaseKernel(host);
		return CL_OUT_OF_HOST_MEMORY;
	}
	k->refs = 1;
	k->faces[EXEC_MAIN].host = host;
	k->table = exec_kernel_table_ref(table);
	k->index = index;
	k->nr_args = nr_args;
	*ret = k;
	return CL_SUCCESS;
}

static int32_t add_kernel(struct exec_context *c, uint64_t handle, struct exec_kernel *k)
{
	int r = base_handles_add(&c->kernels, handle, k);

	if (r == 0)
		return CL_SUCCESS;
	exec_kernel_unref(c, k);
	return r == -ENOMEM ? CL_OUT_OF_HOST_MEMORY : CL_INVALID_VALUE;
}

int32_t exec_kernel_create(struct exec_context *c, const struct trnc_rec_kernel_create *r)
{
	struct exec_kernel_table *table;
	struct exec_kernel *k;
	cl_kernel host;
	int32_t err = exec_program_create_kernel(c, r->program, r->index, &table, &host);

	if (err)
		return err;
	err = new_kernel(c, table, r->index, host, &k);
	exec_kernel_table_unref(table);
	return err ? err : add_kernel(c, r->kernel, k);
}

/* Has bytes of its own: a value, the host's sampler, which lives as long as the context, or an address. */
static bool has_value(uint16_t kind)
{
	return kind == TRNC_ARG_VALUE || kind == TRNC_ARG_SAMPLER || kind == TRNC_ARG_SVM;
}

static bool has_memory(uint16_t kind)
{
	return kind == TRNC_ARG_BUFFER || kind == TRNC_ARG_IMAGE;
}

/* NULL: gone, or a null pointer. */
static struct exec_buffer *get_memory(struct exec_context *c, uint16_t kind, uint64_t handle)
{
	return kind == TRNC_ARG_IMAGE ? exec_image_get(c, handle) : exec_buffer_get(c, handle);
}

static int32_t copy_arg(struct exec_kernel_arg *to, const struct exec_kernel_arg *from)
{
	*to = *from;
	to->value = NULL;
	to->cap = 0;
	to->stale = from->kind != 0 ? EXEC_ALL_FACES : 0;
	if (!has_value(from->kind))
		return CL_SUCCESS;
	to->value = malloc(from->size);
	if (!to->value)
		return CL_OUT_OF_HOST_MEMORY;
	to->cap = (uint32_t)from->size;
	memcpy(to->value, from->value, from->size);
	return CL_SUCCESS;
}

/* One more argument differs from what these objects of the host have. */
static void count_stale(struct exec_kernel *k, uint8_t faces)
{
	for (uint32_t i = 0; i < EXEC_NR_FACES; i++)
		k->faces[i].nr_stale += faces >> i & 1;
}

int32_t exec_kernel_clone(struct exec_context *c, const struct trnc_rec_kernel_clone *r)
{
	struct exec_kernel *source = exec_kernel_get(c, r->source), *k;
	cl_kernel host;
	int32_t err;

	if (!source)
		return CL_INVALID_KERNEL;
	/* A fresh object and our own shadow: the same as clCloneKernel, which older hosts lack. */
	err = exec_kernel_table_create_kernel(c, source->table, source->index, &host);
	if (!err)
		err = new_kernel(c, source->table, source->index, host, &k);
	if (err)
		return err;
	for (uint32_t i = 0; i < k->nr_args; i++) {
		err = copy_arg(&k->args[i], &source->args[i]);
		if (err) {
			exec_kernel_unref(c, k);
			return err;
		}
		count_stale(k, k->args[i].stale);
		k->nr_set += k->args[i].kind != 0;
	}
	return add_kernel(c, r->kernel, k);
}

static bool has_addresses(const struct exec_context *c, const uint64_t *addresses, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (addresses[i] && !exec_window_has_address(&c->ex->window, addresses[i]))
			return false;
	return true;
}

int32_t exec_kernel_set_exec_info(struct exec_context *c, const struct trnc_rec_kernel_exec_info *r)
{
	struct exec_kernel *k = exec_kernel_get(c, r->kernel);
	const void *value = r + 1; /* 8-byte aligned, as the record is */

	if (!k)
		return CL_INVALID_KERNEL;
	if (!c->ex->window.svm)
		return CL_INVALID_OPERATION;
	if (r->param == CL_KERNEL_EXEC_INFO_SVM_PTRS && !has_addresses(c, value, r->len / sizeof(uint64_t)))
		return CL_INVALID_VALUE;
	return c->ex->host.SetKernelExecInfo(k->faces[EXEC_MAIN].host, r->param, r->len, value);
}

struct exec_kernel *exec_kernel_get(struct exec_context *c, uint64_t handle)
{
	return base_handles_get(&c->kernels, handle);
}

struct exec_kernel *exec_kernel_ref(struct exec_kernel *k)
{
	k->refs++;
	return k;
}

struct exec_kernel *exec_kernel_unref(struct exec_context *c, struct exec_kernel *k)
{
	if (!k || --k->refs)
		return NULL;
	for (uint32_t i = 0; i < k->nr_args; i++)
		free(k->args[i].value);
	for (uint32_t i = 0; i < EXEC_NR_FACES; i++)
		if (k->faces[i].host)
			c->ex->host.ReleaseKernel(k->faces[i].host);
	exec_kernel_table_unref(k->table);
	free(k);
	return NULL;
}

int32_t exec_kernel_destroy(struct exec_context *c, uint64_t handle)
{
	struct exec_kernel *k = base_handles_remove(&c->kernels, handle);

	if (!k)
		return CL_INVALID_KERNEL;
	exec_kernel_unref(c, k);
	return CL_SUCCESS;
}

void exec_kernels_release_all(struct exec_context *c)
{
	struct exec_kernel *k;
	uint32_t pos = 0;

	while ((k = base_handles_next(&c->kernels, &pos)))
		exec_kernel_unref(c, k);
	base_handles_finish(&c->kernels);
}

/* ------------------------------------------------------------------ shadow */

static int32_t check_arg(struct exec_context *c, const struct exec_kernel *k, const struct exec_arg *a)
{
	uint64_t handle;

	if (a->index >= k->nr_args)
		return CL_INVALID_ARG_INDEX;
	/* A kind that the host does not expect must not reach it: it takes handles on trust. */
	if (k->table->kernels[k->index].kinds[a->index] != (a->kind == TRNC_ARG_SVM ? TRNC_ARG_BUFFER : a->kind))
		return CL_INVALID_ARG_VALUE;
	if (a->kind == TRNC_ARG_VALUE || a->kind == TRNC_ARG_LOCAL)
		return CL_SUCCESS;
	memcpy(&handle, a->data, sizeof(handle));
	if (a->kind == TRNC_ARG_SVM) {
		if (!c->ex->window.svm)
			return CL_INVALID_OPERATION;
		return handle == 0 || exec_window_has_address(&c->ex->window, handle) ? CL_SUCCESS : CL_INVALID_ARG_VALUE;
	}
	if (a->kind == TRNC_ARG_SAMPLER)
		return exec_sampler_get(c, handle) ? CL_SUCCESS : CL_INVALID_SAMPLER;
	if (handle == 0 && a->kind == TRNC_ARG_BUFFER)
		return CL_SUCCESS;
	return get_memory(c, a->kind, handle) ? CL_SUCCESS : CL_INVALID_MEM_OBJECT;
}

/* The handle was checked: the host's sampler takes its place. */
static void take_sampler(struct exec_context *c, uint8_t *value)
{
	cl_sampler host;
	uint64_t handle;

	_Static_assert(sizeof(host) == sizeof(handle), "a sampler fits where its handle was");
	memcpy(&handle, value, sizeof(handle));
	host = exec_sampler_get(c, handle);
	memcpy(value, &host, sizeof(host));
}

static int32_t store_arg(struct exec_context *c, struct exec_kernel *k, const struct exec_arg *a)
{
	struct exec_kernel_arg *arg = &k->args[a->index];

	if (has_value(a->kind)) {
		if (arg->cap < a->size) {
			uint8_t *value = realloc(arg->value, a->size);

			if (!value)
				return CL_OUT_OF_HOST_MEMORY;
			arg->value = value;
			arg->cap = (uint32_t)a->size;
		}
		memcpy(arg->value, a->data, a->size);
		if (a->kind == TRNC_ARG_SAMPLER)
			take_sampler(c, arg->value);
	} else if (has_memory(a->kind)) {
		memcpy(&arg->memory, a->data, sizeof(arg->memory));
	}
	arg->size = a->size;
	if (!arg->kind)
		k->nr_set++;
	arg->kind = a->kind;
	count_stale(k, EXEC_ALL_FACES & ~arg->stale);
	arg->stale = EXEC_ALL_FACES;
	if (has_value(a->kind) || a->kind == TRNC_ARG_LOCAL)
		k->has_values = false;
	return CL_SUCCESS;
}

/* The host's object keeps bare pointers: a buffer or image that has gone must not be launched with. */
static int32_t check_memory(struct exec_context *c, struct exec_kernel *k)
{
	if (k->seen_gone == c->buffers_gone)
		return CL_SUCCESS;
	for (uint32_t i = 0; i < k->nr_args; i++)
		if (has_memory(k->args[i].kind) && k->args[i].memory &&
		    !get_memory(c, k->args[i].kind, k->args[i].memory))
			return CL_INVALID_KERNEL_ARGS;
	k->seen_gone = c->buffers_gone;
	return CL_SUCCESS;
}

int32_t exec_kernel_take_args(struct exec_context *c, struct exec_kernel *k, const struct exec_record *r)
{
	struct exec_arg a;
	size_t pos = 0;
	int32_t err;

	for (uint32_t i = 0; i < r->nr_args; i++) {
		exec_decode_arg(r, &pos, &a);
		err = check_arg(c, k, &a);
		if (err)
			return err;
	}
	if (r->nr_args)
		k->latest = NULL;
	pos = 0;
	for (uint32_t i = 0; i < r->nr_args; i++) {
		exec_decode_arg(r, &pos, &a);
		err = store_arg(c, k, &a);
		if (err)
			return err;
	}
	if (k->nr_set != k->nr_args)
		return CL_INVALID_KERNEL_ARGS;
	return check_memory(c, k);
}

static int32_t set_host_arg(struct exec_context *c, struct exec_kernel *k, enum exec_face face, uint32_t index,
			    uint16_t kind, uint64_t size, struct exec_buffer *memory, const void *value)
{
	cl_kernel kernel = k->faces[face].host;
	cl_mem mem = NULL;

	if (memory)
		mem = face == EXEC_MAIN ? memory->host : exec_buffer_quick(c, memory);
	switch (kind) {
	case TRNC_ARG_VALUE:
	case TRNC_ARG_SAMPLER:
		return c->ex->host.SetKernelArg(kernel, index, size, value);
	case TRNC_ARG_LOCAL:
		return c->ex->host.SetKernelArg(kernel, index, size, NULL);
	case TRNC_ARG_SVM: {
		uint64_t address;

		memcpy(&address, value, sizeof(address));
		return c->ex->host.SetKernelArgSVMPointer(kernel, index, (void *)(uintptr_t)address);
	}
	default:
		if (memory && !mem)
			return CL_OUT_OF_RESOURCES;
		return c->ex->host.SetKernelArg(kernel, index, sizeof(mem), mem ? &mem : NULL);
	}
}

int32_t exec_kernel_apply(struct exec_context *c, struct exec_kernel *k, enum exec_face face)
{
	if (!k->faces[face].nr_stale)
		return CL_SUCCESS;
	for (uint32_t i = 0; i < k->nr_args; i++) {
		struct exec_kernel_arg *a = &k->args[i];
		int32_t err;

		if (!(a->stale >> face & 1))
			continue;
		err = set_host_arg(c, k, face, i, a->kind, a->size,
				   has_memory(a->kind) ? get_memory(c, a->kind, a->memory) : NULL, a->value);
		if (err)
			return err;
		a->stale &= (uint8_t)~(1u << face);
		k->faces[face].nr_stale--;
	}
	return CL_SUCCESS;
}

/* FNV's way of mixing, eight bytes at a time: a prediction goes by it, nothing else. */
static uint64_t mix(uint64_t hash, const uint8_t *bytes, uint64_t len)
{
	while (len) {
		uint64_t word = 0, n = len < sizeof(word) ? len : sizeof(word);

		memcpy(&word, bytes, n);
		hash = (hash ^ word) * 0x100000001b3u;
		hash ^= hash >> 29;
		bytes += n;
		len -= n;
	}
	return hash;
}

uint64_t exec_kernel_values(struct exec_kernel *k)
{
	uint64_t hash = 0xcbf29ce484222325u;

	if (k->has_values)
		return k->values;
	for (uint32_t i = 0; i < k->nr_args; i++) {
		const struct exec_kernel_arg *a = &k->args[i];

		if (a->kind == TRNC_ARG_LOCAL)
			hash = mix(hash, (const uint8_t *)&a->size, sizeof(a->size));
		else if (a->kind == TRNC_ARG_VALUE)
			hash = mix(hash, a->value, a->size);
	}
	k->values = hash;
	k->has_values = true;
	return hash;
}

/* --------------------------------------------------------------- snapshots */

struct exec_snapshot *exec_kernel_snapshot(struct exec_context *c, struct exec_kernel *k)
{
	size_t values = 0, head = sizeof(struct exec_snapshot) + k->nr_args * sizeof(struct exec_snapshot_arg);
	struct exec_snapshot *s = k->latest;
	uint8_t *value;

	if (s) {
		s->refs++;
		return s;
	}
	for (uint32_t i = 0; i < k->nr_args; i++)
		if (has_value(k->args[i].kind))
			values += k->args[i].size;
	s = calloc(1, head + values);
	if (!s)
		return NULL;
	s->refs = 1;
	s->kernel = k;
	s->nr_args = k->nr_args;
	s->values = exec_kernel_values(k);
	value = (uint8_t *)s + head;
	for (uint32_t i = 0; i < k->nr_args; i++) {
		const struct exec_kernel_arg *a = &k->args[i];
		struct exec_buffer *b = has_memory(a->kind) ? get_memory(c, a->kind, a->memory) : NULL;

		s->args[i] = (struct exec_snapshot_arg){ .kind = a->kind, .size = a->size };
		if (b)
			s->args[i].memory = exec_buffer_ref(b);
		if (!has_value(a->kind))
			continue;
		memcpy(value, a->value, a->size);
		s->args[i].value = value;
		value += a->size;
	}
	k->latest = s;
	return s;
}

int32_t exec_snapshot_apply(struct exec_context *c, struct exec_kernel *k, enum exec_face face,
			    const struct exec_snapshot *s)
{
	bool is_latest = s == k->latest;
	uint8_t bit = (uint8_t)(1u << face);

	if (is_latest && !k->faces[face].nr_stale)
		return CL_SUCCESS;
	for (uint32_t i = 0; i < s->nr_args; i++) {
		const struct exec_snapshot_arg *a = &s->args[i];
		int32_t err = set_host_arg(c, k, face, i, a->kind, a->size, a->memory, a->value);

		if (err)
			return err;
	}
	/* The host's object has the snapshot now: the shadow, or all of it differs from the shadow. */
	for (uint32_t i = 0; i < s->nr_args; i++)
		k->args[i].stale = is_latest ? k->args[i].stale & (uint8_t)~bit : k->args[i].stale | bit;
	k->faces[face].nr_stale = is_latest ? 0 : k->nr_args;
	return CL_SUCCESS;
}

struct exec_snapshot *exec_snapshot_unref(struct exec_context *c, struct exec_snapshot *s)
{
	if (!s || --s->refs)
		return NULL;
	for (uint32_t i = 0; i < s->nr_args; i++)
		exec_buffer_unref(c, s->args[i].memory);
	if (s->kernel->latest == s)
		s->kernel->latest = NULL;
	free(s);
	return NULL;
}

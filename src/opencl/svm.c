/* SPDX-License-Identifier: MIT */
/* The allocations of a context: a tree by address, so that lists and trees of many small ones stay fast. */
#include "opencl/svm.h"

#include <search.h>
#include <stdlib.h>

#include "opencl/device.h"

/* A pointer into a structure that the kernel follows must point to shared memory: the program's own is never reachable. */
#define SHAREABLE (CL_DEVICE_SVM_COARSE_GRAIN_BUFFER | CL_DEVICE_SVM_FINE_GRAIN_BUFFER | CL_DEVICE_SVM_ATOMICS)

#define SHOW_NS 20000000u

struct svm_piece {
	const uint8_t *start;
	size_t size;
	uint32_t refs;	 /* the program's, buffers' over it, commands'; in svm->lock */
	uint64_t handle; /* of a buffer over all of it, for commands that the host does; 0: none yet; in svm->lock */
	struct client_mem mem;
};

struct svm {
	pthread_mutex_t lock; /* outside the client library's own */
	void *pieces;	      /* tsearch() tree of struct svm_piece */
};

/* ----------------------------------------------------------------- table */

/* Pieces never overlap, so a key of one byte equals the piece that it lies in. */
static int compare(const void *a, const void *b)
{
	const struct svm_piece *p = a, *q = b;

	if ((uintptr_t)p->start + p->size <= (uintptr_t)q->start)
		return -1;
	return (uintptr_t)q->start + q->size <= (uintptr_t)p->start;
}

static struct svm_piece *find_locked(struct svm *svm, const void *ptr)
{
	const struct svm_piece key = { .start = ptr, .size = 1 };
	struct svm_piece **found = tfind(&key, &svm->pieces, compare);

	return found ? *found : NULL;
}

cl_device_svm_capabilities svm_capabilities(cl_device_id d)
{
	return client_device_has_svm(d->client) ? device_host_u64(d, CL_DEVICE_SVM_CAPABILITIES) & SHAREABLE : 0;
}

cl_int svm_init(cl_context ctx)
{
	if (!ctx->coherent || !client_session_has_svm(client_context_session(ctx->client)))
		return CL_SUCCESS;
	ctx->svm = calloc(1, sizeof(*ctx->svm));
	if (!ctx->svm)
		return CL_OUT_OF_HOST_MEMORY;
	pthread_mutex_init(&ctx->svm->lock, NULL);
	return CL_SUCCESS;
}

/* Each allocation holds the context: by now the tree is empty. */
void svm_finish(cl_context ctx)
{
	if (!ctx->svm)
		return;
	pthread_mutex_destroy(&ctx->svm->lock);
	free(ctx->svm);
	ctx->svm = NULL;
}

/* ---------------------------------------------------- as a host buffer */

static uint64_t create_buffer(cl_context ctx, const struct svm_piece *piece)
{
	uint64_t handle = client_handle_new(ctx->client, CLIENT_BUFFER);
	struct trnc_rec_buffer_create *rec;

	if (!handle)
		return 0;
	if (client_rec_begin(ctx->client, TRNC_REC_BUFFER_CREATE, sizeof(*rec), (void **)&rec)) {
		client_handle_free(ctx->client, CLIENT_BUFFER, handle);
		return 0;
	}
	rec->buffer = handle;
	rec->offset = piece->mem.offset;
	rec->size = piece->size;
	client_rec_end(ctx->client);
	return handle;
}

uint64_t svm_piece_buffer(cl_context ctx, struct svm_piece *piece)
{
	uint64_t handle;

	pthread_mutex_lock(&ctx->svm->lock);
	if (!piece->handle)
		piece->handle = create_buffer(ctx, piece);
	handle = piece->handle;
	pthread_mutex_unlock(&ctx->svm->lock);
	return handle;
}

/* ------------------------------------------------------------------ life */

/*
 * The host maps new memory a little later than we do; records wait for that by themselves, kernels that run cannot.  Not
 * for long: such a kernel may keep the host from reading on, and wait for us.
 */
static void show_host(cl_context ctx, struct svm_piece *piece)
{
	if (svm_piece_buffer(ctx, piece))
		client_wait_read(ctx->client, SHOW_NS);
}

void *svm_alloc(cl_context ctx, size_t size, bool is_fine)
{
	struct svm_piece *piece = calloc(1, sizeof(*piece));
	uint64_t known = client_context_memory_seq(ctx->client);
	struct trn_error err = { 0 };
	bool is_filed;
	void *ptr;

	if (!piece)
		return NULL;
	if (client_mem_alloc(ctx->client, size, &piece->mem, &err)) {
		context_notify(ctx, err.text);
		free(piece);
		return NULL;
	}
	client_mem_show(&piece->mem);
	piece->start = ptr = piece->mem.ptr;
	piece->size = size;
	piece->refs = 1;
	pthread_mutex_lock(&ctx->svm->lock);
	is_filed = tsearch(piece, &ctx->svm->pieces, compare) != NULL;
	pthread_mutex_unlock(&ctx->svm->lock);
	if (!is_filed) {
		client_mem_free(ctx->client, &piece->mem);
		free(piece);
		return NULL;
	}
	head_ref(&ctx->head);
	if (is_fine && client_context_memory_seq(ctx->client) != known)
		show_host(ctx, piece);
	return ptr;
}

void svm_free(cl_context ctx, const void *ptr)
{
	struct svm_piece *piece;

	if (client_context_is_forked(ctx->client)) /* the lock may be held by a thread that is not here */
		return;
	pthread_mutex_lock(&ctx->svm->lock);
	piece = find_locked(ctx->svm, ptr);
	if (piece && piece->start == ptr)
		tdelete(piece, &ctx->svm->pieces, compare);
	else
		piece = NULL;
	pthread_mutex_unlock(&ctx->svm->lock);
	if (!piece)
		return;
	svm_piece_put(ctx, piece);
	clReleaseContext(ctx);
}

struct svm_piece *svm_piece_get(cl_context ctx, const void *ptr, size_t size)
{
	struct svm_piece *piece;

	if (!ctx->svm || !client_context_has_address(ctx->client, ptr) || client_context_is_forked(ctx->client))
		return NULL;
	pthread_mutex_lock(&ctx->svm->lock);
	piece = find_locked(ctx->svm, ptr);
	if (piece && size <= piece->size - (size_t)((const uint8_t *)ptr - piece->start))
		piece->refs++;
	else
		piece = NULL;
	pthread_mutex_unlock(&ctx->svm->lock);
	return piece;
}

void svm_piece_put(cl_context ctx, struct svm_piece *piece)
{
	bool is_last;

	pthread_mutex_lock(&ctx->svm->lock);
	is_last = --piece->refs == 0;
	pthread_mutex_unlock(&ctx->svm->lock);
	if (!is_last)
		return;
	if (piece->handle) /* the memory comes back when the host is through with the buffer */
		client_buffer_destroy(ctx->client, piece->handle, &piece->mem);
	else
		client_mem_free(ctx->client, &piece->mem);
	free(piece);
}

size_t svm_size(cl_context ctx, const void *ptr)
{
	struct svm_piece *piece = svm_piece_get(ctx, ptr, 1);
	size_t size = 0;

	if (!piece)
		return 0;
	if (piece->start == ptr)
		size = piece->size;
	svm_piece_put(ctx, piece);
	return size;
}

uint64_t svm_piece_place(const struct svm_piece *piece, const void *ptr)
{
	return (uint64_t)((const uint8_t *)ptr - piece->start);
}

uint64_t svm_piece_offset(const struct svm_piece *piece, const void *ptr)
{
	return piece->mem.offset + svm_piece_place(piece, ptr);
}

/* SPDX-License-Identifier: MIT */
/* Builds and queries: blobs go through service memory, which is given back before the call returns. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "client/headers.h"
#include "client/refuse.h"
#include "client/transport.h"

#define FIRST_REPLY_CAP (256u << 10)
#define MAX_TRIES 4 /* the reply may have grown between two questions: another thread built the program again */

struct exchange {
	struct client_context *c;
	struct client_mem reply; /* where the host writes */
	uint64_t reply_len;	 /* as the host says; may be more than there was room for */
};

static int alloc_reply(struct exchange *x, uint64_t cap, struct trn_error *err)
{
	return client_staging_alloc(x->c, cap, &x->reply, err);
}

static int check_reply(const struct exchange *x, struct trn_error *err)
{
	if (x->reply_len > TRNC_MAX_BLOB)
		return client_refuse(err, -EPROTO, "BadReply", CLIENT_HINT_RESTART,
				     "the device's answer has an impossible length");
	return 0;
}

/* A private copy: the host could go on writing in the shared one. */
static int copy_reply(struct exchange *x, void **ret_reply, size_t *ret_len, struct trn_error *err)
{
	void *copy = malloc(x->reply_len ? x->reply_len : 1);

	if (!copy)
		return client_refuse_memory(err);
	memcpy(copy, x->reply.ptr, x->reply_len);
	*ret_reply = copy;
	*ret_len = x->reply_len;
	return 0;
}

static int query_once(struct exchange *x, uint64_t program, enum trnc_query what, struct trn_error *err)
{
	int r = x->c->session->transport->query(x->c, program, what, &x->reply, &x->reply_len, err);

	return r < 0 ? r : check_reply(x, err);
}

/* cap: bytes of room to try first */
static int query(struct client_context *c, uint64_t program, enum trnc_query what, uint64_t cap, void **ret_reply,
		 size_t *ret_len, struct trn_error *err)
{
	struct exchange x = { .c = c, .reply_len = cap };

	for (int i = 0; i < MAX_TRIES; i++) {
		int r = alloc_reply(&x, x.reply_len, err);
		bool is_whole;

		if (r < 0)
			return r;
		r = query_once(&x, program, what, err);
		is_whole = r == 0 && x.reply_len <= x.reply.size;
		if (is_whole)
			r = copy_reply(&x, ret_reply, ret_len, err);
		client_staging_free(c, &x.reply);
		if (r < 0 || is_whole)
			return r;
	}
	return client_refuse(err, -EPROTO, "BadReply", CLIENT_HINT_RESTART,
			     "the device's answer grows with each question");
}

int client_program_query(struct client_context *c, uint64_t program, enum trnc_query what, void **ret_reply,
			 size_t *ret_len, struct trn_error *err)
{
	return query(c, program, what, FIRST_REPLY_CAP, ret_reply, ret_len, err);
}

static int build_once(struct exchange *x, uint64_t program, const struct client_mem *request, struct trn_error *err)
{
	int r = x->c->session->transport->build(x->c, program, request, &x->reply, &x->reply_len, err);

	return r < 0 ? r : check_reply(x, err);
}

int client_program_build(struct client_context *c, uint64_t program, const struct base_blob *request, void **ret_reply,
			 size_t *ret_len, struct trn_error *err)
{
	struct exchange x = { .c = c };
	struct client_mem staged;
	int r;

	if (request->failed)
		return client_refuse_memory(err);
	if (request->len > TRNC_MAX_BLOB)
		return client_refuse(err, -E2BIG, "ProgramTooLong", "build the program from smaller parts",
				     "a build request has at most %u bytes, not %zu", TRNC_MAX_BLOB, request->len);
	r = client_staging_alloc(c, request->len, &staged, err);
	if (r < 0)
		return r;
	memcpy(staged.ptr, request->data, request->len);

	r = alloc_reply(&x, FIRST_REPLY_CAP, err);
	if (r < 0)
		goto free_request;
	r = build_once(&x, program, &staged, err);
	if (r == 0 && x.reply_len <= x.reply.size)
		r = copy_reply(&x, ret_reply, ret_len, err);
	else if (r == 0)
		r = 1;
	client_staging_free(c, &x.reply);
free_request:
	client_staging_free(c, &staged);
	/* The reply did not fit: ask for it again, with room. */
	return r == 1 ? query(c, program, TRNC_QUERY_RESULT, x.reply_len, ret_reply, ret_len, err) : r;
}

void client_program_add_options(const struct client_context *c, struct base_blob *request,
				const struct client_text_piece *texts, size_t nr, const char *options)
{
	_cleanup_free_ char *rewritten = NULL;
	char cwd[PATH_MAX];

	if (c->is_guest) {
		rewritten = client_headers_add(request, texts, nr, options, getcwd(cwd, sizeof(cwd)));
		if (!rewritten)
			request->failed = true;
	}
	if (options)
		base_blob_put_str(request, TRNC_TAG_OPTIONS, rewritten ? rewritten : options);
}

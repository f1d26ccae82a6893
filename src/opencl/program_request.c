/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "opencl/program.h"

/* What the program was created from: source, binary or IL. One made by linking has nothing to send. */
static void put_contents(struct base_blob *b, cl_program p, enum trnc_op op)
{
	pthread_mutex_lock(&p->lock);
	if (op == TRNC_OP_LOAD_BINARY)
		base_blob_put(b, TRNC_TAG_BINARY, p->binary, p->binary_len);
	else if (op == TRNC_OP_LOAD_IL)
		base_blob_put(b, TRNC_TAG_IL, p->il, p->il_len);
	else if (op != TRNC_OP_LINK && p->source)
		base_blob_put(b, TRNC_TAG_SOURCE, p->source, p->source_len);
	pthread_mutex_unlock(&p->lock);
}

static void put_header(struct base_blob *b, const char *name, cl_program header)
{
	size_t mark = base_blob_begin(b, TRNC_TAG_HEADER);

	base_blob_put_str(b, TRNC_TAG_NAME, name);
	pthread_mutex_lock(&header->lock);
	base_blob_put(b, TRNC_TAG_SOURCE, header->source ? header->source : "", header->source_len);
	pthread_mutex_unlock(&header->lock);
	base_blob_end(b, mark);
}

/* Relative include paths are the program's, not the executor's. Without a name there are none. */
static void put_cwd(struct base_blob *b)
{
	char cwd[PATH_MAX];

	if (getcwd(cwd, sizeof(cwd)))
		base_blob_put_str(b, TRNC_TAG_CWD, cwd);
}

/* Options, and what is not on the host: files that the texts include. A program's text does not change. */
static void put_options(struct base_blob *b, cl_program p, const char *options, const struct program_inputs *inputs)
{
	cl_uint nr_headers = inputs && inputs->names ? inputs->nr : 0;
	struct client_text_piece *texts = calloc(nr_headers + 1u, sizeof(*texts));
	size_t nr = 0;

	if (!texts) {
		b->failed = true;
		return;
	}
	if (p->source)
		texts[nr++] = (struct client_text_piece){ p->source, p->source_len };
	for (cl_uint i = 0; i < nr_headers; i++)
		if (inputs->programs[i]->source)
			texts[nr++] = (struct client_text_piece){ inputs->programs[i]->source,
								  inputs->programs[i]->source_len };
	client_program_add_options(p->context->client, b, texts, nr, options);
	free(texts);
}

cl_int program_request(struct base_blob *request, cl_program p, enum trnc_op op, const char *options,
		       const struct program_inputs *inputs)
{
	base_blob_put_u32(request, TRNC_TAG_OP, op);
	put_contents(request, p, op);
	if (op == TRNC_OP_BUILD || op == TRNC_OP_COMPILE) {
		put_cwd(request);
		put_options(request, p, options, inputs);
	} else if (options) {
		base_blob_put_str(request, TRNC_TAG_OPTIONS, options);
	}
	for (cl_uint i = 0; inputs && i < inputs->nr; i++) {
		if (inputs->names)
			put_header(request, inputs->names[i], inputs->programs[i]);
		else
			base_blob_put_u64(request, TRNC_TAG_INPUT, inputs->programs[i]->handle);
	}
	return request->failed ? CL_OUT_OF_HOST_MEMORY : CL_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
#include "opencl/sampler.h"

#include <stdlib.h>
#include <string.h>

static cl_int write_create_record(cl_sampler s)
{
	struct client_context *client = s->context->client;
	struct trnc_rec_sampler_create *rec;
	int r = client_rec_begin(client, TRNC_REC_SAMPLER_CREATE, sizeof(*rec), (void **)&rec);

	if (r)
		return cl_error_from(r);
	rec->sampler = s->handle;
	rec->normalized = s->normalized;
	/* PoCL takes any number, and one that it does not know for none and nearest. */
	rec->addressing = s->addressing >= CL_ADDRESS_NONE && s->addressing <= CL_ADDRESS_MIRRORED_REPEAT ?
				  s->addressing : CL_ADDRESS_NONE;
	rec->filter = s->filter == CL_FILTER_LINEAR ? CL_FILTER_LINEAR : CL_FILTER_NEAREST;
	client_rec_end(client);
	return CL_SUCCESS;
}

static void sampler_free(cl_sampler s)
{
	client_handle_free(s->context->client, CLIENT_SAMPLER, s->handle);
	free(s->properties);
	free(s);
}

static cl_int check(cl_context ctx, const struct sampler_desc *desc)
{
	if (!IS_CONTEXT(ctx))
		return CL_INVALID_CONTEXT;
	if (!device_info_u64(ctx->device, CL_DEVICE_IMAGE_SUPPORT))
		return CL_INVALID_OPERATION;
	if (desc->normalized > 1)
		return CL_INVALID_VALUE;
	/* Only coordinates that count in images can repeat. */
	if (!desc->normalized && (desc->addressing == CL_ADDRESS_REPEAT || desc->addressing == CL_ADDRESS_MIRRORED_REPEAT))
		return CL_INVALID_VALUE;
	return CL_SUCCESS;
}

cl_sampler sampler_create(cl_context ctx, const struct sampler_desc *desc, const cl_sampler_properties *properties,
			  size_t nr, cl_int *errcode_ret)
{
	cl_int code = check(ctx, desc);
	cl_sampler s;

	if (code)
		return fail_with(errcode_ret, code);
	s = calloc(1, sizeof(*s));
	if (!s)
		return fail_with(errcode_ret, CL_OUT_OF_HOST_MEMORY);
	head_init(&s->head, KIND_SAMPLER);
	s->context = ctx;
	s->normalized = desc->normalized;
	s->addressing = desc->addressing;
	s->filter = desc->filter;
	s->handle = client_handle_new(ctx->client, CLIENT_SAMPLER);
	if (nr)
		s->properties = malloc(nr * sizeof(*properties));
	if (s->properties) {
		memcpy(s->properties, properties, nr * sizeof(*properties));
		s->nr_properties = nr;
	}
	code = s->handle && s->nr_properties == nr ? write_create_record(s) : CL_OUT_OF_HOST_MEMORY;
	if (code) {
		sampler_free(s);
		return fail_with(errcode_ret, code);
	}
	head_ref(&ctx->head);
	fail_with(errcode_ret, CL_SUCCESS);
	return s;
}

void sampler_destroy(cl_sampler s)
{
	cl_context ctx = s->context;
	struct trnc_rec_object *rec;

	/* A lost context has nothing left to destroy. */
	if (client_rec_begin(ctx->client, TRNC_REC_SAMPLER_DESTROY, sizeof(*rec), (void **)&rec) == 0) {
		rec->handle = s->handle;
		client_rec_end(ctx->client);
	}
	sampler_free(s);
	clReleaseContext(ctx);
}

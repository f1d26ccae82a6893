/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "opencl/program.h"

static size_t piece_len(const char *piece, const size_t *lengths, cl_uint i)
{
	return lengths && lengths[i] ? lengths[i] : strlen(piece);
}

/* All pieces in one malloc'ed string. */
static cl_int join(cl_uint nr, const char *const *pieces, const size_t *lengths, char **ret, size_t *ret_len)
{
	size_t len = 0;
	char *text;

	for (cl_uint i = 0; i < nr; i++) {
		if (!pieces[i])
			return CL_INVALID_VALUE;
		if (__builtin_add_overflow(len, piece_len(pieces[i], lengths, i), &len))
			return CL_OUT_OF_HOST_MEMORY;
	}
	text = len < SIZE_MAX ? malloc(len + 1) : NULL;
	if (!text)
		return CL_OUT_OF_HOST_MEMORY;
	*ret = text;
	*ret_len = len;
	for (cl_uint i = 0; i < nr; i++)
		text = mempcpy(text, pieces[i], piece_len(pieces[i], lengths, i));
	*text = '\0';
	return CL_SUCCESS;
}

CL_API_ENTRY cl_program CL_API_CALL clCreateProgramWithSource(cl_context context, cl_uint count, const char **strings,
							      const size_t *lengths, cl_int *errcode_ret)
{
	size_t len = 0;
	char *text = NULL;
	cl_program p;
	cl_int error;

	if (!IS_CONTEXT(context))
		return fail_with(errcode_ret, CL_INVALID_CONTEXT);
	if (count == 0 || !strings)
		return fail_with(errcode_ret, CL_INVALID_VALUE);
	error = join(count, strings, lengths, &text, &len);
	if (error)
		return fail_with(errcode_ret, error);
	p = program_new(context, &error);
	if (!p) {
		free(text);
		return fail_with(errcode_ret, error);
	}
	p->source = text;
	p->source_len = len;
	if (errcode_ret)
		*errcode_ret = CL_SUCCESS;
	return p;
}

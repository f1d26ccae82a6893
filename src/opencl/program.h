/* SPDX-License-Identifier: MIT */
/* Programs: their life (program.c), the requests of builds (program_request.c) and the builds (program_build.c). */
#ifndef OPENCL_PROGRAM_H
#define OPENCL_PROGRAM_H

#include "opencl/objects.h"

typedef void(CL_CALLBACK *program_notify)(cl_program, void *);

/* One reference, a handle, nothing in it; NULL: *ret_error. */
cl_program program_new(cl_context ctx, cl_int *ret_error);
/* After the last reference is gone; accepts a program that the host never heard of. */
void program_destroy(cl_program p);

/* The device list of a call: CL_INVALID_VALUE (nr without a list, or the reverse), CL_INVALID_DEVICE (not of the context). */
cl_int program_check_devices(cl_context ctx, cl_uint nr, const cl_device_id *devices);

/* What a call that builds was given beside the program, and the error that it gives for devices of another context. */
struct build_call {
	cl_uint nr_devices;
	const cl_device_id *devices;
	program_notify notify;
	void *notify_data;
	cl_int wrong_device;
};

/* The checks that builds and compiles share, in PoCL's order. CL_INVALID_OPERATION: kernels of the program live. */
cl_int program_check_build(cl_program p, const struct build_call *call);
/* As PoCL, a refused build calls back, too. Return: error. */
cl_int program_refuse_build(cl_program p, const struct build_call *call, cl_int error);

/* ------------------------------------------------------------- requests */

/* What a compile or link takes from other programs. */
struct program_inputs {
	cl_uint nr;
	const cl_program *programs;
	const char *const *names; /* of headers; NULL when linking */
};

/*
 * Fills a request from the program's contents and the options. The caller finishes it. Takes the locks of the programs,
 * one at a time. CL_OUT_OF_HOST_MEMORY.
 */
cl_int program_request(struct base_blob *request, cl_program p, enum trnc_op op, const char *options,
		       const struct program_inputs *inputs);

/* --------------------------------------------------------------- builds */

struct build_job {
	cl_program program;
	enum trnc_op op;
	const char *options;
	struct program_inputs inputs; /* used up before program_build() returns */
	program_notify notify; /* with one the build goes on in a thread of its own */
	void *notify_data;
};

/*
 * Builds, compiles or links. CL_INVALID_OPERATION when kernels of the program live or a build is under way.
 * Without a callback: the end result; else CL_SUCCESS, and the callback comes from another thread.
 */
cl_int program_build(const struct build_job *job);

/*
 * The build of a program of built-in kernels: fails as it does in PoCL, which lists such kernels and has the sources of
 * none, with status and options noted and the callback called.
 */
cl_int program_build_builtin(cl_program p, const char *options, program_notify notify, void *notify_data);

/* Has the host make the program from a binary or IL. *ret_binary_status: of the binary; untouched when not known. */
cl_int program_load(cl_program p, enum trnc_op op, cl_int *ret_binary_status);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OPENCL_KERNEL_H
#define OPENCL_KERNEL_H

#include "opencl/objects.h"

/* A kernel of the program's table, by index in it. Takes references on program and table. NULL: *ret_error. */
cl_kernel kernel_create(cl_program p, struct kernel_table *table, uint32_t index, cl_int *ret_error);
/* With the source's arguments. */
cl_kernel kernel_clone(cl_kernel source, cl_int *ret_error);
/* After the last reference is gone. */
void kernel_destroy(cl_kernel k);

/* The table of a program with an executable, one reference; NULL otherwise. */
struct kernel_table *program_table(cl_program p);

/* clSetKernelArg after the check of the kernel (kernel_args.c). Takes kernel->lock. */
cl_int kernel_arg_set(cl_kernel k, uint32_t index, size_t size, const void *value);
/* clSetKernelArgSVMPointer after the check of the kernel. is_foreign: launches are refused until it is set again. */
cl_int kernel_arg_set_svm(cl_kernel k, uint32_t index, const void *pointer, bool is_foreign);
/* Takes over all arguments of another kernel with the same info, as changed. Under source->lock. */
cl_int kernel_args_copy(cl_kernel k, const struct _cl_kernel *source);
/* Bytes of local memory in the arguments set. Takes kernel->lock. */
uint64_t kernel_args_local(cl_kernel k);

#endif

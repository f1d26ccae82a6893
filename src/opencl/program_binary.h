/* SPDX-License-Identifier: MIT */
/*
 * Program binaries as programs get and give them: the host's bytes after a head of ours, struct binary_head.  Programs
 * keep binaries in files; a host's driver may crash on one that was cut or damaged (PoCL does), so these are found
 * out here.  Bytes without our head are the host's own kind and go to it as they are.
 */
#ifndef OPENCL_PROGRAM_BINARY_H
#define OPENCL_PROGRAM_BINARY_H

#include <stddef.h>
#include <stdint.h>

#include "opencl/objects.h"

#define BINARY_MAGIC "TRNCLBIN"

struct binary_head {
	uint8_t magic[8]; /* BINARY_MAGIC without its NUL */
	uint32_t version; /* 1; little-endian, as all here */
	uint32_t reserved; /* 0 */
	uint64_t len;	  /* of the host's bytes, which follow to the end */
	uint64_t check;	  /* FNV-1a of them */
};
_Static_assert(sizeof(struct binary_head) == 32, "the head has the size that files have");

/* malloc'ed. Return: 0 or CL_OUT_OF_HOST_MEMORY. */
cl_int program_binary_wrap(const void *host, size_t len, void **ret, size_t *ret_len);
/* *ret points into bytes. Return: 0 or CL_INVALID_BINARY. */
cl_int program_binary_unwrap(const void *bytes, size_t len, const void **ret, size_t *ret_len);

#endif

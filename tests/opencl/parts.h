/* SPDX-License-Identifier: MIT */
/* What the tests here share: a build reply as an honest host sends it, and copies that sanitizers watch to the byte. */
#ifndef TESTS_OPENCL_PARTS_H
#define TESTS_OPENCL_PARTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/blob.h"
#include "opencl/kernel_table.h"

struct part_arg {
	uint32_t kind, size;
};

/* A KERNEL item. */
void put_kernel(struct base_blob *b, const char *name, const struct part_arg *args, size_t nr_args);
/* STATUS 0, BUILD_STATUS, LOG, one kernel "vadd" with three buffers and one "scale" with a value and local memory. */
void put_reply(struct base_blob *b);

/* Parses a copy that is exactly len bytes long. */
int parse_copy(const uint8_t *data, size_t len, struct build_reply *ret);

#endif

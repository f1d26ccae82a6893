/* SPDX-License-Identifier: MIT */
/* Sizes in bytes as people write them: 512M, 1.5G, 64KiB (all binary multiples). */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H

#include <stddef.h>
#include <stdint.h>

#include "tranche/error.h"

/* Parses a whole string. Return: 0; -EINVAL (not a size, or 0), -ERANGE (does not fit in 64 bits); err says which. */
int base_size_parse(const char *text, uint64_t *ret_bytes, struct trn_error *err);

#define BASE_SIZE_TEXT 24
/* "1.5 GiB"; writes into and returns buf. */
const char *base_size_format(uint64_t bytes, char buf[BASE_SIZE_TEXT]);

#endif

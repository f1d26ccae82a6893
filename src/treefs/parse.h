/* SPDX-License-Identifier: MIT */
/* What is written to the tree's files, as the kernel reads it: by length, as there is no NUL behind. */
#ifndef TREEFS_PARSE_H
#define TREEFS_PARSE_H

#include <stddef.h>

#define TREEFS_UUID_SIZE 37

/* 36 characters, or 37 with a newline; lower-case after. Return: 0 or -EINVAL. */
int treefs_parse_uuid(const char *text, size_t len, char ret[TREEFS_UUID_SIZE]);
/* A number that is not negative: decimal, 0x... or 0...; a newline may follow. Return: 0 or -EINVAL. */
int treefs_parse_number(const char *text, size_t len, unsigned long *ret);
/* A value without its last newline, to be freed. Return: 0, -EINVAL (a NUL inside), -ENOMEM. */
int treefs_parse_value(const char *text, size_t len, char **ret);

#endif

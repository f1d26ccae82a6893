/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of the kernel as tranche_check.h and its tests use, for a program of
 * user space: the same tests run where no kernel has KUnit.
 */
#ifndef TRANCHE_TEST_SHIM_H
#define TRANCHE_TEST_SHIM_H

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define U32_MAX UINT32_MAX
#define U64_MAX (~0ull)

#define BIT_ULL(n) (1ull << (n))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define sizeof_field(type, field) sizeof(((type *)0)->field)
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a) - 1)) == 0)
#define min(a, b) ((a) < (b) ? (a) : (b))

static inline bool is_power_of_2(unsigned long n)
{
	return n && !(n & (n - 1));
}

static inline bool in_range(u64 value, u64 start, u64 len)
{
	return value - start < len;
}

/* Little-endian machines only, as the wire's header says itself. */
#define le16_to_cpu(x) ((u16)(x))
#define le32_to_cpu(x) ((u32)(x))
#define le64_to_cpu(x) ((u64)(x))
#define cpu_to_le16(x) ((__le16)(x))
#define cpu_to_le32(x) ((__le32)(x))
#define cpu_to_le64(x) ((__le64)(x))

#define MODULE_DESCRIPTION(text) _Static_assert(sizeof(text) > 1, text)
#define MODULE_LICENSE(name) _Static_assert(sizeof(name) > 1, name)

#endif

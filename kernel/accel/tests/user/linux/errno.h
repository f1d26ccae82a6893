/* SPDX-License-Identifier: GPL-2.0-only */
/* The C library wants the real one of this name. */
#include_next <linux/errno.h>

/* SPDX-License-Identifier: GPL-2.0-only */
/* Of which the uapi header needs no more than types, as long as nobody calls an ioctl. */
#include "shim.h"

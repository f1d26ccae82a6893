/* SPDX-License-Identifier: MIT */
/* Where a device's socket is. */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include <limits.h>

#include "tranche/error.h"

/* From a UUID, or the path of a socket: an absolute path.  Whether there is something is not looked at. 0 or -errno. */
int place_of(const char *uuid_or_path, char ret[PATH_MAX], struct trn_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* In place of png.c where libpng is missing. */
#include <errno.h>

#include "parents/bochs/bochs.h"

int bochs_picture_png(const struct bochs_picture *picture, void **ret, size_t *ret_len, struct trn_error *err)
{
	trn_error_set(err, -EOPNOTSUPP, "NoLibpng", "this program was built without libpng, which makes pictures");
	trn_error_hint(err, "install libpng-dev and build again");
	return -EOPNOTSUPP;
}

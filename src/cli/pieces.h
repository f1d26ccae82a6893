/* SPDX-License-Identifier: MIT */
/* Where the other pieces of Tranche are: beside the command in a build tree, else where they are installed. */
#ifndef CLI_PIECES_H
#define CLI_PIECES_H

#include <limits.h>

#include "tranche/error.h"

struct pieces {
	char device[PATH_MAX]; /* tranche-device */
	char driver[PATH_MAX]; /* libtranche-opencl.so */
};

/* TRANCHE_PIECES (a build folder) in the environment goes first. Return: 0, or -ENOENT and which piece is missing. */
int pieces_find(struct pieces *ret, struct trn_error *err);

#endif

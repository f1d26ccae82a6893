/* SPDX-License-Identifier: MIT */
/* Where the other pieces of Tranche are: beside the program in a build tree, else where they are installed. */
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

/* tranche-ctl, which speaks to tranched. Return: 0 or -ENOENT. */
int pieces_find_ctl(char ret[PATH_MAX], struct trn_error *err);
/* tranche itself; for tranche-ctl. */
int pieces_find_tranche(char ret[PATH_MAX], struct trn_error *err);
/* tranche-executor: prints the host's devices. */
int pieces_find_executor(char ret[PATH_MAX], struct trn_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* The command line, and the file that holds the same. */
#ifndef PARENT_ARGUMENTS_H
#define PARENT_ARGUMENTS_H

#include "parent/parent.h"

struct parent_arguments {
	const char *executor, *store; /* or NULL */
	const char *hidden; /* a folder that compilers must not read; NULL: none */
	struct parent_listen_options listen; /* .listen NULL: for one device process, at descriptor TRNC_PARENT_FD */
	bool no_fork, is_mould;
};

/* Strings point into argv, or are kept for ever. Return: 0 or -errno; err may stay empty: getopt has said it. */
int parent_arguments_parse(struct parent_arguments *ret, int argc, char **argv, struct trn_error *err);

#endif

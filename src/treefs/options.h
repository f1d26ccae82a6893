/* SPDX-License-Identifier: MIT */
#ifndef TREEFS_OPTIONS_H
#define TREEFS_OPTIONS_H

#include <stdbool.h>

struct treefs_options {
	char *mountpoint;    /* absolute */
	const char *socket;  /* NULL: the usual one */
	char *mount_options; /* -o, joined by commas */
	bool is_user, is_foreground, will_wait, allows_users;
	bool dies_with_parent; /* the process that started us */
	int ready_fd;	       /* gets a byte when the tree can be used; -1: none */
};

/* Return: -1 to go on, else the exit status. */
int treefs_options_parse(int argc, char **argv, struct treefs_options *ret);
void treefs_options_finish(struct treefs_options *o);

#endif

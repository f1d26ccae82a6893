/* SPDX-License-Identifier: MIT */
/* The command line of "tranche run". */
#ifndef CLI_RUN_OPTIONS_H
#define CLI_RUN_OPTIONS_H

#include <stdbool.h>

#define RUN_MAX_DEVICES 16

struct run_options {
	const char *host_devices[RUN_MAX_DEVICES]; /* numbers as text, checked */
	const char *memory[RUN_MAX_DEVICES];	   /* NULL: the host device's own size */
	int nr_devices;
	int nr_sizes; /* given: none, one for all, or one for each */
	bool stats;
	bool no_fork_server;
	bool no_quick;
	char *store; /* whole path or "none"; NULL: not given */
	/* For tranched's devices. */
	const char *parent, *type, *time; /* NULL: not given */
	bool needs_daemon;		  /* one of them is */
	bool is_alone;			  /* --alone, or an option that only a device process of ours knows */
	bool has_host_devices;		  /* they were given */
	char **program;
};

/* Starts from zeros; cuts lists in argv. Return: -1 to go on, else the exit status, and what is wrong has been said. */
int run_options_parse(int argc, char **argv, struct run_options *o);

#endif

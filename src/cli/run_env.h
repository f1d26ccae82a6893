/* SPDX-License-Identifier: MIT */
/* What a program of "tranche run" finds: one vendors folder with our driver alone, and the devices' sockets. */
#ifndef CLI_RUN_ENV_H
#define CLI_RUN_ENV_H

#include <signal.h>

/* Inside of another "tranche run", the host's OpenCL is still the one that was there outside. */
void run_env_restore_host(void);

/* devices: sockets with ":" between them. */
void run_env_set(const char *vendors, const char *devices);

/* Runs the program to its end. Its wait status in *ret_status, or the exit status of a failure, which was told. */
int run_env_program(char **program, const sigset_t *mask, int *ret_status);

#endif

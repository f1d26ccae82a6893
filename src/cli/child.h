/* SPDX-License-Identifier: MIT */
/* The two processes of "tranche run": the device's, apart from the terminal, and the program's, as a shell would start it. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include <signal.h>
#include <sys/types.h>

#include "tranche/error.h"

/*
 * Starts the device process in a session of its own, so that the terminal's signals reach the program alone.
 * listener and control become its descriptors 3 and 4; it inherits no other. Return: pid or -errno.
 */
pid_t child_start_device(char *const argv[], int listener, int control, struct trn_error *err);

/* Starts the program in our process group, found by PATH, with the signal mask given. Return: pid or -errno. */
pid_t child_start_program(char *const argv[], const sigset_t *mask);

/* The signals that child_wait() needs blocked, from before the program is started; *ret_old: the mask before. */
void child_block_signals(sigset_t *ret_old);

/*
 * Waits for the program's end and passes on the signals that were sent to us in the meantime, except those that the
 * terminal sends to the whole group. Return: its wait status.
 */
int child_wait(pid_t program);

/* Waits until the device process is gone; kills it when it takes longer than timeout_ms. */
void child_reap_device(pid_t device, int timeout_ms);

/* Ends this process in the way in which the wait status tells. */
_Noreturn void child_exit_like(int status);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The executor as a function: tranche-executor is little more than a call of it, and tranche-parent calls it in a forked
 * process that has the host's OpenCL loaded already.
 */
#ifndef EXECUTOR_ENTRY_H
#define EXECUTOR_ENTRY_H

#include "tranche/error.h"

/* Settings of malloc that the executor wants.  Before the host's OpenCL is loaded; they survive a fork. */
void exec_tune_malloc(void);

/*
 * Loads the libraries of the host's OpenCL, and initialises them no further than a fork allows: no device is looked at.
 * Return: 0 or -errno with a sentence.
 */
int exec_preload(struct trn_error *err);

/* Is descriptor TRNC_EXEC_FD what an executor needs? */
int exec_has_socket(void);

/* Serves the device process at TRNC_EXEC_FD to the end.  The process has no threads yet. */
void exec_run(void) __attribute__((noreturn));

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The compile helper: this program again, in the sandbox of an executor, in a folder of its own.  It builds one program
 * for the compile broker, writes the reply, and ends: a cold build leaves some 110 MiB behind in the process that made it,
 * and a compiler that runs out of memory ends its process.
 */
#ifndef EXECUTOR_HELPER_H
#define EXECUTOR_HELPER_H

/* Exit status of a helper that could not begin.  Any other one that is not 0 is the compiler's. */
#define EXEC_HELPER_FAILED 3

/*
 * The memory file at TRNC_EXEC_FD holds the body of a TRNC_BROKER_COMPILE; the reply blob takes its place.  The driver's
 * files are then below POCL_CACHE_DIR.  The process has no threads yet, and its
 * memory is limited by whoever started it.
 */
void exec_helper_run(void) __attribute__((noreturn));

#endif

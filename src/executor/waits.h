/* SPDX-License-Identifier: MIT */
#ifndef EXECUTOR_WAITS_H
#define EXECUTOR_WAITS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * May a kernel of this text go round until somebody else has written something: another kernel, another work-group, the
 * program?  Then it needs its own thread, whatever it took before.  Includes and pasted names are the caller's to doubt.
 */
bool exec_text_may_wait(const char *source, size_t len, const char *options);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TREEFS_OPEN_H
#define TREEFS_OPEN_H

#include <stdint.h>

#include "treefs/fuse.h"

/*
 * Answers that a file is open: past the kernel's cache, each write by itself, nothing to do on close.  libfuse 3.14
 * knows no name for writes that do not wait for each other, so the answer is built here.
 */
int treefs_reply_open(fuse_req_t req, uint64_t handle);

#endif

/* SPDX-License-Identifier: MIT */
/* libfuse, by the version of its interface that all files here use. */
#ifndef TREEFS_FUSE_H
#define TREEFS_FUSE_H

#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 312
#endif
#include <fuse3/fuse_lowlevel.h>

#endif

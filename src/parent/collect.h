/* SPDX-License-Identifier: MIT */
#ifndef PARENT_COLLECT_H
#define PARENT_COLLECT_H

#include "parent/built.h"

/*
 * Takes the files that the host's driver keeps of the one program in a cache folder, whoever filled that: plain files
 * alone, copied, bounded.  A driver that keeps none is no error. Return: 0 or -errno.
 */
int parent_collect(int cache, struct parent_built *b);

#endif

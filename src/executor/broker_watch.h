/* SPDX-License-Identifier: MIT */
/* Sees which work-group functions the host's driver makes in its cache folder (variant.h). One thread's. */
#ifndef EXECUTOR_BROKER_WATCH_H
#define EXECUTOR_BROKER_WATCH_H

#include "executor/broker_files.h"
#include "tranche/wire/parent.h"

struct exec_broker_watch;

/* -1: nothing to watch; poll ignores it. */
int exec_broker_watch_fd(const struct exec_broker_watch *w);

/*
 * A program came with these files, and with a reply blob that names its kernels: what appears in its folder from now on
 * is reported.  Makes *w when it is NULL. What goes wrong only means that nothing is reported.
 */
void exec_broker_watch_program(struct exec_broker_watch **w, uint64_t compile, const char *program,
			       const struct exec_broker_files *files, const void *blob, size_t blob_len);

/* After the descriptor has become readable. */
void exec_broker_watch_read(struct exec_broker_watch *w,
			    void (*report)(void *arg, uint64_t compile, const struct trnc_broker_variant *v, uint32_t nr),
			    void *arg);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Samplers.  There are few different ones, so the host has one of each at most, which lives until the context is quiet:
 * not every host keeps a sampler for the commands that use it.  Handles and kernels' arguments only name them.
 */
#ifndef EXECUTOR_SAMPLER_H
#define EXECUTOR_SAMPLER_H

#include <stdint.h>

#include "executor/context.h"
#include "tranche/wire/compute.h"

/* Ring's thread. */
int32_t exec_sampler_create(struct exec_context *c, const struct trnc_rec_sampler_create *r);
int32_t exec_sampler_destroy(struct exec_context *c, uint64_t handle);
/* The host's; NULL when there is none. */
cl_sampler exec_sampler_get(struct exec_context *c, uint64_t handle);

/* Nothing runs on the host any more. */
void exec_samplers_release_all(struct exec_context *c);

#endif

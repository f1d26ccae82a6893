/* SPDX-License-Identifier: MIT */
/* The probe blob: all that the host says about its platform and device (docs/wire.md, "Probe blob"). */
#ifndef EXECUTOR_PROBE_H
#define EXECUTOR_PROBE_H

#include <stdint.h>

#include "executor/host.h"
#include "tranche/error.h"

/* Asks the host, writes the blob into fd (an empty memfd that allows sealing) and seals it.
 * Uses the host's spare context. Return: 0 or -errno with a sentence. */
int exec_probe_write(struct exec_host *h, int fd, uint64_t *ret_len, struct trn_error *err);

#endif

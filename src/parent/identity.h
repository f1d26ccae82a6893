/* SPDX-License-Identifier: MIT */
#ifndef PARENT_IDENTITY_H
#define PARENT_IDENTITY_H

#include "parent/key.h"

/*
 * The host's compiler: its libraries' files and build ids, and the processor.  @is_loaded: this process has them loaded;
 * else a short-lived one loads them.  Return: false when there is none to be known.
 */
bool parent_identify_host(bool is_loaded, struct parent_key *ret);

#endif

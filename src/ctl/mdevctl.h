/* SPDX-License-Identifier: MIT */
/* JSON as mdevctl prints it: a list of one object, whose members are parents with their lists; keys sorted. */
#ifndef CTL_MDEVCTL_H
#define CTL_MDEVCTL_H

#include "ctl/ctl.h"

json_t *ctl_mdevctl_children(json_t *parents, const char *name); /* borrowed */
int ctl_print_mdevctl(struct ctl *c, json_t *value);

#endif

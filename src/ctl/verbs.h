/* SPDX-License-Identifier: MIT */
#ifndef CTL_VERBS_H
#define CTL_VERBS_H

#include "ctl/ctl.h"

extern const struct ctl_verb ctl_verb_parents, ctl_verb_types, ctl_verb_define, ctl_verb_undefine, ctl_verb_modify, ctl_verb_start,
	ctl_verb_stop, ctl_verb_list, ctl_verb_show, ctl_verb_schedule, ctl_verb_top, ctl_verb_events, ctl_verb_doctor, ctl_verb_attach,
	ctl_verb_reload;

/* "tranche run" by tranched's devices; its options are those of "tranche run" (cli/run_options.h). Return: the exit status. */
int ctl_run(int argc, char **argv);

#endif

/* SPDX-License-Identifier: MIT */
/* Verbs that tranche-ctl knows: this program links libc only, and becomes that one. */
#ifndef CLI_FORWARD_H
#define CLI_FORWARD_H

#include <stdbool.h>

/* Is there a socket of tranched?  Whether somebody listens is not looked at. */
bool forward_has_daemon(void);

/* argv[0]: the verb.  Returns the exit status when it could not be done, after it was said why. */
int forward_to_ctl(char **argv);

#endif

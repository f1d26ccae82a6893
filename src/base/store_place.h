/* SPDX-License-Identifier: MIT */
/* Where compiled programs are kept.  Command lines are read with it, too. */
#ifndef BASE_STORE_PLACE_H
#define BASE_STORE_PLACE_H

#include "tranche/error.h"

/*
 * The store's place by the environment: $TRANCHE_STORE, else $XDG_CACHE_HOME/tranche/programs, else
 * $HOME/.cache/tranche/programs.  NULL: there is none, or it was turned off (TRANCHE_STORE=none, or empty). malloc'ed.
 */
char *base_store_place(void);

/*
 * Makes the folder, and those above it, for this user alone.  Return: 0; -EPERM: it is another user's, or others may
 * write there; -ENOTDIR, -EACCES, -EROFS, ... as the system says.
 */
int base_store_make(const char *place);

/*
 * What was given with --store, as TRANCHE_STORE has to say it: a whole path, whose folder is made, or "none".
 * *ret_place: malloc'ed.  Return: 0 or -errno with a sentence.
 */
int base_store_choose(const char *text, char **ret_place, struct trn_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* Where compiled programs are kept.  Depends on nothing: command lines are read with it, too. */
#ifndef BASE_STORE_PLACE_H
#define BASE_STORE_PLACE_H

/*
 * The store's place by the environment: $TRANCHE_STORE, else $XDG_CACHE_HOME/tranche/programs, else
 * $HOME/.cache/tranche/programs.  NULL: there is none, or it was turned off (TRANCHE_STORE=none, or empty). malloc'ed.
 */
char *base_store_place(void);

/* What TRANCHE_STORE has to be for --store: a whole path, or none. malloc'ed; NULL: no memory, or no working folder. */
char *base_store_chosen(const char *text);

#endif

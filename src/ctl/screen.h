/* SPDX-License-Identifier: MIT */
/* The whole terminal for a while: text that is drawn over what was there, without flicker, and single keys. */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include "tranche/error.h"

enum { CTL_KEY_NONE = 0, CTL_KEY_RESIZE = -1, CTL_KEY_END = -2 }; /* END: a signal, or the terminal is gone */

struct ctl_screen;

/* Takes signals that end or stop us, too. Return: 0 or -errno. */
int ctl_screen_open(struct ctl_screen **ret, struct trn_error *err);
/* As it was before. */
void ctl_screen_close(struct ctl_screen *s);

void ctl_screen_size(int *ret_width, int *ret_height);
/* Lines that do not fit are left out; each was made for the width. */
void ctl_screen_draw(struct ctl_screen *s, const char *text, int width, int height);
/* A key, or one of the above; NONE: the time is over. */
int ctl_screen_wait(struct ctl_screen *s, double seconds);

#endif

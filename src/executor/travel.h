/* SPDX-License-Identifier: MIT */
/*
 * Headers that travel: a guest's build request brings the files that it may include, since its paths mean nothing here.  For one
 * build they lie below a folder of its own, in the session's; the build's thread works in the guest's working folder there.
 *
 * The compiler gets relative paths alone, so that what it makes of a program says nothing of where it was made: the host's
 * driver keeps programs by their preprocessed text, and finds those again that a compile helper made in another folder.
 */
#ifndef EXECUTOR_TRAVEL_H
#define EXECUTOR_TRAVEL_H

#include <limits.h>

#include "executor/build.h"

struct exec_travel {
	char root[PATH_MAX]; /* the folder that stands for the guest's "/"; "" while there is none */
	char up[PATH_MAX];   /* the way there from the working folder, spelled as nobody spells it */
	char *options;	     /* rewritten; owned */
};

/*
 * Makes the folder with the request's files, goes to its working folder, and gives the request options that find them there.
 * The calling thread has a working folder of its own. Return: 0 or -errno with a sentence; finish() in any case.
 */
int exec_travel_begin(struct exec_travel *t, struct exec_build_request *q, struct trn_error *err);
/*
 * The same for a thread that builds, and of a program of this machine: gives the thread a working folder of its own, and goes to
 * the one that the request names. Return: as above.
 */
int exec_travel_enter(bool is_guest, struct exec_build_request *q, struct exec_travel *t, struct trn_error *err);
/* Removes the folder, if one was made.  The request must not be used any more. */
void exec_travel_finish(struct exec_travel *t);

/* A log as the guest would have it from a compiler of its own. NULL: no memory. Owned by the caller. */
char *exec_travel_log(const struct exec_travel *t, const char *log);

/* --- for tests --- */

/* Is it a path that a guest may name: absolute, with no "." or ".."? */
bool exec_travel_is_path(const char *path);
/* The options, with each folder of -I as it is reached from the working folder cwd. NULL: no memory. */
char *exec_travel_options(const struct exec_travel *t, const char *options, const char *cwd);
/* Sets t->up for a working folder. */
void exec_travel_set_up(struct exec_travel *t, const char *cwd);

#endif

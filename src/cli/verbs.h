/* SPDX-License-Identifier: MIT */
/* The verbs of the command. Each gets its own argv (argv[0] is the verb) and returns the exit status. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

/* Exit statuses of the command itself (man/tranche.1). */
enum { CLI_REFUSED = 1, CLI_USAGE = 2, CLI_NOT_EXECUTABLE = 126, CLI_NOT_FOUND = 127 };

int verb_run(int argc, char **argv);
int verb_attach(int argc, char **argv);
int verb_screen(int argc, char **argv);
int verb_help(int argc, char **argv);
int verb_version(int argc, char **argv);

#endif

/* SPDX-License-Identifier: MIT */
/* Where the other programs of Tranche are. */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include <limits.h>

/*
 * The path of a program; both are named as in a build tree: "executor/tranche-executor".  If the program that runs is
 * TREE/src/OWN, it is TREE/src/WANTED, else the last part of WANTED in folder, where programs are installed.  Whether it
 * is there is not looked at.
 */
void base_program_find(const char *own, const char *wanted, const char *folder, char ret[PATH_MAX]);

#endif

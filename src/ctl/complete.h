/* SPDX-License-Identifier: MIT */
#ifndef CTL_COMPLETE_H
#define CTL_COMPLETE_H

/*
 * For the shells: the words of a command line behind "tranche", the last of which is to be completed (it may be empty).  Prints
 * candidates, a line each: the word, and behind a tab what it is.  ":files" and ":commands" stand for what a shell knows itself.
 * Return: 0.
 */
int ctl_complete(int argc, char **argv);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef CLI_STATS_H
#define CLI_STATS_H

/* Asks the device process at the other end of control, and prints what it says to stderr, under the title. */
void stats_print(const char *title, int control);

/* Where compiled programs are kept, and how much there is. @chosen: as --store has it; NULL: the environment says. */
void stats_print_store(const char *chosen);

#endif

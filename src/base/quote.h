/* SPDX-License-Identifier: MIT */
/* Text inside of other text: each function prints so that what reads it gets the very same bytes. */
#ifndef BASE_QUOTE_H
#define BASE_QUOTE_H

#include <stdio.h>

void base_quote_json(FILE *f, const char *text);  /* a JSON string, with its quotes */
void base_quote_shell(FILE *f, const char *text); /* one word of a POSIX shell */
void base_quote_xml(FILE *f, const char *text);   /* what stands between ' and ' of an attribute */

#endif

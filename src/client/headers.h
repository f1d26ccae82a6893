/* SPDX-License-Identifier: MIT */
/*
 * Which files of this machine a program's build may include, for hosts that have none of them.  What cannot be known
 * without a compiler (a name that macros make) is guessed: by what looks like a file's name, else by all headers in the
 * folders of -I.  A file too many costs a copy; one too few is the compiler's "file not found".
 */
#ifndef CLIENT_HEADERS_H
#define CLIENT_HEADERS_H

#include <limits.h>
#include <stdbool.h>

#include "client/client.h"

#define CLIENT_HEADERS_MAX 1024u
#define CLIENT_HEADERS_BYTES (16ull << 20)

/*
 * Adds them to request; cwd: the working folder, or NULL. Return: the options to build with (malloc'ed), or NULL without memory:
 * a macro whose value is a folder in which they lie is "." there, and the folder one of -I, since paths from the root are the
 * host's.
 */
char *client_headers_add(struct base_blob *request, const struct client_text_piece *texts, size_t nr, const char *options,
			 const char *cwd);

/* include_scan.c */

enum client_include_kind {
	CLIENT_INCLUDE_QUOTED, /* looked for beside the file first */
	CLIENT_INCLUDE_ANGLE,
	CLIENT_INCLUDE_MACRO, /* name: what looks like a file's name in it, or "" */
};

struct client_include {
	enum client_include_kind kind;
	char name[PATH_MAX];
};

/* The next include directive at or after *at, which is moved behind it. Return: false at the end. */
bool client_include_next(const char *text, size_t len, size_t *at, struct client_include *ret);

/* The next word of options as a shell would read it, cut at cap; *p moves on. Return: false at the end. */
bool client_option_next(const char **p, char *out, size_t cap);

/*
 * path, from folder if it is relative, as an absolute one without "." and "..", by its letters alone. Return: false when it is
 * too long or folder is NULL and needed.
 */
bool client_path_join(const char *folder, const char *path, char out[static PATH_MAX]);

#endif

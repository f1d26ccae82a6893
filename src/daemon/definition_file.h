/* SPDX-License-Identifier: MIT */
/*
 * A folder with a file for each definition, UUID.json.  What was written survives a power cut: a temporary file, fsync, rename, fsync of
 * the folder.  Whatever fails, the file that was there before is still there, whole.
 */
#ifndef DAEMON_DEFINITION_FILE_H
#define DAEMON_DEFINITION_FILE_H

#include <jansson.h>
#include <stdbool.h>

#include "tranche/error.h"

#define DAEMON_DEFINITION_MAX (64u << 10) /* bytes of one file */

/* is_new: what is there already, readable or not, is somebody's and stays (EEXIST).
 * Return: 0 or -errno (ENOSPC, EROFS, EACCES, EDQUOT ...). */
int daemon_definition_write(const char *folder, const char *uuid, json_t *what, bool is_new, struct trn_error *err);
/* -ENOENT: there was none. */
int daemon_definition_unlink(const char *folder, const char *uuid, struct trn_error *err);

/* content: NULL with err, when the file is none of ours or cannot be read. uuid: of its name; NULL with err. */
typedef void (*daemon_definition_fn)(void *data, const char *file, const char *uuid, json_t *content, const struct trn_error *err);
/* Makes the folder if it is missing.  Leftovers of a write that was cut off are removed. Return: 0 or -errno. */
int daemon_definitions_read(const char *folder, daemon_definition_fn fn, void *data, struct trn_error *err);

#endif

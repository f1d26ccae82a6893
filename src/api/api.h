/* SPDX-License-Identifier: MIT */
/*
 * A client of tranched's API: HTTP and JSON over its Unix socket.
 *
 * One handle is one kept connection, used by one thread at a time; several threads have a handle each.  Nothing is connected
 * before the first request, and a connection that broke in between is made anew.  What tranched refuses comes back as it said it: name,
 * sentence, hint and errno in struct trn_error.
 */
#ifndef API_API_H
#define API_API_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "tranche/error.h"

struct api;

/*
 * Which socket: the one given, else $TRANCHE_SOCKET, else $XDG_RUNTIME_DIR/tranche/api.sock if there is one, else
 * /run/tranche/api.sock.  Whether somebody listens is not looked at.  Return: 0 or -ENAMETOOLONG.
 */
int api_find_socket(const char *given, char ret[PATH_MAX], struct trn_error *err);

/* socket: NULL: as api_find_socket(). Return: 0, -ENAMETOOLONG, -ENOMEM. */
int api_open(const char *socket, struct api **ret, struct trn_error *err);
/* NULL is accepted. */
void api_close(struct api *a);

const char *api_socket(const struct api *a);

/*
 * While fd is readable (an eventfd, a signalfd, a pidfd; -1: none) requests end with -ECANCELED, also those that already wait: the
 * connection is closed, which tranched takes for giving up.  The descriptor stays the caller's, and is not read from.
 */
void api_set_cancel(struct api *a, int fd);

/*
 * One request; waits for the answer.  path: from "/v1" on, words in it escaped (api_path()).  body: borrowed; NULL: none.
 * *ret: a new reference; NULL when the answer has no body; ret may be NULL.  Getting takes 30 s at most, all others as long as tranched
 * needs.  err->name stays valid until api_close().
 *
 * Return: 0; -ENOENT or -ECONNREFUSED, name "NoDaemon" (nobody listens), -EACCES (also: may not open the socket), -ETIMEDOUT,
 * -ECANCELED, -EPROTO (what came was not understood), or what tranched says.
 */
int api_get(struct api *a, const char *path, json_t **ret, struct trn_error *err);
int api_post(struct api *a, const char *path, json_t *body, json_t **ret, struct trn_error *err);
int api_patch(struct api *a, const char *path, json_t *body, json_t **ret, struct trn_error *err);
int api_delete(struct api *a, const char *path, struct trn_error *err);

/* Is this the error of a request that found no tranched at all? */
bool api_is_no_daemon(const struct trn_error *err);

/*
 * A path from words: literals, and what is to be escaped, by turns, up to NULL:
 * api_path("/v1/definitions/", uuid, "/start", NULL).  Return: to be freed; NULL: no memory.
 */
char *api_path(const char *literal, ...) __attribute__((sentinel));

/* seq: 0: not told. what: borrowed. Return: 0 to go on; anything else ends api_events(), which returns it. */
typedef int (*api_event_fn)(void *data, uint64_t seq, const char *kind, json_t *what);
/*
 * Follows the stream of changes: those after since (0: from now on), until fn ends it, api_set_cancel()'s descriptor does, or tranched
 * ends.  A first call of fn with kind NULL says that the stream is open: what is got from then on is not older than it.  fn
 * must not use the same handle.  Return: fn's, or -errno (-ECONNRESET: tranched has closed the stream).
 */
int api_events(struct api *a, uint64_t since, api_event_fn fn, void *data, struct trn_error *err);

#endif

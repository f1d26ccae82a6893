/* SPDX-License-Identifier: MIT */
/*
 * The API over HTTP (openapi.json, docs/api.md): listeners, connections, requests, events, metrics and the status page.  One
 * libmicrohttpd without threads, whose epoll descriptor is nested in the event loop; what a request means is the manager's.
 */
#ifndef DAEMON_HTTP_H
#define DAEMON_HTTP_H

#include <systemd/sd-event.h>

#include "daemon/config.h"
#include "daemon/manager.h"

struct daemon_http;

/*
 * Listens, at the socket that systemd passes by the name "api" or at the one that the configuration names, and answers
 * from the next turn of the loop on.  manager: must outlive the object; config: is not kept.  SIGPIPE must be ignored.
 * Return: 0; -EADDRINUSE: somebody listens there; -EINVAL: the configuration; other -errno.
 */
int daemon_http_create(sd_event *event, struct daemon *manager, const struct daemon_config *config, struct daemon_http **ret,
		       struct trn_error *err);
/*
 * The configuration is another one: groups, the socket's mode, the limit and the TCP listener follow it; connections stay,
 * with the rights that they have now.  What cannot be done is logged and stays as it was.  The path of the socket stays.
 */
void daemon_http_reload(struct daemon_http *http, const struct daemon_config *config);
/* Closes everything, and cancels what the manager still has. NULL is accepted. */
void daemon_http_destroy(struct daemon_http *http);

/* Is it "ADDRESS:PORT" of the loopback interface? For the configuration. Return: 0 or -EINVAL. */
int daemon_http_check_listen(const char *text, struct trn_error *err);

#endif

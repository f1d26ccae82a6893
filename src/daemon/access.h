/* SPDX-License-Identifier: MIT */
/* Who is at the other end of a connection, and what it may do. */
#ifndef DAEMON_ACCESS_H
#define DAEMON_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/call.h"
#include "daemon/config.h"

/* The configuration's groups by number: names are looked up when it is read, not when somebody connects. */
struct daemon_access {
	unsigned int generation; /* counts loads, from 1 on */
	uid_t self;
	bool has_admin_group, has_use_group, others_read;
	gid_t admin_group, use_group;
};

/* A group that does not exist is nobody's, and logged. */
void daemon_access_load(struct daemon_access *a, const struct daemon_config *config);

/* Of a connected Unix socket: as it was when it connected. Return: 0 or -errno. */
int daemon_access_local(const struct daemon_access *a, int fd, struct daemon_peer *ret);
/* Of a connection by TCP: nobody is known, and everybody may read. */
void daemon_access_tcp(struct daemon_peer *ret);

/* The process that connected; the caller's descriptor.  -1: it has gone, or the kernel cannot tell. */
int daemon_access_pidfd(int fd);

/*
 * Requests by TCP come from a browser, too, that shows somebody else's page: one whose name was made to mean this machine
 * (host: the Host header), or one that asks across (origin: the Origin header).  NULL: there is none.
 */
bool daemon_access_is_our_host(const char *host);
bool daemon_access_is_our_origin(const char *origin, const char *host);

#endif

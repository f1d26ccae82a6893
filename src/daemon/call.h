/* SPDX-License-Identifier: MIT */
/*
 * One request of one client, from the API's side (http*.c) to the manager's (manager.h).  All on the thread of the event loop.
 *
 * JSON comes in and goes out; what the bytes mean is the manager's.  An answer may come at once, within the function that got
 * the call, or when the device has started or ended.
 */
#ifndef DAEMON_CALL_H
#define DAEMON_CALL_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "tranche/error.h"

/* What a client may do; each includes those before. */
enum daemon_right {
	DAEMON_NONE,
	DAEMON_READ,  /* see everything that is not a secret: there is none in here */
	DAEMON_USE,   /* start devices for itself; stop, change and undefine what it owns */
	DAEMON_ADMIN, /* everything, and for others */
};

struct daemon_peer {
	bool is_local; /* by the Unix socket: the rest is known. TCP: read only */
	uid_t uid;
	gid_t gid;
	pid_t pid;
	enum daemon_right right;
};

struct daemon_call {
	const struct daemon_peer *peer; /* stays until done or cancelled */
	int peer_pidfd; /* of the peer's process; -1: not known. The call's; dup() to keep it */

	/*
	 * Set by the API.  Exactly once, unless it was cancelled.  result: a new reference, taken over; NULL when there is nothing
	 * to say but that it was done, or when err is set. The call is invalid afterwards.
	 */
	void (*done)(struct daemon_call *call, json_t *result, const struct trn_error *err);

	/*
	 * Set by the manager while it keeps the call; NULL otherwise.  The client has gone: what can be given up without harm
	 * is given up (waiting for a busy device's users is; a start that has begun goes on). done() is not called after this.
	 */
	void (*cancel)(struct daemon_call *call);
	void *manager_data;
};

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Inside of the control server.  control_server.c: connections and the socket; control_requests.c: what is asked and
 * answered at once; control_leave.c: HOLD and STOP, of which one at a time is under way.
 */
#ifndef DEVICE_CONTROL_PRIV_H
#define DEVICE_CONTROL_PRIV_H

#include <stdbool.h>
#include <sys/un.h>
#include <systemd/sd-event.h>

#include "base/list.h"
#include "device/process.h"
#include "parents/compute/link.h"
#include "tranche/wire/control.h"

struct control_conn {
	struct base_list node;
	struct device_control_server *server;
	struct compute_link link;
	bool has_greeted; /* said HELLO: it hears of changes */
	bool is_closed;	  /* freed by the loop */
};

/* A HOLD or STOP that waits for the users of the device. */
struct control_leave {
	struct control_conn *conn; /* NULL: nobody waits for the answer any more (STOP by force) */
	uint64_t id;
	uint32_t type; /* TRNC_CONTROL_HOLD or _STOP; 0: none is under way */
	uint32_t policy;
	unsigned int nr_asked;
	sd_event_source *ask;	/* time to ask again */
	sd_event_source *limit; /* time is up */
};

struct device_control_server {
	struct device_process *process;
	int listener;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	sd_event_source *io;
	sd_event_source *gc;
	struct base_list conns;
	unsigned int nr_conns;

	bool is_confirmed;
	bool has_owner;		       /* somebody has said HELLO ... */
	const struct control_conn *owner; /* ... and that was the first; NULL: it has gone */
	sd_event_source *hello_limit;

	int uses_fd; /* signalled by the core */
	sd_event_source *uses;
	uint64_t told_ns; /* when CHANGED was sent last */
	sd_event_source *tell; /* it is to be sent then */

	struct control_leave leave;
	const struct control_conn *holder; /* whose HOLD was answered; NULL: nobody holds the device */

	struct control_conn *setter; /* whose SET is under way */
	uint64_t set_id;
	bool is_setting;
};

/* --- control_server.c --- */

void control_reply(struct control_conn *c, uint32_t type, uint64_t id, const void *body, size_t len);
void control_refuse(struct control_conn *c, uint32_t type, uint64_t id, const struct trn_error *err);
/* To all who have said HELLO, now or soon. */
void control_tell_changed(struct device_control_server *cs);

/* --- control_requests.c --- */

/* A whole packet; hostile. */
void control_handle_packet(struct control_conn *c, const void *data, size_t len);

/* --- control_leave.c --- */

void control_handle_leave(struct control_conn *c, const struct trnc_msg *m, const struct trnc_control_leave *how);
void control_handle_release(struct control_conn *c, const struct trnc_msg *m);
void control_handle_cancel(struct control_conn *c, const struct trnc_control_cancel *cancel);
/* The number of uses is another one. */
void control_leave_check(struct device_control_server *cs);
/* A connection has ended: what it held and waited for. */
void control_leave_forget(struct control_conn *c);
/* Nothing is waited for any more. */
void control_leave_end(struct device_control_server *cs);

#endif

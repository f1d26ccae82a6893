/* SPDX-License-Identifier: MIT */
/*
 * A manager on processes that do what the test says: process.h without a process.  Requests wait until the test lets them be done
 * (world_run()), as they would by the event loop.
 */
#ifndef MANAGER_WORLD_H
#define MANAGER_WORLD_H

#include <errno.h>
#include <string.h>

#include "base/list.h"
#include "daemon/manager.h"
#include "daemon/process.h"
#include "unit.h"

#define WORLD_GIB (1ull << 30)
#define WORLD_FULL (14 * WORLD_GIB) /* of parent cpu0 */
#define WORLD_ONE "{'type':'compute-1g','uuid':'10000000-2000-4000-8000-000000000001'}"

struct world_call {
	struct daemon_call call;
	struct daemon_peer peer;
	bool is_done;
	json_t *result;
	struct trn_error err;
};

struct world {
	/* how fakes behave */
	bool late_ready, fail_start, fail_confirm, late_stop, late_end, fail_set, deaf, no_hosts;
	json_t *running; /* for adoption: {UUID: record} */
	bool hello_differs;
	uint64_t peer_start; /* when who asks has started */
	uint64_t busy_ns; /* of each device, in the next accounts */

	/* what happened */
	unsigned int nr_started, nr_killed, nr_released, nr_scheduled, nr_stats, nr_quits;
	struct trnc_parent_schedule schedule;
	struct trnc_control_set last_set;
	json_t *last_record, *last_options;
	char last_type[64];
	json_t *events; /* array of [kind, what] */
	bool is_ready;

	sd_event *event;
	struct daemon_config config;
	struct daemon *d;
	struct daemon_listener *listener;
	char folder[64];
};

extern struct world w;
extern const struct daemon_peer world_admin;

void world_make(void);	  /* folders and configuration */
void world_start(void);	  /* a manager, until it is ready */
void world_stop(void);	  /* the manager goes, devices stay in w.running */
void world_destroy(void); /* all */
int world_setup(void **state);
int world_teardown(void **state);

/* Lets be done what can be done, until nothing can. */
void world_run(void);
void world_use(const char *uuid, bool in_use);
void world_silence(const char *uuid, bool is_silent);
void world_end(const char *uuid); /* its process ends by itself */
unsigned int world_nr_processes(void);
unsigned int world_nr_held(void);
/* Waits for timers and descriptors of the event loop. */
void world_wait(unsigned int ms);

struct world_call *world_call_new(enum daemon_right right, uid_t uid);
void world_call_free(struct world_call *c);
void world_cancel(struct world_call *c);
/* As an administrator; runs and gives the answer, which must have come; err: filled when it was refused. */
json_t *world_ask(void (*fn)(struct world_call *c, const void *arg, json_t *body), const void *arg, const char *body,
		  struct trn_error *err);

void world_post_device(struct world_call *c, const void *arg, json_t *body);
void world_patch_device(struct world_call *c, const void *uuid, json_t *body);
void world_delete_device(struct world_call *c, const void *uuid, json_t *query);
void world_post_definition(struct world_call *c, const void *arg, json_t *body);
void world_patch_definition(struct world_call *c, const void *uuid, json_t *body);
void world_delete_definition(struct world_call *c, const void *uuid, json_t *body);
void world_start_definition(struct world_call *c, const void *uuid, json_t *body);
void world_post_parent(struct world_call *c, const void *arg, json_t *body);
void world_delete_parent(struct world_call *c, const void *name, json_t *query);
void world_patch_schedule(struct world_call *c, const void *name, json_t *body);

/* json: single quotes for double ones. NULL: NULL. */
json_t *world_json(const char *text);
uint64_t world_left(const char *parent, const char *resource);
unsigned int world_nr_devices(void);
unsigned int world_nr_events(const char *kind);
const char *world_uuid(unsigned int n);
void world_add_one(void);      /* WORLD_ONE, the first device */
void world_assert_empty(void); /* no device, no process, all of cpu0 is left */
/* Begins without running: for races. */
struct world_call *world_begin(void (*fn)(struct world_call *c, const void *arg, json_t *body), const void *arg, const char *body);
#define assert_answered(c) assert_true((c)->is_done && !(c)->err.code)
#define assert_answer_refused(c, want_code, want_name)                       \
	do {                                                                 \
		assert_true((c)->is_done);                                   \
		assert_refused((c)->err.code, (c)->err, want_code, want_name); \
	} while (0)

#endif

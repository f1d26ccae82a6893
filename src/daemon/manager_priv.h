/* SPDX-License-Identifier: MIT */
/*
 * The manager's own view of its objects.  A file an idea; all on the event loop's thread.
 *
 * What counts (UUIDs, capacity) is the core's (tranche/mdev.h): a device has its place there from the moment on that it is
 * asked for until its process is gone.  The core's drivers do nothing; what happens happens in processes (process.h).
 *
 *   starting -> running <-> stopping -> gone
 *                  |  ^
 *              unresponsive
 *
 * Clients see a device while it is running, unresponsive or stopping.  "gone" ones wait for their process to end; they still
 * hold UUID and capacity.
 */
#ifndef DAEMON_MANAGER_PRIV_H
#define DAEMON_MANAGER_PRIV_H

#include <time.h>

#include "base/list.h"
#include "daemon/manager.h"
#include "daemon/manager_json.h"
#include "daemon/process.h"

#define DAEMON_MAX_OPTIONS 16u

struct manager_device;
struct manager_history;
struct manager_leave;
struct manager_stop;
struct manager_change;

/* A client that waits for an outcome which it may share with others. */
struct manager_waiter {
	struct base_list node;
	struct daemon_call *call;
	void (*gone)(struct manager_waiter *w); /* the client left; w was taken out of its list and is freed after it */
	void *data;
};

/* What a device is to be: the body of a POST, a definition, the record of a running one. */
struct manager_spec {
	char uuid[TRN_UUID_SIZE]; /* "": none */
	char *parent, *type;	  /* NULL: not given */
	uint64_t memory;	  /* bytes; 0: the type's */
	uint32_t time;		  /* thousandths; 0: none */
	bool has_owner;
	uid_t owner;
	char *vm;	 /* NULL: none */
	json_t *attrs;	 /* array; NULL: none */
	json_t *options; /* object of strings; NULL: none */
	bool is_auto;
	bool is_bound; /* lifetime "process" */
};

struct manager_definition {
	struct manager_spec spec;
};

struct manager_parent {
	struct base_list node; /* in daemon.parents, oldest first */
	struct daemon *d;
	struct trn_parent *core; /* a reference */
	char *name, *driver;
	bool is_compute;
	bool has_host; /* the host device is known */
	struct daemon_host_device host;
	uint32_t host_device;
	uint64_t memory; /* to be shared out */
	json_t *options; /* for each of its devices; NULL: none */
	bool is_posted;	 /* by the API: until tranched ends */
	bool is_seen;	 /* in this round of looking for parents */
	struct daemon_sharer *sharer; /* compute only */
	bool is_up;	/* its tranche-parent answers */
	bool is_down;	/* it cannot be used: there is a problem of that name */
	bool is_shown;	/* clients know it */
	bool has_news;
	pid_t pid;
	struct trnc_parent_schedule schedule;
	unsigned int nr_inside; /* creates and removes that a leave waits for */
	struct manager_leave *leave;
	double use; /* of the last second */
	uint64_t accounts_ns; /* when the accounts were read last */
	uint64_t busy_ns; /* as read last */
	struct manager_history *history;
};

/* dev: NULL with err */
typedef void (*manager_started_fn)(struct daemon *d, struct manager_device *dev, const struct trn_error *err);

enum manager_device_state { MANAGER_STARTING, MANAGER_RUNNING, MANAGER_UNRESPONSIVE, MANAGER_GONE };

struct manager_device {
	struct base_list node; /* in daemon.devices, oldest first */
	struct daemon *d;
	struct manager_parent *parent; /* stays as long as it has devices */
	struct trn_device *core;       /* a reference */
	struct daemon_process *process;
	enum manager_device_state state;
	struct manager_spec spec;
	struct timespec started; /* CLOCK_REALTIME */
	struct trnc_control_stats stats;
	struct trnc_parent_account account;
	double share;
	bool is_asked; /* for statistics */
	struct manager_history *history;
	struct manager_stop *stop;     /* under way */
	struct manager_change *change; /* under way */
	struct base_list starters; /* who waits for it to be ready */
	struct trn_error start_err;  /* why a start is being undone */
	int peer_pidfd;		     /* lifetime "process"; -1: not */
	pid_t peer_pid;
	uint64_t peer_start; /* field 22 of its /proc/PID/stat; 0: not known */
	sd_event_source *peer_source;
	bool is_peer_gone;
	manager_started_fn started_fn; /* autostart */
};

#define MANAGER_NAMES 16u

struct manager_name {
	uid_t uid;
	json_t *json; /* NULL: none */
};

struct daemon {
	sd_event *event; /* a reference */
	const struct daemon_config *config;
	struct trn_core *core;
	struct daemon_processes *processes;
	struct base_list parents, devices, problems, listeners;
	struct manager_definition **definitions; /* by UUID */
	size_t nr_definitions;

	void (*ready)(void *data);
	void *ready_data;
	bool knows_parents, is_adopting, is_adopted, is_ready; /* in this order */
	bool is_looking; /* for parents: probes are under way */
	bool look_again;
	unsigned int nr_probes;
	struct daemon_host_device *hosts; /* as last probed */
	size_t nr_hosts;
	bool has_hosts; /* a probe succeeded */
	struct daemon_driver *drivers; /* as last probed */
	size_t nr_drivers;
	struct base_list reload_waiters;
	bool is_reloading;
	struct timespec started;
	struct manager_name names[MANAGER_NAMES];
	unsigned int next_name;

	struct base_list autostarts; /* waiting to be started */
	unsigned int nr_autostarting;
	uint64_t event_seq;
	bool is_telling;
	uint64_t looked_ns; /* when somebody looked last */
	sd_event_source *sample_source, *news_source;
	uint64_t sampled_ns;
	uint64_t asked_all_ns; /* when all devices were asked whether they answer */
};

/* manager.c */
int daemon_no_memory(struct trn_error *err);
uint64_t daemon_now_ns(void); /* CLOCK_BOOTTIME */
void daemon_done(struct daemon_call *call, json_t *result, const struct trn_error *err); /* call: NULL is accepted */
void daemon_step(struct daemon *d); /* something that the start waited for is over */
/* manager_waiter.c */
int daemon_waiter_add(struct base_list *list, struct daemon_call *call, void (*gone)(struct manager_waiter *w), void *data);
void daemon_waiters_answer(struct base_list *list, json_t *result, const struct trn_error *err);
void daemon_waiter_answer(struct manager_waiter *w, json_t *result, const struct trn_error *err); /* frees it; NULL is accepted */

/* Somebody else answers. */
void daemon_waiter_forget(struct manager_waiter *w);

/* manager_problems.c: one problem a key */
void daemon_problem_set(struct daemon *d, const char *key, const struct trn_error *err, const char *file);
void daemon_problem_clear(struct daemon *d, const char *prefix);
void daemon_problem_over(struct daemon *d, const char *kind, const char *name); /* of the key KIND:NAME */
json_t *daemon_problems_json(struct daemon *d);

/* manager_rights.c */
int daemon_check_right(const struct daemon_peer *peer, enum daemon_right right, struct trn_error *err);
/* what: "device UUID", for the sentence */
int daemon_check_owner(const struct daemon_peer *peer, const struct manager_spec *spec, const char *what, struct trn_error *err);
/* A device's process has other rights than who asks for it: files where he likes are not made for him. */
int daemon_check_options(const struct daemon_peer *peer, json_t *options, struct trn_error *err);
json_t *daemon_owner_json(uid_t owner);
/* manager_names.c: the same, remembered until daemon_names_forget(); a new reference or NULL */
json_t *daemon_owner_name(struct daemon *d, uid_t owner);
void daemon_names_forget(struct daemon *d);
int daemon_owner_parse(json_t *value, uid_t *ret);
int daemon_owner_parse_text(const char *text, uid_t *ret);

/* manager_spec.c */
enum { /* which fields a body may have */
	SPEC_UUID = 1, SPEC_PLACE = 2, SPEC_START = 4, SPEC_LIFETIME = 8, SPEC_REST = 16, SPEC_LIVE = 32, SPEC_RUNNING = 64,
};
int daemon_spec_read(json_t *body, unsigned int fields, struct manager_spec *spec, struct trn_error *err);
int daemon_spec_copy(struct manager_spec *to, const struct manager_spec *from);
/* Applies its attributes to its properties. */
int daemon_spec_apply_attrs(struct manager_spec *spec, struct trn_error *err);
int daemon_attrs_apply(json_t *attrs, struct manager_spec *spec, struct trn_error *err);
json_t *daemon_spec_json(const struct manager_spec *spec); /* as a definition has it; a new reference or NULL */
void daemon_spec_clear(struct manager_spec *spec);
int daemon_uuid_parse(const char *text, char ret[TRN_UUID_SIZE], struct trn_error *err);
int daemon_uuid_choose(char uuid[TRN_UUID_SIZE], struct trn_error *err); /* a random one, if there is none */
json_t *daemon_time_json(uint32_t thousandths); /* percent, or null */

/* manager_definitions.c */
void daemon_definitions_load(struct daemon *d, bool tell);
void daemon_definitions_free(struct daemon *d);
struct manager_definition *daemon_definition_find(struct daemon *d, const char *uuid);
/* May peer have a device of that UUID?  Not when somebody else has defined it. */
int daemon_definition_check_free(struct daemon *d, const struct daemon_peer *peer, const char *uuid, struct trn_error *err);
json_t *daemon_definition_json(struct daemon *d, const struct manager_definition *def);

/* manager_parents.c */
struct manager_parent *daemon_parent_find(struct daemon *d, const char *name);
int daemon_parent_get(struct daemon *d, const char *name, struct manager_parent **ret, struct trn_error *err); /* a sentence */
int daemon_parent_check_stays(const struct manager_parent *p, struct trn_error *err);
struct manager_parent_params {
	const char *name, *driver;
	const struct daemon_host_device *host; /* NULL: not known */
	uint32_t host_device;
	uint64_t memory;
	json_t *options; /* borrowed; NULL: none */
	bool is_posted;
};
int daemon_parent_add(struct daemon *d, const struct manager_parent_params *params, struct manager_parent **ret, struct trn_error *err);
/* It has no device. */
void daemon_parent_drop(struct manager_parent *p, bool quit);
void daemon_parent_exit(struct manager_parent *p); /* nr_inside-- */
json_t *daemon_parent_json(struct manager_parent *p);
unsigned int daemon_parent_nr_devices(struct manager_parent *p);

/* manager_find.c */
void daemon_look_for_parents(struct daemon *d);
uint64_t daemon_shared_memory(uint64_t host_memory);
const struct daemon_host_device *daemon_host_at(struct daemon *d, uint32_t index);
const struct daemon_driver *daemon_driver_find(struct daemon *d, const char *name);
void daemon_find_free(struct daemon *d);

/* manager_leave.c */
void daemon_leave_step(struct manager_parent *p); /* nr_inside fell to 0, or a device has ended */

/* manager_types.c */
int daemon_types_register(struct daemon *d, const struct manager_parent_params *params, struct trn_parent **ret, struct trn_error *err);
json_t *daemon_type_json(struct trn_type *type);
json_t *daemon_type_names(struct trn_parent *parent);
json_t *daemon_resources_json(const struct trn_resources *capacity, const struct trn_resources *amounts);

/* manager_schedule.c */
void daemon_schedule_init(struct manager_parent *p);
void daemon_schedule_push(struct manager_parent *p);
json_t *daemon_schedule_json(const struct manager_parent *p);
/* manager_kept.c: what is kept for a parent in the runtime directory, for this boot. */
json_t *daemon_kept_load(struct daemon *d, const char *parent); /* a new reference; an object */
int daemon_kept_save(struct daemon *d, const char *parent, json_t *kept, struct trn_error *err);

/* manager_devices.c */
struct manager_device *daemon_device_find(struct daemon *d, const char *uuid); /* any state */
bool daemon_device_is_visible(const struct manager_device *dev);
int daemon_device_get(struct daemon *d, const char *uuid, struct manager_device **ret, struct trn_error *err); /* visible, or a sentence */
/* spec: taken over in any case. call: NULL: nobody waits.  Answers by itself. */
void daemon_device_begin(struct daemon *d, struct manager_spec *spec, struct daemon_call *call,
			 manager_started_fn fn);
struct manager_device *daemon_device_make(struct daemon *d, struct manager_spec *spec); /* spec: taken over; NULL: no memory */
/* The type that its words mean; NULL: the parent has none. */
struct trn_type *daemon_device_type(struct manager_parent *p, const struct manager_spec *spec);
int daemon_device_reserve(struct manager_device *dev, struct manager_parent *p, struct trn_error *err);
/* hello: NULL: now */
void daemon_device_set_started(struct manager_device *dev, const struct trnc_control_hello *hello);
json_t *daemon_device_record(const struct manager_device *dev);
/* Out of all lists, UUID and capacity given back. */
void daemon_device_free(struct manager_device *dev);
void daemon_device_watch_peer(struct manager_device *dev);
extern const struct daemon_process_events daemon_device_events;
/* manager_device_json.c */
json_t *daemon_device_json(struct manager_device *dev);
json_t *daemon_device_json_removed(const struct manager_device *dev, const struct trn_error *why);
bool daemon_device_is_in_use(const struct manager_device *dev);
json_t *daemon_instant_json(const struct timespec *t);

/* manager_stop.c */
int daemon_leave_parse(json_t *query, struct trnc_control_leave *ret, struct trn_error *err);
/* call: NULL: nobody waits */
void daemon_device_stop(struct manager_device *dev, const struct trnc_control_leave *how, struct daemon_call *call);
void daemon_stop_overtake(struct manager_device *dev); /* its parent leaves: who waits for users hears ENODEV */
void daemon_stop_ended(struct manager_device *dev);    /* its process is gone */

/* manager_silent.c */
void daemon_device_silent(void *data); /* of struct daemon_process_events */
void daemon_device_answers(void *data);
void daemon_device_name_silent(struct manager_device *dev);
void daemon_device_check_answers(struct manager_device *dev); /* it is told of when it does not */
/* manager_news.c */
void daemon_parent_note(struct manager_parent *p); /* what is left of it is another amount, or is about to be */
void daemon_definition_note(struct daemon *d, const char *uuid); /* if there is one: it runs, or does not any more */
void daemon_device_note_defined(struct daemon *d, const char *uuid); /* if there is one: it is defined, or not any more */

/* manager_adopt.c */
void daemon_adopt(struct daemon *d);
/* manager_autostart.c */
void daemon_autostart(struct daemon *d); /* of all parents that were not served this boot */
bool daemon_autostart_is_over(const struct daemon *d);
void daemon_autostart_free(struct daemon *d);

/* manager_events.c: what: taken over; NULL: no memory, and nothing is told but that it was */
void daemon_tell(struct daemon *d, const char *kind, json_t *what);
/* manager_history.c */
void daemon_looked(struct daemon *d);
void daemon_history_wake(struct daemon *d); /* a device runs, or is used */
void daemon_history_free(struct manager_history *h);
void daemon_history_account(struct manager_parent *p); /* one of its devices has gone: what all have used is read once more */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Processes of tranched: those of devices (tranche-device) and of parents (tranche-parent), which outlive it.  Started by hand
 * they are detached, in a session of their own; under systemd they are instances of tranche-device@.service and
 * tranche-parent@.service.  Either way what is started finds its arguments in a file, and is found again by its control socket:
 *
 *   RUNTIME/devices/UUID/       mode 0700
 *      start                    arguments of tranche-device, one a line
 *      record.json              the manager's own: what it wants to know of the device when it comes back
 *      lock                     held (flock) by the device process as long as it lives
 *      control.sock             include/tranche/wire/control.h
 *      ended                    written by the device process: why it ended, one line of JSON
 *   RUNTIME/UUID.sock           the device's face
 *   RUNTIME/parents/NAME/       start, lock, parent.sock (include/tranche/wire/parent.h)
 *
 * A device process is known by the handshake over its socket: UUID, boot id, the time at which it started, and a pidfd of who is
 * at the other end; never by a number alone.
 */
#ifndef DAEMON_PROCESS_H
#define DAEMON_PROCESS_H

#include <jansson.h>
#include <systemd/sd-event.h>

#include "daemon/config.h"
#include "tranche/mdev.h"
#include "tranche/wire/control.h"
#include "tranche/wire/parent.h"

struct daemon_processes; /* all of them */
struct daemon_process;	 /* of one device */
struct daemon_sharer;	 /* tranche-parent of one parent */

/* ------------------------------------------------------------ devices */

/* What a device process tells of itself.  All calls come from the event loop, never from within a function of this header. */
struct daemon_process_events {
	/* The first word: it is ready, and not confirmed yet. */
	void (*ready)(void *data, const struct trnc_control_hello *hello);
	/* It never became ready: nothing of it is left. process is invalid afterwards. */
	void (*failed)(void *data, const struct trn_error *err);
	/* Something that is answered at once was not, for 5 s.  It was ready before. */
	void (*unresponsive)(void *data);
	/* It answers again. */
	void (*answers)(void *data);
	/* The number of uses is another one. */
	void (*changed)(void *data, const struct trnc_control_stats *stats);
	/* It has ended, by itself or because it was told to; nothing of it is left.  why: from its "ended" file, or what the
	 * kernel says; its code is 0 when it was told to. process is invalid afterwards. */
	void (*ended)(void *data, const struct trn_error *why);
};

struct daemon_process_params {
	const char *uuid;
	const char *driver;	/* "compute", "mtty" */
	const char *parent;	/* our name of the parent: where its tranche-parent listens; compute only */
	const char *type;	/* of the driver */
	uint32_t host_device;
	uint64_t memory;	/* bytes; 0: the type's */
	uint32_t time;		/* thousandths; 0: none */
	uid_t owner;		/* who may connect, besides root and the process's own user */
	json_t *options;	/* object of strings: -o KEY=VALUE; borrowed; NULL: none */
	json_t *record;		/* borrowed; written to record.json */
};

int daemon_processes_create(sd_event *event, const struct daemon_config *config, struct daemon_processes **ret,
			    struct trn_error *err);
/* Lets all go on. */
void daemon_processes_destroy(struct daemon_processes *ps);

/* Begins to start one: ready() or failed() tells of it. *ret: valid until failed() or ended().
 * Return: 0 or -errno, and nothing is left. */
int daemon_process_start(struct daemon_processes *ps, const struct daemon_process_params *params,
			 const struct daemon_process_events *events, void *data, struct daemon_process **ret,
			 struct trn_error *err);

/*
 * Looks for running devices in RUNTIME/devices.  found() is called for each that has answered and is confirmed: it gives data and
 * events for it in *ret_..., or refuses it (-errno: it is ended, by force).  Those that are not confirmed, folders without a
 * process and those whose process is not what its record says are cleaned up.  One that is alive and does not answer within 5 s is
 * told of with hello NULL; when it answers after all, ready() tells of it (its flags say CONFIRMED).  over() is called when all
 * were looked at and what was to be ended is gone, so that its UUIDs can be used.
 */
typedef int (*daemon_found_fn)(void *manager, struct daemon_process *process, const char *uuid, json_t *record,
			       const struct trnc_control_hello *hello, const struct daemon_process_events **ret_events, void **ret_data);
int daemon_processes_adopt(struct daemon_processes *ps, daemon_found_fn found, void (*over)(void *manager), void *manager,
			   struct trn_error *err);

/* A request's answer; err: NULL: it was done. Exactly once, also when the process ends meanwhile (-ENODEV). */
typedef void (*daemon_process_done)(void *data, const struct trn_error *err);
struct daemon_process_request;

/* *ret_request, for cancel: valid until done; may be NULL.  Requests that are answered at once, all but hold and stop, fail with -ETIMEDOUT
 * after 5 s.  Return: 0, or -errno and done is not called: -ENOTCONN (no connection, at the moment), -EAGAIN (64 of them wait). */
int daemon_process_confirm(struct daemon_process *p, daemon_process_done done, void *data);
int daemon_process_hold(struct daemon_process *p, const struct trnc_control_leave *how, daemon_process_done done, void *data,
			struct daemon_process_request **ret_request);
int daemon_process_release(struct daemon_process *p, daemon_process_done done, void *data);
/* done: the device is gone for everybody; ended() follows when its process is. */
int daemon_process_stop(struct daemon_process *p, const struct trnc_control_leave *how, daemon_process_done done, void *data,
			struct daemon_process_request **ret_request);
/* It is answered with -ECANCELED, unless it was too late. */
void daemon_process_cancel(struct daemon_process_request *r);
int daemon_process_set(struct daemon_process *p, const struct trnc_control_set *set, daemon_process_done done, void *data);
/* New contents of record.json: written and renamed; not synced, it ends with the machine's run. */
int daemon_process_set_record(struct daemon_process *p, json_t *record, struct trn_error *err);
/* Statistics; stats is NULL when err is set. */
typedef void (*daemon_process_stats_done)(void *data, const struct trnc_control_stats *stats, const struct trn_error *err);
int daemon_process_stats(struct daemon_process *p, daemon_process_stats_done done, void *data);
typedef void (*daemon_process_holders_done)(void *data, json_t *names, unsigned int total, const struct trn_error *err);
int daemon_process_holders(struct daemon_process *p, daemon_process_holders_done done, void *data);
/* Field 22 of /proc/PID/stat: with it a number that is used again is not taken for the same process. Return: 0 or -errno. */
int daemon_process_read_start(pid_t pid, uint64_t *ret);
/* Its process; 0: not known yet. */
pid_t daemon_process_pid(const struct daemon_process *p);
/* SIGKILL, for one that does not answer a STOP by force. */
void daemon_process_kill(struct daemon_process *p);
/* Where clients connect. */
const char *daemon_process_socket(const struct daemon_process *p);

/* ------------------------------------------------------------ parents */

struct daemon_sharer_events {
	/* It answers (again): schedule it. */
	void (*up)(void *data, const struct trnc_parent_info *info);
	/* It is gone; it is started again after a pause as long as it is wanted. */
	void (*down)(void *data, const struct trn_error *why);
};

/* The tranche-parent of a compute parent: the running one is taken over, else one is started.  Return: 0 or -errno. */
int daemon_sharer_open(struct daemon_processes *ps, const char *name, uint32_t host_device, uint64_t memory,
		       const struct daemon_sharer_events *events, void *data, struct daemon_sharer **ret, struct trn_error *err);
/* It shall end if no device has joined, else it goes on without us.  is_gone: the parent is no more, so its folder goes, too. */
void daemon_sharer_close(struct daemon_sharer *s, bool is_gone);
typedef void (*daemon_sharer_done)(void *data, const struct trnc_parent_info *info, const struct trn_error *err);
int daemon_sharer_schedule(struct daemon_sharer *s, const struct trnc_parent_schedule *schedule, daemon_sharer_done done, void *data);
typedef void (*daemon_accounts_done)(void *data, const struct trnc_parent_accounts *head, const struct trnc_parent_account *accounts,
				     const struct trn_error *err);
int daemon_sharer_accounts(struct daemon_sharer *s, daemon_accounts_done done, void *data);

/* ------------------------------------------------- what the host has */

/* One host OpenCL device, as "tranche-executor --devices" prints it (a short-lived process). */
struct daemon_host_device {
	uint32_t index;
	char kind[16];	   /* "cpu", "gpu", "accel", "custom" */
	char name[128], vendor[128], driver[64], version[128], platform[128];
	uint64_t memory;   /* bytes */
	uint32_t units;
};
/* And one parent driver, as "tranche-device --list --json" prints it. */
struct daemon_driver_type {
	char name[64], pretty_name[128], description[256], device_api[32];
	struct trn_resources cost;
	uint32_t adjustable; /* as struct trn_type_desc */
};
struct daemon_driver {
	char name[32];
	struct trn_resources capacity;
	struct daemon_driver_type *types;
	size_t nr_types;
	json_t *keys; /* array of {name, values, help} */
};

/* done is called once; the arrays are freed after it. A driver that hangs is ended after 20 s. */
typedef void (*daemon_probe_done)(void *data, const struct daemon_host_device *devices, size_t nr, const struct trn_error *err);
int daemon_probe_opencl(struct daemon_processes *ps, daemon_probe_done done, void *data, struct trn_error *err);
typedef void (*daemon_drivers_done)(void *data, const struct daemon_driver *drivers, size_t nr, const struct trn_error *err);
int daemon_probe_drivers(struct daemon_processes *ps, daemon_drivers_done done, void *data, struct trn_error *err);

#endif

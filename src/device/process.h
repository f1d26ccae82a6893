/* SPDX-License-Identifier: MIT */
/*
 * What all of the process shares: one device of one parent, and the service that gives it to clients.
 *
 * main.c brings the parts up in the order of the fields, and takes them down backwards.
 */
#ifndef DEVICE_PROCESS_H
#define DEVICE_PROCESS_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "device/options.h"
#include "device/parents.h"
#include "tranche/mdev.h"
#include "tranche/wire/control.h"

struct device_service;
struct device_control_server;

struct device_process {
	/* Known from the start. */
	int lock; /* descriptor of options.lock; -1: none */
	char boot_id[40];
	uint64_t start_ticks; /* field 22 of /proc/self/stat */
	uint64_t started_ns;  /* CLOCK_BOOTTIME */
	struct trn_error why; /* of the end; the first reason counts, code 0: none that is wrong */
	int reserve; /* a descriptor to give up when no other is left */
	bool is_stopping;
	bool has_limit; /* a thread ends us in a while, whoever does not let go */

	struct device_options options;
	const struct device_driver *driver;
	const struct device_service *service; /* the type's */
	int listener; /* -1: none, or the service has taken it over */
	bool owns_socket; /* the file at options.socket_path is ours: a failed start must not remove what was there */
	sd_event *event;
	struct trn_core *core;
	void *config; /* of the driver: what its parent looks at; see free_config */
	struct trn_parent *parent;
	struct trn_device *dev;
	void *service_data; /* the service's own; NULL until it is prepared */
	struct device_control_server *control; /* NULL: none */
};

/* What a process can say of itself before there is a device. */
void device_process_identify(struct device_process *p);

/* end.c: the reason for which the process ends. Only the first one counts. */
void device_process_set_why(struct device_process *p, int code, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Begins to end: clients are told, the loop ends when they are gone. */
void device_process_stop(struct device_process *p);
/* The end may take some seconds from now on; then the process ends without its clients. */
void device_process_limit_end(struct device_process *p);
/* The file of the device's socket, if it is ours. */
void device_process_remove_socket(struct device_process *p);
/* Takes one connection off a queue and closes it, when there is no descriptor for it. */
void device_process_turn_one_away(struct device_process *p, int listener);
/* For the control socket. */
void device_process_get_stats(const struct device_process *p, struct trnc_control_stats *ret);

/* Makes event loop and core, and registers the driver's parent.  Also after a failure: device_process_unregister(). */
int device_process_register(struct device_process *p, struct trn_error *err);
void device_process_unregister(struct device_process *p);

/* The types that this build can serve one by one, from 0 on; NULL behind the last. */
struct trn_type *device_process_type_at(const struct device_process *p, size_t index);
/* The type that the command line names, or NULL and a sentence. */
struct trn_type *device_process_find_type(const struct device_process *p, struct trn_error *err);
/* How that type is served, as far as its name tells; before there is a parent. 0 or -ENOENT. */
int device_process_choose_service(struct device_process *p, struct trn_error *err);

/* list.c: prints drivers, types and options. */
int device_list(struct trn_error *err);
/* list_json.c: the same for programs. */
int device_list_json(struct trn_error *err);

typedef void (*device_set_done)(void *data, const struct trn_error *err);

/*
 * How devices of one kind are served.  All calls but let_stay are mandatory; they run on the thread of the event loop.  All
 * signals are blocked until the device is there, so that threads which are made for it hear of none.
 */
struct device_service {
	/* Is all there that the service needs of the command line, and nothing that it does not know?  0 or -EINVAL. */
	int (*check)(const struct device_options *o, struct trn_error *err);
	/* Makes the socket file at path. Return: fd or -errno. */
	int (*listen)(const char *path, struct trn_error *err);
	/* First of all: the process's own settings, and what the command line left open. */
	int (*prepare)(struct device_process *p, struct trn_error *err);
	/* The device is there and the listener listens: from now on clients are let in. */
	int (*start)(struct device_process *p, struct trn_error *err);
	/* A signal: ends the event loop, at once or when clients were told. */
	void (*stop)(struct device_process *p);
	/* Disconnects all who use the device; they have let go when it has no uses any more. */
	void (*force)(struct device_process *p);
	/* Those who were asked to leave may stay.  NULL: nobody need be told. */
	void (*let_stay)(const struct device_process *p);
	/* Gives the device other amounts of what it has taken, all or nothing; done is called once, perhaps before this returns;
	 * err: NULL: so it is. */
	void (*set)(struct device_process *p, const struct trn_resources *want, device_set_done done, void *data);
	/* Fills in what the service knows; the rest is there already. */
	void (*get_stats)(const struct device_process *p, struct trnc_control_stats *ret);
	/* Nobody is served any more; the device goes next.  Called for every process that was prepared. */
	void (*end)(struct device_process *p);
	/* Last of all. */
	void (*finish)(struct device_process *p);
};

extern const struct device_service device_service_compute;
extern const struct device_service device_service_compute_pci;
extern const struct device_service device_service_pci;

#endif

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

struct device_service;

struct device_process {
	struct device_options options;
	const struct device_driver *driver;
	const struct device_service *service; /* the driver's */
	int listener; /* -1: none, or the service has taken it over */
	bool owns_socket; /* the file at options.socket_path is ours: a failed start must not remove what was there */
	sd_event *event;
	struct trn_core *core;
	void *config; /* of the driver: what its parent looks at; see free_config */
	struct trn_parent *parent;
	struct trn_device *dev;
	void *service_data; /* the service's own; NULL until it is prepared */
};

/* Makes event loop and core, and registers the driver's parent.  Also after a failure: device_process_unregister(). */
int device_process_register(struct device_process *p, struct trn_error *err);
void device_process_unregister(struct device_process *p);

/* The type that the command line names, or NULL and a sentence. */
struct trn_type *device_process_find_type(const struct device_process *p, struct trn_error *err);

/* list.c: prints drivers, types and options. */
int device_list(struct trn_error *err);

/*
 * How devices of one kind are served.  All calls are mandatory and run on the thread of the event loop.  All signals are blocked
 * until the device is there, so that threads which are made for it hear of none.
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
	/* Nobody is served any more; the device goes next.  Called for every process that was prepared. */
	void (*end)(struct device_process *p);
	/* Last of all. */
	void (*finish)(struct device_process *p);
};

extern const struct device_service device_service_compute;
extern const struct device_service device_service_pci;

#endif

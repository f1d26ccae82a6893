/* SPDX-License-Identifier: MIT */
/* The parent drivers that this program can serve: the only files that name them are parents.c and parents_*.c. */
#ifndef DEVICE_PARENTS_H
#define DEVICE_PARENTS_H

#include <stddef.h>

#include "tranche/error.h"

struct device_process;
struct device_service;

/* What -o sets. */
struct device_key {
	const char *name;
	const char *values; /* for people: "loop|pty" */
	const char *help;
};

/* A type of a driver that is served in another way than the driver's other ones. */
struct device_face {
	const char *type; /* with the driver's name */
	const struct device_service *service; /* NULL: this build has none for it */
};

struct device_driver {
	const char *name;
	const struct device_service *service; /* of all types without a face */
	const struct device_face *faces; /* ends with one without type; NULL: none */
	const struct device_key *keys; /* ends with one without name; NULL: none */
	/* Makes p->parent out of p->options. */
	int (*register_parent)(struct device_process *p, struct trn_error *err);
	/* Tells the person at the terminal what they must know of the device that is there now.  NULL: nothing. */
	void (*announce)(const struct device_process *p);
	/* Frees p->config when the parent is gone.  NULL: free(). */
	void (*free_config)(void *config);
};

/* The drivers one by one, from 0 on; NULL behind the last. */
const struct device_driver *device_driver_at(size_t index);
/* The driver of that name, or NULL and a sentence that lists those that there are. */
const struct device_driver *device_driver_find(const char *name, struct trn_error *err);
/* How devices of that type are served; NULL: this build cannot. */
const struct device_service *device_driver_service(const struct device_driver *driver, const char *type);
/* Is each -o one of the driver's?  0 or -EINVAL. */
int device_driver_check_keys(const struct device_process *p, struct trn_error *err);
/* The value of an -o, or NULL. */
const char *device_key_value(const struct device_process *p, const char *name);

/* compute.c */
int device_compute_register(struct device_process *p, struct trn_error *err);

/* parents_NAME.c */
extern const struct device_driver device_driver_mtty;
extern const struct device_driver device_driver_bochs;
extern const struct device_driver device_driver_info;
extern const struct device_driver device_driver_asked;

/* parents_mtty.c, for variants of the serial card: p->config becomes a struct mtty_config. */
int device_mtty_configure(struct device_process *p, struct trn_error *err);
void device_mtty_announce(const struct device_process *p);
extern const struct device_key device_mtty_keys[];

#endif

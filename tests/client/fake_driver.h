/* SPDX-License-Identifier: MIT */
/*
 * A guest's driver as functions of the test: the calls of struct client_accel_calls, over a memfd that stands for the aperture,
 * with the host of fake_host.c behind it.  WAIT looks again and again, by the rules of uapi/drm/tranche_accel.h.
 */
#ifndef FAKE_DRIVER_H
#define FAKE_DRIVER_H

#include <drm/tranche_accel.h>

#include "client/accel.h"
#include "fake_device.h"

#define FAKE_HANDLES 256

struct fake_driver {
	struct fake fake; /* the host's side: hold_commands, fake_release() by its own functions */

	/* what it says; set before a session */
	const char *name;
	uint32_t version;
	uint64_t window_granted; /* 0: as large as offered */
	int open_error, session_error;

	/* how it behaves; any time */
	_Atomic bool is_lost, is_gone, keep_destroyed;
	_Atomic int build_error;

	/* what it saw */
	_Atomic uint64_t nr_calls, nr_waits, nr_wakes, nr_doorbells, nr_destroyed;
	_Atomic uint32_t nr_asleep; /* threads in WAIT */
	_Atomic uint32_t flags;	    /* of SESSION_CREATE */
	_Atomic uint64_t window_base;

	/* private */
	int memfd;
	uint8_t *mem;
	uint64_t next; /* bytes of memfd in use */
	struct fake_object {
		uint64_t offset, size;
		uint32_t kind, flags;
	} objects[FAKE_HANDLES]; /* by handle; size 0: none */
	uint64_t used[2];
};

/* Is what the device of the test (fake_driver_device()) speaks to. */
struct fake_driver *fake_driver_start(void);
void fake_driver_stop(struct fake_driver *f); /* asserts that there was no failure */

struct client_device *fake_driver_device(void);
struct client_context *fake_driver_context(void); /* of a new session; its only reference */

/* The session ends as the driver ends one: its channels read as zero. */
void fake_driver_lose(struct fake_driver *f);
void fake_driver_print(struct fake_driver *f, const char *text);
/* As fake_release(). */
size_t fake_driver_release(struct fake_driver *f, size_t max);

#endif

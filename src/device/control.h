/* SPDX-License-Identifier: MIT */
/* The socket to "tranche run" (tranche/wire/run.h). */
#ifndef DEVICE_CONTROL_H
#define DEVICE_CONTROL_H

#include <systemd/sd-event.h>

#include "tranche/mdev.h"

struct device_control {
	struct trn_device *dev;
	int fd;
	sd_event_source *io;
	sd_event_source *limit; /* statistics were asked for; they are sent when this runs out, or when the device is idle */
	void (*stop)(void *data);   /* asked to end everything */
	void (*orphan)(void *data); /* the command is gone and asked for nothing */
	void *data;
};

/* Begins to listen; takes fd over. dev, stop, orphan and data are filled in. Return: 0 or -errno. */
int device_control_open(struct device_control *c, sd_event *event, int fd);
/* Nothing is left of any session: what they used is known. */
void device_control_idle(struct device_control *c);
/* May be called twice, and without open if fd is -1. */
void device_control_close(struct device_control *c);

#endif

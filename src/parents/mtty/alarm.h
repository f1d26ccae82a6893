/* SPDX-License-Identifier: MIT */
/*
 * Wakes the loop at a time that any thread may bring forward: sd-event belongs to one thread, a timerfd does not.
 * Nothing is armed while nothing is to be done.
 */
#ifndef PARENTS_MTTY_ALARM_H
#define PARENTS_MTTY_ALARM_H

#include <stdint.h>
#include <systemd/sd-event.h>

#define ALARM_NEVER UINT64_MAX

struct mtty_alarm {
	int fd;
	uint64_t at_ns; /* of mtty_alarm_now() */
	sd_event_source *source;
	void (*ring)(void *data);
	void *data;
};

/* ring is called by the loop, and calls mtty_alarm_take(). Return: 0 or -errno. */
int mtty_alarm_init(struct mtty_alarm *alarm, sd_event *event, void (*ring)(void *data), void *data);
/* Also of a struct of zeroes. */
void mtty_alarm_finish(struct mtty_alarm *alarm);

uint64_t mtty_alarm_now(void);

/* Rings at that time at the latest; with the lock that protects the struct. */
void mtty_alarm_set(struct mtty_alarm *alarm, uint64_t at_ns);
/* It has rung: it is not set any more; with the lock. */
void mtty_alarm_take(struct mtty_alarm *alarm);

#endif

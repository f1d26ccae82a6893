/* SPDX-License-Identifier: MIT */
#include "parents/mtty/alarm.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define NS_PER_S 1000000000ull

static int handle_ring(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct mtty_alarm *alarm = data;

	alarm->ring(alarm->data);
	return 0;
}

int mtty_alarm_init(struct mtty_alarm *alarm, sd_event *event, void (*ring)(void *data), void *data)
{
	int r;

	*alarm = (struct mtty_alarm){ .at_ns = ALARM_NEVER, .ring = ring, .data = data };
	alarm->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (alarm->fd < 0)
		return -errno;
	r = sd_event_add_io(event, &alarm->source, alarm->fd, EPOLLIN, handle_ring, alarm);
	if (r < 0)
		base_close(alarm->fd);
	return r;
}

void mtty_alarm_finish(struct mtty_alarm *alarm)
{
	if (!alarm->source)
		return;
	sd_event_source_disable_unref(alarm->source);
	base_close(alarm->fd);
	*alarm = (struct mtty_alarm){ 0 };
}

uint64_t mtty_alarm_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void mtty_alarm_set(struct mtty_alarm *alarm, uint64_t at_ns)
{
	struct itimerspec when = {
		.it_value = { .tv_sec = (time_t)(at_ns / NS_PER_S), .tv_nsec = (long)(at_ns % NS_PER_S) },
	};

	if (at_ns >= alarm->at_ns)
		return;
	alarm->at_ns = at_ns;
	(void)timerfd_settime(alarm->fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void mtty_alarm_take(struct mtty_alarm *alarm)
{
	uint64_t times;

	alarm->at_ns = ALARM_NEVER;
	(void)!read(alarm->fd, &times, sizeof(times));
}

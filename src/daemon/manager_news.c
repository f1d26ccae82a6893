/* SPDX-License-Identifier: MIT */
/*
 * What changes because something else does: what is left of a parent with each device that comes, goes or changes, whether a
 * definition runs.  Parents are told of at most ten times a second, and always of how it is in the end.
 */
#include "daemon/manager_priv.h"

#define PAUSE_US 100000u

static int tell_parents(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon *d = data;
	struct manager_parent *p;

	base_list_for_each(p, &d->parents, node) {
		if (!p->has_news)
			continue;
		p->has_news = false;
		daemon_tell(d, "parent-changed", daemon_parent_json(p));
	}
	return 0;
}

void daemon_parent_note(struct manager_parent *p)
{
	struct daemon *d = p->d;
	int is_on = SD_EVENT_OFF;
	uint64_t now;

	if (!p->is_shown)
		return;
	p->has_news = true;
	if (d->news_source)
		(void)sd_event_source_get_enabled(d->news_source, &is_on);
	if (is_on != SD_EVENT_OFF || sd_event_now(d->event, CLOCK_MONOTONIC, &now) < 0)
		return;
	if (!d->news_source) {
		(void)sd_event_add_time(d->event, &d->news_source, CLOCK_MONOTONIC, now + PAUSE_US, PAUSE_US / 4, tell_parents, d);
		return;
	}
	(void)sd_event_source_set_time(d->news_source, now + PAUSE_US);
	(void)sd_event_source_set_enabled(d->news_source, SD_EVENT_ONESHOT);
}

void daemon_definition_note(struct daemon *d, const char *uuid)
{
	const struct manager_definition *def = daemon_definition_find(d, uuid);

	if (def)
		daemon_tell(d, "definition-changed", daemon_definition_json(d, def));
}

void daemon_device_note_defined(struct daemon *d, const char *uuid)
{
	struct manager_device *dev = daemon_device_find(d, uuid);

	if (dev && daemon_device_is_visible(dev))
		daemon_tell(d, "device-changed", daemon_device_json(dev));
}

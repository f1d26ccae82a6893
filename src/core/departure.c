/* SPDX-License-Identifier: MIT */
/*
 * Departures: removing one device, and unregistering a parent with all its devices.
 *
 * Both are one procedure: mark the devices as leaving, wait until none is used (asking the holders from time to
 * time), then make all of them gone at once; or put everything back.  The wait must be interruptible by a
 * descriptor as well as by what happens here, so it sleeps in poll(2), on an eventfd instead of a condition
 * variable.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/futex.h"
#include "core/core_priv.h"

#define NS_PER_MS 1000000ull
#define NEVER UINT64_MAX

struct core_departure {
	struct trn_parent *parent;
	struct trn_remove_params how; /* copied */
	int wake_fd; /* eventfd; owned; -1 when the departure never sleeps */
	uint64_t start_ns;
	uint64_t deadline_ns;
	uint64_t next_ask_ns;
	unsigned int round; /* of asking, from 1 on */
	bool overtaken; /* [lock] the parent leaves and takes the device over */
};

static int departure_init(struct core_departure *d, struct trn_parent *parent, const struct trn_remove_params *how,
			  bool may_sleep, struct trn_error *err)
{
	*d = (struct core_departure){ .parent = parent, .wake_fd = -1 };
	if (how)
		d->how = *how;
	if (d->how.policy != TRN_REMOVE_REFUSE && d->how.policy != TRN_REMOVE_ASK)
		return core_refuse(err, -EINVAL, "BadPolicy", "use TRN_REMOVE_REFUSE or TRN_REMOVE_ASK",
				   "unknown policy of removal %d", (int)d->how.policy);
	if (may_sleep)
		d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (may_sleep && d->wake_fd < 0)
		return core_refuse(err, -errno, "NoDescriptor", "raise the limit of open files (ulimit -n)",
				   "no descriptor to wait with: %s", strerror(errno));
	d->start_ns = base_clock_ns();
	d->next_ask_ns = d->start_ns;
	d->deadline_ns = NEVER;
	if (d->how.policy == TRN_REMOVE_ASK && d->how.timeout_ms >= 0)
		d->deadline_ns = d->start_ns + (uint64_t)d->how.timeout_ms * NS_PER_MS;
	if (d->how.ask_every_ms <= 0)
		d->how.ask_every_ms = 1000;
	return 0;
}

static void departure_finish(struct core_departure *d)
{
	d->wake_fd = base_close(d->wake_fd);
}

void core_departure_wake(struct core_departure *d)
{
	/* Fails only when the counter is full, and then the sleeper wakes up anyway. */
	if (d && d->wake_fd >= 0)
		(void)eventfd_write(d->wake_fd, 1);
}

void core_parent_exit_locked(struct trn_parent *parent)
{
	if (--parent->nr_inside == 0)
		core_departure_wake(parent->departure);
}

/* Sleeps without the lock until woken or until_ns. Return: 0 (look again), -ETIMEDOUT, -ECANCELED. */
static int sleep_locked(struct core_departure *d, uint64_t until_ns)
{
	struct pollfd fds[2] = {
		{ .fd = d->wake_fd, .events = POLLIN },
		{ .fd = d->how.cancel_fd > 0 ? d->how.cancel_fd : -1, .events = POLLIN },
	};
	struct trn_core *core = d->parent->core;
	uint64_t now = base_clock_ns();
	struct timespec ts;
	eventfd_t drained;
	int r;

	if (until_ns > d->deadline_ns)
		until_ns = d->deadline_ns;
	if (until_ns != NEVER) {
		uint64_t left = until_ns > now ? until_ns - now : 0;

		ts.tv_sec = (time_t)(left / (1000 * NS_PER_MS));
		ts.tv_nsec = (long)(left % (1000 * NS_PER_MS));
	}
	pthread_mutex_unlock(&core->lock);
	r = ppoll(fds, 2, until_ns != NEVER ? &ts : NULL, NULL);
	(void)eventfd_read(d->wake_fd, &drained);
	pthread_mutex_lock(&core->lock);
	if (r > 0 && fds[1].revents)
		return -ECANCELED;
	return base_clock_ns() >= d->deadline_ns ? -ETIMEDOUT : 0;
}

/* One of the departing devices that is in use, or NULL; with unasked, one that this round has not asked. */
static struct trn_device *busy_locked(const struct core_departure *d, bool unasked)
{
	struct trn_device *dev;

	base_list_for_each(dev, &d->parent->devices, sibling)
		if (dev->departure == d && dev->nr_uses && !(unasked && dev->ask_round == d->round))
			return dev;
	return NULL;
}

int core_refuse_busy_locked(const struct trn_device *dev, int code, const char *how, struct trn_error *err)
{
	const struct trn_use *use = base_container_of(dev->uses.next, struct trn_use, node);

	const char *hint = code == -EBUSY ? "end what uses it, or ask its users to leave and wait" :
					    "end what uses it, or wait longer";

	if (dev->nr_uses > 1)
		return core_refuse(err, code, "InUse", hint, "device %s is %s by %s and %u more", dev->uuid, how,
				   use->holder, dev->nr_uses - 1);
	return core_refuse(err, code, "InUse", hint, "device %s is %s by %s", dev->uuid, how, use->holder);
}

/* Asks the holders of all departing devices once. The devices stay: only the departure makes them gone. */
static void ask_holders_locked(struct core_departure *d)
{
	struct trn_device *dev;
	int nr_asked = 0;

	d->round++;
	while ((dev = busy_locked(d, true))) {
		dev->ask_round = d->round;
		pthread_mutex_unlock(&d->parent->core->lock);
		nr_asked += trn_device_ask_holders(dev, d->round - 1);
		pthread_mutex_lock(&d->parent->core->lock);
	}
	/* Who cannot be asked now will not be able to be asked later. */
	d->next_ask_ns = nr_asked ? base_clock_ns() + (uint64_t)d->how.ask_every_ms * NS_PER_MS : NEVER;
}

static int wait_unused_locked(struct core_departure *d, struct trn_error *err)
{
	struct trn_device *dev;
	int r = 0;

	while ((dev = busy_locked(d, false))) {
		if (d->how.policy == TRN_REMOVE_REFUSE)
			return core_refuse_busy_locked(dev, -EBUSY, "in use", err);
		if (d->overtaken)
			return core_refuse(err, -ENODEV, "ParentLeaving",
					   "choose another parent, or try again when it is back",
					   "parent %s is leaving", d->parent->name);
		if (r == -ETIMEDOUT)
			return core_refuse_busy_locked(dev, r, "still in use", err);
		if (r < 0)
			return core_refuse(err, r, "Cancelled",
					   "all is as before, try again when there is time to wait",
					   "waiting for the users of device %s was given up", dev->uuid);
		if (base_clock_ns() >= d->next_ask_ns) {
			ask_holders_locked(d);
			continue;
		}
		r = sleep_locked(d, d->next_ask_ns);
	}
	return 0;
}

static void mark_leaving_locked(struct core_departure *d, struct trn_device *dev)
{
	dev->state = CORE_DEVICE_LEAVING;
	dev->departure = d;
	dev->ask_round = 0;
}

/* Ends the departure of all its devices: they are gone, or as before. */
static void settle_locked(struct core_departure *d, bool gone)
{
	struct trn_device *dev;

	base_list_for_each(dev, &d->parent->devices, sibling) {
		if (dev->departure != d)
			continue;
		dev->departure = NULL;
		dev->state = gone ? CORE_DEVICE_GONE : CORE_DEVICE_ACTIVE;
		if (!gone)
			continue;
		core_event_queue_locked(d->parent->core, &dev->removed_event, TRN_EVENT_DEVICE_REMOVED, d->parent,
					dev);
		dev->refs--; /* the core's; not the last, the event has one */
	}
}

int trn_device_remove(struct trn_device *dev, const struct trn_remove_params *how, struct trn_error *err)
{
	struct trn_parent *parent = dev->type->parent;
	struct trn_core *core = parent->core;
	struct core_departure d;
	int r;

	r = departure_init(&d, parent, how, how && how->policy == TRN_REMOVE_ASK, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&core->lock);
	if (dev->state == CORE_DEVICE_GONE) {
		r = 1;
	} else if (dev->state == CORE_DEVICE_CREATING) {
		r = core_refuse(err, -EAGAIN, "NotReady", "try again in a moment",
				"device %s is still being created", dev->uuid);
	} else if (parent->leaving) {
		r = core_refuse(err, -ENODEV, "ParentLeaving",
				"choose another parent, or try again when it is back",
				"parent %s is leaving and takes device %s along", parent->name, dev->uuid);
	} else if (dev->state == CORE_DEVICE_LEAVING) {
		r = 1;
	} else {
		parent->nr_inside++;
		mark_leaving_locked(&d, dev);
		r = wait_unused_locked(&d, err);
		settle_locked(&d, r == 0);
		core_parent_exit_locked(parent);
	}
	pthread_mutex_unlock(&core->lock);
	core_event_deliver(core);
	departure_finish(&d);
	return r;
}

/* Until the creates and removes that run already are done; new ones are refused since parent->leaving. */
static int wait_outside_locked(struct core_departure *d, struct trn_error *err)
{
	int r = 0;

	while (d->parent->nr_inside) {
		if (r < 0)
			return core_refuse(err, r, r == -ETIMEDOUT ? "InUse" : "Cancelled",
					   "try again later, or wait longer",
					   "parent %s still creates or removes a device", d->parent->name);
		r = sleep_locked(d, NEVER);
	}
	return 0;
}

static struct trn_device *any_busy_locked(const struct trn_parent *parent)
{
	struct trn_device *dev;

	base_list_for_each(dev, &parent->devices, sibling)
		if (dev->nr_uses)
			return dev;
	return NULL;
}

/* Ends the waits of removes for holders: the unregister waits for them itself, with its own patience. */
static void overtake_removes_locked(struct trn_parent *parent)
{
	struct trn_device *dev;

	base_list_for_each(dev, &parent->devices, sibling) {
		if (!dev->departure)
			continue;
		dev->departure->overtaken = true;
		core_departure_wake(dev->departure);
	}
}

static int unregister_locked(struct core_departure *d, struct trn_error *err)
{
	struct trn_parent *parent = d->parent;
	struct trn_device *dev;
	int r;

	dev = any_busy_locked(parent);
	if (dev && d->how.policy == TRN_REMOVE_REFUSE)
		return core_refuse_busy_locked(dev, -EBUSY, "in use", err);
	parent->leaving = true;
	parent->departure = d;
	overtake_removes_locked(parent);
	r = wait_outside_locked(d, err);
	parent->departure = NULL;
	if (r == 0) {
		/* Nobody is inside, so devices are either active or gone. */
		base_list_for_each(dev, &parent->devices, sibling)
			if (dev->state == CORE_DEVICE_ACTIVE)
				mark_leaving_locked(d, dev);
		r = wait_unused_locked(d, err);
		settle_locked(d, r == 0);
	}
	parent->leaving = false;
	if (r < 0)
		return r;

	parent->registered = false;
	base_list_remove(&parent->node);
	core_event_queue_locked(parent->core, &parent->unregistered_event, TRN_EVENT_PARENT_UNREGISTERED, parent,
				NULL);
	parent->refs--; /* that of being registered; not the last, the event has one */
	return 0;
}

int trn_parent_unregister(struct trn_parent *parent, const struct trn_remove_params *how, struct trn_error *err)
{
	struct trn_core *core = parent->core;
	struct core_departure d;
	int r;

	r = departure_init(&d, parent, how, true, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&core->lock);
	if (!parent->registered || parent->leaving)
		r = 1;
	else
		r = unregister_locked(&d, err);
	pthread_mutex_unlock(&core->lock);
	core_event_deliver(core);
	departure_finish(&d);
	return r;
}

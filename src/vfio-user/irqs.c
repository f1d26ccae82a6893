/* SPDX-License-Identifier: MIT */
/* SET_IRQS: the form of the message is checked here, what the device can do by the core and the driver. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/range.h"
#include "vfio-user/connection.h"

#define DATA_MASK (VFU_IRQ_SET_DATA_NONE | VFU_IRQ_SET_DATA_BOOL | VFU_IRQ_SET_DATA_EVENTFD)
#define ACTION_MASK (VFU_IRQ_SET_ACTION_MASK | VFU_IRQ_SET_ACTION_UNMASK | VFU_IRQ_SET_ACTION_TRIGGER)

static int load_set(const struct vfu_request *req, struct vfu_irq_set *ret)
{
	if (req->len < sizeof(*ret)) {
		log_debug("SET_IRQS has %zu bytes at least: %zu came", sizeof(*ret), req->len);
		return -EINVAL;
	}
	memcpy(ret, req->payload, sizeof(*ret));
	if (ret->argsz < sizeof(*ret)) {
		log_debug("argsz of SET_IRQS is %zu at least: it is %u", sizeof(*ret), ret->argsz);
		return -EINVAL;
	}
	return 0;
}

static int decode_flags(uint32_t flags, struct trn_irq_set *set)
{
	static const struct {
		uint32_t flag;
		enum trn_irq_data data;
	} kinds_of_data[] = {
		{ VFU_IRQ_SET_DATA_NONE, TRN_IRQ_DATA_NONE },
		{ VFU_IRQ_SET_DATA_BOOL, TRN_IRQ_DATA_BOOL },
		{ VFU_IRQ_SET_DATA_EVENTFD, TRN_IRQ_DATA_EVENTFD },
	};
	static const struct {
		uint32_t flag;
		enum trn_irq_action action;
	} actions[] = {
		{ VFU_IRQ_SET_ACTION_MASK, TRN_IRQ_MASK },
		{ VFU_IRQ_SET_ACTION_UNMASK, TRN_IRQ_UNMASK },
		{ VFU_IRQ_SET_ACTION_TRIGGER, TRN_IRQ_TRIGGER },
	};
	unsigned int nr = 0;

	for (size_t i = 0; i < 3; i++) {
		if ((flags & DATA_MASK) == kinds_of_data[i].flag) {
			set->data = kinds_of_data[i].data;
			nr++;
		}
		if ((flags & ACTION_MASK) == actions[i].flag) {
			set->action = actions[i].action;
			nr++;
		}
	}
	if (nr == 2 && !(flags & ~(DATA_MASK | ACTION_MASK)))
		return 0;
	log_debug("SET_IRQS has one kind of data, one action and no other flag: flags are 0x%x", flags);
	return -EINVAL;
}

/* Does it exist?  Before memory is taken for as many as the client says. */
static int check_range(struct vfu_conn *c, const struct trn_irq_set *set)
{
	struct trn_irq_info info;
	int r;

	r = trn_use_irq_info(c->use, set->index, &info);
	if (r < 0)
		return r;
	if (base_range_is_within(set->start, set->count, info.count))
		return 0;
	log_debug("interrupts of kind %u: there are %u, [%u, +%u) was asked for", set->index, info.count, set->start,
		  set->count);
	return -EINVAL;
}

/* An eventfd, or at least nothing that a device could wait for: files, pipes and sockets have a type, it has none. */
static int check_eventfds(const struct vfu_request *req)
{
	struct stat st;

	for (size_t i = 0; i < req->nr_fds; i++) {
		if (fstat(req->fds[i], &st) == 0 && (st.st_mode & S_IFMT) == 0)
			continue;
		log_debug("SET_IRQS brings eventfds: descriptor %zu is something else", i);
		return -EINVAL;
	}
	return 0;
}

static int set_eventfds(struct vfu_conn *c, const struct vfu_request *req, struct trn_irq_set *set)
{
	_cleanup_free_ int *none = NULL;
	int r;

	if (req->nr_fds && req->nr_fds != set->count) {
		log_debug("SET_IRQS of %u interrupts brings as many eventfds or none: %zu came", set->count, req->nr_fds);
		return -EINVAL;
	}
	r = check_eventfds(req);
	if (r < 0)
		return r;
	set->fds = req->fds;
	if (!req->nr_fds) {
		none = malloc(set->count * sizeof(int) + 1);
		if (!none)
			return -ENOMEM;
		memset(none, 0xff, set->count * sizeof(int)); /* all -1 */
		set->fds = none;
	}
	return trn_use_set_irqs(c->use, set);
}

static int set_by_data(struct vfu_conn *c, const struct vfu_request *req, struct trn_irq_set *set)
{
	size_t room = req->len - sizeof(struct vfu_irq_set);

	if (set->data == TRN_IRQ_DATA_EVENTFD)
		return set_eventfds(c, req, set);
	if (set->data == TRN_IRQ_DATA_BOOL && room < set->count) {
		log_debug("SET_IRQS of %u interrupts has a byte for each: %zu came", set->count, room);
		return -EINVAL;
	}
	set->bools = req->payload + sizeof(struct vfu_irq_set);
	return trn_use_set_irqs(c->use, set);
}

int vfu_handle_set_irqs(struct vfu_conn *c, struct vfu_request *req)
{
	struct vfu_irq_set wire;
	struct trn_irq_set set = { 0 };
	int r;

	r = load_set(req, &wire);
	if (r < 0)
		return r;
	set.index = wire.index;
	set.start = wire.start;
	set.count = wire.count;
	r = decode_flags(wire.flags, &set);
	if (r < 0)
		return r;
	r = check_range(c, &set);
	if (r < 0)
		return r;
	if (!vfu_reply(c, req, 0))
		return -E2BIG;
	r = set_by_data(c, req, &set);
	if (r < 0)
		log_debug("SET_IRQS of [%u, +%u) of kind %u, flags 0x%x, failed: %s", wire.start, wire.count, wire.index,
			  wire.flags, strerror(-r));
	return r;
}

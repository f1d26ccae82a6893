/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/memfd.h"
#include "parent/shared.h"

#define ALL 1000u /* thousandths */
#define MAX_PROBE (1u << 20)

/* --------------------------------------------------------------- capacity */

static uint64_t memory_but(const struct parent_hub *h, const struct parent_member *but)
{
	const struct parent_member *d;
	uint64_t sum = 0;

	/* It cannot overflow: each was let in because the sum was at most what there is, or nothing is counted. */
	base_list_for_each(d, &h->members, node)
		if (d != but)
			sum += d->memory;
	return sum;
}

static uint32_t time_but(const struct parent_hub *h, const struct parent_member *but)
{
	const struct parent_member *d;
	uint32_t sum = 0;

	base_list_for_each(d, &h->members, node)
		if (d != but)
			sum += d->share.time;
	return sum;
}

uint64_t parent_member_memory_joined(const struct parent_hub *h)
{
	return memory_but(h, NULL);
}

uint32_t parent_member_time_joined(const struct parent_hub *h)
{
	return time_but(h, NULL);
}

static int check_capacity(const struct parent_hub *h, const struct parent_member *of, uint64_t memory, uint32_t time,
			  struct trn_error *err)
{
	uint64_t capacity = h->options.memory ? h->options.memory : UINT64_MAX, used = memory_but(h, of);
	uint32_t promised = time_but(h, of);

	if (used > capacity || memory > capacity - used) {
		trn_error_set(err, -EUSERS, "NoMemoryLeft", "%llu bytes of memory are more than the %llu that are left of %s's %llu",
			      (unsigned long long)memory, (unsigned long long)(used > capacity ? 0 : capacity - used), h->options.name,
			      (unsigned long long)capacity);
		return trn_error_hint(err, "ask for less memory, or stop a device of this parent");
	}
	if (promised > ALL || time > ALL - promised) {
		trn_error_set(err, -EUSERS, "NoTimeLeft", "%u thousandths of time are more than the %u that are left of %s", time,
			      promised > ALL ? 0 : ALL - promised, h->options.name);
		return trn_error_hint(err, "promise less time, or stop a device of this parent");
	}
	return 0;
}

/* ------------------------------------------------------------------- join */

static void write_name(const uint8_t uuid[16], char ret[37])
{
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*ret++ = '-';
		ret += sprintf(ret, "%02x", uuid[i]);
	}
}

static int check_join(const struct parent_hub *h, const struct trnc_parent_join *join, const char *name, struct trn_error *err)
{
	const struct parent_member *d;
	unsigned int nr = 0;

	if (join->version < TRNC_VERSION_OLDEST || join->version > TRNC_VERSION)
		return trn_error_set(err, -EPROTONOSUPPORT, "BadVersion", "version %u is not between %u and %u", join->version,
				     TRNC_VERSION_OLDEST, TRNC_VERSION);
	base_list_for_each(d, &h->members, node) {
		nr++;
		if (memcmp(d->uuid, join->uuid, sizeof(d->uuid)) == 0) {
			trn_error_set(err, -EEXIST, "AlreadyJoined", "device %s has joined %s already", name, h->options.name);
			return trn_error_hint(err, "stop its other process first");
		}
	}
	if (nr >= TRNC_PARENT_MAX_DEVICES) {
		trn_error_set(err, -EUSERS, "TooManyDevices", "%s has its %u devices", h->options.name, TRNC_PARENT_MAX_DEVICES);
		return trn_error_hint(err, "stop a device of this parent");
	}
	return check_capacity(h, NULL, join->memory, join->time, err);
}

int parent_member_join(struct parent_link *l, const struct parent_message *m, struct trn_error *err)
{
	struct parent_hub *h = l->hub;
	const struct trnc_parent_joined joined = { .probe_len = h->probe_of.len, .probe_flags = h->probe_of.flags };
	struct trnc_parent_join join;
	struct parent_member *d;
	char name[37];
	int r = parent_message_body(m, &join, sizeof(join), 0, err);

	if (r == 0) {
		write_name(join.uuid, name);
		r = check_join(h, &join, name, err);
	}
	if (r < 0)
		return r;
	d = calloc(1, sizeof(*d));
	if (!d)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for another device");
	d->hub = h;
	d->link = l;
	memcpy(d->uuid, join.uuid, sizeof(d->uuid));
	memcpy(d->name, name, sizeof(name));
	d->memory = join.memory;
	base_list_append(&h->members, &d->node);
	parent_share_add(parent_gate_schedule(h->gate), &d->share, join.time);
	d->group = parent_cgroup_make(h->cgroups, d->name, d->memory);
	l->kind = PARENT_LINK_DEVICE;
	l->member = d;
	parent_gate_settle(h->gate);
	parent_link_reply(l, &m->head, &joined, sizeof(joined), h->probe);
	return 0;
}

int parent_member_update(struct parent_link *l, const struct parent_message *m, struct trn_error *err)
{
	struct parent_member *d = l->member;
	struct trnc_parent_update update;
	int r = parent_message_body(m, &update, sizeof(update), 0, err);

	if (r == 0 && update.reserved)
		r = trn_error_set(err, -EINVAL, "Reserved", "UPDATE's reserved field is 0x%x, not 0", update.reserved);
	if (r == 0)
		r = check_capacity(l->hub, d, update.memory, update.time, err);
	if (r < 0)
		return r;
	/* Until now it has earned what it was promised before. */
	parent_gate_settle(l->hub->gate);
	d->memory = update.memory;
	d->share.time = update.time;
	parent_cgroup_set(d->group, d->memory);
	parent_gate_settle(l->hub->gate);
	parent_link_reply(l, &m->head, NULL, 0, -1);
	return 0;
}

void parent_member_leave(struct parent_member *d)
{
	struct parent_hub *h = d->hub;
	struct trnc_parent_account account;
	struct parent_runner *r;

	parent_manager_account(h, d, &account);
	h->left_ns += account.busy_ns;
	parent_gate_leave(h->gate, d);
	base_list_for_each(r, &h->runners, node) {
		if (r->member != d)
			continue;
		r->member = NULL;
		parent_runner_kill(r);
	}
	parent_share_remove(parent_gate_schedule(h->gate), &d->share);
	base_list_remove(&d->node);
	parent_cgroup_unref(d->group);
	free(d);
	parent_gate_settle(h->gate);
}

/* ------------------------------------------------------------------ probe */

/* Sealed, so that who passed it cannot change what others read; and no longer than it says. */
static int check_probe(int fd, const struct trnc_parent_probe *body, struct trn_error *err)
{
	const int needed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & needed) != needed)
		return trn_error_set(err, -EINVAL, "BadProbe", "the host device's record is not sealed");
	if (fstat(fd, &st) < 0 || body->len == 0 || body->len > MAX_PROBE || (uint64_t)st.st_size < body->len)
		return trn_error_set(err, -EINVAL, "BadProbe", "the host device's record has no %llu bytes",
				     (unsigned long long)body->len);
	return 0;
}

int parent_member_probe(struct parent_link *l, const struct parent_message *m, struct trn_error *err)
{
	struct parent_hub *h = l->hub;
	struct trnc_parent_probe body;
	int r = parent_message_body(m, &body, sizeof(body), 1, err);

	if (r == 0)
		r = check_probe(m->fds[0], &body, err);
	/* The first one is the right one: they all come from the same host device. */
	if (r < 0 || h->probe >= 0)
		return r;
	h->probe = fcntl(m->fds[0], F_DUPFD_CLOEXEC, 3);
	if (h->probe < 0)
		return trn_error_set(err, -errno, "NoProbe", "the host device's record cannot be kept: %s", strerror(errno));
	h->probe_of = body;
	return 0;
}

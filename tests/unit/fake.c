/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void gate_close(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->closed = true;
	pthread_mutex_unlock(&g->lock);
}

void gate_open(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->closed = false;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

void gate_wait_for_one(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	while (!g->waiting)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

static void gate_pass(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->waiting++;
	pthread_cond_broadcast(&g->changed);
	while (g->closed)
		pthread_cond_wait(&g->changed, &g->lock);
	g->waiting--;
	pthread_mutex_unlock(&g->lock);
}

static void gate_init(struct gate *g)
{
	*g = (struct gate){ 0 };
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
}

static void gate_finish(struct gate *g)
{
	pthread_cond_destroy(&g->changed);
	pthread_mutex_destroy(&g->lock);
}

static struct fake *to_fake(const struct trn_device *dev)
{
	return trn_parent_priv(trn_type_parent(trn_device_type(dev)));
}

static int fake_op_init(struct trn_device *dev, struct trn_error *err)
{
	struct fake *f = to_fake(dev);

	gate_pass(&f->init_gate);
	if (f->init_result < 0)
		return trn_error_set(err, f->init_result, "FakeRefuses", "the fake refuses");
	f->nr_inits++;
	trn_device_set_priv(dev, f);
	return 0;
}

static void fake_op_release(struct trn_device *dev)
{
	struct fake *f = to_fake(dev);

	assert_ptr_equal(trn_device_priv(dev), f);
	gate_pass(&f->release_gate);
	f->nr_releases++;
}

static int fake_op_open(struct trn_use *use, struct trn_error *err)
{
	struct fake *f = to_fake(trn_use_device(use));

	if (f->open_result < 0)
		return f->open_result; /* without a sentence: the core finds one */
	f->nr_opens++;
	return 0;
}

static void fake_op_close(struct trn_use *use)
{
	to_fake(trn_use_device(use))->nr_closes++;
}

static void fake_op_request(struct trn_device *dev, unsigned int nr_asked)
{
	struct fake *f = to_fake(dev);

	f->nr_requests++;
	if (nr_asked >= f->leave_at)
		trn_use_close(atomic_exchange(&f->leaving_use, NULL));
}

const struct trn_device_ops fake_ops = {
	.name = "fake",
	.device_api = "fake-api",
	.init = fake_op_init,
	.release = fake_op_release,
	.open = fake_op_open,
	.close = fake_op_close,
	.request = fake_op_request,
};

const struct trn_type_desc fake_types[3] = {
	{ .name = "small", .cost.amount[TRN_RESOURCE_UNITS] = 1 },
	{ .name = "big", .pretty_name = "Big one", .description = "four units", .cost.amount[TRN_RESOURCE_UNITS] = 4 },
	{
		.name = "mem",
		.cost.amount = { [TRN_RESOURCE_MEMORY] = FAKE_GIB / 4, [TRN_RESOURCE_SESSIONS] = 2 },
		.adjustable = 1u << TRN_RESOURCE_MEMORY | 1u << TRN_RESOURCE_SESSIONS,
	},
};

const struct trn_resources fake_capacity = {
	.amount = { [TRN_RESOURCE_MEMORY] = FAKE_GIB, [TRN_RESOURCE_SESSIONS] = 16, [TRN_RESOURCE_UNITS] = 8 },
};

static void fake_parent_release(void *priv)
{
	struct fake *f = priv;

	f->nr_parent_releases++;
}

void fake_init(struct fake *f, struct trn_core *core, const char *name)
{
	fake_init_with(f, core, name, &fake_ops);
}

void fake_init_with(struct fake *f, struct trn_core *core, const char *name, const struct trn_device_ops *ops)
{
	struct trn_parent_desc desc = {
		.name = name,
		.ops = ops,
		.types = fake_types,
		.nr_types = 3,
		.capacity = fake_capacity,
		.priv = f,
		.release = fake_parent_release,
	};
	struct trn_error err = { 0 };

	memset(f, 0, sizeof(*f));
	f->core = core;
	gate_init(&f->init_gate);
	gate_init(&f->release_gate);
	assert_int_equal(trn_parent_register(core, &desc, &f->parent, &err), 0);
	f->small = trn_type_find(f->parent, "fake-small");
	f->big = trn_type_find(f->parent, "fake-big");
	f->mem = trn_type_find(f->parent, "fake-mem");
	assert_true(f->small && f->big && f->mem);
}

void fake_finish(struct fake *f)
{
	struct trn_resources total, left;
	struct trn_error err = { 0 };

	assert_true(trn_parent_unregister(f->parent, NULL, &err) >= 0);
	trn_parent_get_capacity(f->parent, &total, &left);
	assert_memory_equal(&total, &left, sizeof(left));
	f->parent = trn_parent_unref(f->parent);
	assert_int_equal(f->nr_inits, f->nr_releases);
	assert_int_equal(f->nr_opens, f->nr_closes);
	assert_int_equal(f->nr_parent_releases, 1);
	gate_finish(&f->init_gate);
	gate_finish(&f->release_gate);
}

const char *fake_uuid(unsigned int n)
{
	static _Thread_local char uuid[TRN_UUID_SIZE];

	snprintf(uuid, sizeof(uuid), "00000000-0000-4000-8000-%012x", n);
	return uuid;
}

int fake_create(struct trn_type *type, unsigned int n, struct trn_device **ret, struct trn_error *err)
{
	struct trn_create_params params = { .uuid = fake_uuid(n) };

	return trn_device_create(type, &params, ret, err);
}

struct trn_device *fake_device(struct trn_type *type, unsigned int n)
{
	struct trn_error err = { 0 };
	struct trn_device *dev = NULL;

	if (fake_create(type, n, &dev, &err) != 0)
		fail_msg("%s", err.text);
	return dev;
}

struct trn_use *fake_open(struct trn_device *dev, const char *holder)
{
	struct trn_error err = { 0 };
	struct trn_use *use = NULL;

	if (trn_device_open(dev, holder, NULL, &use, &err) != 0)
		fail_msg("%s", err.text);
	return use;
}

void journal_listen(const struct trn_event *event, void *journal)
{
	struct journal *j = journal;

	pthread_mutex_lock(&j->lock);
	assert_true(j->nr < sizeof(j->events) / sizeof(j->events[0]));
	j->events[j->nr].kind = event->kind;
	snprintf(j->events[j->nr].name, sizeof(j->events[0].name), "%s",
		 event->dev ? trn_device_uuid(event->dev) : trn_parent_name(event->parent));
	j->nr++;
	pthread_mutex_unlock(&j->lock);
}

unsigned int journal_count(struct journal *j, enum trn_event_kind kind, const char *name)
{
	unsigned int nr = 0;

	pthread_mutex_lock(&j->lock);
	for (unsigned int i = 0; i < j->nr; i++)
		nr += j->events[i].kind == kind && (!name || strcmp(j->events[i].name, name) == 0);
	pthread_mutex_unlock(&j->lock);
	return nr;
}

/* SPDX-License-Identifier: MIT */
/* process.h without a process: what the manager asks for is done when the test lets it be done (world_run()). */
#include "manager_world.h"

#include <stdio.h>
#include <stdlib.h>

enum kind { CONFIRM, HOLD, RELEASE, STOP, SET, STATS, HOLDERS };

struct daemon_process_request {
	struct base_list node;
	struct daemon_process *process;
	enum kind kind;
	struct trnc_control_leave how;
	daemon_process_done done;
	daemon_process_stats_done stats_done;
	daemon_process_holders_done holders_done;
	void *data;
	bool is_cancelled;
};

struct daemon_process {
	struct base_list node, requests;
	struct daemon_processes *ps;
	char uuid[TRN_UUID_SIZE], socket[64];
	const struct daemon_process_events *events;
	void *data;
	json_t *record;
	uint64_t memory;
	uint32_t time;
	bool is_starting, in_use, is_killed, is_ending, is_held;
};

struct daemon_sharer {
	struct base_list node;
	struct daemon_processes *ps;
	const struct daemon_sharer_events *events;
	void *data;
	bool is_up;
	daemon_accounts_done accounts_done;
	void *accounts_data;
};

struct daemon_processes {
	struct base_list processes, sharers;
	daemon_probe_done probe_done;
	void *probe_data;
	daemon_drivers_done drivers_done;
	void *drivers_data;
	daemon_found_fn found;
	void (*over)(void *manager);
	void *manager;
};

static struct daemon_processes *all;

/* ------------------------------------------------------------ process.h */

int daemon_processes_create(sd_event *event, const struct daemon_config *config, struct daemon_processes **ret, struct trn_error *err)
{
	all = *ret = calloc(1, sizeof(*all));
	base_list_init(&all->processes);
	base_list_init(&all->sharers);
	return 0;
}

static void free_process(struct daemon_process *p)
{
	struct daemon_process_request *r, *next;

	base_list_for_each_safe(r, next, &p->requests, node)
		free(r);
	base_list_remove(&p->node);
	json_decref(p->record);
	free(p);
}

void daemon_processes_destroy(struct daemon_processes *ps)
{
	struct daemon_process *p, *next;

	if (!ps)
		return;
	base_list_for_each_safe(p, next, &ps->processes, node) {
		if (!p->is_starting)
			json_object_set(w.running, p->uuid, p->record);
		free_process(p);
	}
	assert_true(base_list_is_empty(&ps->sharers));
	free(ps);
	all = NULL;
}

static struct daemon_process *make_process(const char *uuid)
{
	struct daemon_process *p = calloc(1, sizeof(*p));

	base_list_init(&p->requests);
	p->ps = all;
	snprintf(p->uuid, sizeof(p->uuid), "%s", uuid);
	snprintf(p->socket, sizeof(p->socket), "/fake/%s.sock", uuid);
	base_list_append(&all->processes, &p->node);
	return p;
}

int daemon_process_start(struct daemon_processes *ps, const struct daemon_process_params *params,
			 const struct daemon_process_events *events, void *data, struct daemon_process **ret, struct trn_error *err)
{
	struct daemon_process *p = make_process(params->uuid);

	p->events = events;
	p->data = data;
	p->record = json_deep_copy(params->record);
	p->memory = params->memory;
	p->time = params->time;
	p->is_starting = true;
	json_decref(w.last_options);
	w.last_options = json_deep_copy(params->options);
	snprintf(w.last_type, sizeof(w.last_type), "%s", params->type);
	w.nr_started++;
	*ret = p;
	return 0;
}

int daemon_processes_adopt(struct daemon_processes *ps, daemon_found_fn found, void (*over)(void *manager), void *manager,
			   struct trn_error *err)
{
	ps->found = found;
	ps->over = over;
	ps->manager = manager;
	return 0;
}

static struct daemon_process_request *add(struct daemon_process *p, enum kind kind, daemon_process_done done, void *data)
{
	struct daemon_process_request *r = calloc(1, sizeof(*r));

	r->process = p;
	r->kind = kind;
	r->done = done;
	r->data = data;
	base_list_append(&p->requests, &r->node);
	return r;
}

int daemon_process_confirm(struct daemon_process *p, daemon_process_done done, void *data)
{
	add(p, CONFIRM, done, data);
	return 0;
}

static int leave(struct daemon_process *p, enum kind kind, const struct trnc_control_leave *how, daemon_process_done done, void *data,
		 struct daemon_process_request **ret)
{
	struct daemon_process_request *r = add(p, kind, done, data);

	r->how = *how;
	if (ret)
		*ret = r;
	return 0;
}

int daemon_process_hold(struct daemon_process *p, const struct trnc_control_leave *how, daemon_process_done done, void *data,
			struct daemon_process_request **ret)
{
	return leave(p, HOLD, how, done, data, ret);
}

int daemon_process_stop(struct daemon_process *p, const struct trnc_control_leave *how, daemon_process_done done, void *data,
			struct daemon_process_request **ret)
{
	return leave(p, STOP, how, done, data, ret);
}

int daemon_process_release(struct daemon_process *p, daemon_process_done done, void *data)
{
	add(p, RELEASE, done, data);
	return 0;
}

void daemon_process_cancel(struct daemon_process_request *r)
{
	r->is_cancelled = true;
}

int daemon_process_set(struct daemon_process *p, const struct trnc_control_set *set, daemon_process_done done, void *data)
{
	w.last_set = *set;
	add(p, SET, done, data);
	return 0;
}

int daemon_process_set_record(struct daemon_process *p, json_t *record, struct trn_error *err)
{
	json_decref(p->record);
	p->record = json_deep_copy(record);
	return 0;
}

int daemon_process_stats(struct daemon_process *p, daemon_process_stats_done done, void *data)
{
	w.nr_stats++;
	add(p, STATS, NULL, data)->stats_done = done;
	return 0;
}

int daemon_process_holders(struct daemon_process *p, daemon_process_holders_done done, void *data)
{
	add(p, HOLDERS, NULL, data)->holders_done = done;
	return 0;
}

int daemon_process_read_start(pid_t pid, uint64_t *ret)
{
	*ret = 1000 + w.peer_start; /* another one: the number was used again */
	return 0;
}

pid_t daemon_process_pid(const struct daemon_process *p)
{
	return 4711;
}

void daemon_process_kill(struct daemon_process *p)
{
	w.nr_killed++;
	p->is_killed = true;
}

const char *daemon_process_socket(const struct daemon_process *p)
{
	return p->socket;
}

int daemon_sharer_open(struct daemon_processes *ps, const char *name, uint32_t host_device, uint64_t memory,
		       const struct daemon_sharer_events *events, void *data, struct daemon_sharer **ret, struct trn_error *err)
{
	struct daemon_sharer *s = calloc(1, sizeof(*s));

	s->ps = ps;
	s->events = events;
	s->data = data;
	base_list_append(&ps->sharers, &s->node);
	*ret = s;
	return 0;
}

void daemon_sharer_close(struct daemon_sharer *s, bool quit)
{
	w.nr_quits += quit;
	base_list_remove(&s->node);
	free(s);
}

int daemon_sharer_schedule(struct daemon_sharer *s, const struct trnc_parent_schedule *schedule, daemon_sharer_done done, void *data)
{
	w.nr_scheduled++;
	w.schedule = *schedule;
	return 0;
}

int daemon_sharer_accounts(struct daemon_sharer *s, daemon_accounts_done done, void *data)
{
	s->accounts_done = done;
	s->accounts_data = data;
	return 0;
}

int daemon_probe_opencl(struct daemon_processes *ps, daemon_probe_done done, void *data, struct trn_error *err)
{
	ps->probe_done = done;
	ps->probe_data = data;
	return 0;
}

int daemon_probe_drivers(struct daemon_processes *ps, daemon_drivers_done done, void *data, struct trn_error *err)
{
	ps->drivers_done = done;
	ps->drivers_data = data;
	return 0;
}

/* ------------------------------------------------------------ what they do */

static bool answer_probes(struct daemon_processes *ps)
{
	static const struct daemon_host_device host = { .index = 0, .kind = "cpu", .name = "Fake", .memory = 16 * WORLD_GIB, .units = 4 };
	struct daemon_driver_type type = { .name = "1", .device_api = "vfio-pci" };
	struct daemon_driver driver = { .name = "fake", .types = &type, .nr_types = 1 };
	daemon_probe_done probe_done = ps->probe_done;
	daemon_drivers_done drivers_done = ps->drivers_done;
	const struct trn_error failed = { .code = -EIO, .name = "ProbeFailed", .text = "the probe crashed" };

	type.cost.amount[TRN_RESOURCE_UNITS] = 1;
	driver.capacity.amount[TRN_RESOURCE_UNITS] = 4;
	ps->probe_done = NULL;
	ps->drivers_done = NULL;
	if (probe_done)
		probe_done(ps->probe_data, w.no_hosts ? NULL : &host, !w.no_hosts, w.no_hosts ? &failed : NULL);
	if (drivers_done)
		drivers_done(ps->drivers_data, &driver, 1, NULL);
	return probe_done || drivers_done;
}

static void adopt_one(struct daemon_processes *ps, const char *uuid, json_t *record)
{
	struct daemon_process *p = make_process(uuid);
	struct trnc_control_hello hello = { .flags = TRNC_CONTROL_FLAG_CONFIRMED };
	json_t *device = json_object_get(record, "device");
	int r;

	hello.memory = (uint64_t)json_integer_value(json_object_get(device, "memory"));
	hello.time = (uint32_t)(json_number_value(json_object_get(device, "time")) * 10);
	if (w.hello_differs)
		hello.time = 123;
	p->record = json_deep_copy(record);
	r = ps->found(ps->manager, p, uuid, record, w.deaf ? NULL : &hello, &p->events, &p->data);
	if (r < 0)
		free_process(p);
}

static bool answer_adopt(struct daemon_processes *ps)
{
	json_t *running = w.running, *record;
	const char *uuid;

	if (!ps->over)
		return false;
	w.running = json_object();
	json_object_foreach(running, uuid, record)
		adopt_one(ps, uuid, record);
	json_decref(running);
	ps->over(ps->manager);
	ps->over = NULL;
	return true;
}

static bool answer_sharer(struct daemon_sharer *s)
{
	const struct trnc_parent_info info = { .pid = 99 };
	daemon_accounts_done done = s->accounts_done;
	struct trnc_parent_account accounts[64] = { 0 };
	struct trnc_parent_accounts head = { 0 };
	struct daemon_process *p;
	struct timespec now;

	if (!s->is_up) {
		s->is_up = true;
		s->events->up(s->data, &info);
		return true;
	}
	if (!done)
		return false;
	s->accounts_done = NULL;
	clock_gettime(CLOCK_MONOTONIC, &now);
	head.now_ns = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
	base_list_for_each(p, &s->ps->processes, node) {
		struct trnc_parent_account *a = &accounts[head.nr++];

		for (int i = 0, at = 0; i < 16; i++, at += 2) {
			unsigned int byte;

			at += p->uuid[at] == '-';
			sscanf(p->uuid + at, "%2x", &byte);
			a->uuid[i] = (__u8)byte;
		}
		a->busy_ns = w.busy_ns;
	}
	head.busy_ns = head.nr * w.busy_ns + 5;
	done(s->accounts_data, &head, accounts, NULL);
	return true;
}

static void end_process(struct daemon_process *p, const struct trn_error *why)
{
	const struct daemon_process_events *events = p->events;
	const struct trn_error gone = { .code = -ENODEV, .name = "Ended", .text = "the device has ended" };
	void *data = p->data;

	while (!base_list_is_empty(&p->requests)) {
		struct daemon_process_request *r = base_container_of(p->requests.next, struct daemon_process_request, node);

		base_list_remove(&r->node);
		if (r->stats_done)
			r->stats_done(r->data, NULL, &gone);
		else if (r->holders_done)
			r->holders_done(r->data, NULL, 0, &gone);
		else
			r->done(r->data, &gone);
		free(r);
	}
	free_process(p);
	events->ended(data, why);
}

/* 1: to be answered with *err; 0: it waits. */
static int leave_result(struct daemon_process_request *r, struct trn_error *err)
{
	struct daemon_process *p = r->process;

	if (r->is_cancelled)
		trn_error_set(err, -ECANCELED, "Cancelled", "given up");
	else if (p->in_use && r->how.policy == TRNC_CONTROL_REFUSE)
		trn_error_set(err, -EBUSY, "InUse", "device %s is in use", p->uuid);
	else if (p->in_use && r->how.policy == TRNC_CONTROL_ASK && r->how.timeout_ms == 0)
		trn_error_set(err, -ETIMEDOUT, "InUse", "device %s is still in use", p->uuid);
	else if (p->in_use && r->how.policy == TRNC_CONTROL_ASK)
		return 0;
	else if (w.late_stop)
		return 0;
	return 1;
}

static bool answer_request(struct daemon_process_request *r)
{
	const struct trnc_control_stats stats = { .sessions_now = r->process->in_use, .used = 77, .traps = 9, .doorbells = 8,
						  .interrupts = 7 };
	struct daemon_process *p = r->process;
	struct trn_error err = { 0 };
	json_t *names;

	if ((r->kind == HOLD || r->kind == STOP) && !leave_result(r, &err))
		return false;
	base_list_remove(&r->node);
	switch (r->kind) {
	case CONFIRM:
		if (w.fail_confirm)
			trn_error_set(&err, -EIO, "Failed", "confirming failed");
		break;
	case HOLD:
		p->is_held = !err.code;
		break;
	case RELEASE:
		p->is_held = false;
		w.nr_released++;
		break;
	case STOP:
		p->is_ending = !err.code;
		break;
	case SET:
		if (w.fail_set)
			trn_error_set(&err, -EBUSY, "InUse", "more than that is in use");
		break;
	case STATS:
		r->stats_done(r->data, &stats, NULL);
		free(r);
		return true;
	case HOLDERS:
		names = json_pack("[s]", "process 4711 (a.out)");
		r->holders_done(r->data, names, 1, NULL);
		json_decref(names);
		free(r);
		return true;
	}
	r->done(r->data, err.code ? &err : NULL);
	free(r);
	return true;
}

static bool step_process(struct daemon_process *p)
{
	const struct trn_error killed = { .code = -EIO, .name = "Ended", .text = "killed by signal 9" };
	const struct trn_error failed = { .code = -EIO, .name = "StartFailed", .text = "there is no executor" };
	const struct trnc_control_hello hello = { .pid = 4711 };
	struct daemon_process_request *r;

	if (p->is_killed || (p->is_ending && !w.late_end)) {
		end_process(p, p->is_killed ? &killed : NULL);
		return true;
	}
	if (p->is_starting) {
		const struct daemon_process_events *events = p->events;
		void *data = p->data;

		if (w.late_ready)
			return false;
		p->is_starting = false;
		if (w.fail_start) {
			free_process(p);
			events->failed(data, &failed);
		} else {
			events->ready(data, &hello);
		}
		return true;
	}
	base_list_for_each(r, &p->requests, node)
		if (answer_request(r))
			return true;
	return false;
}

static bool step(void)
{
	struct daemon_process *p;
	struct daemon_sharer *s;

	if (!all)
		return false;
	if (answer_probes(all) || answer_adopt(all))
		return true;
	base_list_for_each(s, &all->sharers, node)
		if (answer_sharer(s))
			return true;
	base_list_for_each(p, &all->processes, node)
		if (step_process(p))
			return true;
	return false;
}

void world_run(void)
{
	for (unsigned int i = 0; step(); i++)
		assert_true(i < 100000);
}

static struct daemon_process *process_of(const char *uuid)
{
	struct daemon_process *p;

	base_list_for_each(p, &all->processes, node)
		if (!strcmp(p->uuid, uuid))
			return p;
	print_error("no process of device %s\n", uuid);
	abort();
}

void world_use(const char *uuid, bool in_use)
{
	struct daemon_process *p = process_of(uuid);
	const struct trnc_control_stats stats = { .sessions_now = in_use, .used = 77, .traps = 9, .doorbells = 8, .interrupts = 7 };

	p->in_use = in_use;
	p->events->changed(p->data, &stats);
}

void world_silence(const char *uuid, bool is_silent)
{
	struct daemon_process *p = process_of(uuid);

	if (is_silent)
		p->events->unresponsive(p->data);
	else
		p->events->answers(p->data);
}

void world_end(const char *uuid)
{
	const struct trn_error why = { .code = -EIO, .name = "Crashed", .text = "killed by signal 11" };

	end_process(process_of(uuid), &why);
}

unsigned int world_nr_processes(void)
{
	struct daemon_process *p;
	unsigned int nr = 0;

	base_list_for_each(p, &all->processes, node)
		nr++;
	return nr;
}

unsigned int world_nr_held(void)
{
	struct daemon_process *p;
	unsigned int nr = 0;

	base_list_for_each(p, &all->processes, node)
		nr += p->is_held;
	return nr;
}

void world_wait(unsigned int ms)
{
	for (unsigned int i = 0; i < ms; i += 10) {
		assert_true(sd_event_run(w.event, 10000) >= 0);
		world_run();
	}
}

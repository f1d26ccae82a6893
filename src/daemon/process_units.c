/* SPDX-License-Identifier: MIT */
/* Starting and stopping units of systemd, without waiting for it: calls and jobs are answered in the event loop. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/process_priv.h"

#define SYSTEMD "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
#define RESULT_US (2 * 1000 * 1000ull)

struct daemon_units {
	sd_bus *bus;
	struct base_list jobs;
};

struct daemon_unit_job {
	struct base_list node;
	daemon_unit_done done; /* NULL: forgotten */
	void *data;
	sd_bus_slot *call; /* until systemd has named the job */
	char *path;
	char unit[96];
	bool is_stop, is_question;
};

static void finish_job(struct daemon_unit_job *job, const struct trn_error *err)
{
	base_list_remove(&job->node);
	sd_bus_slot_unref(job->call);
	if (job->done)
		job->done(job->data, err);
	free(job->path);
	free(job);
}

static void fail_job(struct daemon_unit_job *job, int code, const char *why)
{
	struct trn_error err = { 0 };

	if (job->is_question) {
		finish_job(job, NULL);
		return;
	}
	trn_error_set(&err, code, "UnitFailed", "systemd did not %s %s: %s", job->is_stop ? "stop" : "start", job->unit, why);
	trn_error_hint(&err, "journalctl -u %s says more", job->unit);
	finish_job(job, &err);
}

/* ------------------------------------------------------------ the bus */

static void close_bus(struct daemon_units *units)
{
	struct daemon_unit_job *job, *next;

	units->bus = sd_bus_close_unref(units->bus);
	base_list_for_each_safe(job, next, &units->jobs, node)
		fail_job(job, -ENOTCONN, "the connection to systemd is lost");
}

static int handle_lost(sd_bus_message *m, void *data, sd_bus_error *e)
{
	struct daemon_units *units = data;

	log_warning("the connection to systemd is lost");
	close_bus(units); /* the next job opens another one */
	return 0;
}

static struct daemon_unit_job *find_job(struct daemon_units *units, const char *path)
{
	struct daemon_unit_job *job;

	base_list_for_each(job, &units->jobs, node)
		if (job->path && !strcmp(job->path, path))
			return job;
	return NULL;
}

static int handle_removed(sd_bus_message *m, void *data, sd_bus_error *e)
{
	const char *path, *unit, *result;
	struct daemon_unit_job *job;
	uint32_t id;

	if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	job = find_job(data, path);
	if (job && !strcmp(result, "done"))
		finish_job(job, NULL);
	else if (job)
		fail_job(job, -EIO, result);
	return 0;
}

static int subscribe(struct daemon_units *units)
{
	/* In this order: what is answered later is heard of. */
	int r = sd_bus_match_signal_async(units->bus, NULL, SYSTEMD, "JobRemoved", handle_removed, NULL, units);

	if (r >= 0)
		r = sd_bus_match_signal_async(units->bus, NULL, "org.freedesktop.DBus.Local", NULL, "org.freedesktop.DBus.Local",
					      "Disconnected", handle_lost, NULL, units);
	if (r >= 0)
		r = sd_bus_call_method_async(units->bus, NULL, SYSTEMD, "Subscribe", NULL, NULL, "");
	return r;
}

static int open_bus(struct daemon_processes *ps, struct trn_error *err)
{
	struct daemon_units *units = ps->units;
	int r;

	if (!units) {
		units = calloc(1, sizeof(*units));
		if (!units)
			return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
		base_list_init(&units->jobs);
		ps->units = units;
	}
	if (units->bus)
		return 0;
	r = ps->is_user ? sd_bus_open_user(&units->bus) : sd_bus_open_system(&units->bus);
	if (r >= 0)
		r = sd_bus_attach_event(units->bus, ps->event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = subscribe(units);
	if (r >= 0)
		return 0;
	units->bus = sd_bus_close_unref(units->bus);
	trn_error_set(err, r, "NoSystemd", "cannot speak to systemd: %s", strerror(-r));
	return trn_error_hint(err, "without systemd, say so in the configuration: devices are started by hand then");
}

/* ------------------------------------------------------------ jobs */

static int handle_queued(sd_bus_message *m, void *data, sd_bus_error *e)
{
	struct daemon_unit_job *job = data;
	const sd_bus_error *refusal = sd_bus_message_get_error(m);
	const char *path;

	job->call = sd_bus_slot_unref(job->call);
	if (refusal) {
		/* To stop what systemd does not know is done. */
		if (job->is_stop && sd_bus_error_has_name(refusal, "org.freedesktop.systemd1.NoSuchUnit"))
			finish_job(job, NULL);
		else
			fail_job(job, -sd_bus_error_get_errno(refusal), refusal->message ? refusal->message : refusal->name);
		return 0;
	}
	if (sd_bus_message_read(m, "o", &path) < 0 || !(job->path = strdup(path)))
		fail_job(job, -EPROTO, "its answer cannot be read");
	return 0;
}

static int begin(struct daemon_processes *ps, const char *method, const char *unit, daemon_unit_done done, void *data,
		 struct daemon_unit_job **ret, struct trn_error *err)
{
	struct daemon_unit_job *job;
	int r = open_bus(ps, err);

	if (r < 0)
		return r;
	job = calloc(1, sizeof(*job));
	if (!job)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	job->is_stop = !strcmp(method, "StopUnit");
	snprintf(job->unit, sizeof(job->unit), "%s", unit);
	r = sd_bus_call_method_async(ps->units->bus, &job->call, SYSTEMD, method, handle_queued, job, "ss", unit, "replace");
	if (r < 0) {
		free(job);
		return trn_error_set(err, r, "NoSystemd", "cannot ask systemd for %s: %s", unit, strerror(-r));
	}
	job->done = done;
	job->data = data;
	base_list_append(&ps->units->jobs, &job->node);
	*ret = job;
	return 0;
}

int daemon_unit_start(struct daemon_processes *ps, const char *unit, daemon_unit_done done, void *data, struct daemon_unit_job **ret,
		      struct trn_error *err)
{
	return begin(ps, "StartUnit", unit, done, data, ret, err);
}

int daemon_unit_stop(struct daemon_processes *ps, const char *unit, daemon_unit_done done, void *data, struct daemon_unit_job **ret,
		     struct trn_error *err)
{
	return begin(ps, "StopUnit", unit, done, data, ret, err);
}

/* What systemd calls the result of a service (systemd.exec(5), $SERVICE_RESULT), in words. */
static const char *words_of(const char *result)
{
	static const char *const words[][2] = {
		{ "signal", "was ended by a signal" },
		{ "core-dump", "has crashed" },
		{ "oom-kill", "was ended by the kernel, which was short of memory" },
		{ "exit-code", "has failed" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(result, words[i][0]))
			return words[i][1];
	return NULL;
}

static int handle_result(sd_bus_message *m, void *data, sd_bus_error *e)
{
	struct daemon_unit_job *job = data;
	struct trn_error err = { 0 };
	const char *result = "", *words;

	if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "v", "s", &result) < 0)
		result = "";
	words = words_of(result);
	if (words) {
		trn_error_set(&err, -EIO, "Killed", "the process of %s %s", job->unit, words);
		trn_error_hint(&err, "journalctl -u %s says more", job->unit);
	}
	finish_job(job, words ? &err : NULL);
	return 0;
}

static int ask_result(struct daemon_processes *ps, struct daemon_unit_job *job)
{
	_cleanup_free_ char *path = NULL;
	sd_bus_message *m = NULL;
	int r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", job->unit, &path);

	if (r >= 0)
		r = sd_bus_message_new_method_call(ps->units->bus, &m, "org.freedesktop.systemd1", path,
						   "org.freedesktop.DBus.Properties", "Get");
	if (r >= 0)
		r = sd_bus_message_append(m, "ss", "org.freedesktop.systemd1.Service", "Result");
	if (r >= 0)
		r = sd_bus_call_async(ps->units->bus, &job->call, m, handle_result, job, RESULT_US);
	sd_bus_message_unref(m);
	return r;
}

int daemon_unit_ask_end(struct daemon_processes *ps, const char *unit, daemon_unit_done done, void *data,
			struct daemon_unit_job **ret)
{
	struct daemon_unit_job *job;
	int r = open_bus(ps, NULL);

	if (r < 0)
		return r;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	job->is_question = true;
	snprintf(job->unit, sizeof(job->unit), "%s", unit);
	r = ask_result(ps, job);
	if (r < 0) {
		free(job);
		return r;
	}
	job->done = done;
	job->data = data;
	base_list_append(&ps->units->jobs, &job->node);
	*ret = job;
	return 0;
}

void daemon_unit_reset(struct daemon_processes *ps, const char *unit)
{
	if (open_bus(ps, NULL) >= 0)
		(void)sd_bus_call_method_async(ps->units->bus, NULL, SYSTEMD, "ResetFailedUnit", NULL, NULL, "s", unit);
}

void daemon_unit_forget(struct daemon_unit_job *job)
{
	if (job)
		job->done = NULL;
}

void daemon_units_destroy(struct daemon_processes *ps)
{
	struct daemon_unit_job *job, *next;

	if (!ps->units)
		return;
	base_list_for_each_safe(job, next, &ps->units->jobs, node) {
		job->done = NULL;
		finish_job(job, NULL);
	}
	/* What was asked for is sent: a device that was to be reset, or stopped. */
	sd_bus_flush_close_unref(ps->units->bus);
	free(ps->units);
	ps->units = NULL;
}

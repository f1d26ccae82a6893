/* SPDX-License-Identifier: MIT */
/*
 * Figures for Prometheus and its like: OpenMetrics 1.0, or the text format before it for who asks for that alone.  They are taken from
 * what the API shows, at the moment of asking.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/http_priv.h"

#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum kind { GAUGE, COUNTER, INFO };

struct page {
	FILE *f;
	bool is_open; /* OpenMetrics */
};

/* ---------------------------------------------------------------- text */

static void begin(struct page *p, const char *name, enum kind kind, const char *unit, const char *help)
{
	static const char *const kinds[] = { "gauge", "counter", "info" };
	/* The older format knows the name that the samples have. */
	const char *end = kind == COUNTER ? "_total" : kind == INFO ? "_info" : "";

	if (p->is_open)
		end = "";
	fprintf(p->f, "# TYPE %s%s %s\n", name, end, kind == INFO && !p->is_open ? "gauge" : kinds[kind]);
	if (unit && p->is_open)
		fprintf(p->f, "# UNIT %s %s\n", name, unit);
	fprintf(p->f, "# HELP %s%s %s\n", name, end, help);
}

/* key="value", with what would end it escaped. */
static void add_label(struct page *p, bool *is_first, const char *key, const char *value)
{
	fprintf(p->f, "%s%s=\"", *is_first ? "" : ",", key);
	for (const char *c = value ? value : ""; *c; c++) {
		if (*c == '\n')
			fputs("\\n", p->f);
		else if (*c == '"' || *c == '\\')
			fprintf(p->f, "\\%c", *c);
		else
			fputc(*c, p->f);
	}
	fputc('"', p->f);
	*is_first = false;
}

/* An owner is a name, or a number. */
static const char *text_of(const json_t *json, const char *key, char *buf, size_t len)
{
	const json_t *value = json_object_get(json, key);

	if (json_is_integer(value)) {
		snprintf(buf, len, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return buf;
	}
	return json_is_string(value) ? json_string_value(value) : "";
}

static void print_seconds(struct page *p, uint64_t ns)
{
	fprintf(p->f, " %" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000u, ns % 1000000000u);
}

/* ------------------------------------------------- families of objects */

enum form { AS_IS, NANOSECONDS, THOUSANDTHS, PERCENT };

/* One family: a number that each object of a list has. */
struct family {
	const char *name;
	enum kind kind;
	const char *unit, *help;
	const char *group, *key; /* where in the object; group: NULL: itself */
	enum form form;
};

static const json_t *value_of(const json_t *object, const struct family *f)
{
	return json_object_get(f->group ? json_object_get(object, f->group) : object, f->key);
}

static void print_number(struct page *p, const json_t *value, enum form form)
{
	double number = json_number_value(value);

	if (form == NANOSECONDS)
		print_seconds(p, (uint64_t)json_integer_value(value));
	else if (form == AS_IS && json_is_integer(value))
		fprintf(p->f, " %" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
	else
		fprintf(p->f, " %.6g\n", form == THOUSANDTHS ? number / 1000 : form == PERCENT ? number / 100 : number);
}

/* A figure that an object does not have is left out; a family that nobody has, too. */
static void print_family(struct page *p, json_t *list, const struct family *f, void (*labels)(struct page *p, const json_t *object))
{
	bool has_begun = false;
	size_t i;
	json_t *object;

	json_array_foreach(list, i, object) {
		const json_t *value = value_of(object, f);

		if (!json_is_number(value))
			continue;
		if (!has_begun)
			begin(p, f->name, f->kind, f->unit, f->help);
		has_begun = true;
		fprintf(p->f, "%s%s{", f->name, f->kind == COUNTER ? "_total" : "");
		labels(p, object);
		fputc('}', p->f);
		print_number(p, value, f->form);
	}
}

static const struct family parent_families[] = {
	{ "tranche_parent_capacity_bytes", GAUGE, "bytes", "Memory that a parent shares out.", "capacity", "memory", AS_IS },
	{ "tranche_parent_left_bytes", GAUGE, "bytes", "Memory of it that is not promised.", "left", "memory", AS_IS },
	{ "tranche_parent_capacity_time_ratio", GAUGE, "ratio", "Time that a parent shares out.", "capacity", "time", THOUSANDTHS },
	{ "tranche_parent_left_time_ratio", GAUGE, "ratio", "Time of it that is not promised.", "left", "time", THOUSANDTHS },
	{ "tranche_parent_devices", GAUGE, NULL, "Devices of a parent.", NULL, "devices", AS_IS },
	{ "tranche_parent_use_ratio", GAUGE, "ratio", "Busy share of the last second.", NULL, "use", AS_IS },
	{ "tranche_parent_busy_seconds", COUNTER, "seconds", "Time in which a parent's devices were busy.", NULL, "busy_ns", NANOSECONDS },
};

static const struct family device_families[] = {
	{ "tranche_device_memory_quota_bytes", GAUGE, "bytes", "Memory that a device may use.", NULL, "memory", AS_IS },
	{ "tranche_device_memory_used_bytes", GAUGE, "bytes", "Memory that it uses.", "stats", "used", AS_IS },
	{ "tranche_device_memory_peak_bytes", GAUGE, "bytes", "The most that it has used.", "stats", "peak", AS_IS },
	{ "tranche_device_memory_behind_bytes", GAUGE, "bytes", "Memory that the host's OpenCL uses behind it.", "stats", "behind", AS_IS },
	{ "tranche_device_time_promised_ratio", GAUGE, "ratio", "Time that a device is promised.", NULL, "time", PERCENT },
	{ "tranche_device_share_ratio", GAUGE, "ratio", "Share of the host device in the last second.", "stats", "share", AS_IS },
	{ "tranche_device_sessions", GAUGE, NULL, "Programs that are connected.", "stats", "sessions_now", AS_IS },
	{ "tranche_device_sessions_started", COUNTER, NULL, "Programs that were connected.", "stats", "sessions", AS_IS },
	{ "tranche_device_executors", GAUGE, NULL, "Executors that run.", "stats", "executors_now", AS_IS },
	{ "tranche_device_executors_lost", COUNTER, NULL, "Executors that crashed or were killed.", "stats", "executors_lost", AS_IS },
	{ "tranche_device_grants", COUNTER, NULL, "Pieces of memory that were granted.", "stats", "granted", AS_IS },
	{ "tranche_device_refusals", COUNTER, NULL, "Pieces of memory that were refused.", "stats", "refused", AS_IS },
	{ "tranche_device_commands", COUNTER, NULL, "Commands that were run.", "stats", "commands", AS_IS },
	{ "tranche_device_compiled", COUNTER, NULL, "Programs that were compiled.", "stats", "compiled", AS_IS },
	{ "tranche_device_stored", COUNTER, NULL, "Programs that were found in the store.", "stats", "stored", AS_IS },
	{ "tranche_device_busy_seconds", COUNTER, "seconds", "Time on the host device.", "stats", "busy_ns", NANOSECONDS },
	{ "tranche_device_wait_seconds", COUNTER, "seconds", "Time of waiting for a turn.", "stats", "wait_ns", NANOSECONDS },
	{ "tranche_device_longest_wait_seconds", GAUGE, "seconds", "The longest wait for a turn.", "stats", "longest_wait_ns",
	  NANOSECONDS },
	{ "tranche_device_cpu_seconds", COUNTER, "seconds", "Processor time of executors.", "stats", "cpu_ns", NANOSECONDS },
	{ "tranche_device_traps", COUNTER, NULL, "Accesses of registers by a guest.", "stats", "traps", AS_IS },
	{ "tranche_device_doorbells", COUNTER, NULL, "Those by which it told of work.", "stats", "doorbells", AS_IS },
	{ "tranche_device_interrupts", COUNTER, NULL, "Interrupts of a guest.", "stats", "interrupts", AS_IS },
	{ "tranche_device_slices", COUNTER, NULL, "Turns that were given.", "stats", "slices", AS_IS },
	{ "tranche_device_stops", COUNTER, NULL, "Stops of executors that did not give their turn back.", "stats", "stops", AS_IS },
};

static void parent_labels(struct page *p, const json_t *parent)
{
	bool is_first = true;

	add_label(p, &is_first, "parent", json_string_value(json_object_get(parent, "name")));
}

static void device_labels(struct page *p, const json_t *device)
{
	bool is_first = true;

	add_label(p, &is_first, "uuid", json_string_value(json_object_get(device, "uuid")));
	add_label(p, &is_first, "parent", json_string_value(json_object_get(device, "parent")));
}

static void print_infos(struct page *p, json_t *devices)
{
	static const char *const keys[] = { "uuid", "parent", "type", "owner", "vm", "state", "lifetime" };
	size_t i;
	json_t *device;

	if (json_array_size(devices))
		begin(p, "tranche_device", INFO, NULL, "What a device is.");
	json_array_foreach(devices, i, device) {
		bool is_first = true;
		char buf[32];

		fputs("tranche_device_info{", p->f);
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			add_label(p, &is_first, keys[k], text_of(device, keys[k], buf, sizeof(buf)));
		fputs("} 1\n", p->f);
	}
}

/* ------------------------------------------------------ tranched itself */

static void print_gauge(struct page *p, const char *name, const char *unit, const char *help, uint64_t value)
{
	begin(p, name, GAUGE, unit, help);
	fprintf(p->f, "%s %" PRIu64 "\n", name, value);
}

static void print_counter(struct page *p, const char *name, const char *help, uint64_t value)
{
	begin(p, name, COUNTER, NULL, help);
	fprintf(p->f, "%s_total %" PRIu64 "\n", name, value);
}

static void print_http(struct page *p, const struct daemon_http *http)
{
	begin(p, "tranche_http_requests", COUNTER, NULL, "Requests that were answered, by status.");
	for (unsigned int i = 0; i < HTTP_STATUS_LIMIT; i++)
		if (http->answered[i])
			fprintf(p->f, "tranche_http_requests_total{code=\"%u\"} %" PRIu64 "\n", i, http->answered[i]);
	print_gauge(p, "tranche_http_connections", NULL, "Connections now.", http->nr_connections);
	print_gauge(p, "tranche_http_listeners", NULL, "Clients that listen to events.", daemon_http_events_streams(http));
	print_counter(p, "tranche_http_connections_accepted", "Connections that were accepted.", http->nr_accepted);
	print_counter(p, "tranche_http_connections_refused", "Connections that were too many.", http->nr_refused);
	print_counter(p, "tranche_events", "Events since tranched started.", daemon_http_events_count(http));
}

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	while (dir && readdir(dir))
		nr++;
	if (dir)
		closedir(dir);
	return nr > 3 ? nr - 3 : 0; /* ".", ".." and the folder itself */
}

static uint64_t resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;

	if (f && fscanf(f, "%*u %llu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* In seconds since 1970. */
static double start_time(void)
{
	char text[1024];
	FILE *f = fopen("/proc/self/stat", "re");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	const char *rest;
	unsigned long long ticks = 0;
	struct timespec now, up;

	if (f)
		fclose(f);
	text[n] = '\0';
	rest = strrchr(text, ')'); /* a name may have blanks */
	if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &ticks) != 1)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return (double)(now.tv_sec - up.tv_sec) + (double)(now.tv_nsec - up.tv_nsec) / 1e9 + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static void print_process(struct page *p)
{
	struct rusage usage;
	struct rlimit limit;

	if (getrusage(RUSAGE_SELF, &usage) == 0) {
		begin(p, "process_cpu_seconds", COUNTER, "seconds", "Processor time of tranched.");
		fputs("process_cpu_seconds_total", p->f);
		print_seconds(p, (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
					 (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u);
	}
	print_gauge(p, "process_resident_memory_bytes", "bytes", "Memory of tranched.", resident_bytes());
	print_gauge(p, "process_open_fds", NULL, "Files that tranched has open.", count_fds());
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		print_gauge(p, "process_max_fds", NULL, "Files that it may have open.", limit.rlim_cur);
	begin(p, "process_start_time_seconds", GAUGE, "seconds", "When tranched started, since 1970.");
	fprintf(p->f, "process_start_time_seconds %.2f\n", start_time());
}

/* ------------------------------------------------------------- the page */

typedef int (*get_fn)(struct daemon *d, const struct daemon_peer *peer, const char *name, json_t **ret, struct trn_error *err);

/* The list of that name; empty when it cannot be had now. */
static json_t *get_list(struct http_connection *c, get_fn get, const char *name)
{
	json_t *answer = NULL, *list = NULL;
	struct trn_error err = { 0 };

	if (get(c->http->manager, &c->peer, NULL, &answer, &err) == 0)
		list = json_incref(json_object_get(answer, name));
	json_decref(answer);
	return list ? list : json_array();
}

static void print_all(struct page *p, struct http_connection *c)
{
	json_t *parents = get_list(c, daemon_get_parents, "parents");
	json_t *devices = get_list(c, daemon_get_devices, "devices");
	json_t *definitions = get_list(c, daemon_get_definitions, "definitions");

	for (size_t i = 0; i < sizeof(parent_families) / sizeof(parent_families[0]); i++)
		print_family(p, parents, &parent_families[i], parent_labels);
	print_infos(p, devices);
	for (size_t i = 0; i < sizeof(device_families) / sizeof(device_families[0]); i++)
		print_family(p, devices, &device_families[i], device_labels);
	print_gauge(p, "tranche_devices", NULL, "Devices.", json_array_size(devices));
	print_gauge(p, "tranche_definitions", NULL, "Definitions.", json_array_size(definitions));
	print_http(p, c->http);
	print_process(p);
	if (p->is_open)
		fputs("# EOF\n", p->f);
	json_decref(parents);
	json_decref(devices);
	json_decref(definitions);
}

static bool wants_text(struct http_connection *c)
{
	const char *accept = MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);

	return accept && strstr(accept, "text/plain") && !strstr(accept, "openmetrics");
}

enum MHD_Result daemon_http_send_metrics(struct http_connection *c)
{
	struct page p = { .is_open = !wants_text(c) };
	struct MHD_Response *answer = NULL;
	char *text = NULL;
	size_t len = 0;

	p.f = open_memstream(&text, &len);
	if (!p.f)
		return MHD_NO;
	print_all(&p, c);
	if (fclose(p.f) == 0)
		answer = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	if (!answer) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE, p.is_open ? OPENMETRICS_TYPE : TEXT_TYPE);
	MHD_add_response_header(answer, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(answer, MHD_HTTP_HEADER_VARY, "Accept");
	return daemon_http_send(c, MHD_HTTP_OK, answer);
}

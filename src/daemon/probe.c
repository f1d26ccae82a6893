/* SPDX-License-Identifier: MIT */
/*
 * Asking programs that end: "tranche-executor --devices" loads the host's OpenCL, "tranche-device --list --json" asks each
 * driver.  Either may crash, hang, or say anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/process_priv.h"

#define MAX_OUTPUT (1u << 20)
#define MAX_LIST 1024u

struct probe {
	struct base_list node;
	struct daemon_processes *ps;
	const char *program; /* its path */
	union {
		daemon_probe_done opencl;
		daemon_drivers_done drivers;
	} fn;
	void (*finish)(struct probe *p, json_t *answer, const struct trn_error *err);
	void *data;
	pid_t pid;
	int pidfd, pipe;
	sd_event_source *io, *exit, *limit;
	char *text;
	size_t len;
	struct trn_error why; /* it is ended */
};

static void free_probe(struct probe *p)
{
	p->io = sd_event_source_disable_unref(p->io);
	p->exit = sd_event_source_disable_unref(p->exit);
	p->limit = sd_event_source_disable_unref(p->limit);
	base_close(p->pipe);
	base_close(p->pidfd);
	base_list_remove(&p->node);
	free(p->text);
	free(p);
}

/* A driver may have started others, in the session that is its own. */
static void kill_probe(struct probe *p)
{
	daemon_spawn_kill(p->pidfd);
	(void)kill(-p->pid, SIGKILL); /* not reaped yet: the number is its */
}

static void give_up(struct probe *p, const char *what)
{
	if (!p->why.name) {
		trn_error_set(&p->why, -EIO, "ProbeFailed", "%s %s, and was ended", p->program, what);
		trn_error_hint(&p->why, "run it by hand to see what it does");
	}
	p->io = sd_event_source_disable_unref(p->io);
	kill_probe(p);
}

/* ------------------------------------------------------------ its output */

/* Return: false: no more comes now. */
static bool read_some(struct probe *p)
{
	ssize_t n;

	if (p->len == MAX_OUTPUT) {
		give_up(p, "wrote more than 1 MiB");
		return false;
	}
	n = read(p->pipe, p->text + p->len, MAX_OUTPUT - p->len);
	if (n > 0)
		p->len += (size_t)n;
	else if (n == 0)
		p->io = sd_event_source_disable_unref(p->io);
	return n > 0 || (n < 0 && errno == EINTR);
}

static int handle_output(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	(void)read_some(data);
	return 0;
}

static json_t *parse(struct probe *p, const siginfo_t *info, struct trn_error *err)
{
	json_error_t at;
	json_t *answer;

	if (p->why.name) {
		*err = p->why;
		return NULL;
	}
	if (info->si_code != CLD_EXITED || info->si_status != 0) {
		trn_error_set(err, -EIO, "ProbeFailed", "%s %s %d", p->program,
			      info->si_code == CLD_EXITED ? "ended with status" : "was ended by signal", info->si_status);
		trn_error_hint(err, "run it by hand to see what is wrong");
		return NULL;
	}
	answer = json_loadb(p->text, p->len, 0, &at);
	if (!answer) {
		trn_error_set(err, -EPROTO, "ProbeFailed", "%s wrote what is no JSON, in line %d: %s", p->program, at.line, at.text);
		trn_error_hint(err, "install programs of one version");
	}
	return answer;
}

static int handle_exit(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct probe *p = data;
	struct trn_error err = { 0 };
	siginfo_t info = { 0 };
	json_t *answer;

	/* What is in the pipe; a child of it that keeps the other end is not waited for. */
	while (p->io && read_some(p))
		;
	(void)kill(-p->pid, SIGKILL);
	(void)waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG);
	answer = parse(p, &info, &err);
	base_list_remove(&p->node);
	p->finish(p, answer, err.code ? &err : NULL);
	json_decref(answer);
	free_probe(p);
	return 0;
}

static int handle_limit(sd_event_source *source, uint64_t usec, void *data)
{
	give_up(data, "did not end in time");
	return 0;
}

static int start(struct probe *p, char *const argv[], struct trn_error *err)
{
	_cleanup_close_ int out = -1;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return trn_error_set(err, -errno, "CannotStart", "cannot make a pipe: %s", strerror(errno));
	p->pipe = fds[0];
	out = fds[1];
	if (fcntl(p->pipe, F_SETFL, O_NONBLOCK) < 0)
		return trn_error_set(err, -errno, "CannotStart", "cannot make a pipe: %s", strerror(errno));
	p->pidfd = daemon_spawn(p->program, argv, -1, out, &p->pid, err);
	if (p->pidfd < 0)
		return p->pidfd;
	r = sd_event_add_io(p->ps->event, &p->io, p->pipe, EPOLLIN, handle_output, p);
	if (r >= 0)
		r = sd_event_add_io(p->ps->event, &p->exit, p->pidfd, EPOLLIN, handle_exit, p);
	if (r >= 0)
		r = daemon_link_arm(p->ps, &p->limit, p->ps->probe_us, handle_limit, p);
	if (r >= 0)
		return 0;
	kill_probe(p);
	(void)waitpid(p->pid, NULL, 0);
	return trn_error_set(err, r, "NoEventLoop", "cannot watch %s: %s", p->program, strerror(-r));
}

static int begin(struct daemon_processes *ps, const struct probe *as, char *const argv[], struct trn_error *err)
{
	struct probe *p = malloc(sizeof(*p));
	int r;

	if (!p)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	*p = *as;
	p->ps = ps;
	p->pipe = p->pidfd = -1;
	base_list_append(&ps->probes, &p->node);
	p->text = malloc(MAX_OUTPUT);
	r = p->text ? start(p, argv, err) : trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	if (r < 0)
		free_probe(p);
	return r;
}

void daemon_probes_destroy(struct daemon_processes *ps)
{
	struct probe *p, *next;

	base_list_for_each_safe(p, next, &ps->probes, node) {
		kill_probe(p);
		free_probe(p);
	}
}

/* ------------------------------------------------------------ JSON to structs */

static void take_text(json_t *object, const char *key, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(ret, size, "%s", text ? text : "");
	/* Cut between characters: what is passed on has to be UTF-8. */
	for (size_t len = strlen(ret); text && len && text[len] && ((unsigned char)text[len] & 0xc0) == 0x80;)
		ret[--len] = '\0';
}

static uint64_t take_number(json_t *object, const char *key, uint64_t max)
{
	json_int_t n = json_integer_value(json_object_get(object, key));

	return n < 0 ? 0 : (uint64_t)n > max ? max : (uint64_t)n;
}

static struct trn_resources take_resources(json_t *object)
{
	struct trn_resources ret = { 0 };

	for (enum trn_resource i = 0; i < TRN_NR_RESOURCES; i++)
		ret.amount[i] = take_number(object, trn_resource_name(i), INT64_MAX);
	return ret;
}

/* An array, and room for what is in it; NULL: it is none. */
static void *take_array(json_t *answer, const char *key, size_t size, json_t **ret, struct trn_error *err, const char *program)
{
	json_t *list = json_object_get(answer, key);
	void *room;

	if (!json_is_array(list) || json_array_size(list) > MAX_LIST) {
		trn_error_set(err, -EPROTO, "ProbeFailed", "%s wrote JSON without a list of \"%s\"", program, key);
		trn_error_hint(err, "install programs of one version");
		return NULL;
	}
	room = calloc(json_array_size(list) + 1, size);
	if (!room)
		trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	*ret = list;
	return room;
}

static void take_device(json_t *object, struct daemon_host_device *ret)
{
	ret->index = (uint32_t)take_number(object, "index", UINT32_MAX);
	take_text(object, "kind", ret->kind, sizeof(ret->kind));
	if (!strcmp(ret->kind, "accelerator")) /* names of parents begin with it */
		snprintf(ret->kind, sizeof(ret->kind), "accel");
	take_text(object, "name", ret->name, sizeof(ret->name));
	take_text(object, "vendor", ret->vendor, sizeof(ret->vendor));
	take_text(object, "driver", ret->driver, sizeof(ret->driver));
	take_text(object, "version", ret->version, sizeof(ret->version));
	take_text(object, "platform", ret->platform, sizeof(ret->platform));
	ret->memory = take_number(object, "memory", INT64_MAX);
	ret->units = (uint32_t)take_number(object, "units", UINT32_MAX);
}

static void finish_opencl(struct probe *p, json_t *answer, const struct trn_error *err)
{
	_cleanup_free_ struct daemon_host_device *devices = NULL;
	struct trn_error wrong = { 0 };
	json_t *list = NULL, *object;
	size_t i;

	if (!err) {
		devices = take_array(answer, "devices", sizeof(*devices), &list, &wrong, p->program);
		err = wrong.code ? &wrong : NULL;
	}
	json_array_foreach (list, i, object)
		if (devices)
			take_device(object, &devices[i]);
	p->fn.opencl(p->data, devices, err ? 0 : json_array_size(list), err);
}

int daemon_probe_opencl(struct daemon_processes *ps, daemon_probe_done done, void *data, struct trn_error *err)
{
	char *argv[] = { ps->executor_path, (char *)(uintptr_t) "--devices", NULL };
	const struct probe as = { .program = ps->executor_path, .fn.opencl = done, .finish = finish_opencl, .data = data };

	return begin(ps, &as, argv, err);
}

static void take_type(json_t *object, struct daemon_driver_type *ret)
{
	json_t *adjustable = json_object_get(object, "adjustable");

	take_text(object, "name", ret->name, sizeof(ret->name));
	take_text(object, "pretty_name", ret->pretty_name, sizeof(ret->pretty_name));
	take_text(object, "description", ret->description, sizeof(ret->description));
	take_text(object, "device_api", ret->device_api, sizeof(ret->device_api));
	ret->cost = take_resources(json_object_get(object, "cost"));
	for (size_t i = 0; i < json_array_size(adjustable); i++)
		for (enum trn_resource n = 0; n < TRN_NR_RESOURCES; n++)
			if (json_is_string(json_array_get(adjustable, i)) &&
			    !strcmp(json_string_value(json_array_get(adjustable, i)), trn_resource_name(n)))
				ret->adjustable |= 1u << n;
}

/* Return: 0 or the code of err. */
static int take_driver(json_t *object, struct daemon_driver *ret, struct trn_error *err, const char *program)
{
	json_t *list = NULL, *keys = json_object_get(object, "keys");

	take_text(object, "name", ret->name, sizeof(ret->name));
	ret->capacity = take_resources(json_object_get(object, "capacity"));
	ret->keys = json_is_array(keys) ? json_incref(keys) : json_array();
	ret->types = take_array(object, "types", sizeof(*ret->types), &list, err, program);
	if (!ret->types)
		return err->code;
	ret->nr_types = json_array_size(list);
	for (size_t i = 0; i < ret->nr_types; i++)
		take_type(json_array_get(list, i), &ret->types[i]);
	return 0;
}

static void free_drivers(struct daemon_driver *drivers, size_t nr)
{
	for (size_t i = 0; drivers && i < nr; i++) {
		free(drivers[i].types);
		json_decref(drivers[i].keys);
	}
	free(drivers);
}

static void finish_drivers(struct probe *p, json_t *answer, const struct trn_error *err)
{
	struct daemon_driver *drivers = NULL;
	struct trn_error wrong = { 0 };
	json_t *list = NULL;
	size_t nr = 0;

	if (!err) {
		drivers = take_array(answer, "drivers", sizeof(*drivers), &list, &wrong, p->program);
		nr = drivers ? json_array_size(list) : 0;
	}
	for (size_t i = 0; i < nr && !wrong.code; i++)
		(void)take_driver(json_array_get(list, i), &drivers[i], &wrong, p->program);
	if (wrong.code)
		err = &wrong;
	p->fn.drivers(p->data, err ? NULL : drivers, err ? 0 : nr, err);
	free_drivers(drivers, nr);
}

int daemon_probe_drivers(struct daemon_processes *ps, daemon_drivers_done done, void *data, struct trn_error *err)
{
	char *argv[] = { ps->device_path, (char *)(uintptr_t) "--list", (char *)(uintptr_t) "--json", NULL };
	const struct probe as = { .program = ps->device_path, .fn.drivers = done, .finish = finish_drivers, .data = data };

	return begin(ps, &as, argv, err);
}

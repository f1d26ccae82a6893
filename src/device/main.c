/* SPDX-License-Identifier: MIT */
/*
 * tranche-device: serves one device until it is told to stop.
 *
 * One event loop for the signals and what service and parent driver add to it; clients may have threads of their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "device/arguments.h"
#include "device/control_server.h"
#include "device/owner.h"
#include "device/process.h"
#include "device/traces.h"

#define EXIT_USAGE 2

static int handle_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct device_process *p = data;
	const char *name = sigabbrev_np((int)info->ssi_signo);

	sd_notify(0, "STOPPING=1");
	device_process_set_why(p, 0, "Signal", "it was told to by SIG%s", name ? name : "?");
	device_process_stop(p);
	return 0;
}

static void prepare_process(void)
{
	struct rlimit limit;
	sigset_t all;

	signal(SIGPIPE, SIG_IGN);
	/* Threads that are made on the way inherit this; see watch_signals(). */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	/* Every segment, connection, interrupt and piece of a guest's memory is a descriptor. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* From here on this thread, and no other, hears of signals. */
static int watch_signals(struct device_process *p, struct trn_error *err)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_SETMASK, &set, NULL);
	r = sd_event_add_signal(p->event, NULL, SIGTERM, handle_signal, p);
	if (r >= 0)
		r = sd_event_add_signal(p->event, NULL, SIGINT, handle_signal, p);
	return r < 0 ? trn_error_set(err, r, "NoEventLoop", "cannot watch for signals: %s", strerror(-r)) : 0;
}

static int open_listener(struct device_process *p, struct trn_error *err)
{
	int fd = p->options.fd;

	if (fd < 0)
		fd = p->service->listen(p->options.socket_path, err);
	if (fd < 0)
		return fd;
	p->listener = fd;
	p->owns_socket = p->options.fd < 0;
	if (p->owns_socket && p->options.has_owner)
		device_owner_give(p->options.socket_path, p->options.owner);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		trn_error_set(err, -errno, "BadSocket", "descriptor %d of --fd: %s", fd, strerror(errno));
		return trn_error_hint(err, "open a listening Unix socket at that number, or use --socket-path");
	}
	return 0;
}

static int make_device(struct device_process *p, struct trn_error *err)
{
	struct trn_create_params params = { .uuid = p->options.uuid };
	struct trn_type *type;
	int r = device_process_register(p, err);

	if (r < 0)
		return r;
	type = device_process_find_type(p, err);
	if (!type)
		return -ENOENT;
	if (p->options.memory) {
		params.override |= 1u << TRN_RESOURCE_MEMORY;
		params.resources.amount[TRN_RESOURCE_MEMORY] = p->options.memory;
	}
	if (p->options.time) {
		params.override |= 1u << TRN_RESOURCE_TIME;
		params.resources.amount[TRN_RESOURCE_TIME] = p->options.time;
	}
	return trn_device_create(type, &params, &p->dev, err);
}

/* The sockets appear last: who sees them can connect. */
static int serve(struct device_process *p, struct trn_error *err)
{
	int r = p->service->prepare(p, err);

	if (r >= 0)
		r = make_device(p, err);
	if (r >= 0)
		r = watch_signals(p, err);
	if (r >= 0)
		r = open_listener(p, err);
	if (r >= 0)
		r = p->service->start(p, err);
	if (r >= 0 && p->options.control_socket)
		r = device_control_server_open(p, &p->control, err);
	if (r < 0)
		return r;
	if (p->driver->announce)
		p->driver->announce(p);
	sd_notify(0, "READY=1");
	r = sd_event_loop(p->event);
	device_process_set_why(p, 0, "Stopped", "nobody needs it any more");
	return r < 0 ? trn_error_set(err, r, "EventLoop", "the event loop ended: %s", strerror(-r)) : 0;
}

static void finish(struct device_process *p)
{
	bool is_prepared = p->service_data;

	device_process_limit_end(p);
	if (p->control)
		device_control_server_stop(p->control);
	if (is_prepared)
		p->service->end(p);
	p->listener = base_close(p->listener);
	device_process_remove_socket(p);
	if (p->dev)
		trn_device_remove(p->dev, NULL, NULL);
	p->dev = trn_device_unref(p->dev);
	device_process_unregister(p);
	if (is_prepared)
		p->service->finish(p);
}

/* Return: the exit status. */
static int run(struct device_process *p, struct trn_error *err)
{
	int r;

	prepare_process();
	r = serve(p, err);
	if (r < 0) {
		trn_error_set(err, r, "CannotServe", "the device cannot be served: %s", strerror(-r)); /* a driver said no more */
		base_log_error(BASE_LOG_ERROR, err);
	}
	finish(p);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Is all there that is needed? */
static int check(struct device_process *p, struct trn_error *err)
{
	int r;

	p->driver = device_driver_find(p->options.parent, err);
	if (!p->driver)
		return -ENOENT;
	r = device_process_choose_service(p, err);
	if (r >= 0)
		r = p->service->check(&p->options, err);
	return r < 0 ? r : device_driver_check_keys(p, err);
}

static int list(const struct device_process *p, struct trn_error *err)
{
	int r = p->options.is_json ? device_list_json(err) : device_list(err);

	if (r < 0)
		base_log_error(BASE_LOG_ERROR, err);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* r: what became of the command line. */
static int check_and_run(struct device_process *p, int r, struct trn_error *err)
{
	int status = r < 0 ? EXIT_USAGE : EXIT_FAILURE;

	if (r >= 0)
		r = check(p, err);
	if (r < 0)
		base_log_error(BASE_LOG_ERROR, err);
	else
		status = run(p, err);
	/* What a driver finds wrong in its options is a mistake of the command line, too. */
	if (err->code && !strcmp(err->name, "BadOption"))
		status = EXIT_USAGE;
	if (p->options.ended)
		device_ended_write(p->options.ended, err->code ? err : &p->why);
	/* Last: who waits for the end of its connection finds everything gone, and the reason. */
	device_control_server_close(p->control);
	return status;
}

/* First of all: what another process is doing is not disturbed. */
static int lock_and_run(struct device_process *p, int r, struct trn_error *err)
{
	struct trn_error held = { 0 };

	if (p->options.lock) {
		p->lock = device_lock_take(p->options.lock, &held);
		if (p->lock < 0) {
			base_log_error(BASE_LOG_ERROR, &held);
			return EXIT_FAILURE;
		}
		/* Of one that was killed: nobody shall take it for ours. */
		if (p->options.control_socket)
			device_remove_stale(p->options.control_socket);
	}
	return check_and_run(p, r, err);
}

int main(int argc, char **argv)
{
	struct device_process p = { .listener = -1, .lock = -1, .reserve = open("/dev/null", O_RDONLY | O_CLOEXEC) };
	struct device_arguments arguments;
	struct trn_error err = { 0 };
	int r, status;

	base_log_init("tranche-device");
	device_process_identify(&p);
	r = device_arguments_load(argc, argv, &arguments, &err);
	if (r >= 0)
		r = device_options_parse(arguments.argc, arguments.argv, &p.options, &err);
	if (r > 0)
		status = EXIT_SUCCESS;
	else if (r == 0 && p.options.is_list)
		status = list(&p, &err);
	else
		status = lock_and_run(&p, r, &err);
	base_close(p.lock);
	base_close(p.reserve);
	device_arguments_free(&arguments);
	return status;
}

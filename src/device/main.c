/* SPDX-License-Identifier: MIT */
/*
 * tranche-device: serves one device until it is told to stop.
 *
 * One event loop for the signals and what service and parent driver add to it; clients may have threads of their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/thread.h"
#include "device/process.h"

#define EXIT_USAGE 2
#define GRACE_S 10 /* what an end may take */

static int handle_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct device_process *p = data;

	sd_notify(0, "STOPPING=1");
	p->service->stop(p);
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
		params.override = 1u << TRN_RESOURCE_MEMORY;
		params.resources.amount[TRN_RESOURCE_MEMORY] = p->options.memory;
	}
	return trn_device_create(type, &params, &p->dev, err);
}

/* The socket appears last: who sees it can connect. */
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
	if (r < 0)
		return r;
	if (p->driver->announce)
		p->driver->announce(p);
	sd_notify(0, "READY=1");
	r = sd_event_loop(p->event);
	return r < 0 ? trn_error_set(err, r, "EventLoop", "the event loop ended: %s", strerror(-r)) : 0;
}

/* A client that wants to can make a thread wait in the kernel: by a file that it serves itself, for example. */
static void *end_anyway(void *arg)
{
	const struct device_process *p = arg;

	sleep(GRACE_S);
	log_error("the device ends without its clients, which did not let go of it within %d s", GRACE_S);
	if (p->owns_socket)
		unlink(p->options.socket_path);
	_exit(EXIT_FAILURE);
}

static void limit_end(struct device_process *p)
{
	pthread_t thread;

	if (base_thread_start(&thread, end_anyway, p) == 0)
		pthread_detach(thread);
}

static void finish(struct device_process *p)
{
	bool is_prepared = p->service_data;

	limit_end(p);
	if (is_prepared)
		p->service->end(p);
	p->listener = base_close(p->listener);
	if (p->owns_socket)
		unlink(p->options.socket_path);
	if (p->dev)
		trn_device_remove(p->dev, NULL, NULL);
	p->dev = trn_device_unref(p->dev);
	device_process_unregister(p);
	if (is_prepared)
		p->service->finish(p);
}

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
	if (r < 0)
		return strcmp(err->name, "BadOption") ? EXIT_FAILURE : EXIT_USAGE;
	return EXIT_SUCCESS;
}

/* Return: the exit status. */
static int fail(const struct trn_error *err, int status)
{
	base_log_error(BASE_LOG_ERROR, err);
	return status;
}

int main(int argc, char **argv)
{
	struct device_process p = { .listener = -1 };
	struct trn_error err = { 0 };
	int r;

	base_log_init("tranche-device");
	r = device_options_parse(argc, argv, &p.options, &err);
	if (r)
		return r < 0 ? fail(&err, EXIT_USAGE) : EXIT_SUCCESS;
	if (p.options.is_list)
		return device_list(&err) < 0 ? fail(&err, EXIT_FAILURE) : EXIT_SUCCESS;
	p.driver = device_driver_find(p.options.parent, &err);
	if (!p.driver)
		return fail(&err, EXIT_FAILURE);
	p.service = p.driver->service;
	r = p.service->check(&p.options, &err);
	if (r >= 0)
		r = device_driver_check_keys(&p, &err);
	return r < 0 ? fail(&err, EXIT_USAGE) : run(&p, &err);
}

/* SPDX-License-Identifier: MIT */
/* How a device process ends, and what it says of it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/thread.h"
#include "device/process.h"
#include "device/traces.h"

#define GRACE_S 10 /* what an end may take */

void device_process_set_why(struct device_process *p, int code, const char *name, const char *fmt, ...)
{
	struct trn_error why = { 0 };
	char text[sizeof(why.text)];
	va_list ap;

	if (p->why.name)
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	trn_error_set(&why, code, name, "%s", text);
	p->why = why;
}

void device_process_stop(struct device_process *p)
{
	p->is_stopping = true;
	p->service->stop(p);
}

void device_process_remove_socket(struct device_process *p)
{
	if (p->owns_socket)
		unlink(p->options.socket_path);
	p->owns_socket = false;
}

/* A client that wants to can make a thread wait in the kernel: by a file that it serves itself, for example. */
static void *end_anyway(void *arg)
{
	const struct device_process *p = arg;
	struct trn_error why = { 0 };

	sleep(GRACE_S);
	trn_error_set(&why, -ETIMEDOUT, "ClientsHang", "the device ends without its clients, which did not let go of it within %d s",
		      GRACE_S);
	base_log_error(BASE_LOG_ERROR, &why);
	if (p->owns_socket)
		unlink(p->options.socket_path);
	if (p->options.control_socket && p->control)
		unlink(p->options.control_socket);
	if (p->options.ended)
		device_ended_write(p->options.ended, &why);
	_exit(EXIT_FAILURE);
}

void device_process_limit_end(struct device_process *p)
{
	pthread_t thread;

	if (p->has_limit || base_thread_start(&thread, end_anyway, p) < 0)
		return;
	p->has_limit = true;
	pthread_detach(thread);
}

/*
 * Without a descriptor nobody can be let in, and a connection that stays in the queue keeps the loop awake: the reserve
 * is used to turn it away.
 */
void device_process_turn_one_away(struct device_process *p, int listener)
{
	p->reserve = base_close(p->reserve);
	base_close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	p->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	log_warning("no descriptor is left for another connection");
}

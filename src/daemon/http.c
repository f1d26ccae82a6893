/* SPDX-License-Identifier: MIT */
#include "daemon/http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/http_priv.h"

#define US_PER_S 1000000ull
#define DEFAULT_CONNECTIONS 1000u
#define OTHER_FDS 512u /* what the rest of the process may need */

/* MHD works until it would have to wait. What it has left to do without waiting is done in the next turn of the loop. */
static void run(struct daemon_http *http)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(http->mhd);
	if (MHD_get_timeout(http->mhd, &ms) == MHD_YES)
		sd_event_source_set_enabled(http->again, SD_EVENT_ONESHOT);
}

static int handle_ready(sd_event_source *source, int fd, uint32_t events, void *data)
{
	run(data);
	return 0;
}

static int handle_again(sd_event_source *source, void *data)
{
	run(data);
	return 0;
}

static void handle_connection(void *cls, struct MHD_Connection *mhd, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct daemon_http *http = cls;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		daemon_http_connection_destroy(*socket_context);
		*socket_context = NULL;
		return;
	}
	*socket_context = http->adding;
	if (http->adding)
		http->adding->mhd = mhd;
}

/* We decode ourselves, after a path was split: "%2F" is no slash. */
static size_t leave_encoded(void *cls, struct MHD_Connection *mhd, char *text)
{
	return strlen(text);
}

static void __attribute__((format(printf, 2, 0))) log_library(void *cls, const char *fmt, va_list ap)
{
	char text[256];

	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	log_debug("http: %s", text);
}

static int start_library(struct daemon_http *http, struct trn_error *err)
{
	const union MHD_DaemonInfo *info;
	int r;

	http->mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		daemon_http_handle, http,
		MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
		MHD_OPTION_NOTIFY_CONNECTION, handle_connection, http,
		MHD_OPTION_NOTIFY_COMPLETED, daemon_http_complete, http,
		MHD_OPTION_URI_LOG_CALLBACK, daemon_http_begin, http,
		MHD_OPTION_UNESCAPE_CALLBACK, leave_encoded, NULL,
		/* We count ourselves, and refuse those that are too many instead of letting them wait. */
		MHD_OPTION_CONNECTION_LIMIT, 1u << 20,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
		MHD_OPTION_END);
	if (!http->mhd)
		return trn_error_set(err, -ENOMEM, "HttpFailed", "libmicrohttpd does not start: %s", strerror(errno));
	info = MHD_get_daemon_info(http->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || info->epoll_fd < 0)
		return trn_error_set(err, -EOPNOTSUPP, "HttpFailed", "this libmicrohttpd has no epoll");
	r = sd_event_add_io(http->event, &http->ready, info->epoll_fd, EPOLLIN, handle_ready, http);
	if (r >= 0)
		r = sd_event_add_defer(http->event, &http->again, handle_again, http);
	if (r >= 0)
		r = sd_event_source_set_enabled(http->again, SD_EVENT_OFF);
	return r < 0 ? trn_error_set(err, r, "HttpFailed", "the event loop takes no more: %s", strerror(-r)) : 0;
}

/* Each connection has a descriptor, and the usual limit of 1,024 is for programs that use select(). */
static unsigned int raise_limit(unsigned int connections)
{
	rlim_t wanted = (rlim_t)connections + OTHER_FDS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return connections;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= wanted)
		return connections;
	getrlimit(RLIMIT_NOFILE, &limit);
	connections = limit.rlim_cur > 2 * OTHER_FDS ? (unsigned int)limit.rlim_cur - OTHER_FDS : (unsigned int)limit.rlim_cur / 2;
	log_warning("the system lets this process open %llu files: no more than %u connections", (unsigned long long)limit.rlim_cur,
		    connections);
	return connections;
}

static void set_limits(struct daemon_http *http, const struct daemon_config *config)
{
	http->limits = (struct http_limits){
		.head = 10 * US_PER_S,
		.idle = 60 * US_PER_S,
		.answer = 60 * US_PER_S,
		.keep_alive = 15 * US_PER_S,
		.connections = raise_limit(config->max_connections ? config->max_connections : DEFAULT_CONNECTIONS),
	};
}

static int make_documents(struct daemon_http *http, struct trn_error *err)
{
	http->page = daemon_http_make_document(&daemon_http_page_document);
	http->openapi = daemon_http_make_document(&daemon_http_openapi_document);
	return http->page && http->openapi ? 0 : trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the status page");
}

int daemon_http_create(sd_event *event, struct daemon *manager, const struct daemon_config *config, struct daemon_http **ret,
		       struct trn_error *err)
{
	struct daemon_http *http = calloc(1, sizeof(*http));
	int r;

	if (!http)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the API");
	http->event = sd_event_ref(event);
	http->manager = manager;
	http->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	base_list_init(&http->connections);
	for (unsigned int i = 0; i < HTTP_NR_LISTENERS; i++)
		http->listeners[i].fd = -1;
	set_limits(http, config);
	daemon_access_load(&http->access, config);
	r = start_library(http, err);
	if (r == 0)
		r = make_documents(http, err);
	if (r == 0)
		r = daemon_http_events_create(http, err);
	if (r == 0)
		r = daemon_http_listen(http, config, err);
	if (r < 0)
		daemon_http_destroy(http);
	else
		*ret = http;
	return r;
}

void daemon_http_reload(struct daemon_http *http, const struct daemon_config *config)
{
	set_limits(http, config);
	daemon_access_load(&http->access, config);
	daemon_http_relisten(http, config);
}

/* MHD insists that nothing is suspended when it is stopped. */
static void abandon_all(struct daemon_http *http)
{
	struct http_connection *c;

	base_list_for_each(c, &http->connections, node) {
		daemon_http_unwatch(c);
		daemon_http_call_abandon(c);
		if (c->mhd && (c->state == HTTP_BUSY || c->state == HTTP_STREAM))
			MHD_resume_connection(c->mhd);
	}
}

void daemon_http_destroy(struct daemon_http *http)
{
	if (!http)
		return;
	daemon_http_unlisten(http);
	abandon_all(http);
	if (http->mhd)
		MHD_stop_daemon(http->mhd);
	daemon_http_events_destroy(http);
	if (http->page)
		MHD_destroy_response(http->page);
	if (http->openapi)
		MHD_destroy_response(http->openapi);
	sd_event_source_disable_unref(http->ready);
	sd_event_source_disable_unref(http->again);
	sd_event_source_disable_unref(http->sweep);
	sd_event_unref(http->event);
	base_close(http->spare_fd);
	free(http);
}

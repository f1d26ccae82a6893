/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "client/refuse.h"
#include "client/transport.h"
#ifdef CLIENT_ACCEL
#include "client/accel.h"
#endif

#define SYSTEM_FOLDER "/run/tranche"
#define SUFFIX ".sock"

/* Found once; then they stay for the process. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct client_device **devices;
static size_t nr_devices;
static _Atomic bool is_found; /* lets a forked child pass by the lock, which another thread may have held */
static _Atomic bool is_sharing;

void client_devices_allow_sharing(void)
{
	atomic_store(&is_sharing, true);
}

bool client_devices_is_sharing(void)
{
	const char *wish = secure_getenv("TRANCHE_SHARING");

	return atomic_load(&is_sharing) || (wish && strcmp(wish, "1") == 0);
}

/* A node of a driver, or a socket; what is not there may become a socket. */
static const struct client_transport *choose_transport(const char *path)
{
#ifdef CLIENT_ACCEL
	struct stat st;

	if (stat(path, &st) == 0 && S_ISCHR(st.st_mode))
		return &client_accel;
#endif
	return &client_socket;
}

static int add_device(const char *path, size_t len)
{
	struct client_device **bigger = reallocarray(devices, nr_devices + 1, sizeof(struct client_device *));
	struct client_device *d;

	if (!bigger)
		return -ENOMEM;
	devices = bigger;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->path = strndup(path, len);
	if (!d->path) {
		free(d);
		return -ENOMEM;
	}
	d->transport = choose_transport(d->path);
#ifdef CLIENT_ACCEL
	d->calls = &client_accel_libc;
#endif
	pthread_mutex_init(&d->lock, NULL);
	devices[nr_devices++] = d;
	return 0;
}

static int add_list(const char *paths)
{
	for (;;) {
		size_t len = strcspn(paths, ":");

		if (len) {
			int r = add_device(paths, len);

			if (r < 0)
				return r;
		}
		if (!paths[len])
			return 0;
		paths += len + 1;
	}
}

static int is_socket_name(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > strlen(SUFFIX) && entry->d_name[0] != '.' &&
	       strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX) == 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name); /* the same order in every locale */
}

/* A folder that is not there or not for us has no devices. */
static int add_folder(const char *folder)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, is_socket_name, compare_names);
	int r = 0;

	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = NULL;

		if (r == 0)
			r = asprintf(&path, "%s/%s", folder, entries[i]->d_name);
		if (r > 0)
			r = add_device(path, (size_t)r);
		else if (r < 0)
			path = NULL; /* undefined after a failure */
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return r < 0 ? -ENOMEM : 0;
}

static int add_runtime_folder(void)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	_cleanup_free_ char *folder = NULL;

	if (!runtime || runtime[0] != '/')
		return 0;
	if (asprintf(&folder, "%s/tranche", runtime) < 0) {
		folder = NULL;
		return -ENOMEM;
	}
	return add_folder(folder);
}

#ifdef CLIENT_ACCEL
static int add_node(void *unused, const char *path)
{
	return add_device(path, strlen(path));
}

static int find_nodes(char **ret_denied)
{
	return client_accel_find(add_node, NULL, ret_denied);
}
#else
static int find_nodes(char **ret_denied)
{
	return 0;
}
#endif

/* Without it a program would find no device and never know why. */
static void tell_denied(const char *path)
{
	if (secure_getenv("TRANCHE_QUIET"))
		return;
	fprintf(stderr, "tranche: %s: you may not open this device\n", path);
	fprintf(stderr, "tranche: hint: " CLIENT_HINT_GROUP "\n");
}

static int find_unnamed(void)
{
	_cleanup_free_ char *denied = NULL;
	int r = find_nodes(&denied);

	if (r == 0)
		r = add_runtime_folder();
	if (r == 0)
		r = add_folder(SYSTEM_FOLDER);
	if (r == 0 && nr_devices == 0 && denied)
		tell_denied(denied);
	return r;
}

static int find_all(void)
{
	const char *list = secure_getenv("TRANCHE_DEVICE");

	/* The executor's own OpenCL must not find the way back to a device. */
	if (secure_getenv("TRANCHE_EXECUTOR"))
		return 0;
	return list ? add_list(list) : find_unnamed();
}

int client_devices_find(struct client_device ***ret_devices)
{
	int r = 0;

	if (!atomic_load(&is_found)) {
		pthread_mutex_lock(&lock);
		if (!atomic_load(&is_found)) {
			nr_devices = 0; /* of an attempt that failed */
			r = find_all();
			if (r == 0)
				r = client_fork_watch_devices(devices, nr_devices);
			atomic_store(&is_found, r == 0);
		}
		pthread_mutex_unlock(&lock);
	}
	if (r < 0)
		return r;
	*ret_devices = devices;
	return (int)nr_devices;
}

const char *client_device_path(const struct client_device *d)
{
	return d->path;
}

int client_device_probe(struct client_device *d, const void **ret_blob, size_t *ret_len, struct trn_error *err)
{
	bool is_known;

	pthread_mutex_lock(&d->lock);
	is_known = d->is_known;
	pthread_mutex_unlock(&d->lock);
	if (!is_known) {
		struct client_session *s;
		int r = client_session_get(d, &s, err);

		if (r < 0)
			return r;
		client_session_put(s);
	}
	*ret_blob = d->probe;
	*ret_len = d->probe_len;
	return 0;
}

uint64_t client_device_quota(const struct client_device *d)
{
	return d->quota;
}

bool client_device_has_svm(const struct client_device *d)
{
	return d->has_svm;
}

const uint8_t *client_device_uuid(const struct client_device *d)
{
	return d->uuid;
}

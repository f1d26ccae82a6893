/* SPDX-License-Identifier: MIT */
/* What all processes have in common: the runtime directory, whose they are, which run of the machine this is. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/process_priv.h"

#define PROBE_US (20 * 1000000ull)

static int refuse_folder(struct trn_error *err, int r, const char *path)
{
	trn_error_set(err, r, "NoFolder", "cannot use %s for running devices: %s", path, strerror(-r));
	return trn_error_hint(err, "make it, or choose another runtime directory");
}

static int open_folder(int parent, const char *name, mode_t mode, struct trn_error *err)
{
	struct stat st;
	int fd;

	if (mkdirat(parent, name, mode) < 0 && errno != EEXIST)
		return refuse_folder(err, -errno, name);
	/* The runtime directory may be that of the processes' user: a link there is not followed, and a folder there must be ours. */
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (parent == AT_FDCWD ? 0 : O_NOFOLLOW));
	if (fd < 0)
		return refuse_folder(err, -errno, name);
	if (parent != AT_FDCWD && (fstat(fd, &st) < 0 || st.st_uid != geteuid())) {
		base_close(fd);
		return refuse_folder(err, -EPERM, name);
	}
	return fd;
}

static int find_user(struct daemon_processes *ps, const struct daemon_config *config, struct trn_error *err)
{
	const struct passwd *user;

	ps->device_uid = geteuid();
	ps->device_gid = getegid();
	if (!ps->uses_systemd || ps->is_user || geteuid() != 0)
		return 0;
	user = getpwnam(config->device_user); /* NOLINT(concurrency-mt-unsafe): one thread */
	if (!user) {
		trn_error_set(err, -ENOENT, "NoUser", "there is no user %s, whom device processes belong to", config->device_user);
		return trn_error_hint(err, "systemd-sysusers makes it, or name another one in the configuration");
	}
	ps->device_uid = user->pw_uid;
	ps->device_gid = user->pw_gid;
	ps->gives_away = user->pw_uid != 0;
	return 0;
}

/* Device processes make their faces in it, and go through to the folders below it that are theirs. */
static int open_folders(struct daemon_processes *ps, const struct daemon_config *config, struct trn_error *err)
{
	struct stat st;

	ps->runtime_fd = open_folder(AT_FDCWD, config->runtime_dir, ps->is_user ? 0700 : 0755, err);
	if (ps->runtime_fd < 0)
		return ps->runtime_fd;
	if (ps->gives_away && (fstat(ps->runtime_fd, &st) < 0 ||
			       (st.st_uid != ps->device_uid && fchown(ps->runtime_fd, ps->device_uid, ps->device_gid) < 0)))
		return refuse_folder(err, -errno, config->runtime_dir);
	/* Units find their start file by the same path, wherever they are started. */
	ps->runtime_dir = realpath(config->runtime_dir, NULL);
	if (!ps->runtime_dir)
		return refuse_folder(err, -errno, config->runtime_dir);
	ps->devices_fd = open_folder(ps->runtime_fd, "devices", ps->gives_away ? 0711 : 0700, err);
	if (ps->devices_fd < 0)
		return ps->devices_fd;
	ps->parents_fd = open_folder(ps->runtime_fd, "parents", ps->gives_away ? 0711 : 0700, err);
	return ps->parents_fd < 0 ? ps->parents_fd : 0;
}

static int digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static int read_boot_id(struct daemon_processes *ps, struct trn_error *err)
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[TRN_UUID_SIZE] = "", uuid[TRN_UUID_SIZE];
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
	size_t at = 0;

	if (n < 0 || trn_uuid_parse(text, (size_t)n, uuid, NULL) < 0)
		return trn_error_set(err, -EIO, "NoBootId", "cannot read /proc/sys/kernel/random/boot_id");
	for (const char *c = uuid; *c; c++) {
		if (*c == '-')
			continue;
		ps->boot_id[at / 2] = (uint8_t)(ps->boot_id[at / 2] << 4 | digit(*c));
		at++;
	}
	return 0;
}

static int init(struct daemon_processes *ps, const struct daemon_config *config, struct trn_error *err)
{
	int r;

	if (config->store && !(ps->store = strdup(config->store)))
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	r = find_user(ps, config, err);
	if (r >= 0)
		r = open_folders(ps, config, err);
	if (r >= 0)
		r = read_boot_id(ps, err);
	daemon_spawn_find(ps);
	return r;
}

int daemon_processes_create(sd_event *event, const struct daemon_config *config, struct daemon_processes **ret, struct trn_error *err)
{
	struct daemon_processes *ps = calloc(1, sizeof(*ps));
	int r;

	if (!ps)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	ps->event = sd_event_ref(event);
	ps->uses_systemd = config->uses_systemd;
	ps->is_user = config->is_user;
	ps->runtime_fd = ps->devices_fd = ps->parents_fd = ps->inotify = -1;
	ps->probe_us = PROBE_US;
	base_list_init(&ps->links);
	base_list_init(&ps->devices);
	base_list_init(&ps->sharers);
	base_list_init(&ps->probes);
	r = init(ps, config, err);
	if (r < 0) {
		daemon_processes_destroy(ps);
		return r;
	}
	*ret = ps;
	return 0;
}

void daemon_processes_destroy(struct daemon_processes *ps)
{
	struct daemon_process *p, *next;

	if (!ps)
		return;
	daemon_probes_destroy(ps);
	daemon_adopt_destroy(ps);
	base_list_for_each_safe(p, next, &ps->devices, node)
		daemon_process_free(p);
	daemon_sharers_destroy(ps);
	daemon_units_destroy(ps);
	sd_event_source_disable_unref(ps->inotify_io);
	base_close(ps->inotify);
	base_close(ps->parents_fd);
	base_close(ps->devices_fd);
	base_close(ps->runtime_fd);
	for (size_t i = 0; i < ps->nr_names; i++)
		free(ps->names[i]);
	sd_event_unref(ps->event);
	free(ps->store);
	free(ps->runtime_dir);
	free(ps);
}

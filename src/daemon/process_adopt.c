/* SPDX-License-Identifier: MIT */
/*
 * What a tranched before us has left in RUNTIME/devices: devices that go on, and what has to be cleaned up.
 *
 * A lock tells whether somebody lives, the handshake who it is.  A start that was not finished ends by itself when nobody
 * confirms it; it is given a second, then it is ended.  Only while such a one is looked at, its lock is asked for again and again:
 * nobody tells of a lock that is given back.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/process_priv.h"

#define LOOK_US (20 * 1000ull)
#define MAX_LOOKS 50u /* without a connection */
#define MAX_RECORD (1u << 20)

struct daemon_adoption {
	struct daemon_processes *ps;
	daemon_found_fn found;
	void (*over)(void *manager);
	void *manager;
	unsigned int nr_left;
	sd_event_source *done;
};

static bool is_alive(int folder)
{
	return daemon_folder_is_locked(folder, "lock") || daemon_folder_is_locked(folder, "start");
}

static json_t *read_record(const struct daemon_process *p)
{
	size_t len = 0;
	_cleanup_free_ char *text = daemon_folder_read(p->link.folder, "record.json", MAX_RECORD, &len);

	return text ? json_loadb(text, len, 0, NULL) : NULL;
}

static void end(struct daemon_process *p, const char *why)
{
	struct trn_error err = { 0 };

	trn_error_set(&err, -ESTALE, "NotAdopted", "%s", why);
	daemon_process_end(p, &err);
}

/* hello: NULL: it does not answer. */
static void offer(struct daemon_process *p, const struct trnc_control_hello *hello)
{
	struct daemon_adoption *a = p->adoption;
	json_t *record = read_record(p);
	int r = -EINVAL;

	if (!record) {
		end(p, "its record is missing, or cannot be read");
		return;
	}
	p->state = DAEMON_PROCESS_KNOWN;
	p->was_told = hello;
	r = a->found(a->manager, p, p->uuid, record, hello, &p->events, &p->data);
	json_decref(record);
	if (r < 0) {
		p->state = DAEMON_PROCESS_UNWANTED;
		end(p, "nobody knows it any more");
		return;
	}
	daemon_adopt_forget(p);
}

void daemon_adopt_greeted(struct daemon_process *p, const struct trnc_control_hello *hello)
{
	if (hello->flags & TRNC_CONTROL_FLAG_CONFIRMED)
		offer(p, hello);
	else
		end(p, "its start was not finished");
}

/* Until it is connected: does it live, does it get as far as its socket?  After that: how long it takes to answer. */
static int handle_look(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_process *p = data;
	bool has_connected = p->looks > MAX_LOOKS;

	if (has_connected && daemon_link_is_connected(&p->link)) {
		log_warning("%s does not answer", p->what);
		offer(p, NULL);
	} else if (!has_connected && daemon_link_is_connected(&p->link)) {
		p->looks = MAX_LOOKS + 1;
		daemon_link_arm(p->ps, &p->limit, DAEMON_ANSWER_US, handle_look, p);
	} else if (!has_connected && (p->looks == MAX_LOOKS || !is_alive(p->link.folder))) {
		end(p, "it has ended, or has not come as far as its socket");
	} else if (!has_connected) {
		p->looks++;
		daemon_link_arm(p->ps, &p->limit, LOOK_US, handle_look, p);
	}
	return 0;
}

/* Return: 0; -errno: it was not taken on. */
static int look_at(struct daemon_adoption *a, const char *uuid, int folder, struct trn_error *err)
{
	bool lives = is_alive(folder);
	struct daemon_process *p;
	int r = daemon_process_new(a->ps, uuid, folder, &p, err);

	if (r < 0)
		return r;
	p->state = DAEMON_PROCESS_ADOPTING;
	p->adoption = a;
	a->nr_left++;
	/* systemd may be about to start it, or may not know that it has ended. */
	if (!lives) {
		end(p, "it has ended while nobody looked");
		return 0;
	}
	r = daemon_link_watch(&p->link, err);
	if (r >= 0)
		r = daemon_link_arm(a->ps, &p->limit, LOOK_US, handle_look, p);
	daemon_link_connect(&p->link, 0);
	return r;
}

static void look_at_entry(struct daemon_adoption *a, const char *name)
{
	struct trn_error err = { 0 };
	char uuid[TRN_UUID_SIZE];
	int folder;

	if (trn_uuid_parse(name, strlen(name), uuid, NULL) < 0 || strcmp(name, uuid) != 0) {
		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			log_warning("%s/devices/%s is no device's folder, and is left alone", a->ps->runtime_dir, name);
		return;
	}
	if (daemon_process_find(a->ps, uuid))
		return;
	folder = openat(a->ps->devices_fd, uuid, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		daemon_process_clean(a->ps, uuid);
	else if (look_at(a, uuid, folder, &err) < 0)
		base_log_error(BASE_LOG_ERROR, &err);
}

static DIR *open_again(int fd)
{
	int other = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = other >= 0 ? fdopendir(other) : NULL;

	if (!dir)
		base_close(other);
	return dir;
}

/* UUID.sock, whose device has no folder: of one that was killed while its folder was removed. */
static void clean_face(struct daemon_processes *ps, const char *name)
{
	char uuid[TRN_UUID_SIZE];

	if (strlen(name) != TRN_UUID_SIZE - 1 + strlen(".sock") || strcmp(name + TRN_UUID_SIZE - 1, ".sock") != 0 ||
	    trn_uuid_parse(name, TRN_UUID_SIZE - 1, uuid, NULL) < 0)
		return;
	if (!daemon_process_find(ps, uuid))
		daemon_process_clean(ps, uuid); /* unless somebody listens there */
}

static int handle_over(sd_event_source *source, void *data)
{
	struct daemon_adoption *a = data;

	sd_event_source_disable_unref(a->done);
	a->ps->adoption = NULL;
	a->over(a->manager);
	free(a);
	return 0;
}

static void check_over(struct daemon_adoption *a)
{
	if (!a->nr_left)
		sd_event_source_set_enabled(a->done, SD_EVENT_ONESHOT);
}

void daemon_adopt_forget(struct daemon_process *p)
{
	struct daemon_adoption *a = p->adoption;

	if (!a)
		return;
	p->adoption = NULL;
	a->nr_left--;
	check_over(a);
}

void daemon_adopt_destroy(struct daemon_processes *ps)
{
	if (ps->adoption)
		sd_event_source_disable_unref(ps->adoption->done);
	free(ps->adoption);
	ps->adoption = NULL;
}

static void scan(struct daemon_adoption *a)
{
	DIR *devices = open_again(a->ps->devices_fd), *faces = open_again(a->ps->runtime_fd);
	struct dirent *entry;

	while (devices && (entry = readdir(devices)))
		look_at_entry(a, entry->d_name);
	while (faces && (entry = readdir(faces)))
		clean_face(a->ps, entry->d_name);
	if (devices)
		closedir(devices);
	if (faces)
		closedir(faces);
}

int daemon_processes_adopt(struct daemon_processes *ps, daemon_found_fn found, void (*over)(void *manager), void *manager,
			   struct trn_error *err)
{
	struct daemon_adoption *a;
	int r;

	if (ps->adoption)
		return trn_error_set(err, -EALREADY, "Adopting", "running devices are being looked for already");
	a = calloc(1, sizeof(*a));
	if (!a)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	*a = (struct daemon_adoption){ .ps = ps, .found = found, .over = over, .manager = manager };
	r = sd_event_add_defer(ps->event, &a->done, handle_over, a);
	if (r >= 0)
		r = sd_event_source_set_enabled(a->done, SD_EVENT_OFF);
	if (r < 0) {
		sd_event_source_disable_unref(a->done);
		free(a);
		return trn_error_set(err, r, "NoEventLoop", "cannot look for running devices: %s", strerror(-r));
	}
	ps->adoption = a;
	scan(a);
	check_over(a);
	return 0;
}

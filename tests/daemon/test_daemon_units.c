/* SPDX-License-Identifier: MIT */
/* The units' way, with a bus of its own and a stand-in for systemd on it, which starts tests/daemon/fake_device.py. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "process_world.h"

#define MAX_UNITS 16

/* ------------------------------------------------------------ a systemd */

struct fake {
	sd_bus *bus;
	char dir[64];
	unsigned int jobs;
	struct {
		char name[96];
		pid_t pid;
	} units[MAX_UNITS];
	size_t nr;
};

static int finish_job(struct fake *f, sd_bus_message *m, const char *unit, const char *result)
{
	char path[64];
	uint32_t id = ++f->jobs;

	snprintf(path, sizeof(path), "/org/freedesktop/systemd1/job/%u", id);
	sd_bus_reply_method_return(m, "o", path);
	return sd_bus_emit_signal(f->bus, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss", id, path,
				  unit, result);
}

static bool has(const char *dir, const char *uuid, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/devices/%s/%s", dir, uuid, name);
	return access(path, F_OK) == 0;
}

/* As a unit of Type=notify: it has failed when it ends before it is ready. What has its lock and makes no socket is ready, too. */
static bool ends_early(struct fake *f, const char *uuid, pid_t pid)
{
	for (int i = 0, locked = 0; i < 1000 && locked < 30 && !has(f->dir, uuid, "control.sock"); i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return true;
		locked += has(f->dir, uuid, "lock") && !has(f->dir, uuid, "ended") && !has(f->dir, uuid, "ended.new");
		usleep(10000);
	}
	return false;
}

static int start_unit(sd_bus_message *m, void *data, sd_bus_error *e)
{
	struct fake *f = data;
	char uuid[64] = "", start[256];
	const char *unit, *mode;

	if (sd_bus_message_read(m, "ss", &unit, &mode) < 0 || sscanf(unit, "tranche-device@%36s", uuid) != 1 || f->nr == MAX_UNITS)
		return -EINVAL;
	snprintf(start, sizeof(start), "%s/devices/%s/start", f->dir, uuid);
	snprintf(f->units[f->nr].name, sizeof(f->units[f->nr].name), "%s", unit);
	f->units[f->nr].pid = fork();
	if (!f->units[f->nr].pid) {
		execl(FAKES "/fake_device.py", "tranche-device", "--start-file", start, (char *)NULL);
		_exit(127);
	}
	return finish_job(f, m, unit, ends_early(f, uuid, f->units[f->nr++].pid) ? "failed" : "done");
}

static int stop_unit(sd_bus_message *m, void *data, sd_bus_error *e)
{
	struct fake *f = data;
	const char *unit, *mode;

	if (sd_bus_message_read(m, "ss", &unit, &mode) < 0)
		return -EINVAL;
	for (size_t i = 0; i < f->nr; i++) {
		if (strcmp(f->units[i].name, unit) != 0)
			continue;
		kill(f->units[i].pid, SIGKILL);
		waitpid(f->units[i].pid, NULL, 0);
		return finish_job(f, m, unit, "done");
	}
	return sd_bus_error_setf(e, "org.freedesktop.systemd1.NoSuchUnit", "Unit %s not loaded.", unit);
}

static int say_yes(sd_bus_message *m, void *data, sd_bus_error *e)
{
	return sd_bus_reply_method_return(m, "");
}

static const sd_bus_vtable manager[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("StartUnit", "ss", "o", start_unit, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("StopUnit", "ss", "o", stop_unit, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("ResetFailedUnit", "s", "", say_yes, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Subscribe", "", "", say_yes, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_SIGNAL("JobRemoved", "uoss", 0),
	SD_BUS_VTABLE_END,
};

static void be_systemd(const char *dir, int ready)
{
	struct fake f = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(f.dir, sizeof(f.dir), "%s", dir);
	if (sd_bus_open_user(&f.bus) < 0 ||
	    sd_bus_add_object_vtable(f.bus, NULL, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", manager, &f) < 0 ||
	    sd_bus_request_name(f.bus, "org.freedesktop.systemd1", 0) < 0 || write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		if (sd_bus_process(f.bus, NULL) == 0)
			sd_bus_wait(f.bus, UINT64_MAX);
}

/* ------------------------------------------------------------ the test's world */

struct host {
	struct world w;
	pid_t bus, systemd;
};

static pid_t start_bus(void)
{
	char *argv[] = { (char *)(uintptr_t) "dbus-daemon", (char *)(uintptr_t) "--session", (char *)(uintptr_t) "--nofork",
			 (char *)(uintptr_t) "--nopidfile", (char *)(uintptr_t) "--print-address=1", NULL };
	posix_spawn_file_actions_t actions;
	char address[256] = "";
	int fds[2];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	assert_int_equal(posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	n = read(fds[0], address, sizeof(address) - 1);
	close(fds[0]);
	assert_true(n > 0);
	address[strcspn(address, "\n")] = '\0';
	setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
	return pid;
}

static void host_create(struct host *h)
{
	int fds[2];
	char c;

	memset(h, 0, sizeof(*h));
	h->w.config.uses_systemd = true;
	world_create(&h->w);
	h->bus = start_bus();
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	h->systemd = fork();
	if (!h->systemd)
		be_systemd(h->w.dir, fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);
	/* It is not ours to start: this is no program. */
	snprintf(h->w.ps->device_path, sizeof(h->w.ps->device_path), "/nowhere");
}

static void host_destroy(struct host *h)
{
	world_destroy(&h->w);
	kill(h->systemd, SIGKILL);
	kill(h->bus, SIGTERM);
	waitpid(h->bus, NULL, 0);
	(void)waitpid(h->systemd, NULL, 0); /* world_destroy() may have reaped it */
}

static void test_start_and_stop(void **state)
{
	const struct trnc_control_leave refuse = { .policy = TRNC_CONTROL_REFUSE };
	struct told t;
	struct host h;

	host_create(&h);
	world_start_confirmed(&h.w, UUID1, "ok", &t);
	assert_int_equal(t.hello.pid, daemon_process_pid(t.process));
	world_run(&h.w, 400); /* the job is over */
	assert_int_equal(daemon_process_stop(t.process, &refuse, world_done, &t, NULL), 0);
	world_wait(&h.w, &t.endeds, 1);
	assert_string_equal(t.why.name, "Stopped");
	assert_false(world_has(&h.w, "devices/" UUID1));
	host_destroy(&h);
}

static void test_failed_units(void **state)
{
	struct told t;
	struct host h;

	host_create(&h);
	world_start(&h.w, UUID1, "fail", &t);
	world_wait(&h.w, &t.faileds, 1);
	assert_string_equal(t.why.name, "NoCapacity");
	world_start(&h.w, UUID1, "die", &t);
	world_wait(&h.w, &t.faileds, 1);
	assert_string_equal(t.why.name, "UnitFailed");
	assert_non_null(strstr(t.why.text, UUID1 ".service: failed"));
	assert_false(world_has(&h.w, "devices/" UUID1));
	host_destroy(&h);
}

static int handle_found(void *data, struct daemon_process *process, const char *uuid, json_t *record,
			const struct trnc_control_hello *hello, const struct daemon_process_events **ret_events, void **ret_data)
{
	struct told *t = data;

	t->process = process;
	*ret_events = &world_events;
	*ret_data = t;
	return 0;
}

static void handle_over(void *data)
{
	struct told *t = data;

	t->holders++;
}

/* A unit that was asked for, and whose tranched has gone: it is stopped before its folder goes. */
static void test_adoption(void **state)
{
	struct trn_error err = { 0 };
	struct told t, dead, all = { 0 };
	struct host h;

	host_create(&h);
	world_start_confirmed(&h.w, UUID1, "ok", &t);
	world_start(&h.w, UUID2, "no-socket", &dead);
	world_run(&h.w, 500);
	world_reopen(&h.w);
	assert_int_equal(daemon_processes_adopt(h.w.ps, handle_found, handle_over, &all, &err), 0);
	world_wait(&h.w, &all.holders, 1);
	assert_non_null(all.process);
	assert_false(world_has(&h.w, "devices/" UUID2));
	daemon_process_kill(all.process);
	world_wait(&h.w, &all.endeds, 1);
	host_destroy(&h);
}

static void test_no_systemd(void **state)
{
	struct trn_error err = { 0 };
	struct told t;
	struct host h;

	host_create(&h);
	setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere", 1);
	if (world_try_start(&h.w, UUID1, "ok", &t, &err) >= 0)
		world_wait(&h.w, &t.faileds, 1);
	else
		assert_string_equal(err.name, "NoSystemd");
	assert_false(world_has(&h.w, "devices/" UUID1));
	host_destroy(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_and_stop),
		cmocka_unit_test(test_failed_units),
		cmocka_unit_test(test_adoption),
		cmocka_unit_test(test_no_systemd),
	};

	if (system("command -v dbus-daemon >/dev/null")) { /* NOLINT(cert-env33-c): what is there */
		printf("1..0 # SKIP dbus-daemon is not installed\n");
		return 0;
	}
	return unit_run(tests);
}

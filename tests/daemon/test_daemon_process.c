/* SPDX-License-Identifier: MIT */
/* One device process: started, greeted, asked, ended. tests/daemon/fake_device.py stands in for tranche-device. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "process_world.h"

static const struct trnc_control_leave refuse = { .policy = TRNC_CONTROL_REFUSE };
static const struct trnc_control_leave ask = { .policy = TRNC_CONTROL_ASK, .timeout_ms = -1 };
static const struct trnc_control_leave force = { .policy = TRNC_CONTROL_FORCE };

static void check_nothing_left(struct world *w)
{
	assert_false(world_has(w, "devices/" UUID1));
	assert_false(world_has(w, UUID1 ".sock"));
	assert_null(daemon_process_find(w->ps, UUID1));
}

static char *read_file(struct world *w, const char *name)
{
	return daemon_folder_read(w->ps->runtime_fd, name, 65536, NULL);
}

static void test_start(void **state)
{
	struct world w = { .store = "/some/store" };
	_cleanup_free_ char *start = NULL, *record = NULL;
	char want[4096];
	struct told t;
	struct stat st;

	world_create(&w);
	world_start(&w, UUID1, "ok", &t);
	assert_int_equal(t.readies, 0);
	world_wait(&w, &t.readies, 1);
	assert_int_equal(t.hello.pid, daemon_process_pid(t.process));
	assert_int_equal(t.hello.memory, 1 << 20);
	assert_int_equal(t.hello.time, 250);
	assert_int_equal(t.hello.flags, 0);
	start = read_file(&w, "devices/" UUID1 "/start");
	snprintf(want, sizeof(want),
		 "--parent=compute\n--type=compute-memory\n--uuid=" UUID1 "\n--socket-path=%1$s/" UUID1 ".sock\n"
		 "--control-socket=%1$s/devices/" UUID1 "/control.sock\n--unconfirmed\n--lock=%1$s/devices/" UUID1 "/lock\n"
		 "--ended=%1$s/devices/" UUID1 "/ended\n--owner=4711\n--memory=1048576\n--host-device=0\n"
		 "--runtime-dir=%1$s/devices/" UUID1 "\n--time=250\n--parent-socket=%1$s/parents/cpu0/parent.sock\n"
		 "--store=/some/store\n--option=mode=ok\n", w.dir);
	assert_string_equal(start, want);
	record = read_file(&w, "devices/" UUID1 "/record.json");
	assert_string_equal(record, "{\"uuid\":\"" UUID1 "\",\"mode\":\"ok\"}");
	assert_int_equal(fstatat(w.ps->devices_fd, UUID1, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	snprintf(want, sizeof(want), "%s/" UUID1 ".sock", w.dir);
	assert_string_equal(daemon_process_socket(t.process), want);
	assert_int_equal(daemon_process_stop(t.process, &refuse, world_done, &t, NULL), 0);
	world_wait(&w, &t.endeds, 1);
	assert_int_equal(t.dones, 1);
	assert_int_equal(t.done.code, 0);
	assert_int_equal(t.why.code, 0);
	assert_string_equal(t.why.name, "Stopped");
	check_nothing_left(&w);
	world_destroy(&w);
}

/* What it has of ours: its standard streams, and nothing else; a session of its own. */
static void test_detached(void **state)
{
	struct world w = { 0 };
	_cleanup_close_ int leak = open("/dev/zero", O_RDONLY); /* NOLINT(android-cloexec-open): that is the point */
	char path[64], target[256];
	struct told t;
	ssize_t n;

	world_create(&w);
	world_start(&w, UUID1, "ok", &t);
	world_wait(&w, &t.readies, 1);
	for (int fd = 0; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", t.hello.pid, fd);
		n = readlink(path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		assert_string_not_equal(target, "/dev/zero");
		if (fd == 1)
			assert_string_equal(target, "/dev/null");
	}
	assert_int_equal(getsid(t.hello.pid), t.hello.pid);
	world_destroy(&w);
}

static void try_failing(const char *mode, int code, const char *name, const char *text)
{
	struct world w = { 0 };
	struct told t;

	world_create(&w);
	world_start(&w, UUID1, mode, &t);
	world_wait(&w, &t.faileds, 1);
	assert_int_equal(t.readies + t.endeds, 0);
	if (t.why.code != code || strcmp(t.why.name, name) != 0 || !strstr(t.why.text, text))
		fail_msg("%s: %d %s: %s", mode, t.why.code, t.why.name, t.why.text);
	check_nothing_left(&w);
	world_destroy(&w);
}

static void test_fails_with_its_sentence(void **state)
{
	try_failing("fail", -EUSERS, "NoCapacity", "there is no memory left for the fake device");
}

static void test_ends_before_ready(void **state)
{
	try_failing("die", -EIO, "Exited", "ended with status 3");
	try_failing("crash", -EIO, "Killed", "signal 9");
}

static void test_wrong_hello(void **state)
{
	try_failing("wrong-uuid", -EPROTO, "WrongProcess", "its UUID is not");
	try_failing("wrong-boot", -EPROTO, "WrongProcess", "its boot id is not");
	try_failing("wrong-ticks", -EPROTO, "WrongProcess", "its start time is not");
	try_failing("wrong-pid", -EPROTO, "WrongProcess", "its process number is not");
	try_failing("short-hello", -EPROTO, "BrokenAnswer", "an answer of a wrong length");
	try_failing("noise", -EPROTO, "BrokenAnswer", "a message that cannot be read");
}

static void test_socket_that_listens_late(void **state)
{
	struct world w = { 0 };
	struct told t;

	world_create(&w);
	world_start(&w, UUID1, "late", &t);
	world_wait(&w, &t.readies, 1);
	world_destroy(&w);
}

static void test_refused_starts(void **state)
{
	struct world w = { 0 };
	struct trn_error err = { 0 };
	struct told t, other;

	world_create(&w);
	world_start(&w, UUID1, "ok", &t);
	assert_int_equal(world_try_start(&w, UUID1, "ok", &other, &err), -EEXIST);
	assert_string_equal(err.name, "UuidInUse");
	err = (struct trn_error){ 0 };
	assert_int_equal(world_try_start(&w, UUID2, "ok\n--owner=0", &other, &err), -EINVAL);
	assert_string_equal(err.name, "BadOption");
	assert_false(world_has(&w, "devices/" UUID2));
	err = (struct trn_error){ 0 };
	assert_int_equal(world_try_start(&w, "../../etc", "ok", &other, &err), -EINVAL);
	err = (struct trn_error){ 0 };
	snprintf(w.ps->device_path, sizeof(w.ps->device_path), "/nowhere/tranche-device");
	assert_refused(world_try_start(&w, UUID2, "ok", &other, &err), err, -ENOENT, "CannotStart");
	assert_false(world_has(&w, "devices/" UUID2));
	world_wait(&w, &t.readies, 1);
	world_destroy(&w);
}

static void test_leftovers_are_no_obstacle(void **state)
{
	struct world w = { 0 };
	struct told t;

	world_create(&w);
	assert_int_equal(mkdirat(w.ps->devices_fd, UUID1, 0700), 0);
	assert_int_equal(mkdirat(w.ps->devices_fd, UUID1 "/control.sock", 0700), 0);
	world_start(&w, UUID1, "ok", &t);
	world_wait(&w, &t.readies, 1);
	world_destroy(&w);
}

/* Asked to stop while it is used: refused, asked and given up, forced. */
static void test_stops(void **state)
{
	struct daemon_process_request *request = NULL;
	struct world w = { 0 };
	struct told t;

	world_create(&w);
	world_start_confirmed(&w, UUID1, "used", &t);
	assert_int_equal(daemon_process_stop(t.process, &refuse, world_done, &t, NULL), 0);
	world_wait(&w, &t.dones, 1);
	assert_int_equal(t.done.code, -EBUSY);
	assert_string_equal(t.done.name, "InUse");
	assert_string_equal(t.done.text, "process 4711 uses it");
	assert_string_equal(t.done.hint, "try again");
	assert_int_equal(daemon_process_stop(t.process, &ask, world_done, &t, &request), 0);
	world_run(&w, 100);
	assert_int_equal(t.dones, 1);
	daemon_process_cancel(request);
	world_wait(&w, &t.dones, 2);
	assert_int_equal(t.done.code, -ECANCELED);
	assert_int_equal(daemon_process_stop(t.process, &ask, world_done, &t, &request), 0);
	assert_int_equal(daemon_process_stop(t.process, &force, world_done, &t, NULL), 0);
	world_wait(&w, &t.endeds, 1);
	/* The one that was asked first is answered, too: its process has ended. */
	assert_int_equal(t.dones, 4);
	check_nothing_left(&w);
	world_destroy(&w);
}

static void test_kill_is_heard_of(void **state)
{
	struct world w = { 0 };
	struct told t;

	world_create(&w);
	world_start_confirmed(&w, UUID1, "silent", &t);
	assert_int_equal(daemon_process_release(t.process, world_done, &t), 0);
	daemon_process_kill(t.process);
	world_wait(&w, &t.endeds, 1);
	assert_int_equal(t.dones, 1);
	assert_int_equal(t.done.code, -ENODEV);
	assert_string_equal(t.why.name, "Killed");
	check_nothing_left(&w);
	world_destroy(&w);
}

static void test_hold_and_release(void **state)
{
	struct world w = { 0 };
	struct told t;

	world_create(&w);
	world_start_confirmed(&w, UUID1, "ok", &t);
	assert_int_equal(daemon_process_hold(t.process, &refuse, world_done, &t, NULL), 0);
	world_wait(&w, &t.dones, 1);
	assert_int_equal(t.done.code, 0);
	assert_int_equal(daemon_process_release(t.process, world_done, &t), 0);
	world_wait(&w, &t.dones, 2);
	assert_int_equal(t.done.code, 0);
	world_destroy(&w);
}

static void test_set(void **state)
{
	const struct trnc_control_set right = { .memory = 4096, .time = TRNC_CONTROL_TIME_KEEP }, small = { .memory = 1 };
	struct world w = { 0 };
	struct told t;

	world_create(&w);
	world_start_confirmed(&w, UUID1, "ok", &t);
	assert_int_equal(daemon_process_set(t.process, &right, world_done, &t), 0);
	world_wait(&w, &t.dones, 1);
	assert_int_equal(t.done.code, 0);
	world_wait(&w, &t.changeds, 1);
	assert_int_equal(daemon_process_set(t.process, &small, world_done, &t), 0);
	world_wait(&w, &t.dones, 2);
	assert_int_equal(t.done.code, -EBUSY);
	world_destroy(&w);
}

static void handle_stats(void *data, const struct trnc_control_stats *stats, const struct trn_error *err)
{
	struct told *t = data;

	t->stats++;
	memset(&t->done, 0, sizeof(t->done));
	if (err)
		t->done = *err;
	else
		assert_int_equal(stats->sessions, 7);
}

static void handle_holders(void *data, json_t *names, unsigned int total, const struct trn_error *err)
{
	struct told *t = data;
	char *text = json_dumps(names, JSON_COMPACT);

	assert_null(err);
	t->holders++;
	t->total = total;
	snprintf(t->names, sizeof(t->names), "%s", text);
	free(text);
}

static void test_stats_and_holders(void **state)
{
	struct world w = { 0 };
	struct told t;

	world_create(&w);
	world_start_confirmed(&w, UUID1, "ok", &t);
	assert_int_equal(daemon_process_stats(t.process, handle_stats, &t), 0);
	world_wait(&w, &t.stats, 1);
	assert_int_equal(t.done.code, 0);
	assert_int_equal(daemon_process_holders(t.process, handle_holders, &t), 0);
	world_wait(&w, &t.holders, 1);
	assert_string_equal(t.names, "[\"process 4711\",\"VM web1\"]");
	assert_int_equal(t.total, 5);
	world_destroy(&w);
}

/* Nonsense ends the connection, not the device: it is connected to again. */
static void test_broken_answers(void **state)
{
	static const char *const modes[] = { "stats-short", "noise-later" };
	struct world w = { 0 };
	struct told t;
	int r = 0;

	world_create(&w);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		world_start_confirmed(&w, i ? UUID2 : UUID1, modes[i], &t);
		assert_int_equal(daemon_process_stats(t.process, handle_stats, &t), 0);
		world_wait(&w, &t.stats, 1);
		assert_int_equal(t.done.code, -EPROTO);
		for (int n = 0; n < 1000 && (r = daemon_process_confirm(t.process, world_done, &t)) == -ENOTCONN; n++)
			world_run(&w, 20);
		assert_int_equal(r, 0);
		world_wait(&w, &t.dones, 1);
		assert_int_equal(t.done.code, 0);
		assert_int_equal(t.readies, 1); /* it is told once */
	}
	world_destroy(&w);
}

static void test_one_that_does_not_answer(void **state)
{
	struct world w = { 0 };
	struct told t;

	world_create(&w);
	world_start_confirmed(&w, UUID1, "silent", &t);
	for (int i = 0; i < 64; i++)
		assert_int_equal(daemon_process_stats(t.process, handle_stats, &t), 0);
	assert_int_equal(daemon_process_stats(t.process, handle_stats, &t), -EAGAIN);
	world_wait(&w, &t.stats, 64);
	assert_int_equal(t.done.code, -ETIMEDOUT);
	assert_int_equal(t.endeds, 0);
	world_destroy(&w);
}

static void test_one_that_is_stopped_for_a_while(void **state)
{
	struct world w = { 0 };
	struct told t;
	pid_t pid;

	world_create(&w);
	world_start_confirmed(&w, UUID1, "ok", &t);
	pid = daemon_process_pid(t.process);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(daemon_process_stats(t.process, handle_stats, &t), 0);
	world_wait(&w, &t.stats, 3);
	world_wait(&w, &t.silences, 1); /* told once */
	assert_int_equal(t.done.code, -ETIMEDOUT);
	assert_int_equal(t.answers, 0);
	assert_int_equal(kill(pid, SIGCONT), 0);
	world_wait(&w, &t.answers, 1); /* by what it answers too late */
	assert_int_equal(daemon_process_stats(t.process, handle_stats, &t), 0);
	world_wait(&w, &t.stats, 4);
	assert_int_equal(t.silences, 1);
	assert_int_equal(t.answers, 1);
	world_destroy(&w);
}

static void test_record_is_rewritten(void **state)
{
	struct world w = { 0 };
	_cleanup_free_ char *text = NULL;
	struct trn_error err = { 0 };
	json_t *record = json_pack("{s:i}", "n", 2);
	struct told t;

	world_create(&w);
	world_start_confirmed(&w, UUID1, "ok", &t);
	assert_int_equal(daemon_process_set_record(t.process, record, &err), 0);
	text = read_file(&w, "devices/" UUID1 "/record.json");
	assert_string_equal(text, "{\"n\":2}");
	assert_false(world_has(&w, "devices/" UUID1 "/record.json.new"));
	/* A full disk, or whatever: the old one stays. */
	assert_int_equal(mkdirat(w.ps->runtime_fd, "devices/" UUID1 "/record.json.new", 0700), 0);
	json_object_set_new(record, "n", json_integer(3));
	assert_refused(daemon_process_set_record(t.process, record, &err), err, -EEXIST, "CannotWrite");
	free(text);
	text = read_file(&w, "devices/" UUID1 "/record.json");
	assert_string_equal(text, "{\"n\":2}");
	json_decref(record);
	world_destroy(&w);
}

static void test_names_of_errors_stay(void **state)
{
	struct world w = { 0 };
	const char *one, *bad;

	world_create(&w);
	one = daemon_processes_name(w.ps, "InUse");
	assert_string_equal(one, "InUse");
	assert_ptr_equal(daemon_processes_name(w.ps, "InUse"), one);
	bad = daemon_processes_name(w.ps, "In Use\n");
	assert_string_equal(bad, "Refused");
	for (int i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "N%d", i);
		assert_non_null(daemon_processes_name(w.ps, name));
	}
	assert_ptr_equal(daemon_processes_name(w.ps, "InUse"), one);
	world_destroy(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_detached),
		cmocka_unit_test(test_fails_with_its_sentence),
		cmocka_unit_test(test_ends_before_ready),
		cmocka_unit_test(test_wrong_hello),
		cmocka_unit_test(test_socket_that_listens_late),
		cmocka_unit_test(test_refused_starts),
		cmocka_unit_test(test_leftovers_are_no_obstacle),
		cmocka_unit_test(test_stops),
		cmocka_unit_test(test_kill_is_heard_of),
		cmocka_unit_test(test_hold_and_release),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_stats_and_holders),
		cmocka_unit_test(test_broken_answers),
		cmocka_unit_test(test_one_that_does_not_answer),
		cmocka_unit_test(test_one_that_is_stopped_for_a_while),
		cmocka_unit_test(test_record_is_rewritten),
		cmocka_unit_test(test_names_of_errors_stay),
	};

	return unit_run(tests);
}

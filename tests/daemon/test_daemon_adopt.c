/* SPDX-License-Identifier: MIT */
/* What a tranched that was killed leaves, and what the next one makes of it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/socket.h"
#include "process_world.h"

struct adopted {
	struct world *w;
	struct told one, two; /* by UUID */
	unsigned int founds, silents, overs;
	int refusal; /* of found() */
	char record[128];
};

static int handle_found(void *manager, struct daemon_process *process, const char *uuid, json_t *record,
			const struct trnc_control_hello *hello, const struct daemon_process_events **ret_events, void **ret_data)
{
	struct adopted *a = manager;
	struct told *t = strcmp(uuid, UUID1) == 0 ? &a->one : &a->two;
	char *text = json_dumps(record, JSON_COMPACT);

	snprintf(a->record, sizeof(a->record), "%s", text);
	free(text);
	a->founds++;
	a->silents += !hello;
	if (a->refusal)
		return a->refusal;
	t->process = process;
	if (hello)
		t->hello = *hello;
	*ret_events = &world_events;
	*ret_data = t;
	return 0;
}

static void handle_over(void *manager)
{
	struct adopted *a = manager;

	a->overs++;
}

static void adopt(struct world *w, struct adopted *a)
{
	struct trn_error err = { 0 };

	assert_int_equal(daemon_processes_adopt(w->ps, handle_found, handle_over, a, &err), 0);
	assert_int_equal(a->founds + a->overs, 0); /* nothing from within */
	world_wait(w, &a->overs, 1);
}

static void check_nothing_left(struct world *w)
{
	struct stat st;

	assert_false(world_has(w, UUID1 ".sock"));
	assert_false(world_has(w, "devices/" UUID1));
	assert_int_equal(fstat(w->ps->devices_fd, &st), 0);
	assert_int_equal(st.st_nlink, 2);
	assert_null(daemon_process_find(w->ps, UUID1));
}

static void start_confirmed(struct world *w)
{
	struct told t;

	world_start_confirmed(w, UUID1, "ok", &t);
}

static void start_ready(struct world *w)
{
	struct told t;

	world_start(w, UUID1, "ok", &t);
	world_wait(w, &t.readies, 1);
}

static void start_only(struct world *w)
{
	struct told t;

	world_start(w, UUID1, "ok", &t);
}

static void start_without_socket(struct world *w)
{
	struct told t;

	world_start(w, UUID1, "no-socket", &t);
	world_run(w, 300);
}

static void start_used(struct world *w)
{
	struct told t;

	world_start_confirmed(w, UUID1, "used", &t);
}

static void start_stays(struct world *w)
{
	struct told t;

	world_start_confirmed(w, UUID1, "stays", &t);
}

static void test_confirmed(void **state)
{
	const struct trnc_control_leave refuse = { .policy = TRNC_CONTROL_REFUSE };
	struct world w = { 0 };
	struct adopted a = { 0 };

	world_create(&w);
	world_killed_daemon(&w, start_confirmed);
	adopt(&w, &a);
	assert_int_equal(a.founds, 1);
	assert_string_equal(a.record, "{\"uuid\":\"" UUID1 "\",\"mode\":\"ok\"}");
	assert_int_equal(a.one.hello.flags, TRNC_CONTROL_FLAG_CONFIRMED);
	assert_int_equal(daemon_process_pid(a.one.process), a.one.hello.pid);
	/* Once more, and it can be used as before. */
	world_reopen(&w);
	memset(&a, 0, sizeof(a));
	adopt(&w, &a);
	assert_int_equal(daemon_process_stop(a.one.process, &refuse, world_done, &a.one, NULL), 0);
	world_wait(&w, &a.one.endeds, 1);
	assert_string_equal(a.one.why.name, "Stopped");
	check_nothing_left(&w);
	world_destroy(&w);
}

static void try_cleaned(void (*fn)(struct world *w))
{
	struct world w = { 0 };
	struct adopted a = { 0 };
	struct told t;

	world_create(&w);
	world_killed_daemon(&w, fn);
	adopt(&w, &a);
	assert_int_equal(a.founds, 0);
	check_nothing_left(&w);
	/* The UUID is free. */
	world_start(&w, UUID1, "ok", &t);
	world_wait(&w, &t.readies, 1);
	world_destroy(&w);
}

static void test_not_confirmed(void **state)
{
	try_cleaned(start_ready);
}

/* Killed between the start and the lock: it is seen by its start file. */
static void test_just_started(void **state)
{
	for (int i = 0; i < 5; i++)
		try_cleaned(start_only);
}

static void test_without_a_socket(void **state)
{
	try_cleaned(start_without_socket);
}

static void make_half(struct world *w)
{
	int fd = daemon_folder_make(w->ps, w->ps->devices_fd, UUID1, NULL);

	assert_true(fd >= 0);
	assert_int_equal(daemon_folder_write(w->ps, fd, "start.new", "--par", 5, NULL), 0);
}

static void make_dead(struct world *w)
{
	struct told t;
	siginfo_t si;

	world_start_confirmed(w, UUID1, "ok", &t);
	kill(t.hello.pid, SIGKILL);
	/* Dead, and not noticed by anybody. */
	assert_int_equal(waitid(P_PID, (id_t)t.hello.pid, &si, WEXITED | WNOWAIT), 0);
}

static void make_face(struct world *w)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/" UUID1 ".sock", w->dir);
	assert_true(base_socket_listen(path, NULL) >= 0);
}

static void test_dead_ones(void **state)
{
	try_cleaned(make_half);
	try_cleaned(make_dead);
	try_cleaned(make_face);
}

static void test_others_are_left_alone(void **state)
{
	struct world w = { 0 };
	struct adopted a = { 0 };
	char path[128];
	int face;

	world_create(&w);
	assert_int_equal(mkdirat(w.ps->devices_fd, "mine", 0700), 0);
	snprintf(path, sizeof(path), "%s/" UUID1 ".sock", w.dir);
	face = base_socket_listen(path, NULL);
	adopt(&w, &a);
	assert_true(world_has(&w, "devices/mine"));
	assert_true(world_has(&w, UUID1 ".sock")); /* somebody listens there */
	close(face);
	world_destroy(&w);
}

static void test_refused(void **state)
{
	struct world w = { 0 };
	struct adopted a = { .refusal = -EINVAL };

	world_create(&w);
	world_killed_daemon(&w, start_used);
	adopt(&w, &a);
	assert_int_equal(a.founds, 1);
	check_nothing_left(&w);
	world_destroy(&w);
}

static void test_record_that_cannot_be_read(void **state)
{
	struct world w = { 0 };
	struct adopted a = { 0 };
	int fd;

	world_create(&w);
	world_killed_daemon(&w, start_stays); /* it has to be killed, too */
	fd = openat(w.ps->devices_fd, UUID1 "/record.json", O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, "{", 1), 1);
	close(fd);
	adopt(&w, &a);
	assert_int_equal(a.founds, 0);
	check_nothing_left(&w);
	world_destroy(&w);
}

static pid_t find_pid(struct world *w)
{
	_cleanup_close_ int fd = openat(w->ps->devices_fd, UUID1, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t pid = 0;
	int pidfd = daemon_folder_find_holder(fd, "lock", &pid);

	assert_true(pidfd >= 0);
	close(pidfd);
	return pid;
}

/* It is told of without a greeting, and again when it answers. */
static void test_unresponsive(void **state)
{
	struct world w = { 0 };
	struct adopted a = { 0 };
	pid_t pid;

	world_create(&w);
	world_killed_daemon(&w, start_confirmed);
	pid = find_pid(&w);
	kill(pid, SIGSTOP);
	adopt(&w, &a);
	assert_int_equal(a.founds, 1);
	assert_int_equal(a.silents, 1);
	assert_int_equal(daemon_process_pid(a.one.process), pid);
	assert_int_equal(a.one.readies, 0);
	kill(pid, SIGCONT);
	world_wait(&w, &a.one.readies, 1);
	assert_int_equal(a.one.hello.pid, pid);
	world_destroy(&w);
}

static void test_unresponsive_is_ended(void **state)
{
	struct world w = { 0 };
	struct adopted a = { .refusal = -EINVAL };

	world_create(&w);
	world_killed_daemon(&w, start_confirmed);
	kill(find_pid(&w), SIGSTOP);
	adopt(&w, &a);
	assert_int_equal(a.silents, 1);
	check_nothing_left(&w);
	world_destroy(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_confirmed),
		cmocka_unit_test(test_not_confirmed),
		cmocka_unit_test(test_just_started),
		cmocka_unit_test(test_without_a_socket),
		cmocka_unit_test(test_dead_ones),
		cmocka_unit_test(test_others_are_left_alone),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_record_that_cannot_be_read),
		cmocka_unit_test(test_unresponsive),
		cmocka_unit_test(test_unresponsive_is_ended),
	};

	return unit_run(tests);
}

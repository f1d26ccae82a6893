/* SPDX-License-Identifier: MIT */
#include "ctl/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

static const struct ctl_option options[] = { { 0 } };

static const char *const names[] = { [CTL_OK] = "ok", [CTL_WARN] = "warn", [CTL_MISSING] = "missing" };

void ctl_doctor_say(struct ctl_doctor *d, const char *name, enum ctl_health health, const char *remedy, const char *fmt, ...)
{
	char text[300];
	json_t *one;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	one = json_pack("{s:s, s:s, s:s, s:s}", "name", name, "status", names[health], "text", text, "remedy", remedy ? remedy : "");
	if (!one) /* a text of the system's that is no UTF-8 */
		one = json_pack("{s:s, s:s, s:s, s:s}", "name", name, "status", names[health], "text", "(a text that cannot be shown)",
				"remedy", remedy ? remedy : "");
	json_array_append_new(d->findings, one);
}

bool ctl_doctor_has_program(const char *name)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];

	while (path && *path) {
		size_t len = strcspn(path, ":");

		if (snprintf(file, sizeof(file), "%.*s/%s", (int)len, path, name) < PATH_MAX && access(file, X_OK) == 0)
			return true;
		path += len + (path[len] == ':');
	}
	return false;
}

#define PATIENCE_MS 20000

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Return: false when it took too long. */
static bool read_all(int fd, char *ret, size_t len)
{
	int64_t end = now_ms() + PATIENCE_MS;
	size_t at = 0;
	char rest[4096];

	ret[0] = '\0';
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end - now_ms();
		bool is_full = at + 1 >= len;
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return false;
		n = is_full ? read(fd, rest, sizeof(rest)) : read(fd, ret + at, len - 1 - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return true;
		if (!is_full)
			at += (size_t)n;
		ret[at] = '\0';
	}
}

int ctl_doctor_output(char *const argv[], char *ret, size_t len)
{
	posix_spawn_file_actions_t actions;
	int pipe_fds[2], status = 0, r;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	base_close(pipe_fds[1]);
	if (r == 0 && !read_all(pipe_fds[0], ret, len)) {
		kill(pid, SIGKILL);
		r = ETIMEDOUT;
	}
	base_close(pipe_fds[0]);
	if (r && r != ETIMEDOUT)
		return -r;
	waitpid(pid, &status, 0);
	if (r)
		return -r;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

static void print_finding(json_t *finding)
{
	static const char *const colors[] = { "\033[32m", "\033[33m", "\033[31m" };
	const char *status = ctl_text_of(finding, "status"), *remedy = ctl_text_of(finding, "remedy");
	bool has_colors = ctl_has_colors(STDOUT_FILENO);
	int which = status[0] == 'o' ? 0 : status[0] == 'w' ? 1 : 2;

	printf("%s%-7s%s  %-14s %s\n", has_colors ? colors[which] : "", status, has_colors ? "\033[0m" : "", ctl_text_of(finding, "name"),
	       ctl_text_of(finding, "text"));
	if (*remedy)
		printf("%25s%s\n", "-> ", remedy);
}

static int verb_doctor(struct ctl *c)
{
	struct ctl_doctor d = { .c = c, .findings = json_array() };
	bool is_missing = false;
	json_t *finding;
	size_t i;
	int r = 0;

	ctl_doctor_opencl(&d);
	ctl_doctor_daemon(&d);
	ctl_doctor_host(&d);
	ctl_doctor_tools(&d);
	ctl_doctor_guest(&d);
	if (ctl_has(c, CTL_JSON))
		r = ctl_print_json(c, d.findings);
	json_array_foreach(d.findings, i, finding) {
		is_missing |= ctl_text_of(finding, "status")[0] == 'm';
		if (!ctl_has(c, CTL_JSON))
			print_finding(finding);
	}
	json_decref(d.findings);
	if (r == 0)
		r = ctl_flush(c);
	return r ? r : is_missing ? CLI_REFUSED : 0;
}

const struct ctl_verb ctl_verb_doctor = {
	.name = "doctor",
	.words = "",
	.summary = "find what is missing on this host, and how to mend it",
	.more = "Exit status 1 when something is missing that Tranche needs.",
	.options = options,
	.run = verb_doctor,
};

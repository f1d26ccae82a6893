/* SPDX-License-Identifier: MIT */
#include "parent/census.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Of one process: whoever starts more is still stopped and killed with its group. */
#define MAX_DESCENDANTS 8192

/* A small file of /proc, as text. Return: its length, 0 if there is none. */
static size_t read_text(const char *path, char *buf, size_t cap)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 0;

	while (fd >= 0 && len < cap - 1 && (n = read(fd, buf + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	return len;
}

struct pids {
	pid_t list[MAX_DESCENDANTS];
	size_t nr;
};

/* Numbers of a file "1 2 3 ". */
static void add_numbers(const char *path, struct pids *p)
{
	char text[65536], *at = text, *end;
	size_t len = read_text(path, text, sizeof(text));

	if (len == sizeof(text) - 1) /* the last number may be cut */
		while (len && text[len - 1] != ' ')
			text[--len] = '\0';
	for (; p->nr < MAX_DESCENDANTS; at = end) {
		long pid = strtol(at, &end, 10);

		if (end == at)
			return;
		if (pid > 0)
			p->list[p->nr++] = (pid_t)pid;
	}
}

static void add_children(pid_t pid, struct pids *p)
{
	_cleanup_free_ char *path = NULL;
	struct dirent *e;
	DIR *dir;

	if (asprintf(&path, "/proc/%d/task", (int)pid) < 0) {
		path = NULL;
		return;
	}
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		char children[320];

		snprintf(children, sizeof(children), "%s/%s/children", path, e->d_name);
		if (e->d_name[0] != '.')
			add_numbers(children, p);
	}
	if (dir)
		closedir(dir);
}

size_t parent_census_children(pid_t **ret_pids)
{
	struct pids *p = calloc(1, sizeof(*p));
	size_t nr;

	*ret_pids = NULL;
	if (!p)
		return 0;
	add_children(getpid(), p);
	nr = p->nr;
	*ret_pids = nr ? malloc(nr * sizeof(pid_t)) : NULL;
	if (*ret_pids)
		memcpy(*ret_pids, p->list, nr * sizeof(pid_t));
	free(p);
	return *ret_pids ? nr : 0;
}

uint64_t parent_census_cpu_ns(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t ticks_ns(unsigned long long ticks)
{
	long a_second = sysconf(_SC_CLK_TCK);

	return ticks * (1000000000u / (uint64_t)(a_second > 0 ? a_second : 100));
}

/* Of children that it has waited for. */
static uint64_t waited_ns(pid_t pid)
{
	unsigned long long user = 0, system = 0;
	char path[64], text[1024], *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (!read_text(path, text, sizeof(text)))
		return 0;
	at = strrchr(text, ')'); /* the name before it may have anything in it */
	/* Fields 16 and 17; after the name comes field 3. */
	if (!at || sscanf(at + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu", &user, &system) != 2)
		return 0;
	return ticks_ns(user + system);
}

/* Lines "cpuN user nice system idle iowait ..." */
uint64_t parent_census_idle_ns(void)
{
	unsigned long long idle, waits, all = 0;
	char text[65536], *line = text;
	cpu_set_t set;
	int cpu;

	if (!read_text("/proc/stat", text, sizeof(text)) || sched_getaffinity(0, sizeof(set), &set) < 0)
		return 0;
	for (; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "cpu%d %*u %*u %*u %llu %llu", &cpu, &idle, &waits) == 3 && cpu >= 0 && cpu < CPU_SETSIZE &&
		    CPU_ISSET(cpu, &set))
			all += idle + waits;
	}
	return ticks_ns(all);
}

static uint64_t private_of(pid_t pid)
{
	unsigned long long kib = 0;
	char path[64], text[4096];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	at = read_text(path, text, sizeof(text)) ? strstr(text, "\nRssAnon:") : NULL;
	if (at)
		kib = strtoull(at + strlen("\nRssAnon:"), NULL, 10);
	return kib * 1024;
}

void parent_census_look(pid_t pid, int with_memory, struct parent_census *ret)
{
	struct pids *p = calloc(1, sizeof(*p));

	*ret = (struct parent_census){ .cpu_ns = waited_ns(pid), .private_bytes = with_memory ? private_of(pid) : 0 };
	if (!p)
		return;
	add_children(pid, p);
	/* The list grows while it is walked: children's children come behind. */
	for (size_t i = 0; i < p->nr; i++) {
		ret->cpu_ns += parent_census_cpu_ns(p->list[i]) + waited_ns(p->list[i]);
		if (with_memory)
			ret->private_bytes += private_of(p->list[i]);
		add_children(p->list[i], p);
	}
	ret->nr = (unsigned int)p->nr;
	free(p);
}

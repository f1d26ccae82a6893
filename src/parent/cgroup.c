/* SPDX-License-Identifier: MIT */
/*
 * A memory limit of the kernel's for each device, where we may set one: beneath our own cgroup, version 2 if its memory
 * controller was delegated to us, else version 1.  Executors are moved there before they are let go.  Where that cannot
 * be, it is left out: quotas hold without it, since the device process grants all segments; what it adds is a bound for
 * what the host's OpenCL allocates behind.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "parent/shared.h"

/*
 * Beside the quota: segments are charged to the executor that touches them first, and so are its own heap, its compilers
 * (a cold build takes some 150 MiB) and the pages of the libraries that nobody else has.  As much again as the quota, for a
 * host that does not use buffers in place and has a copy of each, and this much at least: a device that keeps to its quota
 * must never be killed for what we did not foresee, one that runs away is.
 */
#define ALLOWANCE (1ull << 30)

#define REMOVE_TRIES 20 /* 1 ms each */

struct parent_cgroups {
	char *path;	  /* our own group, below which those of devices are */
	const char *limit; /* the file that bounds memory */
	char *leaf;	  /* version 2: where we had to go ourselves; or NULL */
	char name[64];
};

struct parent_cgroup {
	unsigned int refs;
	const char *limit;
	char path[];
};

static int write_file(const char *folder, const char *file, const char *text)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;

	if (asprintf(&path, "%s/%s", folder, file) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

static int write_number(const char *folder, const char *file, uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return write_file(folder, file, text);
}

/* ---------------------------------------------------------- our own group */

static bool has_word(const char *list, const char *word, char separator)
{
	size_t len = strlen(word);

	for (const char *p = list; p; p = strchr(p, separator), p = p ? p + 1 : NULL)
		if (strncmp(p, word, len) == 0 && (p[len] == separator || p[len] == '\0' || p[len] == '\n'))
			return true;
	return false;
}

/* Of "N:CONTROLLERS:PATH" the path; malloc'ed. @controller: NULL: that of version 2. */
static char *group_of_ours(const char *controller)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	_cleanup_free_ char *line = NULL;
	char *found = NULL;
	size_t cap = 0;

	while (f && !found && getline(&line, &cap, f) > 0) {
		char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		if (controller ? has_word(list + 1, controller, ',') : list[1] == '\0')
			found = strdup(path);
	}
	if (f)
		fclose(f);
	return found;
}

/* Where that hierarchy is mounted, and what of it; both malloc'ed. */
static bool find_mount(const char *type, const char *option, char **ret_root, char **ret_at)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	bool found = false;
	size_t cap = 0;

	while (f && !found && getline(&line, &cap, f) > 0) {
		_cleanup_free_ char *root = NULL, *at = NULL, *kind = NULL, *options = NULL;
		const char *rest = strstr(line, " - ");

		if (!rest || sscanf(line, "%*s %*s %*s %ms %ms", &root, &at) != 2 ||
		    sscanf(rest, " - %ms %*s %ms", &kind, &options) != 2)
			continue;
		if (strcmp(kind, type) != 0 || (option && !has_word(options, option, ',')))
			continue;
		*ret_root = TAKE_PTR(root);
		*ret_at = TAKE_PTR(at);
		found = true;
	}
	if (f)
		fclose(f);
	return found;
}

/* malloc'ed; NULL: there is none that we could see. */
static char *own_folder(const char *type, const char *option)
{
	_cleanup_free_ char *root = NULL, *at = NULL, *ours = group_of_ours(option);
	const char *below = ours;
	char *path = NULL;

	if (!ours || !find_mount(type, option, &root, &at))
		return NULL;
	/* A mount may show a part of the hierarchy. */
	if (strcmp(root, "/") != 0) {
		if (strncmp(ours, root, strlen(root)) != 0)
			return NULL;
		below += strlen(root);
	}
	if (asprintf(&path, "%s%s", at, strcmp(below, "/") == 0 ? "" : below) < 0)
		return NULL;
	return path;
}

/* -------------------------------------------------------------- version 2 */

/*
 * A group that hands out memory may hold no process itself: we go into a group below.  Somebody else who is in it keeps
 * us from that, and we go back.
 */
static bool hand_out_memory(struct parent_cgroups *c)
{
	if (write_file(c->path, "cgroup.subtree_control", "+memory") == 0)
		return true;
	if (asprintf(&c->leaf, "%s/tranche-parent-%d", c->path, (int)getpid()) < 0) {
		c->leaf = NULL;
		return false;
	}
	if (mkdir(c->leaf, 0755) == 0 && write_number(c->leaf, "cgroup.procs", (uint64_t)getpid()) == 0 &&
	    write_file(c->path, "cgroup.subtree_control", "+memory") == 0)
		return true;
	(void)write_number(c->path, "cgroup.procs", (uint64_t)getpid());
	rmdir(c->leaf);
	return false;
}

static bool has_memory(const char *path)
{
	_cleanup_free_ char *file = NULL;
	char text[256] = "";
	FILE *f;

	if (asprintf(&file, "%s/cgroup.controllers", path) < 0) {
		file = NULL;
		return false;
	}
	f = fopen(file, "re");
	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	return has_word(text, "memory", ' ');
}

/* ------------------------------------------------------------------- both */

static bool try_version(struct parent_cgroups *c, bool is_second)
{
	c->path = is_second ? own_folder("cgroup2", NULL) : own_folder("cgroup", "memory");
	c->limit = is_second ? "memory.max" : "memory.limit_in_bytes";
	if (c->path && access(c->path, W_OK) == 0 && (!is_second || (has_memory(c->path) && hand_out_memory(c))))
		return true;
	free(c->path);
	free(c->leaf);
	c->path = c->leaf = NULL;
	return false;
}

/* The name ends with the number of the process that made it: those of the dead are removed, if nothing runs in them. */
static void remove_stale(const struct parent_cgroups *c)
{
	DIR *dir = opendir(c->path);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		const char *dot = strrchr(e->d_name, '.');
		long pid = dot && strncmp(e->d_name, "tranche-", strlen("tranche-")) == 0 ? strtol(dot + 1, NULL, 10) : 0;

		if (pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH && unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR) == 0)
			log_debug("%s/%s is removed", c->path, e->d_name);
	}
	if (dir)
		closedir(dir);
}

struct parent_cgroups *parent_cgroups_open(const char *name)
{
	struct parent_cgroups *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	/* It becomes a part of a folder's name. */
	snprintf(c->name, sizeof(c->name), "%s", name);
	for (char *p = c->name; *p; p++)
		if (*p == '/' || *p == '\n' || *p == '.')
			*p = '_';
	if (try_version(c, true) || try_version(c, false)) {
		log_debug("memory limits are set below %s", c->path);
		remove_stale(c);
		return c;
	}
	log_debug("there is no cgroup in which memory limits could be set");
	free(c);
	return NULL;
}

void parent_cgroups_close(struct parent_cgroups *c)
{
	if (!c)
		return;
	/* Nothing else is below it: we go back where we were found. */
	if (c->leaf) {
		(void)write_file(c->path, "cgroup.subtree_control", "-memory");
		(void)write_number(c->path, "cgroup.procs", (uint64_t)getpid());
		rmdir(c->leaf);
	}
	free(c->leaf);
	free(c->path);
	free(c);
}

struct parent_cgroup *parent_cgroup_make(struct parent_cgroups *c, const char *device, uint64_t memory)
{
	size_t len = c ? strlen(c->path) + strlen(c->name) + strlen(device) + 32 : 0;
	struct parent_cgroup *g;

	if (!c || !memory)
		return NULL;
	g = calloc(1, sizeof(*g) + len);
	if (!g)
		return NULL;
	g->refs = 1;
	g->limit = c->limit;
	snprintf(g->path, len, "%s/tranche-%s-%s.%d", c->path, c->name, device, (int)getpid());
	if (mkdir(g->path, 0755) < 0 && errno != EEXIST) {
		log_debug("cannot make %s: %m", g->path);
		free(g);
		return NULL;
	}
	parent_cgroup_set(g, memory);
	return g;
}

void parent_cgroup_set(struct parent_cgroup *g, uint64_t memory)
{
	uint64_t most = INT64_MAX & ~4095ull;
	int r;

	if (!g)
		return;
	if (memory && memory < (most - ALLOWANCE) / 2)
		most = 2 * memory + ALLOWANCE;
	r = write_number(g->path, g->limit, most);
	if (r < 0)
		log_debug("%s/%s: %s", g->path, g->limit, strerror(-r));
}

void parent_cgroup_add(const struct parent_cgroup *g, pid_t pid)
{
	int r = g ? write_number(g->path, "cgroup.procs", (uint64_t)pid) : 0;

	if (r < 0)
		log_debug("executor %d is not moved to %s: %s", (int)pid, g->path, strerror(-r));
}

struct parent_cgroup *parent_cgroup_ref(struct parent_cgroup *g)
{
	if (g)
		g->refs++;
	return g;
}

/* A group whose last process has been waited for is busy a moment longer now and then. */
static int remove_group(const char *path)
{
	const struct timespec pause = { .tv_nsec = 1000 * 1000 };
	int r = rmdir(path);

	for (int i = 0; i < REMOVE_TRIES && r < 0 && errno == EBUSY; i++) {
		nanosleep(&pause, NULL);
		r = rmdir(path);
	}
	return r;
}

void parent_cgroup_unref(struct parent_cgroup *g)
{
	if (!g || --g->refs)
		return;
	if (remove_group(g->path) < 0)
		log_debug("%s is left: %m", g->path);
	free(g);
}

/* SPDX-License-Identifier: MIT */
/*
 * Work-group functions are made on the host's quick device, which compiles at enqueue without running; the shared object
 * of one is the same for both devices, byte by byte, so it serves in the folders of both.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "parent/work_priv.h"

/*
 * Files of an entry: who uses a program in many ways, or says so, must not make it expensive for everybody else.
 */
#define MAX_EXTENDED 256u

static int write_seed(const char *cache, const struct parent_file *f)
{
	char path[PATH_MAX + sizeof(f->name) + 32];
	_cleanup_close_ int fd = -1;
	uint64_t done = 0;
	size_t from = strlen(cache) + 1;

	snprintf(path, sizeof(path), "%s/%s", cache, f->name);
	for (char *p = path + from; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700);
	if (fd < 0)
		return -errno;
	while (done < f->size) {
		char buf[16384];
		ssize_t n = pread(f->fd, buf, sizeof(buf), (off_t)done);

		if (n <= 0 || pwrite(fd, buf, (size_t)n, (off_t)done) != n)
			return -EIO;
		done += (uint64_t)n;
	}
	return 0;
}

int parent_work_seed(struct parent_job *j)
{
	struct parent_built quick;
	int r = parent_store_get(j->work->store, &j->work->quick, &quick);

	for (uint32_t i = 0; i < quick.nr_files && r == 0; i++)
		r = write_seed(j->cache, &quick.files[i]);
	parent_built_finish(&quick);
	/* Nothing there: then the program is built for that device first. */
	return r == -ENOENT ? 0 : r;
}

/* "XX/YYYY/kernel/16-1-1/kernel.so" of one program, as it is called in another; false: it is no work-group function. */
static bool rename_function(const char *name, const char *from, const char *to, char *ret, size_t cap)
{
	size_t len = strlen(from), end = strlen(name);
	const char *rest = name + len;

	if (strncmp(name, from, len) != 0 || *rest != '/' || !strchr(rest + 1, '/') || end < 3 ||
	    strcmp(name + end - 3, ".so") != 0)
		return false;
	return snprintf(ret, cap, "%s%s", to, rest) < (int)cap;
}

int parent_work_extend(struct parent_job *j)
{
	const struct parent_work *w = j->work;
	const struct parent_built *made = &j->built;
	struct parent_built main;
	uint32_t before;
	int r = made->nr_files > MAX_EXTENDED ? -E2BIG : parent_store_put(w->store, &w->quick, made);

	if (r == 0)
		r = parent_store_get(w->store, &w->key, &main);
	if (r < 0)
		return r;
	before = main.nr_files;
	for (uint32_t i = 0; i < made->nr_files && main.nr_files < MAX_EXTENDED && r == 0; i++) {
		char name[sizeof(made->files[i].name)];

		if (!rename_function(made->files[i].name, made->program, main.program, name, sizeof(name)) ||
		    parent_built_has(&main, name))
			continue;
		r = parent_built_add(&main, name, made->files[i].size, fcntl(made->files[i].fd, F_DUPFD_CLOEXEC, 3));
	}
	if (r == 0 && main.nr_files > before)
		r = parent_store_put(w->store, &w->key, &main);
	parent_built_finish(&main);
	return r;
}

/* SPDX-License-Identifier: MIT */
#include "executor/broker_watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/blob.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "executor/variant.h"

#define MAX_FOLDERS 1024u /* programs' and kernels' */
#define MAX_REPORTED TRNC_BROKER_MAX_VARIANTS

struct folder {
	int wd;
	uint64_t compile;
	char *path;
	int kernel; /* index; -1: a program's */
	/* of a program's */
	char **kernels; /* names, by index */
	uint32_t nr_kernels;
	char **known; /* folders of work-group functions that came: "kernel/16-1-1-goffs0" */
	uint32_t nr_known;
	uint32_t program; /* index of the program's folder, for a kernel's */
	uint32_t reported;
};

struct exec_broker_watch {
	int fd;
	uint32_t nr;
	struct folder folders[MAX_FOLDERS];
};

int exec_broker_watch_fd(const struct exec_broker_watch *w)
{
	return w ? w->fd : -1;
}

static struct exec_broker_watch *new_watch(void)
{
	struct exec_broker_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd >= 0)
		return w;
	free(w);
	return NULL;
}

static struct folder *find(struct exec_broker_watch *w, int wd)
{
	for (uint32_t i = 0; i < w->nr; i++)
		if (w->folders[i].wd == wd)
			return &w->folders[i];
	return NULL;
}

/* NULL: it is watched already, or cannot be. */
static struct folder *add(struct exec_broker_watch *w, const char *path)
{
	struct folder *f = &w->folders[w->nr];
	int wd;

	if (w->nr == MAX_FOLDERS)
		return NULL;
	wd = inotify_add_watch(w->fd, path, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
	if (wd < 0 || find(w, wd))
		return NULL;
	*f = (struct folder){ .wd = wd, .path = strdup(path), .kernel = -1 };
	if (!f->path)
		return NULL;
	w->nr++;
	return f;
}

static void add_name(char ***list, uint32_t *nr, const char *name, size_t len)
{
	char **grown = reallocarray(*list, *nr + 1u, sizeof(char *));

	if (!grown)
		return;
	*list = grown;
	grown[*nr] = strndup(name, len);
	if (grown[*nr])
		++*nr;
}

/* The names of the kernels, in the order of their indices. */
static void take_kernels(struct folder *f, const void *blob, size_t len)
{
	struct base_blob_reader r, inner;
	struct base_blob_item it, name;

	base_blob_reader_init(&r, blob, len);
	while (base_blob_next(&r, &it)) {
		if (it.tag != TRNC_TAG_KERNEL)
			continue;
		base_blob_reader_init(&inner, it.data, it.len);
		while (base_blob_next(&inner, &name))
			if (name.tag == TRNC_TAG_KERNEL_NAME && base_blob_str(&name))
				add_name(&f->kernels, &f->nr_kernels, base_blob_str(&name), name.len);
	}
}

/* "program/kernel/16-1-1/kernel.so": the part in the middle. */
static void take_known(struct folder *f, const char *program, const struct exec_broker_files *files)
{
	size_t len = strlen(program);

	for (uint32_t i = 0; i < files->nr; i++) {
		const char *name = files->list[i].name, *end = strrchr(name, '/');

		if (strncmp(name, program, len) == 0 && name[len] == '/' && end > name + len)
			add_name(&f->known, &f->nr_known, name + len + 1, (size_t)(end - name) - len - 1);
	}
}

void exec_broker_watch_program(struct exec_broker_watch **w, uint64_t compile, const char *program,
			       const struct exec_broker_files *files, const void *blob, size_t blob_len)
{
	char path[PATH_MAX];
	struct folder *f;

	if (!*w)
		*w = new_watch();
	if (!*w || exec_broker_make_folder(program, path, sizeof(path)) < 0)
		return;
	f = add(*w, path);
	if (!f)
		return;
	f->compile = compile;
	take_kernels(f, blob, blob_len);
	take_known(f, program, files);
}

/* ---------------------------------------------------------------- seeing */

struct seen {
	struct exec_broker_watch *w;
	void (*report)(void *arg, uint64_t compile, const struct trnc_broker_variant *v, uint32_t nr);
	void *arg;
};

static void see_variant(struct seen *s, struct folder *k, const char *name)
{
	struct folder *p = &s->w->folders[k->program];
	struct trnc_broker_variant v;
	char full[NAME_MAX * 2 + 2];

	if (!exec_variant_parse(name, &v))
		return;
	snprintf(full, sizeof(full), "%s/%s", p->kernels[k->kernel], name);
	for (uint32_t i = 0; i < p->nr_known; i++)
		if (strcmp(p->known[i], full) == 0)
			return;
	if (p->reported++ >= MAX_REPORTED)
		return;
	add_name(&p->known, &p->nr_known, full, strlen(full));
	v.kernel = (uint32_t)k->kernel;
	s->report(s->arg, p->compile, &v, 1);
}

/* What was there before it was watched. */
static void look_into(struct seen *s, struct folder *k)
{
	DIR *dir = opendir(k->path);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			see_variant(s, k, e->d_name);
	if (dir)
		closedir(dir);
}

static void see_kernel(struct seen *s, struct folder *p, const char *name)
{
	uint32_t program = (uint32_t)(p - s->w->folders);
	char path[PATH_MAX];
	struct folder *k;

	for (uint32_t i = 0; i < p->nr_kernels; i++) {
		if (strcmp(p->kernels[i], name) != 0)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", p->path, name) >= (int)sizeof(path))
			return;
		k = add(s->w, path);
		if (!k)
			return;
		k->kernel = (int)i;
		k->program = program;
		look_into(s, k);
		return;
	}
}

void exec_broker_watch_read(struct exec_broker_watch *w,
			    void (*report)(void *arg, uint64_t compile, const struct trnc_broker_variant *v, uint32_t nr),
			    void *arg)
{
	_Alignas(struct inotify_event) char buf[16384];
	struct seen s = { .w = w, .report = report, .arg = arg };
	ssize_t len;

	while ((len = read(w->fd, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + len;) {
			const struct inotify_event *e = (const void *)p;
			struct folder *f = find(w, e->wd);

			p += sizeof(*e) + e->len;
			if (!f || !e->len)
				continue;
			if (f->kernel < 0)
				see_kernel(&s, f, e->name);
			else
				see_variant(&s, f, e->name);
		}
}

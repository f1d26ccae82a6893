/* SPDX-License-Identifier: MIT */
#include "executor/travel.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/rmtree.h"

#define MAX_FILES 4096u
#define MAX_BYTES (64u << 20)
#define HERE "././" /* begins all ways up */

/* ------------------------------------------------------------------ paths */

/* The next component at *p, past slashes; its length, 0 at the end. */
static size_t component(const char **p)
{
	*p += strspn(*p, "/");
	return strcspn(*p, "/");
}

static bool is_dots(const char *c, size_t len)
{
	return (len == 1 && c[0] == '.') || (len == 2 && c[0] == '.' && c[1] == '.');
}

bool exec_travel_is_path(const char *path)
{
	const char *p = path;
	size_t len;

	if (path[0] != '/' || strlen(path) >= PATH_MAX / 2)
		return false;
	for (; (len = component(&p)); p += len)
		if (is_dots(p, len) || len > NAME_MAX)
			return false;
	return true;
}

static unsigned int depth_of(const char *path)
{
	const char *p = path;
	unsigned int depth = 0;
	size_t len;

	for (; (len = component(&p)); p += len)
		depth++;
	return depth;
}

void exec_travel_set_up(struct exec_travel *t, const char *cwd)
{
	size_t at = sizeof(HERE) - 1;

	memcpy(t->up, HERE, sizeof(HERE));
	for (unsigned int i = depth_of(cwd); i && at + 4 < sizeof(t->up); i--, at += 3)
		memcpy(t->up + at, "../", 4);
}

/* Adds the components of path to out, a path without "." and ".." that ends with "/".  False: too long. *climbs: it has left "/". */
static bool add_path(char *out, size_t cap, const char *path, size_t path_len, bool *climbs)
{
	const char *p = path, *end = path + path_len;
	size_t at = strlen(out);

	while (p < end) {
		const char *slash = memchr(p, '/', (size_t)(end - p));
		size_t len = (size_t)((slash ? slash : end) - p);

		if (len == 2 && p[0] == '.' && p[1] == '.') {
			*climbs |= at <= 1;
			while (at > 1 && out[--at - 1] != '/') {
			}
		} else if (len && !is_dots(p, len)) {
			if (at + len + 2 > cap)
				return false;
			memcpy(out + at, p, len);
			at += len;
			out[at++] = '/';
		}
		out[at] = '\0';
		p += len + 1;
	}
	return true;
}

/* Writes a folder of -I as it is reached here. */
static void put_folder(FILE *f, const struct exec_travel *t, const char *cwd, const char *path, size_t len)
{
	char full[PATH_MAX] = "/";
	bool climbs = false;

	if ((len == 0 || path[0] != '/') && !add_path(full, sizeof(full), cwd, strlen(cwd), &climbs))
		return;
	climbs = false;
	if (!add_path(full, sizeof(full), path, len, &climbs))
		return;
	/* Relative ones are good as they are, in the guest's tree; above it there is nothing of the guest's. */
	if (len && path[0] != '/' && !climbs)
		fwrite(path, 1, len, f);
	else
		fprintf(f, "%s%.*s", t->up, full[1] ? (int)strlen(full) - 2 : 1, full[1] ? full + 1 : ".");
}

/* ---------------------------------------------------------------- options */

#define BLANKS " \t\r\n"

/* A word with quotes and escapes, as they stand. */
static size_t word_length(const char *s)
{
	const char *p = s;
	char quote = '\0';

	for (; *p && (quote || !strchr(BLANKS, *p)); p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (quote ? *p == quote : *p == '"' || *p == '\'')
			quote = quote ? '\0' : *p;
	}
	return (size_t)(p - s);
}

/* The word without its quotes; what has blanks in it stays one word for the compilers that know quotes. */
static size_t unquote(const char *word, size_t len, char *out, size_t cap)
{
	size_t at = 0;
	char quote = '\0';

	for (size_t i = 0; i < len && at + 1 < cap; i++) {
		if (word[i] == '\\' && i + 1 < len)
			out[at++] = word[++i];
		else if (quote ? word[i] == quote : word[i] == '"' || word[i] == '\'')
			quote = quote ? '\0' : word[i];
		else
			out[at++] = word[i];
	}
	out[at] = '\0';
	return at;
}

/* -I and its folder, from a word or two. */
static const char *put_include(FILE *f, const struct exec_travel *t, const char *cwd, const char *plain, const char *next)
{
	char folder[PATH_MAX];
	const char *path = plain + 2;
	bool has_blank;

	if (!*path) {
		size_t len;

		next += strspn(next, BLANKS);
		len = word_length(next);
		unquote(next, len, folder, sizeof(folder));
		path = folder;
		next += len;
		if (!len) {
			fputs("-I", f);
			return next;
		}
	}
	has_blank = strpbrk(path, BLANKS) != NULL;
	fputs(has_blank ? "-I\"" : "-I", f);
	put_folder(f, t, cwd, path, strlen(path));
	if (has_blank)
		fputc('"', f);
	return next;
}

char *exec_travel_options(const struct exec_travel *t, const char *options, const char *cwd)
{
	char plain[PATH_MAX + 2];
	const char *p = options;
	char *out = NULL;
	size_t size = 0, len;
	FILE *f = open_memstream(&out, &size);

	if (!f)
		return NULL;
	for (p += strspn(p, BLANKS); (len = word_length(p)); p += strspn(p, BLANKS)) {
		const char *word = p;

		p += len;
		unquote(word, len, plain, sizeof(plain));
		if (strncmp(plain, "-I", 2) == 0) {
			p = put_include(f, t, cwd, plain, p);
		} else {
			fwrite(word, 1, len, f);
			/* What follows a lone -D belongs to it, whatever it looks like. */
			if (strcmp(plain, "-D") == 0) {
				size_t blanks = strspn(p, BLANKS), more = word_length(p + blanks);

				fwrite(p, 1, blanks + more, f);
				p += blanks + more;
			}
		}
		if (p[strspn(p, BLANKS)])
			fputc(' ', f);
	}
	if (fclose(f) == 0)
		return out;
	free(out);
	return NULL;
}

/* -------------------------------------------------------------------- log */

char *exec_travel_log(const struct exec_travel *t, const char *log)
{
	const char *folder = getenv("POCL_CACHE_DIR");
	const struct {
		const char *from, *to;
	} names[] = { { t->root, "" }, { t->up, "/" }, { folder ? folder : "", "" } };
	char *out = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&out, &size);

	if (!f)
		return NULL;
	while (*log) {
		size_t taken = 0;

		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !taken; i++) {
			size_t len = strlen(names[i].from);

			if (len && strncmp(log, names[i].from, len) == 0) {
				fputs(names[i].to, f);
				taken = len;
				/* The folder "/" itself, see put_folder(). */
				if (i == 1 && strncmp(log + taken, "./", 2) == 0)
					taken += 2;
			}
		}
		if (!taken)
			fputc(log[taken++], f);
		log += taken;
	}
	if (fclose(f) == 0)
		return out;
	free(out);
	return NULL;
}

/* ------------------------------------------------------------------ files */

/* The folder below fd, made if need be. Return: its descriptor or -errno. */
static int enter_folder(int fd, const char *name, size_t len)
{
	char folder[NAME_MAX + 1];

	memcpy(folder, name, len);
	folder[len] = '\0';
	if (mkdirat(fd, folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(fd, folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* All folders of the path but for its last component, which *ret_name points at. Return: descriptor or -errno. */
static int enter_folders(int root, const char *path, const char **ret_name)
{
	int fd = fcntl(root, F_DUPFD_CLOEXEC, 3);
	size_t len;

	if (fd < 0)
		return -errno;
	for (const char *p = path; (len = component(&p)); p += len) {
		int next;

		if (!p[len] && ret_name) {
			*ret_name = p;
			break;
		}
		next = enter_folder(fd, p, len);
		base_close(fd);
		if (next < 0)
			return next;
		fd = next;
	}
	return fd;
}

static int write_all(int fd, const struct exec_build_text *t)
{
	size_t done = 0;

	while (done < t->len) {
		ssize_t n = write(fd, t->data + done, t->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

static int write_file(int root, const struct exec_build_header *h)
{
	_cleanup_close_ int folder = -1, fd = -1;
	const char *name = NULL;

	folder = enter_folders(root, h->name, &name);
	if (folder < 0)
		return folder;
	if (!name)
		return -EINVAL;
	fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : write_all(fd, &h->source);
}

static int check_files(const struct exec_build_request *q, struct trn_error *err)
{
	size_t bytes = 0;

	if (q->nr_files > MAX_FILES)
		return trn_error_set(err, -E2BIG, "TooManyFiles", "a build brings %u files, %u at most can be", q->nr_files, MAX_FILES);
	for (uint32_t i = 0; i < q->nr_files; i++) {
		bytes += q->files[i].source.len;
		if (!exec_travel_is_path(q->files[i].name))
			return trn_error_set(err, -EINVAL, "BadPath", "\"%.100s\" is no absolute path without \"..\"",
					     q->files[i].name);
		if (bytes > MAX_BYTES)
			return trn_error_set(err, -E2BIG, "TooManyFiles", "a build's files have more than %u bytes", MAX_BYTES);
	}
	return 0;
}

static int fill(struct exec_travel *t, const struct exec_build_request *q, const char *cwd)
{
	_cleanup_close_ int root = open(t->root, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int folder = -1;
	int r = 0;

	if (root < 0)
		return -errno;
	for (uint32_t i = 0; i < q->nr_files && r == 0; i++)
		r = write_file(root, &q->files[i]);
	if (r < 0)
		return r;
	folder = enter_folders(root, cwd, NULL);
	if (folder < 0)
		return folder;
	return fchdir(folder) < 0 ? -errno : 0;
}

int exec_travel_begin(struct exec_travel *t, struct exec_build_request *q, struct trn_error *err)
{
	const char *folder = getenv("TMPDIR"), *cwd = q->cwd && exec_travel_is_path(q->cwd) ? q->cwd : "/";
	int r = check_files(q, err);

	*t = (struct exec_travel){ 0 };
	if (r < 0)
		return r;
	if (!folder || snprintf(t->root, sizeof(t->root), "%s/guest-XXXXXX", folder) >= (int)sizeof(t->root) || !mkdtemp(t->root)) {
		t->root[0] = '\0';
		return trn_error_set(err, -EIO, "NoFolder", "no folder for the files of a build: %s", strerror(errno));
	}
	exec_travel_set_up(t, cwd);
	r = fill(t, q, cwd);
	if (r < 0)
		return trn_error_set(err, r, "BadFile", "a file of a build cannot be written: %s", strerror(-r));
	t->options = exec_travel_options(t, q->options, cwd);
	if (!t->options)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a build");
	q->options = t->options;
	q->travel = t;
	return 0;
}

int exec_travel_enter(bool is_guest, struct exec_build_request *q, struct exec_travel *t, struct trn_error *err)
{
	/* Other builds run beside this one. */
	if (is_guest)
		return unshare(CLONE_FS) < 0 ? trn_error_set(err, -errno, "NoFolder", "no working folder for a build") :
					       exec_travel_begin(t, q, err);
	if (q->cwd && (unshare(CLONE_FS) < 0 || chdir(q->cwd) < 0))
		log_debug("working folder of a build: %m");
	return 0;
}

void exec_travel_finish(struct exec_travel *t)
{
	if (t->root[0]) {
		/* The folder that this thread is in goes, too. */
		(void)!chdir("/");
		(void)base_rmtree(AT_FDCWD, t->root);
	}
	free(t->options);
	t->root[0] = '\0';
	t->options = NULL;
}

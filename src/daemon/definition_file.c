/* SPDX-License-Identifier: MIT */
#include "daemon/definition_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tranche/mdev.h"

#define TEMPORARY ".new-"
#define NAME_SIZE (sizeof(TEMPORARY) + TRN_UUID_SIZE + sizeof(".json"))

/* -e with what to do about it. */
static int refuse(struct trn_error *err, int e, const char *doing, const char *folder, const char *name)
{
	const char *hint = "look at the file system of the definitions (definitions-dir in tranched.conf)";

	if (e == ENOSPC || e == EDQUOT || e == EFBIG)
		hint = "free space there; nothing was changed";
	else if (e == EROFS)
		hint = "mount it writable, or choose another definitions-dir; nothing was changed";
	else if (e == EACCES || e == EPERM)
		hint = "let the user of tranched write there; nothing was changed";
	trn_error_set(err, -e, e == ENOSPC || e == EDQUOT ? "NoSpace" : "DiskFailed", "cannot %s %s/%s: %s", doing, folder, name,
		      strerror(e));
	trn_error_hint(err, "%s", hint);
	return -e;
}

static int make_folder(const char *folder, struct trn_error *err)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s", folder) >= PATH_MAX)
		return refuse(err, ENAMETOOLONG, "use", folder, "");
	for (char *s = path + 1; ; s++) {
		char was = *s;

		if (was && was != '/')
			continue;
		*s = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST && (errno != EROFS || access(path, F_OK) < 0))
			return refuse(err, errno, "make the folder", path, "");
		*s = was;
		if (!was)
			return 0;
	}
}

static int open_folder(const char *folder, bool make, struct trn_error *err)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && make) {
		int r = make_folder(folder, err);

		if (r < 0)
			return r;
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? refuse(err, errno, "open", folder, "") : fd;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_temporary(int dir, const char *name, json_t *what)
{
	_cleanup_free_ char *text = json_dumps(what, JSON_INDENT(2));
	_cleanup_close_ int fd = -1;
	size_t len = text ? strlen(text) : 0;
	int r;

	if (!text)
		return -ENOMEM;
	if (len >= DAEMON_DEFINITION_MAX)
		return -EFBIG;
	text[len] = '\n'; /* in place of the NUL: the length is known */
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, len + 1);
	if (r < 0)
		(void)unlinkat(dir, name, 0);
	return r;
}

/* Not every file system knows RENAME_NOREPLACE. */
static int put_in_place(int dir, const char *temporary, const char *name, bool is_new)
{
	if (!is_new)
		return renameat(dir, temporary, dir, name) < 0 ? -errno : 0;
	if (renameat2(dir, temporary, dir, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(dir, temporary, dir, name) < 0 ? -errno : 0;
}

static int refuse_existing(struct trn_error *err, const char *folder, const char *name)
{
	trn_error_set(err, -EEXIST, "UuidInUse", "there is %.120s/%.60s already, and it is no definition that is known", folder, name);
	return trn_error_hint(err, "mend it or take it away, and reload; or choose another UUID");
}

int daemon_definition_write(const char *folder, const char *uuid, json_t *what, bool is_new, struct trn_error *err)
{
	char temporary[NAME_SIZE], name[NAME_SIZE];
	_cleanup_close_ int dir = open_folder(folder, true, err);
	int r;

	if (dir < 0)
		return dir;
	snprintf(temporary, sizeof(temporary), TEMPORARY "%s", uuid);
	snprintf(name, sizeof(name), "%s.json", uuid);
	r = write_temporary(dir, temporary, what);
	if (r < 0)
		return refuse(err, -r, "write", folder, name);
	r = put_in_place(dir, temporary, name, is_new);
	if (r < 0) {
		(void)unlinkat(dir, temporary, 0);
		return r == -EEXIST ? refuse_existing(err, folder, name) : refuse(err, -r, "write", folder, name);
	}
	if (fsync(dir) < 0)
		return refuse(err, errno, "sync", folder, name);
	return 0;
}

int daemon_definition_unlink(const char *folder, const char *uuid, struct trn_error *err)
{
	_cleanup_close_ int dir = open_folder(folder, false, err);
	char name[NAME_SIZE];

	if (dir < 0)
		return dir;
	snprintf(name, sizeof(name), "%s.json", uuid);
	if (unlinkat(dir, name, 0) < 0)
		return refuse(err, errno, "remove", folder, name);
	return fsync(dir) < 0 ? refuse(err, errno, "sync", folder, name) : 0;
}

static int refuse_file(struct trn_error *err, const char *folder, const char *name, const char *why)
{
	trn_error_set(err, -EINVAL, "BadDefinition", "%.80s/%.60s %s", folder, name, why);
	trn_error_hint(err, "mend it or take it away; all other definitions work");
	return -EINVAL;
}

static int uuid_of(const char *name, char ret[TRN_UUID_SIZE])
{
	size_t len = strlen(name);

	if (len != TRN_UUID_SIZE - 1 + 5 || strcmp(name + len - 5, ".json"))
		return -EINVAL;
	if (trn_uuid_parse(name, TRN_UUID_SIZE - 1, ret, NULL) < 0)
		return -EINVAL;
	return strncmp(name, ret, TRN_UUID_SIZE - 1) ? -EINVAL : 0;
}

static json_t *read_one(int dir, const char *folder, const char *name, struct trn_error *err)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	json_error_t where;
	struct stat st;
	json_t *json;
	ssize_t n;

	if (fd < 0 && (errno == ELOOP || errno == ENXIO))
		refuse_file(err, folder, name, "is no regular file");
	else if (fd < 0 || fstat(fd, &st) < 0)
		refuse(err, errno, "read", folder, name);
	else if (!S_ISREG(st.st_mode))
		refuse_file(err, folder, name, "is no regular file");
	else if (st.st_size >= DAEMON_DEFINITION_MAX)
		refuse_file(err, folder, name, "is larger than 64 KiB");
	if (err->code)
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	n = text ? read(fd, text, (size_t)st.st_size) : 0;
	if (!text || n < 0) {
		refuse(err, text ? errno : ENOMEM, "read", folder, name);
		return NULL;
	}
	json = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &where);
	if (!json) {
		char why[200];

		snprintf(why, sizeof(why), "is no JSON: line %d: %.100s", where.line, where.text);
		refuse_file(err, folder, name, why);
	}
	return json;
}

static void visit(int dir, const char *folder, const char *name, daemon_definition_fn fn, void *data)
{
	char uuid[TRN_UUID_SIZE];
	struct trn_error err = { 0 };
	json_t *json = NULL;

	if (!strncmp(name, TEMPORARY, strlen(TEMPORARY))) {
		(void)unlinkat(dir, name, 0);
		return;
	}
	if (uuid_of(name, uuid) < 0)
		refuse_file(&err, folder, name, "is no definition: its name is not a UUID in lower case and \".json\"");
	else
		json = read_one(dir, folder, name, &err);
	fn(data, name, json ? uuid : NULL, json, json ? NULL : &err);
	json_decref(json);
}

int daemon_definitions_read(const char *folder, daemon_definition_fn fn, void *data, struct trn_error *err)
{
	_cleanup_close_ int fd = open_folder(folder, true, err);
	struct dirent *entry;
	DIR *dir;
	int again;

	if (fd < 0)
		return fd;
	again = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	dir = again < 0 ? NULL : fdopendir(again);
	if (!dir) {
		int e = errno;

		base_close(again);
		return refuse(err, e, "read", folder, "");
	}
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			visit(fd, folder, entry->d_name, fn, data);
	closedir(dir);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "device/traces.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/quote.h"

int device_lock_take(const char *path, struct trn_error *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		trn_error_set(err, -errno, "NoLock", "cannot open the lock file %.150s: %s", path, strerror(errno));
		return trn_error_hint(err, "choose a file in a folder that exists and that you may write to");
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return trn_error_set(err, -errno, "NoLock", "cannot lock %.150s: %s", path, strerror(errno));
		trn_error_set(err, -EBUSY, "LockHeld", "another process holds the lock %.150s: this device runs already", path);
		return trn_error_hint(err, "end that process first, or give this device another UUID and other files");
	}
	return TAKE_FD(fd);
}

void device_remove_stale(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
}

static int write_to(FILE *f, const struct trn_error *why)
{
	fputs("{\"name\":", f);
	base_quote_json(f, why->name ? why->name : "Unknown");
	fputs(",\"message\":", f);
	base_quote_json(f, why->text);
	fputs(",\"hint\":", f);
	base_quote_json(f, why->hint);
	fprintf(f, ",\"code\":%d}\n", -why->code);
	return fclose(f) == 0 ? 0 : -errno;
}

void device_ended_write(const char *path, const struct trn_error *why)
{
	char temporary[PATH_MAX];
	int fd, r;
	FILE *f;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary)) {
		log_warning("the path %.80s... is too long", path);
		return;
	}
	(void)unlink(temporary); /* of one that was killed in between */
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!f) {
		log_warning("cannot write %s: %m", temporary);
		base_close(fd);
		return;
	}
	r = write_to(f, why);
	if (r == 0 && rename(temporary, path) == 0)
		return;
	log_warning("cannot write %s: %s", path, strerror(r ? -r : errno));
	(void)unlink(temporary);
}

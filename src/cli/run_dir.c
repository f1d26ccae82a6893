/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/rmtree.h"
#include "base/socket.h"
#include "cli/run_dir.h"

/* A folder that is this user's own and nobody else's. In /tmp somebody may have made it before us. */
static int private_dir(const char *path, struct trn_error *err)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return trn_error_set(err, -errno, "RuntimeDir", "cannot make the folder %s: %s", path, strerror(errno));
	if (lstat(path, &st) < 0)
		return trn_error_set(err, -errno, "RuntimeDir", "cannot look at the folder %s: %s", path,
				     strerror(errno));
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077) {
		trn_error_set(err, -EPERM, "RuntimeDir", "%s is not a folder of this user alone", path);
		return trn_error_hint(err, "remove it, or set XDG_RUNTIME_DIR to a folder of yours with mode 0700");
	}
	return 0;
}

static int choose_path(char ret[64], struct trn_error *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char base[48];
	int r;

	if (runtime && runtime[0] == '/' && access(runtime, W_OK) == 0 &&
	    snprintf(base, sizeof(base), "%s/tranche", runtime) < (int)sizeof(base))
		r = private_dir(base, err);
	else {
		snprintf(base, sizeof(base), "/tmp/tranche-%u", (unsigned int)geteuid());
		r = private_dir(base, err);
	}
	if (r)
		return r;
	snprintf(ret, 64, "%s/run-XXXXXX", base);
	if (!mkdtemp(ret))
		return trn_error_set(err, -errno, "RuntimeDir", "cannot make a folder in %s: %s", base, strerror(errno));
	return 0;
}

/* One line in one file: the form that every loader reads. */
static int write_icd(const char *vendors, const char *driver, struct trn_error *err)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tranche.icd", vendors);
	f = fopen(path, "we");
	if (!f || fprintf(f, "%s\n", driver) < 0 || fflush(f)) {
		int saved = errno;

		if (f)
			fclose(f);
		return trn_error_set(err, -saved, "RuntimeDir", "cannot write %s: %s", path, strerror(saved));
	}
	fclose(f);
	return 0;
}

static int make_place(const char *above, int i, struct run_place *ret, struct trn_error *err)
{
	struct run_place place;
	int r = 0;

	snprintf(place.path, sizeof(place.path), "%s", above);
	if (i > 0) {
		snprintf(place.path, sizeof(place.path), "%s/%d", above, i);
		r = private_dir(place.path, err);
	}
	if (r)
		return r;
	snprintf(place.socket, sizeof(place.socket), "%s/device.sock", place.path);
	place.listener = base_socket_listen(place.socket, err);
	if (place.listener < 0)
		return place.listener;
	*ret = place;
	return 0;
}

int run_dir_create(struct run_dir *d, int nr, const char *driver, struct trn_error *err)
{
	int r;

	memset(d, 0, sizeof(*d));
	r = choose_path(d->path, err);
	if (r) {
		d->path[0] = '\0';
		return r;
	}
	snprintf(d->vendors, sizeof(d->vendors), "%s/vendors", d->path);
	r = private_dir(d->vendors, err);
	if (!r)
		r = write_icd(d->vendors, driver, err);
	for (; !r && d->nr < nr; d->nr += r == 0)
		r = make_place(d->path, d->nr, &d->places[d->nr], err);
	if (r)
		run_dir_destroy(d);
	return r;
}

void run_dir_destroy(struct run_dir *d)
{
	for (int i = 0; i < d->nr; i++)
		d->places[i].listener = base_close(d->places[i].listener);
	if (!d->path[0])
		return;
	/* Usually gone already: the device processes remove it, but they may have been killed. */
	(void)base_rmtree(AT_FDCWD, d->path);
	d->path[0] = '\0';
}

/* SPDX-License-Identifier: MIT */
/* Wishes beside an entry: numbers alone, and of no consequence when they are wrong, so they are neither digested nor synced. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/rmtree.h"
#include "parent/store_priv.h"

static void name_of(const struct parent_key *key, char ret[PARENT_ENTRY_NAME + 8])
{
	char name[PARENT_ENTRY_NAME];

	parent_store_entry_name(key, name);
	snprintf(ret, PARENT_ENTRY_NAME + 8, "%s.wants", name);
}

uint32_t parent_store_wanted(struct parent_store *s, const struct parent_key *key, struct trnc_broker_variant *list)
{
	char name[PARENT_ENTRY_NAME + 8];
	_cleanup_close_ int fd = -1;
	struct stat st;
	ssize_t n;

	name_of(key, name);
	fd = openat(s->entries, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return 0;
	n = read(fd, list, TRNC_BROKER_MAX_VARIANTS * sizeof(*list));
	return n < 0 ? 0 : (uint32_t)((size_t)n / sizeof(*list));
}

static bool has(const struct trnc_broker_variant *list, uint32_t nr, const struct trnc_broker_variant *v)
{
	for (uint32_t i = 0; i < nr; i++)
		if (memcmp(&list[i], v, sizeof(*v)) == 0)
			return true;
	return false;
}

static void write_wants(struct parent_store *s, const char *name, const struct trnc_broker_variant *list, uint32_t nr)
{
	char tmp[64];
	_cleanup_close_ int dir = parent_store_make_tmp(s, tmp), fd = -1;
	size_t len = nr * sizeof(*list);

	if (dir < 0)
		return;
	fd = openat(dir, "wants", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	/* Without its entry there is nothing to want: then the shelf may be missing, too. */
	if (fd >= 0 && write(fd, list, len) == (ssize_t)len)
		(void)renameat(dir, "wants", s->entries, name);
	(void)base_rmtree(s->tmp, tmp + 4);
}

void parent_store_want(struct parent_store *s, const struct parent_key *key, const struct trnc_broker_variant *list,
		       uint32_t nr)
{
	_cleanup_free_ struct trnc_broker_variant *all = calloc(TRNC_BROKER_MAX_VARIANTS, sizeof(*all));
	char name[PARENT_ENTRY_NAME + 8];
	uint32_t before, now;

	if (!all)
		return;
	before = now = parent_store_wanted(s, key, all);
	for (uint32_t i = 0; i < nr && now < TRNC_BROKER_MAX_VARIANTS; i++)
		if (!has(all, now, &list[i]))
			all[now++] = list[i];
	name_of(key, name);
	if (now > before)
		write_wants(s, name, all, now);
}

int parent_store_claim(struct parent_store *s, const struct parent_key *key)
{
	char name[PARENT_ENTRY_NAME];
	_cleanup_close_ int fd = -1;

	parent_store_entry_name(key, name);
	fd = openat(s->entries, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	return TAKE_FD(fd);
}

void parent_store_unwant(struct parent_store *s, const struct parent_key *key)
{
	char name[PARENT_ENTRY_NAME + 8];

	name_of(key, name);
	(void)unlinkat(s->entries, name, 0);
}

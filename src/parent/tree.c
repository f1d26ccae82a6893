/* SPDX-License-Identifier: MIT */
#include "parent/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Entries come in any order, so their digests are added: a sum that nobody but the user's own files can choose. */
struct sum {
	uint8_t bytes[PARENT_DIGEST];
};

static void add(struct sum *s, const uint8_t digest[PARENT_DIGEST])
{
	unsigned int carry = 0;

	for (size_t i = 0; i < PARENT_DIGEST; i++) {
		carry += s->bytes[i] + digest[i];
		s->bytes[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

static void describe(const char *prefix, const char *name, const struct stat *st, uint8_t ret[PARENT_DIGEST])
{
	const uint64_t facts[] = {
		(uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
		(uint64_t)st->st_ctim.tv_sec, (uint64_t)st->st_ctim.tv_nsec, st->st_ino, st->st_dev, st->st_mode,
	};
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, strlen(prefix) + 1, (const uint8_t *)prefix);
	sha256_update(&ctx, strlen(name) + 1, (const uint8_t *)name);
	sha256_update(&ctx, sizeof(facts), (const uint8_t *)facts);
	sha256_digest(&ctx, PARENT_DIGEST, ret);
}

static int visit(int fd, const char *prefix, unsigned int depth, struct parent_tree_budget *budget, struct sum *sum);

static bool is_text(const char *name)
{
	static const char *const ends[] = { ".h", ".hh", ".hpp", ".hxx", ".cl", ".clh", ".clc", ".cli", ".inc", ".inl",
					    ".ipp", ".def", ".c", ".cc", ".cpp", ".i", ".tcc", ".cuh" };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof(ends) / sizeof(ends[0]); i++)
		if (strcmp(dot, ends[i]) == 0)
			return true;
	return false;
}

static int visit_entry(int dir, const char *prefix, const struct dirent *e, unsigned int depth,
		       struct parent_tree_budget *budget, struct sum *sum)
{
	uint8_t digest[PARENT_DIGEST];
	char below[4096];
	struct stat st;
	int fd;

	if (budget->entries-- == 0)
		return -E2BIG;
	/* Gone meanwhile, or a link to nothing: the compiler finds nothing either. */
	if (fstatat(dir, e->d_name, &st, 0) < 0)
		return errno == ENOENT || errno == ELOOP ? 0 : -errno;
	if (!S_ISDIR(st.st_mode)) {
		if (budget->texts_only && !is_text(e->d_name))
			return 0;
		describe(prefix, e->d_name, &st, digest);
		add(sum, digest);
		return 0;
	}
	if (budget->texts_only && e->d_name[0] == '.')
		return 0;
	if (depth == 0 || strlen(prefix) + strlen(e->d_name) + 2 > sizeof(below))
		return -E2BIG;
	stpcpy(stpcpy(stpcpy(below, prefix), e->d_name), "/");
	fd = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		/* A folder that we may not read is none for the compiler; a linked one may lead anywhere. */
		return errno == EACCES || errno == ENOENT ? 0 : -E2BIG;
	return visit(fd, below, depth - 1, budget, sum);
}

/* Takes over fd.  A folder's own times do not count: they change with files that come and go for a moment. */
static int visit(int fd, const char *prefix, unsigned int depth, struct parent_tree_budget *budget, struct sum *sum)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!dir) {
		r = -errno;
		base_close(fd);
		return r;
	}
	while (r == 0 && (e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = visit_entry(dirfd(dir), prefix, e, depth, budget, sum);
	closedir(dir);
	return r;
}

int parent_tree_digest(const char *base, const char *path, struct parent_tree_budget *budget, struct parent_key *ret)
{
	_cleanup_close_ int at = base ? open(base, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	struct sum sum = { { 0 } };
	int fd, r;

	if (base && at < 0)
		return -errno;
	fd = openat(base ? at : AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = visit(fd, "", budget->depth, budget, &sum);
	if (r == 0)
		memcpy(ret->bytes, sum.bytes, sizeof(ret->bytes));
	return r;
}

/* SPDX-License-Identifier: MIT */
/* An entry of the store: written and read. */
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/rmtree.h"
#include "parent/store_priv.h"

#define MAGIC "TRNCPROG"
#define VERSION 1u
#define CHUNK (1u << 16)

/* The manifest: the head, nr_files of struct line, then the digest of all that. */
struct head {
	char magic[8];
	uint32_t version;
	uint32_t nr_files;
	uint32_t flags;
	uint32_t reserved;
	uint8_t key[PARENT_DIGEST];
	char program[64];
	uint64_t reply_len;
	uint8_t reply_digest[PARENT_DIGEST];
};

struct line {
	char name[248];
	uint64_t size;
	uint8_t digest[PARENT_DIGEST];
};

_Static_assert(sizeof(struct head) == 160 && sizeof(struct line) == 288, "no padding in what is stored");

void parent_store_entry_name(const struct parent_key *key, char ret[PARENT_ENTRY_NAME])
{
	char *p = ret;

	for (size_t i = 0; i < PARENT_DIGEST; i++) {
		p += snprintf(p, 3, "%02x", key->bytes[i]);
		if (i == 0)
			*p++ = '/';
	}
}

/* --------------------------------------------------------------- writing */

/* Copies a file of a known size, and takes its digest on the way. */
static int write_file(int folder, const char *name, const struct parent_file *from, uint8_t digest[PARENT_DIGEST])
{
	_cleanup_close_ int to = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	_cleanup_free_ uint8_t *buf = malloc(CHUNK);
	struct sha256_ctx ctx;
	uint64_t done = 0;

	if (to < 0 || !buf)
		return to < 0 ? -errno : -ENOMEM;
	sha256_init(&ctx);
	while (done < from->size) {
		size_t want = from->size - done < CHUNK ? (size_t)(from->size - done) : CHUNK;
		ssize_t n = pread(from->fd, buf, want, (off_t)done);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		sha256_update(&ctx, (size_t)n, buf);
		if (pwrite(to, buf, (size_t)n, (off_t)done) != n)
			return errno ? -errno : -ENOSPC;
		done += (uint64_t)n;
	}
	sha256_digest(&ctx, PARENT_DIGEST, digest);
	return fsync(to) < 0 ? -errno : 0;
}

static int write_manifest(int folder, const struct head *head, const struct line *lines)
{
	size_t len = sizeof(*head) + head->nr_files * sizeof(*lines);
	_cleanup_free_ uint8_t *bytes = malloc(len + PARENT_DIGEST);
	_cleanup_close_ int fd = openat(folder, "manifest", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct sha256_ctx ctx;

	if (fd < 0 || !bytes)
		return fd < 0 ? -errno : -ENOMEM;
	memcpy(bytes, head, sizeof(*head));
	if (head->nr_files)
		memcpy(bytes + sizeof(*head), lines, len - sizeof(*head));
	sha256_init(&ctx);
	sha256_update(&ctx, len, bytes);
	sha256_digest(&ctx, PARENT_DIGEST, bytes + len);
	if (write(fd, bytes, len + PARENT_DIGEST) != (ssize_t)(len + PARENT_DIGEST))
		return -ENOSPC;
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_entry(int folder, const struct parent_key *key, const struct parent_built *b)
{
	_cleanup_free_ struct line *lines = calloc(b->nr_files + 1, sizeof(*lines));
	struct head head = { .magic = MAGIC, .version = VERSION, .nr_files = b->nr_files, .flags = b->flags };
	char name[16];
	int r;

	if (!lines)
		return -ENOMEM;
	head.reply_len = b->reply.size;
	memcpy(head.key, key->bytes, sizeof(head.key));
	memcpy(head.program, b->program, sizeof(head.program));
	r = write_file(folder, "reply", &b->reply, head.reply_digest);
	for (uint32_t i = 0; i < b->nr_files && r == 0; i++) {
		memcpy(lines[i].name, b->files[i].name, sizeof(lines[i].name));
		lines[i].size = b->files[i].size;
		snprintf(name, sizeof(name), "%u", i);
		r = write_file(folder, name, &b->files[i], lines[i].digest);
	}
	if (r == 0)
		r = write_manifest(folder, &head, lines);
	return r == 0 && fsync(folder) < 0 ? -errno : r;
}

/* In its place; what was there goes. */
static int move_in(struct parent_store *s, int from, const char *tmp_name, const char *name)
{
	char shelf[3] = { name[0], name[1], '\0' };
	_cleanup_close_ int to = -1;
	int r = 0;

	if (mkdirat(s->entries, shelf, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (renameat2(from, tmp_name, s->entries, name, RENAME_NOREPLACE) < 0) {
		if (errno != EEXIST)
			return -errno;
		if (renameat2(from, tmp_name, s->entries, name, RENAME_EXCHANGE) < 0)
			return -errno;
	}
	to = openat(s->entries, shelf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to >= 0 && fsync(to) < 0)
		r = -errno;
	return r;
}

int parent_store_put(struct parent_store *s, const struct parent_key *key, const struct parent_built *b)
{
	char name[PARENT_ENTRY_NAME], tmp[64];
	_cleanup_close_ int fd = parent_store_make_tmp(s, tmp), entry = -1;
	int r = fd < 0 ? fd : 0;

	if (r < 0)
		return r;
	parent_store_entry_name(key, name);
	if (mkdirat(fd, "entry", 0700) < 0)
		r = -errno;
	entry = r == 0 ? openat(fd, "entry", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	if (r == 0 && entry < 0)
		r = -errno;
	if (r == 0)
		r = write_entry(entry, key, b);
	if (r == 0)
		r = move_in(s, fd, "entry", name);
	(void)base_rmtree(s->tmp, tmp + 4);
	if (r == 0)
		parent_store_trim(s);
	return r;
}

/* --------------------------------------------------------------- reading */

#define NOT_RIGHT (-EBADMSG)

/* A plain file of ours and of that size, if it is known. */
static int open_file(int folder, const char *name, uint64_t max, uint64_t *size)
{
	_cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ELOOP ? NOT_RIGHT : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) || st.st_size < 0 ||
	    (uint64_t)st.st_size > max)
		return NOT_RIGHT;
	*size = (uint64_t)st.st_size;
	return TAKE_FD(fd);
}

static int digest_of(int fd, uint64_t size, uint8_t ret[PARENT_DIGEST])
{
	_cleanup_free_ uint8_t *buf = malloc(CHUNK);
	struct sha256_ctx ctx;
	uint64_t done = 0;

	if (!buf)
		return -ENOMEM;
	sha256_init(&ctx);
	while (done < size) {
		ssize_t n = pread(fd, buf, CHUNK, (off_t)done);

		if (n <= 0)
			return n < 0 ? -errno : NOT_RIGHT;
		sha256_update(&ctx, (size_t)n, buf);
		done += (uint64_t)n;
	}
	sha256_digest(&ctx, PARENT_DIGEST, ret);
	return 0;
}

static int open_checked(int folder, const char *name, uint64_t size, const uint8_t want[PARENT_DIGEST])
{
	uint8_t digest[PARENT_DIGEST];
	uint64_t found;
	_cleanup_close_ int fd = open_file(folder, name, PARENT_MAX_BUILT, &found);
	int r = fd;

	if (r >= 0 && found != size)
		r = NOT_RIGHT;
	if (r >= 0)
		r = digest_of(fd, size, digest);
	if (r >= 0 && memcmp(digest, want, PARENT_DIGEST) != 0)
		r = NOT_RIGHT;
	return r < 0 ? r : TAKE_FD(fd);
}

/* The manifest's bytes, malloc'ed; the head is checked, and that the lines are there. */
static int read_manifest(int folder, const struct parent_key *key, struct head *head, uint8_t **ret)
{
	const uint64_t max = sizeof(*head) + PARENT_MAX_FILES * sizeof(struct line) + PARENT_DIGEST;
	uint8_t digest[PARENT_DIGEST];
	struct sha256_ctx ctx;
	uint64_t len = 0;
	_cleanup_close_ int fd = open_file(folder, "manifest", max, &len);
	_cleanup_free_ uint8_t *bytes = NULL;

	if (fd < 0)
		return fd;
	if (len < sizeof(*head) + PARENT_DIGEST)
		return NOT_RIGHT;
	bytes = malloc(len);
	if (!bytes)
		return -ENOMEM;
	if (read(fd, bytes, len) != (ssize_t)len)
		return NOT_RIGHT;
	sha256_init(&ctx);
	sha256_update(&ctx, len - PARENT_DIGEST, bytes);
	sha256_digest(&ctx, PARENT_DIGEST, digest);
	memcpy(head, bytes, sizeof(*head));
	if (memcmp(digest, bytes + len - PARENT_DIGEST, PARENT_DIGEST) != 0 || memcmp(head->magic, MAGIC, 8) != 0 ||
	    head->version != VERSION || memcmp(head->key, key->bytes, PARENT_DIGEST) != 0 ||
	    head->nr_files > PARENT_MAX_FILES || head->program[sizeof(head->program) - 1] ||
	    len != sizeof(*head) + head->nr_files * sizeof(struct line) + PARENT_DIGEST)
		return NOT_RIGHT;
	*ret = TAKE_PTR(bytes);
	return 0;
}

static int read_line(int folder, uint32_t index, const struct line *line, struct parent_built *ret)
{
	char name[16];
	int fd;

	if (line->name[sizeof(line->name) - 1] || line->size > PARENT_MAX_FILE)
		return NOT_RIGHT;
	snprintf(name, sizeof(name), "%u", index);
	fd = open_checked(folder, name, line->size, line->digest);
	if (fd < 0)
		return fd;
	return parent_built_add(ret, line->name, line->size, fd) < 0 ? NOT_RIGHT : 0;
}

static int read_entry(int folder, const struct parent_key *key, struct parent_built *ret)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	struct head head;
	struct line line;
	int r = read_manifest(folder, key, &head, &bytes);

	if (r < 0)
		return r;
	ret->flags = head.flags;
	memcpy(ret->program, head.program, sizeof(ret->program));
	ret->reply.size = head.reply_len;
	ret->reply.fd = open_checked(folder, "reply", head.reply_len, head.reply_digest);
	if (ret->reply.fd < 0)
		return ret->reply.fd;
	for (uint32_t i = 0; i < head.nr_files && r == 0; i++) {
		memcpy(&line, bytes + sizeof(head) + i * sizeof(line), sizeof(line));
		r = read_line(folder, i, &line, ret);
	}
	return r;
}

int parent_store_get(struct parent_store *s, const struct parent_key *key, struct parent_built *ret)
{
	char name[PARENT_ENTRY_NAME];
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	parent_built_init(ret);
	parent_store_entry_name(key, name);
	fd = openat(s->entries, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT))
		return -ENOENT;
	r = fd < 0 ? (errno == ELOOP || errno == ENOTDIR ? NOT_RIGHT : -errno) : 0;
	if (r == 0 && (fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022)))
		r = NOT_RIGHT;
	if (r == 0)
		r = read_entry(fd, key, ret);
	if (r == 0) {
		(void)futimens(fd, NULL); /* when it was used last */
		return 0;
	}
	parent_built_finish(ret);
	/* While we read it somebody may have made room, or put another in its place: only one that is there is wrong. */
	if (r == NOT_RIGHT || r == -ENOENT) {
		struct stat now;

		if (fd < 0 || (fstatat(s->entries, name, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino == st.st_ino)) {
			log_info("the stored program %s is not as it was written, and is thrown away", name);
			parent_store_throw_away(s, name);
		}
		return -ENOENT;
	}
	return r;
}

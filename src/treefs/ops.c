/* SPDX-License-Identifier: MIT */
#include "treefs/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "treefs/node.h"
#include "treefs/open.h"
#include "treefs/parse.h"

/* What the size of every file is said to be, in sysfs as well: a page. Nothing longer is read or taken. */
#define FILE_SIZE 4096
/* The kernel is told of all that changes. */
#define KEPT_S 3600.0

static struct treefs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* Sysfs has folders with the number of folders in them; 1 says that it is not known, so that nobody relies on it. */
static void fill_attr(const struct treefs *fs, const struct treefs_node *node, struct stat *ret)
{
	char text[PATH_MAX];
	mode_t mode = node->row->mode;

	if (fs->allows_users && S_ISREG(mode) && (mode & S_IWUSR))
		mode |= S_IWGRP | S_IWOTH;
	*ret = (struct stat){
		.st_ino = treefs_node_ino(node->kind, node->object),
		.st_mode = mode,
		.st_nlink = 1,
		.st_uid = fs->uid,
		.st_gid = fs->gid,
		.st_blksize = FILE_SIZE,
		.st_atim = fs->start,
		.st_mtim = fs->start,
		.st_ctim = fs->start,
	};
	if (S_ISREG(mode))
		ret->st_size = FILE_SIZE;
	else if (S_ISLNK(mode))
		ret->st_size = treefs_node_text(node, text, sizeof(text));
}

static void lock(struct treefs *fs)
{
	pthread_rwlock_rdlock(&fs->tree.lock);
}

static void unlock(struct treefs *fs)
{
	pthread_rwlock_unlock(&fs->tree.lock);
}

/* May who asks change something?  Modes are checked by the kernel; this is tranched's own rule, as it sees us and not
 * them. */
static bool may_write(const struct treefs *fs, fuse_req_t req)
{
	uid_t uid = fuse_req_ctx(req)->uid;

	return fs->allows_users || uid == 0 || uid == fs->uid;
}

/* --- looking --- */

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	/* Where a link points to never changes. */
	conn->want |= conn->capable & FUSE_CAP_CACHE_SYMLINKS;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = {.attr_timeout = KEPT_S, .entry_timeout = KEPT_S};
	struct treefs *fs = fs_of(req);
	struct treefs_node folder, node;
	int r;

	lock(fs);
	r = treefs_node_get(&fs->tree, parent, &folder);
	if (r == 0)
		r = treefs_node_lookup(&fs->tree, &folder, name, &node);
	if (r == 0) {
		fill_attr(fs, &node, &e.attr);
		e.ino = e.attr.st_ino;
	}
	unlock(fs);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_entry(req, &e);
}

static void reply_attr(fuse_req_t req, fuse_ino_t ino)
{
	struct treefs *fs = fs_of(req);
	struct treefs_node node;
	struct stat attr;
	int r;

	lock(fs);
	r = treefs_node_get(&fs->tree, ino, &node);
	if (r == 0)
		fill_attr(fs, &node, &attr);
	unlock(fs);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_attr(req, &attr, KEPT_S);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	reply_attr(req, ino);
}

/* Emptying a file, and touching it, is nothing; who it belongs to is not changed here. */
static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	if (to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		fuse_reply_err(req, EPERM);
	else
		reply_attr(req, ino);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct treefs *fs = fs_of(req);
	struct treefs_node node;
	char text[PATH_MAX];
	int r;

	lock(fs);
	r = treefs_node_get(&fs->tree, ino, &node);
	if (r == 0 && !S_ISLNK(node.row->mode))
		r = -EINVAL;
	if (r == 0)
		text[treefs_node_text(&node, text, sizeof(text))] = '\0';
	unlock(fs);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_readlink(req, text);
}

struct listing {
	fuse_req_t req;
	char *buf;
	size_t len, size;
};

/* Return: false: it does not fit. */
static bool add_entry(struct listing *l, const struct treefs_entry *e)
{
	struct stat attr = {.st_ino = e->ino, .st_mode = e->mode};
	size_t n = fuse_add_direntry(l->req, l->buf + l->len, l->size - l->len, e->name, &attr, (off_t)e->cookie);

	if (n > l->size - l->len)
		return false;
	l->len += n;
	return true;
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	char buf[16384];
	struct listing l = {.req = req, .buf = buf, .size = size < sizeof(buf) ? size : sizeof(buf)};
	struct treefs *fs = fs_of(req);
	struct treefs_entry e = {.cookie = (uint64_t)off};
	struct treefs_node folder;
	int r;

	lock(fs);
	r = treefs_node_get(&fs->tree, ino, &folder);
	if (r == 0)
		do {
			r = treefs_node_next(&fs->tree, &folder, e.cookie, &e);
		} while (r > 0 && add_entry(&l, &e));
	unlock(fs);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_buf(req, buf, l.len);
}

/* --- files --- */

/* The handle is the device's parent: it tells later whether a device has gone alone. */
static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct treefs *fs = fs_of(req);
	bool will_write = (fi->flags & O_ACCMODE) != O_RDONLY, will_read = (fi->flags & O_ACCMODE) != O_WRONLY;
	struct treefs_node node;
	uint64_t parent = 0;
	int r;

	lock(fs);
	r = treefs_node_get(&fs->tree, ino, &node);
	if (r == 0 && node.object && node.object->parent)
		parent = node.object->parent->id;
	unlock(fs);
	if (r == 0 && will_write && !may_write(fs, req))
		r = -EACCES;
	/* In sysfs root as well cannot open what a file has no operation for. */
	if (r == 0 && ((will_write && !(node.row->mode & S_IWUSR)) || (will_read && !(node.row->mode & S_IRUSR))))
		r = -EACCES;
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		treefs_reply_open(req, parent);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct treefs *fs = fs_of(req);
	struct treefs_node node;
	char text[FILE_SIZE];
	ssize_t len;

	lock(fs);
	len = treefs_node_get(&fs->tree, ino, &node);
	if (len == 0)
		len = treefs_node_text(&node, text, sizeof(text));
	unlock(fs);
	if (len < 0)
		fuse_reply_err(req, len == -ENOENT ? ENODEV : (int)-len);
	else if (off >= len)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, text + off, (size_t)(len - off) < size ? (size_t)(len - off) : size);
}

/* A device that has gone from a parent that is still there was removed: once more is harmless. */
static int write_to_gone(struct treefs *fs, fuse_ino_t ino, uint64_t parent, const char *text, size_t len)
{
	unsigned long number;

	if ((ino & 0xff) != TREEFS_REMOVE || !treefs_tree_get(&fs->tree, (uint32_t)parent))
		return -ENODEV;
	return treefs_parse_number(text, len, &number);
}

/* The offset says nothing: each write is one command. */
static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct treefs *fs = fs_of(req);
	struct treefs_node node;
	int r;

	if (size > FILE_SIZE)
		size = FILE_SIZE;
	if (!may_write(fs, req)) {
		fuse_reply_err(req, EACCES);
		return;
	}
	lock(fs);
	r = treefs_node_get(&fs->tree, ino, &node);
	if (r == 0) {
		r = treefs_command_start(fs->commands, req, &node, buf, size);
		unlock(fs);
	} else {
		if (r == -ENOENT)
			r = write_to_gone(fs, ino, fi->fh, buf, size);
		unlock(fs);
		if (r == 0)
			fuse_reply_write(req, size);
	}
	if (r < 0)
		fuse_reply_err(req, -r);
}

/* --- what a tree of this kind does not do, with sysfs's numbers --- */

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	fuse_reply_err(req, EACCES);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	fuse_reply_err(req, EPERM);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	fuse_reply_err(req, EPERM);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, EPERM);
}

static void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, EPERM);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
	fuse_reply_err(req, EPERM);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
	unsigned int flags)
{
	fuse_reply_err(req, EPERM);
}

/* --- telling --- */

void treefs_tell_changed(void *session, uint64_t folder, const char *name, uint64_t ino, bool has_gone)
{
	/*
	 * Mostly the kernel has never heard of it, and says so.  A folder cannot be deleted while somebody has a file
	 * in it open, such as "remove"; it is as gone when its entry is.
	 */
	if (has_gone && !treefs_node_is_folder(ino))
		fuse_lowlevel_notify_delete(session, folder, ino, name, strlen(name));
	else
		fuse_lowlevel_notify_inval_entry(session, folder, name, strlen(name));
}

const struct fuse_lowlevel_ops treefs_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.readdir = op_readdir,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.create = op_create,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_unlink,
	.symlink = op_symlink,
	.link = op_link,
	.rename = op_rename,
};

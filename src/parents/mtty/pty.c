/* SPDX-License-Identifier: MIT */
/* A line that is a pseudo-terminal.  The master cannot be waited on for somebody to open the other end; inotify can. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "parents/mtty/line.h"

static int fail(struct trn_error *err, int r, const char *what)
{
	return trn_error_set(err, r, "NoTerminal", "cannot make a pseudo-terminal: %s: %s", what, strerror(-r));
}

/* Raw, once; it stays so while the master is open, unless a peer changes it.  That somebody had it open and closed it
 * makes the master report a hang-up, until the first peer comes. */
static int prepare_other_end(int master)
{
	_cleanup_close_ int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios termios;

	if (fd < 0 || tcgetattr(fd, &termios) < 0)
		return -errno;
	cfmakeraw(&termios);
	return tcsetattr(fd, TCSANOW, &termios) < 0 ? -errno : 0;
}

static int open_master(struct mtty_line *line)
{
	char name[64];

	line->fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (line->fd < 0 || grantpt(line->fd) < 0 || unlockpt(line->fd) < 0)
		return -errno;
	if (ptsname_r(line->fd, name, sizeof(name)))
		return -errno;
	line->name = strdup(name);
	return line->name ? prepare_other_end(line->fd) : -ENOMEM;
}

static int handle_open(sd_event_source *source, const struct inotify_event *event, void *data)
{
	struct mtty_line *line = data;

	line->stirred(line->data);
	return 0;
}

/* A link takes the place of an older one in one step; anything else that is there stays. */
static int make_link(struct mtty_line *line, const char *path, struct trn_error *err)
{
	_cleanup_free_ char *temporary = NULL;
	char old[2];
	int r = 0;

	if (symlink(line->name, path) < 0) {
		r = -errno;
		if (r == -EEXIST && readlink(path, old, sizeof(old)) >= 0)
			r = asprintf(&temporary, "%s.%d", path, (int)getpid()) < 0 ? -ENOMEM : 0;
		if (r == 0 && (symlink(line->name, temporary) < 0 || rename(temporary, path) < 0))
			r = -errno;
	}
	if (r < 0) {
		trn_error_set(err, r, "NoLink", "cannot make the link %.80s to %s: %s", path, line->name, strerror(-r));
		return trn_error_hint(err, "choose a name that is free, in a folder that you may write to");
	}
	line->link = strdup(path);
	if (line->link)
		return 0;
	(void)unlink(path);
	return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a line");
}

int mtty_pty_open(struct mtty_line *line, const char *link, struct trn_error *err)
{
	int r = open_master(line);

	if (r < 0)
		return fail(err, r, "opening it");
	r = mtty_line_add_io(line);
	if (r >= 0)
		r = sd_event_add_inotify(line->event, &line->arrival, line->name, IN_OPEN, handle_open, line);
	if (r < 0)
		return fail(err, r, "waiting for it");
	return link ? make_link(line, link, err) : 0;
}

/* What a peer that has left has written can still be read. */
void mtty_pty_look(struct mtty_line *line)
{
	line->has_peer = !mtty_line_is_hung_up(line);
	if (line->has_peer)
		line->is_readable = true;
}

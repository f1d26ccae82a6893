/* SPDX-License-Identifier: MIT */
#include "ctl/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"

#define ENTER "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"

struct ctl_screen {
	struct termios before;
	sigset_t mask_before;
	int signal_fd;
};

static void put(const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
}

int ctl_screen_open(struct ctl_screen **ret, struct trn_error *err)
{
	struct ctl_screen *s = calloc(1, sizeof(*s));
	struct termios raw;
	sigset_t set;

	if (!s || tcgetattr(STDIN_FILENO, &s->before) < 0) {
		free(s);
		return trn_error_set(err, -errno, "NoTerminal", "the terminal cannot be set: %s", strerror(errno));
	}
	sigemptyset(&set);
	for (size_t i = 0; i < 4; i++)
		sigaddset(&set, (const int[]){ SIGINT, SIGTERM, SIGHUP, SIGWINCH }[i]);
	sigprocmask(SIG_BLOCK, &set, &s->mask_before);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	raw = s->before;
	/* Ctrl-C stays a signal; Ctrl-Z would leave the terminal as it is now. */
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	raw.c_cc[VSUSP] = _POSIX_VDISABLE;
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	put(ENTER, strlen(ENTER));
	*ret = s;
	return 0;
}

void ctl_screen_close(struct ctl_screen *s)
{
	put(LEAVE, strlen(LEAVE));
	tcsetattr(STDIN_FILENO, TCSADRAIN, &s->before);
	base_close(s->signal_fd);
	sigprocmask(SIG_SETMASK, &s->mask_before, NULL);
	free(s);
}

void ctl_screen_size(int *ret_width, int *ret_height)
{
	struct winsize w = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col < 20 || w.ws_row < 3)
		w = (struct winsize){ .ws_col = 80, .ws_row = 24 };
	*ret_width = w.ws_col;
	*ret_height = w.ws_row;
}

/* Each line is written over the old one, and its rest is cleared: nothing is ever empty in between. */
void ctl_screen_draw(struct ctl_screen *s, const char *text, int width, int height)
{
	char *frame = NULL;
	size_t len;
	FILE *f = open_memstream(&frame, &len);

	if (!f)
		return;
	fputs("\033[H\033[?7l", f); /* no wrapping: a long line is cut by the terminal */
	for (int line = 0; *text && line < height; line++) {
		size_t n = strcspn(text, "\n");

		fprintf(f, "%s%.*s\033[K", line ? "\r\n" : "", (int)n, text);
		text += n + (text[n] == '\n');
	}
	fputs("\033[J\033[?7h", f);
	if (fclose(f) == 0)
		put(frame, len);
	free(frame);
}

int ctl_screen_wait(struct ctl_screen *s, double seconds)
{
	struct pollfd p[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = s->signal_fd, .events = POLLIN } };
	struct signalfd_siginfo info;
	unsigned char key;

	if (poll(p, 2, (int)(seconds * 1000)) <= 0)
		return CTL_KEY_NONE;
	if (p[1].revents && read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		return info.ssi_signo == SIGWINCH ? CTL_KEY_RESIZE : CTL_KEY_END;
	if (p[0].revents)
		return read(STDIN_FILENO, &key, 1) == 1 ? key : CTL_KEY_END;
	return CTL_KEY_NONE;
}

/* SPDX-License-Identifier: MIT */
/* tranche stop: refuses while the device is in use, asks its users, or takes it from them. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "ctl/verbs.h"

static const struct ctl_option options[] = {
	{ 'u', "uuid", "UUID", "which device" },
	{ CTL_WAIT, "wait", "[=SECONDS]", "ask its users to leave, and wait until they have; Ctrl-C gives up" },
	{ CTL_FORCE, "force", NULL, "take it from whoever uses it" },
	{ 0 },
};

static int cancel_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGTERM);
	sigprocmask(SIG_BLOCK, ret, NULL);
	return signalfd(-1, ret, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* We end as the signal would have ended us: shells know then that a script is to end, too. */
static void end_by_signal(int fd)
{
	struct signalfd_siginfo info;
	sigset_t set;

	if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	signal((int)info.ssi_signo, SIG_DFL);
	raise((int)info.ssi_signo);
	sigemptyset(&set);
	sigaddset(&set, (int)info.ssi_signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Tells who holds it, then asks them. */
static int stop_asking(struct ctl *c, const char *uuid, const char *query)
{
	struct trn_error busy;
	_cleanup_close_ int fd = -1;
	sigset_t set;
	int r = ctl_delete(c, api_path("/v1/devices/", uuid, "?policy=refuse", NULL));

	if (r != -EBUSY)
		return r;
	busy = c->err;
	memset(&c->err, 0, sizeof(c->err));
	fd = cancel_signals(&set);
	c->cancel_fd = fd;
	fprintf(stderr, "%s; waiting\n", busy.text);
	r = ctl_delete(c, api_path("/v1/devices/", uuid, query, NULL));
	c->cancel_fd = -1;
	if (r == -ECANCELED && fd >= 0) {
		log_error("device %s was not stopped: waiting was given up", uuid);
		end_by_signal(fd);
		return CLI_REFUSED;
	}
	return r;
}

static int verb_stop(struct ctl *c)
{
	char uuid[CTL_UUID_TEXT], query[64];
	int r = ctl_stop_query(c, query);

	if (r == 0)
		r = ctl_has(c, CTL_FORCE) ? ctl_given_whole_uuid(c, uuid) : ctl_given_uuid(c, CTL_DEVICES, uuid);
	if (r)
		return r;
	if (ctl_has(c, CTL_WAIT))
		return stop_asking(c, uuid, query);
	r = ctl_delete(c, api_path("/v1/devices/", uuid, query, NULL));
	if (r == -EBUSY) {
		c->err.hint[0] = '\0'; /* tranched's is for who speaks the API */
		trn_error_hint(&c->err, "wait for its users with --wait, or take it from them with --force");
	}
	return r;
}

const struct ctl_verb ctl_verb_stop = {
	.name = "stop",
	.words = "[UUID]",
	.summary = "stop a running device",
	.more = "A device that is in use is not stopped, unless --wait or --force is given.",
	.options = options,
	.most_words = 1,
	.completes = "devices",
	.run = verb_stop,
};

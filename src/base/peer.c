/* SPDX-License-Identifier: MIT */
#include "base/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

static int get_credentials(int sock, struct ucred *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, ret, &len) < 0 ? -errno : 0;
}

int base_peer_check(int sock, uid_t owner, struct trn_error *err)
{
	struct ucred peer;
	int r = get_credentials(sock, &peer);

	if (r < 0)
		return trn_error_set(err, r, "NoCredentials", "cannot tell who connects: %s", strerror(-r));
	if (peer.uid == 0 || peer.uid == geteuid() || peer.uid == owner)
		return 0;
	trn_error_set(err, -EACCES, "NotYours", "the device belongs to user %u, not to user %u", owner, peer.uid);
	return trn_error_hint(err, "use a device of your own, or ask its owner");
}

/* The name of a process, which it has chosen itself; empty when it cannot be told. */
static void read_name(pid_t pid, char ret[17])
{
	_cleanup_close_ int fd = -1;
	char path[40];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd >= 0 ? read(fd, ret, 16) : 0;
	ret[len > 0 ? len : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	for (char *c = ret; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
}

const char *base_peer_describe(int sock, char buf[BASE_PEER_TEXT])
{
	struct ucred peer = { 0 };
	char name[17] = "";

	if (get_credentials(sock, &peer) < 0 || !peer.pid) {
		snprintf(buf, BASE_PEER_TEXT, "a process that cannot be seen");
		return buf;
	}
	read_name(peer.pid, name);
	snprintf(buf, BASE_PEER_TEXT, name[0] ? "process %d (%s)" : "process %d", (int)peer.pid, name);
	return buf;
}

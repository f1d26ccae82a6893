/* SPDX-License-Identifier: MIT */
#include "daemon/access.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

static bool find_group(const char *name, gid_t *ret)
{
	struct group *group;

	if (!name)
		return false;
	errno = 0;
	group = getgrnam(name);
	if (!group) {
		log_warning("there is no group %s: nobody has its rights", name);
		return false;
	}
	*ret = group->gr_gid;
	return true;
}

void daemon_access_load(struct daemon_access *a, const struct daemon_config *config)
{
	a->generation++;
	a->self = geteuid();
	a->others_read = config->others_read;
	a->has_admin_group = find_group(config->admin_group, &a->admin_group);
	a->has_use_group = find_group(config->use_group ? config->use_group : config->socket_group, &a->use_group);
}

/* The groups that the peer's process had when it connected. Return: how many; 0: none, or not known. */
static size_t get_groups(int fd, gid_t *groups, size_t capacity, gid_t **ret_many)
{
	socklen_t len = (socklen_t)(capacity * sizeof(*groups));

	*ret_many = NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
		return len / sizeof(*groups);
	/* ERANGE tells how much it would be. */
	if (errno != ERANGE || !(*ret_many = malloc(len)))
		return 0;
	return getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, *ret_many, &len) == 0 ? len / sizeof(*groups) : 0;
}

static bool is_member(gid_t wanted, gid_t own, const gid_t *groups, size_t nr)
{
	if (wanted == own)
		return true;
	for (size_t i = 0; i < nr; i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

static enum daemon_right right_of(const struct daemon_access *a, int fd, const struct ucred *who)
{
	_cleanup_free_ gid_t *many = NULL;
	gid_t few[64];
	size_t nr;

	if (who->uid == 0 || who->uid == a->self)
		return DAEMON_ADMIN;
	nr = get_groups(fd, few, sizeof(few) / sizeof(few[0]), &many);
	if (a->has_admin_group && is_member(a->admin_group, who->gid, many ? many : few, nr))
		return DAEMON_ADMIN;
	if (a->has_use_group && is_member(a->use_group, who->gid, many ? many : few, nr))
		return DAEMON_USE;
	return a->others_read ? DAEMON_READ : DAEMON_NONE;
}

int daemon_access_local(const struct daemon_access *a, int fd, struct daemon_peer *ret)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return -errno;
	*ret = (struct daemon_peer){ .is_local = true, .uid = who.uid, .gid = who.gid, .pid = who.pid, .right = right_of(a, fd, &who) };
	return 0;
}

void daemon_access_tcp(struct daemon_peer *ret)
{
	*ret = (struct daemon_peer){ .is_local = false, .uid = (uid_t)-1, .gid = (gid_t)-1, .right = DAEMON_READ };
}

int daemon_access_pidfd(int fd)
{
	int pidfd = -1;
	socklen_t len = sizeof(pidfd);

	return getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0 ? pidfd : -1;
}

bool daemon_access_is_our_host(const char *host)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };

	for (size_t i = 0; host && i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i]);

		if (!strncasecmp(host, names[i], len) && (!host[len] || (host[len] == ':' && host[len + 1] &&
		    strspn(host + len + 1, "0123456789") == strlen(host + len + 1))))
			return true;
	}
	return false;
}

bool daemon_access_is_our_origin(const char *origin, const char *host)
{
	static const char scheme[] = "http://";

	return !origin || (host && !strncmp(origin, scheme, strlen(scheme)) && !strcasecmp(origin + strlen(scheme), host));
}

/* SPDX-License-Identifier: MIT */
#include "device/owner.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

void device_owner_give(const char *path, uid_t owner)
{
	/* By descriptor: whoever can write to the folder may put something else at that path. */
	_cleanup_close_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char by_fd[40];
	struct stat st;

	if (owner == geteuid())
		return;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_uid != geteuid()) {
		log_warning("%s is not the socket that was made there", path);
		return;
	}
	if (fchownat(fd, "", owner, (gid_t)-1, AT_EMPTY_PATH) == 0)
		return;
	snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
	if (chmod(by_fd, 0666) < 0)
		log_warning("user %u cannot be let in at %s: %m", owner, path);
}

/* SPDX-License-Identifier: MIT */
#include "base/program.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Is self TREE/src/OWN?  It becomes TREE. */
static bool cut_tree(char *self, const char *own)
{
	char tail[PATH_MAX];
	size_t len = strlen(self), tail_len;

	tail_len = (size_t)snprintf(tail, sizeof(tail), "/src/%s", own);
	if (tail_len >= sizeof(tail) || len <= tail_len || strcmp(self + len - tail_len, tail))
		return false;
	self[len - tail_len] = '\0';
	return true;
}

void base_program_find(const char *own, const char *wanted, const char *folder, char ret[PATH_MAX])
{
	const char *slash = strrchr(wanted, '/');
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[len > 0 ? len : 0] = '\0';
	if (cut_tree(self, own) && snprintf(ret, PATH_MAX, "%s/src/%s", self, wanted) < PATH_MAX)
		return;
	snprintf(ret, PATH_MAX, "%s/%s", folder, slash ? slash + 1 : wanted);
}

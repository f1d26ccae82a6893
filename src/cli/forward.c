/* SPDX-License-Identifier: MIT */
#include "cli/forward.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/runtime.h"
#include "cli/pieces.h"
#include "cli/verbs.h"

bool forward_has_daemon(void)
{
	char socket[PATH_MAX];

	return base_runtime_api_socket(NULL, socket, sizeof(socket), NULL) == 0 && access(socket, F_OK) == 0;
}

int forward_to_ctl(char **argv)
{
	struct trn_error err = { 0 };
	char ctl[PATH_MAX];
	char **with_program;
	int n = 0;

	if (pieces_find_ctl(ctl, &err) < 0) {
		base_log_error(BASE_LOG_ERROR, &err);
		return CLI_REFUSED;
	}
	while (argv[n])
		n++;
	with_program = calloc((size_t)n + 2, sizeof(char *));
	if (!with_program)
		return CLI_REFUSED;
	with_program[0] = ctl;
	memcpy(&with_program[1], argv, (size_t)n * sizeof(char *));
	execv(ctl, with_program);
	log_error("cannot run %s: %s", ctl, strerror(errno));
	free(with_program);
	return CLI_REFUSED;
}

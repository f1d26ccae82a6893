/* SPDX-License-Identifier: MIT */
/*
 * tranche-executor: one for each session, with a socket as descriptor 3.  Most are copies of tranche-parent instead
 * (entry.h); this program is for those that are not, and helps with compiling (helper.h, precompile.h) and
 * lists the host's devices (devices.h).
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "executor/devices.h"
#include "executor/entry.h"
#include "executor/helper.h"
#include "executor/precompile.h"
#include "tranche/wire/executor.h"

int main(int argc, char **argv)
{
	base_log_init("tranche-executor");
	exec_tune_malloc();
	if (argc > 1 && !strcmp(argv[1], "--compile"))
		return exec_precompile_main(argc, argv);
	if (argc == 2 && !strcmp(argv[1], "--build"))
		exec_helper_run();
	if (argc == 2 && !strcmp(argv[1], "--devices"))
		return exec_devices_main();
	if (argc > 1 || !exec_has_socket()) {
		fprintf(stderr, "usage: %s, started by tranche-device with its socket as descriptor %d\n", argv[0],
			TRNC_EXEC_FD);
		return 2;
	}
	exec_run();
}

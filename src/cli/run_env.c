/* SPDX-License-Identifier: MIT */
#include "cli/run_env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/child.h"
#include "cli/verbs.h"

/* How OpenCL loaders are told where drivers are. */
static const char *const loader_variables[] = { "OCL_ICD_VENDORS", "OPENCL_VENDOR_PATH", "OCL_ICD_FILENAMES" };

#define NR_LOADER_VARIABLES (sizeof(loader_variables) / sizeof(loader_variables[0]))

/* Under which name the host's value goes on to a "tranche run" inside of this one. */
static void name_for_host(const char *name, char ret[48])
{
	snprintf(ret, 48, "TRANCHE_HOST_%s", name);
}

void run_env_restore_host(void)
{
	for (size_t i = 0; i < NR_LOADER_VARIABLES; i++) {
		const char *value;
		char name[48];

		name_for_host(loader_variables[i], name);
		value = getenv(name);
		if (value && *value)
			setenv(loader_variables[i], value, 1);
		else if (value)
			unsetenv(loader_variables[i]);
	}
}

/* One vendors folder with either loader, and no library beside it. */
void run_env_set(const char *vendors, const char *devices)
{
	for (size_t i = 0; i < NR_LOADER_VARIABLES; i++) {
		const char *value = getenv(loader_variables[i]);
		char name[48];

		name_for_host(loader_variables[i], name);
		setenv(name, value ? value : "", 1);
	}
	setenv("OCL_ICD_VENDORS", vendors, 1);
	setenv("OPENCL_VENDOR_PATH", vendors, 1);
	unsetenv("OCL_ICD_FILENAMES");
	setenv("TRANCHE_DEVICE", devices, 1);
}

static int refused(const char *name, int error)
{
	log_error("cannot run %s: %s", name, strerror(error));
	return error == ENOENT ? CLI_NOT_FOUND : CLI_NOT_EXECUTABLE;
}

int run_env_program(char **program, const sigset_t *mask, int *ret_status)
{
	pid_t pid = child_start_program(program, mask);

	if (pid < 0)
		return refused(program[0], -pid);
	*ret_status = child_wait(pid);
	return 0;
}

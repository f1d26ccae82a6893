/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "opencl/program.h"

cl_int program_build_builtin(cl_program p, const char *options, program_notify notify, void *notify_data)
{
	char *copy = strdup(options ? options : "");

	if (!copy)
		return CL_OUT_OF_HOST_MEMORY;
	pthread_mutex_lock(&p->lock);
	free(p->options);
	p->options = copy;
	p->status = CL_BUILD_ERROR;
	/* Of a list without a name the host's driver thinks as of any program. */
	if (!p->builtin_names[strspn(p->builtin_names, ";")])
		p->binary_type = CL_PROGRAM_BINARY_TYPE_EXECUTABLE;
	pthread_mutex_unlock(&p->lock);
	if (notify)
		notify(p, notify_data);
	return CL_BUILD_PROGRAM_FAILURE;
}

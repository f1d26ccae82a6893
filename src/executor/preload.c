/* SPDX-License-Identifier: MIT */
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "executor/entry.h"
#include "executor/host.h"

#define SORT "OCL_ICD_PLATFORM_SORT"

/*
 * The loader ocl-icd sorts the platforms by the devices that they have, and asks all of them for that: PoCL then has
 * threads, which no fork copies.  Unsorted, it only loads them.  With one platform there is nothing to sort; of several,
 * the executor shall see the order that programs see natively, so it gets a loader that has not sorted yet.  (Drivers
 * stay when their loader goes.)  The setting is for this one call: compile helpers list devices as executors do.
 */
int exec_preload(struct trn_error *err)
{
	const char *before = getenv(SORT);
	_cleanup_free_ char *old = before ? strdup(before) : NULL;
	__typeof__(clGetPlatformIDs) *get;
	cl_uint nr = 0;
	void *lib;

	setenv("TRANCHE_EXECUTOR", "1", 1);
	setenv(SORT, "none", 1);
	lib = dlopen(EXEC_HOST_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	get = lib ? (__typeof__(get))dlsym(lib, "clGetPlatformIDs") : NULL;
	if (!get || get(0, NULL, &nr) != CL_SUCCESS)
		nr = 0;
	if (old)
		setenv(SORT, old, 1);
	else
		unsetenv(SORT);
	if (!lib)
		return trn_error_set(err, -ENOENT, "NoHostOpenCL", "the host's OpenCL cannot be loaded: %s", dlerror());
	log_debug("the host's OpenCL has %u platforms", nr);
	if (nr > 1)
		dlclose(lib);
	return 0;
}

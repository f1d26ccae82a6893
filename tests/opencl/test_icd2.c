/* SPDX-License-Identifier: MIT */
/* What a loader that knows cl_khr_icd 2 does with the driver: tags, a table of its own, a word in every object. */
#include <dlfcn.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "opencl/icd2.h"

static void *driver; /* the library that was opened */

static void *lookup(const char *name)
{
	void *(*get)(const char *);

	*(void **)&get = dlsym(driver, "clGetExtensionFunctionAddress");
	assert_non_null(get);
	return get(name);
}

static cl_platform_id platform(void)
{
	cl_int (*get)(cl_uint, cl_platform_id *, cl_uint *);
	cl_platform_id p;
	cl_uint nr;

	*(void **)&get = lookup("clIcdGetPlatformIDsKHR");
	assert_non_null(get);
	assert_int_equal(get(1, &p, &nr), CL_SUCCESS);
	assert_int_equal(nr, 1);
	return p;
}

static void tags(void **state)
{
	void **const *object = (void *)platform();

	assert_true((uintptr_t)(*object)[0] == ICD2_TAG);
	assert_true((uintptr_t)(*object)[31] == ICD2_TAG);
	for (size_t i = 0; i < sizeof(cl_icd_dispatch) / sizeof(void *); i++)
		assert_non_null((*object)[i]);
}

static void functions(void **state)
{
	void *(*get)(cl_platform_id, const char *);

	*(void **)&get = lookup("clIcdGetFunctionAddressForPlatformKHR");
	assert_non_null(get);
	assert_non_null(get(platform(), "clGetPlatformIDs"));
	assert_non_null(get(platform(), "clUnloadCompiler"));
	assert_true((uintptr_t)get(platform(), "clGetPlatformIDs") != ICD2_TAG);
	assert_ptr_equal(get(platform(), "clGetPlatformInfo"), lookup("clGetPlatformInfo"));
	assert_non_null(get(platform(), "clSetContextDestructorCallback"));
	assert_null(get(platform(), "clGetKernelSuggestedLocalWorkSize"));
	assert_null(get(NULL, "clGetPlatformIDs"));
}

static void words(void **state)
{
	cl_int (*set)(cl_platform_id, void *);
	void **object = (void *)platform();
	int table;

	*(void **)&set = lookup("clIcdSetPlatformDispatchDataKHR");
	assert_non_null(set);
	assert_int_equal(set(NULL, &table), CL_INVALID_PLATFORM);
	assert_int_equal(set(platform(), &table), CL_SUCCESS);
	assert_ptr_equal(object[1], &table);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(tags), cmocka_unit_test(functions), cmocka_unit_test(words) };

	/* A place where no device is: there is a platform, and nothing is asked of it. */
	setenv("TRANCHE_DEVICE", "/nonexistent/device.sock", 1);
	driver = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	if (!driver)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

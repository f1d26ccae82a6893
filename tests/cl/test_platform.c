/* SPDX-License-Identifier: MIT */
/* clGetPlatformIDs, clGetPlatformInfo, extension functions. */
#include "cl_test.h"

static void ids(struct cl_env *env)
{
	cl_platform_id list[8] = { NULL };
	cl_uint count = 0;

	CHECK_OK(clGetPlatformIDs(0, NULL, &count));
	REQUIRE(count >= 1);
	CHECK_OK(clGetPlatformIDs(COUNT_OF(list), list, NULL));
	CHECK(list[0] == env->platform);
	CHECK_ERR(clGetPlatformIDs(0, list, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clGetPlatformIDs(0, NULL, NULL), CL_INVALID_VALUE);
}

static void info(struct cl_env *env)
{
	static const cl_platform_info strings[] = { CL_PLATFORM_PROFILE, CL_PLATFORM_VERSION, CL_PLATFORM_NAME,
						    CL_PLATFORM_VENDOR, CL_PLATFORM_EXTENSIONS,
						    CL_PLATFORM_ICD_SUFFIX_KHR };

	for (size_t i = 0; i < COUNT_OF(strings); i++)
		CHECK_INFO(ANY_SIZE, clGetPlatformInfo, env->platform, strings[i]);
	CHECK_INFO(sizeof(cl_version), clGetPlatformInfo, env->platform, CL_PLATFORM_NUMERIC_VERSION);
	CHECK_INFO(sizeof(cl_ulong), clGetPlatformInfo, env->platform, CL_PLATFORM_HOST_TIMER_RESOLUTION);
	CHECK_INFO(ANY_SIZE, clGetPlatformInfo, env->platform, CL_PLATFORM_EXTENSIONS_WITH_VERSION);
}

static void strings(struct cl_env *env)
{
	char text[1024] = "";

	CHECK_OK(clGetPlatformInfo(env->platform, CL_PLATFORM_PROFILE, sizeof(text), text, NULL));
	CHECK(strcmp(text, "FULL_PROFILE") == 0);
	CHECK_OK(clGetPlatformInfo(env->platform, CL_PLATFORM_VERSION, sizeof(text), text, NULL));
	CHECK(strncmp(text, "OpenCL 3.0 ", 11) == 0);
	CHECK_OK(clGetPlatformInfo(env->platform, CL_PLATFORM_EXTENSIONS, sizeof(text), text, NULL));
	CHECK(strstr(text, "cl_khr_icd"));
	CHECK_EQ(CL_VERSION_MAJOR(GET_INFO(cl_version, clGetPlatformInfo, env->platform,
					   CL_PLATFORM_NUMERIC_VERSION)), 3);
}

static void bad_param(struct cl_env *env)
{
	char buf[64];

	CHECK_ERR(clGetPlatformInfo(env->platform, 0xbad, sizeof(buf), buf, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clGetPlatformInfo(env->platform, 0, 0, NULL, NULL), CL_INVALID_VALUE);
}

/* The extension list and its versioned form name the same extensions. */
static void extensions_agree(struct cl_env *env)
{
	cl_name_version list[64];
	char text[2048] = "";
	size_t size = 0;

	CHECK_OK(clGetPlatformInfo(env->platform, CL_PLATFORM_EXTENSIONS, sizeof(text), text, NULL));
	REQUIRE_OK(clGetPlatformInfo(env->platform, CL_PLATFORM_EXTENSIONS_WITH_VERSION, sizeof(list), list, &size));
	CHECK_EQ(size % sizeof(list[0]), 0);
	for (size_t i = 0; i < size / sizeof(list[0]); i++)
		CHECK(strstr(text, list[i].name));
}

static void extension_functions(struct cl_env *env)
{
	CHECK(!clGetExtensionFunctionAddressForPlatform(env->platform, "clNoSuchFunction"));
	CHECK(!clGetExtensionFunctionAddress("clNoSuchFunction"));
}

static void same_answer_each_time(struct cl_env *env)
{
	for (int i = 0; i < 200; i++) {
		cl_platform_id id = NULL;

		CHECK_OK(clGetPlatformIDs(1, &id, NULL));
		CHECK(id == env->platform);
	}
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(ids),		   CL_CASE(info),
		CL_CASE(strings),	   CL_CASE(bad_param),
		CL_CASE(extensions_agree), CL_CASE(extension_functions),
		CL_CASE(same_answer_each_time), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}

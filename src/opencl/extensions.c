/* SPDX-License-Identifier: MIT */
/*
 * Which of the host's extensions a program is told of.  A list of what is known to work, not of what is known to fail:
 * an extension that adds API calls, objects or record types must be built here first.
 */
#include <stdlib.h>
#include <string.h>

#include "opencl/device.h"

/* Of the kernel language or the build only, or plain device queries: the host does them, nothing is needed here. */
static const char *const offered[] = {
	"cl_khr_3d_image_writes",
	"cl_khr_byte_addressable_store",
	"cl_khr_expect_assume",
	"cl_khr_extended_bit_ops",
	"cl_khr_extended_versioning",
	"cl_khr_fp16",
	"cl_khr_fp64",
	"cl_khr_global_int32_base_atomics",
	"cl_khr_global_int32_extended_atomics",
	"cl_khr_icd",
	"cl_khr_il_program", /* its one call is clCreateProgramWithIL */
	"cl_khr_int64_base_atomics",
	"cl_khr_int64_extended_atomics",
	"cl_khr_integer_dot_product",
	"cl_khr_local_int32_base_atomics",
	"cl_khr_local_int32_extended_atomics",
	"cl_khr_select_fprounding_mode",
	"cl_khr_spir", /* a binary and options, both passed on */
	"cl_khr_spirv_linkonce_odr",
	"cl_khr_spirv_no_integer_wrap_decoration",
	"cl_khr_work_group_uniform_arithmetic",
	"cl_ext_float_atomics",
};

/* OpenCL C features whose host half has API calls that are not here. */
static const char *const withheld_features[] = {
	"__opencl_c_device_enqueue",
	"__opencl_c_pipes",
	"__opencl_c_subgroups",
};

static bool is_in(const char *const *list, size_t nr, const char *name, size_t len)
{
	for (size_t i = 0; i < nr; i++)
		if (strlen(list[i]) == len && memcmp(list[i], name, len) == 0)
			return true;
	return false;
}

bool extension_is_offered(const char *name, size_t len)
{
	static const char feature[] = "__opencl_c_";

	if (len > strlen(feature) && memcmp(name, feature, strlen(feature)) == 0)
		return !is_in(withheld_features, sizeof(withheld_features) / sizeof(withheld_features[0]), name, len);
	return is_in(offered, sizeof(offered) / sizeof(offered[0]), name, len);
}

char *extensions_filter(const char *host)
{
	char *text = malloc(strlen(host) + 1), *end = text;
	const char *start = host;

	if (!text)
		return NULL;
	/* Each name with the blanks that stand before it, so that a list without omissions is the host's own. */
	for (size_t blanks, len; *host; host += blanks + len) {
		blanks = strspn(host, " ");
		len = strcspn(host + blanks, " ");
		if (len && !extension_is_offered(host + blanks, len))
			continue;
		if (end == text && host != start)
			end = mempcpy(end, host + blanks, len);
		else
			end = mempcpy(end, host, blanks + len);
	}
	*end = '\0';
	return text;
}

size_t extensions_filter_versions(cl_name_version *list, size_t nr)
{
	size_t left = 0;

	for (size_t i = 0; i < nr; i++)
		if (extension_is_offered(list[i].name, strnlen(list[i].name, sizeof(list[i].name))))
			list[left++] = list[i];
	return left;
}

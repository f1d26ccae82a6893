/* SPDX-License-Identifier: MIT */
/*
 * Which of the host's extensions a program is told of.  A list of what is known to work, not of what is known to fail:
 * an extension that adds API calls, objects or record types must be built here first.
 */
#include <stdlib.h>
#include <string.h>

#include "opencl/device.h"

struct extension {
	const char *name;
	cl_version newest; /* of the calls that are here; 0: there is nothing of ours in it */
};

/*
 * Of the kernel language or the build only, or plain device queries: the host does them, nothing is needed here. Others have
 * a remark. tools/opencl-status makes a table of this one.
 */
static const struct extension offered[] = {
	{ "cl_khr_3d_image_writes" },
	{ "cl_khr_byte_addressable_store" },
	{ "cl_khr_command_buffer", CL_MAKE_VERSION(0, 9, 0) }, /* in this driver: commands are recorded and enqueued again */
	{ "cl_khr_expect_assume" },
	{ "cl_khr_extended_bit_ops" },
	{ "cl_khr_extended_versioning" }, /* queries alone, answered by the host */
	{ "cl_khr_fp16" },
	{ "cl_khr_fp64" },
	{ "cl_khr_global_int32_base_atomics" },
	{ "cl_khr_global_int32_extended_atomics" },
	{ "cl_khr_icd" }, /* of the platform: this driver's own */
	{ "cl_khr_il_program" }, /* its one call is `clCreateProgramWithIL` */
	{ "cl_khr_int64_base_atomics" },
	{ "cl_khr_int64_extended_atomics" },
	{ "cl_khr_integer_dot_product" },
	{ "cl_khr_local_int32_base_atomics" },
	{ "cl_khr_local_int32_extended_atomics" },
	{ "cl_khr_select_fprounding_mode" },
	{ "cl_khr_spir" }, /* a binary and options, both passed on */
	{ "cl_khr_spirv_linkonce_odr" },
	{ "cl_khr_spirv_no_integer_wrap_decoration" },
	{ "cl_khr_work_group_uniform_arithmetic" },
	{ "cl_ext_float_atomics" },
};

/* OpenCL C features whose host half has API calls that are not here. */
static const char *const withheld_features[] = {
	"__opencl_c_device_enqueue",
	"__opencl_c_pipes",
	"__opencl_c_subgroups",
};

static bool is_name(const char *candidate, const char *name, size_t len)
{
	return strlen(candidate) == len && memcmp(candidate, name, len) == 0;
}

static const struct extension *find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(offered) / sizeof(offered[0]); i++)
		if (is_name(offered[i].name, name, len))
			return &offered[i];
	return NULL;
}

static bool is_withheld(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(withheld_features) / sizeof(withheld_features[0]); i++)
		if (is_name(withheld_features[i], name, len))
			return true;
	return false;
}

bool extension_is_offered(const char *name, size_t len)
{
	static const char feature[] = "__opencl_c_";

	if (len > strlen(feature) && memcmp(name, feature, strlen(feature)) == 0)
		return !is_withheld(name, len);
	return find(name, len) != NULL;
}

/* The blanks stay as the host has them: a list of which nothing is withheld is the host's to the letter. */
char *extensions_filter(const char *host)
{
	char *text = malloc(strlen(host) + 1), *end = text;
	const char *from = host; /* what was not decided yet: blanks before a name */
	bool is_whole = true;

	if (!text)
		return NULL;
	for (size_t len; *(host += strspn(host, " ")); host += len, from = host) {
		len = strcspn(host, " ");
		if (!extension_is_offered(host, len)) {
			is_whole = false;
			continue;
		}
		if (end == text && !is_whole)
			from = host; /* the blanks were between two names */
		end = mempcpy(end, from, (size_t)(host - from) + len);
	}
	strcpy(end, is_whole ? from : "");
	return text;
}

size_t extensions_filter_versions(cl_name_version *list, size_t nr)
{
	size_t left = 0;

	for (size_t i = 0; i < nr; i++) {
		size_t len = strnlen(list[i].name, sizeof(list[i].name));
		const struct extension *known = find(list[i].name, len);

		if (!extension_is_offered(list[i].name, len))
			continue;
		list[left] = list[i];
		/* A newer host's calls may have other parameters than ours. */
		if (known && known->newest && known->newest < list[left].version)
			list[left].version = known->newest;
		left++;
	}
	return left;
}

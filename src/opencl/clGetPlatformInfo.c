/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "opencl/objects.h"
#include "opencl/version.h"

/*
 * The platform's own extensions, the same for every host: loaders ask for them before there is a connection, and
 * programs get what they get from PoCL.
 */
static const char extension_names[] = "cl_khr_icd cl_pocl_content_size";
static const cl_name_version extensions[] = {
	{ CL_MAKE_VERSION(2, 0, 0), "cl_khr_icd" }, /* the host's is 1.0.0: loaders of both kinds find this driver */
	{ CL_MAKE_VERSION(1, 0, 0), "cl_pocl_content_size" },
};

/* A string of the host of one device; NULL without a connection, or when it is no string. */
static const char *host_text(cl_device_id d, cl_platform_info param)
{
	size_t size;
	const char *text = platform_host_info(d, param, &size);

	return text && size && text[size - 1] == '\0' ? text : NULL;
}

/* The newest of the hosts': a device may be of an older version than its platform, not of a newer one. */
static void host_version(struct _cl_platform_id *p, unsigned int *major, unsigned int *minor)
{
	unsigned int best = 0;

	for (uint32_t i = 0; i < p->nr_devices; i++) {
		const char *text = host_text(p->devices[i], CL_PLATFORM_VERSION);

		if (!text || sscanf(text, "OpenCL %3u.%3u", major, minor) != 2)
			continue;
		if (CL_MAKE_VERSION(*major, *minor, 0) > best)
			best = CL_MAKE_VERSION(*major, *minor, 0);
	}
	*major = best ? CL_VERSION_MAJOR(best) : 3;
	*minor = CL_VERSION_MINOR(best);
}

/* What all the hosts have: the full profile, unless one of them says something else. */
static const char *host_profile(struct _cl_platform_id *p)
{
	static const char full[] = "FULL_PROFILE";

	for (uint32_t i = 0; i < p->nr_devices; i++) {
		const char *text = host_text(p->devices[i], CL_PLATFORM_PROFILE);

		if (text && strcmp(text, full) != 0)
			return text;
	}
	return full;
}

static cl_int version_text(struct _cl_platform_id *p, size_t cap, void *dst, size_t *size_ret)
{
	unsigned int major, minor;
	char text[64];

	host_version(p, &major, &minor);
	snprintf(text, sizeof(text), "OpenCL %u.%u Tranche " TRANCHE_VERSION, major, minor);
	return info_return_str(text, cap, dst, size_ret);
}

static cl_int numeric_version(struct _cl_platform_id *p, size_t cap, void *dst, size_t *size_ret)
{
	unsigned int major, minor;

	host_version(p, &major, &minor);
	return INFO_RETURN(cl_version, CL_MAKE_VERSION(major, minor, 0), cap, dst, size_ret);
}

CL_API_ENTRY cl_int CL_API_CALL clGetPlatformInfo(cl_platform_id platform, cl_platform_info param_name,
						  size_t param_value_size, void *param_value,
						  size_t *param_value_size_ret)
{
	if (!IS_PLATFORM(platform))
		return CL_INVALID_PLATFORM;

	switch (param_name) {
	/* The loader asks for these of every platform, wanted or not: they are answered without a connection. */
	case CL_PLATFORM_NAME:
		return info_return_str("Tranche", param_value_size, param_value, param_value_size_ret);
	case CL_PLATFORM_VENDOR:
		return info_return_str("The Tranche project", param_value_size, param_value, param_value_size_ret);
	case CL_PLATFORM_ICD_SUFFIX_KHR:
		return info_return_str("TRN", param_value_size, param_value, param_value_size_ret);
	case CL_PLATFORM_EXTENSIONS:
		return info_return_str(extension_names, param_value_size, param_value, param_value_size_ret);
	case CL_PLATFORM_EXTENSIONS_WITH_VERSION:
		return info_return(extensions, sizeof(extensions), param_value_size, param_value,
				   param_value_size_ret);

	case CL_PLATFORM_VERSION:
		return version_text(platform, param_value_size, param_value, param_value_size_ret);
	case CL_PLATFORM_NUMERIC_VERSION:
		return numeric_version(platform, param_value_size, param_value, param_value_size_ret);
	case CL_PLATFORM_PROFILE:
		return info_return_str(host_profile(platform), param_value_size, param_value, param_value_size_ret);
	case CL_PLATFORM_HOST_TIMER_RESOLUTION:
		/* 0: clGetHostTimer is not offered. */
		return INFO_RETURN(cl_ulong, 0, param_value_size, param_value, param_value_size_ret);
	default:
		return CL_INVALID_VALUE;
	}
}

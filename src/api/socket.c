/* SPDX-License-Identifier: MIT */
#include "api/api.h"
#include "base/runtime.h"

int api_find_socket(const char *given, char ret[PATH_MAX], struct trn_error *err)
{
	return base_runtime_api_socket(given, ret, PATH_MAX, err);
}

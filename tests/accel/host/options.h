/* SPDX-License-Identifier: MIT */
#ifndef FAKE_OPTIONS_H
#define FAKE_OPTIONS_H

#include <stdint.h>

struct fake_options {
	const char *socket_path;
	uint64_t aperture, quota, window; /* bytes */
	uint64_t features;		  /* TRNC_FEATURE_* */
};

#endif

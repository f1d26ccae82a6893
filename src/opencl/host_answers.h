/* SPDX-License-Identifier: MIT */
/* The host's own answers about its platform and device: an index over the probe blob (TRNC_TAG_PLATFORM_INFO ...). */
#ifndef OPENCL_HOST_ANSWERS_H
#define OPENCL_HOST_ANSWERS_H

#include <stddef.h>
#include <stdint.h>

struct host_answers;

/*
 * @blob must stay: answers point into it. Every length is checked; items of other tags are skipped.
 * Return: 0, -EPROTO (malformed), -ENOMEM.
 */
int host_answers_new(const void *blob, size_t len, struct host_answers **ret);
void host_answers_free(struct host_answers *a);

/* @tag: TRNC_TAG_PLATFORM_INFO or TRNC_TAG_DEVICE_INFO. NULL when the host gave none; *ret_size may be 0 for one. */
const void *host_answers_find(const struct host_answers *a, uint32_t tag, uint32_t param, size_t *ret_size);
/* The error with which the host refused a device query, CL_INVALID_VALUE when it says nothing. */
int32_t host_answers_error(const struct host_answers *a, uint32_t param);

#endif

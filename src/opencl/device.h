/* SPDX-License-Identifier: MIT */
/* What the device, platform and context calls share. */
#ifndef OPENCL_DEVICE_H
#define OPENCL_DEVICE_H

#include "opencl/objects.h"

/* Prints the sentence to stderr, once a device, if the program's user named devices (TRANCHE_DEVICE). */
void device_report(cl_device_id d, const struct trn_error *err);

/*
 * A counted session of the device, for client_session_put().  The device keeps another reference until the session is
 * lost: with a program's last context its executor does not go, and the next context need not start one.
 */
int device_session_get(cl_device_id d, struct client_session **ret, struct trn_error *err);

/* clGetDeviceInfo without the check of d. */
cl_int device_info(cl_device_id d, cl_device_info param, size_t cap, void *dst, size_t *size_ret);
/* Frees what device_info() keeps; nobody may ask any more. */
void device_forget_answers(cl_device_id d);
/* In the host's own answer, before any override: a number of any width, 0 without; a string, "" without. */
uint64_t device_host_u64(cl_device_id d, cl_device_info param);
const char *device_host_str(cl_device_id d, cl_device_info param);

/* The device of the platform that d (which may be it) is a part of: what contexts and programs know. */
cl_device_id device_root(cl_device_id d);
/* Keeps a sub-device's memory beyond the program's last reference: of a queue or sub-device of it. Roots stay anyway. */
void device_hold(cl_device_id d);
void device_let_go(cl_device_id d);
/* clGetDeviceInfo where the answer is about divisions and parts. */
cl_int subdevice_info(cl_device_id d, cl_device_info param, size_t cap, void *dst, size_t *size_ret);

bool device_is_of_type(cl_device_id d, cl_device_type type);
/* The devices of a type that answer, at most cap of them in ret. Return: how many there are. */
size_t devices_find(struct _cl_platform_id *p, cl_device_type type, size_t cap, cl_device_id *ret);

/*
 * Where the virtual device's answer is not the host's (device_overrides.c).  *ret_is_ours: false, and nothing else
 * is done, when the host's answer stands.
 */
cl_int device_override(cl_device_id d, cl_device_info param, size_t cap, void *dst, size_t *size_ret,
		       bool *ret_is_ours);

/* May a program be told of the extension or OpenCL C feature (extensions.c)? */
bool extension_is_offered(const char *name, size_t len);
/* The host's list without what we do not offer; malloc'ed, NULL without memory. */
char *extensions_filter(const char *host);
/* The same for a cl_name_version[]; the array is changed in place. Return: the number left. */
size_t extensions_filter_versions(cl_name_version *list, size_t nr);

#endif

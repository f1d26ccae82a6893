/* SPDX-License-Identifier: MIT */
/*
 * cl_khr_icd 2.0: a loader that knows it finds a tag in two slots of our table, asks for each function by name, makes a table
 * of its own, and finds that through the second word of every object.  One that does not know it never looks into
 * these slots: their functions have no object to be found by.
 */
#ifndef OPENCL_ICD2_H
#define OPENCL_ICD2_H

#include "opencl/objects.h"

#define ICD2_TAG 0x4f50454e434c3331 /* CL_ICD2_TAG_KHR, which older headers lack; 64 bits */

/* A function of the loader's table, by name; NULL for others. */
void *dispatch_function(const char *name);

#ifndef CL_ICD2_TAG_KHR
CL_API_ENTRY void *CL_API_CALL clIcdGetFunctionAddressForPlatformKHR(cl_platform_id platform, const char *func_name);
CL_API_ENTRY cl_int CL_API_CALL clIcdSetPlatformDispatchDataKHR(cl_platform_id platform, void *dispatch_data);
#endif

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OPENCL_EXTENSION_FUNCTIONS_H
#define OPENCL_EXTENSION_FUNCTIONS_H

/* What a program or the loader may look up by name; NULL when there is no such function. */
void *extension_function(const char *name);

#endif

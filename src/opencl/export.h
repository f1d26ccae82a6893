/* SPDX-License-Identifier: MIT */
/* The few names that the loader looks up; libtranche-opencl.map lists them again. */
#ifndef OPENCL_EXPORT_H
#define OPENCL_EXPORT_H

#define EXPORT __attribute__((visibility("default")))

#endif

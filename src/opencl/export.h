/* SPDX-License-Identifier: MIT */
/*
 * The few names that the loader looks up; libtranche-opencl.map lists them again.  Protected: the loader has functions of
 * the same names, and a reference from in here (the dispatch table) must not end up there.
 */
#ifndef OPENCL_EXPORT_H
#define OPENCL_EXPORT_H

#define EXPORT __attribute__((visibility("protected")))

#endif

/* SPDX-License-Identifier: MIT */
/*
 * tranche-executor --devices: the host's OpenCL devices as JSON on standard output, with the numbers by which the executor
 * is told its host device.  The host's drivers run in a child: one that crashes or hangs costs a sentence.
 *
 *   {"devices": [{"index": 0, "kind": "cpu", "name": "...", "vendor": "...", "driver": "...", "version": "...",
 *                 "platform": "...", "memory": BYTES, "units": N}]}
 */
#ifndef EXECUTOR_DEVICES_H
#define EXECUTOR_DEVICES_H

/* The process has no threads yet. Return: exit status; 0 also when there are no devices, or no loader of OpenCL. */
int exec_devices_main(void);

#endif

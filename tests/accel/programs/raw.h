/* SPDX-License-Identifier: MIT */
/* /dev/accel/accelN by hand: for what no OpenCL program would do. */
#ifndef RAW_H
#define RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drm/tranche_accel.h"

#define RAW_RING 16384u
#define RAW_PAGE 4096u

/* Of a channel's mmap_offset: the pages that one mapping may cover. */
enum raw_part {
	RAW_USER,
	RAW_HOST,
	RAW_KERNEL,
	RAW_RING_PART,
	RAW_EVENTS,
};
struct raw_range {
	uint64_t offset;
	size_t size;
};
struct raw_range raw_part_of(uint64_t mmap_offset, enum raw_part part);

/** raw_open - the node of @argv[1], or /dev/accel/accel0; exits 1 with a sentence if that cannot be opened */
int raw_open(int argc, char **argv);

/** raw_call - an ioctl, repeated after signals.  Return: 0 or -errno */
int raw_call(int fd, unsigned long request, void *arg);

/** raw_session - make the file a session.  Exits when it cannot be one */
void raw_session(int fd, unsigned int flags);
/** raw_context - a new context.  Return: its number; *@ret_offset is where its channel can be mapped */
unsigned int raw_context(int fd, uint64_t *ret_offset);
/** raw_buffer - memory of the device.  Return: 0 or -errno */
int raw_buffer(int fd, uint64_t size, unsigned int kind, unsigned int flags, struct drm_tranche_gem_create *ret);

/* Checks: a line for each, and an exit status for main(). */
bool raw_check(bool ok, const char *what);
bool raw_check_is(long got, long want, const char *what);
int raw_status(void);

#endif

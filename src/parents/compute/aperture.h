/* SPDX-License-Identifier: MIT */
/*
 * The memory of a device for a guest: one file on a tmpfs that nobody else has.  The size of the tmpfs bounds what of the
 * file can be touched, by whomever; pages that were never touched, or were given back, cost nothing.
 *
 * The tmpfs is attached nowhere.  Who may mount makes it himself; everybody else in a user namespace, by a child that
 * ends when it has passed on the descriptors.
 */
#ifndef PARENTS_COMPUTE_APERTURE_H
#define PARENTS_COMPUTE_APERTURE_H

#include <stdint.h>

#include "tranche/error.h"

struct compute_aperture {
	int fd;	     /* the file; -1: none */
	int mount;   /* its tmpfs */
	int user_ns; /* that the tmpfs belongs to; -1: ours */
	uint64_t size; /* bytes of the file */
	uint64_t room; /* bytes of it that may have memory at the same time */
};

/* Return: 0, or -errno with a sentence and a remedy. Opposite: close. */
int compute_aperture_create(uint64_t size, uint64_t room, struct compute_aperture *ret, struct trn_error *err);
/* One that is all -1 is accepted. */
void compute_aperture_close(struct compute_aperture *a);

/* More or less may have memory from now on; not less than has. Return: 0 or -errno. */
int compute_aperture_resize(struct compute_aperture *a, uint64_t room, struct trn_error *err);

/* Gives a range memory, so that a touch of it cannot fail. Return: 0 or -errno (-ENOSPC: there is none). */
int compute_aperture_fill(const struct compute_aperture *a, uint64_t offset, uint64_t size);

/* Gives its memory back: it reads as zero. Takes 0.2 s a GiB of what was touched. Return: 0 or -errno. */
int compute_aperture_punch(const struct compute_aperture *a, uint64_t offset, uint64_t size);

#endif

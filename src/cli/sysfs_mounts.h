/* SPDX-License-Identifier: MIT */
/* A mount namespace in which folders can be made below /sys. */
#ifndef CLI_SYSFS_MOUNTS_H
#define CLI_SYSFS_MOUNTS_H

#include "tranche/error.h"

/*
 * This process gets mounts of its own; one that may not mount gets them with a user namespace, in which it is root.
 * Return: 0 or -errno.
 */
int sysfs_mounts_enter(struct trn_error *err);

/*
 * Makes the folder parent/name.  Where it cannot be made, as in sysfs, parent becomes a folder in memory, with
 * everything that was in it at its place.  Return: 0; 1: it is there already; -errno.
 */
int sysfs_mounts_make(const char *parent, const char *name, struct trn_error *err);

/* What is at from is seen at to, too. Return: 0 or -errno. */
int sysfs_mounts_bind(const char *from, const char *to, struct trn_error *err);

#endif

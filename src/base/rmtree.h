/* SPDX-License-Identifier: MIT */
/* Removes a folder with all that is in it, also one that was filled by somebody who wants that to fail. */
#ifndef BASE_RMTREE_H
#define BASE_RMTREE_H

/*
 * Only for a folder that the caller has made itself and whose name nobody else chose (mkdtemp(), mkdir() of a new name):
 * never for one that came by an option or the environment.
 *
 * Removes name, relative to the folder dirfd (AT_FDCWD: the working folder): a file, a link (not what it points to) or
 * a folder of any depth.  Folders without rights are given them.  Does not cross mounts.
 * Return: 0; -ENOENT; or the first -errno that stood in the way, after all that could be removed was.
 */
int base_rmtree(int dirfd, const char *name);

#endif

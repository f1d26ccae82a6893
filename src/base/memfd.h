/* SPDX-License-Identifier: MIT */
/* Shared memory of fixed size: a memfd that can neither grow nor shrink, so that mapping it never faults. */
#ifndef BASE_MEMFD_H
#define BASE_MEMFD_H

#include <stdbool.h>
#include <stdint.h>

/* Creates a zero-filled memfd of size bytes (a multiple of the page size), CLOEXEC, sealed with GROW and SHRINK.
 * F_SEAL_SEAL is left open for base_memfd_retire(). Return: fd or -errno. */
int base_memfd_create(const char *name, uint64_t size);

/* Nobody can add a seal any more: for memory that is given to somebody who could make it read-only for those who come next.
 * After it no base_memfd_retire(). Return: 0 (also when it was so already) or -errno. */
int base_memfd_fix_seals(int fd);

/* Gives the memory back and proves that nobody keeps a writable mapping: punches the whole file and adds
 * F_SEAL_WRITE, which the kernel refuses while one exists. Return: 0; -EBUSY when somebody still maps it writable, or
 * touched a page meanwhile (a read-only mapping that is read makes pages again). May be called again. */
int base_memfd_retire(int fd, uint64_t size);

/* Is fd a memfd sealed against SHRINK with at least size bytes? The check before mapping what a peer sent. */
bool base_memfd_is_safe(int fd, uint64_t size);

#endif

/* SPDX-License-Identifier: MIT */
/* Cleanup attributes for locals, as in systemd: the variable's scope frees it unless it is taken. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

#define TAKE_PTR(p)                      \
	({                               \
		__typeof__(p) p_ = (p);  \
		(p) = NULL;              \
		p_;                      \
	})

#define TAKE_FD(fd)                 \
	({                          \
		int fd_ = (fd);     \
		(fd) = -1;          \
		fd_;                \
	})

static inline void base_freep(void *p)
{
	free(*(void **)p);
}

/* close() that accepts -1, keeps errno and returns -1 so that "fd = base_close(fd)" reads well */
int base_close(int fd);

static inline void base_closep(int *fd)
{
	base_close(*fd);
}

#define _cleanup_free_ _cleanup_(base_freep)
#define _cleanup_close_ _cleanup_(base_closep)

#endif

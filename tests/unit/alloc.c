/* SPDX-License-Identifier: MIT */
#include "alloc.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

static _Thread_local unsigned int countdown;
static _Thread_local bool has_failed;

void alloc_fail_at(unsigned int n)
{
	countdown = n;
	has_failed = false;
}

int alloc_has_failed(void)
{
	countdown = 0;
	return has_failed;
}

static bool is_this_one(int error)
{
	if (!countdown || --countdown)
		return false;
	has_failed = true;
	errno = error;
	return true;
}

/* The names that the linker gives to the wrapper and the wrapped function. */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t nr, size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t nr, size_t size);
void *__wrap_reallocarray(void *p, size_t nr, size_t size);
char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
int __real_eventfd(unsigned int value, int flags);
int __wrap_eventfd(unsigned int value, int flags);
int __real_memfd_create(const char *name, unsigned int flags);
int __wrap_memfd_create(const char *name, unsigned int flags);

void *__wrap_malloc(size_t size)
{
	return is_this_one(ENOMEM) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t nr, size_t size)
{
	return is_this_one(ENOMEM) ? NULL : __real_calloc(nr, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return is_this_one(ENOMEM) ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t nr, size_t size)
{
	return is_this_one(ENOMEM) ? NULL : __real_reallocarray(p, nr, size);
}

char *__wrap_strdup(const char *s)
{
	return is_this_one(ENOMEM) ? NULL : __real_strdup(s);
}

int __wrap_eventfd(unsigned int value, int flags)
{
	return is_this_one(EMFILE) ? -1 : __real_eventfd(value, flags);
}

int __wrap_memfd_create(const char *name, unsigned int flags)
{
	return is_this_one(EMFILE) ? -1 : __real_memfd_create(name, flags);
}

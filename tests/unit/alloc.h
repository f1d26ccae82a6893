/* SPDX-License-Identifier: MIT */
/* Makes one allocation of the code under test fail. A program that links alloc.c needs its --wrap link arguments. */
#ifndef ALLOC_H
#define ALLOC_H

/* The n-th allocation of this thread from now on fails, once; 0: none does. */
void alloc_fail_at(unsigned int n);
/* Did it? Also ends it. */
int alloc_has_failed(void);

#endif

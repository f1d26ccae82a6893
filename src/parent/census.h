/* SPDX-License-Identifier: MIT */
/* What processes use, read from outside of them. */
#ifndef PARENT_CENSUS_H
#define PARENT_CENSUS_H

#include <stdint.h>
#include <sys/types.h>

/* Our children: *ret_pids is malloc'ed. Return: how many; 0 also where the kernel does not tell. */
size_t parent_census_children(pid_t **ret_pids);

/* CPU time of a process until now; 0: it is gone. */
uint64_t parent_census_cpu_ns(pid_t pid);

/* For how long the processors that we may use were idle, all of them together; 0: nobody knows. */
uint64_t parent_census_idle_ns(void);

struct parent_census {
	unsigned int nr;      /* descendants that are alive */
	uint64_t cpu_ns;      /* of these, and of those that the process or one of these has waited for */
	uint64_t private_bytes; /* of these and the process itself */
};

/* Of a process's descendants. @with_memory: private_bytes, too, which costs more. */
void parent_census_look(pid_t pid, int with_memory, struct parent_census *ret);

#endif

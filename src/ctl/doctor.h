/* SPDX-License-Identifier: MIT */
/* tranche doctor: what is found, a line each. */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include "ctl/ctl.h"

enum ctl_health {
	CTL_OK,
	CTL_WARN,    /* something works less well, or not for everybody */
	CTL_MISSING, /* Tranche does not work without it */
};

struct ctl_doctor {
	struct ctl *c;
	json_t *findings; /* objects: name, status, text, remedy */
};

/* remedy: what to do; NULL or empty: nothing. */
void ctl_doctor_say(struct ctl_doctor *d, const char *name, enum ctl_health health, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

void ctl_doctor_opencl(struct ctl_doctor *d); /* doctor_opencl.c: the host's OpenCL, our driver */
void ctl_doctor_host(struct ctl_doctor *d);   /* doctor_host.c: kernel, sandbox, limits */
void ctl_doctor_daemon(struct ctl_doctor *d); /* doctor_daemon.c: tranched, its folders */
void ctl_doctor_tools(struct ctl_doctor *d);  /* doctor_tools.c: QEMU, FUSE, devices of graphics */
void ctl_doctor_guest(struct ctl_doctor *d);  /* doctor_guest.c: in a virtual machine, the driver of our device */

/* Has this machine a compute device of a host's?  It needs no OpenCL of its own then. */
bool ctl_doctor_is_guest(void);

/* Looks for a program in PATH. */
bool ctl_doctor_has_program(const char *name);
/* What a program prints, up to len - 1 bytes; it is ended after 20 s. Return: its exit status, -errno. */
int ctl_doctor_output(char *const argv[], char *ret, size_t len);

#endif

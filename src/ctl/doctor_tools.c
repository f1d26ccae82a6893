/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/doctor.h"

#define QEMU "qemu-system-x86_64"

static void check_qemu(struct ctl_doctor *d)
{
	char output[4096];
	char *const argv[] = { (char *)(uintptr_t)QEMU, (char *)(uintptr_t)"--version", NULL };
	int major = 0, minor = 0;
	const char *version;

	if (!ctl_doctor_has_program(QEMU)) {
		ctl_doctor_say(d, "qemu", CTL_WARN, "virtual machines need QEMU 10.1 or later; programs do not", "no " QEMU " in PATH");
		return;
	}
	if (ctl_doctor_output(argv, output, sizeof(output)) != 0)
		output[0] = '\0';
	version = strstr(output, "version ");
	if (version)
		sscanf(version, "version %d.%d", &major, &minor);
	if (major > 10 || (major == 10 && minor >= 1))
		ctl_doctor_say(d, "qemu", CTL_OK, NULL, "QEMU %d.%d", major, minor);
	else
		ctl_doctor_say(d, "qemu", CTL_WARN, "10.1 and later have the device vfio-user-pci",
			       "QEMU %d.%d is too old for virtual machines", major, minor);
}

static void check_fuse(struct ctl_doctor *d)
{
	static const char remedy[] = "tranche-treefs, for mdevctl, needs it: apt install fuse3, modprobe fuse";

	if (access("/dev/fuse", F_OK) < 0)
		ctl_doctor_say(d, "fuse", CTL_WARN, remedy, "no /dev/fuse");
	else if (!ctl_doctor_has_program("fusermount3"))
		ctl_doctor_say(d, "fuse", CTL_WARN, remedy, "no fusermount3 in PATH");
	else
		ctl_doctor_say(d, "fuse", CTL_OK, NULL, "/dev/fuse and fusermount3");
}

/* Nodes whose name begins so; those that this user can open. */
static int count_nodes(const char *folder, const char *start, int *ret_usable)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	int nr = 0;

	*ret_usable = 0;
	while (dir && (e = readdir(dir))) {
		char path[300];

		if (strncmp(e->d_name, start, strlen(start)))
			continue;
		nr++;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		*ret_usable += access(path, R_OK | W_OK) == 0;
	}
	if (dir)
		closedir(dir);
	return nr;
}

/* Graphics cards' drivers of OpenCL open these. */
static void check_dri(struct ctl_doctor *d)
{
	int usable, nr = count_nodes("/dev/dri", "render", &usable);

	if (nr == 0)
		ctl_doctor_say(d, "gpu", CTL_OK, NULL, "no graphics card in /dev/dri; the processors are sliced");
	else if (usable < nr)
		ctl_doctor_say(d, "gpu", CTL_WARN, "become a member of the group render",
			       "this user may open %d of %d nodes in /dev/dri", usable, nr);
	else
		ctl_doctor_say(d, "gpu", CTL_OK, NULL, "%d node%s in /dev/dri", nr, nr > 1 ? "s" : "");
}

/* In a virtual machine that has one of our devices. */
static void check_accel(struct ctl_doctor *d)
{
	int usable, nr = count_nodes("/dev/accel", "accel", &usable);

	if (nr == 0)
		return;
	if (usable < nr)
		ctl_doctor_say(d, "accel", CTL_WARN, "become a member of the group that the node has",
			       "this user may open %d of %d nodes in /dev/accel", usable, nr);
	else
		ctl_doctor_say(d, "accel", CTL_OK, NULL, "%d node%s in /dev/accel", nr, nr > 1 ? "s" : "");
}

void ctl_doctor_tools(struct ctl_doctor *d)
{
	check_qemu(d);
	check_fuse(d);
	check_dri(d);
	check_accel(d);
}

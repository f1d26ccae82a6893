/* SPDX-License-Identifier: MIT */
/* In a virtual machine that has one of our compute devices: is all there that its driver needs? */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/doctor.h"
#include "tranche/wire/compute_pci.h"

#define MODULE "tranche_accel"

struct guest {
	const char *root; /* of the files of the system; not "/" in tests alone */
	int nr_devices, nr_driven;
	char first_idle[32]; /* address of one without its driver */
};

static const char *root_of_system(void)
{
	const char *root = getenv("TRANCHE_DOCTOR_ROOT");

	return root ? root : "";
}

static unsigned int read_id(const char *folder, const char *name)
{
	char path[PATH_MAX];
	unsigned int id = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%x", &id) != 1)
		id = 0;
	fclose(f);
	return id;
}

static bool is_ours(const char *folder)
{
	return read_id(folder, "vendor") == TRNC_PCI_VENDOR && read_id(folder, "device") == TRNC_PCI_DEVICE &&
	       read_id(folder, "subsystem_vendor") == TRNC_PCI_SUBSYSTEM_VENDOR &&
	       read_id(folder, "subsystem_device") == TRNC_PCI_SUBSYSTEM;
}

static bool has_driver(const char *folder)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *name;
	ssize_t len;

	snprintf(path, sizeof(path), "%s/driver", folder);
	len = readlink(path, target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = '\0';
	name = strrchr(target, '/');
	return name && !strcmp(name + 1, MODULE);
}

static void look(struct guest *g)
{
	char path[300], folder[600];
	struct dirent *e;
	DIR *dir;

	g->root = root_of_system();
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices", g->root);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		snprintf(folder, sizeof(folder), "%s/%s", path, e->d_name);
		if (e->d_name[0] == '.' || !is_ours(folder))
			continue;
		g->nr_devices++;
		if (has_driver(folder))
			g->nr_driven++;
		else if (!g->first_idle[0])
			snprintf(g->first_idle, sizeof(g->first_idle), "%.31s", e->d_name);
	}
	if (dir)
		closedir(dir);
}

bool ctl_doctor_is_guest(void)
{
	struct guest g = { 0 };

	look(&g);
	return g.nr_devices;
}

static int has_line(const char *path, const char *line)
{
	char text[256];
	int found = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		return -1;
	while (!found && fgets(text, sizeof(text), f))
		found = !strncmp(text, line, strlen(line));
	fclose(f);
	return found;
}

/* Return: 1, 0, or -1: this kernel does not say. */
static int has_drm_accel(const struct guest *g, const char *release)
{
	static const struct {
		const char *before, *after;
	} places[] = { { "/boot/config-", "" }, { "/lib/modules/", "/config" }, { "/lib/modules/", "/build/.config" } };
	char path[600], output[64];
	char *const argv[] = { (char *)(uintptr_t)"zgrep", (char *)(uintptr_t)"-qx", (char *)(uintptr_t)"CONFIG_DRM_ACCEL=y", path, NULL };
	int r = -1;

	for (size_t i = 0; r < 0 && i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s%s%s%s", g->root, places[i].before, release, places[i].after);
		r = has_line(path, "CONFIG_DRM_ACCEL=y");
	}
	if (r >= 0)
		return r;
	snprintf(path, sizeof(path), "%s/proc/config.gz", g->root);
	if (access(path, R_OK) < 0)
		return -1;
	r = ctl_doctor_output(argv, output, sizeof(output));
	return r == 0 ? 1 : r == 1 ? 0 : -1;
}

static bool is_loaded(const struct guest *g)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/sys/module/" MODULE, g->root);
	return access(path, F_OK) == 0;
}

static void tell_why(struct ctl_doctor *d, const struct guest *g)
{
	struct utsname u;

	uname(&u);
	if (is_loaded(g))
		ctl_doctor_say(d, "accel driver", CTL_MISSING, "the kernel's log says why: dmesg | grep tranche",
			       "the driver " MODULE " is loaded, and does not drive device %s", g->first_idle);
	else if (has_drm_accel(g, u.release) == 0)
		ctl_doctor_say(d, "accel driver", CTL_MISSING,
			       "boot one that has it, 6.12 or later: on Debian apt install linux-image-amd64, and not the one for clouds",
			       "Linux %s is built without CONFIG_DRM_ACCEL, as kernels for clouds are, and cannot load " MODULE, u.release);
	else
		ctl_doctor_say(d, "accel driver", CTL_MISSING,
			       "modprobe " MODULE "; if there is none, install Tranche's driver for this kernel",
			       "device %s of the host has no driver: " MODULE " is not loaded", g->first_idle);
}

void ctl_doctor_guest(struct ctl_doctor *d)
{
	struct guest g = { 0 };

	look(&g);
	if (!g.nr_devices)
		return;
	if (g.nr_driven == g.nr_devices)
		ctl_doctor_say(d, "accel driver", CTL_OK, NULL, "%d compute device%s of the host, with the driver " MODULE, g.nr_devices,
			       g.nr_devices > 1 ? "s" : "");
	else
		tell_why(d, &g);
}

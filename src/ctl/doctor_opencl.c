/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/pieces.h"
#include "ctl/doctor.h"
#include "ctl/text.h"

/* A guest of a host that shares its devices has none of its own to share. */
static enum ctl_health needed(void)
{
	return ctl_doctor_is_guest() ? CTL_WARN : CTL_MISSING;
}

static const char *vendors_folder(void)
{
	const char *given = getenv("OCL_ICD_VENDORS");

	return given && given[0] == '/' ? given : "/etc/OpenCL/vendors";
}

/* Files of drivers; whether ours is among them. */
static int count_icds(const char *folder, bool *ret_has_ours)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	int nr = 0;

	*ret_has_ours = false;
	while (d && (e = readdir(d))) {
		size_t len = strlen(e->d_name);

		if (len < 5 || strcmp(e->d_name + len - 4, ".icd"))
			continue;
		if (strstr(e->d_name, "tranche"))
			*ret_has_ours = true;
		else
			nr++;
	}
	if (d)
		closedir(d);
	return nr;
}

static void check_drivers(struct ctl_doctor *d)
{
	const char *folder = vendors_folder();
	struct trn_error err = { 0 };
	struct pieces pieces;
	bool has_ours;
	int nr = count_icds(folder, &has_ours);

	if (nr)
		ctl_doctor_say(d, "opencl", CTL_OK, NULL, "%d OpenCL driver%s of the host in %s", nr, nr > 1 ? "s" : "", folder);
	else
		ctl_doctor_say(d, "opencl", needed(),
			       "install one: apt install pocl-opencl-icd for the processors, or the graphics card's",
			       "no OpenCL driver of the host in %s", folder);
	if (pieces_find(&pieces, &err) < 0)
		ctl_doctor_say(d, "pieces", CTL_MISSING, err.hint, "%s", err.text);
	else if (has_ours)
		ctl_doctor_say(d, "driver", CTL_OK, NULL, "Tranche's OpenCL driver is registered in %s", folder);
	else
		ctl_doctor_say(d, "driver", CTL_WARN,
			       "only \"tranche run\" and \"tranche attach --print env\" show it to programs; "
			       "to register it, write its path into a file tranche.icd there",
			       "Tranche's OpenCL driver is not registered in %s", folder);
}

static void tell_devices(struct ctl_doctor *d, json_t *answer)
{
	json_t *list = json_object_get(answer, "devices"), *one;
	size_t i;

	if (json_array_size(list) == 0)
		ctl_doctor_say(d, "devices", needed(), "clinfo -l shows what the host's drivers find; each needs its device",
			       "the host's OpenCL has no device");
	json_array_foreach(list, i, one) {
		char memory[CTL_TEXT];

		ctl_doctor_say(d, "devices", CTL_OK, NULL, "host device %lld: %s, %.80s, %s", (long long)i, ctl_text_of(one, "kind"),
			       ctl_text_of(one, "name"), ctl_text_size(json_object_get(one, "memory"), memory));
	}
}

static void check_devices(struct ctl_doctor *d)
{
	char executor[PATH_MAX], output[65536];
	char *const argv[] = { executor, (char *)(uintptr_t)"--devices", NULL };
	struct trn_error err = { 0 };
	json_t *answer;
	int r = pieces_find_executor(executor, &err);

	if (r < 0) {
		ctl_doctor_say(d, "devices", needed(), err.hint, "%s", err.text);
		return;
	}
	r = ctl_doctor_output(argv, output, sizeof(output));
	answer = r == 0 ? json_loads(output, 0, NULL) : NULL;
	if (answer)
		tell_devices(d, answer);
	else
		ctl_doctor_say(d, "devices", needed(), "run it by hand to see what it says",
			       "%s --devices does not tell the host's devices (%d)", executor, r);
	json_decref(answer);
}

void ctl_doctor_opencl(struct ctl_doctor *d)
{
	check_drivers(d);
	check_devices(d);
}

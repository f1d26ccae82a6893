/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/doctor.h"
#include "ctl/text.h"

static void tell_problems(struct ctl_doctor *d, json_t *about)
{
	json_t *problem;
	size_t i;

	json_array_foreach(json_object_get(about, "problems"), i, problem)
		ctl_doctor_say(d, "tranched", CTL_WARN, ctl_text_of(problem, "hint"), "%s", ctl_text_of(problem, "message"));
}

/* Programs work without tranched; sharing does not. */
static void check_daemon(struct ctl_doctor *d)
{
	json_t *about;
	int r = ctl_get(d->c, api_path("/v1", NULL), &about);

	if (r < 0) {
		ctl_doctor_say(d, "tranched", CTL_WARN, d->c->err.hint, "%s", d->c->err.text);
		memset(&d->c->err, 0, sizeof(d->c->err));
		return;
	}
	ctl_doctor_say(d, "tranched", CTL_OK, NULL, "tranched %s answers at %s, for user %s", ctl_text_of(about, "version"),
		       api_socket(d->c->api), ctl_text_of(about, "user"));
	if (!strcmp(ctl_text_of(about, "rights"), "read"))
		ctl_doctor_say(d, "rights", CTL_WARN, "become a member of its use_group; see tranched.conf(5)",
			       "this user may look, and not start devices");
	else
		ctl_doctor_say(d, "rights", CTL_OK, NULL, "this user's rights: %s", ctl_text_of(about, "rights"));
	tell_problems(d, about);
	json_decref(about);
}

static void check_folder(struct ctl_doctor *d)
{
	const char *folder = getenv("XDG_RUNTIME_DIR");
	struct stat st;

	if (!folder && geteuid() == 0)
		return;
	if (!folder)
		ctl_doctor_say(d, "runtime dir", CTL_WARN, "log in by a session manager, or set it to a folder of yours with mode 0700",
			       "XDG_RUNTIME_DIR is not set: sockets go to /tmp, and tranched --user has no place for its own");
	else if (stat(folder, &st) < 0 || !S_ISDIR(st.st_mode) || access(folder, W_OK) < 0)
		ctl_doctor_say(d, "runtime dir", CTL_WARN, "make it, with mode 0700",
			       "XDG_RUNTIME_DIR=%s is no folder to write to", folder);
	else if (strlen(folder) > 40)
		ctl_doctor_say(d, "runtime dir", CTL_WARN, "choose a shorter one",
			       "XDG_RUNTIME_DIR=%s is long for paths of sockets", folder);
	else
		ctl_doctor_say(d, "runtime dir", CTL_OK, NULL, "sockets go to %s/tranche", folder);
}

void ctl_doctor_daemon(struct ctl_doctor *d)
{
	check_daemon(d);
	check_folder(d);
}

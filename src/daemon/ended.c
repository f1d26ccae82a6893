/* SPDX-License-Identifier: MIT */
/* Why a process ended: by its own words, else by what the kernel says. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "daemon/process_priv.h"

#define MAX_FILE 4096u

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && text[0] ? text : NULL;
}

/* "code" is an errno, of either sign; 0: it ended because it was told to. */
static int code_of(json_t *object)
{
	json_int_t code = json_integer_value(json_object_get(object, "code"));

	if (code < -4095 || code > 4095)
		return -EIO;
	return (int)(code < 0 ? code : -code);
}

static bool read_file(struct daemon_link *l, struct trn_error *ret)
{
	size_t len = 0;
	_cleanup_free_ char *text = l->folder >= 0 ? daemon_folder_read(l->folder, "ended", MAX_FILE, &len) : NULL;
	json_t *object = text ? json_loadb(text, len, 0, NULL) : NULL;
	const char *message = text_of(object, "message"), *name = text_of(object, "name");
	bool is_known = message;

	if (is_known) {
		/* Not 0 for the moment: an error without a code is an empty one. */
		trn_error_set(ret, -EIO, daemon_processes_name(l->ps, name ? name : "Ended"), "%s", message);
		if (text_of(object, "hint"))
			trn_error_hint(ret, "%s", text_of(object, "hint"));
		ret->code = code_of(object);
	}
	json_decref(object);
	return is_known;
}

static void read_status(const struct daemon_link *l, struct trn_error *ret)
{
	if (!l->has_status)
		trn_error_set(ret, -EIO, "Ended", "the process of %s has ended and left no reason", l->what);
	else if (l->exit_code == CLD_EXITED)
		trn_error_set(ret, -EIO, "Exited", "the process of %s ended with status %d", l->what, l->exit_status);
	else
		trn_error_set(ret, -EIO, "Killed", "the process of %s was ended by signal %d (%s)", l->what, l->exit_status,
			      strsignal(l->exit_status)); /* NOLINT(concurrency-mt-unsafe): one thread */
	trn_error_hint(ret, "the log may say more");
}

bool daemon_ended_read(struct daemon_link *l, struct trn_error *ret)
{
	if (read_file(l, ret))
		return true;
	read_status(l, ret);
	return l->has_status;
}

/* SPDX-License-Identifier: MIT */
/* Who may do what: by the peer's right, and by whom a thing belongs to. */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/manager_priv.h"

int daemon_check_right(const struct daemon_peer *peer, enum daemon_right right, struct trn_error *err)
{
	static const char *const verbs[] = { "do anything", "look at anything", "start or change anything", "administer" };

	if (peer->right >= right)
		return 0;
	if (!peer->is_local)
		trn_error_set(err, -EACCES, "NotAllowed", "who comes by TCP may not %s", verbs[right]);
	else
		trn_error_set(err, -EACCES, "NotAllowed", "user %u may not %s here", (unsigned int)peer->uid, verbs[right]);
	return trn_error_hint(err, right == DAEMON_ADMIN ? "ask an administrator, or become a member of admin-group" :
							   "become a member of use-group, or ask an administrator");
}

int daemon_check_owner(const struct daemon_peer *peer, const struct manager_spec *spec, const char *what, struct trn_error *err)
{
	int r = daemon_check_right(peer, DAEMON_USE, err);

	if (r < 0 || peer->right == DAEMON_ADMIN || (spec->has_owner && spec->owner == peer->uid))
		return r;
	if (spec->has_owner)
		trn_error_set(err, -EACCES, "NotOwner", "%s belongs to user %u, not to user %u", what, (unsigned int)spec->owner,
			      (unsigned int)peer->uid);
	else
		trn_error_set(err, -EACCES, "NotOwner", "%s belongs to nobody but administrators", what);
	return trn_error_hint(err, "ask its owner or an administrator");
}

int daemon_check_options(const struct daemon_peer *peer, json_t *options, struct trn_error *err)
{
	const char *key;
	json_t *value;

	if (peer->right == DAEMON_ADMIN)
		return 0;
	json_object_foreach(options, key, value) {
		if (!strpbrk(json_string_value(value), "/:"))
			continue;
		trn_error_set(err, -EACCES, "NotAllowed", "option %.31s names a place of this host: that is for administrators", key);
		return trn_error_hint(err, "leave the place out, or ask an administrator to define the device");
	}
	return 0;
}

json_t *daemon_owner_json(uid_t owner)
{
	char buf[1024];
	struct passwd pw, *found = NULL;

	if (getpwuid_r(owner, &pw, buf, sizeof(buf), &found) == 0 && found)
		return json_string(found->pw_name);
	return json_integer((json_int_t)owner);
}

int daemon_owner_parse_text(const char *text, uid_t *ret)
{
	char buf[1024];
	struct passwd pw, *found = NULL;
	unsigned long nr;
	char *end;

	if (text[0] >= '0' && text[0] <= '9') {
		errno = 0;
		nr = strtoul(text, &end, 10);
		if (errno || *end || nr >= UINT32_MAX)
			return -EINVAL;
		*ret = (uid_t)nr;
		return 0;
	}
	if (getpwnam_r(text, &pw, buf, sizeof(buf), &found) || !found)
		return -ENOENT;
	*ret = found->pw_uid;
	return 0;
}

int daemon_owner_parse(json_t *value, uid_t *ret)
{
	json_int_t nr = json_integer_value(value);

	if (json_is_string(value))
		return daemon_owner_parse_text(json_string_value(value), ret);
	if (!json_is_integer(value) || nr < 0 || nr >= UINT32_MAX)
		return -EINVAL;
	*ret = (uid_t)nr;
	return 0;
}

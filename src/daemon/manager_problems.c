/* SPDX-License-Identifier: MIT */
/* What is wrong at the moment, for GET /v1 and the log: a definition that cannot be read, a parent that vanished. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/manager_priv.h"

struct problem {
	struct base_list node;
	char *key, *file;
	struct trn_error err;
};

static void drop_problem(struct problem *p)
{
	base_list_remove(&p->node);
	free(p->key);
	free(p->file);
	free(p);
}

static void clear(struct daemon *d, const char *key, size_t len)
{
	struct problem *p, *next;

	base_list_for_each_safe(p, next, &d->problems, node)
		if (!strncmp(p->key, key, len))
			drop_problem(p);
}

void daemon_problem_clear(struct daemon *d, const char *prefix)
{
	clear(d, prefix, strlen(prefix));
}

void daemon_problem_over(struct daemon *d, const char *kind, const char *name)
{
	char key[300];

	snprintf(key, sizeof(key), "%s:%s", kind, name);
	clear(d, key, strlen(key) + 1);
}

void daemon_problem_set(struct daemon *d, const char *key, const struct trn_error *err, const char *file)
{
	struct problem *p = calloc(1, sizeof(*p));

	base_log_error(BASE_LOG_WARNING, err);
	clear(d, key, strlen(key) + 1);
	if (!p)
		return;
	p->key = strdup(key);
	p->file = file ? strdup(file) : NULL;
	p->err = *err;
	base_list_append(&d->problems, &p->node);
	if (!p->key)
		drop_problem(p);
}

json_t *daemon_problems_json(struct daemon *d)
{
	json_t *list = json_array();
	struct problem *p;

	base_list_for_each(p, &d->problems, node)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s?}", "name", p->err.name ? p->err.name : "Failed",
						      "message", p->err.text, "hint", p->err.hint, "file", p->file));
	return list;
}

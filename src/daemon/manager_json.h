/* SPDX-License-Identifier: MIT */
/* Bodies of requests, read strictly: a sentence names the field and what was found. */
#ifndef DAEMON_MANAGER_JSON_H
#define DAEMON_MANAGER_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "tranche/error.h"

/* {"x": 5}: "the number 5"; cut to what fits. */
const char *daemon_json_what(json_t *value, char *buf, size_t len);
/* Return: -EINVAL. @wants: "a string of at most 255 bytes" */
int daemon_json_refuse(struct trn_error *err, const char *field, json_t *found, const char *wants);

typedef int (*daemon_field_fn)(void *data, const char *name, json_t *value, struct trn_error *err);
struct daemon_field {
	const char *name;
	unsigned int flags; /* the caller's */
	daemon_field_fn read;
};
/* Reads each member of body, in the order of fields; one that is not among those with a bit of flags is refused. */
int daemon_json_read(json_t *body, const struct daemon_field *fields, size_t nr, unsigned int flags, void *data,
		     struct trn_error *err);

/* A string without control characters, of 1 to max bytes. */
int daemon_json_text(json_t *value, const char *name, size_t max, const char **ret, struct trn_error *err);
int daemon_json_number(json_t *value, const char *name, uint64_t min, uint64_t max, uint64_t *ret, struct trn_error *err);
/* Percent with up to one decimal, 0.1 to 100, as thousandths. */
int daemon_json_percent(json_t *value, const char *name, uint32_t *ret, struct trn_error *err);

#endif

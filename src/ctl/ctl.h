/* SPDX-License-Identifier: MIT */
/*
 * tranche-ctl: the verbs of "tranche" that speak tranched's API.  A verb is a row of tables (its options make its help and
 * its completion) and a function that gets what the command line said.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/api.h"
#include "cli/verbs.h"
#include "tranche/error.h"

#define CTL_UUID_TEXT 37

/* Ids of options without a letter. */
enum {
	CTL_JSON = 256,
	CTL_NO_HEADINGS,
	CTL_SOCKET,
	CTL_JSONFILE,
	CTL_DUMPJSON,
	CTL_MEMORY,
	CTL_TIME,
	CTL_OWNER,
	CTL_VM,
	CTL_ADDATTR,
	CTL_DELATTR,
	CTL_VALUE,
	CTL_INDEX,
	CTL_WAIT,
	CTL_FORCE,
	CTL_TREE,
	CTL_ADD,
	CTL_REMOVE,
	CTL_DRIVER,
	CTL_HOST_DEVICE,
	CTL_SLICE,
	CTL_SINCE,
	CTL_ONCE,
	CTL_PRINT,
	CTL_ALONE,
	CTL_NO_RECONNECT,
	CTL_COMPUTE,
};

struct ctl_option {
	int id;		   /* a letter, or one of the above; 0 ends the table */
	const char *name;  /* the long one */
	const char *value; /* its word in the help; NULL: none; "[...]": optional, behind "=" */
	const char *help;
};

struct ctl;

struct ctl_verb {
	const char *name;
	const char *words;   /* what follows the options, for the help */
	const char *summary; /* one line */
	const char *more;    /* for the help; may be NULL */
	const struct ctl_option *options;
	int most_words; /* -1: any number */
	const char *completes; /* what its words are (complete.c); NULL: nothing that is known */
	/* Return: 0, a positive exit status after it was said why, or -errno with c->err set. */
	int (*run)(struct ctl *c);
};

struct ctl_given {
	int id;
	const char *value; /* NULL: it has none */
};

struct ctl {
	const struct ctl_verb *verb;
	struct ctl_given *given; /* in their order */
	size_t nr_given;
	char **words; /* what is no option */
	int nr_words;
	struct api *api; /* opened by the first request */
	int cancel_fd;	 /* for requests; -1: none */
	struct trn_error err;
};

extern const struct ctl_verb *const ctl_verbs[]; /* ends with NULL; "__complete" is not among them */

/* ---- options.c ---- */

/* Fills in given and words. Return: -1 to go on, else the exit status. */
int ctl_parse(struct ctl *c, int argc, char **argv);
/* Those that every verb has. */
const struct ctl_option *ctl_common_options(void);
bool ctl_has(const struct ctl *c, int id);
/* The last value given; NULL: none. */
const char *ctl_value(const struct ctl *c, int id);
/* Says what is wrong. Return: CLI_USAGE. */
int ctl_usage(const struct ctl *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- request.c: the API, opened when needed; errors in c->err; paths are freed, NULL is no memory ---- */

/* A tranched that has just been started is asked again until it is ready. */
int ctl_open(struct ctl *c);
int ctl_get(struct ctl *c, char *path, json_t **ret);
int ctl_post(struct ctl *c, char *path, json_t *body, json_t **ret);
int ctl_patch(struct ctl *c, char *path, json_t *body, json_t **ret);
int ctl_delete(struct ctl *c, char *path);
/* GET of "/v1/KIND", and of the answer its list; a new reference. */
int ctl_get_list(struct ctl *c, const char *kind, json_t **ret);
/* What cannot be put into a request: an empty body after json_pack() failed. */
int ctl_no_memory(struct ctl *c);

/* ---- uuid.c ---- */

bool ctl_is_uuid(const char *text);
/* What a word given may be short for. */
enum ctl_among { CTL_DEVICES = 1, CTL_DEFINITIONS = 2, CTL_EITHER = 3 };
/*
 * A whole UUID in lower case from one, or from the beginning of one that is unique (4 letters or more).  A whole one is not looked for.
 * Return: 0, -EINVAL, -ENOENT, -EEXIST (several), or what the request gave.
 */
int ctl_find_uuid(struct ctl *c, const char *text, enum ctl_among among, char ret[CTL_UUID_TEXT]);
/* The same, of -u or the only word. Return: 0, CLI_USAGE, -errno. */
int ctl_given_uuid(struct ctl *c, enum ctl_among among, char ret[CTL_UUID_TEXT]);
/* For what cannot be undone: whole UUIDs only. */
int ctl_given_whole_uuid(struct ctl *c, char ret[CTL_UUID_TEXT]);

/* ---- fields.c: what define, modify, start and run put into a request ---- */

/* Puts what --memory, --time, --owner, --vm and -o say into body. removes: "none" becomes null. Return: 0 or CLI_USAGE. */
int ctl_take_fields(struct ctl *c, json_t *body, bool removes);
/* A definition or device from a file (--jsonfile): of mdevctl's form or the API's. Return: 0 or -errno. */
int ctl_read_jsonfile(struct ctl *c, const char *path, json_t **ret);
/* "12.5" or "12.5%", 0.1 to 100. Return: a new reference; NULL: it is none. */
json_t *ctl_parse_percent(const char *text);
/* Seconds with a fraction, at least 0; -1: it is none. */
double ctl_parse_seconds(const char *text);
/* "&timeout_ms=N" and so on, of --wait and --force. Return: 0 or CLI_USAGE. */
int ctl_stop_query(struct ctl *c, char ret[64]);

/* -p: is the device or definition (kind) of that parent? Return: 0 or -errno. */
int ctl_check_parent(struct ctl *c, const char *kind, const char *uuid);

/* ---- print.c ---- */

/* On stdout, and a newline. Return: 0 or -EIO. */
int ctl_print_json(struct ctl *c, json_t *value);
int ctl_flush(struct ctl *c);

#endif

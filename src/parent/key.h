/* SPDX-License-Identifier: MIT */
/*
 * What a compiled program is stored under: a digest of everything that decides what comes of a build.  Computed by trusted
 * code from the request's own bytes and from what the files say that it reads.
 */
#ifndef PARENT_KEY_H
#define PARENT_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARENT_DIGEST 32u

struct parent_key {
	uint8_t bytes[PARENT_DIGEST]; /* SHA-256 */
};

/* A build request, taken apart as far as the broker needs it. */
struct parent_request {
	const void *bytes; /* the whole blob; must stay */
	size_t len;
	uint32_t op; /* enum trnc_op */
	uint32_t device;      /* TRNC_BROKER_* */
	uint32_t host_device; /* index */
	uint32_t identity;    /* of what is there */
	bool is_guest;	      /* all files that it may read are in the request itself */
	const char *source; /* not terminated */
	size_t source_len;
	const char *options; /* never NULL */
	const char *cwd;     /* or NULL */
};

/* Return: 0; -EINVAL: it cannot be read; -EOPNOTSUPP: not a thing that a broker builds. */
int parent_request_parse(const void *bytes, size_t len, struct parent_request *ret);

struct parent_fate {
	bool is_storable; /* all that it depends on is in the key */
	bool reads_files; /* includes: what is in them is not in the request */
};

/* Looks at files, so it may take milliseconds.  @host: identity.h. */
void parent_key_make(const struct parent_key *host, const struct parent_request *q, struct parent_key *ret,
		     struct parent_fate *ret_fate);

/* May the text include files?  A text that hides it well enough to doubt does. */
bool parent_text_includes(const char *text, size_t len);

/* One of the environment's strings that a compile may go by?  All others are kept from the helper. */
bool parent_env_matters(const char *entry);

#endif

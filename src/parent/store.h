/* SPDX-License-Identifier: MIT */
/*
 * The trusted store: a folder of compiled programs, each an entry (a folder) that is named by its key.
 *
 *   STORE/entries/ab/cdef...   an entry: manifest, reply, 0, 1, 2 ... (the files)
 *   STORE/entries/ab/cdef....wants   what is still to be made for it
 *   STORE/tmp/                 entries that are being written, folders of helpers: locked by whoever made them
 *   STORE/lock                 held by whoever makes room
 *
 * An entry is written beside, and renamed into its place when it is on the disk; it never changes, but may be replaced as a whole.
 * What is read is checked: owner, kind, size and digest of each file; an entry that is not right is thrown away.
 * Any number of processes may use a store; none holds it open for the others, and each may die at any time.
 */
#ifndef PARENT_STORE_H
#define PARENT_STORE_H

#include "parent/built.h"
#include "parent/key.h"
#include "base/store_place.h"
#include "tranche/error.h"

#define PARENT_STORE_MAX (1ull << 30) /* bytes, unless somebody says otherwise */

struct parent_store {
	char *path;
	uint64_t max_bytes;
	int entries, tmp; /* folders */
};

/* Makes the folders, and removes what the dead have left. Return: 0 or -errno with a sentence. */
int parent_store_open(const char *path, uint64_t max_bytes, struct parent_store **ret, struct trn_error *err);
/* Accepts NULL. */
void parent_store_close(struct parent_store *s);

/* Return: 0; -ENOENT: it is not there, or was not right and is not there any more; other -errno. */
int parent_store_get(struct parent_store *s, const struct parent_key *key, struct parent_built *ret);

/* Makes an entry, in place of one that is there; then makes room. Blocks until it is on the disk. Return: 0 or -errno. */
int parent_store_put(struct parent_store *s, const struct parent_key *key, const struct parent_built *b);

/*
 * Work-group functions that are missing from an entry, remembered until somebody has the time to make them: *nr of them in
 * a list of TRNC_BROKER_MAX_VARIANTS.  Adding drops what does not fit. nr 0 when there are none.
 */
void parent_store_want(struct parent_store *s, const struct parent_key *key, const struct trnc_broker_variant *list,
		       uint32_t nr);
uint32_t parent_store_wanted(struct parent_store *s, const struct parent_key *key, struct trnc_broker_variant *list);
/* Is nobody else making them? A lock until the descriptor is closed. Return: fd; -EWOULDBLOCK: somebody is; other -errno. */
int parent_store_claim(struct parent_store *s, const struct parent_key *key);
void parent_store_unwant(struct parent_store *s, const struct parent_key *key);

/* Removes the entries that were not used for longest until the rest fits; one process at a time. */
void parent_store_trim(struct parent_store *s);

/* A new folder in tmp/, locked by the descriptor; the name below STORE. Return: fd or -errno. */
int parent_store_make_tmp(struct parent_store *s, char ret_name[64]);

#endif

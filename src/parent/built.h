/* SPDX-License-Identifier: MIT */
/* What came of a build: the reply to the program, and the files that the host's driver keeps in its cache folder. */
#ifndef PARENT_BUILT_H
#define PARENT_BUILT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tranche/wire/parent.h"

#define PARENT_MAX_FILES 1024u
#define PARENT_MAX_FILE (64ull << 20)
#define PARENT_MAX_BUILT (256ull << 20) /* all files of one */

struct parent_file {
	char name[sizeof(((struct trnc_broker_file *)0)->name)]; /* below the cache folder */
	uint64_t size;
	int fd; /* read-only or sealed; owned */
};

struct parent_built {
	uint32_t flags; /* TRNC_BROKER_REPLY_FINAL */
	char program[sizeof(((struct trnc_broker_reply *)0)->program)];
	struct parent_file reply; /* a blob; no name */
	uint32_t nr_files;
	struct parent_file *files;
};

void parent_built_init(struct parent_built *b);
void parent_built_finish(struct parent_built *b);
/* Takes over fd, also when it fails. Return: 0, -EINVAL (the name), -E2BIG, -ENOMEM. */
int parent_built_add(struct parent_built *b, const char *name, uint64_t size, int fd);
/* Has it a file of that name? */
bool parent_built_has(const struct parent_built *b, const char *name);

/* Is it a relative path that stays below, of names that are not empty? */
bool parent_name_is_safe(const char *name);

/* A sealed memory file with the next bytes of another, which may be anything; -E2BIG beyond max, -ESPIPE if it is no
 * regular file. The size in ret_size. Return: fd or -errno. */
int parent_copy_to_memory(int fd, uint64_t max, uint64_t *ret_size);
/* A memory file of these bytes, sealed. */
int parent_memory_of(const void *data, size_t len);

#endif

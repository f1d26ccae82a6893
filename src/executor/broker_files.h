/* SPDX-License-Identifier: MIT */
/* Files that came from the broker, on their way into the cache folder of the host's driver. */
#ifndef EXECUTOR_BROKER_FILES_H
#define EXECUTOR_BROKER_FILES_H

#include <stddef.h>
#include <stdint.h>

struct exec_broker_files {
	uint32_t nr;
	struct exec_broker_file {
		char *name; /* below the cache folder */
		uint64_t size;
		int fd;
	} *list;
};

/* Takes over fd, also when it fails. Return: 0, -EPROTO (the name), -ENOMEM. */
int exec_broker_files_add(struct exec_broker_files *f, const char *name, uint64_t size, int fd);
void exec_broker_files_finish(struct exec_broker_files *f);

/* Copies all into the cache folder; each appears whole. What is there already stays. Return: 0 or -errno. */
int exec_broker_files_write(const struct exec_broker_files *f);

/* Makes a folder below the cache folder, and those above it; its path in ret. Return: 0 or -errno. */
int exec_broker_make_folder(const char *name, char *ret, size_t cap);

#endif

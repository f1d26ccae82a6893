/* SPDX-License-Identifier: MIT */
/*
 * Which compiler this is: the libraries of the host's OpenCL, which are those that this process has loaded, and the
 * processor that they compile for.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "executor/entry.h"
#include "parent/identity.h"

static void put_file(struct sha256_ctx *ctx, const char *path)
{
	struct stat st;
	uint64_t facts[3];

	sha256_update(ctx, strlen(path) + 1, (const uint8_t *)path);
	if (stat(path, &st) < 0)
		return;
	facts[0] = (uint64_t)st.st_size;
	facts[1] = (uint64_t)st.st_mtim.tv_sec;
	facts[2] = (uint64_t)st.st_mtim.tv_nsec;
	sha256_update(ctx, sizeof(facts), (const uint8_t *)facts);
}

/* Notes hold the build id; they are in memory. */
static int put_library(struct dl_phdr_info *info, size_t size, void *data)
{
	struct sha256_ctx *ctx = data;

	if (!info->dlpi_name[0] || info->dlpi_name[0] != '/')
		return 0; /* ourselves and the kernel's */
	put_file(ctx, info->dlpi_name);
	for (unsigned int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_NOTE)
			sha256_update(ctx, info->dlpi_phdr[i].p_memsz,
				      (const uint8_t *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr));
	return 0;
}

/* Its name and abilities, without its clock and number. */
static void put_processor(struct sha256_ctx *ctx)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	_cleanup_free_ char *line = NULL;
	struct utsname name;
	size_t cap = 0;

	if (uname(&name) == 0)
		sha256_update(ctx, strlen(name.machine) + 1, (const uint8_t *)name.machine);
	while (f && getline(&line, &cap, f) > 1) /* an empty line ends the first one */
		if (strncmp(line, "model", 5) == 0 || strncmp(line, "flags", 5) == 0 ||
		    strncmp(line, "Features", 8) == 0 || strncmp(line, "CPU ", 4) == 0 ||
		    strncmp(line, "vendor_id", 9) == 0 || strncmp(line, "isa", 3) == 0)
			sha256_update(ctx, strlen(line), (const uint8_t *)line);
	if (f)
		fclose(f);
}

static void look(struct parent_key *ret)
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	dl_iterate_phdr(put_library, &ctx);
	put_processor(&ctx);
	sha256_digest(&ctx, sizeof(ret->bytes), ret->bytes);
}

/* In a process that may load what it likes. */
static void __attribute__((noreturn)) load_and_look(int pipe)
{
	struct trn_error err = { 0 };
	struct parent_key key;

	if (exec_preload(&err) < 0)
		_exit(EXIT_FAILURE);
	look(&key);
	_exit(write(pipe, key.bytes, sizeof(key.bytes)) == sizeof(key.bytes) ? EXIT_SUCCESS : EXIT_FAILURE);
}

bool parent_identify_host(bool is_loaded, struct parent_key *ret)
{
	_cleanup_close_ int in = -1, out = -1;
	int ends[2], status;
	pid_t pid;
	bool ok;

	if (is_loaded) {
		look(ret);
		return true;
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	in = ends[0];
	out = ends[1];
	pid = fork();
	if (pid == 0)
		load_and_look(out);
	if (pid < 0)
		return false;
	out = base_close(out);
	ok = read(in, ret->bytes, sizeof(ret->bytes)) == sizeof(ret->bytes);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	return ok;
}

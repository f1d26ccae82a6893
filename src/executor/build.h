/* SPDX-License-Identifier: MIT */
/* What a build request asks for, and the doing of it. Runs in a thread of its own. */
#ifndef EXECUTOR_BUILD_H
#define EXECUTOR_BUILD_H

#include "base/blob.h"
#include "executor/program.h"

#define EXEC_MAX_INPUTS 4096u

struct exec_travel;

struct exec_build_text {
	const char *data; /* not terminated */
	size_t len;
};

struct exec_build_request {
	uint32_t op; /* enum trnc_op */
	struct exec_build_text source, binary, il;
	const char *options; /* never NULL */
	const char *cwd;     /* or NULL */
	uint32_t nr_headers;
	struct exec_build_header {
		const char *name;
		struct exec_build_text source;
	} *headers; /* owned */
	uint32_t nr_inputs;
	uint64_t *inputs; /* owned */
	uint32_t nr_files; /* of a guest: headers that it may include, named by absolute paths of the guest's */
	struct exec_build_header *files; /* owned */
	const struct exec_travel *travel; /* of a guest: where these lie (travel.h); else NULL */
	bool is_compiled; /* what a build compiles is in the cache already, or this process is there for that alone */
};

/* Reads a request from a private copy, which must outlive it. @is_guest: it may bring files. Return: 0, -EINVAL, -ENOMEM. */
int exec_build_parse(const void *data, size_t len, bool is_guest, struct exec_build_request *ret);
void exec_build_request_finish(struct exec_build_request *q);

/* The program's options as the host gets them: with one that makes it tell kinds of arguments, and changes no code. Owned
 * by the caller. NULL: no memory. */
char *exec_build_options(const char *options);

/* May a compile broker do it? It knows sources alone. */
bool exec_build_is_from_source(const struct exec_build_request *q);

/* The host's part of a request whose reply has been given already. Return: cl error. */
int32_t exec_build_again(struct exec_program *p, const struct exec_build_request *q);
/* Forgets what the program was: its build failed, and nobody has asked the host. */
void exec_build_forget(struct exec_program *p);

/* Does what the request asks for: p->host is made or made anew. The program is busy; no lock held.
 * Writes the whole reply blob, and *ret_table if there are kernels now. */
void exec_build_run(struct exec_context *c, struct exec_program *p, const struct exec_build_request *q,
		    struct base_blob *reply, struct exec_kernel_table **ret_table);

#endif

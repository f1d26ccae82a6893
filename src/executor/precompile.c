/* SPDX-License-Identifier: MIT */
#include "executor/precompile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "executor/host.h"

/* Exit status of a helper that could not build for a reason which the executor's own build will tell.  Any other one is
 * not ours: LLVM ends its process with 1 when, for one, the disk is full. */
#define HELPER_FAILED 3

#define LOW_PRIORITY 19

/* ------------------------------------------------------------- executor */

/* The source as a file in the session's own folder; the name in path. */
static int write_source(char path[PATH_MAX], const struct exec_build_text *source)
{
	const char *folder = getenv("TMPDIR");
	size_t done = 0;
	_cleanup_close_ int fd = -1;

	if (!folder || snprintf(path, PATH_MAX, "%s/source-XXXXXX", folder) >= PATH_MAX)
		return -ENOENT;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (done < source->len) {
		ssize_t n = write(fd, source->data + done, source->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int r = -errno;

			unlink(path);
			return r;
		}
		done += (size_t)n;
	}
	return 0;
}

static pid_t start_helper(char *path, uint32_t host_device, const char *options, bool is_quick, char **env)
{
	posix_spawn_file_actions_t actions;
	char index[16];
	char *argv[] = { (char[]){ "tranche-executor" }, (char[]){ "--compile" }, path, index,
			 (char *)(uintptr_t)options,
			 is_quick ? (char[]){ "quick" } : (char[]){ "main" },
			 env != environ ? (char[]){ "low" } : NULL, NULL };
	pid_t pid;
	int r;

	snprintf(index, sizeof(index), "%u", host_device);
	posix_spawn_file_actions_init(&actions);
	/* Its messages come a second time from the executor's own build, which has the program's log. */
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	r = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		log_debug("no compile helper: %s", strerror(r));
	return r ? -1 : pid;
}

static int run_helper(uint32_t host_device, const struct exec_build_text *source, const char *options, bool is_quick,
		      char **env)
{
	char path[PATH_MAX];
	int status = 0;
	pid_t pid;

	if (!source->len || write_source(path, source) < 0)
		return 0;
	pid = start_helper(path, host_device, options, is_quick, env);
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
		}
	unlink(path);
	if (pid <= 0 || (WIFEXITED(status) && (WEXITSTATUS(status) == EXIT_SUCCESS || WEXITSTATUS(status) == HELPER_FAILED)))
		return 0;
	return status;
}

int exec_precompile(uint32_t host_device, const struct exec_build_text *source, const char *options)
{
	return run_helper(host_device, source, options, false, environ);
}

/* Our environment but for one variable. Free the array and its last entry. */
static char **environment_with(const char *name, const char *value)
{
	size_t nr = 0, len = strlen(name), kept = 0;
	char **env;

	while (environ[nr])
		nr++;
	env = calloc(nr + 2, sizeof(*env));
	if (!env)
		return NULL;
	for (size_t i = 0; i < nr; i++)
		if (strncmp(environ[i], name, len) != 0 || environ[i][len] != '=')
			env[kept++] = environ[i];
	if (asprintf(&env[kept], "%s=%s", name, value) >= 0)
		return env;
	free(env);
	return NULL;
}

int exec_precompile_apart(uint32_t host_device, bool is_quick, const struct exec_build_text *source,
			  const char *options, const char *cache)
{
	char **env = environment_with("POCL_CACHE_DIR", cache);
	size_t last = 0;
	int status;

	if (!env)
		return -1;
	status = run_helper(host_device, source, options, is_quick, env);
	while (env[last + 1])
		last++;
	free(env[last]);
	free(env);
	return status;
}

/* --------------------------------------------------------------- helper */

static int build(struct exec_host *h, const char *source, size_t len, const char *options)
{
	cl_int err;
	cl_context context = exec_host_create_context(h, &err);
	cl_program program;

	if (!context)
		return HELPER_FAILED;
	program = h->CreateProgramWithSource(context, 1, &source, &len, &err);
	if (!program || h->BuildProgram(program, 1, &h->device, options, NULL, NULL) != CL_SUCCESS)
		return HELPER_FAILED;
	return EXIT_SUCCESS;
}

int exec_precompile_main(int argc, char **argv)
{
	_cleanup_close_ int fd = argc == 6 || argc == 7 ? open(argv[2], O_RDONLY | O_CLOEXEC) : -1;
	struct exec_host host = { 0 };
	struct trn_error err = { 0 };
	struct stat st;
	void *source;

	/* By itself, since it is the only one that may. */
	if (argc == 7)
		setpriority(PRIO_PROCESS, 0, LOW_PRIORITY);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
		return HELPER_FAILED;
	source = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (source == MAP_FAILED || exec_host_load(&host, (uint32_t)strtoul(argv[3], NULL, 10), true, &err) < 0)
		return HELPER_FAILED;
	if (strcmp(argv[5], "quick") == 0) {
		if (!host.quick)
			return HELPER_FAILED;
		host.device = host.quick;
	}
	/* Without the libraries' farewells: what matters is in the cache, and the end is waited for. */
	_exit(build(&host, source, (size_t)st.st_size, argv[4]));
}

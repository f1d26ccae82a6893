/* SPDX-License-Identifier: MIT */
#include "executor/devices.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "executor/host.h"

#define TEXT 512
/* Drivers that look for their hardware may be slow, but not so slow. */
#define TIME_LIMIT_S 30u
#define ANSWER_MAX (1u << 20)

/* ----------------------------------------------------------------- JSON */

/* Bytes of the UTF-8 character at s, all of them there; 0: it is none. */
static size_t utf8_length(const unsigned char *s)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, surrogates, beyond the last character. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

/* A driver's text may hold anything. */
static void put_string(FILE *f, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	fputc('"', f);
	while (*s) {
		size_t len = utf8_length(s);

		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(f, "\\u%04x", *s);
		else if (len == 0)
			fputc('?', f);
		else
			fwrite(s, 1, len, f);
		s += len ? len : 1;
	}
	fputc('"', f);
}

static void put_device_string(FILE *f, const struct exec_host *h, const struct exec_host_device *d, const char *key,
			      cl_device_info what)
{
	char text[TEXT] = "";

	if (h->GetDeviceInfo(d->device, what, sizeof(text) - 1, text, NULL) != CL_SUCCESS)
		text[0] = '\0';
	fprintf(f, ", \"%s\": ", key);
	put_string(f, text);
}

static const char *kind_of(const struct exec_host *h, const struct exec_host_device *d)
{
	cl_device_type type = 0;

	if (h->GetDeviceInfo(d->device, CL_DEVICE_TYPE, sizeof(type), &type, NULL) != CL_SUCCESS)
		return "unknown";
	return type & CL_DEVICE_TYPE_GPU	 ? "gpu" :
	       type & CL_DEVICE_TYPE_CPU	 ? "cpu" :
	       type & CL_DEVICE_TYPE_ACCELERATOR ? "accelerator" :
						   "custom";
}

static void put_device(FILE *f, const struct exec_host *h, const struct exec_host_device *d, cl_uint index)
{
	char platform[TEXT] = "";
	cl_ulong memory = 0;
	cl_uint units = 0;

	if (h->GetPlatformInfo(d->platform, CL_PLATFORM_NAME, sizeof(platform) - 1, platform, NULL) != CL_SUCCESS)
		platform[0] = '\0';
	(void)h->GetDeviceInfo(d->device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(memory), &memory, NULL);
	(void)h->GetDeviceInfo(d->device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(units), &units, NULL);
	fprintf(f, "%s{\"index\": %u, \"kind\": \"%s\"", index ? ",\n " : "\n ", index, kind_of(h, d));
	put_device_string(f, h, d, "name", CL_DEVICE_NAME);
	put_device_string(f, h, d, "vendor", CL_DEVICE_VENDOR);
	put_device_string(f, h, d, "driver", CL_DRIVER_VERSION);
	put_device_string(f, h, d, "version", CL_DEVICE_VERSION);
	fprintf(f, ", \"platform\": ");
	put_string(f, platform);
	fprintf(f, ", \"memory\": %llu, \"units\": %u}", (unsigned long long)memory, units);
}

/* ---------------------------------------------------------------- child */

static int list(FILE *f)
{
	_cleanup_free_ struct exec_host_list *all = calloc(1, sizeof(*all));
	struct trn_error err = { 0 };
	struct exec_host h = { 0 };
	int r;

	if (!all)
		return -ENOMEM;
	/* As an executor with short launches counts; others count the same, but where the user chose PoCL's devices. */
	r = exec_host_list(&h, true, all, &err);
	if (r < 0)
		base_log_error(BASE_LOG_ERROR, &err);
	/* Who has no loader has no devices. */
	if (r < 0 && r != -ENOENT)
		return r;
	fprintf(f, "{\"devices\": [");
	for (cl_uint i = 0; i < all->nr; i++)
		put_device(f, &h, &all->list[i], i);
	fprintf(f, "]}\n");
	return fflush(f) ? -EIO : 0;
}

static void child(int out) __attribute__((noreturn));
static void child(int out)
{
	FILE *f = fdopen(out, "w");

	/* What drivers print is no JSON. */
	dup2(STDERR_FILENO, STDOUT_FILENO);
	setenv("TRANCHE_EXECUTOR", "1", 1); /* our own driver shows no device then */
	alarm(TIME_LIMIT_S);
	_exit(f && list(f) == 0 ? EXIT_SUCCESS : EXIT_FAILURE); /* drivers' destructors are not trusted either */
}

/* --------------------------------------------------------------- parent */

static size_t read_all(int fd, char *buf, size_t cap)
{
	size_t len = 0;
	ssize_t n;

	while (len < cap && ((n = read(fd, buf + len, cap - len)) > 0 || (n < 0 && errno == EINTR)))
		len += n > 0 ? (size_t)n : 0;
	return len;
}

/* What became of the child, as an exit status; a sentence if it did not end by itself. */
static int judge(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	if (WTERMSIG(status) == SIGALRM)
		log_error("the host's OpenCL did not list its devices within %u s: one of the drivers in "
			  "/etc/OpenCL/vendors hangs; remove it, or choose others with OCL_ICD_VENDORS", TIME_LIMIT_S);
	else
		log_error("the host's OpenCL crashed (%s) when it was asked for its devices: one of the drivers in "
			  "/etc/OpenCL/vendors is broken; remove it, or choose others with OCL_ICD_VENDORS",
			  strsignal(WTERMSIG(status)));
	return EXIT_FAILURE;
}

int exec_devices_main(void)
{
	_cleanup_free_ char *answer = malloc(ANSWER_MAX);
	int fds[2], status, r;
	size_t len;
	pid_t pid;

	if (!answer || pipe(fds) < 0) {
		log_error("no pipe or memory for the list of devices: %m");
		return EXIT_FAILURE;
	}
	pid = fork();
	if (pid == 0) {
		base_close(fds[0]);
		child(fds[1]);
	}
	base_close(fds[1]);
	len = pid < 0 ? 0 : read_all(fds[0], answer, ANSWER_MAX);
	base_close(fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		log_error("no process for the host's OpenCL: %m");
		return EXIT_FAILURE;
	}
	r = judge(status);
	if (r == 0 && (fwrite(answer, 1, len, stdout) != len || fflush(stdout)))
		r = EXIT_FAILURE;
	return r;
}

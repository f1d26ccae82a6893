/* SPDX-License-Identifier: MIT */
#include "device/arguments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define OPTION "--start-file"
#define MAX_BYTES 65536
#define MAX_LINES 256

/* The file that the first argument names, or NULL. *ret_used: how many arguments that takes. */
static const char *named_file(int argc, char **argv, int *ret_used)
{
	size_t len = strlen(OPTION);

	*ret_used = 2;
	if (argc < 2 || strncmp(argv[1], OPTION, len))
		return NULL;
	if (argv[1][len] == '=') {
		*ret_used = 1;
		return argv[1] + len + 1;
	}
	return argv[1][len] || argc < 3 ? NULL : argv[2];
}

/* A NUL follows the text. Return: its length or -errno. */
static ssize_t read_file(const char *path, char *to, struct trn_error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0) {
		trn_error_set(err, -errno, "NoStartFile", "cannot read the arguments in %.120s: %s", path, strerror(errno));
		return trn_error_hint(err, "give a file with one argument a line");
	}
	n = S_ISREG(st.st_mode) ? read(fd, to, MAX_BYTES + 1) : -1;
	if (n < 0) {
		trn_error_set(err, -EINVAL, "BadStartFile", "%.120s is no file that can be read", path);
		return trn_error_hint(err, "give a file with one argument a line");
	}
	if (n > MAX_BYTES || memchr(to, '\0', (size_t)n)) {
		trn_error_set(err, -EINVAL, "BadStartFile", "%.120s %s", path,
			      n > MAX_BYTES ? "is longer than 64 KiB" : "holds a zero byte");
		return trn_error_hint(err, "one argument a line, nothing else");
	}
	to[n] = '\0';
	return n;
}

/* Cuts the text into lines. Return: how many arguments there are, or -EINVAL. */
static int add_lines(char *text, char **argv, int argc, const char *path, struct trn_error *err)
{
	for (int nr = 0; *text; nr++) {
		size_t len = strcspn(text, "\n");
		bool is_last = !text[len];

		if (nr == MAX_LINES)
			return trn_error_set(err, -EINVAL, "BadStartFile", "%.120s has more than %d lines", path, MAX_LINES);
		text[len] = '\0';
		if (!strncmp(text, OPTION, strlen(OPTION)))
			return trn_error_set(err, -EINVAL, "BadStartFile", "line %d of %.120s: a file of arguments cannot name another",
					     nr + 1, path);
		argv[argc++] = text;
		text += is_last ? len : len + 1;
	}
	return argc;
}

int device_arguments_load(int argc, char **argv, struct device_arguments *ret, struct trn_error *err)
{
	_cleanup_free_ char **made = NULL;
	_cleanup_free_ char *text = NULL;
	const char *path;
	int used, r;

	*ret = (struct device_arguments){ .argc = argc, .argv = argv };
	path = named_file(argc, argv, &used);
	if (!path)
		return 0;
	text = malloc(MAX_BYTES + 2);
	made = calloc((size_t)argc + MAX_LINES + 1, sizeof(char *));
	if (!text || !made)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	r = (int)read_file(path, text, err);
	if (r < 0)
		return r;
	made[0] = argv[0];
	r = add_lines(text, made, 1, path, err);
	if (r < 0)
		return r;
	for (int i = 1 + used; i < argc; i++)
		made[r++] = argv[i];
	*ret = (struct device_arguments){ .argc = r, .argv = TAKE_PTR(made), .text = TAKE_PTR(text) };
	return 0;
}

void device_arguments_free(struct device_arguments *a)
{
	if (a->text)
		free(a->argv);
	free(a->text);
	*a = (struct device_arguments){ 0 };
}

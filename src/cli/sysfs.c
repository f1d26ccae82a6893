/* SPDX-License-Identifier: MIT */
#include "cli/sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/child.h"
#include "cli/sysfs_mounts.h"
#include "cli/verbs.h"

#define IN_BUILD_TREE "/src/cli/tranche"
/* Where the tree stands at first: then a part of it covers it. */
#define CLASS "/sys/class/mdev_bus"
#define MDEVCTL_FOLDER "/etc/mdevctl.d"
#define UNMOUNT_MS 3000

static const struct option options[] = {
	{"sysfs", no_argument, NULL, 'S'},
	{"etc", required_argument, NULL, 'e'},
	{"socket", required_argument, NULL, 's'},
	{"remove", required_argument, NULL, 'r'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

struct sysfs {
	const char *etc;
	char *socket, *remove;
	char etc_path[PATH_MAX];
	char treefs[PATH_MAX];
	char **program;
};

static void print_help(void)
{
	printf("tranche attach --sysfs [OPTION...] [--] PROGRAM [ARGUMENT...]\n\n"
	       "Runs a program that sees tranched's parents, types and devices in /sys, as mdev has them.\n\n"
	       "      --etc DIRECTORY        what it sees as " MDEVCTL_FOLDER "\n"
	       "      --socket PATH          of tranched's API\n"
	       "      --remove refuse|wait   a device in use: refuse with EBUSY (default), or ask its user and wait\n"
	       "  -h, --help                 show this text\n\n"
	       "The exit status is the program's. See tranche-attach(1).\n");
}

static int usage(const char *what)
{
	log_error("%s; see tranche attach --sysfs --help", what);
	return CLI_USAGE;
}

bool sysfs_is_asked(int argc, char **argv)
{
	for (int i = 1; i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "--sysfs"))
			return true;
	return false;
}

/* Return: -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct sysfs *s)
{
	char text[160];
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		switch (c) {
		case 'S':
			break;
		case 'e':
			s->etc = optarg;
			break;
		case 's':
			s->socket = optarg;
			break;
		case 'r':
			s->remove = optarg;
			break;
		case 'h':
			print_help();
			return 0;
		default:
			snprintf(text, sizeof(text), "%s %.60s", c == ':' ? "a value is missing for" : "unknown option",
				argv[optind - 1]);
			return usage(text);
		}
	}
	s->program = argv + optind;
	return *s->program ? -1 : usage("the program is missing");
}

/* Beside this very program, or in its build folder. */
static int find_treefs(struct sysfs *s, struct trn_error *err)
{
	char own[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
	size_t tail = strlen(IN_BUILD_TREE);
	char *slash;
	int n = -1;

	if (len > 0) {
		own[len] = '\0';
		slash = strrchr(own, '/');
		if ((size_t)len > tail && !strcmp(own + (size_t)len - tail, IN_BUILD_TREE))
			n = snprintf(
				s->treefs, PATH_MAX, "%.*s/src/treefs/tranche-treefs", (int)((size_t)len - tail), own);
		else if (slash)
			n = snprintf(s->treefs, PATH_MAX, "%.*s/tranche-treefs", (int)(slash - own), own);
	}
	if (n > 0 && n < PATH_MAX && access(s->treefs, X_OK) == 0)
		return 0;
	trn_error_set(err, -ENOENT, "PieceMissing", "tranche-treefs is missing beside tranche");
	return trn_error_hint(
		err, "install it, or build it: it needs libfuse3-dev, libcurl4-gnutls-dev, libjansson-dev");
}

static int check_etc(struct sysfs *s, struct trn_error *err)
{
	if (!s->etc)
		return 0;
	if (!realpath(s->etc, s->etc_path))
		return trn_error_set(err, -errno, "NoFolder", "cannot use %.100s: %s", s->etc, strerror(errno));
	if (access(MDEVCTL_FOLDER, F_OK) == 0)
		return 0;
	trn_error_set(err, -errno, "NoFolder", "there is no " MDEVCTL_FOLDER " that --etc could stand for");
	return trn_error_hint(err, "install mdevctl, or make the folder");
}

/* Return: the process, mounted and ready; or -errno. */
static pid_t start_treefs(struct sysfs *s, struct trn_error *err)
{
	char ready_fd[] = "--ready-fd=3", dies[] = "--die-with-parent", place[] = CLASS;
	char socket[] = "--socket", remove[] = "--remove";
	char *argv[9] = {s->treefs, ready_fd, dies};
	_cleanup_close_ int reader = -1;
	int pipes[2], n = 3;
	char ready;
	pid_t pid;

	if (s->socket) {
		argv[n++] = socket;
		argv[n++] = s->socket;
	}
	if (s->remove) {
		argv[n++] = remove;
		argv[n++] = s->remove;
	}
	argv[n] = place;
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return trn_error_set(err, -errno, "NoDescriptor", "no descriptor left: %s", strerror(errno));
	reader = pipes[0];
	/* As a device's process: in a session of its own, so that the terminal's signals reach the program alone. */
	pid = child_start_device(argv, pipes[1], pipes[1], err);
	close(pipes[1]);
	if (pid < 0 || TEMP_FAILURE_RETRY(read(reader, &ready, 1)) == 1)
		return pid;
	child_reap_device(pid, 0);
	return trn_error_set(err, -EIO, "NoTree", "%s has ended before the tree was there", s->treefs);
}

/* --- what stands where --- */

static int bind_parent(int root, const char *name, struct trn_error *err)
{
	char from[64 + NAME_MAX], to[64 + NAME_MAX];
	int r = sysfs_mounts_make("/sys/devices", name, err);

	if (r < 0)
		return r;
	snprintf(from, sizeof(from), "/proc/self/fd/%d/devices/%s", root, name);
	snprintf(to, sizeof(to), "/sys/devices/%s", name);
	if (r == 0)
		return sysfs_mounts_bind(from, to, err);
	log_warning("this host has a /sys/devices/%s of its own: the parent of that name is not shown there", name);
	return 0;
}

static int bind_parents(int root, struct trn_error *err)
{
	int fd = openat(root, "devices", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		base_close(fd);
		return trn_error_set(err, -EIO, "NoTree", "the tree cannot be read: %s", strerror(errno));
	}
	errno = 0;
	while (r == 0 && (e = readdir(d))) {
		if (e->d_name[0] != '.')
			r = bind_parent(root, e->d_name, err);
		errno = 0;
	}
	if (r == 0 && errno) {
		trn_error_set(err, -errno, "NoTree", "the tree cannot be read: %s", strerror(errno));
		r = trn_error_hint(err, "start tranched, or name its socket with --socket");
	}
	closedir(d);
	return r;
}

/* The tree stands at CLASS. */
static int spread(const struct sysfs *s, struct trn_error *err)
{
	_cleanup_close_ int root = open(CLASS, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char from[64];
	int r;

	if (root < 0)
		return trn_error_set(
			err, -errno, "NoTree", "the tree at " CLASS " cannot be opened: %s", strerror(errno));
	r = bind_parents(root, err);
	snprintf(from, sizeof(from), "/proc/self/fd/%d/bus/mdev", root);
	if (r == 0)
		r = sysfs_mounts_bind(from, "/sys/bus/mdev", err);
	snprintf(from, sizeof(from), "/proc/self/fd/%d/class/mdev_bus", root);
	if (r == 0)
		r = sysfs_mounts_bind(from, CLASS, err);
	if (r == 0 && s->etc)
		r = sysfs_mounts_bind(s->etc_path, MDEVCTL_FOLDER, err);
	return r;
}

static int make_places(struct trn_error *err)
{
	int r = sysfs_mounts_enter(err);

	if (r == 0)
		r = sysfs_mounts_make("/sys/class", "mdev_bus", err);
	if (r >= 0)
		r = sysfs_mounts_make("/sys/bus", "mdev", err);
	return r < 0 ? r : 0;
}

static void end_treefs(pid_t treefs)
{
	kill(treefs, SIGTERM);
	child_reap_device(treefs, UNMOUNT_MS);
}

/* Return: only when the program cannot be started. */
static int run_program(const struct sysfs *s, pid_t treefs)
{
	sigset_t mask;
	pid_t program;
	int status;

	child_block_signals(&mask);
	program = child_start_program(s->program, &mask);
	if (program < 0) {
		end_treefs(treefs);
		log_error("cannot run %.200s: %s", s->program[0], strerror(-program));
		return program == -ENOENT ? CLI_NOT_FOUND : CLI_NOT_EXECUTABLE;
	}
	status = child_wait(program);
	end_treefs(treefs);
	child_exit_like(status);
}

int sysfs_attach(int argc, char **argv)
{
	struct trn_error err = {0};
	struct sysfs s = {0};
	int r = parse(argc, argv, &s);
	pid_t treefs = 0;

	if (r >= 0)
		return r;
	r = find_treefs(&s, &err);
	if (r == 0)
		r = check_etc(&s, &err);
	if (r == 0)
		r = make_places(&err);
	if (r == 0)
		treefs = start_treefs(&s, &err);
	if (r == 0 && treefs > 0)
		r = spread(&s, &err);
	if (r == 0 && treefs > 0)
		return run_program(&s, treefs);
	base_log_error(BASE_LOG_ERROR, &err);
	if (treefs > 0)
		end_treefs(treefs);
	return CLI_REFUSED;
}

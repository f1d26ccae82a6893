/* SPDX-License-Identifier: MIT */
/* The program: a core with one fake device, a server, and commands that come by standard input (README.md). */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/socket.h"
#include "fake.h"
#include "options.h"
#include "tranche/mdev.h"
#include "tranche/server.h"

static const char usage[] = "usage: fake-host --socket PATH [--aperture MIB] [--quota MIB] [--window MIB] [--features BITS]\n";

static bool parse(int argc, char **argv, struct fake_options *o)
{
	static const struct option options[] = {
		{ "socket", 1, NULL, 's' }, { "aperture", 1, NULL, 'a' }, { "quota", 1, NULL, 'q' },
		{ "window", 1, NULL, 'w' }, { "features", 1, NULL, 'f' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 's')
			o->socket_path = optarg;
		else if (c == 'a')
			o->aperture = strtoull(optarg, NULL, 0) * FAKE_MIB;
		else if (c == 'q')
			o->quota = strtoull(optarg, NULL, 0) * FAKE_MIB;
		else if (c == 'w')
			o->window = strtoull(optarg, NULL, 0) * FAKE_MIB;
		else if (c == 'f')
			o->features = strtoull(optarg, NULL, 0);
		else
			return false;
	}
	return o->socket_path && optind == argc;
}

static void print_stats(const struct fake *f)
{
	printf("traps=%" PRIu64 " fires=%" PRIu64 " commands=%" PRIu64 " doorbells=%" PRIu64 " status=%u\n", f->nr_traps,
	       f->nr_fires, f->nr_commands, f->nr_doorbells, f->status);
}

/* One line. Return: false: it is the last. */
static bool obey(struct fake *f, char *line)
{
	unsigned int n;
	int r;

	if (!strcmp(line, "quit"))
		return false;
	if (!strcmp(line, "stats")) {
		print_stats(f);
		return true;
	}
	if (!strcmp(line, "hold") || !strcmp(line, "go")) {
		atomic_store(&f->hold, line[0] == 'h');
	} else if (sscanf(line, "lose %u", &n) == 1 && n >= 1 && n <= FAKE_SESSIONS) {
		atomic_fetch_or(&f->to_lose, 1ull << (n - 1));
		fake_control_kick(f);
	} else if (!strcmp(line, "leave") || !strcmp(line, "changed")) {
		atomic_fetch_or(&f->status, line[0] == 'l' ? TRNC_STATUS_LEAVE : TRNC_STATUS_CHANGED);
		fake_fire(f, 0);
	} else if (!strcmp(line, "reset")) {
		fake_reset(f);
	} else if (sscanf(line, "sleep %u", &n) == 1) {
		usleep(n * 1000);
	} else {
		r = fault_obey(f, line);
		if (r <= 0) {
			printf("error: %s \"%s\"\n", r < 0 ? "wrong words of the command" : "no command", line);
			return true;
		}
	}
	puts("ok");
	return true;
}

/* Until "quit"; the end of the input ends nothing, so that it may be /dev/null. */
static void obey_all(struct fake *f)
{
	char line[1024];

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] && line[0] != '#' && !obey(f, line))
			return;
		fflush(stdout);
	}
	pause();
}

static int serve(struct trn_device *dev, const struct fake_options *o, struct trn_error *err)
{
	const struct trn_server_params params = { .dev = dev };
	struct trn_server *server;
	int r = trn_server_create(&params, &server, err);
	int fd;

	if (r < 0)
		return r;
	fd = r = base_socket_listen_stream(o->socket_path, err);
	if (r >= 0)
		r = trn_server_listen(server, fd, err);
	if (r >= 0) {
		obey_all(trn_pci_priv(trn_pci_of(dev)));
		unlink(o->socket_path);
	}
	trn_server_destroy(server);
	return r;
}

static int run(struct fake_options *o, struct trn_error *err)
{
	static const struct trn_type_desc type = { .name = "host", .pretty_name = "a fake host", .cost.amount[TRN_RESOURCE_UNITS] = 1 };
	const struct trn_parent_desc desc = {
		.name = "fake", .ops = &fake_ops, .types = &type, .nr_types = 1, .capacity.amount[TRN_RESOURCE_UNITS] = 1, .priv = o,
	};
	const struct trn_create_params params = { .uuid = "f4c60057-0000-4000-8000-000000000001" };
	struct trn_core *core = trn_core_create();
	struct trn_parent *parent = NULL;
	struct trn_device *dev = NULL;
	int r = core ? trn_parent_register(core, &desc, &parent, err) : -ENOMEM;

	if (r >= 0)
		r = trn_device_create(trn_type_find(parent, "fake-host"), &params, &dev, err);
	if (r >= 0)
		r = serve(dev, o, err);
	trn_device_unref(dev);
	if (parent)
		trn_parent_unregister(parent, NULL, NULL);
	trn_parent_unref(parent);
	trn_core_destroy(core);
	return r;
}

int main(int argc, char **argv)
{
	struct fake_options o = {
		.aperture = 1024 * FAKE_MIB, .quota = 64 * FAKE_MIB, .window = 128 * FAKE_MIB, .features = TRNC_FEATURE_SHARING
	};
	struct trn_error err = { 0 };

	if (!parse(argc, argv, &o)) {
		fputs(usage, stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (run(&o, &err) < 0) {
		fprintf(stderr, "fake-host: %s\n", err.text);
		return 1;
	}
	return 0;
}

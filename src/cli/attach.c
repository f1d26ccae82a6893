/* SPDX-License-Identifier: MIT */
/* tranche attach: what a virtual machine needs to be told to get a device. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/size.h"
#include "cli/forward.h"
#include "cli/place.h"
#include "cli/sysfs.h"
#include "base/quote.h"
#include "cli/verbs.h"
#include "cli/vfio_user.h"

#define MIB (1ull << 20)

enum { OPT_NO_DAEMON = 256, OPT_JSON, OPT_SOCKET, OPT_COMPUTE };

struct attach {
	void (*print)(const struct attach *a);
	uint64_t memory; /* bytes, whole MiB; 0: not given */
	bool no_check;
	bool is_compute; /* a compute device, which uses none of the machine's memory */
	bool no_daemon;
	bool by_ctl; /* only tranche-ctl knows what is asked for */
	char path[PATH_MAX];
	char *device; /* argument of -device */
};

static void print_help(void)
{
	printf("tranche attach --print qemu|libvirt [OPTION...] UUID|SOCKET\n"
	       "tranche attach --print podman|env [OPTION...] UUID\n\n"
	       "Prints what gives a device to a virtual machine, or one of tranched's compute devices to a program.\n\n"
	       "  -p, --print qemu       arguments of QEMU (10.1 or later), quoted for a shell\n"
	       "  -p, --print libvirt    the same as parts of libvirt's domain XML\n"
	       "  -p, --print podman     arguments of \"podman run\", for a compute device of tranched's\n"
	       "  -p, --print env        variables for a shell, for a compute device of tranched's\n"
	       "  -m, --memory SIZE      and the memory of the machine, which must be shared with the device (but a compute device)\n"
	       "  -n, --no-check         do not try whether the device answers\n"
	       "      --compute          it is a compute device (with --no-check; otherwise that is found out)\n"
	       "      --no-daemon        do not ask tranched where the device is\n"
	       "      --json             print the device as tranched's API tells it\n"
	       "      --socket PATH      where tranched listens (default: see tranche(1))\n"
	       "  -h, --help             show this text\n\n"
	       "See tranche-attach(1).\n");
}

static int usage(const char *what)
{
	log_error("%s; see tranche attach --help", what);
	return CLI_USAGE;
}

static void print_qemu(const struct attach *a)
{
	if (a->is_compute && a->memory)
		printf("-m %lluM ", (unsigned long long)(a->memory / MIB));
	else if (a->memory)
		printf("-machine q35,memory-backend=mem -m %lluM -object memory-backend-memfd,id=mem,size=%lluM,share=on ",
		       (unsigned long long)(a->memory / MIB), (unsigned long long)(a->memory / MIB));
	else if (!a->is_compute)
		fprintf(stderr,
			"# The machine's memory must be shared with the device (--memory SIZE prints this, too):\n"
			"# -machine q35,memory-backend=mem -m SIZE -object memory-backend-memfd,id=mem,size=SIZE,share=on\n");
	printf("-device ");
	base_quote_shell(stdout, a->device);
	printf("\n");
}

static void print_libvirt(const struct attach *a)
{
	fprintf(stderr,
		"# Parts of a domain, for \"virsh edit\"; the name space in the first line is needed, too.  The user that QEMU runs as\n"
		"# must be able to open the socket, also as AppArmor or SELinux see it.\n");
	printf("<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n");
	if (a->memory)
		printf("  <memory unit='MiB'>%llu</memory>\n", (unsigned long long)(a->memory / MIB));
	if (!a->is_compute)
		printf("  <memoryBacking>\n"
		       "    <source type='memfd'/>\n"
		       "    <access mode='shared'/>\n"
		       "  </memoryBacking>\n");
	printf("  <qemu:commandline>\n"
	       "    <qemu:arg value='-device'/>\n"
	       "    <qemu:arg value='");
	base_quote_xml(stdout, a->device);
	printf("'/>\n"
	       "  </qemu:commandline>\n"
	       "</domain>\n");
}

/* Other devices have drivers in every kernel. */
static void tell_guest(void)
{
	fprintf(stderr,
		"# The guest needs Linux 6.12 or later with CONFIG_DRM_ACCEL, the driver tranche_accel, and Tranche's OpenCL\n"
		"# driver; \"tranche doctor\" in the guest tells what is missing.  See tranche-attach(1).\n");
}

static int parse_print(const char *text, struct attach *a)
{
	if (!strcmp(text, "qemu"))
		a->print = print_qemu;
	else if (!strcmp(text, "libvirt"))
		a->print = print_libvirt;
	else if (!strcmp(text, "podman") || !strcmp(text, "env"))
		a->by_ctl = true;
	else {
		char what[100];

		snprintf(what, sizeof(what), "--print wants qemu, libvirt, podman or env, not \"%.40s\"", text);
		return usage(what);
	}
	return -1;
}

static int parse_memory(const char *text, struct attach *a)
{
	struct trn_error err = { 0 };

	if (base_size_parse(text, &a->memory, &err) < 0) {
		base_log_error(BASE_LOG_ERROR, &err);
		return CLI_USAGE;
	}
	return a->memory % MIB ? usage("--memory wants whole MiB") : -1;
}

/* Return: -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct attach *a, const char **ret_target)
{
	static const struct option options[] = {
		{ "print", required_argument, NULL, 'p' },
		{ "memory", required_argument, NULL, 'm' },
		{ "no-check", no_argument, NULL, 'n' },
		{ "compute", no_argument, NULL, OPT_COMPUTE },
		{ "no-daemon", no_argument, NULL, OPT_NO_DAEMON },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "socket", required_argument, NULL, OPT_SOCKET },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	char text[160];
	int c, status = -1;

	opterr = 0;
	while (status < 0 && (c = getopt_long(argc, argv, ":p:m:nh", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			status = parse_print(optarg, a);
			break;
		case 'm':
			status = parse_memory(optarg, a);
			break;
		case 'n':
			a->no_check = true;
			break;
		case OPT_COMPUTE:
			a->is_compute = true;
			break;
		case OPT_NO_DAEMON:
			a->no_daemon = true;
			break;
		case OPT_JSON:
		case OPT_SOCKET:
			a->by_ctl = true;
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
	if (status >= 0)
		return status;
	if (!a->print && !a->by_ctl)
		return usage("--print is missing");
	if (optind != argc - 1)
		return usage(optind == argc ? "the UUID or the socket of a device is missing" : "one device at a time");
	*ret_target = argv[optind];
	return -1;
}

/* The form that QEMU takes for options with a structure inside. */
static char *device_argument(const char *path)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f, "{\"driver\":\"vfio-user-pci\",\"socket\":{\"type\":\"unix\",\"path\":");
	base_quote_json(f, path);
	fprintf(f, "}}");
	return fclose(f) == 0 ? text : NULL;
}

int verb_attach(int argc, char **argv)
{
	struct trn_error err = { 0 };
	struct attach a = { 0 };
	const char *target;
	int r;

	if (sysfs_is_asked(argc, argv))
		return sysfs_attach(argc, argv);
	r = parse(argc, argv, &a, &target);
	if (r >= 0)
		return r;
	if (a.by_ctl || (!a.no_daemon && !strchr(target, '/') && forward_has_daemon()))
		return forward_to_ctl(argv);
	r = place_of(target, a.path, &err);
	if (r == 0 && !a.no_check)
		r = vfio_user_check(a.path, &a.is_compute, &err);
	if (r < 0) {
		base_log_error(BASE_LOG_ERROR, &err);
		return CLI_REFUSED;
	}
	a.device = device_argument(a.path);
	if (!a.device)
		return CLI_REFUSED;
	a.print(&a);
	if (a.is_compute)
		tell_guest();
	free(a.device);
	return fflush(stdout) == 0 ? 0 : CLI_REFUSED;
}

/* SPDX-License-Identifier: MIT */
/* tranche VERB ...: finds the verb and leaves the rest to it. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/forward.h"
#include "cli/verbs.h"
#include "cli/config.h"

struct verb {
	const char *name;
	const char *arguments;
	const char *summary;
	int (*run)(int argc, char **argv);
};

static int verb_of_ctl(int argc, char **argv)
{
	return forward_to_ctl(argv);
}

static const struct verb verbs[] = {
	{ "run", "[OPTION...] [--] PROGRAM [ARGUMENT...]", "run a program on a virtual compute device", verb_run },
	{ "attach", "--print qemu|libvirt|podman|env UUID|SOCKET", "print what gives a device to a machine or program", verb_attach },
	{ "screen", "[--output FILE] SOCKET", "get a picture of what a display shows", verb_screen },
	{ "parents", "[--add NAME|--remove NAME]", "show what can be sliced, and what is left of it", verb_of_ctl },
	{ "types", "[-p PARENT]", "show what devices there can be, and how many more", verb_of_ctl },
	{ "define", "-p PARENT -t TYPE [OPTION...]", "define a device, which stays over a reboot", verb_of_ctl },
	{ "undefine", "UUID", "forget a definition; a running device goes on", verb_of_ctl },
	{ "modify", "UUID [OPTION...]", "change a definition, or a running device", verb_of_ctl },
	{ "start", "UUID | [-p PARENT] -t TYPE [OPTION...]", "start a device that is defined, or one for now", verb_of_ctl },
	{ "stop", "UUID [--wait[=SECONDS]|--force]", "stop a running device", verb_of_ctl },
	{ "list", "[-d] [-v] [--tree]", "show devices that run, or that are defined", verb_of_ctl },
	{ "show", "[UUID|PARENT]", "show all about a device, a parent, or tranched", verb_of_ctl },
	{ "schedule", "[PARENT [best-effort|equal|fixed]]", "show or set how a parent's time is shared", verb_of_ctl },
	{ "top", "[-b] [-n COUNT]", "watch devices and their use", verb_of_ctl },
	{ "events", "[--since SEQ]", "follow all changes, a line each", verb_of_ctl },
	{ "doctor", "", "find what is missing on this host, and how to mend it", verb_of_ctl },
	{ "reload", "", "let tranched read its configuration anew", verb_of_ctl },
	{ "help", "", "show this text", verb_help },
	{ "version", "", "show the version", verb_version },
};

#define NR_VERBS (sizeof(verbs) / sizeof(verbs[0]))

int verb_help(int argc, char **argv)
{
	printf("tranche VERB [ARGUMENT...]\n\n"
	       "Slices one compute device into virtual ones and gives them to programs, and virtual PCI devices to virtual machines.\n\n");
	for (size_t i = 0; i < NR_VERBS; i++)
		printf("  %-8s %-44s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
	printf("\n\"tranche VERB --help\" tells more, and so do the manual pages tranche(1) and tranche-VERB(1).\n");
	return 0;
}

int verb_version(int argc, char **argv)
{
	printf("tranche %s\n", TRANCHE_VERSION);
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	base_log_init("tranche");
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		name = "version";
	if (!strcmp(name, "__complete"))
		return forward_to_ctl(argv + 1);
	for (size_t i = 0; i < NR_VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return verbs[i].run(argc - 1, argv + 1);

	if (argc > 1)
		log_error("there is no verb \"%s\"; see tranche --help", name);
	else
		log_error("a verb is missing, such as \"run\"; see tranche --help");
	return CLI_USAGE;
}

/* SPDX-License-Identifier: MIT */
/* tranche VERB ...: finds the verb and leaves the rest to it. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/verbs.h"
#include "cli/config.h"

struct verb {
	const char *name;
	const char *arguments;
	const char *summary;
	int (*run)(int argc, char **argv);
};

static const struct verb verbs[] = {
	{ "run", "[OPTION...] [--] PROGRAM [ARGUMENT...]", "run a program on a virtual compute device", verb_run },
	{ "attach", "--print qemu|libvirt [OPTION...] UUID|SOCKET", "print what gives a device to a virtual machine", verb_attach },
	{ "screen", "[--output FILE] SOCKET", "get a picture of what a display shows", verb_screen },
	{ "help", "", "show this text", verb_help },
	{ "version", "", "show the version", verb_version },
};

#define NR_VERBS (sizeof(verbs) / sizeof(verbs[0]))

int verb_help(int argc, char **argv)
{
	printf("tranche VERB [ARGUMENT...]\n\n"
	       "Slices one compute device into virtual ones and gives them to programs, and virtual PCI devices to virtual machines.\n\n");
	for (size_t i = 0; i < NR_VERBS; i++)
		printf("  %-8s %-48s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
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
	for (size_t i = 0; i < NR_VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return verbs[i].run(argc - 1, argv + 1);

	if (argc > 1)
		log_error("there is no verb \"%s\"; see tranche --help", name);
	else
		log_error("a verb is missing, such as \"run\"; see tranche --help");
	return CLI_USAGE;
}

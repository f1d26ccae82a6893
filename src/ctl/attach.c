/* SPDX-License-Identifier: MIT */
/* tranche attach, for devices of tranched's. What virtual machines need is told by "tranche attach" itself, given the socket. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/quote.h"
#include "cli/pieces.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

static const struct ctl_option options[] = {
	{ 'p', "print", "qemu|libvirt|podman|env", "for whom" },
	{ 'm', "memory", "SIZE", "the virtual machine's memory, which must be shared with the device, but a compute device" },
	{ 'n', "no-check", NULL, "do not try whether the device answers" },
	{ CTL_COMPUTE, "compute", NULL, "it is a compute device (for one that was started by hand, with --no-check)" },
	{ 0 },
};

/* "tranche attach" without us; target: a UUID or a socket. */
static int attach_alone(struct ctl *c, const char *target, bool is_compute)
{
	char tranche[PATH_MAX];
	const char *argv[11] = { tranche, "attach", "--no-daemon", "--print", ctl_value(c, 'p') };
	int n = 5, r = pieces_find_tranche(tranche, &c->err);

	if (r < 0)
		return r;
	if (ctl_has(c, 'm')) {
		argv[n++] = "--memory";
		argv[n++] = ctl_value(c, 'm');
	}
	if (ctl_has(c, 'n'))
		argv[n++] = "--no-check";
	if (is_compute || ctl_has(c, CTL_COMPUTE))
		argv[n++] = "--compute";
	argv[n++] = target;
	argv[n] = NULL;
	fflush(stdout);
	execv(tranche, (char *const *)(uintptr_t)argv);
	return trn_error_set(&c->err, -errno, "NoProgram", "cannot run %s: %s", tranche, strerror(errno));
}

static void print_variable(const char *before, const char *name, const char *value)
{
	printf("%s%s=", before, name);
	base_quote_shell(stdout, value);
}

/* The driver by its path alone: both loaders take it, and no other driver is seen. */
static int print_env(const char *socket, const char *driver)
{
	print_variable("export ", "TRANCHE_DEVICE", socket);
	print_variable("\nexport ", "OCL_ICD_VENDORS", driver);
	print_variable("\nexport ", "OCL_ICD_FILENAMES", driver);
	putchar('\n');
	return 0;
}

static void print_volume(const char *path, const char *mode)
{
	char text[2 * PATH_MAX + 8];

	snprintf(text, sizeof(text), "%s:%s%s", path, path, mode);
	printf("--volume ");
	base_quote_shell(stdout, text);
	putchar(' ');
}

static int print_podman(const char *socket, const char *driver)
{
	print_volume(socket, "");
	print_volume(driver, ":ro");
	print_variable("--env ", "TRANCHE_DEVICE", socket);
	print_variable(" --env ", "OCL_ICD_VENDORS", driver);
	print_variable(" --env ", "OCL_ICD_FILENAMES", driver);
	putchar('\n');
	return 0;
}

static int print_compute(struct ctl *c, json_t *device)
{
	const char *form = ctl_value(c, 'p');
	struct pieces pieces;
	int r;

	if (strcmp(form, "env") && strcmp(form, "podman")) {
		trn_error_set(&c->err, -EOPNOTSUPP, "ComputeDevice",
			      "device %s is a compute device for programs, not for virtual machines", ctl_text_of(device, "uuid"));
		return trn_error_hint(&c->err, "use --print env or --print podman; for a virtual machine start one of type compute-pci");
	}
	r = pieces_find(&pieces, &c->err);
	if (r < 0)
		return r;
	if (!strcmp(form, "env"))
		print_env(ctl_text_of(device, "socket"), pieces.driver);
	else
		print_podman(ctl_text_of(device, "socket"), pieces.driver);
	return ctl_flush(c);
}

static int attach(struct ctl *c, json_t *device)
{
	const char *form = ctl_value(c, 'p');
	bool is_compute = !strcmp(ctl_text_of(device, "type"), "compute-pci");

	if (ctl_has(c, CTL_JSON))
		return ctl_print_json(c, device);
	if (!strcmp(ctl_text_of(device, "device_api"), "compute"))
		return print_compute(c, device);
	if (!strcmp(form, "qemu") || !strcmp(form, "libvirt"))
		return attach_alone(c, ctl_text_of(device, "socket"), is_compute);
	trn_error_set(&c->err, -EOPNOTSUPP, is_compute ? "ForMachines" : "PciDevice",
		      "device %s is a %s device, for virtual machines, not for programs", ctl_text_of(device, "uuid"),
		      is_compute ? "compute" : "PCI");
	return trn_error_hint(&c->err, "use --print qemu or --print libvirt");
}

static int check_form(struct ctl *c)
{
	const char *form = ctl_value(c, 'p');

	if (!form)
		return ctl_has(c, CTL_JSON) ? 0 : ctl_usage(c, "--print is missing");
	if (strcmp(form, "qemu") && strcmp(form, "libvirt") && strcmp(form, "podman") && strcmp(form, "env"))
		return ctl_usage(c, "--print wants qemu, libvirt, podman or env, not \"%.40s\"", form);
	return 0;
}

static int run_attach(struct ctl *c)
{
	const char *form = ctl_value(c, 'p');
	char uuid[CTL_UUID_TEXT];
	json_t *device;
	int r = check_form(c);

	if (r == 0)
		r = ctl_given_uuid(c, CTL_DEVICES, uuid);
	if (r)
		return r;
	r = ctl_get(c, api_path("/v1/devices/", uuid, NULL), &device);
	/* A device that somebody started by hand. */
	if ((r == -ENOENT || r == -ECONNREFUSED || r == -EACCES) && form && (!strcmp(form, "qemu") || !strcmp(form, "libvirt")))
		return attach_alone(c, uuid, false);
	if (r < 0)
		return r == -ENOENT && !api_is_no_daemon(&c->err) ? trn_error_hint(&c->err, "is it started? See \"tranche list\"") : r;
	r = attach(c, device);
	json_decref(device);
	return r;
}

const struct ctl_verb ctl_verb_attach = {
	.name = "attach",
	.words = "UUID",
	.summary = "print what gives a device to a virtual machine, a container or a program",
	.options = options,
	.most_words = 1,
	.completes = "devices",
	.run = run_attach,
};

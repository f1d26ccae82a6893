/* SPDX-License-Identifier: MIT */
/* The serial card: where its lines go. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/parents.h"
#include "device/process.h"
#include "parents/mtty/mtty.h"

static int parse_line(const char *key, const char *text, struct mtty_line_config *ret, struct trn_error *err)
{
	if (!strcmp(text, "loop")) {
		ret->kind = MTTY_LINE_LOOP;
	} else if (!strcmp(text, "pty")) {
		ret->kind = MTTY_LINE_PTY;
	} else if (!strncmp(text, "pty:", 4) && text[4]) {
		ret->kind = MTTY_LINE_PTY;
		ret->path = text + 4;
	} else if (!strncmp(text, "unix:", 5) && text[5]) {
		ret->kind = MTTY_LINE_SOCKET;
		ret->path = text + 5;
	} else {
		trn_error_set(err, -EINVAL, "BadOption", "-o %s=%.60s is no line", key, text);
		return trn_error_hint(err, "use loop, pty, pty:LINK or unix:PATH");
	}
	return 0;
}

int device_mtty_configure(struct device_process *p, struct trn_error *err)
{
	struct mtty_config *config = calloc(1, sizeof(*config));

	if (!config)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	p->config = config;
	config->event = p->event;
	for (unsigned int i = 0; i < MTTY_MAX_PORTS; i++) {
		char key[] = { 'l', 'i', 'n', 'e', (char)('0' + i), '\0' };
		const char *value = device_key_value(p, key);
		int r = value ? parse_line(key, value, &config->lines[i], err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int register_mtty(struct device_process *p, struct trn_error *err)
{
	int r = device_mtty_configure(p, err);

	return r < 0 ? r : mtty_parent_register(p->core, p->driver->name, p->config, &p->parent, err);
}

void device_mtty_announce(const struct device_process *p)
{
	const struct mtty_config *config = p->config;
	const char *name;

	for (unsigned int i = 0; i < MTTY_MAX_PORTS && (name = mtty_line_name(p->dev, i)); i++)
		if (config->lines[i].kind == MTTY_LINE_PTY)
			fprintf(stderr, "tranche-device: port %u is at %s\n", i, name);
}

const struct device_key device_mtty_keys[] = {
	{ "line0", "loop|pty[:LINK]|unix:PATH", "what is at the other end of the first port (default: loop)" },
	{ "line1", "loop|pty[:LINK]|unix:PATH", "likewise, of the second" },
	{ 0 },
};

const struct device_driver device_driver_mtty = {
	.name = "mtty",
	.service = &device_service_pci,
	.keys = device_mtty_keys,
	.register_parent = register_mtty,
	.announce = device_mtty_announce,
};

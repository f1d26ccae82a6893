/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ctl/ctl.h"

#define MAX_OPTIONS 40

static const struct ctl_option common[] = {
	{ CTL_JSON, "json", NULL, "print the objects of tranched's API" },
	{ CTL_NO_HEADINGS, "no-headings", NULL, "print no headings" },
	{ CTL_SOCKET, "socket", "PATH", "where tranched listens (default: see tranche(1))" },
	{ 'h', "help", NULL, "show this text" },
	{ 0 },
};

const struct ctl_option *ctl_common_options(void)
{
	return common;
}

static int has_argument(const struct ctl_option *o)
{
	if (!o->value)
		return no_argument;
	return o->value[0] == '[' ? optional_argument : required_argument;
}

/* For getopt: long ones, and letters. */
struct form {
	struct option options[MAX_OPTIONS];
	char letters[MAX_OPTIONS * 3];
	size_t nr, nr_letters;
};

static void add_options(struct form *f, const struct ctl_option *o)
{
	for (; o && o->id && f->nr < MAX_OPTIONS - 1; o++) {
		f->options[f->nr++] = (struct option){ .name = o->name, .has_arg = has_argument(o), .val = o->id };
		if (o->id > 255)
			continue;
		f->letters[f->nr_letters++] = (char)o->id;
		if (has_argument(o) == required_argument)
			f->letters[f->nr_letters++] = ':';
	}
}

static void print_options(const struct ctl_option *o)
{
	for (; o && o->id; o++) {
		char left[48], letter[8] = "    ";

		if (o->id < 256)
			snprintf(letter, sizeof(letter), "-%c, ", o->id);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, has_argument(o) == required_argument ? " " : "",
			 o->value ? o->value : "");
		printf("  %-26s %s\n", left, o->help);
	}
}

static void print_help(const struct ctl_verb *v)
{
	printf("tranche %s [OPTION...]%s%s\n\n%c%s.\n\n", v->name, v->words[0] ? " " : "", v->words,
	       v->summary[0] >= 'a' && v->summary[0] <= 'z' ? v->summary[0] - 'a' + 'A' : v->summary[0], v->summary + 1);
	if (v->more)
		printf("%s\n\n", v->more);
	print_options(v->options);
	print_options(common);
	printf("\nSee tranche-%s(1).\n", v->name);
}

int ctl_usage(const struct ctl *c, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s; see tranche %s --help", text, c->verb->name);
	return CLI_USAGE;
}

static int take(struct ctl *c, int id, const char *value)
{
	struct ctl_given *more = reallocarray(c->given, c->nr_given + 1, sizeof(*more));

	if (!more)
		return ctl_no_memory(c);
	c->given = more;
	c->given[c->nr_given++] = (struct ctl_given){ .id = id, .value = value };
	return 0;
}

int ctl_parse(struct ctl *c, int argc, char **argv)
{
	struct form f = { .letters = ":", .nr_letters = 1 };
	int id;

	add_options(&f, c->verb->options);
	add_options(&f, common);
	opterr = 0;
	while ((id = getopt_long(argc, argv, f.letters, f.options, NULL)) != -1) {
		if (id == ':')
			return ctl_usage(c, "option %.60s wants a value", argv[optind - 1]);
		if (id == '?')
			return ctl_usage(c, "unknown option %.60s", argv[optind - 1]);
		if (id == 'h') {
			print_help(c->verb);
			return 0;
		}
		if (take(c, id, optarg) < 0)
			return CLI_REFUSED;
	}
	c->words = argv + optind;
	c->nr_words = argc - optind;
	if (c->verb->most_words >= 0 && c->nr_words > c->verb->most_words)
		return ctl_usage(c, "\"%.60s\" is one word too many", c->words[c->verb->most_words]);
	return -1;
}

bool ctl_has(const struct ctl *c, int id)
{
	for (size_t i = 0; i < c->nr_given; i++)
		if (c->given[i].id == id)
			return true;
	return false;
}

const char *ctl_value(const struct ctl *c, int id)
{
	for (size_t i = c->nr_given; i-- > 0;)
		if (c->given[i].id == id)
			return c->given[i].value;
	return NULL;
}

/* SPDX-License-Identifier: MIT */
#include "ctl/complete.h"

#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "ctl/text.h"
#include "ctl/verbs.h"

/* Nobody waits longer for a tab key. */
#define PATIENCE_NS 500000000

/* Of verbs that are tranche's own. */
static const struct ctl_option run_options[] = {
	{ 'd', "host-device", "N", "a device on each of these host devices" },
	{ 'm', "memory", "SIZE", "memory of each device" },
	{ 'p', "parent", "PARENT", "of this parent of tranched's" },
	{ 't', "type", "TYPE", "of this type" },
	{ CTL_TIME, "time", "PERCENT", "share of the host device's time" },
	{ CTL_ALONE, "alone", NULL, "do not ask tranched" },
	{ 's', "stats", NULL, "afterwards, tell what was used" },
	{ CTL_JSONFILE, "store", "FILE", "where compiled programs are kept" },
	{ CTL_NO_HEADINGS, "no-quick", NULL, "short kernels run on the host's workers" },
	{ CTL_SOCKET, "no-fork-server", NULL, "start each executor by itself" },
	{ 'h', "help", NULL, "show the help" },
	{ 0 },
};
static const struct ctl_option screen_options[] = {
	{ 'o', "output", "FILE", "where the picture goes" },
	{ 'h', "help", NULL, "show the help" },
	{ 0 },
};
static const struct ctl_verb own_verbs[] = {
	{ .name = "run", .summary = "run a program on a virtual compute device", .options = run_options, .completes = ":commands" },
	{ .name = "screen", .summary = "get a picture of what a display shows", .options = screen_options, .completes = ":files" },
	{ .name = "help", .summary = "show the verbs" },
	{ .name = "version", .summary = "show the version" },
	{ 0 },
};

static void candidate(const char *word, const char *what)
{
	printf("%s\t%s\n", word, what);
}

/* ---- live names: a daemon that is not there, or slow, means none ---- */

static void print_type(json_t *o)
{
	char text[CTL_TEXT];

	snprintf(text, sizeof(text), "%.40s, %lld left", ctl_text_of(o, "parent"),
		 (long long)json_integer_value(json_object_get(o, "available_instances")));
	candidate(ctl_text_of(o, "name"), text);
}

static void print_device(json_t *o)
{
	char text[CTL_TEXT];

	snprintf(text, sizeof(text), "%.40s on %.40s %.30s", ctl_text_of(o, "type"), ctl_text_of(o, "parent"), ctl_text_of(o, "vm"));
	candidate(ctl_text_of(o, "uuid"), text);
}

static void print_parent(json_t *o)
{
	candidate(ctl_text_of(o, "name"), ctl_text_of(o, "driver"));
}

static void print_live(struct ctl *c, const char *kind, void (*print)(json_t *o))
{
	json_t *list, *o;
	size_t i;

	if (ctl_get_list(c, kind, &list) < 0)
		return;
	json_array_foreach(list, i, o)
		print(o);
	json_decref(list);
}

static void print_words(const char *const words[])
{
	for (; *words; words++)
		candidate(*words, "");
}

/* A kind of words, by its name in the tables of verbs and options. */
static void print_kind(struct ctl *c, const char *kind)
{
	static const char *const policies[] = { "best-effort", "equal", "fixed", NULL };
	static const char *const sorts[] = { "use", "memory", "commands", "name", NULL };
	static const char *const forms[] = { "qemu", "libvirt", "podman", "env", NULL };
	static const char *const drivers[] = { "compute", "mtty", "bochs", "null", NULL };

	if (!kind)
		return;
	if (kind[0] == ':')
		puts(kind);
	if (!strcmp(kind, "devices") || !strcmp(kind, "any") || !strcmp(kind, "things"))
		print_live(c, "devices", print_device);
	if (!strcmp(kind, "definitions") || !strcmp(kind, "any") || !strcmp(kind, "things"))
		print_live(c, "definitions", print_device);
	if (!strcmp(kind, "parents") || !strcmp(kind, "PARENT") || !strcmp(kind, "things"))
		print_live(c, "parents", print_parent);
	if (!strcmp(kind, "TYPE"))
		print_live(c, "types", print_type);
	if (!strcmp(kind, "policies"))
		print_words(policies);
	if (!strcmp(kind, "KEY"))
		print_words(sorts);
	if (!strcmp(kind, "qemu|libvirt|podman|env"))
		print_words(forms);
	if (!strcmp(kind, "DRIVER"))
		print_words(drivers);
	if (!strcmp(kind, "FILE") || !strcmp(kind, "PATH"))
		puts(":files");
}

/* ---- where on the line we are ---- */

static const struct ctl_verb *find_verb(const char *name)
{
	for (const struct ctl_verb *const *v = ctl_verbs; *v; v++)
		if (!strcmp((*v)->name, name))
			return *v;
	for (const struct ctl_verb *v = own_verbs; v->name; v++)
		if (!strcmp(v->name, name))
			return v;
	return NULL;
}

static bool is_own(const struct ctl_verb *verb)
{
	return verb >= own_verbs && verb < own_verbs + sizeof(own_verbs) / sizeof(own_verbs[0]);
}

static const struct ctl_option *find_in(const struct ctl_option *o, const char *word)
{
	for (; o && o->id; o++) {
		if (word[1] == '-' ? !strcmp(word + 2, o->name) : o->id == word[1] && !word[2])
			return o;
	}
	return NULL;
}

static const struct ctl_option *find_option(const struct ctl_verb *verb, const char *word)
{
	const struct ctl_option *o;

	if (word[0] != '-' || !word[1])
		return NULL;
	o = find_in(verb->options, word);
	return o || is_own(verb) ? o : find_in(ctl_common_options(), word);
}

/* Does the word behind this one belong to it? */
static bool takes_next(const struct ctl_option *o)
{
	return o && o->value && o->value[0] != '[';
}

static void print_options(const struct ctl_option *o)
{
	for (; o && o->id; o++) {
		char word[48];

		snprintf(word, sizeof(word), "--%s", o->name);
		candidate(word, o->help);
	}
}

static void print_verbs(void)
{
	for (const struct ctl_verb *const *v = ctl_verbs; *v; v++)
		candidate((*v)->name, (*v)->summary);
	for (const struct ctl_verb *v = own_verbs; v->name; v++)
		candidate(v->name, v->summary);
}

/* A UUID as an option's value is of the kind that the verb's words are. */
static void print_value(struct ctl *c, const struct ctl_verb *verb, const struct ctl_option *o)
{
	if (!strcmp(o->value, "UUID"))
		print_kind(c, verb->completes ? verb->completes : !strcmp(verb->name, "list") ? "any" : NULL);
	else if (o->id == CTL_REMOVE)
		print_kind(c, "parents");
	else
		print_kind(c, o->value);
}

/* How many words, which are no options and no values of such, are before the last. */
static int count_words(const struct ctl_verb *verb, int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc - 1; i++) {
		if (argv[i][0] != '-')
			n++;
		else if (takes_next(find_option(verb, argv[i])))
			i++;
	}
	return n;
}

static void complete_verb(struct ctl *c, int argc, char **argv)
{
	const struct ctl_verb *verb = c->verb;
	const char *word = argv[argc - 1];
	const struct ctl_option *before = argc > 2 ? find_option(verb, argv[argc - 2]) : NULL;
	int n = count_words(verb, argc, argv);

	if (takes_next(before)) {
		print_value(c, verb, before);
	} else if (word[0] == '-') {
		print_options(verb->options);
		if (!is_own(verb))
			print_options(ctl_common_options());
	} else if (is_own(verb) && n > 0) {
		puts(":files"); /* the program's own arguments */
	} else if (!strcmp(verb->name, "schedule") && n == 1) {
		print_kind(c, "policies");
	} else if (n == 0) {
		print_kind(c, verb->completes);
	}
}

/* The socket that the line names is the one to ask. */
static void take_socket(struct ctl *c, int argc, char **argv, struct ctl_given *given)
{
	for (int i = 1; i + 2 < argc; i++)
		if (!strcmp(argv[i], "--socket")) {
			*given = (struct ctl_given){ .id = CTL_SOCKET, .value = argv[i + 1] };
			c->given = given;
			c->nr_given = 1;
		}
}

int ctl_complete(int argc, char **argv)
{
	const struct itimerspec patience = { .it_value = { .tv_nsec = PATIENCE_NS } };
	struct ctl c = { .cancel_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC) };
	struct ctl_given given;

	timerfd_settime(c.cancel_fd, 0, &patience, NULL);
	if (argc < 2) {
		print_verbs();
	} else {
		c.verb = find_verb(argv[0]);
		take_socket(&c, argc, argv, &given);
		if (c.verb)
			complete_verb(&c, argc, argv);
	}
	api_close(c.api);
	close(c.cancel_fd);
	return 0;
}

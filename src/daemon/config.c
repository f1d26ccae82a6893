/* SPDX-License-Identifier: MIT */
/*
 * Reads tranched.conf with inih.  Each key is a row of a table: its name, where it goes, and how it is read.  The struct is
 * built aside and given out only when all of it was right.
 */
#include "daemon/config.h"

#include <errno.h>
#include <grp.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/size.h"

#define MAX_PARENTS 256u

struct reader {
	const char *file;
	struct daemon_config *config;
	struct trn_error *err;
	FILE *f;
	int line; /* inih hands one out only where it was built so */
	int r, refused; /* the first line that was: inih goes on after it */
};

typedef int (*parse_fn)(const char *value, void *field);

struct key {
	const char *name;
	size_t offset;
	parse_fn parse;
	const char *wants; /* for the hint */
};

static int parse_text(const char *value, void *field)
{
	char **to = field;
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

/* An empty one, and "none": nobody, nowhere. */
static int parse_text_or_none(const char *value, void *field)
{
	char **to = field;

	if (*value && strcmp(value, "none"))
		return parse_text(value, field);
	free(*to);
	*to = NULL;
	return 0;
}

static int parse_path(const char *value, void *field)
{
	return value[0] == '/' && strlen(value) < PATH_MAX / 2 ? parse_text(value, field) : -EINVAL;
}

static int parse_store(const char *value, void *field)
{
	return !strcmp(value, "none") ? parse_text(value, field) : parse_path(value, field);
}

static int parse_bool(const char *value, void *field)
{
	bool yes = !strcmp(value, "yes") || !strcmp(value, "true") || !strcmp(value, "on") || !strcmp(value, "1");

	if (!yes && strcmp(value, "no") && strcmp(value, "false") && strcmp(value, "off") && strcmp(value, "0"))
		return -EINVAL;
	*(bool *)field = yes;
	return 0;
}

static int parse_number(const char *value, unsigned long base, unsigned long max, unsigned long *ret)
{
	char *end;

	if (value[0] < '0' || value[0] > '9')
		return -EINVAL;
	errno = 0;
	*ret = strtoul(value, &end, (int)base);
	return errno || *end || *ret > max ? -EINVAL : 0;
}

static int parse_mode(const char *value, void *field)
{
	unsigned long mode;

	if (parse_number(value, 8, 0777, &mode) < 0)
		return -EINVAL;
	*(mode_t *)field = (mode_t)mode;
	return 0;
}

static int parse_connections(const char *value, void *field)
{
	unsigned long nr;

	if (parse_number(value, 10, 100000, &nr) < 0 || !nr)
		return -EINVAL;
	*(unsigned int *)field = (unsigned int)nr;
	return 0;
}

/* "127.0.0.1:7330" or "[::1]:7330": nothing that others could reach. */
static int parse_listen(const char *value, void *field)
{
	const char *port = NULL;
	unsigned long nr;

	if (!*value || !strcmp(value, "none"))
		return parse_text_or_none(value, field);
	if (!strncmp(value, "127.", 4))
		port = strrchr(value, ':');
	else if (!strncmp(value, "[::1]:", 6))
		port = value + 5;
	if (!port || parse_number(port + 1, 10, 65535, &nr) < 0)
		return -EINVAL;
	return parse_text(value, field);
}

#define FIELD(member) offsetof(struct daemon_config, member)
static const struct key daemon_keys[] = {
	{ "runtime-dir", FIELD(runtime_dir), parse_path, "a whole path" },
	{ "definitions-dir", FIELD(definitions_dir), parse_path, "a whole path" },
	{ "socket", FIELD(socket), parse_path, "a whole path" },
	{ "socket-mode", FIELD(socket_mode), parse_mode, "an octal mode, as 0660" },
	{ "socket-group", FIELD(socket_group), parse_text_or_none, "a group, or none" },
	{ "admin-group", FIELD(admin_group), parse_text_or_none, "a group, or none" },
	{ "use-group", FIELD(use_group), parse_text_or_none, "a group, or none" },
	{ "others-read", FIELD(others_read), parse_bool, "yes or no" },
	{ "listen", FIELD(listen), parse_listen, "a loopback address with a port, as 127.0.0.1:7330 or [::1]:7330, or none" },
	{ "max-connections", FIELD(max_connections), parse_connections, "a number from 1 to 100000" },
	{ "systemd", FIELD(uses_systemd), parse_bool, "yes or no" },
	{ "device-user", FIELD(device_user), parse_text_or_none, "a user, or none" },
	{ "find-opencl", FIELD(finds_opencl), parse_bool, "yes or no" },
	{ "store", FIELD(store), parse_store, "a whole path, or none" },
};

static int parse_host_device(const char *value, void *field)
{
	struct daemon_parent_config *p = field;
	unsigned long nr;

	if (parse_number(value, 10, 1023, &nr) < 0)
		return -EINVAL;
	p->has_host_device = true;
	p->host_device = (uint32_t)nr;
	return 0;
}

static int parse_memory(const char *value, void *field)
{
	return base_size_parse(value, field, NULL) < 0 ? -EINVAL : 0;
}

static int parse_policy(const char *value, void *field)
{
	static const char *const names[] = { "best-effort", "equal", "fixed" };
	struct daemon_parent_config *p = field;

	for (unsigned int i = 0; i < 3; i++) {
		if (strcmp(value, names[i]))
			continue;
		p->has_policy = true;
		p->policy = (enum daemon_policy)i;
		return 0;
	}
	return -EINVAL;
}

/* Milliseconds with up to three decimals. */
static int parse_slice(const char *value, void *field)
{
	double ms;
	char *end;

	if (value[0] < '0' || value[0] > '9')
		return -EINVAL;
	ms = strtod(value, &end);
	if (*end || !(ms >= 0.5 && ms <= 100.0))
		return -EINVAL;
	*(uint32_t *)field = (uint32_t)(ms * 1000 + 0.5);
	return 0;
}

#define PARENT_FIELD(member) offsetof(struct daemon_parent_config, member)
static const struct key parent_keys[] = {
	{ "driver", PARENT_FIELD(driver), parse_text, "a driver that tranche-device --list names" },
	{ "host-device", 0, parse_host_device, "a number that tranche-executor --devices gives" },
	{ "memory", PARENT_FIELD(memory), parse_memory, "a size, as 8G" },
	{ "policy", 0, parse_policy, "best-effort, equal or fixed" },
	{ "slice", PARENT_FIELD(slice_us), parse_slice, "milliseconds from 0.5 to 100" },
};

static struct daemon_parent_config *parent_of(struct daemon_config *c, const char *name)
{
	struct daemon_parent_config *p;

	for (size_t i = 0; i < c->nr_parents; i++)
		if (!strcmp(c->parents[i].name, name))
			return &c->parents[i];
	if (c->nr_parents == MAX_PARENTS)
		return NULL;
	p = reallocarray(c->parents, c->nr_parents + 1, sizeof(*p));
	if (!p)
		return NULL;
	c->parents = p;
	p += c->nr_parents;
	*p = (struct daemon_parent_config){ .name = strdup(name), .driver = strdup("compute") };
	if (!p->name || !p->driver) {
		free(p->name);
		free(p->driver);
		return NULL;
	}
	c->nr_parents++;
	return p;
}

static int refuse(struct reader *rd, int line, const char *hint, const char *text)
{
	if (!rd->r)
		rd->refused = line;
	rd->r = -EINVAL;
	trn_error_set(rd->err, -EINVAL, "BadConfiguration", "%s:%d: %s", rd->file, line, text);
	trn_error_hint(rd->err, "%s", hint);
	return 0; /* inih stops */
}

static int read_key(struct reader *rd, int line, const struct key *keys, size_t nr, void *base, const char *name,
		    const char *value)
{
	char text[200], hint[160];

	for (size_t i = 0; i < nr; i++) {
		int r;

		if (strcmp(keys[i].name, name))
			continue;
		r = keys[i].parse(value, (char *)base + keys[i].offset);
		if (r >= 0)
			return 1;
		snprintf(text, sizeof(text), "%s cannot be \"%.80s\"", name, value);
		snprintf(hint, sizeof(hint), "write %s", keys[i].wants);
		return refuse(rd, line, hint, text);
	}
	snprintf(text, sizeof(text), "there is no key \"%.80s\" here (its value is \"%.40s\")", name, value);
	return refuse(rd, line, "see man tranched.conf", text);
}

static int read_line(void *data, const char *section, const char *name, const char *value)
{
	struct reader *rd = data;
	int line = rd->line;
	char text[200];

	/* A line that is only a section: inih calls for it with no name where it was built so. */
	if (!name)
		return 1;
	if (!value)
		value = "";
	if (!strcmp(section, "daemon"))
		return read_key(rd, line, daemon_keys, sizeof(daemon_keys) / sizeof(*daemon_keys), rd->config, name, value);
	if (!strncmp(section, "parent ", 7) && section[7]) {
		struct daemon_parent_config *p = parent_of(rd->config, section + 7);

		if (!p)
			return refuse(rd, line, "leave some out", "there are too many parents");
		return read_key(rd, line, parent_keys, sizeof(parent_keys) / sizeof(*parent_keys), p, name, value);
	}
	snprintf(text, sizeof(text), "%s=%.40s is in section \"%.60s\", which there is not", name, value, section);
	return refuse(rd, line, "write it below [daemon] or [parent NAME]", text);
}

static bool is_comment(const char *line)
{
	line += strspn(line, " \t");
	return *line == '#' || *line == ';';
}

/*
 * An fgets() that counts.  inih would take what does not fit into its buffer for the value's next line: of a comment it is left out, all
 * else is refused.
 */
static char *count_line(char *buf, int size, void *stream)
{
	struct reader *rd = stream;
	char *text = fgets(buf, size, rd->f);
	int c;

	rd->line++;
	if (!text || strlen(text) + 1 < (size_t)size || strchr(text, '\n'))
		return text;
	if (!is_comment(text)) {
		(void)refuse(rd, rd->line, "write less, or a shorter path", "the line is too long");
		return NULL;
	}
	while ((c = fgetc(rd->f)) != EOF && c != '\n')
		;
	return text;
}

static char *join(const char *folder, const char *name)
{
	char *path = NULL;

	return folder && asprintf(&path, "%s/%s", folder, name) >= 0 ? path : NULL;
}

/* $VARIABLE/tail, or $HOME/home/tail. */
static char *user_folder(const char *variable, const char *home, const char *tail)
{
	const char *base = getenv(variable);
	_cleanup_free_ char *in_home = NULL;

	if (!base || base[0] != '/') {
		const char *h = getenv("HOME");

		if (!home || !h || h[0] != '/')
			return NULL;
		in_home = join(h, home);
		base = in_home;
	}
	return join(base, tail);
}

static void set_paths(struct daemon_config *c)
{
	if (!c->is_user) {
		c->runtime_dir = strdup("/run/tranche");
		c->definitions_dir = strdup("/etc/tranche/devices");
		return;
	}
	c->runtime_dir = user_folder("XDG_RUNTIME_DIR", NULL, "tranche");
	if (!c->runtime_dir && asprintf(&c->runtime_dir, "/tmp/tranche-%u", (unsigned int)getuid()) < 0)
		c->runtime_dir = NULL;
	c->definitions_dir = user_folder("XDG_CONFIG_HOME", ".config", "tranche/devices");
}

static void set_defaults(struct daemon_config *c, bool is_user)
{
	bool is_system = !is_user && geteuid() == 0;

	c->is_user = is_user;
	set_paths(c);
	c->socket_mode = is_user ? 0600 : 0660;
	c->others_read = true;
	c->max_connections = 1000;
	/* INVOCATION_ID: systemd started us, as a service. */
	c->uses_systemd = is_system && getenv("INVOCATION_ID") && access("/run/systemd/system", F_OK) == 0;
	c->device_user = strdup("tranche");
	c->finds_opencl = true;
	if (is_system && getgrnam("tranche"))
		c->socket_group = strdup("tranche");
	c->use_group = c->socket_group ? strdup(c->socket_group) : NULL;
}

static int complete(struct daemon_config *c, struct trn_error *err)
{
	if (!c->socket)
		c->socket = join(c->runtime_dir, "api.sock");
	if (!c->runtime_dir || !c->definitions_dir || !c->socket) {
		trn_error_set(err, -EINVAL, "BadConfiguration", "there is no place for sockets or definitions: HOME is not set");
		return trn_error_hint(err, "give runtime-dir and definitions-dir");
	}
	/* sun_path, with "/UUID.sock" behind. */
	if (strlen(c->runtime_dir) + 43 > 107 || strlen(c->socket) > 107) {
		trn_error_set(err, -ENAMETOOLONG, "BadConfiguration", "the path %.100s is too long for sockets",
			      strlen(c->socket) > 107 ? c->socket : c->runtime_dir);
		return trn_error_hint(err, "give a shorter one: 64 characters are enough");
	}
	return 0;
}

/* inih would take a folder for an empty file. */
static int open_file(const char *file, bool may_be_missing, FILE **ret, struct trn_error *err)
{
	FILE *f = fopen(file, "re");
	char probe;

	if (!f && errno == ENOENT && may_be_missing)
		return 0;
	if (f && fread(&probe, 1, 1, f) == 0 && ferror(f)) {
		int e = errno;

		fclose(f);
		f = NULL;
		errno = e;
	}
	if (!f) {
		int r = -errno;

		trn_error_set(err, r, "BadConfiguration", "cannot read %s: %s", file, strerror(errno));
		return trn_error_hint(err, "make it readable, or name another file with --config");
	}
	rewind(f);
	*ret = f;
	return 1;
}

static int read_file(struct daemon_config *c, const char *file, bool may_be_missing, struct trn_error *err)
{
	struct reader rd = { .file = file, .config = c, .err = err };
	int r;

	r = open_file(file, may_be_missing, &rd.f, err);
	if (r <= 0)
		return r;
	r = ini_parse_stream(count_line, &rd, read_line, &rd);
	fclose(rd.f);
	/* What follows a line that nobody understands may be wrong only because of it. */
	if (rd.r < 0 && !(r > 0 && r < rd.refused))
		return rd.r;
	if (r) {
		if (rd.r < 0)
			*err = (struct trn_error){ 0 };
		trn_error_set(err, -EINVAL, "BadConfiguration", "%s:%d: this is no section and no KEY = VALUE", file, r > 0 ? r : 0);
		return trn_error_hint(err, "see man tranched.conf");
	}
	c->file = strdup(file);
	return c->file ? 0 : -ENOMEM;
}

int daemon_config_load(const char *file, bool is_user, struct daemon_config *ret, struct trn_error *err)
{
	_cleanup_free_ char *usual = NULL;
	struct daemon_config c = { 0 };
	struct trn_error own = { 0 };
	int r = 0;

	if (!err)
		err = &own;
	set_defaults(&c, is_user);
	if (!file)
		usual = is_user ? user_folder("XDG_CONFIG_HOME", ".config", "tranche/tranched.conf") :
				  strdup("/etc/tranche/tranched.conf");
	if (file || usual)
		r = read_file(&c, file ? file : usual, !file, err);
	if (r >= 0)
		r = complete(&c, err);
	if (r < 0) {
		trn_error_set(err, r, "BadConfiguration", "cannot take the configuration: %s", strerror(-r));
		daemon_config_free(&c);
		return r;
	}
	*ret = c;
	return 0;
}

void daemon_config_free(struct daemon_config *c)
{
	char *texts[] = { c->file, c->runtime_dir, c->definitions_dir, c->socket, c->socket_group, c->admin_group,
			  c->use_group, c->listen, c->device_user, c->store };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		free(texts[i]);
	for (size_t i = 0; i < c->nr_parents; i++) {
		free(c->parents[i].name);
		free(c->parents[i].driver);
	}
	free(c->parents);
	*c = (struct daemon_config){ 0 };
}

/* SPDX-License-Identifier: MIT */
#include "client/headers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MAX_DEPTH 8
#define MAX_VISITS 20000u /* entries of folders */

/* A path that was looked at: each one once. */
struct seen {
	char *path; /* owned; absolute, plain */
	char *text; /* owned; NULL: there is no such file */
	size_t len;
};

struct folder {
	char path[PATH_MAX];
};

struct collector {
	const char *cwd; /* or NULL */
	const char *options;
	struct folder *folders; /* owned; of -I, in their order */
	size_t nr_folders;
	struct seen *seen; /* owned */
	size_t nr_seen, cap_seen;
	unsigned int nr_files, nr_visits;
	uint64_t bytes;
	bool is_blind; /* an include that nothing could be made of */
};

/* ---------------------------------------------------------------- files */

/* The bytes of a regular file; NULL: none, or not for us. */
static char *read_file(const char *path, uint64_t limit, size_t *ret_len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t have = 0;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > limit)
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	while (text && have < (size_t)st.st_size) {
		ssize_t n = read(fd, text + have, (size_t)st.st_size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	*ret_len = have;
	return TAKE_PTR(text);
}

static bool is_seen(const struct collector *c, const char *path, bool *ret_is_there)
{
	for (size_t i = 0; i < c->nr_seen; i++) {
		if (strcmp(c->seen[i].path, path) == 0) {
			*ret_is_there = c->seen[i].text;
			return true;
		}
	}
	return false;
}

static bool make_room(struct collector *c)
{
	size_t cap = c->cap_seen ? c->cap_seen * 2 : 64;
	struct seen *bigger;

	if (c->nr_seen < c->cap_seen)
		return true;
	bigger = reallocarray(c->seen, cap, sizeof(*bigger));
	if (!bigger)
		return false;
	c->seen = bigger;
	c->cap_seen = cap;
	return true;
}

/* Takes the file if it is there. Return: is it? */
static bool take_file(struct collector *c, const char *path)
{
	struct seen new = { 0 };
	bool is_there;

	if (is_seen(c, path, &is_there))
		return is_there;
	if (c->nr_files == CLIENT_HEADERS_MAX || !make_room(c))
		return false;
	new.path = strdup(path);
	if (!new.path)
		return false;
	new.text = read_file(path, CLIENT_HEADERS_BYTES - c->bytes, &new.len);
	if (new.text) {
		c->nr_files++;
		c->bytes += new.len;
	}
	c->seen[c->nr_seen++] = new;
	return new.text;
}

static bool take_from(struct collector *c, const char *folder, const char *name)
{
	char path[PATH_MAX];

	return client_path_join(folder, name, path) && take_file(c, path);
}

/* ------------------------------------------------------------- includes */

/* In every folder: which one the compiler takes depends on what it finds. */
static bool take_named(struct collector *c, const char *folder, const char *name)
{
	bool is_found = false;

	if (name[0] == '/')
		return take_from(c, NULL, name);
	if (folder)
		is_found = take_from(c, folder, name);
	for (size_t i = 0; i < c->nr_folders; i++)
		is_found |= take_from(c, c->folders[i].path, name);
	if (c->cwd)
		is_found |= take_from(c, c->cwd, name);
	return is_found;
}

/* The value of -D name=value; NULL: there is none. */
static const char *find_macro(const struct collector *c, const char *name, size_t len, char *word, size_t cap)
{
	const char *p = c->options;

	while (client_option_next(&p, word, cap)) {
		const char *def = word;

		if (strcmp(word, "-D") == 0) {
			if (!client_option_next(&p, word, cap))
				break;
		} else if (strncmp(word, "-D", 2) == 0) {
			def += 2;
		} else {
			continue;
		}
		if (strncmp(def, name, len) == 0 && def[len] == '=')
			return def + len + 1;
	}
	return NULL;
}

/* INCLUDE_PATH/inc.h: with what options say the macro is, else without what may be macros. */
static bool take_guessed(struct collector *c, const char *folder, const char *name)
{
	char word[PATH_MAX], path[2 * PATH_MAX];
	const char *slash = strchr(name, '/'), *value = NULL;
	bool is_found = false;

	if (slash)
		value = find_macro(c, name, (size_t)(slash - name), word, sizeof(word));
	if (value && (size_t)snprintf(path, sizeof(path), "%s%s", value, slash) < PATH_MAX)
		is_found = take_named(c, folder, path);
	for (; name; name = strchr(name, '/'), name = name ? name + 1 : NULL)
		if (*name)
			is_found |= take_named(c, folder, name);
	return is_found;
}

/* folder: of the file; NULL: of none. */
static void follow(struct collector *c, const char *folder, const char *text, size_t len)
{
	struct client_include inc;
	size_t at = 0;

	while (client_include_next(text, len, &at, &inc)) {
		if (inc.kind == CLIENT_INCLUDE_MACRO)
			c->is_blind |= !inc.name[0] || !take_guessed(c, folder, inc.name);
		else
			take_named(c, inc.kind == CLIENT_INCLUDE_QUOTED ? folder : NULL, inc.name);
	}
}

/* Those that are found meanwhile, too. */
static void follow_files(struct collector *c, size_t from)
{
	for (size_t i = from; i < c->nr_seen; i++) {
		char folder[PATH_MAX];
		char *slash;

		if (!c->seen[i].text)
			continue;
		strcpy(folder, c->seen[i].path);
		slash = strrchr(folder, '/');
		slash[slash == folder] = '\0';
		follow(c, folder, c->seen[i].text, c->seen[i].len);
	}
}

/* ---------------------------------------------------------------- trees */

static bool is_header_name(const char *name)
{
	static const char *const endings[] = { ".h", ".hpp", ".hh", ".hxx", ".cl", ".clh", ".cuh", ".inc", ".inl", ".def", ".tpp" };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof(endings) / sizeof(endings[0]); i++)
		if (strcmp(dot, endings[i]) == 0)
			return true;
	return false;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* The same order on every machine: what is built is stored by what it was built from. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void take_tree(struct collector *c, const char *folder, unsigned int depth);

static void take_entry(struct collector *c, const char *folder, const char *name, unsigned int depth)
{
	char path[PATH_MAX];
	struct stat st;

	if (++c->nr_visits > MAX_VISITS || !client_path_join(folder, name, path) || stat(path, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode))
		take_tree(c, path, depth + 1);
	else if (is_header_name(name))
		take_file(c, path);
}

static void take_tree(struct collector *c, const char *folder, unsigned int depth)
{
	struct dirent **entries;
	int n;

	if (depth > MAX_DEPTH || c->nr_visits > MAX_VISITS || c->nr_files == CLIENT_HEADERS_MAX)
		return;
	n = scandir(folder, &entries, is_visible, compare_names);
	for (int i = 0; i < n; i++) {
		take_entry(c, folder, entries[i]->d_name, depth);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

/* ------------------------------------------------------------------ all */

static void add_folder(struct collector *c, const char *path)
{
	struct folder *bigger = reallocarray(c->folders, c->nr_folders + 1, sizeof(*bigger));

	if (!bigger)
		return;
	c->folders = bigger;
	if (client_path_join(c->cwd, path, bigger[c->nr_folders].path))
		c->nr_folders++;
}

static void read_options(struct collector *c)
{
	const char *p = c->options;
	char word[PATH_MAX];

	while (client_option_next(&p, word, sizeof(word))) {
		/* What follows a lone -D belongs to it, whatever it looks like. */
		if (strcmp(word, "-D") == 0)
			client_option_next(&p, word, sizeof(word));
		else if (strcmp(word, "-I") == 0 && client_option_next(&p, word, sizeof(word)))
			add_folder(c, word);
		else if (strncmp(word, "-I", 2) == 0 && word[2])
			add_folder(c, word + 2);
	}
}

static void put_file(struct base_blob *request, const struct seen *file)
{
	size_t mark = base_blob_begin(request, TRNC_TAG_FILE);

	base_blob_put_str(request, TRNC_TAG_NAME, file->path);
	base_blob_put(request, TRNC_TAG_SOURCE, file->text, file->len);
	base_blob_end(request, mark);
}

/* ------------------------------------------------------- macros of folders */

static bool has_files_below(const struct collector *c, const char *folder)
{
	size_t len = strlen(folder);

	for (size_t i = 0; i < c->nr_seen; i++)
		if (c->seen[i].text && strncmp(c->seen[i].path, folder, len) == 0 && c->seen[i].path[len] == '/')
			return true;
	return false;
}

/* def: NAME=VALUE.  Return: is the value a folder of files that go along? */
static bool is_folder_macro(const struct collector *c, const char *def, char folder[static PATH_MAX])
{
	const char *value = strchr(def, '=');

	return value && value[1] == '/' && client_path_join(NULL, value + 1, folder) && has_files_below(c, folder);
}

static void put_folder_macro(FILE *f, const char *def, const char *folder)
{
	fprintf(f, "-D %.*s=. -I\"%s\"", (int)strcspn(def, "="), def, folder);
}

/* The options, word by word as they stand, but for such macros. */
static void put_options(FILE *f, const struct collector *c)
{
	char word[PATH_MAX], folder[PATH_MAX];
	const char *p = c->options, *start = p;

	for (; client_option_next(&p, word, sizeof(word)); start = p) {
		const char *def = word + 2;

		if (strncmp(word, "-D", 2) == 0 && !word[2]) {
			client_option_next(&p, word, sizeof(word));
			def = word;
		} else if (strncmp(word, "-D", 2) != 0) {
			def = "";
		}
		if (is_folder_macro(c, def, folder)) {
			fputc(' ', f);
			put_folder_macro(f, def, folder);
		} else {
			fwrite(start, 1, (size_t)(p - start), f);
		}
	}
}

static char *make_options(const struct collector *c)
{
	char *out = NULL;
	size_t size;
	FILE *f = open_memstream(&out, &size);

	if (!f)
		return NULL;
	put_options(f, c);
	if (fclose(f) == 0)
		return out;
	free(out);
	return NULL;
}

static void finish(struct collector *c)
{
	for (size_t i = 0; i < c->nr_seen; i++) {
		free(c->seen[i].path);
		free(c->seen[i].text);
	}
	free(c->seen);
	free(c->folders);
}

char *client_headers_add(struct base_blob *request, const struct client_text_piece *texts, size_t nr, const char *options,
			 const char *cwd)
{
	struct collector c = { .cwd = cwd, .options = options ? options : "" };
	char *rewritten;
	size_t before;

	read_options(&c);
	for (size_t i = 0; i < nr; i++)
		follow(&c, cwd, texts[i].text, texts[i].len);
	follow_files(&c, 0);
	before = c.nr_seen;
	for (size_t i = 0; i < c.nr_folders && c.is_blind; i++)
		take_tree(&c, c.folders[i].path, 0);
	follow_files(&c, before);
	for (size_t i = 0; i < c.nr_seen; i++)
		if (c.seen[i].text)
			put_file(request, &c.seen[i]);
	rewritten = make_options(&c);
	finish(&c);
	return rewritten;
}

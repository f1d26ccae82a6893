/* SPDX-License-Identifier: MIT */
#include "parent/key.h"

#include <errno.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parent/tree.h"
#include "tranche/wire/parent.h"

/* Of the key's contents and of what is stored under it: a new one finds nothing of the old. */
#define FORMAT 2u

/* Bounded, so that a request cannot make us read all of a disk's folders. */
#define MAX_FOLDERS 32u

struct hash {
	struct sha256_ctx ctx;
};

static void put(struct hash *h, const void *data, size_t len)
{
	uint64_t size = len;

	/* With the length: two things never read as one. */
	sha256_update(&h->ctx, sizeof(size), (const uint8_t *)&size);
	sha256_update(&h->ctx, len, data);
}

static void put_u32(struct hash *h, uint32_t v)
{
	put(h, &v, sizeof(v));
}

static void put_str(struct hash *h, const char *s)
{
	put(h, s, strlen(s));
}

/* ------------------------------------------------------------ options */

/* The next word at *p; quotes and escapes are not seen through: words that have them are told apart by the caller. */
static size_t next_word(const char **p, const char **ret)
{
	const char *s = *p + strspn(*p, " \t\r\n");

	*ret = s;
	*p = s + strcspn(s, " \t\r\n");
	return (size_t)(*p - s);
}

/* A folder that an option names, as it stands; a word with quotes is one that we do not see through. */
static bool put_folder(struct hash *h, struct parent_tree_budget *budget, const struct parent_request *q,
		       const char *word, size_t len)
{
	struct parent_key digest;
	char path[PATH_MAX];
	int r;

	if (len == 0 || len >= sizeof(path) || memchr(word, '"', len) || memchr(word, '\'', len) ||
	    memchr(word, '\\', len))
		return false;
	memcpy(path, word, len);
	path[len] = '\0';
	/* One that is relative, and a working folder that is not known: then it is not known either. */
	if (path[0] != '/' && !q->cwd)
		return false;
	r = parent_tree_digest(path[0] == '/' ? NULL : q->cwd, path, budget, &digest);
	if (r == -ENOENT || r == -ENOTDIR) {
		put_str(h, "none");
		return true;
	}
	if (r < 0)
		return false;
	put(h, digest.bytes, sizeof(digest.bytes));
	return true;
}

/* Options that change nothing but the text that they are: all that OpenCL has. */
static bool is_plain(const char *word, size_t len)
{
	return (len >= 3 && memcmp(word, "-cl", 3) == 0) || (len == 2 && memcmp(word, "-w", 2) == 0) ||
	       (len == 7 && memcmp(word, "-Werror", 7) == 0) || (len == 2 && memcmp(word, "-g", 2) == 0) ||
	       (len > 2 && memcmp(word, "-D", 2) == 0) || (len > 2 && memcmp(word, "-U", 2) == 0);
}

/* The folders of all -I. False: there is an option of which we do not know what it reads. */
static bool put_options(struct hash *h, struct parent_tree_budget *budget, const struct parent_request *q)
{
	bool has_quotes = strpbrk(q->options, "\"'\\") != NULL;
	const char *p = q->options, *word;
	unsigned int folders = 0;
	size_t len;

	while ((len = next_word(&p, &word))) {
		if (len >= 2 && memcmp(word, "-I", 2) == 0) {
			word += 2;
			len -= 2;
			if (len == 0)
				len = next_word(&p, &word);
			if (++folders > MAX_FOLDERS || !put_folder(h, budget, q, word, len))
				return false;
		} else if (len == 2 && memcmp(word, "-D", 2) == 0) {
			next_word(&p, &word);
		} else if (!is_plain(word, len) && (!has_quotes || word[0] == '-')) {
			return false; /* without quotes; with them it is the rest of a definition */
		}
	}
	return true;
}

/* -------------------------------------------------------------- the key */

static bool any_includes(const struct parent_request *q)
{
	/* Headers that came with a compile are found by name, among other places. */
	if (q->op == TRNC_OP_COMPILE)
		return memchr(q->source, '#', q->source_len) != NULL;
	/* A macro of the options may stand where the source has nothing to be seen. */
	return parent_text_includes(q->source, q->source_len) || parent_text_includes(q->options, strlen(q->options));
}

/* All of the request but where it was asked from, which counts only when files are looked for from there. */
static void put_request(struct hash *h, const struct parent_request *q)
{
	const uint8_t *bytes = q->bytes;
	size_t from, to;

	put_u32(h, q->device);
	put_u32(h, q->host_device);
	put_u32(h, q->identity);
	put_u32(h, q->is_guest);
	if (!q->cwd || (q->is_guest && any_includes(q))) {
		put(h, bytes, q->len);
		return;
	}
	from = (size_t)((const uint8_t *)q->cwd - bytes);
	/* With the padding, which is as long as the text lets it be. */
	to = from + ((strlen(q->cwd) + 1 + 7) & ~(size_t)7);
	if (to > q->len)
		to = q->len;
	put(h, bytes, from - 8); /* before its item's head */
	put(h, bytes + to, q->len - to);
}

static bool put_working_folder(struct hash *h, struct parent_tree_budget *budget, const struct parent_request *q)
{
	struct parent_key digest;

	budget->texts_only = true;
	if (!q->cwd || parent_tree_digest(NULL, q->cwd, budget, &digest) < 0)
		return false;
	put_str(h, q->cwd);
	put(h, digest.bytes, sizeof(digest.bytes));
	return true;
}

bool parent_env_matters(const char *entry)
{
	/* Settings of drivers, compilers and loaders; where programs, libraries and headers are found. */
	static const char *const prefixes[] = {
		"POCL_", "OCL_", "OPENCL_", "LLVM_", "CLANG_", "LD_", "CUDA_", "NVIDIA_", "HIP_", "ROCR_", "GPU_", "AMD_",
		"MESA_", "RUSTICL_", "LIBCLC_", "LIBGL_", "CL_", "SPIRV_", "OMP_", "PATH=", "CPATH=", "C_INCLUDE_PATH=",
		"LANG=", "LC_", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "TSAN_OPTIONS=", "LSAN_OPTIONS=",
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(entry, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

/* The cache folder is the helper's own, whatever the environment says. */
static void put_environment(struct hash *h)
{
	for (char **e = environ; *e; e++)
		if (parent_env_matters(*e) && strncmp(*e, "POCL_CACHE_DIR=", 15) != 0)
			put_str(h, *e);
}

static void look_at_files(struct hash *h, struct parent_tree_budget *budget, const struct parent_request *q,
			  struct parent_fate *ret)
{
	ret->reads_files = any_includes(q);
	/* Options that make the compiler read something are as good as includes. */
	ret->is_storable = put_options(h, budget, q) && (!ret->reads_files || put_working_folder(h, budget, q));
}

void parent_key_make(const struct parent_key *host, const struct parent_request *q, struct parent_key *ret,
		     struct parent_fate *ret_fate)
{
	struct parent_tree_budget budget = PARENT_TREE_BUDGET;
	struct hash h;

	sha256_init(&h.ctx);
	put_u32(&h, FORMAT);
	put(&h, host->bytes, sizeof(host->bytes));
	put_environment(&h);
	put_request(&h, q);
	*ret_fate = (struct parent_fate){ .is_storable = true };
	/* A guest's files came with the request, and it can name no others. */
	if (!q->is_guest)
		look_at_files(&h, &budget, q, ret_fate);
	sha256_digest(&h.ctx, sizeof(ret->bytes), ret->bytes);
}

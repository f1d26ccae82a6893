/* SPDX-License-Identifier: MIT */
#include "executor/waits.h"

#include <string.h>

/* Without one of these nothing is done twice. */
static const char *const loops[] = { "while", "for", "goto", "do" }; /* also as parts of words: better one too many */

/* Without one of these a compiler reads a value once: it need not look again for what others write. */
static const char *const looks[] = {
	"volatile", "atomic", "atom_add", "atom_sub", "atom_inc", "atom_dec", "atom_xchg", "atom_cmpxchg", "atom_min",
	"atom_max", "atom_and", "atom_or", "atom_xor", "mem_fence",
};

static bool has_any(const char *text, size_t len, const char *const words[], size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (memmem(text, len, words[i], strlen(words[i])))
			return true;
	return false;
}

bool exec_text_may_wait(const char *source, size_t len, const char *options)
{
	const size_t nr_loops = sizeof(loops) / sizeof(loops[0]), nr_looks = sizeof(looks) / sizeof(looks[0]);
	const size_t more = strlen(options);

	return (has_any(source, len, loops, nr_loops) || has_any(options, more, loops, nr_loops)) &&
	       (has_any(source, len, looks, nr_looks) || has_any(options, more, looks, nr_looks));
}

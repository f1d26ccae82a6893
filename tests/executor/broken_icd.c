/* SPDX-License-Identifier: MIT */
/* A driver of the host's OpenCL that is no good: already when it is loaded, so that every loader gets that far. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void load(void) __attribute__((constructor));
static void load(void)
{
	const char *how = getenv("BROKEN_ICD");

	if (how && !strcmp(how, "crash"))
		raise(SIGSEGV);
	printf("a driver that prints\n");
	fflush(stdout);
}

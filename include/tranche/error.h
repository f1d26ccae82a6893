/* SPDX-License-Identifier: MIT */
/*
 * Errors: a code for the machine, a sentence for the person.
 *
 * Every call that can refuse takes a struct trn_error as its last parameter.
 * The struct has fixed buffers, so that it works when memory is gone.
 */
#ifndef TRANCHE_ERROR_H
#define TRANCHE_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct trn_error - why something was refused
 * @code: negative errno, or 0 while the struct is empty
 * @name: short stable word for programs ("NoFreeInstance"); static storage
 * @text: one phrase for a person, no newline, no full stop: what was asked, what was found
 * @hint: what to do about it; may be empty
 *
 * Zero-initialise before use: struct trn_error err = { 0 };
 */
struct trn_error {
	int code;
	const char *name;
	char text[240];
	char hint[240];
};

/**
 * trn_error_set - fill an error that is still empty
 * @err:  may be NULL; the first error wins, a filled one is left as it is
 * @code: negative errno
 * @name: static string, no spaces
 * @fmt:  printf format of the sentence
 *
 * Threads: any, one struct by one thread at a time. Allocates nothing.
 * Return: @code, so that callers can write "return trn_error_set(...)".
 */
int trn_error_set(struct trn_error *err, int code, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/**
 * trn_error_prefix - say where an error happened: "device X: " before its text
 * @err: may be NULL or empty (then nothing happens)
 * @fmt: printf format of the prefix, with its own separator
 *
 * Threads: as trn_error_set(). Text that does not fit is cut at the end.
 */
void trn_error_prefix(struct trn_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * trn_error_hint - add the remedy, if none is there yet
 * @err: may be NULL or empty (then nothing happens)
 * @fmt: printf format of the hint
 *
 * Threads: as trn_error_set().
 * Return: the code of @err, 0 when it is NULL or empty.
 */
int trn_error_hint(struct trn_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: MIT */
/*
 * Calls of the guest's driver at random: with the structs that it expects, filled from what exists (world.c) or spoilt, and
 * with anything else that can be done with its files.  Runs in a guest, linked statically.
 *
 * Workers share one world without locks, on purpose: a number that another thread has just closed is a case, too.  One worker
 * alone repeats a run exactly, by its seed.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drm/tranche_accel.h"
#include "tranche/wire/compute.h"

#define NR_FILES 8
#define NR_OBJECTS 48 /* a file */
#define NR_CONTEXTS 6
#define NR_SLOTS 32 /* of the arena */
#define NR_FDS 24   /* dma-bufs, eventfds and strangers */
#define SLOT_SIZE ((uint64_t)32 << 20)
#define FIRST_FD 64 /* what is closed at random is never ours */

struct object {
	uint32_t handle; /* 0: none */
	uint32_t kind;
	uint64_t size, offset, mmap_offset;
};

struct context {
	uint32_t number; /* 0: none */
	uint32_t ring_len, next_block;
	uint64_t mmap_offset, producer, seq;
	bool has_queue;
};

struct file {
	int fd; /* -1: none */
	bool has_session, is_sharing;
	struct object objects[NR_OBJECTS];
	struct context contexts[NR_CONTEXTS];
};

/* A part of the arena and what was mapped there last. */
struct slot {
	uint64_t len; /* 0: nothing */
	bool is_ours; /* of the driver: no access may end in SIGBUS */
};

struct world {
	const char *path;
	struct file files[NR_FILES];
	int fds[NR_FDS]; /* -1: none */
	uint8_t *arena;
	struct slot slots[NR_SLOTS];
};

struct worker {
	struct world *world;
	uint64_t rng;
	unsigned int number, nr_workers;
	bool is_child;	    /* after fork() */
	bool has_trace;
	volatile uint64_t nr_calls, since_ms; /* for who watches; since 0: between two calls */
	const char *volatile name;
};

struct op {
	const char *name;
	unsigned int weight;
	/* Return: 0 or more: it was done; a negative errno: it was refused; NOTHING: there was nothing to do it with. */
	long (*run)(struct worker *w);
};
#define NOTHING (-100000L)

/* By folder's part; each ends with a name of NULL. */
extern const struct op accel_ops[], drm_ops[], map_ops[], process_ops[], ring_ops[];

/* random.c */
uint64_t fuzz_random(struct worker *w);
uint32_t fuzz_below(struct worker *w, uint32_t limit);
bool fuzz_one_in(struct worker *w, uint32_t n);
uint64_t fuzz_odd_number(struct worker *w);
void fuzz_fill(struct worker *w, void *buf, size_t len);
/* Now and then a field of 4 or 8 bytes becomes something else. */
void fuzz_spoil(struct worker *w, void *buf, size_t len);

/* world.c: any of them may be gone a moment later. */
int fuzz_open(struct world *world);
struct file *fuzz_file(struct worker *w);
struct file *fuzz_session(struct worker *w); /* of a session, if there is one */
struct object *fuzz_object(struct worker *w, struct file *f, uint32_t kind);
struct context *fuzz_context(struct worker *w, struct file *f);
struct object *fuzz_new_object(struct file *f); /* NULL: the table is full */
struct context *fuzz_new_context(struct file *f);
uint32_t fuzz_some_handle(struct worker *w, struct file *f);
uint32_t fuzz_some_context(struct worker *w, struct file *f);
void fuzz_forget(struct file *f); /* its descriptor is no longer that file's */
int fuzz_high_fd(int fd);	  /* the same above FIRST_FD; fd is closed */
int fuzz_keep_fd(struct worker *w, int fd);
int fuzz_some_fd(struct worker *w);
/* A call with a pointer that is mostly good: to buf, or to memory that a page fault of the driver brings in. */
long fuzz_ioctl(struct worker *w, int fd, unsigned long request, void *buf, size_t len);

/* map.c */
uint8_t *fuzz_slot_at(struct world *world, uint32_t i);
/* Some bytes of the arena, mapped or not. */
uint8_t *fuzz_some_address(struct worker *w);
/* memcpy() that survives SIGSEGV. Return: false: it came. */
bool fuzz_copy(void *to, const void *from, size_t len);
void fuzz_catch_signals(void);

/* main.c */
void fuzz_run_one(struct worker *w);
uint64_t fuzz_now_ms(void);
/* Ends the program: something is wrong with the driver. */
__attribute__((noreturn)) void fuzz_found(const char *what);

/* walk.c: every call once, in a good order. Return: how many were refused. */
int fuzz_walk(struct world *world, bool is_quiet);

#endif

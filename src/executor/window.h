/* SPDX-License-Identifier: MIT */
/*
 * The session's window: one reserved range of addresses, with the granted segments mapped into it at their offsets.
 * That of a guest is a range of the device's aperture, mapped as a whole and for good, and so is the shared window; segments
 * are entries of the table alone then.
 *
 * A segment counts its uses: every host object or running command that points into it holds one.  It is unmapped only
 * when the device process asked for that, the count is 0 and the named ring has been read far enough.
 */
#ifndef EXECUTOR_WINDOW_H
#define EXECUTOR_WINDOW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tranche/error.h"
#include "tranche/wire/executor.h"

struct exec_window;

struct exec_segment {
	struct exec_window *window;
	uint64_t offset, size;
	uint32_t kind;	 /* enum trnc_segment_kind */
	uint8_t *addr;	 /* NULL: the mapping failed; nothing in it can be used */
	uint32_t uses;	 /* under window->lock */
	bool unmap_wanted; /* the fields below are set; control thread only */
	uint64_t unmap_id;
	uint32_t unmap_context;
	uint64_t unmap_after;
};

struct exec_window {
	pthread_mutex_t lock; /* protects the table and the counts */
	uint8_t *base;	      /* NULL: no range could be reserved, segments stand anywhere */
	uint64_t size;
	bool is_guest;
	uint8_t *shared; /* the shared window, at offsets from TRNC_SHARED_WINDOW on; NULL: there is none */
	uint64_t shared_size;
	bool svm; /* base is where the client asked for it, and kernels may be given pointers into it */
	struct exec_segment **segments; /* sorted by offset; owned */
	size_t nr_segments, cap_segments;
	_Atomic uint64_t seq;	     /* newest control_seq that was seen */
	_Atomic uint32_t nr_unmaps;  /* wanted and not done */
	int kick_fd;		     /* eventfd: look at the wanted unmaps again; not owned */
};

/* Reserves the range. Never fails: without one, segments are mapped anywhere. @kick_fd: as above. */
void exec_window_init(struct exec_window *w, uint64_t base, uint64_t size, int kick_fd);

/* The same for a guest (struct trnc_exec_setup): maps its range of the aperture, and the shared window.  The descriptor is not
 * needed afterwards. Return: 0 or -errno with a sentence. */
int exec_window_init_guest(struct exec_window *w, const struct trnc_exec_setup *s, int aperture, int kick_fd,
			   struct trn_error *err);

/* Takes in what the device process granted; the number is seen even if that fails. @fd: of the segment; -1 for a guest.
 * Return: 0 or -errno. */
int exec_window_map(struct exec_window *w, const struct trnc_exec_segment_map *map, int fd);

/* The segment of that kind that holds [offset, offset + size), with one more use; NULL when there is none.
 * *ret_addr: the first byte. Any thread. */
struct exec_segment *exec_window_get(struct exec_window *w, uint32_t kind, uint64_t offset, uint64_t size,
				     void **ret_addr);
/* Is it an address that a client may name: in the window of a session with SVM, with memory there or not? */
bool exec_window_has_address(const struct exec_window *w, uint64_t address);
/* The opposite of get. Accepts NULL. Any thread. */
void exec_window_put(struct exec_segment *seg);

/* Marks a segment for unmapping. Return: 0, -ENOENT, -EALREADY. Control thread. */
int exec_window_want_unmap(struct exec_window *w, const struct trnc_segment_destroy *d, uint64_t id);

/* Takes one wanted segment out of the window if passed(arg, context, position) holds, and unmaps it.
 * Return: true and the message's id, or false when none can go now. Control thread. */
bool exec_window_reap(struct exec_window *w, bool (*passed)(void *arg, uint32_t context, uint64_t pos), void *arg,
		      uint64_t *ret_id);

/* Wakes the control thread if segments wait to be unmapped. Any thread. */
void exec_window_kick(struct exec_window *w);

#endif

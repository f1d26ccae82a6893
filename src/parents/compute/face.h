/* SPDX-License-Identifier: MIT */
/*
 * The face of a compute device for a guest: registers, control rings, sessions in slots, and the memory behind them
 * (include/tranche/wire/compute_pci.h).
 *
 * Two kinds of threads: those of the server, which call for accesses of registers and resets with the PCI device's lock
 * held; and the loop's, to which all else belongs.  A register access never waits for the loop: it changes what stands
 * under "registers" below, wakes a sleeper by the table of bells, and rings for the loop.
 *
 * A reset counts the generation up, and that is all that the server's thread does.  The loop, which served another
 * generation, ends all sessions, and when they are gone empties the aperture and serves the new one.
 */
#ifndef PARENTS_COMPUTE_FACE_H
#define PARENTS_COMPUTE_FACE_H

#include <pthread.h>
#include <stdatomic.h>

#include "parents/compute/aperture.h"
#include "parents/compute/priv.h"
#include "tranche/pci.h"
#include "tranche/wire/compute_pci.h"

#define FACE_SESSIONS 64u
#define FACE_VECTORS 9u /* one for the device itself, and eight for sessions */
#define FACE_WINDOW_ALIGN (2ull << 20)
#define FACE_CONTROL_SIZE (2u << 20)
#define FACE_PROBE_OFFSET (1u << 20)
#define FACE_PROBE_MAX (FACE_CONTROL_SIZE - FACE_PROBE_OFFSET)
#define FACE_REPLY_MAX (sizeof(struct trnc_msg) + sizeof(struct trnc_error_body))

struct compute_face;

enum compute_slot_state {
	SLOT_FREE,
	SLOT_OPEN,
	SLOT_LOST,    /* the guest was told, and has yet to close it */
	SLOT_CLOSING, /* "end" is sent when nothing is left */
};

/* A session of the guest's.  The slot is taken until its window is clean. */
struct compute_slot {
	struct compute_job job; /* empties the window */
	struct compute_face *face;
	struct compute_session *session; /* not NULL while the slot is not free */
	enum compute_slot_state state;
	bool is_emptying, is_empty;
	uint64_t features;
	uint64_t window, window_size;
	uint32_t vector;
	int event_fd; /* the executor asks for the guest's kernel to be woken */
	sd_event_source *event;
	size_t end_len;
	uint8_t end[FACE_REPLY_MAX]; /* the last reply */
};

/* Where sleepers of the host's side wait, by session and context (0: for room for text). */
struct compute_bells {
	pthread_mutex_t lock;
	_Atomic uint32_t *words[FACE_SESSIONS + 1][TRNC_MAX_CONTEXTS + 1];
};

struct compute_registers {
	uint32_t status;
	uint32_t generation;
	uint32_t driver_version;
	uint64_t driver_features;
	uint32_t probe_len;
	uint64_t quota;
};

struct compute_face {
	struct compute_device *device;
	struct trn_pci *pci;
	struct compute_aperture aperture;
	uint8_t *memory; /* the whole aperture */
	uint64_t features;
	uint64_t nonce;
	uint8_t luid[16], uuid[16];
	uint64_t shared_offset, shared_size, windows_offset, window_size;

	struct compute_registers regs; /* under the PCI device's lock ... */
	uint64_t failed_ns;	       /* ... and when the guest's last broken rule was told of; 0: never */
	struct compute_bells bells;
	_Atomic uint64_t traps, doorbells, interrupts;
	int kick; /* eventfd, rung for the loop */

	/* The loop's. */
	sd_event_source *kicked;
	sd_event_source *again;	  /* looks at a full ring of replies once more */
	uint32_t served;	  /* generation: the aperture is, or was, clean for it */
	bool is_over;		  /* what was served has ended, by a reset or a broken rule */
	bool is_reset;		  /* by a reset: nobody has anything in the aperture any more */
	bool is_cleaning;
	bool is_clean;		  /* the last cleaning came to its end */
	uint32_t cleaning;	  /* for that generation */
	struct compute_job clean; /* empties all */
	struct compute_slot slots[FACE_SESSIONS + 1]; /* by number, from 1 */
	uint64_t request_consumer, reply_producer, reply_consumer;
	struct base_list replies; /* that the ring has no room for */
	unsigned int nr_replies;
	unsigned int nr_open; /* requests that were taken and are not answered */
	struct base_list shared; /* ranges of the shared window, in no order */
	unsigned int nr_shared;
};

/* --- face.c --- */

/* How large things are, by the quota; ret: only sizes and offsets. Return: bytes of the aperture. */
uint64_t compute_face_size(const struct compute_config *config, uint64_t quota, struct compute_face *ret);
/* The tmpfs's size. */
uint64_t compute_face_room(uint64_t quota);

/* --- face_regs.c: called with the PCI device's lock held, from any thread --- */

int compute_face_rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write);
void compute_face_reset(struct trn_pci *pci);
/* From the loop or a server's thread, without the lock. */
void compute_face_ring_loop(const struct compute_face *f);
/* STATUS gets these bits, and the guest an interrupt. */
void compute_face_raise(struct compute_face *f, uint32_t bits);
/* STATUS loses these bits, and the guest hears of that, too. */
void compute_face_lower(struct compute_face *f, uint32_t bits);
/* The guest has broken a rule; what is wrong is for our log. */
void compute_face_fail(struct compute_face *f, const char *what);
/* Fires, if the guest still is the one that is served. */
void compute_face_fire(struct compute_face *f, uint32_t vector);
/* The driver's choice. */
uint64_t compute_face_driver_features(const struct compute_face *f);

/* --- face_work.c: the loop's part --- */

int compute_face_work_init(struct compute_face *f, struct trn_error *err);
/* Looks at what has changed. */
void compute_face_work(struct compute_face *f);
/* Empties the aperture for the first guest. */
int compute_face_prepare(struct compute_face *f, struct trn_error *err);

/* --- face_bells.c --- */

void compute_bells_set(struct compute_bells *b, uint32_t session, uint32_t context, void *word);
void compute_bells_forget(struct compute_bells *b);
void compute_bells_ring(struct compute_bells *b, uint32_t session, uint32_t context);

/* --- face_ring.c: the control rings --- */

/* Takes what requests there are, as far as replies have room. */
void compute_ring_work(struct compute_face *f);
/* A reply, or SESSION_LOST. */
void compute_ring_send(struct compute_face *f, uint32_t session, const void *packet, size_t len);
void compute_ring_refuse(struct compute_face *f, uint32_t session, const struct trnc_msg *m, const struct trn_error *err);
/* All is forgotten. */
void compute_ring_clear(struct compute_face *f);

/* --- face_slots.c: sessions --- */

void compute_slots_init(struct compute_face *f);
/* m and body were copied, and len is right as far as that can be said. */
void compute_slot_handle(struct compute_face *f, uint32_t number, const struct trnc_msg *m, const void *body);
static inline uint32_t compute_slot_number(const struct compute_slot *slot)
{
	return (uint32_t)(slot - slot->face->slots);
}

/* --- face_shared.c: the shared window --- */

/* Of session 0. */
void compute_shared_handle(struct compute_face *f, const struct trnc_msg *m, const void *body);
/* Of a session. */
void compute_shared_handle_attach(struct compute_session *s, const struct trnc_msg *m, const void *body);
void compute_shared_handle_detach(struct compute_session *s, const struct trnc_msg *m, const void *body);
/* Nothing is left of them. */
void compute_shared_clear(struct compute_face *f);

#endif

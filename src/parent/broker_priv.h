/* SPDX-License-Identifier: MIT */
/*
 * Inside of the broker.  An executor's socket is a peer; what it asks for is an ask; all asks for one key that is not in
 * the store share one job.  A peer that goes takes its asks along, and a job without asks is ended.
 */
#ifndef PARENT_BROKER_PRIV_H
#define PARENT_BROKER_PRIV_H

#include "base/list.h"
#include "parent/broker.h"
#include "parent/work.h"

/* The body of a COMPILE as it came: head, variants (none), request. */
struct broker_order {
	unsigned int refs;
	bool is_guest; /* of its peer */
	size_t len;
	struct trnc_broker_compile head; /* the first bytes */
	uint8_t rest[];
};

struct broker_order *broker_order_unref(struct broker_order *o); /* returns NULL */

struct broker_job {
	struct base_list node;
	struct base_list asks;
	struct parent_work work;
	struct broker_order *order;
	struct parent_broker *broker;
	pid_t pid; /* 0: it waits its turn, or is done */
	uint64_t tag; /* of the peer that it was started for */
	int sock;
	sd_event_source *io;
	struct parent_built built;
	uint32_t expected; /* files */
	bool is_answered;  /* built is all there; the worker still writes it down */
	bool has_failed;   /* nothing came of it; the worker still tidies up */
};

struct broker_ask {
	struct base_list node; /* of the job */
	struct broker_peer *peer;
	uint64_t id;
	size_t len; /* of the request */
};

/* What a peer asked for lately, by the id of its message: for TRNC_BROKER_USED. */
struct broker_memory {
	uint64_t id;
	struct broker_order *order;
};

struct broker_peer {
	struct base_list node;
	struct parent_broker *broker;
	int sock;
	uint64_t tag; /* of parent_broker_open() */
	bool is_guest;
	sd_event_source *io;
	unsigned int nr_asks;
	uint64_t asked_bytes; /* requests of its asks */
	bool is_cut; /* it gets no more answers, and goes */

	/* the message that is coming in */
	struct trnc_msg head;
	size_t got; /* of head and body */
	uint8_t *body;
	size_t body_cap;

	struct base_list out; /* of struct broker_packet */
	unsigned int out_fds;
	uint64_t out_bytes; /* of files, too */
	struct broker_memory memory[TRNC_BROKER_REMEMBERED];
	uint32_t next_memory;
	uint64_t memory_bytes;
};

/* Bytes that wait to be sent, with at most one descriptor. */
struct broker_packet {
	struct base_list node;
	int fd; /* owned; -1: none */
	uint64_t cost; /* in out_bytes */
	size_t len, done;
	uint8_t data[];
};

/* Work-group functions to make for a program, when nobody has work. */
struct broker_chore {
	struct base_list node;
	struct broker_order *order;
	struct parent_work work;
	uint32_t nr_variants;
	struct trnc_broker_variant variants[TRNC_BROKER_MAX_VARIANTS];
};

struct parent_broker {
	const struct parent_process *process;
	struct parent_store *store; /* or NULL */
	struct parent_store *scratch; /* where helpers work: store, or one in TMPDIR; or NULL */
	struct parent_key host;
	bool knows_host, is_host_known;
	bool outlives;	/* the device process: there is something to do */
	bool is_ending; /* nothing new is begun for anybody */
	struct base_list peers;
	struct base_list jobs; /* in the order of their asking */
	unsigned int nr_running, max_running;
	unsigned int out_fds, max_out_fds; /* descriptors that wait to be sent, to all peers */
	struct trnc_parent_counts counts;
	struct base_list chores;
	sd_event_source *chore_timer;
	pid_t chore_pid; /* 0: none runs */
	int chore_sock;
	sd_event_source *chore_io;
};

/* --- peer.c --- */

void broker_peer_open(struct parent_broker *b, int sock, uint64_t tag, bool is_guest);
void broker_peer_close(struct broker_peer *p);
void broker_peer_answer(struct broker_peer *p, uint64_t id, const struct parent_built *b, uint32_t flags);
void broker_peer_refuse(struct broker_peer *p, uint64_t id, int error, const char *why);

/* All of them. */
void broker_close_peers(struct parent_broker *b);

/* --- jobs.c --- */

/* A peer's COMPILE. */
void broker_compile(struct broker_peer *p, uint64_t id, struct broker_order *order);
/* A peer is going. */
void broker_forget_asks(struct broker_peer *p);
void broker_end_job(struct broker_job *j);
/* Is one on its way to the store? */
bool broker_is_building(const struct parent_broker *b, const struct parent_key *key);

/* --- chores.c --- */

void broker_used(struct parent_broker *b, const struct broker_order *order, const struct trnc_broker_variant *variants,
		 uint32_t nr);
/* A program was answered from the store: what its entry still lacks is made now. */
void broker_found(struct parent_broker *b, const struct broker_order *order, const struct parent_key *key);
/* What waits for a job, or for more of its kind, is begun. */
void broker_go_on(struct parent_broker *b);
/* What is left is remembered in the store. */
void broker_end_chores(struct parent_broker *b);

/* --- broker.c --- */

/* One more program was compiled, or found in the store, for the executor of that tag: its device process is told. */
void broker_count(struct parent_broker *b, uint64_t tag, bool is_stored);
/* So much CPU time went into compiling for it. */
void broker_count_time(struct parent_broker *b, uint64_t tag, uint64_t cpu_ns);

/* The request that an order holds, and its key. Return: 0 or -errno. */
int broker_find_key(struct parent_broker *b, const struct broker_order *o, uint32_t device, struct parent_key *ret,
		    struct parent_fate *ret_fate);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * How long launches take, by measured runs.  Pure: knows no OpenCL.
 *
 * A route is a kernel with sizes; each set of values that it was launched with has a record of its own, because a value
 * may well be the number of rounds.  A set is believed to be short after some short runs; a route, for sets that were
 * never seen, after some different sets were all short.  A run that takes long ends the belief, and makes the next one
 * harder to get.
 */
#ifndef EXECUTOR_ROUTE_H
#define EXECUTOR_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

/* A launch is short that took the host's workers less than this. */
#define EXEC_SHORT_NS 50000u
/* One that took the ring's thread more was not: the workers may be several. */
#define EXEC_OVERRUN_NS (2 * EXEC_SHORT_NS)

struct exec_route_key {
	uint64_t global[3], local[3]; /* local 0: the host chooses */
	uint32_t dims;
	uint32_t has_offset;
};

/* For how long a belief lasts. */
struct exec_belief {
	uint16_t nr_short; /* in a row */
	uint16_t needed;   /* so many make a belief; twice as many after each disappointment */
	uint32_t nr_right; /* runs since the last one; many make up for it */
	uint32_t nr_asked; /* launches that were not believed to be short */
};

#define EXEC_ROUTE_SETS 8u

struct exec_route {
	struct exec_route_key key;
	uint64_t serial; /* a route whose place was given to another one has another number */
	struct exec_belief any; /* counts sets */
	struct exec_route_set {
		uint64_t values; /* hash */
		struct exec_belief belief;
	} sets[EXEC_ROUTE_SETS];
	uint32_t nr_sets, next_set;
	uint32_t nr_excused; /* long runs in a row that the machine may have made long */
	uint32_t variant; /* of the caller (quick.c); 0: not looked for */
};

#define EXEC_MAX_ROUTES 64u

/* Of one kernel. */
struct exec_routes {
	uint64_t serial;
	uint32_t nr, next, latest;
	struct exec_route list[EXEC_MAX_ROUTES];
};

/* The route with that key, a new one if need be: the oldest one makes room. */
struct exec_route *exec_routes_get(struct exec_routes *r, const struct exec_route_key *key);

/* Will a launch with these values be short? */
bool exec_route_is_short(const struct exec_route *r, uint64_t values);

/* Is a launch that is not believed to be short worth measuring? Counts it. */
bool exec_route_wants_measure(struct exec_route *r, uint64_t values);

/* A launch with these values was short, or it was not. */
void exec_route_report(struct exec_route *r, uint64_t values, bool is_short);

/* A launch took the host's workers long, who may have been kept waiting by others: half of the belief goes. */
void exec_route_doubt(struct exec_route *r, uint64_t values);

#endif

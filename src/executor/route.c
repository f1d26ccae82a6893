/* SPDX-License-Identifier: MIT */
#include "executor/route.h"

#include <string.h>

#define NEEDED 2u      /* short runs of one set */
#define NEEDED_SETS 4u /* sets of one route */
#define NEEDED_MAX 64u
/* So many right guesses make up for wrong ones. */
#define RIGHT 256u
/* Launches of what is long are all measured at first, then one of so many. */
#define MEASURED_ALL 8u
#define MEASURED_ONE_OF 32u

struct exec_route *exec_routes_get(struct exec_routes *r, const struct exec_route_key *key)
{
	struct exec_route *route;

	if (r->nr && memcmp(&r->list[r->latest].key, key, sizeof(*key)) == 0)
		return &r->list[r->latest];
	for (uint32_t i = 0; i < r->nr; i++)
		if (memcmp(&r->list[i].key, key, sizeof(*key)) == 0) {
			r->latest = i;
			return &r->list[i];
		}
	if (r->nr < EXEC_MAX_ROUTES)
		r->latest = r->nr++;
	else
		r->latest = r->next++ % EXEC_MAX_ROUTES;
	route = &r->list[r->latest];
	*route = (struct exec_route){ .key = *key, .serial = ++r->serial, .any.needed = NEEDED_SETS };
	return route;
}

static const struct exec_route_set *find_set(const struct exec_route *r, uint64_t values)
{
	for (uint32_t i = 0; i < r->nr_sets; i++)
		if (r->sets[i].values == values)
			return &r->sets[i];
	return NULL;
}

/* Sets that were short give way first: of the others it must be known that they were not. */
static struct exec_route_set *add_set(struct exec_route *r, uint64_t values)
{
	struct exec_route_set *set;

	if (r->nr_sets < EXEC_ROUTE_SETS) {
		set = &r->sets[r->nr_sets++];
	} else {
		set = &r->sets[r->next_set++ % EXEC_ROUTE_SETS];
		for (uint32_t i = 0; i < EXEC_ROUTE_SETS && set->belief.nr_short == 0; i++)
			set = &r->sets[r->next_set++ % EXEC_ROUTE_SETS];
	}
	*set = (struct exec_route_set){ .values = values, .belief.needed = NEEDED };
	return set;
}

static struct exec_route_set *get_set(struct exec_route *r, uint64_t values)
{
	const struct exec_route_set *set = find_set(r, values);

	return set ? &r->sets[set - r->sets] : add_set(r, values);
}

static bool is_belief(const struct exec_belief *b)
{
	return b->nr_short >= b->needed;
}

bool exec_route_is_short(const struct exec_route *r, uint64_t values)
{
	const struct exec_route_set *set = find_set(r, values);

	if (!set)
		return is_belief(&r->any);
	return is_belief(&set->belief) || (set->belief.nr_short && is_belief(&r->any));
}

bool exec_route_wants_measure(struct exec_route *r, uint64_t values)
{
	struct exec_belief *b = &get_set(r, values)->belief;

	return b->nr_asked++ < MEASURED_ALL || b->nr_asked % MEASURED_ONE_OF == 0;
}

static void disappoint(struct exec_belief *b)
{
	if (is_belief(b) && b->needed < NEEDED_MAX)
		b->needed *= 2;
	b->nr_short = 0;
	b->nr_right = 0;
}

static void confirm(struct exec_belief *b, uint16_t needed)
{
	if (b->nr_short < UINT16_MAX)
		b->nr_short++;
	if (++b->nr_right < RIGHT)
		return;
	b->needed = needed;
	b->nr_right = 0;
}

void exec_route_report(struct exec_route *r, uint64_t values, bool is_short)
{
	struct exec_route_set *set = get_set(r, values);

	if (!is_short) {
		set->belief.nr_asked = 0;
		disappoint(&set->belief);
		disappoint(&r->any);
		return;
	}
	if (set->belief.nr_short == 0)
		confirm(&r->any, NEEDED_SETS);
	confirm(&set->belief, NEEDED);
}

void exec_route_doubt(struct exec_route *r, uint64_t values)
{
	struct exec_belief *b = &get_set(r, values)->belief;

	b->nr_short /= 2;
	r->any.nr_short /= 2;
	if (b->nr_short)
		b->nr_asked = 0;
}

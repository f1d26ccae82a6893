/* SPDX-License-Identifier: MIT */
/* tranche events: follows all changes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#define FIRST_PAUSE_NS 62500000
#define MOST_PAUSE_NS 500000000

static const struct ctl_option options[] = {
	{ CTL_SINCE, "since", "SEQ", "first those after this number, as far as they are kept" },
	{ 'n', "count", "N", "end after so many" },
	{ CTL_NO_RECONNECT, "no-reconnect", NULL, "end when tranched does" },
	{ 0 },
};

struct follow {
	struct ctl *c;
	long left;	   /* -1: without end */
	uint64_t last;	   /* number of the last one */
	bool has_begun;	   /* the stream was open once */
	bool is_interrupted;
};

static void print_line(uint64_t seq, const char *kind, json_t *what)
{
	const char *uuid = ctl_text_of(what, "uuid"), *state = ctl_text_of(what, "state"), *why = ctl_text_of(what, "why");
	const char *type = ctl_text_of(what, "type"), *parent = ctl_text_of(what, "parent");
	time_t now = time(NULL);
	struct tm tm = { 0 };
	char clock[16] = "";

	if (localtime_r(&now, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	printf("%s  %-6" PRIu64 " %-18s %s", clock, seq, kind, *uuid ? uuid : ctl_text_of(what, "name"));
	if (*type)
		printf("  %s on %s", type, parent);
	if (*state)
		printf("  %s", state);
	if (*why)
		printf("  (%s)", why);
	putchar('\n');
}

static int print_event(void *data, uint64_t seq, const char *kind, json_t *what)
{
	struct follow *f = data;
	int r;

	if (!kind) {
		if (f->is_interrupted)
			log_warning("connected to tranched again");
		f->has_begun = true;
		f->is_interrupted = false;
		return 0;
	}
	f->last = seq;
	if (ctl_has(f->c, CTL_JSON)) {
		json_t *line = json_pack("{s:I, s:s, s:O}", "seq", (json_int_t)seq, "kind", kind, "what", what ? what : json_null());

		json_dumpf(line, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(line);
	} else {
		print_line(seq, kind, what);
	}
	r = ctl_flush(f->c);
	if (r < 0)
		return r;
	return f->left > 0 && --f->left == 0;
}

/* Return: it may come back. */
static bool is_lost(const struct follow *f)
{
	const struct trn_error *err = &f->c->err;

	return f->has_begun && (err->code == -ECONNRESET || api_is_no_daemon(err) ||
				(err->code == -EAGAIN && err->name && (!strcmp(err->name, "NotReady") || !strcmp(err->name, "TooBusy"))));
}

/* Until fn ends it.  One that was started anew counts from 1: it tells of a number that it does not know yet by a "reset". */
static int follow(struct follow *f)
{
	struct ctl *c = f->c;
	struct timespec pause = { .tv_nsec = FIRST_PAUSE_NS };
	int r;

	while ((r = api_events(c->api, f->last, print_event, f, &c->err)) < 0) {
		if (ctl_has(c, CTL_NO_RECONNECT) || !is_lost(f))
			return r;
		if (!f->is_interrupted) {
			log_warning("tranched at %s has ended; waiting for it to come back", api_socket(c->api));
			pause.tv_nsec = FIRST_PAUSE_NS;
		}
		f->is_interrupted = true;
		memset(&c->err, 0, sizeof(c->err));
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < MOST_PAUSE_NS)
			pause.tv_nsec *= 2;
	}
	return r;
}

static int parse_number(struct ctl *c, int id, const char *what, long *ret)
{
	const char *text = ctl_value(c, id);
	char *end;

	if (!text)
		return 0;
	*ret = strtol(text, &end, 10);
	return end == text || *end || *ret < 1 ? ctl_usage(c, "--%s wants a number from 1 on, not \"%.60s\"", what, text) : 0;
}

static int verb_events(struct ctl *c)
{
	struct follow f = { .c = c, .left = -1 };
	long since = 0;
	int r = parse_number(c, 'n', "count", &f.left);

	if (r == 0)
		r = parse_number(c, CTL_SINCE, "since", &since);
	if (r == 0)
		r = ctl_open(c);
	if (r)
		return r;
	f.last = (uint64_t)since;
	r = follow(&f);
	return r > 0 ? 0 : r; /* 1: that were all */
}

const struct ctl_verb ctl_verb_events = {
	.name = "events",
	.words = "",
	.summary = "follow all changes, a line each",
	.options = options,
	.run = verb_events,
};

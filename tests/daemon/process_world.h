/* SPDX-License-Identifier: MIT */
/* What tests of tranched's processes share: a runtime directory, an event loop, fakes for the programs, and who listens to a device. */
#ifndef PROCESS_WORLD_H
#define PROCESS_WORLD_H

#include "unit.h"

#include "daemon/process_priv.h"

#define UUID1 "11111111-2222-4333-8444-555555555501"
#define UUID2 "11111111-2222-4333-8444-555555555502"

struct world {
	sd_event *event;
	struct daemon_config config;
	struct daemon_processes *ps;
	char dir[64];
	char store[16];
};

/* What one device has told. */
struct told {
	struct daemon_process *process;
	unsigned int readies, faileds, changeds, endeds, dones, stats, holders, silences, answers;
	struct trnc_control_hello hello;
	struct trn_error why;  /* of failed, ended */
	struct trn_error done; /* of the last request */
	char names[256];
	unsigned int total;
};

extern const struct daemon_process_events world_events;

void world_create(struct world *w);
/* A new tranched over the same folder: what the last one has started goes on. */
void world_reopen(struct world *w);
void world_destroy(struct world *w);
/* Runs the loop until *what is n, or fails after some seconds. */
void world_wait(struct world *w, const unsigned int *what, unsigned int n);
/* Runs it for so long. */
void world_run(struct world *w, uint64_t ms);
/* mode: of tests/daemon/fake_device.py. */
int world_try_start(struct world *w, const char *uuid, const char *mode, struct told *t, struct trn_error *err);
void world_start(struct world *w, const char *uuid, const char *mode, struct told *t);
/* Started, ready, confirmed. */
void world_start_confirmed(struct world *w, const char *uuid, const char *mode, struct told *t);
void world_done(void *data, const struct trn_error *err);
/* Is there something of that name in the runtime directory? */
bool world_has(struct world *w, const char *name);
/* A child that is a tranched by itself: runs fn, then waits to be killed; -9 it gets. Return: when it is gone. */
void world_killed_daemon(struct world *w, void (*fn)(struct world *w));

#endif

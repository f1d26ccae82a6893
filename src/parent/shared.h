/* SPDX-License-Identifier: MIT */
/*
 * Inside of a tranche-parent that listens.
 *
 *   hub      the process: its socket, and all below
 *   link     a connection; of a device process after JOIN, of a manager after MANAGE
 *   member   a device that has joined: its promises and its accounts
 *   runner   an executor: our child, until it is reaped; of a member, until that leaves
 */
#ifndef PARENT_SHARED_H
#define PARENT_SHARED_H

#include "base/list.h"
#include "parent/broker.h"
#include "parent/parent.h"
#include "parent/share.h"
#include "tranche/wire/gate.h"

struct parent_gate;
struct parent_cgroups;
struct parent_cgroup;

enum parent_link_kind { PARENT_LINK_NEW, PARENT_LINK_DEVICE, PARENT_LINK_MANAGER };

struct parent_link {
	struct base_list node;
	struct parent_hub *hub;
	int sock;
	sd_event_source *io;
	enum parent_link_kind kind;
	struct parent_member *member; /* of a DEVICE */
	bool is_cut;		      /* closed when its event is over */
};

struct parent_member {
	struct base_list node;
	struct parent_hub *hub;
	struct parent_link *link;
	uint8_t uuid[16];
	char name[37];
	uint64_t memory;
	struct parent_share share; /* with the time promised */
	struct parent_cgroup *group; /* or NULL */
	struct trnc_parent_counts counts;
	uint64_t ended_ns; /* CPU time of executors that have ended, and of what they left behind */
	uint64_t wait_ns, longest_wait_ns, slices, stops;
	uint64_t waits_since; /* 0: it does not wait */
	uint64_t last_turn;   /* tag of the runner that had it */
};

struct parent_runner {
	struct base_list node;
	struct parent_hub *hub;
	struct parent_member *member; /* NULL: it has left */
	uint64_t tag;
	uint64_t id; /* of the START */
	pid_t pid;
	int pidfd;
	sd_event_source *exit;
	struct trnc_gate *page; /* shared with it */
	struct parent_cgroup *group; /* or NULL */

	/* --- gate.c --- */
	uint32_t grant;	   /* what we have written: what stands in the page is anybody's */
	bool is_stopped;   /* SIGSTOP */
	bool wants;	   /* by its page, or by what it does */
	bool has_children;
	bool is_busy;	   /* it used the host device without a turn, when it was looked at last */
	bool is_bounded;   /* its page says more than that it is open, or closed */
	unsigned int suspect; /* turns for which it is stopped as soon as it overruns */
	unsigned int relapses, clean_turns; /* how often it was stopped again, and turns since it is no suspect */
	unsigned int messages; /* GATEs since the timer was there */
	uint64_t seen_ns;  /* CPU time that was looked at */
	uint64_t used_ns;  /* of the host device's time, between the last two looks */
	uint64_t slack_ns; /* of its turns: what no device used */
	uint64_t children_ns; /* of its children, at the last census */
	uint64_t watched_ns; /* seen_ns at the last watch */
	uint64_t overrun_ns; /* of the host device's time, without a turn */
	uint64_t believed_until; /* it uses the host device and does not say so: taken for one that wants */
};

struct parent_hub {
	struct parent_process *process;
	struct parent_listen_options options;
	int sock, lock;
	sd_event_source *accept;
	struct base_list links, members, runners;
	unsigned int nr_links;
	uint64_t last_tag;
	char *packet; /* PARENT_MAX_PACKET bytes */
	int probe;    /* the host device's record, or -1 */
	struct trnc_parent_probe probe_of;
	struct trnc_parent_counts counts;
	uint64_t left_ns; /* of the host device's time, used by members that have left */
	uint64_t busy_ns; /* by all, as it was told last */
	sd_event_source *idle; /* nobody is connected: its end */
	struct parent_gate *gate;
	struct parent_cgroups *cgroups; /* or NULL */
	bool is_ending;
};

/* --- link.c --- */

void parent_link_open(struct parent_hub *h, int sock);
void parent_link_close(struct parent_link *l);
/* One that does not read what it is told, or not at all, is cut off: its connection ends with the current event. */
void parent_link_reply(struct parent_link *l, const struct trnc_msg *m, const void *body, size_t len, int fd);
void parent_link_tell(struct parent_link *l, uint32_t type, uint64_t id, const void *body, size_t len);

/* A message with its descriptors, which stay the caller's. */
struct parent_message {
	struct trnc_msg head;
	char *packet; /* whole */
	const int *fds;
	size_t nr_fds;
};
/* Copies the body if it has just that length. Return: 0 or -errno with a sentence. */
int parent_message_body(const struct parent_message *m, void *ret, size_t len, size_t nr_fds, struct trn_error *err);

/* --- member.c: what a device process says. All return 0 or -errno with a sentence. --- */

int parent_member_join(struct parent_link *l, const struct parent_message *m, struct trn_error *err);
int parent_member_update(struct parent_link *l, const struct parent_message *m, struct trn_error *err);
int parent_member_probe(struct parent_link *l, const struct parent_message *m, struct trn_error *err);
void parent_member_leave(struct parent_member *d);
/* What all have been promised. */
uint64_t parent_member_memory_joined(const struct parent_hub *h);
uint32_t parent_member_time_joined(const struct parent_hub *h);

/* --- manager.c: what a manager says --- */

int parent_manager_manage(struct parent_link *l, const struct parent_message *m, struct trn_error *err);
int parent_manager_schedule(struct parent_link *l, const struct parent_message *m, struct trn_error *err);
int parent_manager_accounts(struct parent_link *l, const struct parent_message *m, struct trn_error *err);
int parent_manager_quit(struct parent_link *l, const struct parent_message *m, struct trn_error *err);
/* What d has used so far. */
void parent_manager_account(const struct parent_hub *h, const struct parent_member *d, struct trnc_parent_account *ret);

/* --- listen.c --- */

/* Somebody has connected, or closed the connection: without any it ends after --linger. */
void parent_hub_note_links(struct parent_hub *h);

/* --- runner.c --- */

int parent_runner_start(struct parent_link *l, const struct parent_message *m, struct trn_error *err);
struct parent_runner *parent_runner_find(const struct parent_hub *h, uint64_t tag);
uint64_t parent_runner_cpu_ns(const struct parent_runner *r);
void parent_runner_kill(struct parent_runner *r);
/* Kills and reaps what executors have left behind: our children that nobody knows. */
void parent_runner_sweep(struct parent_hub *h);
/* All of them, now. */
void parent_runner_end_all(struct parent_hub *h);

/* --- gate.c --- */

int parent_gate_create(struct parent_hub *h, struct parent_gate **ret);
void parent_gate_destroy(struct parent_gate *g);
struct parent_schedule *parent_gate_schedule(struct parent_gate *g);
/* SCHEDULE; slice_us 0: as it is. */
void parent_gate_set(struct parent_gate *g, uint32_t policy, uint32_t slice_us);
/* Promises, members or what they say has changed: looks at everybody. */
void parent_gate_settle(struct parent_gate *g);
/* Its page. Return: the descriptor for the executor, or -errno. */
int parent_gate_make_page(struct parent_gate *g, struct parent_runner *r);
/* It runs from now on; before it is let go. */
void parent_gate_add(struct parent_gate *g, struct parent_runner *r);
/* It does not run any more, or is not its member's. */
void parent_gate_remove(struct parent_gate *g, struct parent_runner *r);
void parent_gate_leave(struct parent_gate *g, struct parent_member *d);
void parent_gate_account(struct parent_gate *g, const struct parent_member *d, struct trnc_parent_account *ret);

/* --- cgroup.c --- */

/* Where we may have groups of our own; NULL: nowhere. */
struct parent_cgroups *parent_cgroups_open(const char *name);
void parent_cgroups_close(struct parent_cgroups *c);
/* NULL: there is none. */
struct parent_cgroup *parent_cgroup_make(struct parent_cgroups *c, const char *device, uint64_t memory);
void parent_cgroup_set(struct parent_cgroup *g, uint64_t memory);
void parent_cgroup_add(const struct parent_cgroup *g, pid_t pid);
/* Of the device, and of each of its executors until that is reaped: the last one removes it. NULL is accepted. */
struct parent_cgroup *parent_cgroup_ref(struct parent_cgroup *g);
void parent_cgroup_unref(struct parent_cgroup *g);

#endif

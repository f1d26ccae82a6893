/* SPDX-License-Identifier: MIT */
/*
 * What the files of process.h share.
 *
 * A link is one process that is known by its folder and its socket: how it is found, who it is, when it ends, and the requests
 * that wait for its answers.  Devices and tranche-parents are made of it.
 */
#ifndef DAEMON_PROCESS_PRIV_H
#define DAEMON_PROCESS_PRIV_H

#include <limits.h>
#include <sys/un.h>

#include "base/list.h"
#include "daemon/process.h"

#define DAEMON_SOCKET_PATH sizeof(((struct sockaddr_un *)NULL)->sun_path)
/* The longest answer: ACCOUNTS of all devices that one parent can have. */
#define DAEMON_REPLY_MAX \
	(sizeof(struct trnc_msg) + sizeof(struct trnc_parent_accounts) + TRNC_PARENT_MAX_DEVICES * sizeof(struct trnc_parent_account))
#define DAEMON_ANSWER_US (5 * 1000000ull) /* for what is answered at once; also how long HELLO may take */
#define DAEMON_MAX_NAMES 256

struct daemon_units; /* process_units.c */
struct daemon_unit_job;
struct daemon_adoption; /* process_adopt.c */

struct daemon_processes {
	sd_event *event;
	char *runtime_dir, *store;
	bool uses_systemd, is_user;
	bool gives_away; /* folders belong to the device processes' user, which is not ours */
	uid_t device_uid; /* whose processes may answer, besides root's */
	gid_t device_gid;
	int runtime_fd, devices_fd, parents_fd; /* folders */
	uint8_t boot_id[16];
	int inotify;
	sd_event_source *inotify_io;
	struct base_list links;
	struct base_list devices; /* daemon_process.node */
	struct base_list sharers; /* daemon_sharer.node */
	struct base_list probes;
	struct daemon_units *units; /* NULL: not asked for yet */
	struct daemon_adoption *adoption;
	char *names[DAEMON_MAX_NAMES]; /* of errors that came from elsewhere: struct trn_error wants them to stay */
	size_t nr_names;
	char device_path[PATH_MAX], parent_path[PATH_MAX], executor_path[PATH_MAX]; /* the programs */
	uint64_t probe_us; /* how long a probe may take */
	_Alignas(8) uint8_t reply[DAEMON_REPLY_MAX]; /* the packet that is looked at */
};

/* A pointer that stays, for trn_error.name; hostile text becomes "Refused". */
const char *daemon_processes_name(struct daemon_processes *ps, const char *name);

/* ------------------------------------------------------------ folders: process_folder.c */

/* Makes name below the folder parent_fd (RUNTIME/devices ...), for the user of the processes. Return: a descriptor, or -errno. */
int daemon_folder_make(struct daemon_processes *ps, int parent_fd, const char *name, struct trn_error *err);
/* Replaces a file at once (written under another name, renamed); it is not synced: the folder ends with the machine's run. */
int daemon_folder_write(struct daemon_processes *ps, int fd, const char *name, const char *text, size_t len, struct trn_error *err);
/* A regular file of at most max bytes, NUL-terminated; NULL: none, too long, or not to be read. */
char *daemon_folder_read(int fd, const char *name, size_t max, size_t *ret_len);
/* Does a process hold the file's lock? No such file: no. */
bool daemon_folder_is_locked(int fd, const char *name);
/* The process that the kernel lists as holder of the file's lock, as a pidfd; -ESRCH: none, or it cannot be told. */
int daemon_folder_find_holder(int fd, const char *name, pid_t *ret_pid);

/* A socket's name at which nobody listens any more. */
bool daemon_folder_is_dead_socket(const char *path);

/* Text of a start file: one argument a line. */
struct daemon_arguments {
	char *text;
	size_t len, cap;
	int r; /* first error */
};
void daemon_arguments_add(struct daemon_arguments *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ------------------------------------------------------------ processes: process_spawn.c */

/* The programs that belong to ours. */
void daemon_spawn_find(struct daemon_processes *ps);
/*
 * Starts program, detached from us: a session of its own, no descriptor of ours but stderr.  input (or /dev/null) becomes its
 * standard input, output (or /dev/null) its standard output.  Return: a pidfd of it, and its number; or -errno.
 */
int daemon_spawn(const char *program, char *const argv[], int input, int output, pid_t *ret_pid, struct trn_error *err);
/* Sends SIGKILL. */
void daemon_spawn_kill(int pidfd);

/* ------------------------------------------------------------ links: process_link.c */

struct daemon_link;
struct daemon_link_ops {
	/* A connection, to a process that may be at its end (user, number). */
	void (*connected)(struct daemon_link *l);
	/* A message that answers nothing. Return: 0, or -errno: the connection is broken. */
	int (*told)(struct daemon_link *l, const struct trnc_msg *msg, const void *body, size_t len);
	/* A request has waited too long / something has come after that.  Both may be NULL. */
	void (*silent)(struct daemon_link *l);
	void (*heard)(struct daemon_link *l);
	/* No connection any more; all requests were answered. */
	void (*broken)(struct daemon_link *l, const struct trn_error *why);
	/* The process has ended; all requests were answered. The link may be freed. */
	void (*ended)(struct daemon_link *l);
};

struct daemon_link {
	struct base_list node;
	struct daemon_processes *ps;
	const struct daemon_link_ops *ops;
	char socket[DAEMON_SOCKET_PATH];
	int folder;	  /* descriptor; the link's */
	int watch;	  /* of inotify; -1: none */
	const char *what; /* for messages: "device UUID", "tranche-parent NAME" */
	/* the process */
	pid_t pid; /* 0: not known */
	int pidfd;
	bool is_child, has_status;
	int exit_code, exit_status; /* si_code, si_status */
	sd_event_source *exit_io;
	/* the connection */
	int sock;
	sd_event_source *io, *retry, *limit;
	uint64_t retry_us;
	uint64_t next_id;
	struct base_list requests;
	unsigned int nr_requests;
	bool is_silent;	  /* silent() was called */
	bool was_refused; /* a broken answer was logged */
};

/* Takes folder over, also when it fails. what stays the caller's. */
int daemon_link_init(struct daemon_link *l, struct daemon_processes *ps, const struct daemon_link_ops *ops, const char *folder_path,
		     int folder, const char *socket_name, const char *what, struct trn_error *err);
void daemon_link_finish(struct daemon_link *l);
/* Watches the folder for the socket; before its process is started. */
int daemon_link_watch(struct daemon_link *l, struct trn_error *err);
/* Tries to connect in delay_us, and from then on until it is connected. */
void daemon_link_connect(struct daemon_link *l, uint64_t delay_us);
/* The process is this one, of which pidfd is taken over. */
int daemon_link_set_process(struct daemon_link *l, pid_t pid, int pidfd, bool is_child, struct trn_error *err);
/* Ends the connection: requests are answered with why. */
void daemon_link_disconnect(struct daemon_link *l, const struct trn_error *why);
void daemon_link_kill(struct daemon_link *l);
static inline bool daemon_link_is_connected(const struct daemon_link *l)
{
	return l->sock >= 0;
}
/* A timer of CLOCK_MONOTONIC: (re)armed. *source: NULL at first. */
int daemon_link_arm(struct daemon_processes *ps, sd_event_source **source, uint64_t delay_us, sd_event_time_handler_t fn, void *data);

/* A request that waits for its answer. */
struct daemon_process_request {
	struct base_list node;
	struct daemon_link *link;
	/* Exactly once; body: of a length that was asked for. */
	void (*answered)(struct daemon_process_request *r, const void *body, size_t len, const struct trn_error *err);
	union {
		daemon_process_done done;
		daemon_process_stats_done stats;
		daemon_process_holders_done holders;
		daemon_sharer_done info;
		daemon_accounts_done accounts;
	} fn;
	void *data;
	size_t min_reply, max_reply; /* bytes of the body */
	uint64_t deadline; /* 0: none */
	bool is_sent;
	bool is_over; /* its time was up: nobody waits */
	size_t len;
	_Alignas(8) uint8_t message[sizeof(struct trnc_msg) + 32];
};

struct daemon_link_call {
	uint32_t type;
	const void *body;
	size_t len;
	size_t min_reply, max_reply;
	bool has_no_limit; /* it may take as long as it likes */
	void (*answered)(struct daemon_process_request *r, const void *body, size_t len, const struct trn_error *err);
	void *data;
};
/* Queues a request. Return: 0, -ENOTCONN, -EAGAIN (too many wait), -ENOMEM. *ret: to fill in fn. */
int daemon_link_call(struct daemon_link *l, const struct daemon_link_call *call, struct daemon_process_request **ret);
/* A request without an answer. */
int daemon_link_tell(struct daemon_link *l, uint32_t type, const void *body, size_t len);

/* ------------------------------------------------------------ devices: process.c, process_control.c, process_adopt.c */

enum daemon_process_state {
	DAEMON_PROCESS_STARTING, /* until its HELLO was answered */
	DAEMON_PROCESS_ADOPTING, /* the same, of one that was there */
	DAEMON_PROCESS_KNOWN,	 /* the manager has it */
	DAEMON_PROCESS_UNWANTED, /* it ends, and nobody is told */
};

struct daemon_process {
	struct daemon_link link;
	struct base_list node;
	struct daemon_processes *ps;
	enum daemon_process_state state;
	char uuid[TRN_UUID_SIZE];
	char what[sizeof("device ") + TRN_UUID_SIZE];
	char face[DAEMON_SOCKET_PATH];
	const struct daemon_process_events *events;
	void *data;
	bool was_told;	/* KNOWN: ready() or found() with an answer */
	bool is_broken; /* its connection ended by itself: it is tried again */
	uint64_t again_us;
	struct trn_error why; /* why it is ended */
	sd_event_source *limit, *kill;
	struct daemon_unit_job *job;
	struct daemon_adoption *adoption; /* it is waited for */
	unsigned int tries; /* to kill it */
	unsigned int looks; /* adopting: how often its lock was asked for */
};

/* An entry of RUNTIME/devices with its folder; folder is taken over. */
int daemon_process_new(struct daemon_processes *ps, const char *uuid, int folder, struct daemon_process **ret, struct trn_error *err);
/* Frees it, its folder stays. */
void daemon_process_free(struct daemon_process *p);
struct daemon_process *daemon_process_find(struct daemon_processes *ps, const char *uuid);
/* Nothing of it runs any more: cleans up, tells, frees. */
void daemon_process_gone(struct daemon_process *p);
/* The same, after systemd was asked why, where nobody else can say it. */
void daemon_process_ended(struct daemon_process *p);
/* Ends it by force; gone() follows. The first why stays. */
void daemon_process_end(struct daemon_process *p, const struct trn_error *why);
static inline struct daemon_process *daemon_process_of(struct daemon_link *l)
{
	return base_container_of(l, struct daemon_process, link);
}
void daemon_process_broken(struct daemon_process *p, const struct trn_error *why);
/* Files of a device that is not there any more. */
void daemon_process_clean(struct daemon_processes *ps, const char *uuid);

extern const struct daemon_link_ops daemon_process_link_ops; /* process_control.c */
/* HELLO was answered by who it should be / not within its time, or the connection is lost. */
void daemon_process_greeted(struct daemon_process *p, const struct trnc_control_hello *hello);
void daemon_adopt_greeted(struct daemon_process *p, const struct trnc_control_hello *hello);
void daemon_adopt_forget(struct daemon_process *p);
void daemon_adopt_destroy(struct daemon_processes *ps);

/* ------------------------------------------------------------ units: process_units.c */

typedef void (*daemon_unit_done)(void *data, const struct trn_error *err);
/* done: when systemd's job is over. *ret: to forget it. Return: 0 or -errno, and done is not called. */
int daemon_unit_start(struct daemon_processes *ps, const char *unit, daemon_unit_done done, void *data, struct daemon_unit_job **ret,
		      struct trn_error *err);
int daemon_unit_stop(struct daemon_processes *ps, const char *unit, daemon_unit_done done, void *data, struct daemon_unit_job **ret,
		     struct trn_error *err);
/*
 * Asks how the unit's process has ended, before the unit is reset.  done's err: what systemd knows; NULL: nothing, or it does not
 * answer.  Return: 0 or -errno, and done is not called.
 */
int daemon_unit_ask_end(struct daemon_processes *ps, const char *unit, daemon_unit_done done, void *data,
			struct daemon_unit_job **ret);
/* A failed unit is forgotten by systemd; nothing is waited for. */
void daemon_unit_reset(struct daemon_processes *ps, const char *unit);
/* done is not called; NULL is accepted. */
void daemon_unit_forget(struct daemon_unit_job *job);
void daemon_units_destroy(struct daemon_processes *ps);

/* ------------------------------------------------------------ the rest */

/* ended.c: why the link's process ended: from the file "ended" in folder, else from the status. Return: one of them said it. */
bool daemon_ended_read(struct daemon_link *l, struct trn_error *ret);

/* sharer.c, probe.c: at the end of all. */
void daemon_sharers_destroy(struct daemon_processes *ps);
void daemon_probes_destroy(struct daemon_processes *ps);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The compute parent: devices whose face in process mode is a socket that speaks include/tranche/wire/compute.h.
 *
 * One thread: all functions here, and the driver's calls, run on the thread of the configured event loop.
 */
#ifndef PARENTS_COMPUTE_H
#define PARENTS_COMPUTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "tranche/mdev.h"

#define COMPUTE_MAX_SESSIONS 256u
#define COMPUTE_SERVICE_ALLOWANCE (256ull << 20) /* bytes of service memory a session; its client's blobs lie in it */

#define COMPUTE_SERVICE_OF_GUEST (1ull << 30)	 /* all sessions of a guest together */

/* A share of the host device's memory, for programs of this machine ("compute-memory", device_api "compute") ... */
#define COMPUTE_TYPE "compute-memory"
/* ... or for a virtual machine ("compute-pci", device_api "vfio-pci"). */
#define COMPUTE_TYPE_PCI "compute-pci"

struct compute_start {
	const char *path;    /* of tranche-executor */
	char *const *env;
	int sock;	     /* becomes TRNC_EXEC_FD */
};

/**
 * struct compute_config - what all devices of a parent share; must stay valid until the parent is released
 * @event:         the loop
 * @executor_path: of tranche-executor
 * @parent_socket: where a tranche-parent listens that all devices of the host device share: it starts the executors and
 *                 counts what devices have taken; NULL: none, each device has a process of its own for that
 * @forker_path:   of tranche-parent, which forks executors; NULL: none, each is started by itself
 * @forker_execs:  tranche-parent shall start @executor_path instead of being the executor itself
 * @keeps_spare:   an executor is kept ready for the next session, if there is a tranche-parent
 * @runtime_dir:   private folder in which sessions get their own folders; NULL: none is made (tests)
 * @host_device:   index over all devices of all platforms of the host's OpenCL
 * @no_quick:      short kernels, too, run on the host's workers
 * @owner:         who may connect besides root and the user of this process
 * @has_behind:    @behind says how much private memory an executor may have beside buffers; else there is a default
 * @behind:        in bytes; 0: no limit
 * @aperture:      size of BAR2 of a "compute-pci" in bytes, a power of two; 0: chosen by the quota
 * @takes_all:     no quota was chosen: it is what the host's device says of its memory, known with the first session
 * @start:         starts an executor in a process group of its own when no tranche-parent does; NULL: posix_spawn(). Return: 0 or -errno; a
 *                 *ret_pid of 0 means that there is no process to wait for (tests)
 * @idle:          called when the last session of a device is completely gone; may be NULL
 * @data:          for start and idle
 */
struct compute_config {
	sd_event *event;
	const char *executor_path;
	const char *parent_socket;
	const char *forker_path;
	bool forker_execs;
	bool keeps_spare;
	const char *runtime_dir;
	uint32_t host_device;
	bool no_quick;
	bool takes_all;
	uid_t owner;
	bool has_behind;
	uint64_t behind;
	uint64_t aperture;
	int (*start)(const struct compute_start *start, void *data, pid_t *ret_pid);
	void (*idle)(void *data);
	void *data;
};

/* Bytes of memory of this machine. */
uint64_t compute_host_memory(void);

/* Registers the parent; its capacity is the host's memory. The results are those of trn_parent_register(). */
int compute_parent_register(struct trn_core *core, const char *name, const struct compute_config *config,
			    struct trn_parent **ret, struct trn_error *err);

/* Takes over a connected socket: a session of the device, or a refusal that the peer is told. */
void compute_device_connect(struct trn_device *dev, int sock);

/* No further session will come: gives up what is kept ready for one. idle() may be called for that. */
void compute_device_retire(struct trn_device *dev);

/* Ends all sessions, each with a sentence; idle() is called when they are gone, also when there are none. */
void compute_device_stop(struct trn_device *dev);

/* Who asked the guest of a device to leave has given that up: it may stay, and the next one, too. Any device, any thread. */
void compute_device_let_stay(struct trn_device *dev);

/* Ends those that there are now, each with that sentence; others may come. */
void compute_device_lose_sessions(struct trn_device *dev, const struct trn_error *err);

/*
 * Gives the device another quota or share of time, which programs that run feel at once: they keep the size that they were
 * told, and get no more than the quota.  done is called once, perhaps before this returns, unless the device ends first; err
 * is NULL, or -EBUSY (more is in use), -ERANGE (more than the host's device has), -EAGAIN (its tranche-parent cannot be asked
 * now), or what trn_device_adjust() or tranche-parent refuses, and nothing was changed.  One at a time.
 */
void compute_device_set(struct trn_device *dev, const struct trn_resources *want,
			void (*done)(void *data, const struct trn_error *err), void *data);

/* Is nothing left of any session? */
bool compute_device_is_idle(struct trn_device *dev);

struct compute_stats {
	uint64_t sessions;	 /* so far */
	uint64_t sessions_now;
	uint64_t quota;		 /* bytes; 0: not known yet */
	uint64_t used;		 /* bytes of buffer memory now */
	uint64_t peak;		 /* bytes of buffer memory at most */
	uint64_t granted;	 /* bytes of buffer memory, all grants added up */
	uint64_t refused;	 /* grants that the quota did not allow */
	uint64_t compiled, stored; /* programs, as tranche-parent counts them */
	uint64_t behind;	 /* bytes of private memory of the executors, as measured in the last second */
	uint64_t executors_now;
	uint64_t executors_lost; /* ended on their own, or were ended for what they sent */
	uint64_t commands;	 /* as the executors counted them: for people, not for decisions */
	uint64_t cpu_ns;	 /* of executors that have ended, and of their children */
	uint64_t uptime_ns;
	uint64_t traps;		 /* of a guest: accesses of BAR0 ... */
	uint64_t doorbells;	 /* ... of which these were doorbells */
	uint64_t interrupts;	 /* fired for a guest */
};
void compute_device_get_stats(struct trn_device *dev, struct compute_stats *ret);

#endif

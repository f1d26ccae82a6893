/* SPDX-License-Identifier: MIT */
/*
 * Between "tranche run" and its device process, on a SOCK_SEQPACKET socket pair.  A request is one packet, its reply
 * (STATS only) another one.  When the socket closes without STOP, the command was killed: the device process takes no
 * new connection and ends with its last session.
 */
#ifndef TRANCHE_WIRE_RUN_H
#define TRANCHE_WIRE_RUN_H

#include "tranche/wire/compute.h"

enum trnc_run_what {
	TRNC_RUN_STATS = 1, /* reply: struct trnc_run_stats */
	TRNC_RUN_STOP = 2,  /* end all sessions, and yourself */
};

struct trnc_run_request {
	__u32 what;
	__u32 reserved; /* 0 */
};
TRNC_ASSERT_SIZE(trnc_run_request, 8);

struct trnc_run_stats {
	__u64 sessions;	      /* programs that connected */
	__u64 quota;	      /* bytes; 0 when nobody connected and none was given */
	__u64 peak;	      /* bytes of buffers at most */
	__u64 granted;	      /* bytes, all grants added up */
	__u64 refused;	      /* grants that the quota did not allow */
	__u64 executors_lost; /* crashed or killed */
	__u64 commands;	      /* as the executors counted them */
	__u64 cpu_ns;	      /* CPU time of all executors that have ended, compilers included */
	__u64 compiled;	      /* programs, by tranche-parent; once for each device of the host's that runs kernels */
	__u64 stored;	      /* and those that it had compiled before */
};
TRNC_ASSERT_SIZE(trnc_run_stats, 80);

#endif

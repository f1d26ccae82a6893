/* SPDX-License-Identifier: MIT */
/*
 * The time gate: a page that tranche-parent and one executor share.  An executor gives commands to the host's OpenCL only
 * while its gate is open.  That it does so honestly makes shares cheap and exact, nothing depends on it: what an executor
 * used is read from outside, by its clock, and one that runs without being let is stopped (SIGSTOP).
 *
 * The executor finds it as descriptor TRNC_EXEC_GATE_FD: a memfd of one page, sealed against growing and shrinking; it maps
 * it and closes the descriptor before the host's OpenCL is loaded or anything of the program's runs.  No such descriptor: no
 * gate, which is as one that is always open.
 *
 *  - grant: a futex.  Odd: open, even: closed; every change adds one.  It is open from the start, and stays open as long as
 *    nobody else wants the host device, or the policy is best effort: then this page costs a load for each command.
 *  - limit_ns: while CONTENDED is set, so much predicted run time may be with the host's OpenCL at the same time, or one
 *    command, if it alone takes longer.
 *  - wants: 1 from the moment on that the executor has a command that it would run; 0 when it has had none for
 *    TRNC_GATE_IDLE_US.  When it becomes 1 while the gate is closed, and when it becomes 0 while CONTENDED is set, the
 *    executor sends TRNC_BROKER_GATE on its broker's socket (parent.h), so that nobody polls.
 */
#ifndef TRANCHE_WIRE_GATE_H
#define TRANCHE_WIRE_GATE_H

#include "tranche/wire/compute.h"

#define TRNC_EXEC_GATE_FD 5
#define TRNC_GATE_IDLE_US 300u

struct trnc_gate {
	/* written by tranche-parent */
	__u32 grant;
	__u32 flags; /* TRNC_GATE_* */
	__u64 limit_ns;
	__u64 slice_end_ns; /* CLOCK_MONOTONIC; 0: no end.  After it a new command is not begun, whatever grant says */
	__u8 reserved0[104];
	/* written by the executor; not believed */
	__u32 wants;
	__u32 reserved1;
	__u64 begun;	/* commands given to the host's OpenCL so far: for people */
	__u8 reserved2[112];
};
TRNC_ASSERT_SIZE(trnc_gate, 256);
#define TRNC_GATE_CONTENDED (1u << 0) /* somebody else wants the host device, too, and the policy is not best effort */

#endif

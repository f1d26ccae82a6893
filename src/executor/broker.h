/* SPDX-License-Identifier: MIT */
/*
 * The executor's end of the compile broker (include/tranche/wire/parent.h): programs come compiled, as files of the
 * driver's cache, and with the reply that their build would have.  Without a broker every call says -ENOTCONN.
 */
#ifndef EXECUTOR_BROKER_H
#define EXECUTOR_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exec_broker;
struct executor;

struct exec_broker_answer {
	bool is_final;	/* the blob is what the host's own build will say: it may be given at once */
	char program[64]; /* its folder below the cache folder; empty: the driver keeps none */
	bool is_stored; /* nothing was compiled for it */
	uint8_t *blob;	/* build reply; malloc'ed */
	size_t blob_len;
};

/* Looks whether there is one at TRNC_EXEC_BROKER_FD; NULL: no. The sandbox is on. */
struct exec_broker *exec_broker_open(void);

/* Closes it before it is opened: there is none then. */
void exec_broker_close(void);

/*
 * Asks for a program; when this returns 0 the files are in this process's cache folder, and the host's own build will
 * find them. @device: TRNC_BROKER_*; @request: as PROGRAM_BUILD brought it. Blocks as long as a build takes. Any thread; several
 * requests are served beside each other.
 * Return: 0; -ENOTCONN; else -errno, the broker does not do this one.
 */
int exec_broker_ask(struct executor *ex, uint32_t device, const void *request, size_t len,
		    struct exec_broker_answer *ret);
void exec_broker_answer_finish(struct exec_broker_answer *a);

/* Says that the gate's page is worth a look (gate.h).  Accepts NULL. Any thread. */
void exec_broker_tell_gate(struct exec_broker *b);

#endif

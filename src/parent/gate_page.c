/* SPDX-License-Identifier: MIT */
/* One executor's gate: its page, and the signals that stop it. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/futex.h"
#include "base/log.h"
#include "base/memfd.h"
#include "parent/gate_priv.h"

#define SUSPECT_TURNS 4
#define MAX_RELAPSES 6

/* ------------------------------------------------------------- the page */

static _Atomic uint32_t *word(uint32_t *p)
{
	return (_Atomic uint32_t *)(void *)p;
}

static void set_grant(struct parent_runner *r, uint32_t grant)
{
	r->grant = grant;
	atomic_store(word(&r->page->grant), grant);
	base_futex_wake(word(&r->page->grant));
}

void gate_open(struct parent_runner *r, bool is_contended, uint64_t limit_ns, uint64_t end_ns)
{
	r->is_bounded = is_contended || end_ns;
	__atomic_store_n(&r->page->limit_ns, limit_ns, __ATOMIC_SEQ_CST);
	__atomic_store_n(&r->page->slice_end_ns, end_ns, __ATOMIC_SEQ_CST);
	__atomic_store_n(&r->page->flags, is_contended ? TRNC_GATE_CONTENDED : 0, __ATOMIC_SEQ_CST);
	set_grant(r, r->grant + (r->grant & 1 ? 2 : 1));
}

void gate_close(struct parent_runner *r, bool is_contended)
{
	r->is_bounded = true; /* it may have an end, from before */
	__atomic_store_n(&r->page->flags, is_contended ? TRNC_GATE_CONTENDED : 0, __ATOMIC_SEQ_CST);
	if (r->grant & 1)
		set_grant(r, r->grant + 1);
}

bool gate_is_open(const struct parent_runner *r)
{
	return r->grant & 1;
}

int parent_gate_make_page(struct parent_gate *g, struct parent_runner *r)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	_cleanup_close_ int fd = base_memfd_create("tranche-gate", size);
	void *at;

	if (fd < 0)
		return fd;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	r->page = at;
	return TAKE_FD(fd);
}

bool gate_page_wants(const struct parent_runner *r)
{
	return atomic_load(word(&r->page->wants)) != 0;
}

/* ------------------------------------------------------------ stop, go on */

void gate_stop(struct parent_runner *r)
{
	if (r->is_stopped || r->pid <= 0)
		return;
	log_debug("executor %d is stopped: it runs without a turn", (int)r->pid);
	kill(-r->pid, SIGSTOP);
	r->is_stopped = true;
	/* Not for what it does as a suspect: an honest one, too, has something with the host when its turn ends. */
	if (!r->suspect) {
		r->suspect = SUSPECT_TURNS << r->relapses;
		r->relapses += r->relapses < MAX_RELAPSES;
		r->clean_turns = 0;
	}
	r->member->stops++;
}

void gate_go_on(struct parent_runner *r)
{
	if (r->is_stopped && r->pid > 0)
		kill(-r->pid, SIGCONT);
	r->is_stopped = false;
	r->overrun_ns = 0;
}

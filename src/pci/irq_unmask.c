/* SPDX-License-Identifier: MIT */
/*
 * The thread that unmasks INTx when the holder signals an eventfd.
 *
 * It is made with the first such eventfd, and ends when there is none any more.  Who takes the eventfd away has the
 * device's lock, which the thread may be about to take, so nobody waits for its end there: it is joined before the next one
 * is made, or with the device.  The thread waits for a descriptor that may be closed and even be another one by then;
 * so it touches nothing before it has the lock and has seen that fd is still the one that it waited for.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/eventfd.h"
#include "base/thread.h"
#include "pci/irq_priv.h"

struct pci_unmasker {
	struct trn_pci *pci;
	pthread_t thread;
	int wake_fd; /* fd has changed */
	int fd; /* own; -1: none */
	unsigned int generation; /* of fd */
	bool is_running; /* the thread is there, and will look at fd again */
	bool is_joinable;
};

/* Waits until fd or the wake-up is signalled. */
static void wait_for(int fd, int wake_fd)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = wake_fd, .events = POLLIN } };

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	if (p[1].revents)
		base_eventfd_take(wake_fd, NULL);
}

static void replace(struct pci_unmasker *u, int fd)
{
	base_close(u->fd);
	u->fd = fd;
	u->generation++;
	base_eventfd_signal(u->wake_fd);
}

static void look(struct pci_unmasker *u)
{
	errno = 0;
	if (!base_eventfd_take(u->fd, NULL)) {
		/* Not an eventfd though like one (an epoll, say): it may be ready for ever, and nothing takes that off. */
		if (errno == EINVAL)
			replace(u, -1);
		return;
	}
	if (u->pci->irqs.used == TRN_PCI_IRQ_INTX)
		pci_intx_unmask(u->pci);
}

static void *run(void *arg)
{
	struct pci_unmasker *u = arg;

	trn_pci_lock(u->pci);
	while (u->fd >= 0) {
		unsigned int generation = u->generation;
		int fd = u->fd;

		trn_pci_unlock(u->pci);
		wait_for(fd, u->wake_fd);
		trn_pci_lock(u->pci);
		if (generation == u->generation)
			look(u);
	}
	u->is_running = false;
	trn_pci_unlock(u->pci);
	return NULL;
}

static struct pci_unmasker *create(struct trn_pci *pci)
{
	struct pci_unmasker *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	*u = (struct pci_unmasker){ .pci = pci, .fd = -1 };
	u->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (u->wake_fd >= 0)
		return u;
	free(u);
	return NULL;
}

/* Signals are for other threads. */
static int start(struct pci_unmasker *u)
{
	int r;

	if (u->is_running)
		return 0;
	if (u->is_joinable)
		pthread_join(u->thread, NULL);
	r = base_thread_start(&u->thread, run, u);
	u->is_running = u->is_joinable = r == 0;
	return r;
}

int pci_unmasker_set(struct trn_pci *pci, int fd)
{
	struct pci_unmasker *u = pci->irqs.intx.unmasker;
	_cleanup_close_ int copy = -1;
	int r;

	if (fd < 0) {
		if (u && u->fd >= 0)
			replace(u, -1);
		return 0;
	}
	copy = pci_irq_dup(fd);
	if (copy < 0)
		return copy;
	if (!u)
		u = pci->irqs.intx.unmasker = create(pci);
	if (!u)
		return -ENOMEM;
	r = start(u); /* it waits for the lock, which we have */
	if (r < 0)
		return r;
	replace(u, TAKE_FD(copy));
	return 0;
}

void pci_unmasker_destroy(struct pci_unmasker *u)
{
	if (!u)
		return;
	trn_pci_lock(u->pci);
	replace(u, -1);
	trn_pci_unlock(u->pci);
	if (u->is_joinable)
		pthread_join(u->thread, NULL);
	base_close(u->wake_fd);
	free(u);
}

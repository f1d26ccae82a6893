/* SPDX-License-Identifier: MIT */
/* Vectors and their eventfds. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "pci/irq_priv.h"

/* A pipe or a socket could make the device wait, and a file would be written to: eventfds alone, or what is like them. */
static bool is_eventfd_like(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == 0;
}

int pci_irq_dup(int fd)
{
	int copy;

	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return -errno;
	if (!is_eventfd_like(copy)) {
		base_close(copy);
		return -EINVAL;
	}
	return copy;
}

static void deliver(struct trn_pci *pci, struct pci_vector *v)
{
	v->is_pending = v->fd < 0 || pci->activity != TRN_PCI_ACTIVE;
	if (!v->is_pending)
		base_signaller_signal(&pci->signaller, v->fd);
}

void pci_irq_fire(struct trn_pci *pci, enum trn_pci_irq kind, unsigned int vector)
{
	struct pci_vector *v = &pci->irqs.kinds[kind].vectors[vector];

	v->has_fired = true;
	deliver(pci, v);
}

void pci_irq_flush(struct trn_pci *pci, enum trn_pci_irq kind)
{
	struct pci_irq_kind *k = &pci->irqs.kinds[kind];

	for (uint32_t i = 0; i < k->count; i++)
		if (k->vectors[i].is_pending)
			deliver(pci, &k->vectors[i]);
}

/* The pin's level says whether to signal again; of a message nobody knows whether it was seen. */
static void replace_fd(struct trn_pci *pci, enum trn_pci_irq kind, struct pci_vector *v, int fd)
{
	base_close(v->fd);
	v->fd = fd;
	if (kind == TRN_PCI_IRQ_INTX)
		pci->irqs.intx.is_masked = false;
	else if (fd >= 0 && (v->is_pending || v->has_fired))
		deliver(pci, v);
}

static int dup_all(int *copies, const int *fds, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		copies[i] = fds[i] < 0 ? -1 : pci_irq_dup(fds[i]);
		if (fds[i] < 0 || copies[i] >= 0)
			continue;
		for (uint32_t j = 0; j < i; j++)
			base_close(copies[j]);
		return copies[i];
	}
	return 0;
}

int pci_irq_wire(struct trn_pci *pci, enum trn_pci_irq kind, uint32_t start, uint32_t count, const int *fds)
{
	_cleanup_free_ int *copies = calloc(count, sizeof(*copies));
	int r;

	if (!copies)
		return -ENOMEM;
	r = dup_all(copies, fds, count);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < count; i++)
		replace_fd(pci, kind, &pci->irqs.kinds[kind].vectors[start + i], copies[i]);
	return 0;
}

void pci_irq_unwire(struct trn_pci *pci, enum trn_pci_irq kind)
{
	struct pci_irq_kind *k = &pci->irqs.kinds[kind];

	for (uint32_t i = 0; i < k->count; i++)
		k->vectors[i].fd = base_close(k->vectors[i].fd);
}

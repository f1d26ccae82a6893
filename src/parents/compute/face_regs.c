/* SPDX-License-Identifier: MIT */
/* BAR0.  Here nothing waits: not for an executor, a fork, or memory. */
#include <string.h>

#include "base/eventfd.h"
#include "base/futex.h"
#include "base/log.h"
#include "parents/compute/face.h"

#define LOG_AGAIN_NS 60000000000ull

/* What a device that broke, or was reset, is not. */
#define ALIVE (TRNC_STATUS_READY | TRNC_STATUS_RUNNING)

static struct compute_face *face_of(const struct trn_pci *pci)
{
	return ((struct compute_device *)trn_pci_priv(pci))->face;
}

void compute_face_ring_loop(const struct compute_face *f)
{
	base_eventfd_signal(f->kick);
}

/* --------------------------------------------------------------- status */

static void fire_locked(struct compute_face *f, uint32_t vector)
{
	if (trn_pci_fire(f->pci, vector) == 0)
		atomic_fetch_add(&f->interrupts, 1);
}

void compute_face_fire(struct compute_face *f, uint32_t vector)
{
	trn_pci_lock(f->pci);
	if (f->regs.generation == f->served)
		fire_locked(f, vector);
	trn_pci_unlock(f->pci);
}

void compute_face_raise(struct compute_face *f, uint32_t bits)
{
	trn_pci_lock(f->pci);
	f->regs.status |= bits;
	fire_locked(f, 0);
	trn_pci_unlock(f->pci);
}

void compute_face_lower(struct compute_face *f, uint32_t bits)
{
	trn_pci_lock(f->pci);
	if (f->regs.status & bits)
		fire_locked(f, 0);
	f->regs.status &= ~bits;
	trn_pci_unlock(f->pci);
}

static void fail_locked(struct compute_face *f, const char *what)
{
	uint64_t now = base_clock_ns();

	if (f->regs.status & TRNC_STATUS_FAILED)
		return;
	/* A guest must not fill our log. */
	if (!f->failed_ns || now - f->failed_ns >= LOG_AGAIN_NS) {
		f->failed_ns = now;
		log_warning("the guest's driver has broken a rule and must reset the device: %s", what);
	}
	f->regs.status = (f->regs.status & ~ALIVE) | TRNC_STATUS_FAILED;
	fire_locked(f, 0);
	compute_face_ring_loop(f);
}

void compute_face_fail(struct compute_face *f, const char *what)
{
	trn_pci_lock(f->pci);
	if (f->regs.generation == f->served)
		fail_locked(f, what);
	trn_pci_unlock(f->pci);
}

/* A host that asks the guest to leave asks the next one, too. */
void compute_face_reset(struct trn_pci *pci)
{
	struct compute_face *f = face_of(pci);

	trn_pci_lock(pci);
	f->regs.generation++;
	f->regs.status &= TRNC_STATUS_LEAVE;
	f->regs.driver_version = 0;
	f->regs.driver_features = 0;
	trn_pci_unlock(pci);
	compute_bells_forget(&f->bells);
	compute_face_ring_loop(f);
}

uint64_t compute_face_driver_features(const struct compute_face *f)
{
	uint64_t features;

	trn_pci_lock(f->pci);
	features = f->regs.driver_features;
	trn_pci_unlock(f->pci);
	return features;
}

/* ---------------------------------------------------------------- reads */

static uint32_t read_status(struct compute_face *f)
{
	uint32_t status = f->regs.status;

	f->regs.status &= ~TRNC_STATUS_CHANGED;
	return status;
}

static uint32_t half(uint64_t value, uint64_t offset)
{
	return (uint32_t)(value >> (offset & 4) * 8);
}

static uint32_t read_uuid(const struct compute_face *f, uint64_t offset)
{
	uint32_t word;

	memcpy(&word, f->uuid + (offset - TRNC_REG_UUID), sizeof(word));
	return word;
}

static uint32_t read_register(struct compute_face *f, uint64_t offset)
{
	switch (offset) {
	case TRNC_REG_MAGIC:
		return TRNC_MAGIC;
	case TRNC_REG_VERSION:
		return TRNC_PCI_VERSION;
	case TRNC_REG_VERSION_OLDEST:
		return TRNC_PCI_VERSION_OLDEST;
	case TRNC_REG_STATUS:
		return read_status(f);
	case TRNC_REG_FEATURES:
	case TRNC_REG_FEATURES + 4:
		return half(f->features, offset - TRNC_REG_FEATURES);
	case TRNC_REG_NONCE:
	case TRNC_REG_NONCE + 4:
		return half(f->nonce, offset - TRNC_REG_NONCE);
	case TRNC_REG_GENERATION:
		return f->regs.generation;
	case TRNC_REG_NR_SESSIONS:
		return FACE_SESSIONS;
	case TRNC_REG_UUID:
	case TRNC_REG_UUID + 4:
	case TRNC_REG_UUID + 8:
	case TRNC_REG_UUID + 12:
		return read_uuid(f, offset);
	case TRNC_REG_CONTROL_SIZE:
		return FACE_CONTROL_SIZE;
	case TRNC_REG_PROBE_OFFSET:
		return FACE_PROBE_OFFSET;
	case TRNC_REG_PROBE_LEN:
		return f->regs.probe_len;
	case TRNC_REG_SHARED_OFFSET:
	case TRNC_REG_SHARED_OFFSET + 4:
		return half(f->shared_offset, offset - TRNC_REG_SHARED_OFFSET);
	case TRNC_REG_SHARED_SIZE:
	case TRNC_REG_SHARED_SIZE + 4:
		return half(f->shared_size, offset - TRNC_REG_SHARED_SIZE);
	case TRNC_REG_WINDOWS_OFFSET:
	case TRNC_REG_WINDOWS_OFFSET + 4:
		return half(f->windows_offset, offset - TRNC_REG_WINDOWS_OFFSET);
	case TRNC_REG_WINDOW_SIZE:
	case TRNC_REG_WINDOW_SIZE + 4:
		return half(f->window_size, offset - TRNC_REG_WINDOW_SIZE);
	case TRNC_REG_WINDOW_ALIGN:
		return FACE_WINDOW_ALIGN;
	case TRNC_REG_QUOTA:
	case TRNC_REG_QUOTA + 4:
		return half(f->regs.quota, offset - TRNC_REG_QUOTA);
	case TRNC_REG_SERVICE:
	case TRNC_REG_SERVICE + 4:
		return half(COMPUTE_SERVICE_ALLOWANCE, offset - TRNC_REG_SERVICE);
	case TRNC_REG_DRIVER_VERSION:
		return f->regs.driver_version;
	case TRNC_REG_DRIVER_FEATURES:
	case TRNC_REG_DRIVER_FEATURES + 4:
		return f->regs.driver_features & ~f->features ? 0 : half(f->regs.driver_features, offset - TRNC_REG_DRIVER_FEATURES);
	default:
		return 0;
	}
}

/* --------------------------------------------------------------- writes */

static void choose_version(struct compute_face *f, uint32_t version)
{
	bool can_be = version >= TRNC_PCI_VERSION_OLDEST && version <= TRNC_PCI_VERSION;

	if (!(f->regs.status & TRNC_STATUS_RUNNING))
		f->regs.driver_version = can_be ? version : 0;
}

static void choose_features(struct compute_face *f, uint64_t offset, uint32_t value)
{
	unsigned int shift = offset == TRNC_REG_DRIVER_FEATURES ? 0 : 32;

	if (f->regs.status & TRNC_STATUS_RUNNING)
		return;
	f->regs.driver_features &= ~(0xffffffffull << shift);
	f->regs.driver_features |= (uint64_t)value << shift;
}

static void start(struct compute_face *f)
{
	if ((f->regs.status & (ALIVE | TRNC_STATUS_FAILED)) != TRNC_STATUS_READY)
		fail_locked(f, "START, but the device is not ready, or runs");
	else if (!f->regs.driver_version || f->regs.driver_features & ~f->features)
		fail_locked(f, "START with a version or features that were not offered");
	else
		f->regs.status |= TRNC_STATUS_RUNNING;
}

static void command(struct compute_face *f, uint32_t value)
{
	if (value == TRNC_COMMAND_START)
		start(f);
	else if (value == TRNC_COMMAND_RESET)
		compute_face_reset(f->pci);
}

static void ring(struct compute_face *f, uint64_t offset, uint32_t value)
{
	atomic_fetch_add(&f->doorbells, 1);
	if (!(f->regs.status & TRNC_STATUS_RUNNING))
		return;
	if (offset == TRNC_REG_DOORBELL_CONTROL)
		compute_face_ring_loop(f);
	else
		compute_bells_ring(&f->bells, value >> 8, value & 0xff);
}

static void write_register(struct compute_face *f, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case TRNC_REG_DRIVER_VERSION:
		choose_version(f, value);
		break;
	case TRNC_REG_DRIVER_FEATURES:
	case TRNC_REG_DRIVER_FEATURES + 4:
		choose_features(f, offset, value);
		break;
	case TRNC_REG_COMMAND:
		command(f, value);
		break;
	case TRNC_REG_DOORBELL_CONTROL:
	case TRNC_REG_DOORBELL_CHANNEL:
		ring(f, offset, value);
		break;
	default:
		break;
	}
}

int compute_face_rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	struct compute_face *f = face_of(pci);
	uint32_t value;

	atomic_fetch_add(&f->traps, 1);
	if (len != sizeof(value) || offset % sizeof(value)) {
		if (!is_write)
			memset(buf, 0xff, len);
		return 0;
	}
	memcpy(&value, buf, sizeof(value));
	if (is_write) {
		write_register(f, offset, value);
	} else {
		value = read_register(f, offset);
		memcpy(buf, &value, sizeof(value));
	}
	return 0;
}

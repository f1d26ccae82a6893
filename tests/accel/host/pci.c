/* SPDX-License-Identifier: MIT */
/* The device as PCI sees it: configuration space, registers, interrupts, reset. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/memfd.h"
#include "fake.h"
#include "options.h"
#include "tranche/mdev.h"

static uint32_t half(uint64_t value, uint64_t at)
{
	return (uint32_t)(at & 4 ? value >> 32 : value);
}

static uint32_t read_status(struct fake *f)
{
	uint32_t status = atomic_load(&f->status);

	while (!atomic_compare_exchange_weak(&f->status, &status, status & ~TRNC_STATUS_CHANGED))
		;
	return status;
}

static uint32_t read_register(struct fake *f, uint64_t at)
{
	uint32_t word;

	switch (at) {
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
		return half(f->features, at - TRNC_REG_FEATURES);
	case TRNC_REG_NONCE:
	case TRNC_REG_NONCE + 4:
		return half(f->nonce, at - TRNC_REG_NONCE);
	case TRNC_REG_GENERATION:
		return atomic_load(&f->generation);
	case TRNC_REG_NR_SESSIONS:
		return FAKE_SESSIONS;
	case TRNC_REG_UUID:
	case TRNC_REG_UUID + 4:
	case TRNC_REG_UUID + 8:
	case TRNC_REG_UUID + 12:
		memcpy(&word, f->uuid + (at - TRNC_REG_UUID), 4);
		return word;
	case TRNC_REG_CONTROL_SIZE:
		return FAKE_CONTROL_SIZE;
	case TRNC_REG_PROBE_OFFSET:
		return FAKE_PROBE_OFFSET;
	case TRNC_REG_PROBE_LEN:
		return atomic_load(&f->probe_len);
	case TRNC_REG_SHARED_OFFSET:
	case TRNC_REG_SHARED_OFFSET + 4:
		return half(f->shared_offset, at - TRNC_REG_SHARED_OFFSET);
	case TRNC_REG_SHARED_SIZE:
	case TRNC_REG_SHARED_SIZE + 4:
		return half(f->windows_offset - f->shared_offset, at - TRNC_REG_SHARED_SIZE);
	case TRNC_REG_WINDOWS_OFFSET:
	case TRNC_REG_WINDOWS_OFFSET + 4:
		return half(f->windows_offset, at - TRNC_REG_WINDOWS_OFFSET);
	case TRNC_REG_WINDOW_SIZE:
	case TRNC_REG_WINDOW_SIZE + 4:
		return half(f->window_size, at - TRNC_REG_WINDOW_SIZE);
	case TRNC_REG_WINDOW_ALIGN:
		return FAKE_ALIGN;
	case TRNC_REG_QUOTA:
	case TRNC_REG_QUOTA + 4:
		return half(f->quota, at - TRNC_REG_QUOTA);
	case TRNC_REG_SERVICE:
	case TRNC_REG_SERVICE + 4:
		return half(FAKE_SERVICE, at - TRNC_REG_SERVICE);
	case TRNC_REG_DRIVER_VERSION:
		return atomic_load(&f->driver_version);
	case TRNC_REG_DRIVER_FEATURES:
	case TRNC_REG_DRIVER_FEATURES + 4:
		return half(atomic_load(&f->driver_features), at - TRNC_REG_DRIVER_FEATURES);
	default:
		return 0;
	}
}

static void start(struct fake *f)
{
	uint32_t status = atomic_load(&f->status);
	bool is_good = (status & (TRNC_STATUS_READY | TRNC_STATUS_RUNNING | TRNC_STATUS_FAILED)) == TRNC_STATUS_READY &&
		       atomic_load(&f->driver_version);

	atomic_fetch_or(&f->status, is_good ? TRNC_STATUS_RUNNING : TRNC_STATUS_FAILED);
	fake_control_kick(f);
}

/* 64-bit registers come in halves. */
static void write_features(struct fake *f, uint64_t at, uint32_t value)
{
	uint64_t old = atomic_load(&f->driver_features);

	old = at & 4 ? (old & UINT32_MAX) | (uint64_t)value << 32 : (old & ~(uint64_t)UINT32_MAX) | value;
	atomic_store(&f->driver_features, old & f->features);
}

static void ring_channel(struct fake *f, uint32_t value)
{
	uint32_t session = value >> 8, context = value & 0xff;
	_Atomic uint32_t *host_asleep;

	atomic_fetch_add(&f->nr_doorbells, 1);
	if (session == 0 || session > FAKE_SESSIONS || context > TRNC_MAX_CONTEXTS)
		return;
	host_asleep = (_Atomic uint32_t *)atomic_load(&f->sessions[session].host_asleep[context]);
	if (host_asleep)
		fake_ring_doorbell(host_asleep);
}

static void write_register(struct fake *f, uint64_t at, uint32_t value)
{
	switch (at) {
	case TRNC_REG_DRIVER_VERSION:
		atomic_store(&f->driver_version, value >= TRNC_PCI_VERSION_OLDEST && value <= TRNC_PCI_VERSION ? value : 0);
		break;
	case TRNC_REG_DRIVER_FEATURES:
	case TRNC_REG_DRIVER_FEATURES + 4:
		write_features(f, at - TRNC_REG_DRIVER_FEATURES, value);
		break;
	case TRNC_REG_COMMAND:
		if (value == TRNC_COMMAND_START)
			start(f);
		else if (value == TRNC_COMMAND_RESET)
			fake_reset(f);
		break;
	case TRNC_REG_DOORBELL_CONTROL:
		atomic_store(&f->has_news, true);
		fake_control_kick(f);
		break;
	case TRNC_REG_DOORBELL_CHANNEL:
		ring_channel(f, value);
		break;
	default:
		break;
	}
}

/* Registers are accessed as words of 4 bytes; everything else reads as ones and does nothing. */
static int regs_rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	struct fake *f = trn_pci_priv(pci);
	uint32_t word;

	atomic_fetch_add(&f->nr_traps, 1);
	if (!is_write)
		memset(buf, 0xff, len);
	if (offset % 4 || len % 4)
		return 0;
	for (size_t i = 0; i < len; i += 4) {
		if (is_write) {
			memcpy(&word, (uint8_t *)buf + i, 4);
			write_register(f, offset + i, word);
		} else {
			word = fault_register(f, (uint32_t)(offset + i), read_register(f, offset + i));
			memcpy((uint8_t *)buf + i, &word, 4);
		}
	}
	return 0;
}

void fake_fire(struct fake *f, uint32_t vector)
{
	atomic_fetch_add(&f->nr_fires, 1);
	(void)trn_pci_fire(f->pci, vector);
}

void fake_wake_session(struct fake *f, const struct fake_session *s)
{
	struct trnc_control_pending *pending = (void *)(f->aperture + TRNC_CONTROL_PENDING);

	atomic_fetch_or((_Atomic uint64_t *)&pending[s->vector].sessions, 1ull << (s->number - 1));
	fake_fire(f, s->vector);
}

/* Answers at once: the control thread cleans up, and says READY afterwards. */
void fake_reset(struct fake *f)
{
	atomic_store(&f->status, 0);
	atomic_store(&f->driver_version, 0);
	atomic_store(&f->driver_features, 0);
	atomic_fetch_add(&f->generation, 1);
	atomic_fetch_add(&f->nr_resets, 1);
	fake_control_kick(f);
}

static void reset(struct trn_pci *pci)
{
	fake_reset(trn_pci_priv(pci));
}

static const struct trn_pci_ops pci_ops = {
	.reset = reset,
	.closed = reset,
};

static int add_caps(struct fake *f, struct trn_error *err)
{
	struct trnc_pci_cap data = {
		.len = sizeof(data), .magic = TRNC_MAGIC, .version = TRNC_PCI_VERSION, .version_oldest = TRNC_PCI_VERSION_OLDEST
	};
	const struct trn_pci_cap cap = { .id = 9, .data = (uint8_t *)&data + 2, .len = sizeof(data) - 2 };
	int r;

	memcpy(data.luid, f->luid, sizeof(data.luid));
	r = trn_pci_add_pm(f->pci, err);
	if (r >= 0)
		r = trn_pci_add_msix(f->pci, FAKE_VECTORS, TRNC_PCI_BAR_REGS, TRNC_PCI_MSIX_TABLE, TRNC_PCI_MSIX_PBA, err);
	if (r >= 0)
		r = trn_pci_add_express(f->pci, err);
	return r < 0 ? r : trn_pci_add_cap(f->pci, &cap, err);
}

static int add_bars(struct fake *f, struct trn_error *err)
{
	const struct trn_pci_bar regs = { .size = TRNC_PCI_REGS_SIZE, .rw = regs_rw };
	const struct trn_pci_bar aperture = {
		.size = f->size,
		.flags = TRN_PCI_BAR_64 | TRN_PCI_BAR_PREFETCH | TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP,
		.fd = f->fd,
	};
	int r = trn_pci_add_bar(f->pci, TRNC_PCI_BAR_REGS, &regs, err);

	return r < 0 ? r : trn_pci_add_bar(f->pci, TRNC_PCI_BAR_APERTURE, &aperture, err);
}

static int make(struct trn_device *dev, struct fake *f, struct trn_error *err)
{
	const struct trn_pci_params params = {
		.ids = { .vendor = TRNC_PCI_VENDOR, .device = TRNC_PCI_DEVICE, .subsystem_vendor = TRNC_PCI_SUBSYSTEM_VENDOR,
			 .subsystem = TRNC_PCI_SUBSYSTEM, .class_code = TRNC_PCI_CLASS, .revision = 1 },
		.flags = TRN_PCI_EXPRESS,
		.ops = &pci_ops,
		.priv = f,
	};
	int r = trn_pci_create(dev, &params, &f->pci, err);

	if (r >= 0)
		r = add_bars(f, err);
	if (r >= 0)
		r = add_caps(f, err);
	return r < 0 ? r : trn_pci_realize(f->pci, err);
}

/* Where things lie; the shared window is as large as the quota. */
static void lay_out(struct fake *f, const struct fake_options *o)
{
	f->size = o->aperture;
	f->quota = o->quota;
	f->features = o->features;
	f->shared_offset = FAKE_CONTROL_SIZE;
	f->windows_offset = f->shared_offset + (f->quota + FAKE_ALIGN - 1) / FAKE_ALIGN * FAKE_ALIGN;
	f->window_size = o->window;
}

static int init(struct trn_device *dev, struct trn_error *err)
{
	struct fake *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the device");
	fault_init(f);
	lay_out(f, trn_parent_priv(trn_type_parent(trn_device_type(dev))));
	if (getrandom(&f->nonce, sizeof(f->nonce), 0) < 0 || getrandom(f->luid, sizeof(f->luid), 0) < 0 ||
	    getrandom(f->uuid, sizeof(f->uuid), 0) < 0 || !f->nonce)
		f->nonce = 1;
	f->fd = r = base_memfd_create("fake-aperture", f->size);
	if (r < 0)
		trn_error_set(err, r, "NoMemory", "no aperture: %s", strerror(-r));
	else
		r = make(dev, f, err);
	if (r >= 0) {
		f->aperture = trn_pci_ram(f->pci, TRNC_PCI_BAR_APERTURE);
		r = fake_control_start(f);
	}
	if (r < 0) {
		trn_pci_destroy(f->pci);
		base_close(f->fd);
		free(f);
	}
	return r < 0 ? r : 0;
}

static void release(struct trn_device *dev)
{
	struct fake *f = trn_pci_priv(trn_pci_of(dev));

	fault_heal(f);
	fake_control_stop(f);
	trn_pci_destroy(f->pci);
	base_close(f->fd);
	free(f);
}

const struct trn_device_ops fake_ops = {
	.name = "fake",
	.device_api = TRN_PCI_DEVICE_API,
	.init = init,
	.release = release,
	.open = trn_pci_op_open,
	.close = trn_pci_op_close,
	.request = trn_pci_op_request,
	.reset = trn_pci_op_reset,
	.info = trn_pci_op_info,
	.caps = trn_pci_op_caps,
	.region_info = trn_pci_op_region_info,
	.region_rw = trn_pci_op_region_rw,
	.region_fd = trn_pci_op_region_fd,
	.region_areas = trn_pci_op_region_areas,
	.region_ioeventfds = trn_pci_op_region_ioeventfds,
	.irq_info = trn_pci_op_irq_info,
	.set_irqs = trn_pci_op_set_irqs,
	.dma_map = NULL,
	.dma_unmap = NULL,
	.migration = &trn_pci_migration_ops,
	.dma_log = &trn_pci_dma_log_ops,
};

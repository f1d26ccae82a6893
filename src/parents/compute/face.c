/* SPDX-License-Identifier: MIT */
/* A PCI device with the face of a compute device: its making and its end. */
#include "parents/compute/face.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/size.h"

#define EXTRA_WINDOW (512ull << 20) /* what a window has beside the quota */
#define WINDOWS 8u		    /* of that size, at least */
#define MAX_APERTURE (1ull << 46)
#define SLACK (16ull << 20)

static uint64_t power_of_two(uint64_t size)
{
	uint64_t power = FACE_WINDOW_ALIGN;

	while (power < size && power < MAX_APERTURE)
		power *= 2;
	return power;
}

static uint64_t aligned(uint64_t size)
{
	return (size + FACE_WINDOW_ALIGN - 1) & ~(FACE_WINDOW_ALIGN - 1);
}

uint64_t compute_face_size(const struct compute_config *config, uint64_t quota, struct compute_face *ret)
{
	ret->shared_offset = FACE_CONTROL_SIZE;
	ret->shared_size = aligned(quota);
	ret->windows_offset = ret->shared_offset + ret->shared_size;
	ret->window_size = power_of_two(quota + EXTRA_WINDOW);
	return config->aperture ? config->aperture : power_of_two(ret->windows_offset + WINDOWS * ret->window_size);
}

uint64_t compute_face_room(uint64_t quota)
{
	return FACE_CONTROL_SIZE + aligned(quota) + COMPUTE_SERVICE_OF_GUEST + SLACK;
}

/* ------------------------------------------------------------- PCI device */

static int add_bars(struct compute_face *f, struct trn_error *err)
{
	const struct trn_pci_bar regs = { .size = TRNC_PCI_REGS_SIZE, .rw = compute_face_rw };
	const struct trn_pci_bar aperture = {
		.size = f->aperture.size,
		.flags = TRN_PCI_BAR_64 | TRN_PCI_BAR_PREFETCH | TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP | TRN_PCI_BAR_UNSEALED,
		.fd = f->aperture.fd,
	};
	int r = trn_pci_add_bar(f->pci, TRNC_PCI_BAR_REGS, &regs, err);

	return r < 0 ? r : trn_pci_add_bar(f->pci, TRNC_PCI_BAR_APERTURE, &aperture, err);
}

static int add_caps(struct compute_face *f, struct trn_error *err)
{
	struct trnc_pci_cap vendor = {
		.len = sizeof(vendor),
		.magic = TRNC_MAGIC,
		.version = TRNC_PCI_VERSION,
		.version_oldest = TRNC_PCI_VERSION_OLDEST,
	};
	struct trn_pci_cap cap = { .id = 9, .data = (uint8_t *)&vendor + 2, .len = sizeof(vendor) - 2 };
	int r = trn_pci_add_pm(f->pci, err);

	memcpy(vendor.luid, f->luid, sizeof(vendor.luid));
	if (r >= 0)
		r = trn_pci_add_express(f->pci, err);
	if (r >= 0)
		r = trn_pci_add_msix(f->pci, FACE_VECTORS, TRNC_PCI_BAR_REGS, TRNC_PCI_MSIX_TABLE, TRNC_PCI_MSIX_PBA, err);
	if (r >= 0)
		r = trn_pci_add_cap(f->pci, &cap, err);
	return r < 0 ? r : 0;
}

static void handle_closed(struct trn_pci *pci)
{
	/* The guest is gone with its VMM: as if it had reset the device. */
	compute_face_reset(pci);
}

static const struct trn_pci_ops pci_ops = {
	.reset = compute_face_reset,
	.closed = handle_closed,
};

static int make_pci(struct compute_face *f, struct trn_error *err)
{
	const struct trn_pci_params params = {
		.ids = {
			.vendor = TRNC_PCI_VENDOR,
			.device = TRNC_PCI_DEVICE,
			.subsystem_vendor = TRNC_PCI_SUBSYSTEM_VENDOR,
			.subsystem = TRNC_PCI_SUBSYSTEM,
			.class_code = TRNC_PCI_CLASS,
		},
		.flags = TRN_PCI_EXPRESS | TRN_PCI_ASK_TO_LEAVE,
		.ops = &pci_ops,
		/* What programs have on the host's device cannot be moved. */
		.migration = NULL,
		.priv = f->device,
	};
	int r = trn_pci_create(f->device->dev, &params, &f->pci, err);

	if (r == 0)
		r = add_bars(f, err);
	if (r == 0)
		r = add_caps(f, err);
	if (r == 0)
		r = trn_pci_realize(f->pci, err);
	if (r == 0)
		f->memory = trn_pci_ram(f->pci, TRNC_PCI_BAR_APERTURE);
	return r;
}

/* ------------------------------------------------------------------- face */

static int make_aperture(struct compute_face *f, struct trn_error *err)
{
	uint64_t quota = f->device->stats.quota, size = compute_face_size(f->device->config, quota, f);
	char has[BASE_SIZE_TEXT], least[BASE_SIZE_TEXT];

	if (size & (size - 1) || size > MAX_APERTURE || size < f->windows_offset ||
	    size - f->windows_offset < f->window_size) {
		trn_error_set(err, -EINVAL, "BadAperture", "an aperture of %s has no room for one window of %s",
			      base_size_format(size, has), base_size_format(f->window_size, least));
		return trn_error_hint(err, "choose a power of two that is larger with --aperture, or less memory");
	}
	return compute_aperture_create(size, compute_face_room(quota), &f->aperture, err);
}

static int draw_names(struct compute_face *f, struct trn_error *err)
{
	while (f->nonce == 0 || f->nonce == UINT64_MAX) /* ones are what a device that is gone reads as */
		if (getrandom(&f->nonce, sizeof(f->nonce), 0) != sizeof(f->nonce))
			return trn_error_set(err, -errno, "NoRandom", "no random numbers: %s", strerror(errno));
	if (getrandom(f->luid, sizeof(f->luid), 0) != sizeof(f->luid))
		return trn_error_set(err, -errno, "NoRandom", "no random numbers: %s", strerror(errno));
	compute_device_uuid(f->device, f->uuid);
	return 0;
}

static struct compute_face *new_face(struct compute_device *d)
{
	struct compute_face *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->device = d;
	f->aperture = (struct compute_aperture){ .fd = -1, .mount = -1, .user_ns = -1 };
	f->kick = -1;
	f->features = TRNC_FEATURE_SVM | TRNC_FEATURE_SHARING;
	f->regs.quota = d->stats.quota;
	pthread_mutex_init(&f->bells.lock, NULL);
	base_list_init(&f->replies);
	base_list_init(&f->shared);
	compute_slots_init(f);
	return f;
}

static int make_face(struct compute_face *f, struct trn_error *err)
{
	int r = draw_names(f, err);

	if (r == 0)
		r = make_aperture(f, err);
	if (r == 0)
		r = compute_face_work_init(f, err);
	if (r == 0)
		r = make_pci(f, err);
	if (r == 0)
		r = compute_face_prepare(f, err);
	return r;
}

int compute_face_create(struct compute_device *d, struct trn_error *err)
{
	d->face = new_face(d);
	if (!d->face)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a device");
	return make_face(d->face, err);
}

void compute_face_destroy(struct compute_device *d)
{
	struct compute_face *f = d->face;

	if (!f)
		return;
	d->face = NULL;
	compute_ring_clear(f);
	compute_shared_clear(f);
	sd_event_source_disable_unref(f->kicked);
	sd_event_source_disable_unref(f->again);
	trn_pci_destroy(f->pci);
	compute_aperture_close(&f->aperture);
	base_close(f->kick);
	pthread_mutex_destroy(&f->bells.lock);
	free(f);
}

/* --------------------------------------------------------------- its calls */

int compute_face_learn_probe(struct compute_face *f, const void *data, uint64_t len, struct trn_error *err)
{
	if (len > FACE_PROBE_MAX)
		return trn_error_set(err, -E2BIG, "BadProbe", "the record of the host's device has %llu bytes, a guest can be told %u",
				     (unsigned long long)len, FACE_PROBE_MAX);
	memcpy(f->memory + FACE_PROBE_OFFSET, data, len);
	trn_pci_lock(f->pci);
	f->regs.probe_len = (uint32_t)len;
	trn_pci_unlock(f->pci);
	return 0;
}

void compute_face_quota_changed(struct compute_face *f)
{
	bool is_new;

	(void)compute_face_make_room(f, f->device->stats.quota, NULL); /* less of it is no must */
	trn_pci_lock(f->pci);
	is_new = f->regs.quota != f->device->stats.quota;
	f->regs.quota = f->device->stats.quota;
	trn_pci_unlock(f->pci);
	if (is_new)
		compute_face_raise(f, TRNC_STATUS_CHANGED);
}

int compute_face_make_room(struct compute_face *f, uint64_t quota, struct trn_error *err)
{
	return compute_aperture_resize(&f->aperture, compute_face_room(quota), err);
}

void compute_face_get_stats(const struct compute_face *f, struct compute_stats *stats)
{
	stats->traps = atomic_load(&f->traps);
	stats->doorbells = atomic_load(&f->doorbells);
	stats->interrupts = atomic_load(&f->interrupts);
}

static void handle_request(struct trn_device *dev, unsigned int nr_asked)
{
	compute_face_raise(to_compute(dev)->face, TRNC_STATUS_LEAVE);
	trn_pci_op_request(dev, nr_asked);
}

void compute_device_let_stay(struct trn_device *dev)
{
	struct compute_face *f = to_compute(dev)->face;

	if (f)
		compute_face_lower(f, TRNC_STATUS_LEAVE);
}

const struct trn_device_ops compute_face_ops = {
	.name = "compute",
	.device_api = TRN_PCI_DEVICE_API,
	.init = compute_device_create_for_guest,
	.release = compute_device_destroy,
	.open = trn_pci_op_open,
	.close = trn_pci_op_close,
	.request = handle_request,
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
	/* All memory that it touches is its own: none of its holder's. */
	.dma_map = NULL,
	.dma_unmap = NULL,
	.never_dma = true,
	.migration = NULL,
	.dma_log = NULL,
};

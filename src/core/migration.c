/* SPDX-License-Identifier: MIT */
/* Migration and DMA logging as a holder sees them: what every driver would have to check is checked here. */
#include <errno.h>
#include <stdbool.h>

#include "base/range.h"
#include "core/core_priv.h"

#define MAX_LOG_RANGES 65536

uint32_t trn_use_mig_flags(struct trn_use *use)
{
	const struct trn_migration_ops *ops = core_use_ops(use)->migration;

	if (!ops)
		return 0;
	return ops->flags_of ? ops->flags & ops->flags_of(use) : ops->flags;
}

/* NULL: this device cannot be moved. */
static const struct trn_migration_ops *migration_of(struct trn_use *use)
{
	return trn_use_mig_flags(use) ? core_use_ops(use)->migration : NULL;
}

int trn_use_mig_get_state(struct trn_use *use, enum trn_mig_state *ret)
{
	const struct trn_migration_ops *ops = migration_of(use);

	return ops ? ops->get_state(use, ret) : -EOPNOTSUPP;
}

static bool has_state(struct trn_use *use, enum trn_mig_state state)
{
	uint32_t flags = trn_use_mig_flags(use);

	switch (state) {
	case TRN_MIG_STOP:
	case TRN_MIG_RUNNING:
	case TRN_MIG_STOP_COPY:
	case TRN_MIG_RESUMING:
		return true;
	case TRN_MIG_RUNNING_P2P:
		return flags & TRN_MIG_CAN_P2P;
	case TRN_MIG_PRE_COPY:
		return flags & TRN_MIG_CAN_PRE_COPY;
	case TRN_MIG_PRE_COPY_P2P:
		return (flags & TRN_MIG_CAN_P2P) && (flags & TRN_MIG_CAN_PRE_COPY);
	case TRN_MIG_ERROR:
	case TRN_NR_MIG_STATES:
		break;
	}
	return false;
}

int trn_use_mig_set_state(struct trn_use *use, enum trn_mig_state to, struct trn_error *err)
{
	const struct trn_migration_ops *ops = migration_of(use);
	int r;

	if (!ops)
		return trn_error_set(err, -EOPNOTSUPP, "NoMigration", "the device cannot be migrated");
	if (!has_state(use, to))
		return trn_error_set(err, -EINVAL, "NoSuchState", "the device has no migration state %u", (unsigned int)to);
	r = ops->set_state(use, to, err);
	return r < 0 ? r : 0;
}

ssize_t trn_use_mig_read(struct trn_use *use, void *buf, size_t len)
{
	const struct trn_migration_ops *ops = migration_of(use);

	if (!ops)
		return -EOPNOTSUPP;
	return len ? ops->read(use, buf, len) : -EINVAL;
}

int trn_use_mig_write(struct trn_use *use, const void *buf, size_t len, struct trn_error *err)
{
	const struct trn_migration_ops *ops = migration_of(use);
	int r;

	if (!ops)
		return trn_error_set(err, -EOPNOTSUPP, "NoMigration", "the device cannot be migrated");
	r = ops->write(use, buf, len, err);
	return r < 0 ? r : 0;
}

int trn_use_mig_sizes(struct trn_use *use, struct trn_mig_sizes *ret)
{
	const struct trn_migration_ops *ops = migration_of(use);

	return ops ? ops->sizes(use, ret) : -EOPNOTSUPP;
}

static int check_ranges(uint64_t page_size, const struct trn_span *ranges, size_t nr, struct trn_error *err)
{
	if (nr > MAX_LOG_RANGES)
		return trn_error_set(err, -E2BIG, "TooManyRanges", "%zu ranges are to be logged, at most %d can be", nr,
				     MAX_LOG_RANGES);
	for (size_t i = 0; i < nr; i++) {
		const struct trn_span *span = &ranges[i];

		if (!span->len || (span->start | span->len) & (page_size - 1))
			return trn_error_set(err, -EINVAL, "BadRange", "range %zu is empty, or not made of pages of %llu bytes", i,
					     (unsigned long long)page_size);
		if (span->len - 1 > UINT64_MAX - span->start)
			return trn_error_set(err, -EOVERFLOW, "BadRange", "range %zu leaves the address space", i);
	}
	return 0;
}

int trn_use_dma_log_start(struct trn_use *use, uint64_t page_size, const struct trn_span *ranges, size_t nr,
			  struct trn_error *err)
{
	int r;

	if (!core_use_ops(use)->dma_log)
		return trn_error_set(err, -EOPNOTSUPP, "NoLog", "the device does not log what it writes");
	if (!page_size || page_size & (page_size - 1))
		return trn_error_set(err, -EINVAL, "BadPageSize", "a page size of %llu is no power of two",
				     (unsigned long long)page_size);
	r = check_ranges(page_size, ranges, nr, err);
	if (r < 0)
		return r;
	r = core_use_ops(use)->dma_log->start(use, page_size, ranges, nr, err);
	return r < 0 ? r : 0;
}

int trn_use_dma_log_stop(struct trn_use *use)
{
	if (!core_use_ops(use)->dma_log)
		return -EOPNOTSUPP;
	core_use_ops(use)->dma_log->stop(use);
	return 0;
}

int trn_use_dma_log_report(struct trn_use *use, uint64_t iova, uint64_t len, uint64_t page_size, uint8_t *bitmap)
{
	int r;

	if (!core_use_ops(use)->dma_log)
		return -EOPNOTSUPP;
	if (page_size < BASE_PAGE_SIZE || page_size & (page_size - 1) || !len || (iova | len) & (page_size - 1))
		return -EINVAL;
	if (len - 1 > UINT64_MAX - iova)
		return -EOVERFLOW;
	r = core_use_ops(use)->dma_log->report(use, iova, len, page_size, bitmap);
	return r < 0 ? r : 0;
}

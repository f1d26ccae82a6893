// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI function: its registers, START, reset, and its end. A device that was reset, or is
 * another one after a restore, is told by NONCE and GENERATION: then all sessions are lost
 * and it is started anew.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/pm.h>
#include <linux/unaligned.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "tranche_drv.h"

#define READY_TIMEOUT (10 * HZ)
#define ALL_ONES U32_MAX /* a device that is gone */

static u32 reg_read(struct tranche_device *tdev, u32 reg)
{
	return readl(tdev->regs + reg);
}

static u64 reg_read64(struct tranche_device *tdev, u32 reg)
{
	u32 low = reg_read(tdev, reg);

	return low | (u64)reg_read(tdev, reg + 4) << 32;
}

/*
 * 0 bytes until the host is about to answer the first SESSION_OPEN. Where they lie is read
 * once, as a reset may read another layout at any moment.
 */
void *tranche_probe_find(struct tranche_device *tdev, u32 *ret_len)
{
	u32 offset = READ_ONCE(tdev->layout.probe_offset);
	u32 len = reg_read(tdev, TRNC_REG_PROBE_LEN);

	*ret_len = len <= TRANCHE_PROBE_MAX &&
		   tranche_range_ok(offset, len, tdev->aperture_size) ? len : 0;
	return tdev->aperture + offset;
}

static int device_read_layout(struct tranche_device *tdev)
{
	struct tranche_layout l = { };
	int i;

	if (reg_read(tdev, TRNC_REG_MAGIC) != TRNC_MAGIC)
		return -ENODEV;
	l.version = tranche_version(reg_read(tdev, TRNC_REG_VERSION),
				    reg_read(tdev, TRNC_REG_VERSION_OLDEST));
	if (!l.version)
		return -EPROTONOSUPPORT;
	l.generation = reg_read(tdev, TRNC_REG_GENERATION);
	l.nonce = reg_read64(tdev, TRNC_REG_NONCE);
	l.features = reg_read64(tdev, TRNC_REG_FEATURES);
	l.features &= TRNC_FEATURE_SVM | TRNC_FEATURE_SHARING;
	l.nr_sessions = reg_read(tdev, TRNC_REG_NR_SESSIONS);
	for (i = 0; i < sizeof(l.uuid); i += sizeof(u32))
		put_unaligned_le32(reg_read(tdev, TRNC_REG_UUID + i), l.uuid + i);
	l.control_size = reg_read(tdev, TRNC_REG_CONTROL_SIZE);
	l.probe_offset = reg_read(tdev, TRNC_REG_PROBE_OFFSET);
	l.shared_offset = reg_read64(tdev, TRNC_REG_SHARED_OFFSET);
	l.shared_size = reg_read64(tdev, TRNC_REG_SHARED_SIZE);
	l.windows_offset = reg_read64(tdev, TRNC_REG_WINDOWS_OFFSET);
	l.window_size = reg_read64(tdev, TRNC_REG_WINDOW_SIZE);
	l.window_align = reg_read(tdev, TRNC_REG_WINDOW_ALIGN);
	l.quota = reg_read64(tdev, TRNC_REG_QUOTA);
	l.service = reg_read64(tdev, TRNC_REG_SERVICE);
	if (!tranche_layout_ok(&l, tdev->aperture_size))
		return -EPROTO;
	tdev->layout = l;
	return 0;
}

static void mm_renew(struct drm_mm *mm, u64 start, u64 size)
{
	if (drm_mm_initialized(mm))
		drm_mm_takedown(mm);
	memset(mm, 0, sizeof(*mm));
	if (size)
		drm_mm_init(mm, start, size);
}

/* READY: reads what it is, agrees, places windows anew, START. */
static int device_negotiate(struct tranche_device *tdev)
{
	struct tranche_layout *l = &tdev->layout;
	int ret = device_read_layout(tdev);

	if (ret)
		return ret;
	writel(l->version, tdev->regs + TRNC_REG_DRIVER_VERSION);
	writel(lower_32_bits(l->features), tdev->regs + TRNC_REG_DRIVER_FEATURES);
	writel(upper_32_bits(l->features), tdev->regs + TRNC_REG_DRIVER_FEATURES + 4);
	if (reg_read(tdev, TRNC_REG_DRIVER_VERSION) != l->version ||
	    reg_read64(tdev, TRNC_REG_DRIVER_FEATURES) != l->features)
		return -EPROTONOSUPPORT;
	scoped_guard(mutex, &tdev->lock) {
		mm_renew(&tdev->shared, 0, l->shared_size);
		mm_renew(&tdev->windows, l->windows_offset,
			 round_down(tdev->aperture_size - l->windows_offset, l->window_align));
	}
	writel(TRNC_COMMAND_START, tdev->regs + TRNC_REG_COMMAND);
	/* The host may want it back already, or have changed the quota. */
	if (!tranche_device_check(tdev))
		return -EIO;
	tranche_control_start(tdev);
	return 0;
}

/* One step of device_start(): -EAGAIN while the device is not READY. */
static int device_try_start(struct tranche_device *tdev)
{
	u32 status;

	CLASS(tranche_use, use)(tdev);
	if (!use.ok)
		return -ENODEV;
	status = reg_read(tdev, TRNC_REG_STATUS);
	if (status == ALL_ONES)
		return -ENODEV;
	if (status & (TRNC_STATUS_RUNNING | TRNC_STATUS_FAILED))
		writel(TRNC_COMMAND_RESET, tdev->regs + TRNC_REG_COMMAND);
	else if (status & TRNC_STATUS_READY)
		return device_negotiate(tdev);
	return -EAGAIN;
}

/* Resets it if it runs, and waits until it is clean. */
static int device_start(struct tranche_device *tdev)
{
	unsigned long end = jiffies + READY_TIMEOUT;
	int ret;

	lockdep_assert_held(&tdev->reset_lock);
	while ((ret = device_try_start(tdev)) == -EAGAIN) {
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		fsleep(2000);
	}
	return ret;
}

/* Everything is lost: requests fail with the error, waits and mappings end. */
void tranche_device_stop(struct tranche_device *tdev, int error)
{
	struct tranche_session *session;
	struct drm_mm_node *node, *next;
	int i;

	tranche_control_stop(tdev, error);
	scoped_guard(mutex, &tdev->lock) {
		scoped_guard(rwsem_write, &tdev->map_lock)
			tdev->epoch++;
		for (i = 0; i < TRANCHE_MAX_SESSIONS; i++) {
			session = rcu_dereference_protected(tdev->sessions[i],
							    lockdep_is_held(&tdev->lock));
			if (!session)
				continue;
			tranche_session_lose(session, TRNC_LOST_DEVICE, NULL);
			tranche_session_free_slot(session);
		}
		if (drm_mm_initialized(&tdev->shared))
			drm_mm_for_each_node_safe(node, next, &tdev->shared)
				drm_mm_remove_node(node);
	}
	tranche_zap(tdev, NULL);
}

/* Reads STATUS. False: the device does not run (any more). */
bool tranche_device_check(struct tranche_device *tdev)
{
	u32 status = reg_read(tdev, TRNC_REG_STATUS);
	bool leaving = status & TRNC_STATUS_LEAVE;

	tdev->status_at = jiffies;
	if (status == ALL_ONES || status & TRNC_STATUS_FAILED || !(status & TRNC_STATUS_RUNNING))
		return false;
	if (status & TRNC_STATUS_CHANGED)
		WRITE_ONCE(tdev->layout.quota, reg_read64(tdev, TRNC_REG_QUOTA));
	if (leaving && !tdev->leaving)
		kobject_uevent_env(&tdev->drm.dev->kobj, KOBJ_CHANGE,
				   (char *[]){ "TRANCHE=leave", NULL });
	WRITE_ONCE(tdev->leaving, leaving);
	return true;
}

static bool device_is_gone(struct tranche_device *tdev)
{
	CLASS(tranche_use, use)(tdev);
	return !use.ok || reg_read(tdev, TRNC_REG_STATUS) == ALL_ONES;
}

/* All is lost, and the device begins anew if it can. NULL: the guest wanted it so. */
void tranche_device_reset(struct tranche_device *tdev, const char *why)
{
	bool gone = device_is_gone(tdev);
	int ret;

	if (gone || why)
		drm_err_ratelimited(&tdev->drm, "the device %s\n", gone ? "is gone" : why);
	tranche_device_stop(tdev, gone ? -ENODEV : -EIO);
	ret = device_start(tdev);
	if (!ret)
		return;
	if (!gone)
		drm_err_ratelimited(&tdev->drm, "it does not start again: %d\n", ret);
	tranche_control_stop(tdev, ret == -ETIMEDOUT ? ret : -ENODEV);
	tranche_control_kick(tdev);
}

/* The host has taken very long to clean up: has it come to an end? */
void tranche_device_retry(struct tranche_device *tdev)
{
	int ret = device_try_start(tdev);

	if (ret && ret != -EAGAIN)
		tranche_control_stop(tdev, -ENODEV);
}

/* Is it the very device that was started, still running? */
static bool device_is_same(struct tranche_device *tdev)
{
	return !tdev->control.error &&
	       reg_read(tdev, TRNC_REG_MAGIC) == TRNC_MAGIC &&
	       reg_read64(tdev, TRNC_REG_NONCE) == tdev->layout.nonce &&
	       reg_read(tdev, TRNC_REG_GENERATION) == tdev->layout.generation &&
	       tranche_device_check(tdev);
}

/* The lock is held until tranche_reset_done(), which the PCI core calls next. */
static void tranche_reset_prepare(struct pci_dev *pdev)
{
	struct tranche_device *tdev = pci_get_drvdata(pdev);

	mutex_lock(&tdev->reset_lock);
	tranche_device_stop(tdev, -ESHUTDOWN);
}

static void tranche_reset_done(struct pci_dev *pdev)
{
	struct tranche_device *tdev = pci_get_drvdata(pdev);

	tranche_device_reset(tdev, NULL);
	mutex_unlock(&tdev->reset_lock);
}

static int tranche_suspend(struct device *dev)
{
	struct tranche_device *tdev = dev_get_drvdata(dev);

	disable_delayed_work_sync(&tdev->work);
	return 0;
}

static int tranche_resume(struct device *dev)
{
	struct tranche_device *tdev = dev_get_drvdata(dev);

	scoped_guard(mutex, &tdev->reset_lock)
		if (!device_is_same(tdev))
			tranche_device_reset(tdev, NULL);
	enable_delayed_work(&tdev->work);
	/* Interrupts may have been lost. */
	tranche_control_wake(tdev, U64_MAX);
	tranche_control_kick(tdev);
	return 0;
}

static bool device_is_ours(struct pci_dev *pdev)
{
	u8 len = 0, cap = pci_find_capability(pdev, PCI_CAP_ID_VNDR);
	u32 magic = 0;

	if (!cap)
		return false;
	pci_read_config_byte(pdev, cap + offsetof(struct trnc_pci_cap, len), &len);
	pci_read_config_dword(pdev, cap + offsetof(struct trnc_pci_cap, magic), &magic);
	return len >= sizeof(struct trnc_pci_cap) && magic == TRNC_MAGIC &&
	       pci_resource_len(pdev, TRNC_PCI_BAR_REGS) >= TRNC_PCI_REGS_SIZE &&
	       pci_resource_len(pdev, TRNC_PCI_BAR_APERTURE) >= TRNC_CONTROL_MIN;
}

static int device_map(struct tranche_device *tdev, struct pci_dev *pdev)
{
	int ret;

	tdev->regs = pcim_iomap_region(pdev, TRNC_PCI_BAR_REGS, "tranche");
	if (IS_ERR(tdev->regs))
		return PTR_ERR(tdev->regs);
	ret = pcim_request_region(pdev, TRNC_PCI_BAR_APERTURE, "tranche");
	if (ret)
		return ret;
	tdev->aperture_start = pci_resource_start(pdev, TRNC_PCI_BAR_APERTURE);
	tdev->aperture_size = pci_resource_len(pdev, TRNC_PCI_BAR_APERTURE);
	/*
	 * All of it: by large pages, so it takes hardly any memory; and mappings of programs
	 * would be uncached if nobody held it as write-back.
	 */
	tdev->aperture = devm_memremap(&pdev->dev, tdev->aperture_start, tdev->aperture_size,
				       MEMREMAP_WB);
	return PTR_ERR_OR_ZERO(tdev->aperture);
}

/* One for replies, the others for sessions; one for all will do. */
static int device_request_irqs(struct tranche_device *tdev, struct pci_dev *pdev)
{
	int most = min_t(int, TRANCHE_MAX_VECTORS, 1 + num_online_cpus());
	int nr = pci_alloc_irq_vectors(pdev, 1, most, PCI_IRQ_MSIX);
	int i, ret = 0;

	if (nr < 0)
		return nr;
	tdev->nr_vectors = nr;
	for (i = 0; i < nr && !ret; i++) {
		tdev->vectors[i] = tdev;
		ret = devm_request_irq(&pdev->dev, pci_irq_vector(pdev, i), tranche_irq, 0,
				       "tranche", &tdev->vectors[i]);
	}
	return ret;
}

static void device_release(struct drm_device *drm, void *data)
{
	struct tranche_device *tdev = to_tranche(drm);

	mm_renew(&tdev->windows, 0, 0);
	mm_renew(&tdev->shared, 0, 0);
}

static int device_init(struct tranche_device *tdev, struct pci_dev *pdev)
{
	int ret;

	tdev->epoch = 1;
	init_rwsem(&tdev->map_lock);
	ret = drmm_mutex_init(&tdev->drm, &tdev->reset_lock) ?:
	      drmm_mutex_init(&tdev->drm, &tdev->lock) ?:
	      drmm_add_action_or_reset(&tdev->drm, device_release, NULL) ?:
	      tranche_control_init(tdev) ?:
	      pcim_enable_device(pdev) ?:
	      device_map(tdev, pdev);
	if (ret)
		return ret;
	pci_set_master(pdev); /* it does no DMA: for MSI-X alone */
	return device_request_irqs(tdev, pdev);
}

/* After this no work runs, nobody waits, and the host has nothing of ours. */
static void device_end(struct tranche_device *tdev)
{
	disable_delayed_work_sync(&tdev->work);
	guard(mutex)(&tdev->reset_lock);
	tranche_device_stop(tdev, -ENODEV);
	writel(TRNC_COMMAND_RESET, tdev->regs + TRNC_REG_COMMAND);
}

static int tranche_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct tranche_device *tdev;
	int ret;

	if (!device_is_ours(pdev))
		return -ENODEV;
	tdev = devm_drm_dev_alloc(&pdev->dev, &tranche_driver, struct tranche_device, drm);
	if (IS_ERR(tdev))
		return PTR_ERR(tdev);
	pci_set_drvdata(pdev, tdev);
	ret = device_init(tdev, pdev);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "no BARs, interrupts or memory\n");
	scoped_guard(mutex, &tdev->reset_lock)
		ret = device_start(tdev);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "it does not start\n");
	ret = drm_dev_register(&tdev->drm, 0);
	if (ret)
		device_end(tdev);
	return ret;
}

static void tranche_remove(struct pci_dev *pdev)
{
	struct tranche_device *tdev = pci_get_drvdata(pdev);

	drm_dev_unplug(&tdev->drm);
	device_end(tdev);
}

static const struct pci_device_id tranche_ids[] = {
	{ PCI_DEVICE_SUB(TRNC_PCI_VENDOR, TRNC_PCI_DEVICE, TRNC_PCI_SUBSYSTEM_VENDOR,
			 TRNC_PCI_SUBSYSTEM) },
	{ }
};
MODULE_DEVICE_TABLE(pci, tranche_ids);

static const struct pci_error_handlers tranche_err_handler = {
	.reset_prepare = tranche_reset_prepare,
	.reset_done = tranche_reset_done,
};

static DEFINE_SIMPLE_DEV_PM_OPS(tranche_pm, tranche_suspend, tranche_resume);

static struct pci_driver tranche_pci_driver = {
	.name = "tranche_accel",
	.id_table = tranche_ids,
	.probe = tranche_probe,
	.remove = tranche_remove,
	.shutdown = tranche_remove,
	.err_handler = &tranche_err_handler,
	.driver.pm = pm_sleep_ptr(&tranche_pm),
};
module_pci_driver(tranche_pci_driver);

MODULE_DESCRIPTION("Virtual compute devices of Tranche");
MODULE_LICENSE("GPL");

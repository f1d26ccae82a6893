// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI function: its registers, START, reset, and its end. A device that is
 * reset, restored from a snapshot or replaced behind our back is told by NONCE
 * and GENERATION; then all sessions are lost and it is started anew.
 */
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/pm.h>
#include <linux/unaligned.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "tranche_drv.h"

#define READY_TIMEOUT (10 * HZ)
#define REGISTERS_GONE U32_MAX

static u32 reg_read(struct tranche_device *tdev, u32 reg)
{
	return readl(tdev->regs + reg);
}

static u64 reg_read64(struct tranche_device *tdev, u32 reg)
{
	u32 low = reg_read(tdev, reg);

	return low | (u64)reg_read(tdev, reg + 4) << 32;
}

static void reg_write64(struct tranche_device *tdev, u32 reg, u64 value)
{
	writel(lower_32_bits(value), tdev->regs + reg);
	writel(upper_32_bits(value), tdev->regs + reg + 4);
}

/* The device's process sets it before it answers the first SESSION_OPEN. */
u32 tranche_probe_len(struct tranche_device *tdev)
{
	u32 len = reg_read(tdev, TRNC_REG_PROBE_LEN);

	return len <= TRANCHE_PROBE_MAX &&
	       tranche_range_ok(tdev->layout.probe_offset, len,
				tdev->layout.control_size) ? len : 0;
}

/* Waits for READY, which a reset takes away until all is clean. */
static int device_wait_ready(struct tranche_device *tdev)
{
	unsigned long end = jiffies + READY_TIMEOUT;
	bool reset = false;
	int idx;

	for (;;) {
		u32 status;

		if (!drm_dev_enter(&tdev->drm, &idx))
			return -ENODEV;
		status = reg_read(tdev, TRNC_REG_STATUS);
		if (status != REGISTERS_GONE && !reset &&
		    status & (TRNC_STATUS_RUNNING | TRNC_STATUS_FAILED)) {
			/* Somebody has left it like this. */
			writel(TRNC_COMMAND_RESET, tdev->regs + TRNC_REG_COMMAND);
			status = 0;
			reset = true;
		}
		drm_dev_exit(idx);
		if (status == REGISTERS_GONE)
			return -ENODEV;
		if (status & TRNC_STATUS_READY)
			return 0;
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		fsleep(2000);
	}
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
	l.features = reg_read64(tdev, TRNC_REG_FEATURES) &
		     (TRNC_FEATURE_SVM | TRNC_FEATURE_SHARING);
	l.nr_sessions = reg_read(tdev, TRNC_REG_NR_SESSIONS);
	for (i = 0; i < sizeof(l.uuid); i += sizeof(u32))
		put_unaligned_le32(reg_read(tdev, TRNC_REG_UUID + i),
				   l.uuid + i);
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
	if (drm_mm_initialized(mm)) {
		drm_mm_takedown(mm);
		memset(mm, 0, sizeof(*mm));
	}
	if (size)
		drm_mm_init(mm, start, size);
}

static int device_negotiate(struct tranche_device *tdev)
{
	struct tranche_layout *l = &tdev->layout;
	int ret = device_read_layout(tdev);

	if (ret)
		return ret;
	writel(l->version, tdev->regs + TRNC_REG_DRIVER_VERSION);
	reg_write64(tdev, TRNC_REG_DRIVER_FEATURES, l->features);
	if (reg_read(tdev, TRNC_REG_DRIVER_VERSION) != l->version ||
	    reg_read64(tdev, TRNC_REG_DRIVER_FEATURES) != l->features)
		return -EPROTONOSUPPORT;
	mutex_lock(&tdev->lock);
	mm_renew(&tdev->shared, 0, l->shared_size);
	mm_renew(&tdev->windows, l->windows_offset,
		 round_down(tdev->aperture_size - l->windows_offset,
			    l->window_align));
	mutex_unlock(&tdev->lock);
	writel(TRNC_COMMAND_START, tdev->regs + TRNC_REG_COMMAND);
	if (!(reg_read(tdev, TRNC_REG_STATUS) & TRNC_STATUS_RUNNING))
		return -EIO;
	tdev->status_at = jiffies;
	WRITE_ONCE(tdev->leaving, false);
	tranche_control_start(tdev);
	return 0;
}

static int device_start(struct tranche_device *tdev)
{
	int ret, idx;

	lockdep_assert_held(&tdev->reset_lock);
	ret = device_wait_ready(tdev);
	if (ret)
		return ret;
	if (!drm_dev_enter(&tdev->drm, &idx))
		return -ENODEV;
	ret = device_negotiate(tdev);
	drm_dev_exit(idx);
	return ret;
}

/* Everything is lost: requests fail with error, waits and mappings end. */
void tranche_device_stop(struct tranche_device *tdev, int error)
{
	struct tranche_session *session;
	struct drm_mm_node *node, *next;
	int i;

	lockdep_assert_held(&tdev->reset_lock);
	tranche_control_stop(tdev, error);
	mutex_lock(&tdev->lock);
	down_write(&tdev->map_lock);
	tdev->epoch++;
	up_write(&tdev->map_lock);
	for (i = 0; i < TRANCHE_MAX_SESSIONS; i++) {
		session = rcu_dereference_protected(
			tdev->sessions[i], lockdep_is_held(&tdev->lock));
		if (!session)
			continue;
		tranche_session_lose(session, TRNC_LOST_DEVICE, NULL);
		tranche_session_free_slot(session);
	}
	if (drm_mm_initialized(&tdev->shared))
		drm_mm_for_each_node_safe(node, next, &tdev->shared)
			drm_mm_remove_node(node);
	mutex_unlock(&tdev->lock);
	tranche_device_zap(tdev);
}

/* Reads STATUS. False: the device does not run (any more). */
bool tranche_device_check(struct tranche_device *tdev)
{
	char *leave[] = { "TRANCHE=leave", NULL };
	u32 status = reg_read(tdev, TRNC_REG_STATUS);
	bool leaving;

	tdev->status_at = jiffies;
	if (status == REGISTERS_GONE ||
	    (status & (TRNC_STATUS_RUNNING | TRNC_STATUS_FAILED)) !=
		    TRNC_STATUS_RUNNING) {
		drm_err_ratelimited(&tdev->drm, "the device has %s\n",
				    status == REGISTERS_GONE ? "gone" :
							       "stopped");
		return false;
	}
	if (status & TRNC_STATUS_CHANGED)
		WRITE_ONCE(tdev->layout.quota,
			   reg_read64(tdev, TRNC_REG_QUOTA));
	leaving = status & TRNC_STATUS_LEAVE;
	if (leaving && !tdev->leaving)
		kobject_uevent_env(&tdev->drm.dev->kobj, KOBJ_CHANGE, leave);
	WRITE_ONCE(tdev->leaving, leaving);
	return true;
}

/* All is lost, and the device begins anew if it can. */
int tranche_device_reset(struct tranche_device *tdev)
{
	int error = -ENODEV;
	int ret, idx;

	if (drm_dev_enter(&tdev->drm, &idx)) {
		if (reg_read(tdev, TRNC_REG_STATUS) != REGISTERS_GONE)
			error = -EIO;
		drm_dev_exit(idx);
	}
	tranche_device_stop(tdev, error);
	ret = device_start(tdev);
	if (ret && error != -ENODEV)
		drm_err_ratelimited(&tdev->drm,
				    "the device does not start again: %d\n", ret);
	if (ret)
		tranche_control_stop(tdev, -ENODEV);
	return ret;
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

static void tranche_reset_prepare(struct pci_dev *pdev)
{
	struct tranche_device *tdev = pci_get_drvdata(pdev);

	/* Until tranche_reset_done(), which the PCI core calls next. */
	mutex_lock(&tdev->reset_lock);
	tranche_device_stop(tdev, -ESHUTDOWN);
}

static void tranche_reset_done(struct pci_dev *pdev)
{
	struct tranche_device *tdev = pci_get_drvdata(pdev);

	tranche_device_reset(tdev);
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
	struct tranche_session *session;
	int i;

	mutex_lock(&tdev->reset_lock);
	if (!device_is_same(tdev))
		tranche_device_reset(tdev);
	mutex_unlock(&tdev->reset_lock);
	enable_delayed_work(&tdev->work);
	/* Interrupts may have been lost. */
	rcu_read_lock();
	for (i = 0; i < TRANCHE_MAX_SESSIONS; i++) {
		session = rcu_dereference(tdev->sessions[i]);
		if (session)
			tranche_session_wake(session);
	}
	rcu_read_unlock();
	tranche_control_kick(tdev);
	return 0;
}

static int device_check_cap(struct pci_dev *pdev)
{
	u8 len, cap = pci_find_capability(pdev, PCI_CAP_ID_VNDR);
	u32 magic = 0;

	if (!cap)
		return -ENODEV;
	pci_read_config_byte(pdev, cap + offsetof(struct trnc_pci_cap, len),
			     &len);
	pci_read_config_dword(pdev, cap + offsetof(struct trnc_pci_cap, magic),
			      &magic);
	return len >= sizeof(struct trnc_pci_cap) && magic == TRNC_MAGIC ?
		       0 : -ENODEV;
}

static int device_map(struct tranche_device *tdev, struct pci_dev *pdev)
{
	int ret;

	tdev->aperture_start = pci_resource_start(pdev, TRNC_PCI_BAR_APERTURE);
	tdev->aperture_size = pci_resource_len(pdev, TRNC_PCI_BAR_APERTURE);
	if (pci_resource_len(pdev, TRNC_PCI_BAR_REGS) < TRNC_PCI_REGS_SIZE ||
	    tdev->aperture_size < TRNC_CONTROL_MIN)
		return -ENODEV;
	tdev->regs = pcim_iomap_region(pdev, TRNC_PCI_BAR_REGS, "tranche");
	if (IS_ERR(tdev->regs))
		return PTR_ERR(tdev->regs);
	ret = pcim_request_region(pdev, TRNC_PCI_BAR_APERTURE, "tranche");
	if (ret)
		return ret;
	/*
	 * The whole of it: large pages, so hardly any memory; and user
	 * mappings would be uncached if nobody held it as write-back.
	 */
	tdev->aperture = devm_memremap(&pdev->dev, tdev->aperture_start,
				       tdev->aperture_size, MEMREMAP_WB);
	return PTR_ERR_OR_ZERO(tdev->aperture);
}

static int device_request_irqs(struct tranche_device *tdev,
			       struct pci_dev *pdev)
{
	int nr, i, ret;

	/* One for replies, the others for sessions; one for all will do. */
	nr = pci_alloc_irq_vectors(pdev, 1, min_t(int, TRANCHE_MAX_VECTORS,
						  1 + num_online_cpus()),
				   PCI_IRQ_MSIX);
	if (nr < 0)
		return nr;
	tdev->nr_vectors = nr;
	for (i = 0; i < nr; i++) {
		tdev->vectors[i] = (struct tranche_vector){ tdev, i };
		ret = devm_request_irq(&pdev->dev, pci_irq_vector(pdev, i),
				       tranche_irq, 0, "tranche",
				       &tdev->vectors[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static void device_release(struct drm_device *drm, void *data)
{
	struct tranche_device *tdev = to_tranche(drm);

	mm_renew(&tdev->windows, 0, 0);
	mm_renew(&tdev->shared, 0, 0);
}

static int device_init(struct tranche_device *tdev)
{
	int ret = drmm_mutex_init(&tdev->drm, &tdev->reset_lock);

	if (!ret)
		ret = drmm_mutex_init(&tdev->drm, &tdev->lock);
	if (!ret)
		ret = drmm_add_action_or_reset(&tdev->drm, device_release,
					       NULL);
	init_rwsem(&tdev->map_lock);
	tdev->epoch = 1;
	return ret ?: tranche_control_init(tdev);
}

/* After this no work runs, nobody waits, and the host has nothing of ours. */
static void device_end(struct tranche_device *tdev)
{
	disable_delayed_work_sync(&tdev->work);
	mutex_lock(&tdev->reset_lock);
	tranche_device_stop(tdev, -ENODEV);
	writel(TRNC_COMMAND_RESET, tdev->regs + TRNC_REG_COMMAND);
	mutex_unlock(&tdev->reset_lock);
}

static int tranche_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct tranche_device *tdev;
	int ret;

	tdev = devm_drm_dev_alloc(&pdev->dev, &tranche_driver,
				  struct tranche_device, drm);
	if (IS_ERR(tdev))
		return PTR_ERR(tdev);
	pci_set_drvdata(pdev, tdev);
	ret = device_init(tdev);
	if (ret)
		return ret;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = device_check_cap(pdev);
	if (ret)
		return ret;
	ret = device_map(tdev, pdev);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "cannot map its BARs\n");
	pci_set_master(pdev); /* it does no DMA: for MSI-X alone */
	ret = device_request_irqs(tdev, pdev);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "no interrupts\n");
	mutex_lock(&tdev->reset_lock);
	ret = device_start(tdev);
	mutex_unlock(&tdev->reset_lock);
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
	{ PCI_DEVICE_SUB(TRNC_PCI_VENDOR, TRNC_PCI_DEVICE,
			 TRNC_PCI_SUBSYSTEM_VENDOR, TRNC_PCI_SUBSYSTEM) },
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

/* SPDX-License-Identifier: MIT */
/* A device whose process is alive and does not answer: it is shown as that, and can be stopped by force, until it answers again. */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "daemon/manager_priv.h"

void daemon_device_name_silent(struct manager_device *dev)
{
	struct trn_error err = { 0 };
	char key[64];

	trn_error_set(&err, -ETIMEDOUT, "Unresponsive", "device %s is alive and does not answer", dev->spec.uuid);
	trn_error_hint(&err, "wait, or stop it by force");
	snprintf(key, sizeof(key), "device:%s", dev->spec.uuid);
	daemon_problem_set(dev->d, key, &err, NULL);
}

void daemon_device_silent(void *data)
{
	struct manager_device *dev = data;

	if (dev->state != MANAGER_RUNNING)
		return;
	dev->state = MANAGER_UNRESPONSIVE;
	dev->share = 0;
	daemon_device_name_silent(dev);
	daemon_tell(dev->d, "device-changed", daemon_device_json(dev));
}

void daemon_device_answers(void *data)
{
	struct manager_device *dev = data;

	if (dev->state != MANAGER_UNRESPONSIVE)
		return;
	dev->state = MANAGER_RUNNING;
	log_info("device %s answers again", dev->spec.uuid);
	daemon_problem_over(dev->d, "device", dev->spec.uuid);
	daemon_tell(dev->d, "device-changed", daemon_device_json(dev));
	daemon_history_wake(dev->d);
}

static void stats_known(void *data, const struct trnc_control_stats *stats, const struct trn_error *err)
{
	struct manager_device *dev = data;

	if (stats)
		dev->stats = *stats;
}

void daemon_device_check_answers(struct manager_device *dev)
{
	if (dev->process)
		(void)daemon_process_stats(dev->process, stats_known, dev);
}

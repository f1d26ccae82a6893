/* SPDX-License-Identifier: MIT */
/* PCI devices: served over vfio-user, by the library's threads; this one only waits for signals. */
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/socket.h"
#include "device/vfio_user.h"

static int check(const struct device_options *o, struct trn_error *err)
{
	const char *wrong = o->control_fd >= 0	? "--control-fd" :
			    o->runtime_dir	? "--runtime-dir" :
			    o->executor		? "--executor" :
			    o->has_host_device	? "--host-device" :
			    o->parent_socket	? "--parent-socket" :
			    o->has_behind	? "--behind" :
			    o->has_aperture	? "--aperture" :
						  NULL;

	if (wrong)
		return trn_error_set(err, -EINVAL, "BadOption", "%s is for compute devices, not for parent driver %s", wrong, o->parent);
	return 0;
}

static int prepare(struct device_process *p, struct trn_error *err)
{
	p->service_data = calloc(1, sizeof(struct device_vfio_user));
	if (!p->service_data)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	device_vfio_user_limit_heaps();
	/* No program is started, so none can give more rights than there are. */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return device_vfio_user_choose_names(p->service_data, p, err);
}

static int start(struct device_process *p, struct trn_error *err)
{
	return device_vfio_user_start(p->service_data, p, err);
}

static void stop(struct device_process *p)
{
	sd_event_exit(p->event, 0);
}

static void force(struct device_process *p)
{
	trn_server_end_clients(((struct device_vfio_user *)p->service_data)->server);
}

static void set(struct device_process *p, const struct trn_resources *want, device_set_done done, void *data)
{
	struct trn_error err = { 0 };

	done(data, trn_device_adjust(p->dev, want, &err) < 0 ? &err : NULL);
}

static void get_stats(const struct device_process *p, struct trnc_control_stats *ret)
{
	struct trn_server_stats stats;

	trn_server_get_stats(((struct device_vfio_user *)p->service_data)->server, &stats);
	ret->sessions = stats.clients;
	ret->commands = stats.accesses;
}

static void end(struct device_process *p)
{
	struct device_vfio_user *s = p->service_data;

	trn_server_destroy(s->server);
	s->server = NULL;
}

static void finish(struct device_process *p)
{
	free(p->service_data);
}

const struct device_service device_service_pci = {
	.check = check,
	.listen = base_socket_listen_stream,
	.prepare = prepare,
	.start = start,
	.stop = stop,
	.force = force,
	.set = set,
	.get_stats = get_stats,
	.end = end,
	.finish = finish,
};

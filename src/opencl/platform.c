/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "opencl/objects.h"

static struct _cl_platform_id *the_platform;

static struct _cl_device_id *device_new(struct client_device *client)
{
	struct _cl_device_id *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	head_init(&d->head, KIND_DEVICE);
	pthread_mutex_init(&d->lock, NULL);
	d->client = client;
	return d;
}

/* The platform and its devices live as long as the process: programs keep their ids beyond all releases. */
static void platform_make(void)
{
	struct client_device **found;
	struct _cl_platform_id *p;
	int nr = client_devices_find(&found);

	if (nr <= 0)
		return;
	p = calloc(1, sizeof(*p));
	if (!p)
		return;
	head_init(&p->head, KIND_PLATFORM);
	p->devices = calloc((size_t)nr, sizeof(struct _cl_device_id *));
	for (int i = 0; p->devices && i < nr; i++) {
		struct _cl_device_id *d = device_new(found[i]);

		if (!d)
			break;
		d->platform = p;
		p->devices[p->nr_devices++] = d;
	}
	the_platform = p;
}

struct _cl_platform_id *platform_get(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, platform_make);
	return the_platform;
}

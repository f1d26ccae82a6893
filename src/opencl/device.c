/* SPDX-License-Identifier: MIT */
#include "opencl/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opencl/host_answers.h"

/*
 * The loader and many programs ask every device of every platform in passing: a device that is away must not fill their
 * output.  Who names a device is told why it does not answer, once.
 */
void device_report(cl_device_id d, const struct trn_error *err)
{
	bool is_first;

	if (!getenv("TRANCHE_DEVICE"))
		return;
	pthread_mutex_lock(&d->lock);
	is_first = !d->is_reported;
	d->is_reported = true;
	pthread_mutex_unlock(&d->lock);
	if (!is_first)
		return;
	fprintf(stderr, "tranche: %s\n", err->text[0] ? err->text : strerror(-err->code));
	if (err->hint[0])
		fprintf(stderr, "tranche: hint: %s\n", err->hint);
}

static int session_get_locked(cl_device_id d, struct client_session **ret, struct trn_error *err)
{
	int r = client_session_get(d->client, ret, err);

	if (r < 0 || *ret == d->session)
		return r;
	client_session_put(d->session);
	d->session = client_session_ref(*ret);
	return 0;
}

int device_session_get(cl_device_id d, struct client_session **ret, struct trn_error *err)
{
	int r;

	pthread_mutex_lock(&d->lock);
	r = session_get_locked(d, ret, err);
	pthread_mutex_unlock(&d->lock);
	return r;
}

static uint64_t number(const struct host_answers *answers, cl_device_info param)
{
	uint64_t value = 0;
	size_t size;
	const void *data = host_answers_find(answers, TRNC_TAG_DEVICE_INFO, param, &size);

	if (data && size <= sizeof(value))
		memcpy(&value, data, size);
	return value;
}

static void copy_limits(cl_device_id d, const struct host_answers *answers)
{
	struct device_limits *l = &d->limits;
	uint64_t quota = client_device_quota(d->client);
	size_t size;
	const void *sizes = host_answers_find(answers, TRNC_TAG_DEVICE_INFO, CL_DEVICE_MAX_WORK_ITEM_SIZES, &size);

	l->work_dims = number(answers, CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS);
	l->group_size = number(answers, CL_DEVICE_MAX_WORK_GROUP_SIZE);
	for (size_t i = 0; i < 3; i++) {
		l->item_sizes[i] = l->group_size;
		if (sizes && size >= (i + 1) * sizeof(size_t))
			memcpy(&l->item_sizes[i], (const uint8_t *)sizes + i * sizeof(size_t), sizeof(size_t));
	}
	l->local_mem = number(answers, CL_DEVICE_LOCAL_MEM_SIZE);
	l->max_alloc = number(answers, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
	if (l->max_alloc > quota)
		l->max_alloc = quota;
	l->base_align = number(answers, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8;
	if (!l->base_align)
		l->base_align = 1;
}

static int connect_locked(cl_device_id d, struct trn_error *err)
{
	struct client_session *session;
	struct host_answers *answers;
	const void *blob;
	size_t len;
	int r;

	if (atomic_load(&d->answers))
		return 0;
	r = session_get_locked(d, &session, err);
	if (r < 0)
		return r;
	client_session_put(session); /* the device's own reference stays */
	r = client_device_probe(d->client, &blob, &len, err);
	if (r < 0)
		return r;
	r = host_answers_new(blob, len, &answers);
	if (r < 0)
		return trn_error_set(err, r, "BadProbe", "device %s: its answers about itself cannot be read",
				     client_device_path(d->client));
	copy_limits(d, answers);
	atomic_store(&d->answers, answers);
	return 0;
}

cl_int device_connect(cl_device_id d)
{
	struct trn_error err = { 0 };
	int r;

	if (atomic_load(&d->answers))
		return CL_SUCCESS;
	pthread_mutex_lock(&d->lock);
	r = connect_locked(d, &err);
	pthread_mutex_unlock(&d->lock);
	if (r == 0)
		return CL_SUCCESS;
	trn_error_set(&err, r, "NoDevice", "device %s does not answer", client_device_path(d->client));
	device_report(d, &err);
	return CL_DEVICE_NOT_AVAILABLE;
}

const void *device_host_info(cl_device_id d, cl_device_info param, size_t *ret_size, cl_int *ret_error)
{
	const struct host_answers *answers;
	const void *value;

	*ret_error = device_connect(d);
	if (*ret_error)
		return NULL;
	answers = atomic_load(&d->answers);
	value = host_answers_find(answers, TRNC_TAG_DEVICE_INFO, param, ret_size);
	if (!value)
		*ret_error = host_answers_error(answers, param);
	return value;
}

const void *platform_host_info(cl_device_id d, cl_platform_info param, size_t *ret_size)
{
	if (device_connect(d))
		return NULL;
	return host_answers_find(atomic_load(&d->answers), TRNC_TAG_PLATFORM_INFO, param, ret_size);
}

static cl_int find_answer(cl_device_id d, cl_device_info param, size_t cap, void *dst, size_t *size_ret)
{
	const void *value;
	bool is_ours;
	cl_int error;
	size_t size;

	error = device_override(d, param, cap, dst, size_ret, &is_ours);
	if (is_ours)
		return error;
	value = device_host_info(d, param, &size, &error);
	return value ? info_return(value, size, cap, dst, size_ret) : error;
}

struct device_answer {
	size_t size;
	uint8_t value[];
};

/* Without memory, or where the answer is an error, it is found again the next time. */
static void keep_answer(cl_device_id d, cl_device_info param)
{
	struct device_answer *a, *nobody = NULL;
	size_t size;

	if (param == CL_DEVICE_REFERENCE_COUNT || find_answer(d, param, 0, NULL, &size))
		return;
	a = malloc(sizeof(*a) + size);
	if (!a)
		return;
	a->size = size;
	if (find_answer(d, param, size, a->value, NULL) ||
	    !atomic_compare_exchange_strong(&d->given[param - CL_DEVICE_TYPE], &nobody, a))
		free(a);
}

void device_forget_answers(cl_device_id d)
{
	for (size_t i = 0; i < DEVICE_NR_GIVEN; i++)
		free(atomic_load(&d->given[i]));
}

cl_int device_info(cl_device_id d, cl_device_info param, size_t cap, void *dst, size_t *size_ret)
{
	const struct device_answer *a;

	if (param - CL_DEVICE_TYPE >= DEVICE_NR_GIVEN)
		return find_answer(d, param, cap, dst, size_ret);
	a = atomic_load_explicit(&d->given[param - CL_DEVICE_TYPE], memory_order_acquire);
	if (a)
		return info_return(a->value, a->size, cap, dst, size_ret);
	keep_answer(d, param);
	return find_answer(d, param, cap, dst, size_ret);
}

uint64_t device_info_u64(cl_device_id d, cl_device_info param)
{
	uint64_t value = 0;

	/* The wire is little-endian, as every machine that this is built for: the low bytes come first. */
	if (device_info(d, param, sizeof(value), &value, NULL))
		return 0;
	return value;
}

uint64_t device_host_u64(cl_device_id d, cl_device_info param)
{
	uint64_t value = 0;
	cl_int error;
	size_t size;
	const void *data = device_host_info(d, param, &size, &error);

	if (data && size <= sizeof(value))
		memcpy(&value, data, size);
	return value;
}

const char *device_host_str(cl_device_id d, cl_device_info param)
{
	cl_int error;
	size_t size;
	const char *text = device_host_info(d, param, &size, &error);

	return text && size && text[size - 1] == '\0' ? text : "";
}

bool device_is_of_type(cl_device_id d, cl_device_type type)
{
	/* A wish, not a kind: the first device fulfils it, whatever it is. */
	if (type == CL_DEVICE_TYPE_DEFAULT)
		return true;
	if (type == CL_DEVICE_TYPE_ALL)
		type = ~(cl_device_type)CL_DEVICE_TYPE_CUSTOM;
	return (device_info_u64(d, CL_DEVICE_TYPE) & type) != 0;
}

size_t devices_find(struct _cl_platform_id *p, cl_device_type type, size_t cap, cl_device_id *ret)
{
	size_t nr = 0;

	for (uint32_t i = 0; i < p->nr_devices; i++) {
		cl_device_id d = p->devices[i];

		if (device_connect(d) || !device_is_of_type(d, type))
			continue;
		if (nr < cap)
			ret[nr] = d;
		nr++;
		if (type == CL_DEVICE_TYPE_DEFAULT)
			break;
	}
	return nr;
}

/* SPDX-License-Identifier: MIT */
#include "executor/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/blob.h"
#include "base/cleanup.h"
#include "tranche/wire/compute.h"

/* No honest answer is longer; a longer one is left out. */
#define MAX_VALUE (1u << 20)
#define MAX_FORMATS 4096u

/*
 * Numbers of device queries, as ranges [first, last]: all that Khronos' headers name, and their neighbours, so that a
 * host newer than our headers is shown whole.  A query that a host does not know is one short call.
 */
static const struct {
	uint16_t first, last;
} device_params[] = {
	{ 0x1000, 0x107f }, /* core, up to 3.0 and beyond */
	{ 0x12a9, 0x12b0 }, /* command buffers */
	{ 0x2031, 0x2035 }, /* terminate, named barriers */
	{ 0x204c, 0x204f }, /* semaphores, external memory */
	{ 0x4000, 0x4006 }, /* NVIDIA */
	{ 0x4030, 0x404c }, /* AMD */
	{ 0x4055, 0x4058 }, /* device fission */
	{ 0x407e, 0x407e }, /* Intel: motion estimation */
	{ 0x40a0, 0x40a1 }, /* Qualcomm */
	{ 0x40b6, 0x40bf }, /* ARM */
	{ 0x40e0, 0x40e0 }, /* SPIR */
	{ 0x4104, 0x410f }, /* Intel: sub-groups; PCI bus info */
	{ 0x417e, 0x417f }, /* Intel: planar YUV */
	{ 0x4190, 0x4194 }, /* Intel: unified shared memory */
	{ 0x41e0, 0x41ee }, /* ARM */
	{ 0x4230, 0x4230 }, /* C++ for OpenCL */
	{ 0x4250, 0x4256 }, /* Intel: topology */
};

static const uint16_t platform_params[] = {
	CL_PLATFORM_PROFILE,	CL_PLATFORM_VERSION,		  CL_PLATFORM_NAME,
	CL_PLATFORM_VENDOR,	CL_PLATFORM_EXTENSIONS,		  CL_PLATFORM_HOST_TIMER_RESOLUTION,
	CL_PLATFORM_NUMERIC_VERSION, CL_PLATFORM_EXTENSIONS_WITH_VERSION, 0x0920 /* CL_PLATFORM_ICD_SUFFIX_KHR */,
};

static const cl_mem_object_type image_types[] = {
	CL_MEM_OBJECT_IMAGE1D, CL_MEM_OBJECT_IMAGE1D_BUFFER, CL_MEM_OBJECT_IMAGE1D_ARRAY,
	CL_MEM_OBJECT_IMAGE2D, CL_MEM_OBJECT_IMAGE2D_ARRAY,  CL_MEM_OBJECT_IMAGE3D,
};

static const cl_mem_flags image_flags[] = {
	CL_MEM_READ_WRITE,
	CL_MEM_WRITE_ONLY,
	CL_MEM_READ_ONLY,
	CL_MEM_KERNEL_READ_AND_WRITE,
};

/* Answers that are the host's own handles mean nothing outside its process; the client has its own. */
static bool is_handle(uint32_t param)
{
	return param == CL_DEVICE_PLATFORM || param == CL_DEVICE_PARENT_DEVICE;
}

static void put_value(struct base_blob *b, uint32_t tag, uint32_t param, const void *value, size_t len)
{
	const uint32_t head[2] = { param, 0 };
	_cleanup_free_ uint8_t *item = malloc(sizeof(head) + len);

	if (!item) {
		b->failed = true;
		return;
	}
	memcpy(item, head, sizeof(head));
	memcpy(item + sizeof(head), value, len);
	base_blob_put(b, tag, item, sizeof(head) + len);
}

static void put_device_error(struct base_blob *b, uint32_t param, cl_int cl_err)
{
	const uint32_t item[2] = { param, (uint32_t)cl_err };

	base_blob_put(b, TRNC_TAG_DEVICE_ERROR, item, sizeof(item));
}

static void probe_device(struct exec_host *h, struct base_blob *b, uint32_t param, uint8_t *value)
{
	size_t len = 0;
	cl_int cl_err;

	if (is_handle(param))
		return;
	cl_err = h->GetDeviceInfo(h->device, param, 0, NULL, &len);
	if (cl_err == CL_SUCCESS && len > MAX_VALUE)
		return;
	/* The host's values of no length (empty lists) are values, too. */
	if (cl_err == CL_SUCCESS && len)
		cl_err = h->GetDeviceInfo(h->device, param, len, value, NULL);
	if (cl_err == CL_SUCCESS)
		put_value(b, TRNC_TAG_DEVICE_INFO, param, value, len);
	else
		put_device_error(b, param, cl_err);
}

static void probe_platform(struct exec_host *h, struct base_blob *b, uint32_t param, uint8_t *value)
{
	size_t len = 0;

	if (h->GetPlatformInfo(h->platform, param, 0, NULL, &len) == CL_SUCCESS && len <= MAX_VALUE &&
	    h->GetPlatformInfo(h->platform, param, len, value, NULL) == CL_SUCCESS)
		put_value(b, TRNC_TAG_PLATFORM_INFO, param, value, len);
}

static void probe_formats(struct exec_host *h, struct base_blob *b, cl_mem_object_type type, cl_mem_flags flags,
			  uint8_t *value)
{
	const size_t head = 2 * sizeof(uint32_t) + sizeof(uint64_t);
	const uint32_t words[2] = { type, 0 };
	const uint64_t wide = flags;
	cl_uint nr = 0;

	if (h->GetSupportedImageFormats(h->spare, flags, type, 0, NULL, &nr) != CL_SUCCESS || nr > MAX_FORMATS)
		return;
	memcpy(value, words, sizeof(words));
	memcpy(value + sizeof(words), &wide, sizeof(wide));
	if (nr && h->GetSupportedImageFormats(h->spare, flags, type, nr, (cl_image_format *)(void *)(value + head),
					      NULL) != CL_SUCCESS)
		return;
	base_blob_put(b, TRNC_TAG_IMAGE_FORMATS, value, head + nr * sizeof(cl_image_format));
}

static int write_sealed(int fd, const struct base_blob *b)
{
	for (size_t done = 0; done < b->len;) {
		ssize_t n = pwrite(fd, b->data + done, b->len - done, (off_t)done);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;
	return 0;
}

int exec_probe_write(struct exec_host *h, int fd, uint64_t *ret_len, struct trn_error *err)
{
	_cleanup_(base_blob_finish) struct base_blob b = { 0 };
	_cleanup_free_ uint8_t *value = malloc(MAX_VALUE);
	int r;

	if (!value)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the device's description");
	for (size_t i = 0; i < sizeof(platform_params) / sizeof(platform_params[0]); i++)
		probe_platform(h, &b, platform_params[i], value);
	for (size_t i = 0; i < sizeof(device_params) / sizeof(device_params[0]); i++)
		for (uint32_t p = device_params[i].first; p <= device_params[i].last; p++)
			probe_device(h, &b, p, value);
	for (size_t i = 0; i < sizeof(image_types) / sizeof(image_types[0]); i++)
		for (size_t j = 0; j < sizeof(image_flags) / sizeof(image_flags[0]); j++)
			probe_formats(h, &b, image_types[i], image_flags[j], value);
	if (b.failed)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the device's description");
	r = write_sealed(fd, &b);
	if (r < 0)
		return trn_error_set(err, r, "ProbeBlob", "cannot write the device's description: %s", strerror(-r));
	*ret_len = b.len;
	return 0;
}

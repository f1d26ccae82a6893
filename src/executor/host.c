/* SPDX-License-Identifier: MIT */
#include "executor/host.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/crc32.h"
#include "base/log.h"
#include "base/range.h"
#include "executor/pocl.h"

#define MAX_PLATFORMS 64

static int load_functions(struct exec_host *h, struct trn_error *err)
{
	void *lib = dlopen(EXEC_HOST_LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!lib) {
		trn_error_set(err, -ENOENT, "NoHostOpenCL", "the host's OpenCL cannot be loaded: %s", dlerror());
		return trn_error_hint(err, "install an OpenCL loader and a driver, on Debian: "
					   "apt-get install ocl-icd-libopencl1 pocl-opencl-icd");
	}
#define F(name)                                                                                       \
	h->name = (__typeof__(h->name))dlsym(lib, "cl" #name);                                        \
	if (!h->name)                                                                                 \
		return trn_error_set(err, -ENOSYS, "HostOpenCLTooOld", "the host's %s lacks cl%s", EXEC_HOST_LIBRARY, #name);
	EXEC_HOST_FUNCTIONS(F)
#undef F
	h->CreateCommandQueueWithProperties = (__typeof__(h->CreateCommandQueueWithProperties))
		dlsym(lib, "clCreateCommandQueueWithProperties");
	h->CreateCommandQueue = (__typeof__(h->CreateCommandQueue))dlsym(lib, "clCreateCommandQueue");
	h->CreateProgramWithIL = (__typeof__(h->CreateProgramWithIL))dlsym(lib, "clCreateProgramWithIL");
	h->SetKernelArgSVMPointer = (__typeof__(h->SetKernelArgSVMPointer))dlsym(lib, "clSetKernelArgSVMPointer");
	h->SetKernelExecInfo = (__typeof__(h->SetKernelExecInfo))dlsym(lib, "clSetKernelExecInfo");
	h->CreateImage = (__typeof__(h->CreateImage))dlsym(lib, "clCreateImage");
	h->GetImageInfo = (__typeof__(h->GetImageInfo))dlsym(lib, "clGetImageInfo");
	h->EnqueueCopyImageToBuffer = (__typeof__(h->EnqueueCopyImageToBuffer))
		dlsym(lib, "clEnqueueCopyImageToBuffer");
	h->EnqueueCopyBufferToImage = (__typeof__(h->EnqueueCopyBufferToImage))
		dlsym(lib, "clEnqueueCopyBufferToImage");
	h->CreateSampler = (__typeof__(h->CreateSampler))dlsym(lib, "clCreateSampler");
	h->ReleaseSampler = (__typeof__(h->ReleaseSampler))dlsym(lib, "clReleaseSampler");
	h->CreateSubDevices = (__typeof__(h->CreateSubDevices))dlsym(lib, "clCreateSubDevices");
	if (!h->CreateCommandQueueWithProperties && !h->CreateCommandQueue)
		return trn_error_set(err, -ENOSYS, "HostOpenCLTooOld", "the host's %s cannot create queues", EXEC_HOST_LIBRARY);
	return 0;
}

/* All devices of all platforms in the loader's order, up to max. */
static cl_uint list_devices(struct exec_host *h, struct exec_host_device *list, cl_uint max, cl_uint *ret_platforms)
{
	cl_platform_id platforms[MAX_PLATFORMS];
	cl_uint nr_platforms = 0, nr = 0;

	if (h->GetPlatformIDs(MAX_PLATFORMS, platforms, &nr_platforms) != CL_SUCCESS)
		nr_platforms = 0;
	if (nr_platforms > MAX_PLATFORMS)
		nr_platforms = MAX_PLATFORMS;
	for (cl_uint i = 0; i < nr_platforms; i++) {
		cl_device_id devices[EXEC_MAX_DEVICES];
		cl_uint found = 0;

		if (h->GetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, EXEC_MAX_DEVICES, devices, &found) != CL_SUCCESS)
			continue;
		if (found > EXEC_MAX_DEVICES)
			found = EXEC_MAX_DEVICES;
		for (cl_uint j = 0; j < found && nr < max; j++)
			list[nr++] = (struct exec_host_device){ .platform = platforms[i], .device = devices[j] };
	}
	*ret_platforms = nr_platforms;
	return nr;
}

/* Takes the quick devices out of the list. Return: how many are left. */
static cl_uint hide_quick(const struct exec_host *h, struct exec_host_device *list, cl_uint nr, struct exec_host_device *ret_quick)
{
	cl_uint left = 0;

	for (cl_uint i = 0; i < nr; i++) {
		if (exec_pocl_is_quick(h, list[i].platform, list[i].device))
			*ret_quick = list[i];
		else
			list[left++] = list[i];
	}
	return left;
}

/* "0: name, 1: name", cut where the buffer ends. */
static void describe(struct exec_host *h, const struct exec_host_device *list, cl_uint nr, char *buf, size_t cap)
{
	size_t len = 0;

	buf[0] = '\0';
	for (cl_uint i = 0; i < nr && len < cap; i++) {
		char name[64] = "?";
		int n;

		/* A name that does not fit is an error and leaves the question mark. */
		h->GetDeviceInfo(list[i].device, CL_DEVICE_NAME, sizeof(name), name, NULL);
		name[sizeof(name) - 1] = '\0';
		n = snprintf(buf + len, cap - len, "%s%u: %s", i ? ", " : "", i, name);
		if (n < 0)
			break;
		len += (size_t)n;
	}
}

static uint32_t identify(const struct exec_host *h)
{
	char name[512];
	uint32_t sum = 0;

	memset(name, 0, sizeof(name));
	(void)h->GetPlatformInfo(h->platform, CL_PLATFORM_NAME, sizeof(name), name, NULL);
	sum = base_crc32(sum, name, sizeof(name));
	memset(name, 0, sizeof(name));
	(void)h->GetDeviceInfo(h->device, CL_DEVICE_NAME, sizeof(name), name, NULL);
	sum = base_crc32(sum, name, sizeof(name));
	memset(name, 0, sizeof(name));
	(void)h->GetDeviceInfo(h->device, CL_DRIVER_VERSION, sizeof(name), name, NULL);
	sum = base_crc32(sum, name, sizeof(name));
	return sum ? sum : 1;
}

int exec_host_list(struct exec_host *h, bool wants_quick, struct exec_host_list *ret, struct trn_error *err)
{
	int r = load_functions(h, err);

	if (r < 0)
		return r;
	*ret = (struct exec_host_list){ 0 };
	if (wants_quick)
		wants_quick = exec_pocl_ask_for_quick();
	ret->nr = list_devices(h, ret->list, EXEC_MAX_DEVICES, &ret->nr_platforms);
	if (wants_quick)
		ret->nr = hide_quick(h, ret->list, ret->nr, &ret->quick);
	return 0;
}

int exec_host_load(struct exec_host *h, uint32_t index, bool wants_quick, struct trn_error *err)
{
	_cleanup_free_ struct exec_host_list *all = calloc(1, sizeof(*all));
	const struct exec_host_device *list;
	cl_device_type type = 0;
	char names[200];
	cl_uint nr;
	int r;

	if (!all)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the list of host devices");
	r = exec_host_list(h, wants_quick, all, err);
	if (r < 0)
		return r;
	list = all->list;
	nr = all->nr;
	if (nr == 0) {
		trn_error_set(err, -ENODEV, "NoHostDevice", "the host's OpenCL lists %u platforms and no device",
			      all->nr_platforms);
		return trn_error_hint(err, "install an OpenCL driver, on Debian: apt-get install pocl-opencl-icd; "
					   "see what clinfo -l says");
	}
	if (index >= nr) {
		describe(h, list, nr, names, sizeof(names));
		trn_error_set(err, -ENODEV, "NoHostDevice", "host device %u does not exist", index);
		return trn_error_hint(err, "the host has %s", names);
	}
	h->platform = list[index].platform;
	h->device = list[index].device;
	h->identity = identify(h);
	if (all->quick.platform == h->platform)
		h->quick = all->quick.device;
	if (h->GetDeviceInfo(h->device, CL_DEVICE_TYPE, sizeof(type), &type, NULL) == CL_SUCCESS)
		h->is_cpu = (type & CL_DEVICE_TYPE_CPU) != 0;
	return 0;
}

bool exec_host_has_svm(const struct exec_host *h)
{
	cl_device_svm_capabilities caps = 0;

	/* An old loader has the functions not, an old driver not the query. */
	return h->coherent && h->SetKernelArgSVMPointer && h->SetKernelExecInfo &&
	       h->GetDeviceInfo(h->device, CL_DEVICE_SVM_CAPABILITIES, sizeof(caps), &caps, NULL) == CL_SUCCESS &&
	       caps & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER;
}

static cl_context create_context(struct exec_host *h, cl_device_id device, cl_int *ret_err)
{
	const cl_context_properties properties[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)h->platform, 0 };

	return h->CreateContext(properties, 1, &device, NULL, NULL, ret_err);
}

cl_context exec_host_create_context(struct exec_host *h, cl_int *ret_err)
{
	return create_context(h, h->device, ret_err);
}

cl_context exec_host_create_quick_context(struct exec_host *h, cl_int *ret_err)
{
	return create_context(h, h->quick, ret_err);
}

cl_command_queue exec_host_create_quick_queue(struct exec_host *h, cl_context context, cl_int *ret_err)
{
	if (h->CreateCommandQueueWithProperties)
		return h->CreateCommandQueueWithProperties(context, h->quick, NULL, ret_err);
	return h->CreateCommandQueue(context, h->quick, 0, ret_err);
}

cl_command_queue exec_host_create_queue(struct exec_host *h, cl_context context, cl_command_queue_properties properties,
					cl_int *ret_err)
{
	const cl_queue_properties list[] = { CL_QUEUE_PROPERTIES, properties, 0 };

	if (h->CreateCommandQueueWithProperties)
		return h->CreateCommandQueueWithProperties(context, h->device, list, ret_err);
	return h->CreateCommandQueue(context, h->device, properties, ret_err);
}

/* Does a fill by the device appear in the program's memory, and is a map the same memory? */
static bool is_in_place(struct exec_host *h, cl_context context, uint8_t *memory, size_t size)
{
	const cl_uint pattern = 0x5a17c0de;
	cl_command_queue queue = NULL;
	cl_mem mem = NULL;
	void *map = NULL;
	bool same = false;
	cl_int err;

	queue = exec_host_create_queue(h, context, 0, &err);
	if (!queue)
		goto out;
	mem = h->CreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, size, memory, &err);
	if (!mem)
		goto out;
	if (h->EnqueueFillBuffer(queue, mem, &pattern, sizeof(pattern), 0, size, 0, NULL, NULL) != CL_SUCCESS ||
	    h->Finish(queue) != CL_SUCCESS)
		goto out;
	same = true;
	for (size_t i = 0; i < size; i += sizeof(pattern))
		if (memcmp(memory + i, &pattern, sizeof(pattern)) != 0)
			same = false;
	map = h->EnqueueMapBuffer(queue, mem, CL_TRUE, CL_MAP_READ, 0, size, 0, NULL, NULL, &err);
	if (map != memory)
		same = false;
	if (map)
		h->EnqueueUnmapMemObject(queue, mem, map, 0, NULL, NULL);
	h->Finish(queue);
out:
	if (mem)
		h->ReleaseMemObject(mem);
	if (queue)
		h->ReleaseCommandQueue(queue);
	return same;
}

int exec_host_self_test(struct exec_host *h, struct trn_error *err)
{
	uint8_t *memory;
	cl_int cl_err = CL_SUCCESS;

	h->spare = exec_host_create_context(h, &cl_err);
	if (!h->spare)
		return trn_error_set(err, -EIO, "HostContext", "the host's OpenCL makes no context: error %d", cl_err);
	/* Only a CPU device is believed: others may pass this test by luck, and cache what they were shown. */
	if (!h->is_cpu)
		return 0;
	/* Shared, as segments are. */
	memory = mmap(NULL, BASE_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return trn_error_set(err, -errno, "NoMemory", "no memory for the self-test");
	h->coherent = is_in_place(h, h->spare, memory, BASE_PAGE_SIZE);
	munmap(memory, BASE_PAGE_SIZE);
	return 0;
}

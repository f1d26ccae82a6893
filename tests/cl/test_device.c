/* SPDX-License-Identifier: MIT */
/* clGetDeviceIDs, clGetDeviceInfo for each parameter, sub-devices, timers. */
#include "cl_test.h"

static void ids(struct cl_env *env)
{
	cl_device_id list[8] = { NULL };
	cl_uint count = 0;

	CHECK_OK(clGetDeviceIDs(env->platform, CL_DEVICE_TYPE_ALL, 0, NULL, &count));
	REQUIRE(count >= 1);
	CHECK_OK(clGetDeviceIDs(env->platform, CL_DEVICE_TYPE_ALL, COUNT_OF(list), list, NULL));
	CHECK(list[0] == env->device);
	CHECK_OK(clGetDeviceIDs(env->platform, CL_DEVICE_TYPE_DEFAULT, COUNT_OF(list), list, &count));
	CHECK_EQ(count, 1);
	CHECK(list[0] == env->device);
}

static void ids_errors(struct cl_env *env)
{
	cl_device_id one = NULL;
	cl_uint count = 77;

	CHECK_ERR(clGetDeviceIDs(env->platform, CL_DEVICE_TYPE_ALL, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clGetDeviceIDs(env->platform, CL_DEVICE_TYPE_ALL, 0, &one, NULL), CL_INVALID_VALUE);
	/* the native driver finds no device of a type that does not exist */
	CHECK_ERR_OR(clGetDeviceIDs(env->platform, (cl_device_type)1 << 40, 1, &one, &count), CL_INVALID_DEVICE_TYPE,
		     CL_DEVICE_NOT_FOUND);
	CHECK_ERR_OR(clGetDeviceIDs(env->platform, 0, 1, &one, &count), CL_INVALID_DEVICE_TYPE,
		     CL_DEVICE_NOT_FOUND);
	CHECK_ERR(clGetDeviceIDs(env->platform, CL_DEVICE_TYPE_ACCELERATOR, 1, &one, &count), CL_DEVICE_NOT_FOUND);
}

static const struct {
	cl_device_info param;
	size_t size;
} params[] = {
	{ CL_DEVICE_TYPE, sizeof(cl_device_type) },
	{ CL_DEVICE_VENDOR_ID, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_WORK_ITEM_SIZES, 3 * sizeof(size_t) },
	{ CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(size_t) },
	{ CL_DEVICE_PREFERRED_VECTOR_WIDTH_CHAR, sizeof(cl_uint) },
	{ CL_DEVICE_PREFERRED_VECTOR_WIDTH_SHORT, sizeof(cl_uint) },
	{ CL_DEVICE_PREFERRED_VECTOR_WIDTH_INT, sizeof(cl_uint) },
	{ CL_DEVICE_PREFERRED_VECTOR_WIDTH_LONG, sizeof(cl_uint) },
	{ CL_DEVICE_PREFERRED_VECTOR_WIDTH_FLOAT, sizeof(cl_uint) },
	{ CL_DEVICE_PREFERRED_VECTOR_WIDTH_DOUBLE, sizeof(cl_uint) },
	{ CL_DEVICE_PREFERRED_VECTOR_WIDTH_HALF, sizeof(cl_uint) },
	{ CL_DEVICE_NATIVE_VECTOR_WIDTH_CHAR, sizeof(cl_uint) },
	{ CL_DEVICE_NATIVE_VECTOR_WIDTH_SHORT, sizeof(cl_uint) },
	{ CL_DEVICE_NATIVE_VECTOR_WIDTH_INT, sizeof(cl_uint) },
	{ CL_DEVICE_NATIVE_VECTOR_WIDTH_LONG, sizeof(cl_uint) },
	{ CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof(cl_uint) },
	{ CL_DEVICE_NATIVE_VECTOR_WIDTH_DOUBLE, sizeof(cl_uint) },
	{ CL_DEVICE_NATIVE_VECTOR_WIDTH_HALF, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_CLOCK_FREQUENCY, sizeof(cl_uint) },
	{ CL_DEVICE_ADDRESS_BITS, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(cl_ulong) },
	{ CL_DEVICE_IMAGE_SUPPORT, sizeof(cl_bool) },
	{ CL_DEVICE_MAX_READ_IMAGE_ARGS, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_WRITE_IMAGE_ARGS, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_READ_WRITE_IMAGE_ARGS, sizeof(cl_uint) },
	{ CL_DEVICE_IL_VERSION, ANY_SIZE },
	{ CL_DEVICE_ILS_WITH_VERSION, ANY_SIZE },
	{ CL_DEVICE_IMAGE2D_MAX_WIDTH, sizeof(size_t) },
	{ CL_DEVICE_IMAGE2D_MAX_HEIGHT, sizeof(size_t) },
	{ CL_DEVICE_IMAGE3D_MAX_WIDTH, sizeof(size_t) },
	{ CL_DEVICE_IMAGE3D_MAX_HEIGHT, sizeof(size_t) },
	{ CL_DEVICE_IMAGE3D_MAX_DEPTH, sizeof(size_t) },
	{ CL_DEVICE_IMAGE_MAX_BUFFER_SIZE, sizeof(size_t) },
	{ CL_DEVICE_IMAGE_MAX_ARRAY_SIZE, sizeof(size_t) },
	{ CL_DEVICE_MAX_SAMPLERS, sizeof(cl_uint) },
	{ CL_DEVICE_IMAGE_PITCH_ALIGNMENT, sizeof(cl_uint) },
	{ CL_DEVICE_IMAGE_BASE_ADDRESS_ALIGNMENT, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_PIPE_ARGS, sizeof(cl_uint) },
	{ CL_DEVICE_PIPE_MAX_ACTIVE_RESERVATIONS, sizeof(cl_uint) },
	{ CL_DEVICE_PIPE_MAX_PACKET_SIZE, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_PARAMETER_SIZE, sizeof(size_t) },
	{ CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof(cl_uint) },
	{ CL_DEVICE_MIN_DATA_TYPE_ALIGN_SIZE, sizeof(cl_uint) },
	{ CL_DEVICE_SINGLE_FP_CONFIG, sizeof(cl_device_fp_config) },
	{ CL_DEVICE_DOUBLE_FP_CONFIG, sizeof(cl_device_fp_config) },
	{ CL_DEVICE_GLOBAL_MEM_CACHE_TYPE, sizeof(cl_device_mem_cache_type) },
	{ CL_DEVICE_GLOBAL_MEM_CACHELINE_SIZE, sizeof(cl_uint) },
	{ CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, sizeof(cl_ulong) },
	{ CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(cl_ulong) },
	{ CL_DEVICE_MAX_CONSTANT_BUFFER_SIZE, sizeof(cl_ulong) },
	{ CL_DEVICE_MAX_CONSTANT_ARGS, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_GLOBAL_VARIABLE_SIZE, sizeof(size_t) },
	{ CL_DEVICE_GLOBAL_VARIABLE_PREFERRED_TOTAL_SIZE, sizeof(size_t) },
	{ CL_DEVICE_LOCAL_MEM_TYPE, sizeof(cl_device_local_mem_type) },
	{ CL_DEVICE_LOCAL_MEM_SIZE, sizeof(cl_ulong) },
	{ CL_DEVICE_ERROR_CORRECTION_SUPPORT, sizeof(cl_bool) },
	{ CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof(cl_bool) },
	{ CL_DEVICE_PROFILING_TIMER_RESOLUTION, sizeof(size_t) },
	{ CL_DEVICE_ENDIAN_LITTLE, sizeof(cl_bool) },
	{ CL_DEVICE_AVAILABLE, sizeof(cl_bool) },
	{ CL_DEVICE_COMPILER_AVAILABLE, sizeof(cl_bool) },
	{ CL_DEVICE_LINKER_AVAILABLE, sizeof(cl_bool) },
	{ CL_DEVICE_EXECUTION_CAPABILITIES, sizeof(cl_device_exec_capabilities) },
	{ CL_DEVICE_QUEUE_ON_HOST_PROPERTIES, sizeof(cl_command_queue_properties) },
	{ CL_DEVICE_QUEUE_ON_DEVICE_PROPERTIES, sizeof(cl_command_queue_properties) },
	{ CL_DEVICE_QUEUE_ON_DEVICE_PREFERRED_SIZE, sizeof(cl_uint) },
	{ CL_DEVICE_QUEUE_ON_DEVICE_MAX_SIZE, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_ON_DEVICE_QUEUES, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_ON_DEVICE_EVENTS, sizeof(cl_uint) },
	{ CL_DEVICE_BUILT_IN_KERNELS, ANY_SIZE },
	{ CL_DEVICE_BUILT_IN_KERNELS_WITH_VERSION, ANY_SIZE },
	{ CL_DEVICE_PLATFORM, sizeof(cl_platform_id) },
	{ CL_DEVICE_NAME, ANY_SIZE },
	{ CL_DEVICE_VENDOR, ANY_SIZE },
	{ CL_DRIVER_VERSION, ANY_SIZE },
	{ CL_DEVICE_PROFILE, ANY_SIZE },
	{ CL_DEVICE_VERSION, ANY_SIZE },
	{ CL_DEVICE_NUMERIC_VERSION, sizeof(cl_version) },
	{ CL_DEVICE_OPENCL_C_VERSION, ANY_SIZE },
	{ CL_DEVICE_OPENCL_C_ALL_VERSIONS, ANY_SIZE },
	{ CL_DEVICE_OPENCL_C_FEATURES, ANY_SIZE },
	{ CL_DEVICE_EXTENSIONS, ANY_SIZE },
	{ CL_DEVICE_EXTENSIONS_WITH_VERSION, ANY_SIZE },
	{ CL_DEVICE_PRINTF_BUFFER_SIZE, sizeof(size_t) },
	{ CL_DEVICE_PREFERRED_INTEROP_USER_SYNC, sizeof(cl_bool) },
	{ CL_DEVICE_PARENT_DEVICE, sizeof(cl_device_id) },
	{ CL_DEVICE_PARTITION_MAX_SUB_DEVICES, sizeof(cl_uint) },
	{ CL_DEVICE_PARTITION_PROPERTIES, ANY_SIZE },
	{ CL_DEVICE_PARTITION_AFFINITY_DOMAIN, sizeof(cl_device_affinity_domain) },
	{ CL_DEVICE_PARTITION_TYPE, ANY_SIZE },
	{ CL_DEVICE_REFERENCE_COUNT, sizeof(cl_uint) },
	{ CL_DEVICE_SVM_CAPABILITIES, sizeof(cl_device_svm_capabilities) },
	{ CL_DEVICE_PREFERRED_PLATFORM_ATOMIC_ALIGNMENT, sizeof(cl_uint) },
	{ CL_DEVICE_PREFERRED_GLOBAL_ATOMIC_ALIGNMENT, sizeof(cl_uint) },
	{ CL_DEVICE_PREFERRED_LOCAL_ATOMIC_ALIGNMENT, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_NUM_SUB_GROUPS, sizeof(cl_uint) },
	{ CL_DEVICE_SUB_GROUP_INDEPENDENT_FORWARD_PROGRESS, sizeof(cl_bool) },
	{ CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES, sizeof(cl_device_atomic_capabilities) },
	{ CL_DEVICE_ATOMIC_FENCE_CAPABILITIES, sizeof(cl_device_atomic_capabilities) },
	{ CL_DEVICE_NON_UNIFORM_WORK_GROUP_SUPPORT, sizeof(cl_bool) },
	{ CL_DEVICE_WORK_GROUP_COLLECTIVE_FUNCTIONS_SUPPORT, sizeof(cl_bool) },
	{ CL_DEVICE_GENERIC_ADDRESS_SPACE_SUPPORT, sizeof(cl_bool) },
	/* a bit-field of 8 bytes; the native driver answers with 4 */
	{ CL_DEVICE_DEVICE_ENQUEUE_CAPABILITIES, ANY_SIZE },
	{ CL_DEVICE_PIPE_SUPPORT, sizeof(cl_bool) },
	{ CL_DEVICE_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, sizeof(size_t) },
	{ CL_DEVICE_LATEST_CONFORMANCE_VERSION_PASSED, ANY_SIZE },
};

static void each_param(struct cl_env *env)
{
	for (size_t i = 0; i < COUNT_OF(params); i++) {
		unsigned int before = cl_test_failures();

		CHECK_INFO(params[i].size, clGetDeviceInfo, env->device, params[i].param);
		if (cl_test_failures() != before)
			fprintf(stderr, "  parameter 0x%x\n", params[i].param);
	}
}

static void bad_param(struct cl_env *env)
{
	char buf[64];

	CHECK_ERR(clGetDeviceInfo(env->device, 0xbad, sizeof(buf), buf, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clGetDeviceInfo(env->device, 0, sizeof(buf), buf, NULL), CL_INVALID_VALUE);
}

/* What OpenCL 3.0 full profile promises at the least. */
static void minimum_values(struct cl_env *env)
{
	size_t sizes[3] = { 0 };
	char text[8192] = "";
	cl_device_id dev = env->device;
	cl_ulong max_alloc = GET_INFO(cl_ulong, clGetDeviceInfo, dev, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
	cl_ulong global = GET_INFO(cl_ulong, clGetDeviceInfo, dev, CL_DEVICE_GLOBAL_MEM_SIZE);

	CHECK(GET_INFO(cl_platform_id, clGetDeviceInfo, dev, CL_DEVICE_PLATFORM) == env->platform);
	CHECK(GET_INFO(cl_bool, clGetDeviceInfo, dev, CL_DEVICE_AVAILABLE));
	CHECK(GET_INFO(cl_bool, clGetDeviceInfo, dev, CL_DEVICE_COMPILER_AVAILABLE));
	CHECK(GET_INFO(cl_bool, clGetDeviceInfo, dev, CL_DEVICE_LINKER_AVAILABLE));
	CHECK(GET_INFO(cl_uint, clGetDeviceInfo, dev, CL_DEVICE_MAX_COMPUTE_UNITS) >= 1);
	CHECK(GET_INFO(cl_uint, clGetDeviceInfo, dev, CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS) >= 3);
	CHECK_OK(clGetDeviceInfo(dev, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof(sizes), sizes, NULL));
	CHECK(sizes[0] >= 1 && sizes[1] >= 1 && sizes[2] >= 1);
	CHECK(GET_INFO(size_t, clGetDeviceInfo, dev, CL_DEVICE_MAX_PARAMETER_SIZE) >= 1024);
	CHECK(GET_INFO(cl_ulong, clGetDeviceInfo, dev, CL_DEVICE_LOCAL_MEM_SIZE) >= 32 * 1024);
	CHECK(GET_INFO(size_t, clGetDeviceInfo, dev, CL_DEVICE_PRINTF_BUFFER_SIZE) >= 1 << 20);
	CHECK(max_alloc > 0 && max_alloc <= global);
	CHECK(max_alloc >= global / 4 || max_alloc >= (cl_ulong)1 << 30);
	CHECK(GET_INFO(cl_command_queue_properties, clGetDeviceInfo, dev, CL_DEVICE_QUEUE_ON_HOST_PROPERTIES) &
	      CL_QUEUE_PROFILING_ENABLE);
	CHECK_OK(clGetDeviceInfo(dev, CL_DEVICE_VERSION, sizeof(text), text, NULL));
	CHECK(strncmp(text, "OpenCL 3.0", 10) == 0);
	CHECK_OK(clGetDeviceInfo(dev, CL_DEVICE_EXTENSIONS, sizeof(text), text, NULL));
	CHECK(strstr(text, "cl_khr_byte_addressable_store"));
	CHECK_EQ(GET_INFO(cl_ulong, clGetDeviceInfo, dev, CL_DEVICE_GLOBAL_MEM_SIZE), global);
}

/* A root device counts nothing: retain and release succeed and change nothing. */
static void root_device_is_not_counted(struct cl_env *env)
{
	cl_uint before = GET_INFO(cl_uint, clGetDeviceInfo, env->device, CL_DEVICE_REFERENCE_COUNT);

	CHECK_EQ(before, 1);
	CHECK_OK(clRetainDevice(env->device));
	CHECK_OK(clReleaseDevice(env->device));
	CHECK_OK(clReleaseDevice(env->device));
	CHECK_EQ(GET_INFO(cl_uint, clGetDeviceInfo, env->device, CL_DEVICE_REFERENCE_COUNT), before);
	CHECK(GET_INFO(cl_device_id, clGetDeviceInfo, env->device, CL_DEVICE_PARENT_DEVICE) == NULL);
}

static void sub_devices_bad_properties(struct cl_env *env)
{
	const cl_device_partition_property none[] = { 0 };
	const cl_device_partition_property unknown[] = { 0x7777, 1, 0 };
	cl_device_id out[4];
	cl_uint count = 0;

	CHECK_ERR(clCreateSubDevices(env->device, NULL, 4, out, &count), CL_INVALID_VALUE);
	CHECK_ERR(clCreateSubDevices(env->device, none, 4, out, &count), CL_INVALID_VALUE);
	CHECK_ERR(clCreateSubDevices(env->device, unknown, 4, out, &count), CL_INVALID_VALUE);
}

/* Optional: where the properties list names no kind, partitioning is refused. */
static void sub_devices(struct cl_env *env)
{
	const cl_device_partition_property one_each[] = { CL_DEVICE_PARTITION_EQUALLY, 1, 0 };
	cl_device_partition_property kinds[8] = { 0 };
	cl_uint units = GET_INFO(cl_uint, clGetDeviceInfo, env->device, CL_DEVICE_MAX_COMPUTE_UNITS);
	cl_device_id out[256];
	cl_uint count = 0;

	CHECK_OK(clGetDeviceInfo(env->device, CL_DEVICE_PARTITION_PROPERTIES, sizeof(kinds), kinds, NULL));
	if (kinds[0] == 0) {
		CHECK(clCreateSubDevices(env->device, one_each, 4, out, &count) != CL_SUCCESS);
		return;
	}
	if (units < 2 || units > COUNT_OF(out))
		return;
	REQUIRE_OK(clCreateSubDevices(env->device, one_each, units, out, &count));
	CHECK_EQ(count, units);
	for (cl_uint i = 0; i < count; i++) {
		CHECK(GET_INFO(cl_device_id, clGetDeviceInfo, out[i], CL_DEVICE_PARENT_DEVICE) == env->device);
		CHECK_EQ(GET_INFO(cl_uint, clGetDeviceInfo, out[i], CL_DEVICE_MAX_COMPUTE_UNITS), 1);
		CHECK_OK(clReleaseDevice(out[i]));
	}
}

static void timers(struct cl_env *env)
{
	cl_ulong device_time = 0, host_time = 0;
	cl_ulong resolution = GET_INFO(cl_ulong, clGetPlatformInfo, env->platform,
				       CL_PLATFORM_HOST_TIMER_RESOLUTION);

	if (resolution) {
		CHECK_OK(clGetHostTimer(env->device, &host_time));
		CHECK_OK(clGetDeviceAndHostTimer(env->device, &device_time, &host_time));
		CHECK(device_time && host_time);
	} else {
		CHECK_ERR(clGetHostTimer(env->device, &host_time), CL_INVALID_OPERATION);
		CHECK_ERR(clGetDeviceAndHostTimer(env->device, &device_time, &host_time), CL_INVALID_OPERATION);
	}
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(ids), CL_CASE(ids_errors), CL_CASE(each_param), CL_CASE(bad_param),
		CL_CASE(minimum_values), CL_CASE(root_device_is_not_counted),
		CL_CASE(sub_devices_bad_properties), CL_CASE(sub_devices), CL_CASE(timers), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}

/* SPDX-License-Identifier: MIT */
/*
 * cl_khr_command_buffer: what is recorded, what a replay does, the states, and every error, printed to be compared with
 * the host's driver.  Not here, where that driver differs from the extension: a kernel's arguments that change between
 * recording and enqueueing (PoCL 3.1 takes the later ones), and the value of the list of queues.
 */
#include "cl_test.h"

#define FUNCTIONS(X)                                                                                            \
	X(clCreateCommandBufferKHR) X(clRetainCommandBufferKHR) X(clReleaseCommandBufferKHR)                    \
	X(clFinalizeCommandBufferKHR) X(clEnqueueCommandBufferKHR) X(clCommandBarrierWithWaitListKHR)           \
	X(clCommandCopyBufferKHR) X(clCommandCopyBufferRectKHR) X(clCommandCopyBufferToImageKHR)                \
	X(clCommandCopyImageKHR) X(clCommandCopyImageToBufferKHR) X(clCommandFillBufferKHR)                     \
	X(clCommandFillImageKHR) X(clCommandNDRangeKernelKHR) X(clGetCommandBufferInfoKHR)

static struct {
#define FIELD(name) name##_fn name;
	FUNCTIONS(FIELD)
#undef FIELD
} f;

static void get_functions(struct cl_env *env)
{
	bool has_all = true;

#define GET(n)                                                                                   \
	f.n = (n##_fn)clGetExtensionFunctionAddressForPlatform(env->platform, #n);               \
	has_all = has_all && f.n;
	FUNCTIONS(GET)
#undef GET
	if (!has_all)
		cl_test_skip("no cl_khr_command_buffer");
}

static const char source[] = "kernel void add(global int *a, int v) { a[get_global_id(0)] += v; }"
			     "kernel void mul(global int *a, local int *t) { t[0] = 3; a[get_global_id(0)] *= t[0]; }";

struct objects {
	cl_program program;
	cl_kernel add, mul;
	cl_mem a, b;
};

#define COUNT 256

static void objects_make(struct cl_env *env, struct objects *o)
{
	int zeros[COUNT] = { 0 }, one = 1;

	get_functions(env);
	o->program = cl_build(env, source, "");
	o->add = cl_kernel_new(o->program, "add");
	o->mul = cl_kernel_new(o->program, "mul");
	o->a = cl_buffer(env, CL_MEM_COPY_HOST_PTR, sizeof(zeros), zeros);
	o->b = cl_buffer(env, CL_MEM_COPY_HOST_PTR, sizeof(zeros), zeros);
	CHECK_OK(clSetKernelArg(o->add, 0, sizeof(o->a), &o->a));
	CHECK_OK(clSetKernelArg(o->add, 1, sizeof(one), &one));
	CHECK_OK(clSetKernelArg(o->mul, 0, sizeof(o->a), &o->a));
	CHECK_OK(clSetKernelArg(o->mul, 1, 64, NULL));
}

static void objects_drop(struct objects *o)
{
	clReleaseMemObject(o->a);
	clReleaseMemObject(o->b);
	clReleaseKernel(o->add);
	clReleaseKernel(o->mul);
	clReleaseProgram(o->program);
}

static cl_command_buffer_khr create(cl_command_queue queue, cl_command_buffer_flags_khr flags)
{
	const cl_command_buffer_properties_khr list[] = { CL_COMMAND_BUFFER_FLAGS_KHR, flags, 0 };
	cl_int err;
	cl_command_buffer_khr b = f.clCreateCommandBufferKHR(1, &queue, flags ? list : NULL, &err);

	CHECK_OK(err);
	return b;
}

static void print_values(struct cl_env *env, cl_mem mem, const char *what)
{
	int v[COUNT];

	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, sizeof(v), v, 0, NULL, NULL));
	printf("%s: %d %d %d %d ... %d\n", what, v[0], v[1], v[2], v[3], v[COUNT - 1]);
}

static void print_state(cl_command_buffer_khr b)
{
	cl_uint state = 77, refs = 77, nr = 77;

	CHECK_OK(f.clGetCommandBufferInfoKHR(b, CL_COMMAND_BUFFER_STATE_KHR, sizeof(state), &state, NULL));
	CHECK_OK(f.clGetCommandBufferInfoKHR(b, CL_COMMAND_BUFFER_REFERENCE_COUNT_KHR, sizeof(refs), &refs, NULL));
	CHECK_OK(f.clGetCommandBufferInfoKHR(b, CL_COMMAND_BUFFER_NUM_QUEUES_KHR, sizeof(nr), &nr, NULL));
	printf("state %u, %u references, %u queues\n", state, refs, nr);
}

/* The host's driver notes the end in a callback. */
static void wait_idle(cl_command_buffer_khr b)
{
	cl_uint state = CL_COMMAND_BUFFER_STATE_PENDING_KHR;
	double start = cl_now();

	while (state == CL_COMMAND_BUFFER_STATE_PENDING_KHR && cl_now() - start < 10) {
		cl_sleep_ms(20);
		CHECK_OK(f.clGetCommandBufferInfoKHR(b, CL_COMMAND_BUFFER_STATE_KHR, sizeof(state), &state, NULL));
	}
}

#define OUTCOME(call) printf("%s: %d\n", #call, call)

/* One of each command, twice. */
static void record_all(struct objects *o, cl_command_buffer_khr b, bool with_points)
{
	const size_t global = COUNT, local = 16, origin[3] = { 0, 0, 0 }, region[3] = { 8, 4, 1 };
	const size_t dst_origin[3] = { 16, 0, 0 };
	cl_sync_point_khr p[8] = { 0 };
	const int pattern = 5;

#define AFTER(n) with_points ? 1 : 0, with_points ? &p[n] : NULL
	OUTCOME(f.clCommandNDRangeKernelKHR(b, NULL, NULL, o->add, 1, NULL, &global, NULL, 0, NULL, &p[0], NULL));
	OUTCOME(f.clCommandNDRangeKernelKHR(b, NULL, NULL, o->mul, 1, NULL, &global, &local, AFTER(0), &p[1], NULL));
	OUTCOME(f.clCommandCopyBufferKHR(b, NULL, o->a, o->b, 0, 64, 128, AFTER(1), &p[2], NULL));
	OUTCOME(f.clCommandFillBufferKHR(b, NULL, o->b, &pattern, sizeof(pattern), 0, 8, AFTER(2), &p[3], NULL));
	OUTCOME(f.clCommandCopyBufferRectKHR(b, NULL, o->a, o->b, origin, dst_origin, region, 32, 0, 32, 0, AFTER(3),
					     &p[4], NULL));
	OUTCOME(f.clCommandBarrierWithWaitListKHR(b, NULL, AFTER(4), &p[5], NULL));
	OUTCOME(f.clCommandNDRangeKernelKHR(b, NULL, NULL, o->add, 1, NULL, &global, &local, AFTER(5), NULL, NULL));
	printf("points %u %u %u %u %u %u\n", p[0], p[1], p[2], p[3], p[4], p[5]);
#undef AFTER
}

static void replay(struct cl_env *env, cl_command_queue queue, bool with_points)
{
	cl_command_buffer_khr b;
	cl_command_type type = 0;
	struct objects o;
	cl_event event;

	objects_make(env, &o);
	b = create(queue, 0);
	print_state(b);
	record_all(&o, b, with_points);
	OUTCOME(f.clEnqueueCommandBufferKHR(0, NULL, b, 0, NULL, NULL));
	OUTCOME(f.clFinalizeCommandBufferKHR(b));
	print_state(b);
	OUTCOME(f.clFinalizeCommandBufferKHR(b));
	for (int i = 0; i < 3; i++) {
		OUTCOME(f.clEnqueueCommandBufferKHR(0, NULL, b, 0, NULL, &event));
		CHECK_OK(clWaitForEvents(1, &event));
		CHECK_OK(clFinish(queue));
		wait_idle(b);
		CHECK_OK(clGetEventInfo(event, CL_EVENT_COMMAND_TYPE, sizeof(type), &type, NULL));
		printf("type %x\n", type);
		clReleaseEvent(event);
		print_values(env, o.a, "a");
		print_values(env, o.b, "b");
	}
	OUTCOME(f.clEnqueueCommandBufferKHR(1, &queue, b, 0, NULL, NULL));
	CHECK_OK(clFinish(queue));
	print_values(env, o.a, "a");
	OUTCOME(f.clReleaseCommandBufferKHR(b));
	objects_drop(&o);
}

static void case_in_order(struct cl_env *env)
{
	replay(env, env->queue, false);
	replay(env, env->queue, true);
}

static void case_out_of_order(struct cl_env *env)
{
	cl_command_queue queue = cl_queue(env, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);

	replay(env, queue, true);
	clReleaseCommandQueue(queue);
}

static void case_states(struct cl_env *env)
{
	const size_t global = COUNT;
	cl_command_buffer_khr b, many;
	cl_event user, event;
	struct objects o;
	cl_uint refs;

	objects_make(env, &o);
	b = create(env->queue, 0);
	many = create(env->queue, CL_COMMAND_BUFFER_SIMULTANEOUS_USE_KHR);
	CHECK_OK(f.clCommandNDRangeKernelKHR(b, NULL, NULL, o.add, 1, NULL, &global, NULL, 0, NULL, NULL, NULL));
	CHECK_OK(f.clCommandNDRangeKernelKHR(many, NULL, NULL, o.add, 1, NULL, &global, NULL, 0, NULL, NULL, NULL));
	CHECK_OK(clGetMemObjectInfo(o.a, CL_MEM_REFERENCE_COUNT, sizeof(refs), &refs, NULL));
	printf("buffer: %u references\n", refs);
	CHECK_OK(clGetKernelInfo(o.add, CL_KERNEL_REFERENCE_COUNT, sizeof(refs), &refs, NULL));
	printf("kernel: %u references\n", refs);
	CHECK_OK(clGetCommandQueueInfo(env->queue, CL_QUEUE_REFERENCE_COUNT, sizeof(refs), &refs, NULL));
	printf("queue: %u references\n", refs);
	CHECK_OK(f.clFinalizeCommandBufferKHR(b));
	CHECK_OK(f.clFinalizeCommandBufferKHR(many));

	user = clCreateUserEvent(env->ctx, NULL);
	OUTCOME(f.clEnqueueCommandBufferKHR(0, NULL, b, 1, &user, &event));
	print_state(b);
	OUTCOME(f.clEnqueueCommandBufferKHR(0, NULL, b, 0, NULL, NULL));
	OUTCOME(f.clEnqueueCommandBufferKHR(0, NULL, many, 0, NULL, NULL));
	OUTCOME(f.clEnqueueCommandBufferKHR(0, NULL, many, 0, NULL, NULL));
	print_state(many);
	OUTCOME(f.clCommandBarrierWithWaitListKHR(b, NULL, 0, NULL, NULL, NULL));
	CHECK_OK(clSetUserEventStatus(user, CL_COMPLETE));
	CHECK_OK(clWaitForEvents(1, &event));
	CHECK_OK(clFinish(env->queue));
	wait_idle(b);
	wait_idle(many);
	print_state(b);
	print_state(many);
	print_values(env, o.a, "a");
	clReleaseEvent(event);
	clReleaseEvent(user);
	OUTCOME(f.clRetainCommandBufferKHR(b));
	print_state(b);
	OUTCOME(f.clReleaseCommandBufferKHR(b));
	OUTCOME(f.clReleaseCommandBufferKHR(b));
	OUTCOME(f.clReleaseCommandBufferKHR(many));
	objects_drop(&o);
}

/* All that a command names may be released after recording, and the buffer itself while it is under way. */
static void case_release(struct cl_env *env)
{
	const size_t global = COUNT;
	cl_command_buffer_khr b;
	cl_event user, event;
	struct objects o;
	cl_mem a;

	objects_make(env, &o);
	a = o.a;
	clRetainMemObject(a);
	b = create(env->queue, 0);
	CHECK_OK(f.clCommandNDRangeKernelKHR(b, NULL, NULL, o.add, 1, NULL, &global, NULL, 0, NULL, NULL, NULL));
	CHECK_OK(f.clCommandCopyBufferKHR(b, NULL, o.a, o.b, 0, 0, 64, 0, NULL, NULL, NULL));
	CHECK_OK(f.clFinalizeCommandBufferKHR(b));
	objects_drop(&o);
	user = clCreateUserEvent(env->ctx, NULL);
	CHECK_OK(f.clEnqueueCommandBufferKHR(0, NULL, b, 1, &user, &event));
	CHECK_OK(f.clReleaseCommandBufferKHR(b));
	CHECK_OK(clSetUserEventStatus(user, CL_COMPLETE));
	CHECK_OK(clWaitForEvents(1, &event));
	print_values(env, a, "a");
	clReleaseMemObject(a);
	clReleaseEvent(event);
	clReleaseEvent(user);
}

static void case_empty(struct cl_env *env)
{
	cl_command_buffer_khr b;
	cl_event event;

	get_functions(env);
	b = create(env->queue, 0);
	CHECK_OK(f.clFinalizeCommandBufferKHR(b));
	OUTCOME(f.clEnqueueCommandBufferKHR(0, NULL, b, 0, NULL, &event));
	CHECK_OK(clWaitForEvents(1, &event));
	clReleaseEvent(event);
	wait_idle(b);
	print_state(b);
	CHECK_OK(f.clReleaseCommandBufferKHR(b));
}

static void case_create_errors(struct cl_env *env)
{
	const cl_command_buffer_properties_khr unknown[] = { 0x4711, 1, 0 }, none[] = { 0 };
	const cl_command_buffer_properties_khr flags[] = { CL_COMMAND_BUFFER_FLAGS_KHR, 6, 0 };
	const cl_command_queue q = env->queue, two[] = { q, q };
	cl_command_buffer_khr b;
	cl_int err;

	get_functions(env);
#define CREATE(...)                                                                            \
	err = 12345;                                                                           \
	b = f.clCreateCommandBufferKHR(__VA_ARGS__, &err);                                     \
	printf("create " #__VA_ARGS__ ": %d %d\n", b != NULL, err);                            \
	if (b)                                                                                 \
		f.clReleaseCommandBufferKHR(b);
	CREATE(0, NULL, NULL)
	CREATE(0, &q, NULL)
	CREATE(1, NULL, NULL)
	CREATE(2, two, NULL)
	CREATE(1, &q, unknown)
	CREATE(1, &q, flags)
	CREATE(1, &q, none)
	OUTCOME(f.clRetainCommandBufferKHR(NULL));
	OUTCOME(f.clReleaseCommandBufferKHR(NULL));
	OUTCOME(f.clFinalizeCommandBufferKHR(NULL));
	OUTCOME(f.clEnqueueCommandBufferKHR(0, NULL, NULL, 0, NULL, NULL));
	OUTCOME(f.clGetCommandBufferInfoKHR(NULL, CL_COMMAND_BUFFER_STATE_KHR, 0, NULL, NULL));
}

static void case_record_errors(struct cl_env *env)
{
	const size_t o3[3] = { 0, 0, 0 }, r3[3] = { 4, 4, 1 }, big[3] = { 4096, 4, 1 };
	const cl_sync_point_khr zero = 0, one = 1, two = 2;
	cl_command_queue q = env->queue;
	cl_mutable_command_khr handle;
	cl_command_buffer_khr b;
	cl_sync_point_khr point = 77;
	const int pattern = 1;
	struct objects o;

	objects_make(env, &o);
	b = create(q, 0);
	OUTCOME(f.clCommandBarrierWithWaitListKHR(NULL, NULL, 0, NULL, NULL, NULL));
	OUTCOME(f.clCommandBarrierWithWaitListKHR(b, q, 0, NULL, NULL, NULL));
	OUTCOME(f.clCommandBarrierWithWaitListKHR(b, NULL, 0, NULL, NULL, &handle));
	OUTCOME(f.clCommandBarrierWithWaitListKHR(b, q, 0, NULL, NULL, &handle));
	OUTCOME(f.clCommandBarrierWithWaitListKHR(b, NULL, 1, NULL, NULL, NULL));
	OUTCOME(f.clCommandBarrierWithWaitListKHR(b, NULL, 0, &one, NULL, NULL));
	OUTCOME(f.clCommandBarrierWithWaitListKHR(b, NULL, 1, &one, NULL, NULL));
	OUTCOME(f.clCommandBarrierWithWaitListKHR(b, NULL, 1, &zero, NULL, NULL));
	OUTCOME(f.clCommandBarrierWithWaitListKHR(b, NULL, 0, NULL, &point, NULL));
	OUTCOME(f.clCommandBarrierWithWaitListKHR(b, NULL, 1, &one, &point, NULL));
	OUTCOME(f.clCommandCopyBufferKHR(b, NULL, NULL, o.b, 0, 0, 4, 0, NULL, NULL, NULL));
	OUTCOME(f.clCommandCopyBufferKHR(b, NULL, o.a, o.b, 0, 0, 4096, 1, &zero, NULL, NULL));
	OUTCOME(f.clCommandCopyBufferKHR(b, NULL, o.a, o.a, 0, 8, 16, 0, NULL, NULL, NULL));
	OUTCOME(f.clCommandCopyBufferKHR(b, NULL, o.a, o.b, 0, 0, 4, 1, &two, &point, NULL));
	OUTCOME(f.clCommandFillBufferKHR(b, NULL, o.b, &pattern, 3, 0, 12, 0, NULL, NULL, NULL));
	OUTCOME(f.clCommandFillBufferKHR(b, NULL, o.b, NULL, 4, 0, 12, 0, NULL, NULL, NULL));
	OUTCOME(f.clCommandFillBufferKHR(b, NULL, o.b, &pattern, 4, 2, 12, 0, NULL, NULL, NULL));
	OUTCOME(f.clCommandFillImageKHR(b, NULL, o.b, &pattern, o3, r3, 0, NULL, NULL, NULL));
	OUTCOME(f.clCommandCopyBufferRectKHR(b, NULL, o.a, o.b, o3, o3, big, 0, 0, 0, 0, 0, NULL, NULL, NULL));
	OUTCOME(f.clCommandCopyBufferRectKHR(b, NULL, o.a, o.b, NULL, o3, r3, 0, 0, 0, 0, 0, NULL, NULL, NULL));
	OUTCOME(f.clFinalizeCommandBufferKHR(b));
	OUTCOME(f.clCommandBarrierWithWaitListKHR(b, NULL, 0, NULL, &point, NULL));
	OUTCOME(f.clCommandCopyBufferKHR(b, NULL, o.a, o.b, 0, 0, 4, 0, NULL, &point, NULL));
	OUTCOME(f.clCommandCopyBufferKHR(b, NULL, o.a, o.b, 0, 0, 4, 1, &zero, &point, NULL));
	printf("point %u\n", point);
	CHECK_OK(f.clReleaseCommandBufferKHR(b));
	objects_drop(&o);
}

static void case_enqueue_errors(struct cl_env *env)
{
	cl_command_queue q = env->queue, unordered = cl_queue(env, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	cl_command_queue none = NULL, two[] = { q, q }, foreign;
	cl_context other = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);
	cl_event no_event = NULL;
	cl_command_buffer_khr b;

	get_functions(env);
	foreign = clCreateCommandQueueWithProperties(other, env->device, NULL, NULL);
	b = create(q, 0);
	CHECK_OK(f.clFinalizeCommandBufferKHR(b));
	OUTCOME(f.clEnqueueCommandBufferKHR(1, NULL, b, 0, NULL, NULL));
	OUTCOME(f.clEnqueueCommandBufferKHR(0, &q, b, 0, NULL, NULL));
	OUTCOME(f.clEnqueueCommandBufferKHR(2, two, b, 0, NULL, NULL));
	OUTCOME(f.clEnqueueCommandBufferKHR(1, &none, b, 0, NULL, NULL));
	OUTCOME(f.clEnqueueCommandBufferKHR(1, &foreign, b, 0, NULL, NULL));
	OUTCOME(f.clEnqueueCommandBufferKHR(1, &unordered, b, 0, NULL, NULL));
	OUTCOME(f.clEnqueueCommandBufferKHR(1, &unordered, b, 1, NULL, NULL));
	OUTCOME(f.clEnqueueCommandBufferKHR(0, NULL, b, 1, NULL, NULL));
	OUTCOME(f.clEnqueueCommandBufferKHR(0, NULL, b, 0, &no_event, NULL));
	OUTCOME(f.clEnqueueCommandBufferKHR(0, NULL, b, 1, &no_event, NULL));
	CHECK_OK(f.clReleaseCommandBufferKHR(b));
	clReleaseCommandQueue(unordered);
	clReleaseCommandQueue(foreign);
	clReleaseContext(other);
}

static void case_info(struct cl_env *env)
{
	unsigned char room[64];
	cl_command_buffer_khr b;
	size_t size;

	get_functions(env);
	b = create(env->queue, CL_COMMAND_BUFFER_SIMULTANEOUS_USE_KHR);
	for (cl_uint param = 0x1290; param < 0x12a0; param++) {
		size = 77;
		printf("%x: %d", param, f.clGetCommandBufferInfoKHR(b, param, sizeof(room), room, &size));
		printf(" %zu, ", size);
		printf("%d\n", f.clGetCommandBufferInfoKHR(b, param, 1, room, NULL));
	}
	CHECK_OK(f.clReleaseCommandBufferKHR(b));
}

static void case_device(struct cl_env *env)
{
	cl_ulong capabilities = 77, properties = 77;

	OUTCOME(clGetDeviceInfo(env->device, CL_DEVICE_COMMAND_BUFFER_CAPABILITIES_KHR, 8, &capabilities, NULL));
	OUTCOME(clGetDeviceInfo(env->device, CL_DEVICE_COMMAND_BUFFER_REQUIRED_QUEUE_PROPERTIES_KHR, 8, &properties, NULL));
	printf("%llx %llx\n", (unsigned long long)capabilities, (unsigned long long)properties);
}

static void print_image(struct cl_env *env, cl_mem image, const char *what)
{
	const size_t origin[3] = { 0, 0, 0 }, region[3] = { 16, 8, 1 };
	unsigned char v[8][16][4];

	CHECK_OK(clEnqueueReadImage(env->queue, image, CL_TRUE, origin, region, 0, 0, v, 0, NULL, NULL));
	printf("%s: %d %d %d %d\n", what, v[0][0][0], v[1][2][1], v[3][4][2], v[7][15][3]);
}

static void case_images(struct cl_env *env)
{
	static const cl_image_format format = { CL_RGBA, CL_UNSIGNED_INT8 };
	const cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 16, .image_height = 8 };
	const size_t zero[3] = { 0, 0, 0 }, at[3] = { 2, 1, 0 }, all[3] = { 16, 8, 1 }, some[3] = { 4, 4, 1 };
	const cl_uint color[4] = { 1, 2, 3, 4 }, other[4] = { 9, 8, 7, 6 };
	cl_mem a, b, c;
	cl_command_buffer_khr buffer;
	struct objects o;
	cl_int err;

	objects_make(env, &o);
	a = clCreateImage(env->ctx, 0, &format, &desc, NULL, &err);
	CHECK_OK(err);
	b = clCreateImage(env->ctx, 0, &format, &desc, NULL, &err);
	CHECK_OK(err);
	c = cl_buffer(env, 0, 4096, NULL);
	buffer = create(env->queue, 0);
	OUTCOME(f.clCommandFillImageKHR(buffer, NULL, a, color, zero, all, 0, NULL, NULL, NULL));
	OUTCOME(f.clCommandFillImageKHR(buffer, NULL, b, other, zero, all, 0, NULL, NULL, NULL));
	OUTCOME(f.clCommandCopyImageKHR(buffer, NULL, a, b, zero, at, some, 0, NULL, NULL, NULL));
	OUTCOME(f.clCommandCopyImageToBufferKHR(buffer, NULL, b, c, zero, all, 0, 0, NULL, NULL, NULL));
	OUTCOME(f.clCommandCopyBufferToImageKHR(buffer, NULL, c, a, 64, zero, some, 0, NULL, NULL, NULL));
	CHECK_OK(f.clFinalizeCommandBufferKHR(buffer));
	for (int i = 0; i < 2; i++) {
		OUTCOME(f.clEnqueueCommandBufferKHR(0, NULL, buffer, 0, NULL, NULL));
		CHECK_OK(clFinish(env->queue));
		wait_idle(buffer);
		print_image(env, a, "a");
		print_image(env, b, "b");
	}
	CHECK_OK(f.clReleaseCommandBufferKHR(buffer));
	clReleaseMemObject(a);
	clReleaseMemObject(b);
	clReleaseMemObject(c);
	objects_drop(&o);
}

static void case_many(struct cl_env *env)
{
	const size_t global = COUNT;
	cl_command_buffer_khr b;
	struct objects o;
	cl_event event;

	objects_make(env, &o);
	b = create(env->queue, 0);
	for (int i = 0; i < 500; i++)
		CHECK_OK(f.clCommandNDRangeKernelKHR(b, NULL, NULL, o.add, 1, NULL, &global, NULL, 0, NULL, NULL, NULL));
	CHECK_OK(f.clFinalizeCommandBufferKHR(b));
	for (int i = 0; i < 4; i++) {
		CHECK_OK(f.clEnqueueCommandBufferKHR(0, NULL, b, 0, NULL, &event));
		CHECK_OK(clWaitForEvents(1, &event));
		clReleaseEvent(event);
		wait_idle(b);
	}
	print_values(env, o.a, "a");
	CHECK_OK(f.clReleaseCommandBufferKHR(b));
	objects_drop(&o);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(case_in_order),	     CL_CASE(case_out_of_order), CL_CASE(case_states),	     CL_CASE(case_release),
		CL_CASE(case_empty),	     CL_CASE(case_create_errors), CL_CASE(case_record_errors),
		CL_CASE(case_enqueue_errors), CL_CASE(case_info),	 CL_CASE(case_device),	     CL_CASE(case_images),
		CL_CASE(case_many),
		{ NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}

/* SPDX-License-Identifier: MIT */
/*
 * Shared virtual memory: every call's outcomes, printed, so that a device's can be compared with the native driver's;
 * pointers into allocations as kernel arguments, and inside structures that kernels follow.
 */
#include "cl_test.h"


#define COUNT 1024

static cl_program program;
static cl_kernel add, sum_list, mixed, tree_depth, no_args, takes_value, takes_local;

static const char source[] =
	"typedef struct node { __global struct node *next; uint value; uint pad; } node;\n"
	"__kernel void add(__global uint *p, uint v) { p[get_global_id(0)] += v; }\n"
	"__kernel void sum_list(__global node *n, __global uint *out) {\n"
	"  uint sum = 0, nr = 0;\n"
	"  for (; n; n = n->next) { sum += n->value; n->value = 0; nr++; }\n"
	"  out[0] = sum; out[1] = nr;\n"
	"}\n"
	"__kernel void mixed(__global const uint *a, __global const uint *b, __global uint *out, __constant uint *c) {\n"
	"  size_t i = get_global_id(0); out[i] = a[i] + (b ? b[i] : 1000) + c[0];\n"
	"}\n"
	"typedef struct leaf { ulong left, right; } leaf;\n"
	"__kernel void tree_depth(__global leaf *root, __global uint *out) {\n"
	"  uint n = 0; __global leaf *stack[64]; int top = 0;\n"
	"  if (root) stack[top++] = root;\n"
	"  while (top) { __global leaf *l = stack[--top]; n++;\n"
	"    if (l->left) stack[top++] = (__global leaf *)l->left;\n"
	"    if (l->right) stack[top++] = (__global leaf *)l->right; }\n"
	"  *out = n;\n"
	"}\n"
	"__kernel void no_args(void) {}\n"
	"__kernel void takes_value(uint v, __global uint *p) { *p = v; }\n"
	"__kernel void takes_local(__local uint *l, __global uint *p) { l[0] = 7; *p = l[0]; }\n";

/* What must be equal natively and virtually goes to standard output. */
static void show(const char *what, cl_int err)
{
	printf("%s: %s\n", what, cl_err_name(err));
}

static void setup(struct cl_env *env)
{
	cl_device_svm_capabilities caps =
		GET_INFO(cl_device_svm_capabilities, clGetDeviceInfo, env->device, CL_DEVICE_SVM_CAPABILITIES);

	printf("capabilities: %#llx\n", (unsigned long long)caps);
	if (!(caps & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER))
		cl_test_skip("no shared virtual memory");
	program = cl_build(env, source, NULL);
	add = cl_kernel_new(program, "add");
	sum_list = cl_kernel_new(program, "sum_list");
	mixed = cl_kernel_new(program, "mixed");
	tree_depth = cl_kernel_new(program, "tree_depth");
	no_args = cl_kernel_new(program, "no_args");
	takes_value = cl_kernel_new(program, "takes_value");
	takes_local = cl_kernel_new(program, "takes_local");
}

static void show_alloc(struct cl_env *env, const char *what, cl_svm_mem_flags flags, size_t size, cl_uint align)
{
	void *p = clSVMAlloc(env->ctx, flags, size, align);

	printf("alloc %s: %s, aligned to 128: %d\n", what, p ? "yes" : "NULL", (uintptr_t)p % 128 == 0);
	clSVMFree(env->ctx, p);
}

static void allocs(struct cl_env *env)
{
	cl_ulong max = GET_INFO(cl_ulong, clGetDeviceInfo, env->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
	cl_uint refs = GET_INFO(cl_uint, clGetContextInfo, env->ctx, CL_CONTEXT_REFERENCE_COUNT);
	void *p;

	show_alloc(env, "plain", 0, 1, 0);
	show_alloc(env, "read-write", CL_MEM_READ_WRITE, 4096, 64);
	show_alloc(env, "no bytes", CL_MEM_READ_WRITE, 0, 0);
	show_alloc(env, "too many bytes", CL_MEM_READ_WRITE, max + 1, 0);
	show_alloc(env, "all ones", CL_MEM_READ_WRITE, SIZE_MAX, 0);
	for (cl_uint align = 1; align <= 512; align *= 2) {
		char what[32];

		snprintf(what, sizeof(what), "aligned to %u", align);
		show_alloc(env, what, 0, 100, align);
	}
	show_alloc(env, "aligned to 3", 0, 100, 3);
	show_alloc(env, "aligned to 48", 0, 100, 48);
	show_alloc(env, "fine", CL_MEM_SVM_FINE_GRAIN_BUFFER, 100, 0);
	show_alloc(env, "fine atomics", CL_MEM_SVM_FINE_GRAIN_BUFFER | CL_MEM_SVM_ATOMICS, 100, 0);
	show_alloc(env, "atomics alone", CL_MEM_SVM_ATOMICS, 100, 0);
	show_alloc(env, "read and write", CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY, 100, 0);
	show_alloc(env, "host pointer flag", CL_MEM_USE_HOST_PTR, 100, 0);
	show_alloc(env, "unknown flag", 1ull << 40, 100, 0);
	CHECK(!clSVMAlloc(NULL, 0, 100, 0));
	clSVMFree(NULL, &max);
	clSVMFree(env->ctx, NULL);
	clSVMFree(env->ctx, &max);
	p = clSVMAlloc(env->ctx, 0, 100, 0);
	printf("context references with an allocation: %+d\n",
	       (int)(GET_INFO(cl_uint, clGetContextInfo, env->ctx, CL_CONTEXT_REFERENCE_COUNT) - refs));
	clSVMFree(env->ctx, (char *)p + 4); /* not the beginning: nothing happens */
	memset(p, 1, 100);
	clSVMFree(env->ctx, p);
	CHECK_EQ(GET_INFO(cl_uint, clGetContextInfo, env->ctx, CL_CONTEXT_REFERENCE_COUNT), refs);
}

/* Many, of many sizes, freed in another order: each keeps its bytes. */
static void many_allocs(struct cl_env *env)
{
	enum { NR = 500 };
	static unsigned char *p[NR];
	unsigned int wrong = 0;

	for (int i = 0; i < NR; i++) {
		p[i] = clSVMAlloc(env->ctx, 0, (size_t)(1 + i * 37), 0);
		REQUIRE(p[i]);
		memset(p[i], i, (size_t)(1 + i * 37));
	}
	for (int i = 0; i < NR; i += 2) {
		wrong += !cl_all_bytes(p[i], (size_t)(1 + i * 37), (unsigned char)i);
		clSVMFree(env->ctx, p[i]);
	}
	for (int i = NR - 1; i > 0; i -= 2) {
		wrong += !cl_all_bytes(p[i], (size_t)(1 + i * 37), (unsigned char)i);
		clSVMFree(env->ctx, p[i]);
	}
	CHECK_EQ(wrong, 0);
}

static void arguments(struct cl_env *env)
{
	cl_uint *p = clSVMAlloc(env->ctx, 0, COUNT * sizeof(*p), 0);
	cl_uint three = 3;
	size_t half = COUNT / 2;
	cl_int plain;

	REQUIRE(p);
	show("no kernel", clSetKernelArgSVMPointer(NULL, 0, p));
	show("index", clSetKernelArgSVMPointer(add, 2, p));
	show("no arguments", clSetKernelArgSVMPointer(no_args, 0, p));
	show("a value", clSetKernelArgSVMPointer(takes_value, 0, p));
	show("local memory", clSetKernelArgSVMPointer(takes_local, 0, p));
	show("null", clSetKernelArgSVMPointer(add, 0, NULL));
	show("elsewhere", clSetKernelArgSVMPointer(add, 0, &plain));
	show("constant memory", clSetKernelArgSVMPointer(mixed, 3, p));

	memset(p, 0, COUNT * sizeof(*p));
	show("middle", clSetKernelArgSVMPointer(add, 0, p + half));
	CHECK_OK(clSetKernelArg(add, 1, sizeof(three), &three));
	show("launch", clEnqueueNDRangeKernel(env->queue, add, 1, NULL, &half, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	printf("values %u %u %u %u\n", p[0], p[half - 1], p[half], p[COUNT - 1]);
	clSVMFree(env->ctx, p);
}

static void mixed_arguments(struct cl_env *env)
{
	cl_uint *a = clSVMAlloc(env->ctx, 0, COUNT * sizeof(*a), 0), *out = clSVMAlloc(env->ctx, 0, COUNT * sizeof(*a), 0);
	cl_uint b[COUNT], c = 5;
	cl_mem mem_b, mem_c;
	size_t count = COUNT;

	REQUIRE(a && out);
	for (cl_uint i = 0; i < COUNT; i++) {
		a[i] = i;
		b[i] = 10 * i;
	}
	mem_b = cl_buffer(env, CL_MEM_COPY_HOST_PTR, sizeof(b), b);
	mem_c = cl_buffer(env, CL_MEM_COPY_HOST_PTR, sizeof(c), &c);
	CHECK_OK(clSetKernelArgSVMPointer(mixed, 0, a));
	CHECK_OK(clSetKernelArg(mixed, 1, sizeof(mem_b), &mem_b));
	CHECK_OK(clSetKernelArgSVMPointer(mixed, 2, out));
	CHECK_OK(clSetKernelArg(mixed, 3, sizeof(mem_c), &mem_c));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, mixed, 1, NULL, &count, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	printf("mixed %u %u\n", out[1], out[COUNT - 1]);
	/* the same argument in turn: a pointer, a buffer, nothing, a pointer */
	CHECK_OK(clSetKernelArgSVMPointer(mixed, 1, a));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, mixed, 1, NULL, &count, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	printf("pointer %u\n", out[COUNT - 1]);
	CHECK_OK(clSetKernelArgSVMPointer(mixed, 1, NULL));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, mixed, 1, NULL, &count, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	printf("null %u\n", out[COUNT - 1]);
	CHECK_OK(clSetKernelArg(mixed, 1, sizeof(mem_b), &mem_b));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, mixed, 1, NULL, &count, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	printf("buffer %u\n", out[COUNT - 1]);
	CHECK_OK(clReleaseMemObject(mem_b));
	CHECK_OK(clReleaseMemObject(mem_c));
	clSVMFree(env->ctx, a);
	clSVMFree(env->ctx, out);
}

/* Launches behind a gate have the pointers that were set when they were enqueued. */
static void held_arguments(struct cl_env *env)
{
	cl_uint *p[8], one = 1;
	size_t count = COUNT;
	cl_int err;
	cl_event gate = clCreateUserEvent(env->ctx, &err);

	REQUIRE_OK(err);
	for (cl_uint i = 0; i < 8; i++) {
		p[i] = clSVMAlloc(env->ctx, 0, COUNT * sizeof(cl_uint), 0);
		REQUIRE(p[i]);
		memset(p[i], 0, COUNT * sizeof(cl_uint));
		one = i + 1;
		CHECK_OK(clSetKernelArgSVMPointer(add, 0, p[i]));
		CHECK_OK(clSetKernelArg(add, 1, sizeof(one), &one));
		CHECK_OK(clEnqueueNDRangeKernel(env->queue, add, 1, NULL, &count, NULL, !i, i ? NULL : &gate, NULL));
	}
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clFinish(env->queue));
	for (cl_uint i = 0; i < 8; i++) {
		CHECK_EQ(p[i][0], i + 1);
		CHECK_EQ(p[i][COUNT - 1], i + 1);
		clSVMFree(env->ctx, p[i]);
	}
	CHECK_OK(clReleaseEvent(gate));
}

struct node {
	struct node *next;
	cl_uint value, pad;
};

/* A list that the program built is walked, and changed, by the kernel. */
static void list(struct cl_env *env)
{
	enum { NR = 300 };
	struct node *first = NULL, *next;
	cl_uint *out = clSVMAlloc(env->ctx, 0, 8, 0), left = 0;
	void *known[NR];
	size_t one = 1;

	REQUIRE(out);
	for (cl_uint i = 0; i < NR; i++) {
		struct node *n = clSVMAlloc(env->ctx, CL_MEM_SVM_FINE_GRAIN_BUFFER, sizeof(*n), 0);

		REQUIRE(n);
		*n = (struct node){ .next = first, .value = i };
		known[i] = first = n;
	}
	CHECK_OK(clSetKernelExecInfo(sum_list, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(known), known));
	CHECK_OK(clSetKernelArgSVMPointer(sum_list, 0, first));
	CHECK_OK(clSetKernelArgSVMPointer(sum_list, 1, out));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, sum_list, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	printf("list: sum %u of %u\n", out[0], out[1]);
	for (; first; first = next) {
		next = first->next;
		left += first->value;
		clSVMFree(env->ctx, first);
	}
	printf("left %u\n", left);
	clSVMFree(env->ctx, out);
}

static void tree(struct cl_env *env)
{
	enum { NR = 1023 };
	cl_ulong(*leaf)[2] = clSVMAlloc(env->ctx, 0, NR * sizeof(*leaf), 0);
	cl_uint *out = clSVMAlloc(env->ctx, 0, 4, 0);
	size_t one = 1;

	REQUIRE(leaf && out);
	for (int i = 0; i < NR; i++)
		for (int j = 0; j < 2; j++)
			leaf[i][j] = 2 * i + 1 + j < NR ? (uintptr_t)leaf[2 * i + 1 + j] : 0;
	CHECK_OK(clSetKernelArgSVMPointer(tree_depth, 0, leaf));
	CHECK_OK(clSetKernelArgSVMPointer(tree_depth, 1, out));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, tree_depth, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	printf("tree: %u leaves\n", *out);
	clSVMFree(env->ctx, leaf);
	clSVMFree(env->ctx, out);
}

static void exec_info(struct cl_env *env)
{
	void *p = clSVMAlloc(env->ctx, 0, 64, 0), *list[2] = { p, NULL };
	cl_bool yes = CL_TRUE;

	show("no kernel", clSetKernelExecInfo(NULL, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(list), list));
	show("pointers", clSetKernelExecInfo(add, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(list), list));
	show("odd size", clSetKernelExecInfo(add, CL_KERNEL_EXEC_INFO_SVM_PTRS, 3, list));
	show("no size", clSetKernelExecInfo(add, CL_KERNEL_EXEC_INFO_SVM_PTRS, 0, NULL));
	show("system", clSetKernelExecInfo(add, CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM, sizeof(yes), &yes));
	show("system size", clSetKernelExecInfo(add, CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM, 8, list));
	show("unknown", clSetKernelExecInfo(add, 0x1234, sizeof(list), list));
	clSVMFree(env->ctx, p);
}

static void clone_keeps_pointers(struct cl_env *env)
{
	cl_uint *p = clSVMAlloc(env->ctx, 0, COUNT * sizeof(*p), 0), two = 2;
	size_t count = COUNT;
	cl_kernel clone;
	cl_int err;

	REQUIRE(p);
	memset(p, 0, COUNT * sizeof(*p));
	CHECK_OK(clSetKernelArgSVMPointer(add, 0, p));
	CHECK_OK(clSetKernelArg(add, 1, sizeof(two), &two));
	clone = clCloneKernel(add, &err);
	REQUIRE_OK(err);
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, clone, 1, NULL, &count, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	CHECK_EQ(p[COUNT - 1], 2);
	CHECK_OK(clReleaseKernel(clone));
	clSVMFree(env->ctx, p);
}

/* A second context of the device: its own allocations, and calls that do not know the first one's. */
static void two_contexts(struct cl_env *env)
{
	cl_int err;
	cl_context other = clCreateContext(NULL, 1, &env->device, NULL, NULL, &err);
	void *a, *b;

	REQUIRE_OK(err);
	a = clSVMAlloc(env->ctx, 0, 100, 0);
	b = clSVMAlloc(other, 0, 100, 0);
	REQUIRE(a && b && a != b);
	memset(a, 1, 100);
	memset(b, 2, 100);
	clSVMFree(other, a);
	clSVMFree(env->ctx, b);
	CHECK(cl_all_bytes(a, 100, 1) && cl_all_bytes(b, 100, 2));
	clSVMFree(env->ctx, a);
	clSVMFree(other, b);
	/* An allocation holds its context. PoCL 3.1 looks at the context once more after it has given up its own hold. */
	a = clSVMAlloc(other, 0, 100, 0);
	if (env->native)
		clRetainContext(other);
	CHECK_OK(clReleaseContext(other));
	memset(a, 3, 100);
	clSVMFree(other, a);
	if (env->native)
		CHECK_OK(clReleaseContext(other));
}

static void teardown(struct cl_env *env)
{
	(void)env;
	CHECK_OK(clReleaseKernel(add));
	CHECK_OK(clReleaseKernel(sum_list));
	CHECK_OK(clReleaseKernel(mixed));
	CHECK_OK(clReleaseKernel(tree_depth));
	CHECK_OK(clReleaseKernel(no_args));
	CHECK_OK(clReleaseKernel(takes_value));
	CHECK_OK(clReleaseKernel(takes_local));
	CHECK_OK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(setup), CL_CASE(allocs), CL_CASE(many_allocs), CL_CASE(arguments), CL_CASE(mixed_arguments),
		CL_CASE(held_arguments), CL_CASE(list), CL_CASE(tree), CL_CASE(exec_info),
		CL_CASE(clone_keeps_pointers), CL_CASE(two_contexts), CL_CASE(teardown), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}

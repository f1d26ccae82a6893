/* SPDX-License-Identifier: MIT */
/* clSetKernelArg's checks, in PoCL's order, and the arguments that travel with a launch. */
#include "opencl/kernel.h"
#include "parts.h"

enum { ARG_BUFFER, ARG_INT, ARG_FLOAT4, ARG_STRUCT, ARG_LOCAL, NR_ARGS };

struct fixture {
	struct arg_info infos[NR_ARGS];
	struct kernel_info info;
	struct _cl_context context;
	struct _cl_program program;
	struct _cl_kernel kernel;
	struct kernel_arg args[NR_ARGS];
	struct _cl_mem mem;
};

static int setup(void **state)
{
	static const struct arg_info infos[NR_ARGS] = {
		[ARG_BUFFER] = { .kind = TRNC_ARG_BUFFER, .size = 8 },
		[ARG_INT] = { .kind = TRNC_ARG_VALUE, .size = 4 },
		[ARG_FLOAT4] = { .kind = TRNC_ARG_VALUE, .size = 16 },
		[ARG_STRUCT] = { .kind = TRNC_ARG_VALUE, .size = 0 },
		[ARG_LOCAL] = { .kind = TRNC_ARG_LOCAL, .size = 0 },
	};
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	memcpy(f->infos, infos, sizeof(infos));
	f->info = (struct kernel_info){ .nr_args = NR_ARGS, .args = f->infos };
	f->program.context = &f->context;
	f->kernel.program = &f->program;
	f->kernel.info = &f->info;
	f->kernel.args = f->args;
	f->kernel.nr_unset = NR_ARGS;
	pthread_mutex_init(&f->kernel.lock, NULL);
	head_init(&f->mem.head, KIND_MEM);
	f->mem.context = &f->context;
	f->mem.handle = 0x100000007;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < NR_ARGS; i++)
		free(f->args[i].value);
	free(f);
	return 0;
}

static void test_codes(void **state)
{
	struct fixture *f = *state;
	cl_kernel k = &f->kernel;
	cl_mem mem = &f->mem;
	char bytes[64] = { 0 };

	assert_int_equal(kernel_arg_set(k, NR_ARGS, 4, bytes), CL_INVALID_ARG_INDEX);
	assert_int_equal(kernel_arg_set(k, ARG_LOCAL, 16, bytes), CL_INVALID_ARG_VALUE);
	assert_int_equal(kernel_arg_set(k, ARG_LOCAL, 0, NULL), CL_INVALID_ARG_SIZE);
	assert_int_equal(kernel_arg_set(k, ARG_INT, 4, NULL), CL_INVALID_ARG_VALUE);
	assert_int_equal(kernel_arg_set(k, ARG_INT, 8, bytes), CL_INVALID_ARG_SIZE);
	assert_int_equal(kernel_arg_set(k, ARG_INT, 0, bytes), CL_INVALID_ARG_SIZE);
	assert_int_equal(kernel_arg_set(k, ARG_FLOAT4, 8, bytes), CL_INVALID_ARG_SIZE);
	assert_int_equal(kernel_arg_set(k, ARG_STRUCT, 0, bytes), CL_INVALID_ARG_SIZE);
	assert_int_equal(kernel_arg_set(k, ARG_BUFFER, 4, &mem), CL_INVALID_ARG_SIZE);
	assert_int_equal(kernel_arg_set(k, ARG_BUFFER, 4, NULL), CL_INVALID_ARG_SIZE);
	f->mem.head.kind = 0;
	assert_int_equal(kernel_arg_set(k, ARG_BUFFER, 8, &mem), CL_INVALID_ARG_VALUE);
	assert_int_equal(k->nr_unset, NR_ARGS);
}

static void test_a_refusal_changes_nothing(void **state)
{
	struct fixture *f = *state;
	int value = 5;

	assert_int_equal(kernel_arg_set(&f->kernel, ARG_INT, sizeof(value), &value), CL_SUCCESS);
	value = 6;
	assert_int_equal(kernel_arg_set(&f->kernel, ARG_INT, 2, &value), CL_INVALID_ARG_SIZE);
	assert_true(f->args[ARG_INT].is_set);
	assert_int_equal(f->args[ARG_INT].value[0], 5);
}

static void test_vectors_of_3_have_two_sizes(void **state)
{
	struct fixture *f = *state;
	float v[4] = { 1, 2, 3, 4 };

	assert_int_equal(kernel_arg_set(&f->kernel, ARG_FLOAT4, 12, v), CL_SUCCESS);
	assert_int_equal(f->args[ARG_FLOAT4].size, 12);
	assert_int_equal(kernel_arg_set(&f->kernel, ARG_FLOAT4, 16, v), CL_SUCCESS);
	assert_int_equal(f->args[ARG_FLOAT4].size, 16);
}

static void test_structs_are_limited_by_the_record(void **state)
{
	struct fixture *f = *state;
	uint8_t *big = calloc(1, KERNEL_ARGS_BYTES + 1);

	assert_non_null(big);
	assert_int_equal(kernel_arg_set(&f->kernel, ARG_STRUCT, 1000, big), CL_SUCCESS);
	assert_int_equal(kernel_arg_set(&f->kernel, ARG_STRUCT, 3, big), CL_SUCCESS);
	assert_int_equal(kernel_arg_set(&f->kernel, ARG_STRUCT, KERNEL_ARGS_BYTES, big), CL_INVALID_ARG_SIZE);
	assert_int_equal(kernel_arg_set(&f->kernel, ARG_STRUCT, KERNEL_ARGS_BYTES + 1, big), CL_INVALID_ARG_SIZE);
	assert_int_equal(kernel_arg_set(&f->kernel, ARG_STRUCT, SIZE_MAX, big), CL_INVALID_ARG_SIZE);
	free(big);
}

static void set_all(struct fixture *f)
{
	cl_mem mem = &f->mem;
	const int value = 0x01020304;
	const float v[4] = { 0 };

	assert_int_equal(kernel_arg_set(&f->kernel, ARG_BUFFER, sizeof(mem), &mem), CL_SUCCESS);
	assert_int_equal(kernel_arg_set(&f->kernel, ARG_INT, sizeof(value), &value), CL_SUCCESS);
	assert_int_equal(kernel_arg_set(&f->kernel, ARG_FLOAT4, sizeof(v), v), CL_SUCCESS);
	assert_int_equal(kernel_arg_set(&f->kernel, ARG_STRUCT, 3, "abc"), CL_SUCCESS);
	assert_int_equal(kernel_arg_set(&f->kernel, ARG_LOCAL, 256, NULL), CL_SUCCESS);
}

static void test_the_record_holds_what_changed(void **state)
{
	const struct {
		struct trnc_arg buffer;
		uint64_t handle;
		struct trnc_arg value;
		uint32_t number, pad;
		struct trnc_arg vector;
		float numbers[4];
		struct trnc_arg any;
		char text[8];
		struct trnc_arg local;
	} want = {
		{ ARG_BUFFER, TRNC_ARG_BUFFER, 0, 8 }, 0x100000007,
		{ ARG_INT, TRNC_ARG_VALUE, 0, 4 }, 0x01020304, 0,
		{ ARG_FLOAT4, TRNC_ARG_VALUE, 0, 16 }, { 0 },
		{ ARG_STRUCT, TRNC_ARG_VALUE, 0, 3 }, "abc",
		{ ARG_LOCAL, TRNC_ARG_LOCAL, 0, 256 },
	};
	struct fixture *f = *state;
	uint8_t *got = calloc(1, sizeof(want));
	uint32_t nr;

	assert_non_null(got);
	set_all(f);
	assert_int_equal(f->kernel.nr_unset, 0);
	assert_int_equal(kernel_args_size(&f->kernel, &nr), sizeof(want));
	assert_int_equal(nr, NR_ARGS);
	kernel_args_write(&f->kernel, got);
	assert_memory_equal(got, &want, sizeof(want));
	free(got);

	/* The same again is no change; another value is. */
	set_all(f);
	assert_int_equal(kernel_args_size(&f->kernel, &nr), 0);
	assert_int_equal(nr, 0);
	assert_int_equal(kernel_arg_set(&f->kernel, ARG_INT, 4, "wxyz"), CL_SUCCESS);
	assert_int_equal(kernel_arg_set(&f->kernel, ARG_BUFFER, 8, NULL), CL_SUCCESS);
	assert_int_equal(kernel_args_size(&f->kernel, &nr), 2 * (sizeof(struct trnc_arg) + 8));
	assert_int_equal(nr, 2);
	assert_int_equal(f->args[ARG_BUFFER].handle, 0);
	assert_int_equal(kernel_args_local(&f->kernel), 256);
}

static void test_a_copy_sends_everything(void **state)
{
	struct fixture *f = *state;
	struct kernel_arg args[NR_ARGS] = { 0 };
	struct _cl_kernel copy = { .info = &f->info, .args = args, .nr_unset = NR_ARGS };
	uint8_t room[256] = { 0 };
	uint32_t nr;

	set_all(f);
	kernel_args_write(&f->kernel, room);
	assert_int_equal(kernel_args_copy(&copy, &f->kernel), CL_SUCCESS);
	assert_int_equal(copy.nr_unset, 0);
	kernel_args_size(&copy, &nr);
	assert_int_equal(nr, NR_ARGS);
	assert_ptr_not_equal(copy.args[ARG_INT].value, f->args[ARG_INT].value);
	for (int i = 0; i < NR_ARGS; i++)
		free(args[i].value);
}

/* Pointers and buffers take turns; one to memory that is not shared is counted until something else is set. */
static void test_pointers(void **state)
{
	struct fixture *f = *state;
	cl_kernel k = &f->kernel;
	cl_mem mem = &f->mem;
	void *same = (void *)(uintptr_t)mem->handle;
	uint32_t nr;

	assert_int_equal(kernel_arg_set_svm(k, NR_ARGS, same, false), CL_INVALID_ARG_INDEX);
	assert_int_equal(kernel_arg_set_svm(k, ARG_INT, same, false), CL_INVALID_ARG_VALUE);
	assert_int_equal(kernel_arg_set_svm(k, ARG_LOCAL, same, false), CL_INVALID_ARG_VALUE);
	assert_int_equal(k->nr_unset, NR_ARGS);
	assert_int_equal(kernel_arg_set(k, ARG_BUFFER, 8, &mem), CL_SUCCESS);
	f->args[ARG_BUFFER].is_changed = false;
	/* the number is the same, what it means is not */
	assert_int_equal(kernel_arg_set_svm(k, ARG_BUFFER, same, false), CL_SUCCESS);
	assert_int_equal(kernel_args_size(k, &nr), sizeof(struct trnc_arg) + 8);
	assert_int_equal(f->args[ARG_BUFFER].kind, TRNC_ARG_SVM);
	f->args[ARG_BUFFER].is_changed = false;
	assert_int_equal(kernel_arg_set_svm(k, ARG_BUFFER, same, false), CL_SUCCESS);
	assert_int_equal(kernel_args_size(k, &nr), 0);
	assert_int_equal(kernel_arg_set_svm(k, ARG_BUFFER, &nr, true), CL_SUCCESS);
	assert_int_equal(kernel_arg_set_svm(k, ARG_BUFFER, &nr, true), CL_SUCCESS);
	assert_int_equal(k->nr_foreign, 1);
	assert_int_equal(kernel_arg_set(k, ARG_BUFFER, 8, &mem), CL_SUCCESS);
	assert_int_equal(k->nr_foreign, 0);
	assert_int_equal(k->nr_unset, NR_ARGS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_codes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_refusal_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vectors_of_3_have_two_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_structs_are_limited_by_the_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_record_holds_what_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_copy_sends_everything, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pointers, setup, teardown),
	};

	return cmocka_run_group_tests_name("kernel_args", tests, NULL, NULL);
}

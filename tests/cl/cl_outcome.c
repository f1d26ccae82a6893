/* SPDX-License-Identifier: MIT */
#include <stdarg.h>

#include "cl_outcome.h"

static cl_mem make_buffer(cl_context ctx, cl_mem_flags flags)
{
	cl_int code;
	cl_mem mem = clCreateBuffer(ctx, flags, 1024, NULL, &code);

	CHECK_OK(code);
	return mem;
}

static cl_event make_done(cl_context ctx)
{
	cl_int code;
	cl_event event = clCreateUserEvent(ctx, &code);

	CHECK_OK(code);
	CHECK_OK(clSetUserEventStatus(event, CL_COMPLETE));
	return event;
}

void outcome_open(struct outcome_world *w, const struct cl_env *env)
{
	cl_buffer_region region = { 256, 256 };
	cl_image_format format = { CL_RGBA, CL_UNSIGNED_INT8 };
	cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 8, .image_height = 8 };
	cl_int code;

	*w = (struct outcome_world){ .env = env };
	w->other = clCreateContext(NULL, 1, &env->device, NULL, NULL, &code);
	CHECK_OK(code);
	w->out_of_order = clCreateCommandQueue(env->ctx, env->device, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);
	CHECK_OK(code);
	w->other_queue = clCreateCommandQueue(w->other, env->device, 0, &code);
	CHECK_OK(code);
	w->buffer = make_buffer(env->ctx, 0);
	w->host_read = make_buffer(env->ctx, CL_MEM_HOST_READ_ONLY);
	w->host_write = make_buffer(env->ctx, CL_MEM_HOST_WRITE_ONLY);
	w->no_host = make_buffer(env->ctx, CL_MEM_HOST_NO_ACCESS);
	w->other_buffer = make_buffer(w->other, 0);
	w->sub = clCreateSubBuffer(w->buffer, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
	CHECK_OK(code);
	w->image = clCreateImage(env->ctx, 0, &format, &desc, NULL, &code);
	CHECK_OK(code);
	w->done = make_done(env->ctx);
	w->other_done = make_done(w->other);
	w->host = calloc(1, 4096);
	CHECK(w->host);
}

void outcome_close(struct outcome_world *w)
{
	cl_mem mems[] = { w->sub, w->buffer, w->host_read, w->host_write, w->no_host, w->other_buffer, w->image };

	CHECK_OK(clFinish(w->env->queue));
	CHECK_OK(clFinish(w->out_of_order));
	CHECK_OK(clFinish(w->other_queue));
	for (size_t i = 0; i < COUNT_OF(mems); i++)
		CHECK_OK(clReleaseMemObject(mems[i]));
	CHECK_OK(clReleaseEvent(w->done));
	CHECK_OK(clReleaseEvent(w->other_done));
	CHECK_OK(clReleaseCommandQueue(w->out_of_order));
	CHECK_OK(clReleaseCommandQueue(w->other_queue));
	CHECK_OK(clReleaseContext(w->other));
	free(w->host);
}

void outcome_waits(const struct outcome_world *w, struct outcome_waits table[NR_WAITS])
{
	static const cl_event null[1];
	static cl_event then_null[2], then_other[2];

	then_null[0] = then_other[0] = w->done;
	then_other[1] = w->other_done;
	table[0] = (struct outcome_waits){ "none", 0, NULL };
	table[1] = (struct outcome_waits){ "done", 1, &w->done };
	table[2] = (struct outcome_waits){ "count 0 and a list", 0, &w->done };
	table[3] = (struct outcome_waits){ "count 1 and no list", 1, NULL };
	table[4] = (struct outcome_waits){ "NULL event", 1, null };
	table[5] = (struct outcome_waits){ "done, NULL event", 2, then_null };
	table[6] = (struct outcome_waits){ "done, other context", 2, then_other };
}

void outcome(const char *call, cl_int code, const char *arguments, ...)
{
	va_list args;

	printf("%s: ", call);
	va_start(args, arguments);
	vprintf(arguments, args);
	va_end(args);
	printf(" -> %s\n", cl_err_name(code));
}

void outcome_event(const char *call, cl_int code, cl_event event, const char *arguments, ...)
{
	bool is_touched = event != UNTOUCHED_EVENT;
	va_list args;

	printf("%s: ", call);
	va_start(args, arguments);
	vprintf(arguments, args);
	va_end(args);
	printf(" -> %s%s\n", cl_err_name(code), is_touched == !code ? "" : is_touched ? ", an event" : ", no event");
	if (!code && is_touched && event)
		clReleaseEvent(event);
}

void outcome_object(const char *call, cl_int code, const void *object, const char *arguments, ...)
{
	va_list args;

	printf("%s: ", call);
	va_start(args, arguments);
	vprintf(arguments, args);
	va_end(args);
	if (code == UNTOUCHED_CODE)
		printf(" -> %s\n", object ? "an object" : "no object");
	else
		printf(" -> %s%s\n", cl_err_name(code), !object == !!code ? "" : object ? ", an object" : ", no object");
}

void outcome_info_line(const char *call, const char *param, const char *how, cl_int code, size_t ret, bool has_ret,
		       const uint8_t *value, size_t size)
{
	printf("%s: %s %s -> %s", call, param, how, cl_err_name(code));
	if (has_ret && ret != 4711)
		printf(", size %zu", ret);
	if (value && size && !code && cl_all_bytes(value, size, 0x5a))
		printf(", value untouched");
	if (value && !cl_all_bytes(value + size, 16, 0x5a))
		printf(", written past the value");
	printf("\n");
}

void outcome_info_value(enum outcome_show show, const uint8_t *value, size_t size)
{
	if (show == SHOW_SIZE || !size)
		return;
	if (show == SHOW_TEXT) {
		printf("\t\"%.*s\"\n", (int)size, (const char *)value);
		return;
	}
	printf("\t");
	for (size_t i = 0; i < size; i++)
		printf("%02x%s", value[i], i % 8 == 7 ? " " : "");
	printf("\n");
}

/* SPDX-License-Identifier: MIT */
/* Wrong arguments of calls about events, markers and barriers, and what events say of themselves. */
#include <stdatomic.h>

#include "cl_outcome.h"

static void CL_CALLBACK called(cl_event event, cl_int status, void *data)
{
	(*(atomic_uint_fast32_t *)data)++;
}

static void user_events(struct cl_env *env)
{
	static const cl_int states[] = { CL_COMPLETE, CL_RUNNING, CL_SUBMITTED, CL_QUEUED, 4, 100, -1, -100,
			INT32_MIN, INT32_MAX }, *state;
	cl_int code = UNTOUCHED_CODE;
	struct outcome_world w;
	cl_event event, marker;

	outcome_open(&w, env);
	outcome_object("clCreateUserEvent", code, clCreateUserEvent(NULL, &code), "NULL");
	outcome_object("clCreateUserEvent", UNTOUCHED_CODE, clCreateUserEvent(NULL, NULL), "NULL, no code");
	event = clCreateUserEvent(env->ctx, NULL);
	outcome_object("clCreateUserEvent", UNTOUCHED_CODE, event, "no code");
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clEnqueueMarkerWithWaitList(env->queue, 0, NULL, &marker));
	EACH(state, states) {
		event = clCreateUserEvent(env->ctx, NULL);
		outcome("clSetUserEventStatus", clSetUserEventStatus(event, *state), "%d", *state);
		outcome("clSetUserEventStatus", clSetUserEventStatus(event, CL_COMPLETE), "complete after %d", *state);
		outcome("clSetUserEventStatus", clSetUserEventStatus(NULL, *state), "NULL, %d", *state);
		outcome("clSetUserEventStatus", clSetUserEventStatus(marker, *state), "a marker, %d", *state);
		clSetUserEventStatus(event, -1);
		outcome("clWaitForEvents", clWaitForEvents(1, &event), "after %d", *state);
		CHECK_OK(clReleaseEvent(event));
	}
	outcome("clRetainEvent", clRetainEvent(NULL), "NULL");
	outcome("clReleaseEvent", clReleaseEvent(NULL), "NULL");
	CHECK_OK(clReleaseEvent(marker));
	outcome_close(&w);
}

static void waits(struct cl_env *env)
{
	struct outcome_world w;
	struct outcome_waits table[NR_WAITS], *wait;
	cl_event mixed[2], failed;

	outcome_open(&w, env);
	outcome_waits(&w, table);
	EACH(wait, table) {
		struct named_ptr queues[] = { { "good", env->queue }, { "NULL", NULL }, { "out of order",
				w.out_of_order },
					      { "other", w.other_queue } }, *queue;

		/* The loader looks into the first event, if there is one. */
		if (!(wait->nr && (!wait->list || !wait->list[0])))
			outcome("clWaitForEvents", clWaitForEvents(wait->nr, wait->list), "%s", wait->name);
		EACH(queue, queues) { /* clEnqueueWaitForEvents natively ends the program */
			cl_event event = UNTOUCHED_EVENT;

			outcome("clEnqueueMarkerWithWaitList", clEnqueueMarkerWithWaitList(queue->value, wait->nr,
					wait->list, NULL),
				"queue %s, waits %s, no event", queue->name, wait->name);
			outcome_event("clEnqueueMarkerWithWaitList",
				      clEnqueueMarkerWithWaitList(queue->value, wait->nr, wait->list, &event), event,
				      "queue %s, waits %s", queue->name, wait->name);
			event = UNTOUCHED_EVENT;
			outcome("clEnqueueBarrierWithWaitList", clEnqueueBarrierWithWaitList(queue->value, wait->nr,
					wait->list, NULL),
				"queue %s, waits %s, no event", queue->name, wait->name);
			outcome_event("clEnqueueBarrierWithWaitList",
				      clEnqueueBarrierWithWaitList(queue->value, wait->nr, wait->list, &event), event,
				      "queue %s, waits %s", queue->name, wait->name);
		}
	}
	failed = clCreateUserEvent(env->ctx, NULL);
	CHECK_OK(clSetUserEventStatus(failed, -7));
	mixed[0] = w.done;
	mixed[1] = failed;
	outcome("clWaitForEvents", clWaitForEvents(2, mixed), "done and failed");
	outcome("clWaitForEvents", clWaitForEvents(1, &failed), "failed");
	CHECK_OK(clReleaseEvent(failed));
	outcome_close(&w);
}

static void markers(struct cl_env *env)
{
	struct outcome_world w;

	outcome_open(&w, env);
	{
		struct named_ptr queues[] = { { "good", env->queue }, { "NULL", NULL }, { "out of order",
				w.out_of_order } }, *queue;

		EACH(queue, queues) {
			cl_event event = UNTOUCHED_EVENT;

			outcome("clEnqueueMarker", clEnqueueMarker(queue->value, NULL), "queue %s, no event",
					queue->name);
			outcome_event("clEnqueueMarker", clEnqueueMarker(queue->value, &event), event, "queue %s",
					queue->name);
			outcome("clEnqueueBarrier", clEnqueueBarrier(queue->value), "queue %s", queue->name);
			outcome("clFlush", clFlush(queue->value), "queue %s", queue->name);
			outcome("clFinish", clFinish(queue->value), "queue %s", queue->name);
		}
	}
	outcome_close(&w);
}

static void callbacks(struct cl_env *env)
{
	static const cl_int states[] = { CL_COMPLETE, CL_RUNNING, CL_SUBMITTED, CL_QUEUED, 4, -1 }, *state;
	atomic_uint_fast32_t calls = 0;
	struct outcome_world w;
	cl_event marker;

	outcome_open(&w, env);
	CHECK_OK(clEnqueueMarkerWithWaitList(env->queue, 0, NULL, &marker));
	CHECK_OK(clFinish(env->queue));
	{
		struct named_ptr events[] = { { "marker", marker }, { "user", w.done }, { "NULL", NULL } }, *event;

		EACH(event, events) EACH(state, states) {
			outcome("clSetEventCallback", clSetEventCallback(event->value, *state, called, &calls),
					"%s at %d", event->name,
				*state);
			outcome("clSetEventCallback", clSetEventCallback(event->value, *state, NULL, NULL),
					"%s at %d, no function",
				event->name, *state);
		}
	}
	for (int i = 0; i < 4000 && calls < 6; i++)
		cl_sleep_ms(5);
	printf("calls: %u\n", (unsigned int)calls);
	CHECK_OK(clReleaseEvent(marker));
	outcome_close(&w);
}

struct param {
	const char *name;
	cl_uint value;
	enum outcome_show show;
};

#define PARAM(name, show) { #name, name, show }

static void infos(struct cl_env *env)
{
	static const struct param params[] = { PARAM(CL_EVENT_COMMAND_QUEUE, SHOW_SIZE), PARAM(CL_EVENT_CONTEXT,
			SHOW_SIZE),
		PARAM(CL_EVENT_COMMAND_TYPE, SHOW_VALUE), PARAM(CL_EVENT_COMMAND_EXECUTION_STATUS, SHOW_VALUE),
		PARAM(CL_EVENT_REFERENCE_COUNT, SHOW_SIZE), { "0", 0, SHOW_VALUE }, { "bad", 0x4711, SHOW_VALUE } };
	static const struct param times[] = { PARAM(CL_PROFILING_COMMAND_QUEUED, SHOW_SIZE),
			PARAM(CL_PROFILING_COMMAND_SUBMIT, SHOW_SIZE),
		PARAM(CL_PROFILING_COMMAND_START, SHOW_SIZE), PARAM(CL_PROFILING_COMMAND_END, SHOW_SIZE),
		PARAM(CL_PROFILING_COMMAND_COMPLETE, SHOW_SIZE), { "0", 0, SHOW_SIZE }, { "bad", 0x4711, SHOW_SIZE } };
	cl_command_queue plain = cl_queue(env, 0);
	const struct param *param;
	struct outcome_world w;
	cl_event marker, write, unprofiled, open;
	char label[128];

	outcome_open(&w, env);
	CHECK_OK(clEnqueueMarkerWithWaitList(env->queue, 0, NULL, &marker));
	CHECK_OK(clEnqueueWriteBuffer(env->queue, w.buffer, CL_TRUE, 0, 64, w.host, 0, NULL, &write));
	CHECK_OK(clEnqueueWriteBuffer(plain, w.buffer, CL_TRUE, 0, 64, w.host, 0, NULL, &unprofiled));
	open = clCreateUserEvent(env->ctx, NULL);
	{
		struct named_ptr events[] = { { "marker", marker }, { "write", write }, { "unprofiled",
				unprofiled }, { "user", w.done },
					      { "open user", open }, { "NULL", NULL } }, *event;

		EACH(event, events) {
			EACH(param, params) {
				snprintf(label, sizeof(label), "%s %s", event->name, param->name);
				OUTCOME_INFO("clGetEventInfo", label, param->show,
					     clGetEventInfo(event->value, param->value, size_, value_, ret_));
			}
			EACH(param, times) {
				snprintf(label, sizeof(label), "%s %s", event->name, param->name);
				OUTCOME_INFO("clGetEventProfilingInfo", label, param->show,
					     clGetEventProfilingInfo(event->value, param->value, size_, value_, ret_));
			}
		}
	}
	CHECK_OK(clSetUserEventStatus(open, CL_COMPLETE));
	CHECK_OK(clReleaseEvent(open));
	CHECK_OK(clReleaseEvent(marker));
	CHECK_OK(clReleaseEvent(write));
	CHECK_OK(clReleaseEvent(unprofiled));
	CHECK_OK(clReleaseCommandQueue(plain));
	outcome_close(&w);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(user_events), CL_CASE(waits), CL_CASE(markers), CL_CASE(callbacks), CL_CASE(infos), { NULL,
				NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}

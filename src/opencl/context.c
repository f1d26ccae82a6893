/* SPDX-License-Identifier: MIT */
#include "opencl/context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <CL/cl_egl.h>
#include <CL/cl_gl.h>

#include "opencl/device.h"
#include "opencl/queue.h"
#include "opencl/svm.h"

static cl_int check_property(cl_context_properties key, cl_context_properties value)
{
	switch (key) {
	case CL_CONTEXT_PLATFORM:
		return (intptr_t)platform_get() == value && value ? CL_SUCCESS : CL_INVALID_PLATFORM;
	case CL_CONTEXT_INTEROP_USER_SYNC:
	/* As PoCL, which takes these and shares nothing: programs try them before they ask for cl_khr_gl_sharing. */
	case CL_GL_CONTEXT_KHR:
	case CL_EGL_DISPLAY_KHR:
	case CL_GLX_DISPLAY_KHR:
	case CL_CGL_SHAREGROUP_KHR:
		return CL_SUCCESS;
	default:
		return CL_INVALID_PROPERTY;
	}
}

cl_int context_check_properties(const cl_context_properties *properties)
{
	cl_int error;

	for (const cl_context_properties *p = properties; p && *p; p += 2) {
		for (const cl_context_properties *q = properties; q < p; q += 2)
			if (*q == *p)
				return CL_INVALID_PROPERTY;
		error = check_property(p[0], p[1]);
		if (error)
			return error;
	}
	return CL_SUCCESS;
}

static bool copy_properties(cl_context ctx, const cl_context_properties *properties)
{
	size_t nr = 0;

	if (!properties)
		return true;
	while (properties[nr])
		nr += 2;
	nr++;
	ctx->properties = malloc(nr * sizeof(*properties));
	if (!ctx->properties)
		return false;
	memcpy(ctx->properties, properties, nr * sizeof(*properties));
	ctx->nr_properties = nr;
	return true;
}

static void context_free(cl_context ctx)
{
	pthread_mutex_destroy(&ctx->lock);
	free(ctx->properties);
	free(ctx);
}

static int connect_once(cl_context ctx, struct trn_error *err)
{
	struct client_session *session;
	int r;

	r = device_session_get(ctx->device, &session, err);
	if (r < 0)
		return r;
	ctx->coherent = client_session_is_coherent(session);
	r = client_context_create(session, &ctx->client, err);
	client_session_put(session); /* the client context holds its own */
	return r;
}

/* A session may turn out to be lost at this very moment, by what another context did in it: then there is a new one. */
static int connect_client(cl_context ctx, struct trn_error *err)
{
	int r = connect_once(ctx, err);

	if (r == -ESHUTDOWN)
		r = connect_once(ctx, err);
	return r;
}

cl_context context_create(cl_device_id device, const cl_context_properties *properties,
			  void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *notify_data,
			  cl_int *ret_error)
{
	struct trn_error err = { 0 };
	cl_context ctx;
	int r;

	*ret_error = device_connect(device);
	if (*ret_error)
		return NULL;
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx) {
		*ret_error = CL_OUT_OF_HOST_MEMORY;
		return NULL;
	}
	head_init(&ctx->head, KIND_CONTEXT);
	pthread_mutex_init(&ctx->lock, NULL);
	base_list_init(&ctx->shadows);
	base_list_init(&ctx->zombies);
	base_list_init(&ctx->retired_queues);
	ctx->device = device;
	ctx->notify = notify;
	ctx->notify_data = notify_data;
	if (!copy_properties(ctx, properties)) {
		*ret_error = CL_OUT_OF_HOST_MEMORY;
		goto free_context;
	}

	r = connect_client(ctx, &err);
	if (r < 0) {
		*ret_error = cl_error_from(r);
		trn_error_set(&err, r, "NoContext", "the device makes no context: %s", strerror(-r));
		context_notify(ctx, err.text);
		device_report(device, &err);
		goto free_context;
	}
	*ret_error = svm_init(ctx);
	if (*ret_error) {
		client_context_destroy(ctx->client);
		goto free_context;
	}
	context_commands_init(ctx);
	return ctx;

free_context:
	context_free(ctx);
	return NULL;
}

void context_destroy(cl_context ctx)
{
	struct context_callback *cb;

	/* Newest first, the order that OpenCL asks for. */
	while ((cb = ctx->destructors)) {
		ctx->destructors = cb->next;
		cb->fn(ctx, cb->data);
		free(cb);
	}
	context_commands_finish(ctx);
	queues_retired_forget(ctx);
	svm_finish(ctx);
	client_context_destroy(ctx->client);
	context_free(ctx);
}

void context_notify(cl_context ctx, const char *text)
{
	if (ctx->notify)
		ctx->notify(text, NULL, 0, ctx->notify_data);
}

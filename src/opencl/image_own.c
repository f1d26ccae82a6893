/* SPDX-License-Identifier: MIT */
/* Images that the host has in memory of their own: their regions, to the bytes in the window and back. */
#include <string.h>

#include "opencl/image.h"

static cl_int move(struct command *c, enum trnc_rec_type type, cl_mem image, const struct image_region *r)
{
	struct trnc_cmd_image *rec;
	cl_int code = command_begin(c, type, sizeof(*rec), 0, (void **)&rec, NULL);

	if (code)
		return code;
	rec->image = image->image->handle;
	for (int i = 0; i < 3; i++) {
		rec->origin[i] = r->origin[i];
		rec->region[i] = r->region[i];
	}
	command_end(c);
	return CL_SUCCESS;
}

cl_int image_fetch_first(struct command *c, cl_mem image, const struct image_region *r, cl_event *ret_event)
{
	struct command step;
	cl_int code;

	command_step_init(&step, c, ret_event);
	code = command_finish(&step, move(&step, TRNC_REC_IMAGE_FETCH, image, r));
	if (!code)
		command_wait_only_for(c, *ret_event);
	return code;
}

cl_int image_store(struct command *c, cl_mem image, const struct image_region *r, bool blocking)
{
	/* The event of a blocking command is complete when the call returns; and what comes later in an out-of-order
	 * queue would not wait for it. */
	bool must_wait = blocking && (c->ret_event || !c->queue->in_order);
	cl_event event = NULL;
	cl_int code = must_wait ? command_need_event(c) : CL_SUCCESS;

	if (code)
		return code;
	if (must_wait) {
		event = c->event;
		head_ref(&event->head);
	}
	code = move(c, TRNC_REC_IMAGE_STORE, image, r);
	if (!event)
		return code;
	if (!code && event_wait(event) < 0)
		code = CL_OUT_OF_RESOURCES;
	clReleaseEvent(event);
	return code;
}

cl_int image_show(struct command *c, cl_mem image, const struct image_region *r, bool to_host, bool blocking)
{
	struct transfer t = { .to_host = to_host };
	struct image_box box;
	cl_int code = image_box(image, r->origin, r->region, &box);

	if (code)
		return code;
	memcpy(t.region, box.region, sizeof(t.region));
	t.buffer = image->bytes + box.offset;
	t.host = (uint8_t *)image->host_ptr + box.offset;
	t.buffer_row = t.host_row = box.row;
	t.buffer_slice = t.host_slice = box.slice;
	return transfer_enqueue(c, image, box.offset, &t, blocking);
}

/* Only the place in the queue: there is no map on the host. */
static cl_int end_read(struct command *c)
{
	cl_int code = command_write_bare(c, TRNC_REC_MARKER);

	if (!code)
		command_hand_out(c);
	return code;
}

cl_int image_unmap(struct command *c, cl_mem image, const struct mapping *m)
{
	struct command step;
	cl_event back;
	cl_int code;

	if (!mapping_is_for_writing(m))
		return image->host_ptr ? end_read(c) : host_unmap(c, image, m->handle);
	command_step_init(&step, c, &back);
	code = image->host_ptr ? image_show(&step, image, &m->region, false, false) :
				 host_unmap(&step, image, m->handle);
	code = command_finish(&step, code);
	if (code)
		return code;
	command_wait_only_for(c, back);
	code = image_store(c, image, &m->region, false);
	clReleaseEvent(back);
	return code;
}

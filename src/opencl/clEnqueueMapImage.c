/* SPDX-License-Identifier: MIT */
#include "opencl/image.h"
#include "opencl/map.h"

CL_API_ENTRY void *CL_API_CALL clEnqueueMapImage(cl_command_queue queue, cl_mem image, cl_bool blocking_map,
						 cl_map_flags map_flags, const size_t *origin, const size_t *region,
						 size_t *row_pitch, size_t *slice_pitch, cl_uint nr_waits,
						 const cl_event *waits, cl_event *event, cl_int *errcode_ret)
{
	struct map_request request = {
		.mem = image,
		.type = CL_COMMAND_MAP_IMAGE,
		.blocking = blocking_map,
		.flags = map_flags,
	};
	struct image_box box;
	cl_int code;

	if (!IS_QUEUE(queue))
		return fail_with(errcode_ret, CL_INVALID_COMMAND_QUEUE);
	code = mem_check_image(image, queue);
	if (!code)
		code = image_box(image, origin, region, &box);
	if (!code && (!row_pitch || (image->image->slice_pitch && !slice_pitch)))
		code = CL_INVALID_VALUE;
	if (code)
		return fail_with(errcode_ret, code);
	*row_pitch = image->image->row_pitch;
	if (slice_pitch)
		*slice_pitch = image->image->slice_pitch;
	request.offset = box.offset;
	request.size = box.span;
	return map_enqueue(queue, &request, nr_waits, waits, event, errcode_ret);
}

/* SPDX-License-Identifier: MIT */
/*
 * Images and samplers are not built yet.  The host's answer to CL_DEVICE_IMAGE_SUPPORT is passed on, but no format is
 * listed, so that a program which looks finds none; and as no image or sampler exists, no handle can be one.
 */
#include "opencl/objects.h"

static void *refuse_image(cl_context context, const cl_image_format *format, bool has_shape, cl_int *errcode_ret)
{
	if (!IS_CONTEXT(context))
		return fail_with(errcode_ret, CL_INVALID_CONTEXT);
	if (!format)
		return fail_with(errcode_ret, CL_INVALID_IMAGE_FORMAT_DESCRIPTOR);
	if (!has_shape)
		return fail_with(errcode_ret, CL_INVALID_IMAGE_DESCRIPTOR);
	if (!device_info_u64(context->device, CL_DEVICE_IMAGE_SUPPORT))
		return fail_with(errcode_ret, CL_INVALID_OPERATION);
	return fail_with(errcode_ret, CL_IMAGE_FORMAT_NOT_SUPPORTED);
}

/* For a queue that is one; any memory object would be a buffer. */
static cl_int refuse_command(cl_command_queue queue)
{
	return IS_QUEUE(queue) ? CL_INVALID_MEM_OBJECT : CL_INVALID_COMMAND_QUEUE;
}

CL_API_ENTRY cl_mem CL_API_CALL clCreateImage(cl_context context, cl_mem_flags flags,
					      const cl_image_format *image_format, const cl_image_desc *image_desc,
					      void *host_ptr, cl_int *errcode_ret)
{
	return refuse_image(context, image_format, image_desc != NULL, errcode_ret);
}

CL_API_ENTRY cl_mem CL_API_CALL clCreateImageWithProperties(cl_context context, const cl_mem_properties *properties,
							    cl_mem_flags flags, const cl_image_format *image_format,
							    const cl_image_desc *image_desc, void *host_ptr,
							    cl_int *errcode_ret)
{
	return refuse_image(context, image_format, image_desc != NULL, errcode_ret);
}

CL_API_ENTRY cl_mem CL_API_CALL clCreateImage2D(cl_context context, cl_mem_flags flags,
						const cl_image_format *image_format, size_t image_width,
						size_t image_height, size_t image_row_pitch, void *host_ptr,
						cl_int *errcode_ret)
{
	return refuse_image(context, image_format, true, errcode_ret);
}

CL_API_ENTRY cl_mem CL_API_CALL clCreateImage3D(cl_context context, cl_mem_flags flags,
						const cl_image_format *image_format, size_t image_width,
						size_t image_height, size_t image_depth, size_t image_row_pitch,
						size_t image_slice_pitch, void *host_ptr, cl_int *errcode_ret)
{
	return refuse_image(context, image_format, true, errcode_ret);
}

/* Does give a list: an empty one. */
CL_API_ENTRY cl_int CL_API_CALL clGetSupportedImageFormats(cl_context context, cl_mem_flags flags,
							   cl_mem_object_type image_type, cl_uint num_entries,
							   cl_image_format *image_formats, cl_uint *num_image_formats)
{
	if (!IS_CONTEXT(context))
		return CL_INVALID_CONTEXT;
	if (num_entries == 0 && image_formats)
		return CL_INVALID_VALUE;
	if (num_image_formats)
		*num_image_formats = 0;
	return CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL clGetImageInfo(cl_mem image, cl_image_info param_name, size_t param_value_size,
					       void *param_value, size_t *param_value_size_ret)
{
	return CL_INVALID_MEM_OBJECT;
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueReadImage(cl_command_queue command_queue, cl_mem image, cl_bool blocking_read,
						   const size_t *origin, const size_t *region, size_t row_pitch,
						   size_t slice_pitch, void *ptr, cl_uint num_events_in_wait_list,
						   const cl_event *event_wait_list, cl_event *event)
{
	return refuse_command(command_queue);
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueWriteImage(cl_command_queue command_queue, cl_mem image,
						    cl_bool blocking_write, const size_t *origin, const size_t *region,
						    size_t input_row_pitch, size_t input_slice_pitch, const void *ptr,
						    cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
						    cl_event *event)
{
	return refuse_command(command_queue);
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueFillImage(cl_command_queue command_queue, cl_mem image,
						   const void *fill_color, const size_t *origin, const size_t *region,
						   cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
						   cl_event *event)
{
	return refuse_command(command_queue);
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueCopyImage(cl_command_queue command_queue, cl_mem src_image, cl_mem dst_image,
						   const size_t *src_origin, const size_t *dst_origin,
						   const size_t *region, cl_uint num_events_in_wait_list,
						   const cl_event *event_wait_list, cl_event *event)
{
	return refuse_command(command_queue);
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueCopyImageToBuffer(cl_command_queue command_queue, cl_mem src_image,
							   cl_mem dst_buffer, const size_t *src_origin,
							   const size_t *region, size_t dst_offset,
							   cl_uint num_events_in_wait_list,
							   const cl_event *event_wait_list, cl_event *event)
{
	return refuse_command(command_queue);
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueCopyBufferToImage(cl_command_queue command_queue, cl_mem src_buffer,
							   cl_mem dst_image, size_t src_offset,
							   const size_t *dst_origin, const size_t *region,
							   cl_uint num_events_in_wait_list,
							   const cl_event *event_wait_list, cl_event *event)
{
	return refuse_command(command_queue);
}

CL_API_ENTRY void *CL_API_CALL clEnqueueMapImage(cl_command_queue command_queue, cl_mem image, cl_bool blocking_map,
						 cl_map_flags map_flags, const size_t *origin, const size_t *region,
						 size_t *image_row_pitch, size_t *image_slice_pitch,
						 cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
						 cl_event *event, cl_int *errcode_ret)
{
	return fail_with(errcode_ret, refuse_command(command_queue));
}

CL_API_ENTRY cl_sampler CL_API_CALL clCreateSampler(cl_context context, cl_bool normalized_coords,
						    cl_addressing_mode addressing_mode, cl_filter_mode filter_mode,
						    cl_int *errcode_ret)
{
	if (!IS_CONTEXT(context))
		return fail_with(errcode_ret, CL_INVALID_CONTEXT);
	return fail_with(errcode_ret, CL_INVALID_OPERATION);
}

CL_API_ENTRY cl_sampler CL_API_CALL clCreateSamplerWithProperties(cl_context context,
								  const cl_sampler_properties *sampler_properties,
								  cl_int *errcode_ret)
{
	if (!IS_CONTEXT(context))
		return fail_with(errcode_ret, CL_INVALID_CONTEXT);
	return fail_with(errcode_ret, CL_INVALID_OPERATION);
}

CL_API_ENTRY cl_int CL_API_CALL clRetainSampler(cl_sampler sampler)
{
	return CL_INVALID_SAMPLER;
}

CL_API_ENTRY cl_int CL_API_CALL clReleaseSampler(cl_sampler sampler)
{
	return CL_INVALID_SAMPLER;
}

CL_API_ENTRY cl_int CL_API_CALL clGetSamplerInfo(cl_sampler sampler, cl_sampler_info param_name,
						 size_t param_value_size, void *param_value,
						 size_t *param_value_size_ret)
{
	return CL_INVALID_SAMPLER;
}

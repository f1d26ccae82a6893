/* SPDX-License-Identifier: MIT */
/* Image formats (OpenCL 3.0, 5.3.1): sizes of pixels, and how a colour is packed into one. */
#include <math.h>
#include <string.h>

#include "opencl/image.h"

static unsigned int channels_of(cl_channel_order order)
{
	switch (order) {
	case CL_R:
	case CL_A:
	case CL_INTENSITY:
	case CL_LUMINANCE:
	case CL_DEPTH:
		return 1;
	case CL_RG:
	case CL_RA:
	case CL_Rx:
		return 2;
	case CL_RGB:
	case CL_RGx:
	case CL_sRGB:
		return 3;
	case CL_RGBA:
	case CL_BGRA:
	case CL_ARGB:
	case CL_ABGR:
	case CL_RGBx:
	case CL_sRGBA:
	case CL_sBGRA:
	case CL_sRGBx:
		return 4;
	default:
		return 0;
	}
}

static size_t channel_size(cl_channel_type type)
{
	switch (type) {
	case CL_SNORM_INT8:
	case CL_UNORM_INT8:
	case CL_SIGNED_INT8:
	case CL_UNSIGNED_INT8:
		return 1;
	case CL_SNORM_INT16:
	case CL_UNORM_INT16:
	case CL_SIGNED_INT16:
	case CL_UNSIGNED_INT16:
	case CL_HALF_FLOAT:
		return 2;
	case CL_SIGNED_INT32:
	case CL_UNSIGNED_INT32:
	case CL_FLOAT:
		return 4;
	default:
		return 0;
	}
}

size_t image_element_size(const cl_image_format *format)
{
	switch (format->image_channel_data_type) {
	case CL_UNORM_SHORT_565:
	case CL_UNORM_SHORT_555:
		return 2;
	case CL_UNORM_INT_101010:
		return 4;
	default:
		return channels_of(format->image_channel_order) * channel_size(format->image_channel_data_type);
	}
}

/* Which of the colour's four components the n-th channel in memory is. */
static unsigned int component_of(cl_channel_order order, unsigned int n)
{
	switch (order) {
	case CL_A:
		return 3;
	case CL_RA:
		return n ? 3 : 0;
	case CL_BGRA:
	case CL_sBGRA:
		return (const unsigned int[]){ 2, 1, 0, 3 }[n];
	case CL_ARGB:
		return (const unsigned int[]){ 3, 0, 1, 2 }[n];
	case CL_ABGR:
		return 3 - n;
	default:
		return n;
	}
}

static double clamp(double v, double low, double high)
{
	/* Not a number becomes the lower end. */
	return v >= low ? (v <= high ? v : high) : low;
}

static int64_t normalized(float v, double low, double scale)
{
	return (int64_t)rint(clamp((double)v, low, 1.0) * scale);
}

static void pack_channel(cl_channel_type type, const void *color, unsigned int component, uint8_t *dst)
{
	float f;
	int32_t i;
	uint32_t u;
	int64_t n = 0;
	_Float16 half;

	memcpy(&f, (const uint8_t *)color + component * 4, sizeof(f));
	memcpy(&i, (const uint8_t *)color + component * 4, sizeof(i));
	memcpy(&u, (const uint8_t *)color + component * 4, sizeof(u));
	switch (type) {
	case CL_UNORM_INT8:
		n = normalized(f, 0.0, 255.0);
		break;
	case CL_UNORM_INT16:
		n = normalized(f, 0.0, 65535.0);
		break;
	case CL_SNORM_INT8:
		n = normalized(f, -1.0, 127.0);
		break;
	case CL_SNORM_INT16:
		n = normalized(f, -1.0, 32767.0);
		break;
	case CL_SIGNED_INT8:
		n = (int64_t)clamp(i, INT8_MIN, INT8_MAX);
		break;
	case CL_SIGNED_INT16:
		n = (int64_t)clamp(i, INT16_MIN, INT16_MAX);
		break;
	case CL_UNSIGNED_INT8:
		n = u > UINT8_MAX ? UINT8_MAX : u;
		break;
	case CL_UNSIGNED_INT16:
		n = u > UINT16_MAX ? UINT16_MAX : u;
		break;
	case CL_HALF_FLOAT:
		half = (_Float16)f;
		memcpy(dst, &half, sizeof(half));
		return;
	default: /* 32 bits as they are */
		n = u;
		break;
	}
	memcpy(dst, &n, channel_size(type));
}

/* Packed formats: their bits are counted from the top. */
static uint32_t pack_bits(cl_channel_type type, const float *rgb)
{
	if (type == CL_UNORM_SHORT_565)
		return (uint32_t)(normalized(rgb[0], 0, 31) << 11 | normalized(rgb[1], 0, 63) << 5 |
				  normalized(rgb[2], 0, 31));
	if (type == CL_UNORM_SHORT_555)
		return (uint32_t)(normalized(rgb[0], 0, 31) << 10 | normalized(rgb[1], 0, 31) << 5 |
				  normalized(rgb[2], 0, 31));
	return (uint32_t)(normalized(rgb[0], 0, 1023) << 20 | normalized(rgb[1], 0, 1023) << 10 |
			  normalized(rgb[2], 0, 1023));
}

void image_pack(const cl_image_format *format, const void *color, uint8_t *ret_pixel)
{
	cl_channel_type type = format->image_channel_data_type;
	size_t size = channel_size(type);
	float rgb[3];
	uint32_t bits;

	if (!size) {
		memcpy(rgb, color, sizeof(rgb));
		bits = pack_bits(type, rgb);
		memcpy(ret_pixel, &bits, image_element_size(format));
		return;
	}
	for (unsigned int n = 0; n < channels_of(format->image_channel_order); n++)
		pack_channel(type, color, component_of(format->image_channel_order, n), ret_pixel + n * size);
}

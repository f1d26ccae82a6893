/* SPDX-License-Identifier: MIT */
/* Image formats (OpenCL 3.0, 5.3.1): sizes of pixels, and how a colour is packed into one. */
#include <string.h>

#include "base/blob.h"
#include "opencl/image.h"

#define FORMAT_FLAGS (CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY | CL_MEM_KERNEL_READ_AND_WRITE)


/* One IMAGE_FORMATS item: u32 type, u32 0, u64 flags, formats. */
struct formats_head {
	uint32_t type, reserved;
	uint64_t flags;
};

static const cl_image_format *find_formats(const void *blob, size_t len, cl_mem_flags flags, cl_mem_object_type type,
					   size_t *ret_nr)
{
	struct base_blob_reader r;
	struct base_blob_item it;
	struct formats_head head;

	base_blob_reader_init(&r, blob, len);
	while (base_blob_next(&r, &it)) {
		if (it.tag != TRNC_TAG_IMAGE_FORMATS || it.len < sizeof(head))
			continue;
		memcpy(&head, it.data, sizeof(head));
		if (head.type != type || head.flags != flags)
			continue;
		*ret_nr = (it.len - sizeof(head)) / sizeof(cl_image_format);
		return (const cl_image_format *)(const void *)(it.data + sizeof(head));
	}
	return NULL;
}

const cl_image_format *image_formats(cl_context ctx, cl_mem_flags flags, cl_mem_object_type type, size_t *ret_nr)
{
	const cl_image_format *list;
	const void *blob;
	size_t len;

	*ret_nr = 0;
	if (client_device_probe(ctx->device->client, &blob, &len, NULL))
		return NULL;
	list = find_formats(blob, len, flags & FORMAT_FLAGS, type, ret_nr);
	/* Flags that make no sense together: PoCL does not look at them. */
	return list ? list : find_formats(blob, len, CL_MEM_READ_WRITE, type, ret_nr);
}

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

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
	return v < low ? low : v > high ? high : v;
}

/*
 * A colour's part as PoCL makes it a whole number: cut off, not rounded, and what does not fit into 32 bits (signed formats)
 * or 64 (unsigned ones) is the lowest number, as x86's conversions have it.
 */
static int64_t normalized(float v, float scale, bool is_signed)
{
	float scaled = v * scale, limit = is_signed ? 0x1p31f : 0x1p63f;

	if (!(scaled >= -limit && scaled < limit))
		return is_signed ? INT32_MIN : INT64_MIN;
	return (int64_t)scaled;
}

static int64_t unorm(float v, unsigned int bits)
{
	int64_t most = (1 << bits) - 1;

	return clamp(normalized(v, (float)most, false), 0, most);
}

static int64_t snorm(float v, unsigned int bits)
{
	int64_t most = (1 << (bits - 1)) - 1;

	return clamp(normalized(v, (float)most, true), -most - 1, most);
}

/* As PoCL has it: what is lost is cut off, too large is infinite. */
static uint16_t to_half(float v)
{
	uint32_t bits, sign, mantissa;
	int32_t exponent;

	memcpy(&bits, &v, sizeof(bits));
	sign = bits >> 16 & 0x8000;
	exponent = (int32_t)(bits >> 23 & 0xff) - 127;
	mantissa = bits & 0x7fffff;
	if (exponent == 128 && mantissa) /* not a number: stays one */
		return (uint16_t)(sign | 0x7c00 | (mantissa >> 13 ? mantissa >> 13 : 1));
	if (exponent > 15 || (exponent == 15 && mantissa > 0x7fe000))
		return (uint16_t)(sign | 0x7c00);
	if (exponent >= -14)
		return (uint16_t)(sign | (uint32_t)(exponent + 15) << 10 | mantissa >> 13);
	if (exponent < -24)
		return (uint16_t)sign;
	return (uint16_t)(sign | (mantissa | 0x800000) >> (-1 - exponent));
}

static void pack_channel(cl_channel_type type, const void *color, unsigned int component, uint8_t *dst)
{
	float f;
	int32_t i;
	uint32_t u;
	int64_t n = 0;
	uint16_t half;

	memcpy(&f, (const uint8_t *)color + component * 4, sizeof(f));
	memcpy(&i, (const uint8_t *)color + component * 4, sizeof(i));
	memcpy(&u, (const uint8_t *)color + component * 4, sizeof(u));
	switch (type) {
	case CL_UNORM_INT8:
		n = unorm(f, 8);
		break;
	case CL_UNORM_INT16:
		n = unorm(f, 16);
		break;
	case CL_SNORM_INT8:
		n = snorm(f, 8);
		break;
	case CL_SNORM_INT16:
		n = snorm(f, 16);
		break;
	case CL_SIGNED_INT8:
		n = clamp(i, INT8_MIN, INT8_MAX);
		break;
	case CL_SIGNED_INT16:
		n = clamp(i, INT16_MIN, INT16_MAX);
		break;
	case CL_UNSIGNED_INT8:
		n = u > UINT8_MAX ? UINT8_MAX : u;
		break;
	case CL_UNSIGNED_INT16:
		n = u > UINT16_MAX ? UINT16_MAX : u;
		break;
	case CL_HALF_FLOAT:
		half = to_half(f);
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
		return (uint32_t)(unorm(rgb[0], 5) << 11 | unorm(rgb[1], 6) << 5 | unorm(rgb[2], 5));
	if (type == CL_UNORM_SHORT_555)
		return (uint32_t)(unorm(rgb[0], 5) << 10 | unorm(rgb[1], 5) << 5 | unorm(rgb[2], 5));
	return (uint32_t)(unorm(rgb[0], 10) << 20 | unorm(rgb[1], 10) << 10 | unorm(rgb[2], 10));
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

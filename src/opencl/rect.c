/* SPDX-License-Identifier: MIT */
/* The arithmetic of boxes in buffers (OpenCL 3.0, clEnqueueReadBufferRect and following). */
#include "base/range.h"
#include "opencl/commands.h"

static bool mul_add(size_t a, size_t b, size_t *sum)
{
	size_t product;

	return !__builtin_mul_overflow(a, b, &product) && !__builtin_add_overflow(*sum, product, sum);
}

cl_int rect_check(const size_t origin[3], const size_t region[3], size_t *row, size_t *slice, size_t size,
		  size_t *ret_offset)
{
	size_t offset, end, plane = 0;

	if (!region[0] || !region[1] || !region[2])
		return CL_INVALID_VALUE;
	if (!*row)
		*row = region[0];
	if (!mul_add(region[1], *row, &plane))
		return CL_INVALID_VALUE;
	if (!*slice)
		*slice = plane;
	if (*row < region[0] || *slice < plane || *slice % *row)
		return CL_INVALID_VALUE;

	offset = origin[0];
	if (!mul_add(origin[1], *row, &offset) || !mul_add(origin[2], *slice, &offset))
		return CL_INVALID_VALUE;
	end = region[0];
	if (!mul_add(region[1] - 1, *row, &end) || !mul_add(region[2] - 1, *slice, &end))
		return CL_INVALID_VALUE;
	if (!base_range_is_within(offset, end, size))
		return CL_INVALID_VALUE;
	*ret_offset = offset;
	return CL_SUCCESS;
}

/*
 * Two boxes of one shape share a byte exactly when the distance of their first bytes is dz * slice + dy * row + dx with
 * each |d| below the region's length.  As row >= region[0] and slice >= region[1] * row, only the quotient and the one
 * above it can be dz, and likewise dy.
 */
bool rect_overlaps(const size_t a[3], const size_t b[3], const size_t region[3], size_t row, size_t slice)
{
	size_t at_a = a[2] * slice + a[1] * row + a[0];
	size_t at_b = b[2] * slice + b[1] * row + b[0];
	size_t distance = at_a > at_b ? at_a - at_b : at_b - at_a;

	for (size_t dz = distance / slice; dz <= distance / slice + 1 && dz < region[2]; dz++) {
		int64_t rest = (int64_t)distance - (int64_t)(dz * slice);
		uint64_t plane = (uint64_t)(rest < 0 ? -rest : rest);

		for (uint64_t dy = plane / row; dy <= plane / row + 1 && dy < region[1]; dy++) {
			int64_t dx = (int64_t)plane - (int64_t)(dy * row);

			if ((uint64_t)(dx < 0 ? -dx : dx) < region[0])
				return true;
		}
	}
	return false;
}

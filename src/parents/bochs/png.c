/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <png.h>
#include <stdlib.h>

#include "parents/bochs/bochs.h"

int bochs_picture_png(const struct bochs_picture *picture, void **ret, size_t *ret_len, struct trn_error *err)
{
	/* FAST: a screen is looked at now; the smallest file would take several times as long. */
	png_image image = {
		.version = PNG_IMAGE_VERSION,
		.width = picture->width,
		.height = picture->height,
		.format = PNG_FORMAT_RGB,
		.flags = PNG_IMAGE_FLAG_FAST,
	};
	png_alloc_size_t len;
	void *png, *shorter;
	int r = 0;

	/* The macros below count in the caller's width; this is what libpng itself looks at. */
	if ((uint64_t)picture->width * picture->height > UINT32_MAX / 4)
		return trn_error_set(err, -EFBIG, "TooBig", "a picture of %ux%u is too big", picture->width, picture->height);
	len = PNG_IMAGE_PNG_SIZE_MAX(image); /* untouched pages of it cost nothing */
	png = malloc(len);
	if (!png)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a picture of %ux%u", picture->width, picture->height);
	if (!png_image_write_to_memory(&image, png, &len, 0, picture->pixels, 0, NULL))
		r = trn_error_set(err, -EIO, "PngFailed", "libpng cannot make a picture of %ux%u: %s", picture->width, picture->height,
				  image.message);
	png_image_free(&image);
	if (r < 0) {
		free(png);
		return r;
	}
	shorter = realloc(png, len);
	*ret = shorter ? shorter : png;
	*ret_len = len;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Images: objects of the host over the bytes of a buffer, which it uses in place. Ring's thread. */
#ifndef EXECUTOR_IMAGE_H
#define EXECUTOR_IMAGE_H

#include <stdint.h>

#include "executor/buffer.h"
#include "executor/context.h"

int32_t exec_image_create(struct exec_context *c, const struct trnc_rec_image_create *r);
int32_t exec_image_destroy(struct exec_context *c, uint64_t handle);
struct exec_buffer *exec_image_get(struct exec_context *c, uint64_t handle);

/* Ends all handles of a context that is being destroyed. */
void exec_images_release_all(struct exec_context *c);

#endif

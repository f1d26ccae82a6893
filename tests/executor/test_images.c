/* SPDX-License-Identifier: MIT */
/* Images over the bytes of a buffer, and samplers: read and written in place, kept while used, refused when wrong. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"

/* CL/cl.h's numbers, as they are on the wire. */
#define RGBA 0x10b5u
#define R 0x10b0u
#define UNSIGNED_INT8 0x10dau
#define FLOAT 0x10deu
#define IMAGE2D 0x10f1u
#define IMAGE3D 0x10f2u
#define IMAGE2D_ARRAY 0x10f3u
#define IMAGE1D 0x10f4u
#define IMAGE1D_ARRAY 0x10f5u
#define IMAGE1D_BUFFER 0x10f6u
#define CLAMP_TO_EDGE 0x1131u
#define NEAREST 0x1140u
#define LINEAR 0x1141u

#define W 32u
#define H 8u
#define PITCH 256u /* more than a row needs */

static const char source[] =
	"kernel void invert(read_only image2d_t in, write_only image2d_t out, sampler_t s, int w) {\n"
	"	int2 p = (int2)(get_global_id(0) % w, get_global_id(0) / w);\n"
	"	write_imageui(out, p, 255 - read_imageui(in, s, p)); }\n"
	"kernel void volume(write_only image3d_t out, int w, int h) {\n"
	"	int i = get_global_id(0);\n"
	"	write_imagef(out, (int4)(i % w, i / w % h, i / (w * h), 0), (float4)(i)); }\n"
	"kernel void layers(write_only image2d_array_t out, int w, int h) {\n"
	"	int i = get_global_id(0);\n"
	"	write_imagef(out, (int4)(i % w, i / w % h, i / (w * h), 0), (float4)(i)); }\n"
	"kernel void line(write_only image1d_t out, int w, int h) {\n"
	"	int i = get_global_id(0);\n"
	"	write_imagef(out, i, (float4)(i)); }\n"
	"kernel void lines(write_only image1d_array_t out, int w, int h) {\n"
	"	int i = get_global_id(0);\n"
	"	write_imagef(out, (int2)(i % w, i / w), (float4)(i)); }\n";

static struct harness h;
static struct queue q;
static uint64_t program, invert;

static int setup(void **state)
{
	(void)state;
	harness_start(&h, 0);
	program = harness_handle(&h);
	assert_int_equal(harness_find_u32(&h, harness_build(&h, program, source, ""), TRNC_TAG_STATUS), 0);
	invert = harness_kernel(&h, program, 0);
	harness_queue(&h, &q, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_stop(&h);
	return 0;
}

static uint64_t create(struct trnc_rec_image_create r)
{
	r.image = harness_handle(&h);
	harness_put(&h, &r, sizeof(r));
	harness_submit(&h, TRNC_REC_IMAGE_CREATE);
	return r.image;
}

static struct trnc_rec_image_create picture(uint64_t buffer)
{
	return (struct trnc_rec_image_create){
		.buffer = buffer, .flags = 1, .order = RGBA, .data_type = UNSIGNED_INT8, .type = IMAGE2D,
		.width = W, .height = H, .depth = 1, .array_size = 1, .row_pitch = PITCH,
	};
}

static uint64_t create_sampler(uint32_t normalized, uint32_t addressing, uint32_t filter)
{
	struct trnc_rec_sampler_create r = {
		.sampler = harness_handle(&h), .normalized = normalized, .addressing = addressing, .filter = filter,
	};

	harness_put(&h, &r, sizeof(r));
	harness_submit(&h, TRNC_REC_SAMPLER_CREATE);
	return r.sampler;
}

static void destroy(uint16_t type, uint64_t handle)
{
	struct trnc_rec_object r = { .handle = handle };

	harness_put(&h, &r, sizeof(r));
	harness_submit(&h, type);
}

static uint64_t destroy_buffer(uint64_t buffer)
{
	struct trnc_rec_buffer_destroy r = { .buffer = buffer, .event = harness_event(&h) };

	harness_put(&h, &r, sizeof(r));
	harness_submit(&h, TRNC_REC_BUFFER_DESTROY);
	return r.event;
}

static uint64_t launch_invert(uint64_t in, uint64_t out, uint64_t sampler, uint64_t wait)
{
	const int32_t w = W;
	struct launch l = {
		.kernel = invert, .global = W * H, .event = harness_event(&h), .nr_waits = wait != 0, .waits = &wait,
		.nr_args = 4,
		.args = { { TRNC_ARG_IMAGE, 8, &in }, { TRNC_ARG_IMAGE, 8, &out }, { TRNC_ARG_SAMPLER, 8, &sampler },
			  { TRNC_ARG_VALUE, 4, &w } },
	};

	harness_launch(&h, &q, &l, false);
	return l.event;
}

static int32_t launch_again(void)
{
	struct launch l = { .kernel = invert, .global = W * H, .event = harness_event(&h) };

	harness_launch(&h, &q, &l, false);
	return harness_wait(&h, l.event);
}

static void paint(uint8_t *from, uint8_t *to)
{
	for (uint32_t i = 0; i < PITCH * H; i++)
		from[i] = (uint8_t)(i * 7);
	memset(to, 0x33, PITCH * H);
}

static void check_inverted(const uint8_t *from, const uint8_t *to)
{
	for (uint32_t i = 0; i < PITCH * H; i++)
		assert_int_equal(to[i], i % PITCH < W * 4 ? 255 - from[i] : 0x33);
}

static void test_in_place(void **state)
{
	uint8_t *from = h.window + BUFFERS_AT, *to = from + PITCH * H;
	uint64_t a = harness_buffer(&h, BUFFERS_AT, PITCH * H), b = harness_buffer(&h, BUFFERS_AT + PITCH * H, PITCH * H);
	uint64_t in = create(picture(a)), out = create(picture(b)), s = create_sampler(0, CLAMP_TO_EDGE, NEAREST);

	(void)state;
	paint(from, to);
	assert_int_equal(harness_wait(&h, launch_invert(in, out, s, 0)), 0);
	check_inverted(from, to);
	/* What the program writes is seen without a transfer, and a kernel keeps its sampler. */
	memset(from, 0xf0, PITCH * H);
	destroy(TRNC_REC_SAMPLER_DESTROY, s);
	assert_int_equal(launch_again(), 0);
	check_inverted(from, to);
	assert_int_equal(h.page->refused, 0);
}

/* The image has the bytes: not before it is gone, too, are they free. */
static void test_kept_while_used(void **state)
{
	uint8_t *from = h.window + BUFFERS_AT, *to = from + PITCH * H;
	uint64_t a = harness_buffer(&h, BUFFERS_AT, PITCH * H), b = harness_buffer(&h, BUFFERS_AT + PITCH * H, PITCH * H);
	uint64_t in = create(picture(a)), out = create(picture(b)), s = create_sampler(0, CLAMP_TO_EDGE, NEAREST);
	uint64_t gate = harness_event(&h), e, freed;

	(void)state;
	paint(from, to);
	freed = destroy_buffer(b);
	harness_user_event(&h, gate);
	e = launch_invert(in, out, s, gate);
	destroy(TRNC_REC_IMAGE_DESTROY, out);
	destroy(TRNC_REC_IMAGE_DESTROY, in);
	destroy(TRNC_REC_SAMPLER_DESTROY, s);
	harness_wait_refused(&h, 0);
	assert_int_equal(harness_status(&h, e) > 0, 1);
	assert_int_equal(harness_status(&h, freed) > 0, 1);
	harness_set_event(&h, gate, 0);
	assert_int_equal(harness_wait(&h, e), 0);
	check_inverted(from, to);
	assert_int_equal(harness_wait(&h, freed), 0);
	/* A new launch must not find them. */
	assert_int_equal(launch_again(), -52);
}

static void test_shapes(void **state)
{
	static const struct {
		uint32_t kernel, type;
		uint64_t width, height, depth, layers, row, slice;
	} shapes[] = {
		{ 1, IMAGE3D, 8, 4, 3, 1, 64, 320 },
		{ 2, IMAGE2D_ARRAY, 8, 4, 1, 3, 64, 320 },
		{ 3, IMAGE1D, 8, 1, 1, 1, 32, 0 },
		{ 4, IMAGE1D_ARRAY, 8, 1, 1, 3, 64, 64 },
	};
	float *bytes = (void *)(h.window + BUFFERS_AT);
	uint64_t buffer = harness_buffer(&h, BUFFERS_AT, 4096);

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct trnc_rec_image_create r = {
			.buffer = buffer, .flags = 1, .order = R, .data_type = FLOAT, .type = shapes[i].type,
			.width = shapes[i].width, .height = shapes[i].height, .depth = shapes[i].depth,
			.array_size = shapes[i].layers, .row_pitch = shapes[i].row, .slice_pitch = shapes[i].slice,
		};
		uint64_t image = create(r), pixels = r.width * r.height * r.depth * r.array_size;
		const int32_t w = (int32_t)r.width, rows = (int32_t)r.height;
		struct launch l = {
			.kernel = harness_kernel(&h, program, shapes[i].kernel), .global = pixels,
			.event = harness_event(&h), .nr_args = 3,
			.args = { { TRNC_ARG_IMAGE, 8, &image }, { TRNC_ARG_VALUE, 4, &w }, { TRNC_ARG_VALUE, 4, &rows } },
		};

		memset(bytes, 0, 4096);
		harness_launch(&h, &q, &l, false);
		assert_int_equal(harness_wait(&h, l.event), 0);
		for (uint64_t p = 0; p < pixels; p++) {
			uint64_t at = p % r.width * 4 + p / r.width % r.height * r.row_pitch +
				      p / r.width / r.height * r.slice_pitch;

			assert_true(bytes[at / 4] == (float)p);
		}
	}
	assert_int_equal(h.page->refused, 0);
}

/* ------------------------------------------- a host that has images in memory of their own */

static int setup_own(void **state)
{
	(void)state;
	harness_start(&h, TRNC_EXEC_FLAG_NOT_COHERENT);
	program = harness_handle(&h);
	assert_int_equal(harness_find_u32(&h, harness_build(&h, program, source, ""), TRNC_TAG_STATUS), 0);
	invert = harness_kernel(&h, program, 0);
	harness_queue(&h, &q, 0);
	return 0;
}

static uint64_t move(uint16_t type, uint64_t image, const uint64_t box[6])
{
	struct trnc_cmd_image r = { .cmd = harness_head(&h, &q, harness_event(&h), 0), .image = image };

	memcpy(r.origin, box, sizeof(r.origin));
	memcpy(r.region, box + 3, sizeof(r.region));
	harness_put(&h, &r, sizeof(r));
	harness_submit(&h, type);
	return r.cmd.event;
}

static int32_t fetch(uint64_t image, const uint64_t box[6])
{
	return harness_wait(&h, move(TRNC_REC_IMAGE_FETCH, image, box));
}

static int32_t store(uint64_t image, const uint64_t box[6])
{
	return harness_wait(&h, move(TRNC_REC_IMAGE_STORE, image, box));
}

/* The image begins with the bytes, and has them until they are stored again: whole, and a box of a few rows. */
static void test_own_memory(void **state)
{
	static const uint64_t all[6] = { 0, 0, 0, W, H, 1 }, box[6] = { 3, 2, 0, 5, 4, 1 };
	uint8_t *from = h.window + BUFFERS_AT, *to = from + PITCH * H, kept[PITCH * H];
	uint64_t a = harness_buffer(&h, BUFFERS_AT, PITCH * H), b = harness_buffer(&h, BUFFERS_AT + PITCH * H, PITCH * H);
	struct trnc_rec_image_create r = picture(a);
	uint64_t in, out, s = create_sampler(0, CLAMP_TO_EDGE, NEAREST), made = harness_event(&h);

	(void)state;
	paint(from, to);
	memcpy(kept, from, sizeof(kept));
	r.flags |= 1u << 5; /* CL_MEM_COPY_HOST_PTR */
	in = create(r);
	out = create(picture(b));
	harness_marker(&h, &q, TRNC_REC_MARKER, made, 0, NULL);
	assert_int_equal(harness_wait(&h, made), 0);
	memset(from, 0x77, PITCH * H);
	assert_int_equal(harness_wait(&h, launch_invert(in, out, s, 0)), 0);
	assert_int_equal(to[0], 0x33); /* not there yet */
	assert_int_equal(fetch(out, all), 0);
	check_inverted(kept, to);

	memset(to, 0x33, PITCH * H);
	assert_int_equal(store(in, box), 0);
	assert_int_equal(launch_again(), 0);
	assert_int_equal(fetch(out, box), 0);
	for (uint32_t i = 0; i < PITCH * H; i++) {
		uint32_t x = i % PITCH / 4, y = i / PITCH;

		assert_int_equal(to[i], x >= 3 && x < 8 && y >= 2 && y < 6 ? 255 - 0x77 : 0x33);
	}
	assert_int_equal(fetch(out, all), 0);
	assert_int_equal(to[0], 255 - kept[0]);
	assert_int_equal(h.page->refused, 0);
}

static void test_own_refusals(void **state)
{
	static const uint64_t bad[][6] = {
		{ 0, 0, 0, 0, 1, 1 }, { 0, 0, 0, W + 1, 1, 1 }, { 1, 0, 0, W, 1, 1 }, { 0, 0, 1, 1, 1, 1 },
		{ 0, H, 0, 1, 1, 1 }, { 0, 1, 0, 1, H, 1 }, { UINT64_MAX, 0, 0, 2, 1, 1 },
	};
	static const uint64_t one[6] = { 0, 0, 0, 1, 1, 1 };
	uint64_t buffer = harness_buffer(&h, BUFFERS_AT, PITCH * H), image = create(picture(buffer)), n = 0;
	struct trnc_rec_image_create r = {
		.buffer = buffer, .flags = 1, .order = RGBA, .data_type = UNSIGNED_INT8, .type = IMAGE1D_BUFFER,
		.width = W, .height = 1, .depth = 1, .array_size = 1, .row_pitch = W * 4,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(fetch(image, bad[i]), -30);
		assert_int_equal(store(image, bad[i]), -30);
		n += 2;
	}
	assert_int_equal(fetch(buffer, one), -38);
	assert_int_equal(fetch(0, one), -38);
	/* An image of a buffer has the buffer's memory. */
	assert_int_equal(fetch(create(r), one), -59);
	r.width = PITCH * H / 4 + 1;
	r.row_pitch = PITCH * H + 4;
	create(r);
	n += 4;
	harness_wait_refused(&h, n);
	assert_int_equal(h.page->last_refusal, -40);
	assert_int_equal(fetch(image, one), 0);
	destroy(TRNC_REC_IMAGE_DESTROY, image);
	assert_int_equal(fetch(image, one), -38);
}

/* The buffer's end is told when the last image of it is gone. */
static void test_image_of_buffer(void **state)
{
	uint64_t buffer = harness_buffer(&h, BUFFERS_AT, 4096), freed, image;
	const struct trnc_rec_image_create r = {
		.buffer = buffer, .flags = 1, .order = RGBA, .data_type = UNSIGNED_INT8, .type = IMAGE1D_BUFFER,
		.width = W, .height = 1, .depth = 1, .array_size = 1, .row_pitch = W * 4,
	};

	(void)state;
	image = create(r);
	freed = destroy_buffer(buffer);
	harness_wait_refused(&h, 0);
	assert_true(harness_status(&h, freed) > 0);
	destroy(TRNC_REC_IMAGE_DESTROY, image);
	assert_int_equal(harness_wait(&h, freed), 0);
}

static void test_refusals(void **state)
{
	uint64_t buffer = harness_buffer(&h, BUFFERS_AT, PITCH * H), n = 0, image, s;
	const struct trnc_rec_image_create good = picture(buffer);
	struct trnc_rec_image_create r;

	(void)state;
#define BAD(field, value, error)                                   \
	do {                                                       \
		r = good;                                          \
		r.field = (value);                                 \
		create(r);                                         \
		harness_wait_refused(&h, ++n);                     \
		assert_int_equal(h.page->last_refusal, (error));   \
	} while (0)
	BAD(buffer, 0, -38);
	BAD(buffer, TRNC_HANDLE(77, 7), -38);
	BAD(flags, 8, -30);
	BAD(flags, 3, -30);
	BAD(reserved, 1, -30);
	BAD(type, IMAGE1D_BUFFER, -65);
	BAD(type, 0x10f0, -65);
	BAD(width, 0, -65);
	BAD(width, (1ull << 32) + 1, -65);
	BAD(width, PITCH / 4 + 1, -65); /* does not fit in a row */
	BAD(height, 0, -65);
	BAD(height, H + 1, -40); /* does not fit in the buffer */
	BAD(depth, 2, -65);
	BAD(array_size, 0, -65);
	BAD(row_pitch, 0, -65);
	BAD(row_pitch, UINT64_MAX, -65);
	BAD(row_pitch, 2 * PITCH, -40);
	BAD(slice_pitch, PITCH * H, -65);
	r = good;
	r.type = IMAGE3D;
	r.depth = 1ull << 32;
	r.slice_pitch = 1ull << 40;
	create(r);
	harness_wait_refused(&h, ++n);
	assert_int_equal(h.page->last_refusal, -65);
	r = good;
	r.order = 0x1234;
	create(r);
	harness_wait_refused(&h, ++n);
	assert_true(h.page->last_refusal < 0);

	create_sampler(2, CLAMP_TO_EDGE, NEAREST);
	create_sampler(0, 0x1135, NEAREST);
	create_sampler(0, CLAMP_TO_EDGE, LINEAR + 1);
	n += 3;
	harness_wait_refused(&h, n);
	destroy(TRNC_REC_IMAGE_DESTROY, buffer);
	harness_wait_refused(&h, ++n);
	assert_int_equal(h.page->last_refusal, -38);
	destroy(TRNC_REC_SAMPLER_DESTROY, buffer);
	harness_wait_refused(&h, ++n);
	assert_int_equal(h.page->last_refusal, -41);

	image = create(good);
	s = create_sampler(0, CLAMP_TO_EDGE, NEAREST);
	assert_int_equal(harness_wait(&h, launch_invert(buffer, image, s, 0)), -38);
	assert_int_equal(harness_wait(&h, launch_invert(0, image, s, 0)), -38);
	assert_int_equal(harness_wait(&h, launch_invert(image, image, buffer, 0)), -41);
	destroy(TRNC_REC_SAMPLER_DESTROY, s);
	assert_int_equal(harness_wait(&h, launch_invert(image, image, s, 0)), -41);
	destroy(TRNC_REC_IMAGE_DESTROY, image);
	s = create_sampler(1, CLAMP_TO_EDGE, NEAREST);
	assert_int_equal(harness_wait(&h, launch_invert(image, image, s, 0)), -38);
	harness_wait_refused(&h, n + 5);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_in_place), T(test_kept_while_used), T(test_shapes), T(test_image_of_buffer), T(test_refusals),
		cmocka_unit_test_setup_teardown(test_own_memory, setup_own, teardown),
		cmocka_unit_test_setup_teardown(test_own_refusals, setup_own, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

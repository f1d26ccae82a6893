/* SPDX-License-Identifier: MIT */
/*
 * The OpenCL objects of the driver.  Each API call is a file of its own, named after it; what several of them share is
 * in the lower-case files.  Calls inside the library bind inside it (hidden visibility), so an API function may call
 * another.
 *
 * Life: every object starts with a struct head and one reference.  Children hold a reference on their parents (queue,
 * buffer, program, event -> context; kernel -> program; sub-buffer -> buffer; event -> queue), taken in the child's
 * create and dropped in its last release.
 *
 * Locks, outer first: program->lock, kernel->lock, context->lock, mem->lock, then the client library's own.  None is held
 * while waiting for the host, except program->lock during a build's bookkeeping (never during the build itself).
 */
#ifndef OPENCL_OBJECTS_H
#define OPENCL_OBJECTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_0_APIS
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#define CL_USE_DEPRECATED_OPENCL_2_0_APIS
#define CL_USE_DEPRECATED_OPENCL_2_1_APIS
#define CL_USE_DEPRECATED_OPENCL_2_2_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <CL/cl_icd.h>

#include "base/list.h"
#include "client/client.h"

/* ---------------------------------------------------------------- head */

enum kind { KIND_PLATFORM = 0x50, KIND_DEVICE, KIND_CONTEXT, KIND_QUEUE, KIND_MEM, KIND_PROGRAM, KIND_KERNEL, KIND_EVENT,
	    KIND_SAMPLER, KIND_COMMAND_BUFFER };

struct head {
	const cl_icd_dispatch *dispatch; /* first, for the loader */
	void *loader_data;		 /* second, for a loader that manages the table (icd2.h) */
	uint32_t kind;			 /* enum kind; set to 0 when freed, so that many stale pointers are noticed */
	_Atomic uint32_t refs;
};

extern const cl_icd_dispatch trncl_dispatch; /* dispatch.c; with the tags of cl_khr_icd 2 in two slots */

void head_init(struct head *h, enum kind kind);
/* What objects made from now on carry for the loader. */
void head_set_loader_data(void *data);
/* Takes a reference. */
static inline void head_ref(struct head *h)
{
	atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
}

/* Drops one; true when it was the last: the caller frees the object. */
static inline bool head_unref(struct head *h)
{
	/* What every thread did to the object is seen by the one that frees it. No fence: thread sanitizers know none. */
	if (atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1)
		return false;
	h->kind = 0;
	return true;
}

/* Does obj (may be NULL) point at a live object of the kind? The check behind CL_INVALID_<object>. */
static inline bool head_is(const void *obj, enum kind kind)
{
	const struct head *h = obj;

	return h && h->kind == (uint32_t)kind;
}

#define IS_PLATFORM(o) head_is((o), KIND_PLATFORM)
#define IS_DEVICE(o) head_is((o), KIND_DEVICE)
#define IS_CONTEXT(o) head_is((o), KIND_CONTEXT)
#define IS_QUEUE(o) head_is((o), KIND_QUEUE)
#define IS_MEM(o) head_is((o), KIND_MEM)
#define IS_PROGRAM(o) head_is((o), KIND_PROGRAM)
#define IS_KERNEL(o) head_is((o), KIND_KERNEL)
#define IS_EVENT(o) head_is((o), KIND_EVENT)
#define IS_SAMPLER(o) head_is((o), KIND_SAMPLER)

/* ------------------------------------------------------------- helpers */

/* The one table from errnos of the client library to OpenCL errors (errors.c). 0 stays 0. */
cl_int cl_error_from(int err);

/* The param_value protocol of all clGet*Info: writes size_ret and copies if there is room, else CL_INVALID_VALUE. */
static inline cl_int info_return(const void *value, size_t size, size_t cap, void *dst, size_t *size_ret)
{
	/* A size is not given beside an error: so PoCL, and so the outputs stay untouched. */
	if (dst && cap < size)
		return CL_INVALID_VALUE;
	if (dst && size)
		memcpy(dst, value, size);
	if (size_ret)
		*size_ret = size;
	return CL_SUCCESS;
}

cl_int info_return_str(const char *value, size_t cap, void *dst, size_t *size_ret);
#define INFO_RETURN(type, v, cap, dst, size_ret)                                   \
	({                                                                         \
		type info_value_ = (v);                                            \
		info_return(&info_value_, sizeof(info_value_), (cap), (dst), (size_ret)); \
	})

/* For calls that give the error through a pointer that may be NULL. */
static inline void *fail_with(cl_int *errcode_ret, cl_int code)
{
	if (errcode_ret)
		*errcode_ret = code;
	return NULL;
}

/* -------------------------------------------------- platform and device */

struct _cl_platform_id {
	struct head head;
	struct _cl_device_id **devices; /* made once; not connected */
	uint32_t nr_devices;
};

/* What calls check again and again, copied out of the answers once. */
struct device_limits {
	uint64_t work_dims, group_size;
	uint64_t item_sizes[3];
	uint64_t local_mem;	/* bytes */
	uint64_t max_alloc;	/* bytes */
	uint64_t base_align;	/* bytes */
};

#define DEVICE_NR_GIVEN 128

struct _cl_device_id {
	struct head head;
	struct _cl_platform_id *platform;
	struct client_device *client;
	pthread_mutex_t lock;		       /* serialises connecting; protects is_reported */
	struct host_answers *_Atomic answers; /* NULL until connected; then for the life of the process */
	bool is_reported;		       /* the sentence of a failed connection was printed */
	struct client_session *session; /* kept, so that the next context finds a warm executor; counted; in lock */
	struct device_limits limits;    /* filled in before answers is */
	/* Of a sub-device; client, answers and limits are its root's then (subdevice.c). */
	struct _cl_device_id *parent; /* NULL: a device of the platform */
	_Atomic uint32_t holds;	      /* what keeps its memory: the program's references together, sub-devices, queues */
	uint32_t first_unit, nr_units; /* the root's compute units that it has */
	cl_device_partition_property *partition; /* as given to the call that made it, closing 0 included */
	size_t nr_partition;
	/* Answers that were given, and do not change, by param - CL_DEVICE_TYPE; owned (device.c). */
	struct device_answer *_Atomic given[DEVICE_NR_GIVEN];
};

/* The one platform, or NULL when no device can be found (platform.c). */
struct _cl_platform_id *platform_get(void);

/* Connects if needed; CL_DEVICE_NOT_AVAILABLE otherwise. Then the next calls work (device.c). */
cl_int device_connect(cl_device_id d);
/* Value of a device or platform query in the host's answer; NULL when it has none, then *ret_error is the host's error. */
const void *device_host_info(cl_device_id d, cl_device_info param, size_t *ret_size, cl_int *ret_error);
const void *platform_host_info(cl_device_id d, cl_platform_info param, size_t *ret_size);
/* Shorthands, 0 when unknown. */
uint64_t device_info_u64(cl_device_id d, cl_device_info param); /* any integer width */

/* ------------------------------------------------------------- context */

struct context_callback {
	struct context_callback *next;
	void(CL_CALLBACK *fn)(cl_context, void *);
	void *data;
};

struct _cl_context {
	struct head head;
	cl_device_id device; /* of the platform: as in PoCL, a sub-device stands for its root here */
	struct client_context *client;
	bool coherent; /* buffers are used in place on the host */
	struct svm *svm; /* shared virtual memory (svm.h); NULL: there is none */
	cl_context_properties *properties; /* as given, with the closing 0; may be NULL */
	size_t nr_properties;
	void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *);
	void *notify_data;
	struct context_callback *destructors;
	pthread_mutex_t lock; /* protects: destructors, shadows, zombies, the two worker pointers, queue->barrier */
	struct base_list shadows; /* buffers over the program's own memory (USE_HOST_PTR); struct _cl_mem.shadow_node */
	struct base_list zombies; /* released events whose command still runs; struct _cl_event.zombie_node */
	_Atomic uint32_t nr_zombies; /* changed in lock; of zombies_reap(), which need not look when it is 0 */
	struct base_list retired_queues; /* released queues whose slot the host may still write (queue.c); in lock */
	struct worker *callbacks; /* thread of event callbacks; made at first use */
	struct worker *copies;	  /* thread of non-blocking copies; made at first use */
};

/* Tells the program's notify function, if it has one. */
void context_notify(cl_context ctx, const char *text);
/* The two halves of a context's life that belong to commands: init after ->client is set; finish at the last release,
 * after the destructor callbacks and before client_context_destroy(): ends the threads, frees the zombies (worker.c). */
void context_commands_init(cl_context ctx);
void context_commands_finish(cl_context ctx);

/* --------------------------------------------------------------- queue */

struct _cl_command_queue {
	struct head head;
	cl_context context;
	cl_device_id device; /* the context's, or a sub-device of it, held then */
	struct client_queue client;
	bool in_order;
	bool profiling;
	cl_queue_properties *properties_array; /* as given to WithProperties; else NULL */
	size_t nr_properties;
	cl_event barrier; /* out of order: the newest barrier, counted; NULL (in context->lock). The last release drops it. */
	struct worker *natives;	     /* thread of native kernels; made at first use */
	struct recording *recording; /* not NULL: nothing is enqueued, only checked (command_buffer.h) */
};

/* clFinish without argument checks; also copies out shadows (finish.c). */
cl_int queue_finish(cl_command_queue q);

/* -------------------------------------------------------------- memory */

struct mem_callback {
	struct mem_callback *next;
	void(CL_CALLBACK *fn)(cl_mem, void *);
	void *data;
};

/* A box of an image: pixels, rows, slices. */
struct image_region {
	size_t origin[3], region[3];
};

struct mapping {
	struct base_list node; /* in mem->maps */
	void *ptr;
	size_t offset, size;
	cl_map_flags flags;
	uint64_t handle; /* CLIENT_MAP */
	struct image_region region; /* of an image's map */
};

static inline bool mapping_is_for_writing(const struct mapping *m)
{
	return m->flags & (CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION);
}

/* What makes an image of a buffer. */
struct image {
	uint64_t handle; /* CLIENT_IMAGE */
	cl_image_format format;
	size_t width, height, depth, array_size; /* as given; 0 where the type has no such dimension */
	size_t element_size;			 /* bytes of a pixel */
	size_t row_pitch, slice_pitch;		 /* bytes, as answered; slice_pitch counts for 3D and arrays of 2D */
	bool is_own; /* the host has it in memory of its own: the bytes are fetched and stored */
};

struct _cl_mem {
	struct head head;
	cl_context context;
	cl_mem_object_type type;
	cl_mem_flags flags;	 /* as clGetMemObjectInfo answers */
	size_t size;
	void *host_ptr;		 /* as given with USE_HOST_PTR; sub-buffer: parent's plus origin */
	struct _cl_mem *parent;	 /* sub-buffer, image of a buffer (has its handle): referenced; else NULL */
	size_t origin;
	_Atomic uint64_t handle; /* CLIENT_BUFFER, of an image, too: its bytes are a buffer's. 0: see buffer_announce() */
	struct image *image;	 /* NULL: a buffer; owned */
	struct client_mem mem;	 /* of a whole buffer; a sub-buffer's bytes are parent->mem's at origin */
	uint8_t *bytes;		 /* the buffer's bytes in the window: mem.ptr, or parent's + origin */
	cl_mem_properties *properties; /* as given; NULL without */
	size_t nr_properties;
	pthread_mutex_t lock;	 /* protects maps, destructors */
	struct base_list maps;
	uint32_t map_count;
	struct mem_callback *destructors; /* newest first, the order in which they are called */
	struct base_list shadow_node;
	struct svm_piece *svm;	 /* USE_HOST_PTR over shared virtual memory: the bytes are its own, counted; else NULL */
	bool is_shadow; /* USE_HOST_PTR otherwise: bytes live in the window, the program's memory is copied in and out */
	_Atomic bool is_dirty; /* shadow: a command that may write it was enqueued since the last copy out (shadow.c) */
	cl_command_queue dirty_queue; /* shadow: where that command was enqueued, counted; in context->lock */
	uint32_t nr_holds; /* shadow: shadow_hold() without its shadow_let_go(); in context->lock */
};

/*
 * Tells the host of the buffer if nobody has done so yet: before the first record that names it, and not while one is
 * being written.  CL_OUT_OF_HOST_MEMORY: no handle is left.  In a lost context, where no record follows, it succeeds.
 */
cl_int buffer_announce_now(cl_mem mem);

static inline cl_int buffer_announce(cl_mem mem)
{
	return atomic_load_explicit(&mem->handle, memory_order_acquire) ? CL_SUCCESS : buffer_announce_now(mem);
}

/* ------------------------------------------------------------- sampler */

struct _cl_sampler {
	struct head head;
	cl_context context;
	uint64_t handle; /* CLIENT_SAMPLER */
	cl_bool normalized;
	cl_addressing_mode addressing;
	cl_filter_mode filter;
	cl_sampler_properties *properties; /* as given; NULL without */
	size_t nr_properties;
};

/* ------------------------------------------------------------- program */

struct arg_info {
	uint32_t kind; /* TRNC_ARG_* */
	uint32_t size; /* what clSetKernelArg wants; LOCAL: 0; VALUE: 0 when the host takes any size */
	bool has_info; /* the fields below are there */
	uint32_t address, access;
	uint64_t qualifier;
	char *type_name, *name; /* may be NULL */
};

struct kernel_info {
	char *name;
	char *attributes; /* may be NULL */
	uint64_t work_group_size, local_mem, private_mem, preferred_multiple;
	uint64_t compile_group_size[3];
	uint32_t nr_args;
	struct arg_info *args;
};

/* A program's result of one build: counted, because kernels outlive a rebuild. */
struct kernel_table {
	_Atomic uint32_t refs;
	uint32_t nr_kernels;
	struct kernel_info *kernels;
};
struct kernel_table *kernel_table_ref(struct kernel_table *t);
struct kernel_table *kernel_table_unref(struct kernel_table *t); /* NULL */

struct _cl_program {
	struct head head;
	cl_context context;
	uint64_t handle; /* CLIENT_PROGRAM */
	pthread_mutex_t lock; /* protects everything below */
	char *source;	      /* all strings in one, NUL-terminated; NULL when made from a binary or by linking */
	size_t source_len;
	char *builtin_names; /* semicolons between them; NULL: not a program of built-in kernels */
	void *il;
	size_t il_len;
	void *binary; /* as loaded, until the first build; then as fetched from the host */
	size_t binary_len;
	char *options;
	char *log;
	cl_build_status status;
	cl_program_binary_type binary_type;
	uint64_t globals_size;
	bool may_print;
	bool known_to_host; /* a request with the handle was sent: PROGRAM_DESTROY is owed */
	uint32_t nr_live_kernels; /* CL_INVALID_OPERATION for a rebuild while not 0 */
	struct kernel_table *table; /* NULL: no executable */
};

/* -------------------------------------------------------------- kernel */

struct kernel_arg {
	bool is_set;
	bool is_changed; /* since the last NDRANGE record */
	bool is_foreign; /* SVM: memory that the host does not see */
	uint32_t kind;	 /* TRNC_ARG_* */
	uint64_t size;	 /* VALUE: bytes in value; LOCAL: bytes of local memory */
	uint64_t handle; /* BUFFER: 0 for NULL; IMAGE, SAMPLER; SVM: the address */
	struct _cl_mem *mem; /* BUFFER, IMAGE: not counted, as OpenCL says; for shadows and command buffers */
	struct _cl_sampler *sampler; /* SAMPLER: not counted; for command buffers */
	uint32_t cap;	 /* bytes of room in value */
	uint8_t *value;	 /* VALUE: owned; else NULL */
};

struct _cl_kernel {
	struct head head;
	cl_program program;
	struct kernel_table *table;
	const struct kernel_info *info; /* in table */
	uint64_t handle; /* CLIENT_KERNEL */
	pthread_mutex_t lock; /* protects args, and orders argument records: held over an NDRANGE record */
	bool is_changed;      /* one of the arguments at least is */
	bool has_local;	      /* has arguments that are local memory */
	uint32_t nr_unset;    /* arguments never set: CL_INVALID_KERNEL_ARGS while not 0 */
	uint32_t nr_foreign;  /* arguments that point to memory of the program: CL_INVALID_OPERATION while not 0 */
	struct kernel_arg *args;
};

/* Bytes that the changed arguments need in a record; then writes them there and marks them sent (kernel_args.c).
 * Both under kernel->lock. *ret_nr: number of arguments. */
size_t kernel_args_size(cl_kernel k, uint32_t *ret_nr);
void kernel_args_write(cl_kernel k, void *dst);

/* --------------------------------------------------------------- event */

struct _cl_event {
	struct head head;
	cl_context context;
	cl_command_queue queue; /* counted; NULL for user events */
	cl_command_type type;
	/* Slot; 0: done by the client at once, see the local fields, or a user event that no command waits for yet. */
	_Atomic uint64_t handle;
	uint64_t seq; /* of its command in the queue, if it waits for nothing but those before it; else 0 */
	_Atomic cl_int local_status; /* of handle 0; of a user event once set; else CL_QUEUED */
	uint64_t queued_ns, submit_ns, start_ns, end_ns; /* of handle 0 */
	struct client_mem staging;    /* snapshot of a write, freed with the event; ptr NULL: none */
	struct base_list zombie_node; /* in context->zombies once released before completion */
};

/* Status as the program sees it, lost contexts included (then a negative error) (event.c). */
cl_int event_status(cl_event e);
/* Waits till complete or failed. CL_SUCCESS, or the event's negative status. */
cl_int event_wait(cl_event e);

#endif

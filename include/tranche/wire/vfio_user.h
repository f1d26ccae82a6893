/* SPDX-License-Identifier: MIT */
/*
 * The bytes of the vfio-user protocol, as a server needs them.
 *
 * A message is a header and a payload over a Unix stream socket, in the byte order of the host; descriptors travel
 * with the first byte of their message.  Structures named after VFIO's are those of <linux/vfio.h>, repeated here in
 * fixed widths because this side also builds where that header is old.  "argsz" is the room that the sender has for
 * the reply's payload; the receiver gives the size that it needed.
 */
#ifndef TRANCHE_WIRE_VFIO_USER_H
#define TRANCHE_WIRE_VFIO_USER_H

#include <assert.h>
#include <stdint.h>

#define VFU_MAJOR 0u
#define VFU_MINOR 1u

enum vfu_command {
	VFU_VERSION = 1,
	VFU_DMA_MAP = 2,
	VFU_DMA_UNMAP = 3,
	VFU_DEVICE_GET_INFO = 4,
	VFU_DEVICE_GET_REGION_INFO = 5,
	VFU_DEVICE_GET_REGION_IO_FDS = 6,
	VFU_DEVICE_GET_IRQ_INFO = 7,
	VFU_DEVICE_SET_IRQS = 8,
	VFU_REGION_READ = 9,
	VFU_REGION_WRITE = 10,
	VFU_DMA_READ = 11,  /* server to client */
	VFU_DMA_WRITE = 12, /* server to client */
	VFU_DEVICE_RESET = 13,
	/* 14: was DIRTY_PAGES, never to be used again */
	VFU_REGION_WRITE_MULTI = 15,
	VFU_DEVICE_FEATURE = 16,
	VFU_MIG_DATA_READ = 17,
	VFU_MIG_DATA_WRITE = 18,
	VFU_NR_COMMANDS
};

#define VFU_FLAG_TYPE_MASK 0xfu
#define VFU_FLAG_COMMAND 0u
#define VFU_FLAG_REPLY 1u
#define VFU_FLAG_NO_REPLY (1u << 4)
#define VFU_FLAG_ERROR (1u << 5)

struct vfu_header {
	uint16_t id; /* the sender's; replies repeat it */
	uint16_t command;
	uint32_t size; /* of the whole message, header included */
	uint32_t flags;
	uint32_t error; /* errno of a reply with VFU_FLAG_ERROR, which has no payload */
};
static_assert(sizeof(struct vfu_header) == 16, "wire");

/* VERSION: followed by JSON text with a NUL, in both directions. */
struct vfu_version {
	uint16_t major;
	uint16_t minor;
};
static_assert(sizeof(struct vfu_version) == 4, "wire");

/* What a side that states no limit means. */
#define VFU_DEFAULT_MAX_MSG_FDS 1u
#define VFU_DEFAULT_MAX_DATA_XFER_SIZE (1u << 20)
#define VFU_DEFAULT_MAX_DMA_MAPS 65535u
#define VFU_DEFAULT_PGSIZES 4096u

#define VFU_DMA_MAP_READ (1u << 0)
#define VFU_DMA_MAP_WRITE (1u << 1)
#define VFU_DMA_MAP_MMAP (1u << 2)    /* the file may be mapped (what a file without FILE_IO means anyway) */
#define VFU_DMA_MAP_FILE_IO (1u << 3) /* the file is to be read and written, not mapped */

struct vfu_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset; /* in the file that came with it */
	uint64_t address;
	uint64_t size;
};
static_assert(sizeof(struct vfu_dma_map) == 32, "wire");

#define VFU_DMA_UNMAP_DIRTY_BITMAP (1u << 0)
#define VFU_DMA_UNMAP_ALL (1u << 1)

/* With DIRTY_BITMAP followed by struct vfu_bitmap; the reply's has the bits behind it. */
struct vfu_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t address;
	uint64_t size;
};
static_assert(sizeof(struct vfu_dma_unmap) == 24, "wire");

struct vfu_bitmap {
	uint64_t pgsize;
	uint64_t size; /* of the bits, in bytes */
};
static_assert(sizeof(struct vfu_bitmap) == 16, "wire");

#define VFU_DEVICE_FLAG_RESET (1u << 0)
#define VFU_DEVICE_FLAG_PCI (1u << 1)
#define VFU_DEVICE_FLAG_CAPS (1u << 7)

/* Followed by cap_offset and a word of padding, and the chain, when there are capabilities and argsz has room. */
struct vfu_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t num_regions;
	uint32_t num_irqs;
};
static_assert(sizeof(struct vfu_device_info) == 16, "wire");

struct vfu_device_info_caps {
	struct vfu_device_info info;
	uint32_t cap_offset;
	uint32_t pad;
};
static_assert(sizeof(struct vfu_device_info_caps) == 24, "wire");

#define VFU_REGION_FLAG_READ (1u << 0)
#define VFU_REGION_FLAG_WRITE (1u << 1)
#define VFU_REGION_FLAG_MMAP (1u << 2)
#define VFU_REGION_FLAG_CAPS (1u << 3)

struct vfu_region_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;
	uint64_t size;
	uint64_t offset; /* of the region's byte 0 in the file that comes with the reply */
};
static_assert(sizeof(struct vfu_region_info) == 32, "wire");

struct vfu_cap_header {
	uint16_t id;
	uint16_t version;
	uint32_t next; /* from the start of the structure that holds the chain; 0: last */
};
static_assert(sizeof(struct vfu_cap_header) == 8, "wire");

#define VFU_REGION_CAP_SPARSE_MMAP 1u
#define VFU_REGION_CAP_TYPE 2u
#define VFU_REGION_CAP_MSIX_MAPPABLE 3u

/* Data of SPARSE_MMAP; followed by nr_areas times struct vfu_sparse_area. */
struct vfu_sparse {
	uint32_t nr_areas;
	uint32_t reserved;
};
static_assert(sizeof(struct vfu_sparse) == 8, "wire");

struct vfu_sparse_area {
	uint64_t offset;
	uint64_t size;
};
static_assert(sizeof(struct vfu_sparse_area) == 16, "wire");

#define VFU_IO_FD_IOEVENTFD 0u
#define VFU_IO_FD_IOREGIONFD 1u
#define VFU_IO_FD_IOEVENTFD_SHADOW 2u

#define VFU_IOEVENTFD_DATAMATCH (1u << 0)
#define VFU_IOEVENTFD_PIO (1u << 1)

/* Reply: followed by count entries. */
struct vfu_region_io_fds {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};
static_assert(sizeof(struct vfu_region_io_fds) == 16, "wire");

struct vfu_ioeventfd {
	uint64_t offset;
	uint64_t size;
	uint32_t fd_index; /* among the reply's descriptors */
	uint32_t type;
	uint32_t flags;
	uint32_t shadow_mem_fd_index; /* types other than SHADOW: padding */
	/* IOEVENTFD: datamatch, which the specification has here; it does not know the other type, libvfio-user does */
	uint64_t shadow_offset;
	uint64_t datamatch;
};
static_assert(sizeof(struct vfu_ioeventfd) == 48, "wire");

struct vfu_irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};
static_assert(sizeof(struct vfu_irq_info) == 16, "wire");

#define VFU_IRQ_EVENTFD (1u << 0)
#define VFU_IRQ_MASKABLE (1u << 1)
#define VFU_IRQ_AUTOMASKED (1u << 2)
#define VFU_IRQ_NORESIZE (1u << 3)

#define VFU_IRQ_SET_DATA_NONE (1u << 0)
#define VFU_IRQ_SET_DATA_BOOL (1u << 1)
#define VFU_IRQ_SET_DATA_EVENTFD (1u << 2)
#define VFU_IRQ_SET_ACTION_MASK (1u << 3)
#define VFU_IRQ_SET_ACTION_UNMASK (1u << 4)
#define VFU_IRQ_SET_ACTION_TRIGGER (1u << 5)

/* Followed by count bytes with DATA_BOOL. */
struct vfu_irq_set {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
};
static_assert(sizeof(struct vfu_irq_set) == 20, "wire");

/* REGION_READ, REGION_WRITE and their replies; data follows the write and the read's reply. */
struct vfu_region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};
static_assert(sizeof(struct vfu_region_access) == 16, "wire");

struct vfu_write_multi {
	uint64_t count;
};
static_assert(sizeof(struct vfu_write_multi) == 8, "wire");

struct vfu_write_multi_entry {
	uint64_t offset;
	uint32_t region;
	uint32_t count; /* at most 8 */
	uint8_t data[8];
};
static_assert(sizeof(struct vfu_write_multi_entry) == 24, "wire");

/* DMA_READ, DMA_WRITE and their replies; data follows the write and the read's reply. */
struct vfu_dma_access {
	uint64_t address;
	uint64_t count;
};
static_assert(sizeof(struct vfu_dma_access) == 16, "wire");

#define VFU_FEATURE_MASK 0xffffu
#define VFU_FEATURE_GET (1u << 16)
#define VFU_FEATURE_SET (1u << 17)
#define VFU_FEATURE_PROBE (1u << 18)

#define VFU_FEATURE_MIGRATION 1u
#define VFU_FEATURE_MIG_DEVICE_STATE 2u
#define VFU_FEATURE_DMA_LOGGING_START 6u
#define VFU_FEATURE_DMA_LOGGING_STOP 7u
#define VFU_FEATURE_DMA_LOGGING_REPORT 8u
#define VFU_FEATURE_MIG_DATA_SIZE 9u

struct vfu_feature {
	uint32_t argsz;
	uint32_t flags;
};
static_assert(sizeof(struct vfu_feature) == 8, "wire");

struct vfu_feature_migration {
	uint64_t flags;
};
static_assert(sizeof(struct vfu_feature_migration) == 8, "wire");

struct vfu_feature_mig_state {
	uint32_t device_state;
	int32_t data_fd; /* not used over a socket: -1 */
};
static_assert(sizeof(struct vfu_feature_mig_state) == 8, "wire");

/* Followed by num_ranges times struct vfu_log_range. */
struct vfu_feature_log_start {
	uint64_t page_size;
	uint32_t num_ranges;
	uint32_t reserved;
};
static_assert(sizeof(struct vfu_feature_log_start) == 16, "wire");

struct vfu_log_range {
	uint64_t iova;
	uint64_t length;
};
static_assert(sizeof(struct vfu_log_range) == 16, "wire");

/* The reply has the bitmap behind it. */
struct vfu_feature_log_report {
	uint64_t iova;
	uint64_t length;
	uint64_t page_size;
};
static_assert(sizeof(struct vfu_feature_log_report) == 24, "wire");

struct vfu_feature_mig_data_size {
	uint64_t stop_copy_length;
};
static_assert(sizeof(struct vfu_feature_mig_data_size) == 8, "wire");

/* MIG_DATA_READ, MIG_DATA_WRITE and their replies; data follows the write and the read's reply. */
struct vfu_mig_data {
	uint32_t argsz;
	uint32_t size;
};
static_assert(sizeof(struct vfu_mig_data) == 8, "wire");

#endif

/* SPDX-License-Identifier: MIT */
#include "treefs/open.h"

#include <linux/fuse.h>

/* Since Linux 5.18 and 5.16; older kernels do not look at them. */
#ifndef FOPEN_PARALLEL_DIRECT_WRITES
#define FOPEN_PARALLEL_DIRECT_WRITES (1 << 6)
#endif
#ifndef FOPEN_NOFLUSH
#define FOPEN_NOFLUSH (1 << 5)
#endif

int treefs_reply_open(fuse_req_t req, uint64_t handle)
{
	struct fuse_open_out out = {
		.fh = handle, .open_flags = FOPEN_DIRECT_IO | FOPEN_NOFLUSH | FOPEN_PARALLEL_DIRECT_WRITES};

	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

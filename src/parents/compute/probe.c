/* SPDX-License-Identifier: MIT */
/* The host device's record, as the first executor wrote it, and what the device process itself reads of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/blob.h"
#include "base/cleanup.h"
#include "base/size.h"
#include "parents/compute/priv.h"

#define MAX_PROBE (16u << 20)
#define PARAM_GLOBAL_MEM_SIZE 0x101fu /* CL_DEVICE_GLOBAL_MEM_SIZE; this process knows no OpenCL header */

static int read_all(int fd, uint8_t *to, uint64_t len)
{
	for (uint64_t have = 0; have < len;) {
		ssize_t n = pread(fd, to + have, len - have, (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		have += (uint64_t)n;
	}
	return 0;
}

/* A file of our own, which nobody can change. Return: fd or -errno. */
static int seal_copy(const uint8_t *data, uint64_t len)
{
	_cleanup_close_ int fd = memfd_create("tranche-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	for (uint64_t done = 0; done < len;) {
		ssize_t n = write(fd, data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (uint64_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* { u32 param, u32 0, u64 value } */
static uint64_t find_memory_size(const uint8_t *data, size_t len)
{
	struct base_blob_reader reader;
	struct base_blob_item item;

	base_blob_reader_init(&reader, data, len);
	while (base_blob_next(&reader, &item)) {
		uint32_t param;
		uint64_t value;

		if (item.tag != TRNC_TAG_DEVICE_INFO || item.len != 16)
			continue;
		memcpy(&param, item.data, sizeof(param));
		memcpy(&value, item.data + 8, sizeof(value));
		if (param == PARAM_GLOBAL_MEM_SIZE)
			return value;
	}
	return 0;
}

static int settle_quota(struct compute_device *d, uint64_t host_size, struct trn_error *err)
{
	char quota[BASE_SIZE_TEXT], host[BASE_SIZE_TEXT];

	if (host_size == 0)
		return trn_error_set(err, -EPROTO, "NoMemorySize", "host device %u does not tell the size of its memory",
				     d->config->host_device);
	d->host_size = host_size;
	if (d->takes_all) {
		if (host_size < d->stats.quota)
			d->stats.quota = host_size;
		return 0;
	}
	if (d->stats.quota <= host_size)
		return 0;
	trn_error_set(err, -ERANGE, "MoreThanHost", "the device's memory is to be %s, host device %u has %s",
		      base_size_format(d->stats.quota, quota), d->config->host_device,
		      base_size_format(host_size, host));
	return trn_error_hint(err, "choose a smaller size with --memory");
}

int compute_probe_learn(struct compute_device *d, int fd, const struct trnc_exec_ready *ready, struct trn_error *err)
{
	_cleanup_free_ uint8_t *copy = NULL;
	int r;

	if (d->probe.fd >= 0)
		return 0;
	if (fd < 0 || ready->probe_len == 0 || ready->probe_len > MAX_PROBE)
		return trn_error_set(err, -EPROTO, "BadProbe", "the executor sent no usable record of the host's device");
	copy = malloc(ready->probe_len);
	if (!copy)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the record of the host's device");
	r = read_all(fd, copy, ready->probe_len);
	if (r < 0)
		return trn_error_set(err, r, "BadProbe", "cannot read the record of the host's device: %s", strerror(-r));
	r = settle_quota(d, find_memory_size(copy, ready->probe_len), err);
	if (r == 0 && d->face)
		r = compute_face_learn_probe(d->face, copy, ready->probe_len, err);
	if (r < 0)
		return r;
	r = seal_copy(copy, ready->probe_len);
	if (r < 0)
		return trn_error_set(err, r, "NoMemory", "cannot keep the record of the host's device: %s", strerror(-r));
	d->probe = (struct compute_probe){
		.fd = r,
		.len = ready->probe_len,
		.flags = ready->flags & (TRNC_SESSION_COHERENT | TRNC_SESSION_SVM),
	};
	if (d->face)
		compute_face_quota_changed(d->face);
	return 0;
}

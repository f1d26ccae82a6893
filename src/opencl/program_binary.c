/* SPDX-License-Identifier: MIT */
#include "opencl/program_binary.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1u
#define MAGIC_LEN (sizeof(BINARY_MAGIC) - 1)

/* Against accidents, not against intent: the executor is the fence there. */
static uint64_t fnv1a(const uint8_t *bytes, size_t len)
{
	uint64_t sum = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3ull;
	return sum;
}

cl_int program_binary_wrap(const void *host, size_t len, void **ret, size_t *ret_len)
{
	struct binary_head head = {
		.version = htole32(VERSION),
		.len = htole64(len),
		.check = htole64(fnv1a(host, len)),
	};
	uint8_t *all;

	if (len > SIZE_MAX - sizeof(head))
		return CL_OUT_OF_HOST_MEMORY;
	all = malloc(sizeof(head) + len);
	if (!all)
		return CL_OUT_OF_HOST_MEMORY;
	memcpy(head.magic, BINARY_MAGIC, MAGIC_LEN);
	memcpy(all, &head, sizeof(head));
	if (len)
		memcpy(all + sizeof(head), host, len);
	*ret = all;
	*ret_len = sizeof(head) + len;
	return CL_SUCCESS;
}

cl_int program_binary_unwrap(const void *bytes, size_t len, const void **ret, size_t *ret_len)
{
	const uint8_t *host = (const uint8_t *)bytes + sizeof(struct binary_head);
	struct binary_head head;

	*ret = bytes;
	*ret_len = len;
	if (memcmp(bytes, BINARY_MAGIC, len < MAGIC_LEN ? len : MAGIC_LEN) != 0)
		return CL_SUCCESS; /* not ours */
	if (len < sizeof(head))
		return CL_INVALID_BINARY;
	memcpy(&head, bytes, sizeof(head));
	if (le32toh(head.version) != VERSION || head.reserved || le64toh(head.len) != len - sizeof(head) ||
	    le64toh(head.check) != fnv1a(host, len - sizeof(head)))
		return CL_INVALID_BINARY;
	*ret = host;
	*ret_len = len - sizeof(head);
	return CL_SUCCESS;
}

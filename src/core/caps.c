/* SPDX-License-Identifier: MIT */
/* Capability chains: kept as they will be sent, with offsets that count from the chain's own start until they are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tranche/device.h"

#define MAX_DATA (64u << 10)
#define MAX_CHAIN (1u << 20)

struct cap_header {
	uint16_t id;
	uint16_t version;
	uint32_t next; /* 0: the last one */
};

struct trn_caps {
	uint8_t *chain; /* owned */
	size_t len;
	size_t last; /* where the last header lies; valid while len > 0 */
};

struct trn_caps *trn_caps_new(void)
{
	return calloc(1, sizeof(struct trn_caps));
}

void trn_caps_free(struct trn_caps *caps)
{
	if (!caps)
		return;
	free(caps->chain);
	free(caps);
}

int trn_caps_add(struct trn_caps *caps, uint16_t id, uint16_t version, const void *data, size_t len)
{
	struct cap_header header = { .id = id, .version = version };
	size_t size = (sizeof(header) + len + 7) & ~(size_t)7;
	uint8_t *chain;

	if (len > MAX_DATA || caps->len + size > MAX_CHAIN)
		return -EINVAL;
	chain = realloc(caps->chain, caps->len + size);
	if (!chain)
		return -ENOMEM;
	caps->chain = chain;
	memset(chain + caps->len, 0, size);
	memcpy(chain + caps->len, &header, sizeof(header));
	if (len)
		memcpy(chain + caps->len + sizeof(header), data, len);
	if (caps->len) {
		uint32_t next = (uint32_t)caps->len;

		memcpy(chain + caps->last + offsetof(struct cap_header, next), &next, sizeof(next));
	}
	caps->last = caps->len;
	caps->len += size;
	return 0;
}

size_t trn_caps_len(const struct trn_caps *caps)
{
	return caps->len;
}

void trn_caps_write(const struct trn_caps *caps, void *buf, uint32_t base)
{
	uint8_t *to = buf;
	uint32_t at = 0, next;

	memcpy(to, caps->chain, caps->len);
	for (;;) {
		uint8_t *field = to + at + offsetof(struct cap_header, next);

		memcpy(&next, field, sizeof(next));
		if (!next)
			return;
		at = next;
		next += base;
		memcpy(field, &next, sizeof(next));
	}
}

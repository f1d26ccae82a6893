/* SPDX-License-Identifier: MIT */
#include "base/size.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* 10^MAX_FRACTION times 2^60 must fit in 128 bits. */
#define MAX_FRACTION 18

static const char units[] = "KMGTPE"; /* each 1024 times the one before */

/* "", "B", "K", "KB", "KiB" ... in any case; false when it is none of them. */
static bool parse_unit(const char *s, unsigned int *ret_shift)
{
	const char *unit = *s ? strchr(units, toupper((unsigned char)*s)) : NULL;

	*ret_shift = 0;
	if (unit) {
		*ret_shift = 10 * (unsigned int)(unit - units + 1);
		s++;
		if (strcasecmp(s, "iB") == 0)
			return true;
	}
	return *s == '\0' || strcasecmp(s, "B") == 0;
}

int base_size_parse(const char *text, uint64_t *ret_bytes, struct trn_error *err)
{
	unsigned __int128 bytes;
	uint64_t whole = 0, fraction = 0, scale = 1;
	unsigned int shift, digits = 0, nr_fraction = 0;
	bool overflow = false;
	const char *s = text;

	for (; isdigit((unsigned char)*s); s++, digits++)
		overflow |= __builtin_mul_overflow(whole, 10, &whole) ||
			    __builtin_add_overflow(whole, (uint64_t)(*s - '0'), &whole);
	if (digits && *s == '.') {
		for (s++; isdigit((unsigned char)*s) && nr_fraction < MAX_FRACTION; s++, nr_fraction++) {
			fraction = fraction * 10 + (uint64_t)(*s - '0');
			scale *= 10;
		}
		if (!nr_fraction)
			digits = 0;
	}
	if (digits && *s == ' ' && s[1])
		s++;
	if (!digits || !parse_unit(s, &shift) || (nr_fraction && !shift)) {
		trn_error_set(err, -EINVAL, "BadSize", "'%.64s' is not a size", text);
		trn_error_hint(err, "write a number with a unit, as in 512M or 1.5GiB");
		return -EINVAL;
	}

	bytes = ((unsigned __int128)whole << shift) + ((unsigned __int128)fraction << shift) / scale;
	if (overflow || bytes > UINT64_MAX) {
		trn_error_set(err, -ERANGE, "BadSize", "size '%.64s' does not fit in 64 bits", text);
		trn_error_hint(err, "the largest size is just below 16 EiB");
		return -ERANGE;
	}
	if (bytes == 0) {
		trn_error_set(err, -EINVAL, "BadSize", "size '%.64s' is less than one byte", text);
		trn_error_hint(err, "write a number with a unit, as in 512M or 1.5GiB");
		return -EINVAL;
	}
	*ret_bytes = (uint64_t)bytes;
	return 0;
}

const char *base_size_format(uint64_t bytes, char buf[BASE_SIZE_TEXT])
{
	unsigned int shift = 0, hundredths;
	uint64_t whole;

	while (shift < 60 && bytes >> shift >= 1024)
		shift += 10;
	if (!shift) {
		snprintf(buf, BASE_SIZE_TEXT, "%" PRIu64 " B", bytes);
		return buf;
	}

	/* Cut, not rounded: a size never reads as more than it is. */
	whole = bytes >> shift;
	hundredths = (unsigned int)(((bytes >> (shift - 10)) & 1023) * 100 / 1024);
	if (hundredths == 0)
		snprintf(buf, BASE_SIZE_TEXT, "%" PRIu64 " %ciB", whole, units[shift / 10 - 1]);
	else if (hundredths % 10 == 0)
		snprintf(buf, BASE_SIZE_TEXT, "%" PRIu64 ".%u %ciB", whole, hundredths / 10,
			 units[shift / 10 - 1]);
	else
		snprintf(buf, BASE_SIZE_TEXT, "%" PRIu64 ".%02u %ciB", whole, hundredths,
			 units[shift / 10 - 1]);
	return buf;
}

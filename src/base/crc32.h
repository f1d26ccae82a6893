/* SPDX-License-Identifier: MIT */
/* The CRC of Ethernet and zip (polynomial 0x04c11db7, reflected), eight bytes at a time. */
#ifndef BASE_CRC32_H
#define BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* crc: 0 at first, then what the call for the bytes before returned. */
uint32_t base_crc32(uint32_t crc, const void *data, size_t len);

#endif

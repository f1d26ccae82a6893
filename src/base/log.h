/* SPDX-License-Identifier: MIT */
/*
 * Log lines of processes, to stderr: "tranche-device: text".  Libraries log at debug only.
 * The level comes from the environment, TRANCHE_LOG=error|warning|info|debug (default warning).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "tranche/error.h"

enum base_log_level { BASE_LOG_ERROR, BASE_LOG_WARNING, BASE_LOG_INFO, BASE_LOG_DEBUG };

/* Once at the start of a process; reads TRANCHE_LOG. @program: static string. */
void base_log_init(const char *program);

/* printf format without newline; errno is kept. */
void base_log(enum base_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An error with its hint, one line each. */
void base_log_error(enum base_log_level level, const struct trn_error *err);

#define log_error(...) base_log(BASE_LOG_ERROR, __VA_ARGS__)
#define log_warning(...) base_log(BASE_LOG_WARNING, __VA_ARGS__)
#define log_info(...) base_log(BASE_LOG_INFO, __VA_ARGS__)
#define log_debug(...) base_log(BASE_LOG_DEBUG, __VA_ARGS__)

#endif

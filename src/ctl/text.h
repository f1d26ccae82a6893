/* SPDX-License-Identifier: MIT */
/* Values of the API for people.  Each writes into and returns buf; what is not there is an empty text. */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <jansson.h>

#define CTL_TEXT 128

const char *ctl_text_size(json_t *bytes, char buf[CTL_TEXT]);
const char *ctl_text_percent(json_t *percent, char buf[CTL_TEXT]);  /* 40 -> "40 %" */
const char *ctl_text_share(json_t *share, char buf[CTL_TEXT]);	    /* 0.4 -> "40.0 %" */
const char *ctl_text_duration(json_t *ns, char buf[CTL_TEXT]);	    /* "12.5 s", "3 min 20 s" */
const char *ctl_text_time(json_t *time, char buf[CTL_TEXT]);	    /* RFC 3339 -> here, "2026-01-02 03:04:05" */
const char *ctl_text_any(json_t *value, char buf[CTL_TEXT]);	    /* a string, a number, "yes" and "no" */
/* {"memory": .., "time": ..} -> "1 GiB, 30 %" */
const char *ctl_text_resources(json_t *resources, char buf[CTL_TEXT]);
/* Of an object's member. */
const char *ctl_text_of(json_t *o, const char *key);

#endif

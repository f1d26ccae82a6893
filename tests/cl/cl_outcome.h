/* SPDX-License-Identifier: MIT */
/*
 * For programs that print what calls answer, so that two drivers can be compared: one line a call, "call: arguments ->
 * answer".  Wrong arguments are combined with each other (EACH loops inside each other), so that the order in which a
 * driver looks at them shows, too.
 *
 * Nothing is checked here: run.py --compare does, line by line.  What would crash the native driver is left out, with
 * the reason at the place.
 */
#ifndef CL_OUTCOME_H
#define CL_OUTCOME_H

#include "cl_test.h"

struct named_size {
	const char *name;
	size_t value;
};

struct named_ptr {
	const char *name;
	void *value;
};

/* Objects of two contexts. */
struct outcome_world {
	const struct cl_env *env;
	cl_context other;
	cl_command_queue out_of_order, other_queue;
	cl_mem buffer, sub, image, host_read, host_write, no_host, other_buffer; /* buffers: 1024 bytes; sub: 256 at 256 */
	cl_event done, other_done; /* user events, complete */
	uint8_t *host;		   /* 4096 bytes */
};

void outcome_open(struct outcome_world *w, const struct cl_env *env);
void outcome_close(struct outcome_world *w);

/* Wait lists, right and wrong. */
struct outcome_waits {
	const char *name;
	cl_uint nr;
	const cl_event *list;
};

#define NR_WAITS 7
void outcome_waits(const struct outcome_world *w, struct outcome_waits table[NR_WAITS]);

/* Prints "call: arguments -> name of the code". */
void outcome(const char *call, cl_int code, const char *arguments, ...) __attribute__((format(printf, 3, 4)));
/* The same for calls that give an event; it is released. */
void outcome_event(const char *call, cl_int code, cl_event event, const char *arguments, ...)
	__attribute__((format(printf, 4, 5)));
/* The same for calls that create: object tells whether one came. */
void outcome_object(const char *call, cl_int code, const void *object, const char *arguments, ...)
	__attribute__((format(printf, 4, 5)));

/* What errcode_ret and events hold before a call. */
#define UNTOUCHED_CODE 4711
#define UNTOUCHED_EVENT ((cl_event)(uintptr_t)0x4711)

#define EACH(v, table)                                                                                  \
	for (size_t v##_nr_ = 0; v##_nr_ < COUNT_OF(table) && ((v) = &(table)[v##_nr_], true); v##_nr_++)

/*
 * An info query with sizes of all kinds: none, too small, exact, too large, no value, nothing at all.  Prints the size
 * and, if show, the value.  call: a statement expression with size_, value_ and ret_ in it.
 */
enum outcome_show { SHOW_SIZE, SHOW_VALUE, SHOW_TEXT, SHOW_NOTHING };
void outcome_info_line(const char *call, const char *param, const char *how, cl_int code, size_t ret, bool has_ret,
		       const uint8_t *value, size_t size);
void outcome_info_value(enum outcome_show show, const uint8_t *value, size_t size);

#define OUTCOME_INFO(call_name, param_name, show, call)                                                 \
	do {                                                                                            \
		size_t need_ = 0;                                                                       \
		uint8_t room_[16384];                                                                   \
		{                                                                                       \
			size_t size_ = 0, *ret_ = &need_;                                               \
			void *value_ = NULL;                                                            \
			cl_int code_ = (call);                                                          \
			if ((show) == SHOW_NOTHING && !code_)                                           \
				printf("%s: %s size query -> CL_SUCCESS\n", call_name, param_name);     \
			else                                                                            \
				outcome_info_line(call_name, param_name, "size query", code_, need_, true, NULL, 0); \
		}                                                                                       \
		if ((show) != SHOW_NOTHING)                                                             \
			for (int how_ = 0; how_ < 7; how_++) {                                          \
				static const char *const names_[] = { "exact", "too small", "too large",  \
								      "nothing", "size without value",    \
								      "value without size", "exact, no size asked" }; \
				size_t got_ = 4711, *ret_ = how_ == 3 || how_ == 6 ? NULL : &got_;        \
				size_t size_ = need_;                                                     \
				void *value_ = how_ == 3 || how_ == 4 ? NULL : room_;                     \
				if (need_ > sizeof(room_) - 64)                                           \
					break;                                                            \
				if (how_ == 1)                                                            \
					size_ = need_ ? need_ - 1 : 0;                                    \
				if (how_ == 2)                                                            \
					size_ = need_ + 8;                                                \
				if (how_ == 3 || how_ == 5)                                               \
					size_ = 0;                                                        \
				memset(room_, 0x5a, sizeof(room_));                                       \
				cl_int code_ = (call);                                                    \
				outcome_info_line(call_name, param_name, names_[how_], code_, got_,       \
						  ret_ != NULL, value_, need_);                           \
				if (how_ == 0 && !code_)                                                  \
					outcome_info_value(show, room_, need_);                           \
			}                                                                               \
	} while (0)

#endif

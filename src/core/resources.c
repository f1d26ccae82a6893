/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/size.h"
#include "core/core_priv.h"

const char *trn_resource_name(enum trn_resource resource)
{
	static const char *const names[TRN_NR_RESOURCES] = {
		[TRN_RESOURCE_MEMORY] = "memory",
		[TRN_RESOURCE_TIME] = "time",
		[TRN_RESOURCE_SESSIONS] = "sessions",
		[TRN_RESOURCE_UNITS] = "units",
	};

	return (unsigned int)resource < TRN_NR_RESOURCES ? names[resource] : "unknown";
}

void core_resources_add(struct trn_resources *to, const struct trn_resources *amount)
{
	for (int i = 0; i < TRN_NR_RESOURCES; i++)
		to->amount[i] += amount->amount[i];
}

void core_resources_sub(struct trn_resources *from, const struct trn_resources *amount)
{
	for (int i = 0; i < TRN_NR_RESOURCES; i++)
		from->amount[i] -= amount->amount[i];
}

static const char *format_amount(enum trn_resource resource, uint64_t amount, char buf[BASE_SIZE_TEXT])
{
	if (resource == TRN_RESOURCE_MEMORY)
		return base_size_format(amount, buf);
	if (resource == TRN_RESOURCE_TIME) {
		/* As people give it. */
		snprintf(buf, BASE_SIZE_TEXT, "%" PRIu64 ".%" PRIu64 " %%", amount / 10, amount % 10);
		return buf;
	}
	snprintf(buf, BASE_SIZE_TEXT, "%" PRIu64, amount);
	return buf;
}

/* The subtraction cannot wrap: used never exceeds capacity, because this is asked before anything is added. */
int core_resources_check_left(const struct trn_parent *parent, const struct trn_resources *want,
			      struct trn_error *err)
{
	for (int i = 0; i < TRN_NR_RESOURCES; i++) {
		uint64_t total = parent->capacity.amount[i];
		uint64_t left = total - parent->used.amount[i];
		char want_text[BASE_SIZE_TEXT], left_text[BASE_SIZE_TEXT], total_text[BASE_SIZE_TEXT];
		enum trn_resource resource = (enum trn_resource)i;

		if (want->amount[i] <= left)
			continue;
		return core_refuse(err, -EUSERS, "NoCapacity",
				   want->amount[i] > total ? "choose less, the parent can never hold this" :
							     "remove a device of this parent, or choose less",
				   "%s: %s needed, parent %s has %s of %s left", trn_resource_name(resource),
				   format_amount(resource, want->amount[i], want_text), parent->name,
				   format_amount(resource, left, left_text),
				   format_amount(resource, total, total_text));
	}
	return 0;
}

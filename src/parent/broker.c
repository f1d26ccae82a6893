/* SPDX-License-Identifier: MIT */
#include "parent/broker.h"

#include "base/cleanup.h"

int parent_broker_create(sd_event *event, struct parent_broker **ret)
{
	*ret = NULL;
	return 0;
}

void parent_broker_destroy(struct parent_broker *b)
{
}

/* Nothing is compiled for anybody yet: an executor whose socket is closed compiles itself. */
void parent_broker_open(struct parent_broker *b, int sock, int folder)
{
	base_close(sock);
	base_close(folder);
}

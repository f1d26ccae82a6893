/* SPDX-License-Identifier: MIT */
#include "executor/sampler.h"

#include <errno.h>

#define NR_MODES (CL_ADDRESS_MIRRORED_REPEAT - CL_ADDRESS_NONE + 1)
#define NR_FILTERS (CL_FILTER_LINEAR - CL_FILTER_NEAREST + 1)

_Static_assert(2 * NR_MODES * NR_FILTERS == EXEC_MAX_SAMPLERS, "each setting has its place");

int32_t exec_sampler_create(struct exec_context *c, const struct trnc_rec_sampler_create *r)
{
	/* Each number was checked by the decoder. */
	uint32_t at = (r->normalized * NR_MODES + r->addressing - CL_ADDRESS_NONE) * NR_FILTERS + r->filter -
		      CL_FILTER_NEAREST;
	cl_sampler *host = &c->host_samplers[at];
	cl_int err = CL_SUCCESS;
	int ret;

	if (!c->ex->host.CreateSampler || !c->ex->host.ReleaseSampler)
		return CL_INVALID_OPERATION;
	if (!*host)
		*host = c->ex->host.CreateSampler(c->host, r->normalized, r->addressing, r->filter, &err);
	if (!*host)
		return err ? err : CL_OUT_OF_RESOURCES;
	ret = base_handles_add(&c->samplers, r->sampler, host);
	if (ret < 0)
		return ret == -ENOMEM ? CL_OUT_OF_HOST_MEMORY : CL_INVALID_VALUE;
	return CL_SUCCESS;
}

int32_t exec_sampler_destroy(struct exec_context *c, uint64_t handle)
{
	return base_handles_remove(&c->samplers, handle) ? CL_SUCCESS : CL_INVALID_SAMPLER;
}

cl_sampler exec_sampler_get(struct exec_context *c, uint64_t handle)
{
	cl_sampler *host = base_handles_get(&c->samplers, handle);

	return host ? *host : NULL;
}

void exec_samplers_release_all(struct exec_context *c)
{
	for (uint32_t i = 0; i < EXEC_MAX_SAMPLERS; i++)
		if (c->host_samplers[i])
			c->ex->host.ReleaseSampler(c->host_samplers[i]);
	base_handles_finish(&c->samplers);
}

/* SPDX-License-Identifier: MIT */
/* What a driver gives is checked once, when it registers, so that nothing has to be checked later. */
#include <errno.h>
#include <string.h>

#include "core/core_priv.h"

#define MAX_NAME 63
#define MAX_TEXT 255

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

int core_check_text(const char *what, const char *text, struct trn_error *err)
{
	if (text && strlen(text) > MAX_TEXT)
		return core_refuse(err, -EINVAL, "TooLong", "choose a shorter one",
				   "%s '%.40s...' is longer than %d bytes", what, text, MAX_TEXT);
	return 0;
}

/* Names become names of files and words of sentences. */
static int check_name(const char *what, const char *name, const char *allowed, struct trn_error *err)
{
	if (!name || !*name || name[0] == '.' || strlen(name) > MAX_NAME || name[strspn(name, allowed)])
		return core_refuse(err, -EINVAL, "BadName", "tranche/mdev.h says which characters names may have",
				   "%s name '%.64s' is not valid", what, name ? name : "(none)");
	return 0;
}

static int refuse_ops(const struct trn_device_ops *ops, const char *why, struct trn_error *err)
{
	return core_refuse(err, -EINVAL, "BadDriver", "complete the table of calls as tranche/device.h describes",
			   "driver %s %s", ops->name, why);
}

static int check_ops(const struct trn_device_ops *ops, struct trn_error *err)
{
	int r;

	if (!ops)
		return core_refuse(err, -EINVAL, "BadDriver",
				   "complete the table of calls as tranche/device.h describes",
				   "the parent has no driver");
	r = check_name("driver", ops->name, ALNUM "_", err);
	if (r < 0)
		return r;
	r = check_name("device_api", ops->device_api, ALNUM "_-", err);
	if (r < 0)
		return r;
	if (!ops->init || !ops->release)
		return refuse_ops(ops, "lacks init or release", err);
	if (!ops->open != !ops->close)
		return refuse_ops(ops, "has one of open and close", err);
	if (!ops->region_info != !ops->region_rw)
		return refuse_ops(ops, "has one of region_info and region_rw", err);
	if (ops->region_fd && !ops->region_info)
		return refuse_ops(ops, "has region_fd without region_info", err);
	if (!ops->irq_info != !ops->set_irqs)
		return refuse_ops(ops, "has one of irq_info and set_irqs", err);
	if ((ops->region_areas || ops->region_ioeventfds || ops->caps) && !ops->region_info)
		return refuse_ops(ops, "has region_areas, region_ioeventfds or caps without region_info", err);
	if (ops->migration && (!(ops->migration->flags & TRN_MIG_CAN_STOP_COPY) || !ops->migration->get_state ||
			       !ops->migration->set_state || !ops->migration->read || !ops->migration->write ||
			       !ops->migration->sizes))
		return refuse_ops(ops, "has a table of migration calls that is not complete", err);
	if (ops->dma_log && (!ops->dma_log->start || !ops->dma_log->stop || !ops->dma_log->report))
		return refuse_ops(ops, "has a table of logging calls that is not complete", err);
	if (!ops->dma_map != !ops->dma_unmap)
		return refuse_ops(ops, "has one of dma_map and dma_unmap", err);
	return 0;
}

/* A table of the type's own is one of the same driver, whose name the type has. */
static int check_type_ops(const struct trn_type_desc *type, const struct trn_device_ops *parent_ops, struct trn_error *err)
{
	int r;

	if (!type->ops)
		return 0;
	r = check_ops(type->ops, err);
	if (r < 0)
		return r;
	if (strcmp(type->ops->name, parent_ops->name) != 0)
		return core_refuse(err, -EINVAL, "BadType", "give all tables of calls of a parent the name of its driver",
				   "type %s has calls of driver %s, its parent has those of %s", type->name, type->ops->name,
				   parent_ops->name);
	return 0;
}

static int check_type(const struct trn_type_desc *type, const struct trn_device_ops *parent_ops, struct trn_error *err)
{
	uint64_t any = 0;
	int r;

	r = check_name("type", type->name, ALNUM "_.-", err);
	if (r < 0)
		return r;
	r = check_type_ops(type, parent_ops, err);
	if (r < 0)
		return r;
	for (int i = 0; i < TRN_NR_RESOURCES; i++)
		any |= type->cost.amount[i];
	if (!any)
		return core_refuse(err, -EINVAL, "BadType", "let it cost at least one unit",
				   "type %s costs nothing, so it could be made without end", type->name);
	if (type->adjustable >> TRN_NR_RESOURCES)
		return core_refuse(err, -EINVAL, "BadType", "set bits of enum trn_resource only",
				   "type %s lets unknown resources be chosen", type->name);
	return 0;
}

int core_check_parent(const struct trn_parent_desc *desc, struct trn_error *err)
{
	int r;

	r = check_name("parent", desc->name, ALNUM "_.:+-", err);
	if (r < 0)
		return r;
	r = check_ops(desc->ops, err);
	if (r < 0)
		return r;
	if (!desc->types || !desc->nr_types)
		return core_refuse(err, -EINVAL, "BadType", "give at least one", "parent %s offers no type",
				   desc->name);
	for (size_t i = 0; i < desc->nr_types; i++) {
		r = check_type(&desc->types[i], desc->ops, err);
		if (r < 0)
			return r;
		for (size_t k = 0; k < i; k++)
			if (strcmp(desc->types[i].name, desc->types[k].name) == 0)
				return core_refuse(err, -EINVAL, "BadType", "give each type a name of its own",
						   "parent %s offers type %s twice", desc->name, desc->types[i].name);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* tranche reload */
#include "ctl/verbs.h"

static const struct ctl_option options[] = { { 0 } };

static int verb_reload(struct ctl *c)
{
	return ctl_post(c, api_path("/v1/reload", NULL), NULL, NULL);
}

const struct ctl_verb ctl_verb_reload = {
	.name = "reload",
	.words = "",
	.summary = "let tranched read its configuration and definitions anew",
	.options = options,
	.run = verb_reload,
};

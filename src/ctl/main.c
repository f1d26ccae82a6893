/* SPDX-License-Identifier: MIT */
/* tranche-ctl VERB ...: "tranche" runs it for the verbs that speak to tranched. */
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ctl/complete.h"
#include "ctl/verbs.h"

const struct ctl_verb *const ctl_verbs[] = {
	&ctl_verb_parents, &ctl_verb_types, &ctl_verb_define, &ctl_verb_undefine, &ctl_verb_modify, &ctl_verb_start, &ctl_verb_stop,
	&ctl_verb_list, &ctl_verb_show, &ctl_verb_schedule, &ctl_verb_top, &ctl_verb_events, &ctl_verb_doctor, &ctl_verb_attach,
	&ctl_verb_reload, NULL,
};

static int run(const struct ctl_verb *verb, int argc, char **argv)
{
	struct ctl c = { .verb = verb, .cancel_fd = -1 };
	int r = ctl_parse(&c, argc, argv);

	if (r < 0) {
		r = verb->run(&c);
		if (r < 0) {
			base_log_error(BASE_LOG_ERROR, &c.err);
			r = CLI_REFUSED;
		}
	}
	api_close(c.api);
	free(c.given);
	return r;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	setlocale(LC_ALL, "");
	/* Numbers are read and printed with a point. */
	setlocale(LC_NUMERIC, "C");
	base_log_init("tranche");
	if (!strcmp(name, "__complete"))
		return ctl_complete(argc - 2, argv + 2);
	if (!strcmp(name, "run"))
		return ctl_run(argc - 1, argv + 1);
	for (const struct ctl_verb *const *v = ctl_verbs; *v; v++)
		if (!strcmp((*v)->name, name))
			return run(*v, argc - 1, argv + 1);
	log_error("tranche-ctl has no verb \"%.60s\"; see tranche --help", name);
	return CLI_USAGE;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"

int ctl_flush(struct ctl *c)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return trn_error_set(&c->err, -EIO, "NotPrinted", "cannot write the output: %s", strerror(errno));
}

int ctl_print_json(struct ctl *c, json_t *value)
{
	if (json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY) < 0 || putchar('\n') == EOF)
		return trn_error_set(&c->err, -EIO, "NotPrinted", "cannot write the output: %s", strerror(errno));
	return ctl_flush(c);
}

/* SPDX-License-Identifier: MIT */
#include "executor/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "executor/build.h"
#include "executor/executor.h"
#include "executor/sandbox.h"
#include "executor/travel.h"
#include "executor/variant.h"
#include "tranche/wire/parent.h"

struct order {
	struct trnc_broker_compile head;
	const struct trnc_broker_variant *variants;
	struct exec_build_request request;
};

/* A private copy; it stays to the end of the process. */
static int read_order(struct order *ret, bool is_guest)
{
	struct stat st;
	size_t len, variants;
	uint8_t *bytes;

	if (fstat(TRNC_EXEC_FD, &st) < 0 || st.st_size < (off_t)sizeof(ret->head) || st.st_size > TRNC_MAX_BLOB)
		return -EINVAL;
	len = (size_t)st.st_size;
	bytes = malloc(len);
	if (!bytes || pread(TRNC_EXEC_FD, bytes, len, 0) != st.st_size) {
		free(bytes);
		return -EIO;
	}
	memcpy(&ret->head, bytes, sizeof(ret->head));
	variants = ret->head.nr_variants * sizeof(struct trnc_broker_variant);
	if (ret->head.nr_variants > TRNC_BROKER_MAX_VARIANTS || len - sizeof(ret->head) < variants)
		return -EINVAL;
	bytes += sizeof(ret->head);
	ret->variants = (const void *)bytes;
	return exec_build_parse(bytes + variants, len - sizeof(ret->head) - variants, is_guest, &ret->request);
}

static int write_reply(const struct base_blob *b)
{
	size_t done = 0;

	if (b->failed || ftruncate(TRNC_EXEC_FD, 0) < 0)
		return -EIO;
	while (done < b->len) {
		ssize_t n = pwrite(TRNC_EXEC_FD, b->data + done, b->len - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO;
		done += (size_t)n;
	}
	return 0;
}

/* What the host says while it compiles is in the log; what it prints is not for the user of this machine. */
static void close_output(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, STDOUT_FILENO);
	if (!getenv("TRANCHE_LOG"))
		dup2(null, STDERR_FILENO);
	base_close(null);
}

static int load(struct exec_host *h, const struct trnc_broker_compile *head, struct trn_error *err)
{
	/* Its number counts among what the executor has: loaders sort platforms by how many devices they show. */
	int r = exec_host_load(h, head->host_device, true, err);

	if (r < 0)
		return r;
	if (head->identity && head->identity != h->identity)
		return trn_error_set(err, -ENODEV, "AnotherDevice", "device %u is not what the program's executor has there",
				     head->host_device);
	if (head->device != TRNC_BROKER_QUICK)
		return 0;
	if (!h->quick)
		return trn_error_set(err, -ENODEV, "NoQuickDevice", "the host device has no quick one beside it");
	h->device = h->quick;
	return 0;
}

static int run(struct order *o)
{
	struct exec_kernel_table *table = NULL;
	struct base_blob reply = { 0 };
	struct exec_context *c = calloc(1, sizeof(*c));
	struct exec_program *p = calloc(1, sizeof(*p));
	struct executor *ex = calloc(1, sizeof(*ex));
	struct trn_error err = { 0 };
	cl_int cl_err;

	if (!c || !p || !ex || exec_sandbox_enter(getenv(TRNC_EXEC_GUEST) != NULL, &err) < 0 || load(&ex->host, &o->head, &err) < 0) {
		log_debug("compile helper: %s", err.text);
		return EXEC_HELPER_FAILED;
	}
	o->request.is_compiled = true;
	c->ex = ex;
	c->host = exec_host_create_context(&ex->host, &cl_err);
	if (!c->host)
		return EXEC_HELPER_FAILED;
	p->refs = 1;
	p->context = c;
	exec_build_run(c, p, &o->request, &reply, &table);
	if (write_reply(&reply) < 0)
		return EXEC_HELPER_FAILED;
	if (table)
		exec_variants_make(c, table, o->variants, o->head.nr_variants);
	return EXIT_SUCCESS;
}

void exec_helper_run(void)
{
	struct order o = { 0 };
	bool is_guest = getenv(TRNC_EXEC_GUEST) != NULL;
	struct exec_travel travel;
	struct trn_error err = { 0 };

	exec_sandbox_begin();
	setenv("TRANCHE_EXECUTOR", "1", 1);
	close_output();
	if (read_order(&o, is_guest) < 0)
		_exit(EXEC_HELPER_FAILED);
	if (is_guest ? exec_travel_begin(&travel, &o.request, &err) < 0 : o.request.cwd && chdir(o.request.cwd) < 0)
		log_debug("working folder of a build: %m");
	/* Without the libraries' farewells: the end is waited for.  Whoever waits removes what lies in the folder. */
	_exit(is_guest && !o.request.travel ? EXEC_HELPER_FAILED : run(&o));
}

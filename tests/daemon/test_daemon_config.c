/* SPDX-License-Identifier: MIT */
/* tranched.conf: defaults, each key, and sentences that name file, line, key and value. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config.h"
#include "unit.h"

static char path[] = "/tmp/tranche-config-XXXXXX";

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int load(const char *text, struct daemon_config *c, struct trn_error *err)
{
	write_file(text);
	*err = (struct trn_error){ 0 };
	return daemon_config_load(path, true, c, err);
}

static void test_all_keys(void **state)
{
	struct daemon_config c;
	struct trn_error err;

	assert_int_equal(load("[daemon]\nruntime-dir = /a/b\ndefinitions-dir=/c\nsocket-mode=0640\nadmin-group=wheel\n"
			      "others-read=no\nlisten=127.0.0.1:7330\nmax-connections=7\nfind-opencl=no\nstore=none\n"
			      "[parent cpu0]\nhost-device=1\nmemory=2G\npolicy=fixed\nslice=2.5\n"
			      "[parent mtty0]\ndriver=mtty\n", &c, &err), 0);
	assert_string_equal(c.runtime_dir, "/a/b");
	assert_string_equal(c.socket, "/a/b/api.sock");
	assert_string_equal(c.definitions_dir, "/c");
	assert_int_equal(c.socket_mode, 0640);
	assert_string_equal(c.admin_group, "wheel");
	assert_false(c.others_read);
	assert_string_equal(c.listen, "127.0.0.1:7330");
	assert_int_equal(c.max_connections, 7);
	assert_false(c.finds_opencl);
	assert_int_equal(c.nr_parents, 2);
	assert_true(c.parents[0].has_host_device && c.parents[0].has_policy);
	assert_int_equal(c.parents[0].host_device, 1);
	assert_int_equal(c.parents[0].memory, 2ull << 30);
	assert_int_equal(c.parents[0].policy, DAEMON_FIXED);
	assert_int_equal(c.parents[0].slice_us, 2500);
	assert_string_equal(c.parents[1].driver, "mtty");
	daemon_config_free(&c);
}

static void test_refusals_name_line_key_and_value(void **state)
{
	static const struct { const char *text, *says; } bad[] = {
		{ "[daemon]\nruntime-dir = a/b\n", ":2: runtime-dir cannot be \"a/b\"" },
		{ "[daemon]\n\nlisten = 0.0.0.0:80\n", ":3: listen cannot be \"0.0.0.0:80\"" },
		{ "[daemon]\nsocket-mode = 9\n", "socket-mode cannot be \"9\"" },
		{ "[daemon]\nothers-read = perhaps\n", "others-read cannot be \"perhaps\"" },
		{ "[daemon]\ncolour = red\n", "there is no key \"colour\"" },
		{ "[devil]\nx = 1\n", "section \"devil\"" },
		{ "[parent a]\nmemory = much\n", "memory cannot be \"much\"" },
		{ "[parent a]\npolicy = nice\n", "policy cannot be \"nice\"" },
		{ "[parent a]\nslice = 0.1\n", "slice cannot be \"0.1\"" },
		{ "[parent a]\nhost-device = -1\n", "host-device cannot be \"-1\"" },
		{ "[daemon]\nnonsense\n", ":2: " },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct daemon_config c = { .max_connections = 4711 };
		struct trn_error err;

		assert_int_equal(load(bad[i].text, &c, &err), -EINVAL);
		assert_int_equal(c.max_connections, 4711);
		if (!strstr(err.text, bad[i].says))
			fail_msg("\"%s\" does not say %s", err.text, bad[i].says);
		assert_true(err.hint[0]);
	}
}

static void test_unreadable_and_missing(void **state)
{
	struct daemon_config c;
	struct trn_error err = { 0 };

	assert_int_equal(daemon_config_load("/nonexistent/x", true, &c, &err), -ENOENT);
	assert_true(strstr(err.text, "/nonexistent/x"));
	err = (struct trn_error){ 0 };
	assert_int_equal(daemon_config_load("/", true, &c, &err), -EISDIR);
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	setenv("XDG_RUNTIME_DIR", "/run/user/4711", 1);
	assert_int_equal(daemon_config_load(NULL, true, &c, NULL), 0);
	assert_null(c.file);
	assert_string_equal(c.socket, "/run/user/4711/tranche/api.sock");
	assert_string_equal(c.definitions_dir, "/nonexistent/tranche/devices");
	assert_int_equal(c.socket_mode, 0600);
	daemon_config_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_refusals_name_line_key_and_value),
		cmocka_unit_test(test_unreadable_and_missing),
	};
	int fd = mkstemp(path);
	int r;

	close(fd);
	r = unit_run(tests);
	unlink(path);
	return r;
}

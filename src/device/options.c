/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "device/config.h"
#include "device/options.h"

/* Of a guest's address space; a CPU of today has no more than the upper one to spare. */
#define MIN_APERTURE (16ull << 20)
#define MAX_APERTURE (16ull << 40)

static void print_help(void)
{
	printf("tranche-device OPTION...\n\n"
	       "Serves one virtual device: a compute device to programs, on a socket of its own (as \"tranche run\" starts it),\n"
	       "or a compute device or another PCI device to a virtual machine, over vfio-user.\n\n"
	       "      --parent DRIVER       parent driver (default: compute)\n"
	       "      --type TYPE           type of the device, with or without the driver's name (default: the first)\n"
	       "      --list                show drivers, types and driver options\n"
	       "  -o, --option KEY=VALUE    option of the driver\n"
	       "      --json                with --list: as JSON\n"
	       "      --uuid UUID           of the device (for virtual machines: a random one when missing)\n"
	       "      --memory SIZE         quota (default: the type's, or the host device's memory)\n"
	       "      --socket-path PATH    socket to make and listen on (for virtual machines: UUID.sock in\n"
	       "                            $XDG_RUNTIME_DIR/tranche, or for root in /run/tranche, when missing)\n"
	       "      --fd N                socket that already listens\n"
	       "      --owner UID           user who may connect, besides root and the user that runs this\n\n"
	       "For those who look after it:\n"
	       "      --start-file FILE     first of all: FILE holds arguments, one a line\n"
	       "      --lock FILE           hold a lock on FILE, or do not start\n"
	       "      --ended FILE          write there why it ended\n"
	       "      --control-socket PATH socket to make for tranched\n"
	       "      --unconfirmed         end unless somebody confirms the device there\n\n"
	       "For compute devices:\n"
	       "      --host-device N       number of the host's OpenCL device (default: 0)\n"
	       "      --time N              thousandths of the host device's time that are promised (default: 0, none)\n"
	       "      --parent-socket PATH  tranche-parent that serves all devices of the host device; it starts the executors\n"
	       "      --behind SIZE|none    memory that an executor may have beside buffers (default: 1 GiB and a quarter of the quota)\n"
	       "      --control-fd N        socket of \"tranche run\" (not for virtual machines)\n"
	       "      --aperture SIZE       memory that a virtual machine sees of the device, a power of two (compute-pci only;\n"
	       "                            default: chosen by the quota)\n"
	       "      --runtime-dir DIR     existing private folder for sessions (default: the folder of the control socket,\n"
	       "                            else of the socket; compute-pci: else UUID beside the socket, which is made)\n"
	       "      --executor PATH       the executor's program (default: the one that belongs to this one)\n"
	       "      --no-quick            short kernels run on the host's workers, like all others\n"
	       "      --no-fork-server      start each executor by itself: slower, but each has a random address layout of its own\n"
	       "      --fork-server PATH    the fork server's program (default: the one that belongs to this one; none with --executor)\n"
	       "      --store DIR|none      where compiled programs are kept (default: $TRANCHE_STORE, see tranche-parent(8))\n"
	       "      --spare N             executors that the fork server keeps ready, 0 or 1\n"
	       "                            (default: 1; with --executor or --parent-socket 0)\n\n"
	       "  -h, --help                show this text\n"
	       "  -V, --version             show the version\n");
}

static int parse_number(const char *name, const char *text, long max, long *ret, struct trn_error *err)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < 0 || n > max)
		return trn_error_set(err, -EINVAL, "BadOption", "--%s wants a number from 0 to %ld, not \"%.60s\"", name,
				     max, text);
	*ret = n;
	return 0;
}

static int add_key(struct device_options *o, const char *text, struct trn_error *err)
{
	const char *equal = strchr(text, '=');
	struct device_option *key = &o->keys[o->nr_keys];

	if (!equal || equal == text || (size_t)(equal - text) >= sizeof(key->key)) {
		trn_error_set(err, -EINVAL, "BadOption", "-o wants KEY=VALUE, not \"%.60s\"", text);
		return trn_error_hint(err, "tranche-device --list shows the keys of each driver");
	}
	if (o->nr_keys == DEVICE_MAX_KEYS)
		return trn_error_set(err, -EINVAL, "BadOption", "-o can be given %d times", DEVICE_MAX_KEYS);
	snprintf(key->key, sizeof(key->key), "%.*s", (int)(equal - text), text);
	key->value = equal + 1;
	o->nr_keys++;
	return 0;
}

static int parse_behind(const char *text, struct device_options *o, struct trn_error *err)
{
	o->has_behind = true;
	return strcmp(text, "none") ? base_size_parse(text, &o->behind, err) : 0;
}

static int parse_aperture(const char *text, struct device_options *o, struct trn_error *err)
{
	int r = base_size_parse(text, &o->aperture, err);

	o->has_aperture = true;
	if (r < 0 || (o->aperture >= MIN_APERTURE && o->aperture <= MAX_APERTURE && !(o->aperture & (o->aperture - 1))))
		return r;
	trn_error_set(err, -EINVAL, "BadOption", "--aperture %.60s is no power of two from 16 MiB to 16 TiB", text);
	return trn_error_hint(err, "leave it out: what suits the quota is chosen");
}

static int check(const struct device_options *o, struct trn_error *err)
{
	if (o->is_unconfirmed && !o->control_socket)
		return trn_error_set(err, -EINVAL, "BadOption", "--unconfirmed needs --control-socket");
	if (o->is_json && !o->is_list)
		return trn_error_set(err, -EINVAL, "BadOption", "--json is for --list");
	if (o->fd >= 0 && o->socket_path)
		return trn_error_set(err, -EINVAL, "BadOption", "one of --fd and --socket-path is enough");
	return 0;
}

enum {
	OPT_PARENT = 256,
	OPT_TYPE,
	OPT_LIST,
	OPT_UUID,
	OPT_MEMORY,
	OPT_HOST_DEVICE,
	OPT_SOCKET,
	OPT_FD,
	OPT_CONTROL,
	OPT_DIR,
	OPT_EXECUTOR,
	OPT_FORK_SERVER,
	OPT_NO_FORK_SERVER,
	OPT_NO_QUICK,
	OPT_SPARE,
	OPT_STORE,
	OPT_JSON,
	OPT_OWNER,
	OPT_START_FILE,
	OPT_LOCK,
	OPT_ENDED,
	OPT_CONTROL_SOCKET,
	OPT_UNCONFIRMED,
	OPT_TIME,
	OPT_PARENT_SOCKET,
	OPT_BEHIND,
	OPT_APERTURE,
};

int device_options_parse(int argc, char **argv, struct device_options *ret, struct trn_error *err)
{
	static const struct option options[] = {
		{ "parent", required_argument, NULL, OPT_PARENT },
		{ "type", required_argument, NULL, OPT_TYPE },
		{ "option", required_argument, NULL, 'o' },
		{ "list", no_argument, NULL, OPT_LIST },
		{ "uuid", required_argument, NULL, OPT_UUID },
		{ "memory", required_argument, NULL, OPT_MEMORY },
		{ "host-device", required_argument, NULL, OPT_HOST_DEVICE },
		{ "socket-path", required_argument, NULL, OPT_SOCKET },
		{ "fd", required_argument, NULL, OPT_FD },
		{ "control-fd", required_argument, NULL, OPT_CONTROL },
		{ "runtime-dir", required_argument, NULL, OPT_DIR },
		{ "executor", required_argument, NULL, OPT_EXECUTOR },
		{ "fork-server", required_argument, NULL, OPT_FORK_SERVER },
		{ "no-fork-server", no_argument, NULL, OPT_NO_FORK_SERVER },
		{ "no-quick", no_argument, NULL, OPT_NO_QUICK },
		{ "store", required_argument, NULL, OPT_STORE },
		{ "spare", required_argument, NULL, OPT_SPARE },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "owner", required_argument, NULL, OPT_OWNER },
		{ "start-file", required_argument, NULL, OPT_START_FILE },
		{ "lock", required_argument, NULL, OPT_LOCK },
		{ "ended", required_argument, NULL, OPT_ENDED },
		{ "control-socket", required_argument, NULL, OPT_CONTROL_SOCKET },
		{ "unconfirmed", no_argument, NULL, OPT_UNCONFIRMED },
		{ "time", required_argument, NULL, OPT_TIME },
		{ "parent-socket", required_argument, NULL, OPT_PARENT_SOCKET },
		{ "behind", required_argument, NULL, OPT_BEHIND },
		{ "aperture", required_argument, NULL, OPT_APERTURE },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct device_options o = { .parent = "compute", .fd = -1, .control_fd = -1, .spare = -1 };
	long n = 0;
	int c, r = 0;

	opterr = 0;
	while (!r && (c = getopt_long(argc, argv, ":ho:V", options, NULL)) != -1) {
		switch (c) {
		case OPT_PARENT:
			o.parent = optarg;
			break;
		case OPT_TYPE:
			o.type = optarg;
			break;
		case 'o':
			r = add_key(&o, optarg, err);
			break;
		case OPT_LIST:
			o.is_list = true;
			break;
		case OPT_UUID:
			o.uuid = optarg;
			break;
		case OPT_MEMORY:
			r = strcmp(optarg, "0") ? base_size_parse(optarg, &o.memory, err) : 0;
			break;
		case OPT_HOST_DEVICE:
			r = parse_number("host-device", optarg, 1023, &n, err);
			o.host_device = (uint32_t)n;
			o.has_host_device = true;
			break;
		case OPT_SOCKET:
			o.socket_path = optarg;
			break;
		case OPT_FD:
			r = parse_number("fd", optarg, 1 << 20, &n, err);
			o.fd = (int)n;
			break;
		case OPT_CONTROL:
			r = parse_number("control-fd", optarg, 1 << 20, &n, err);
			o.control_fd = (int)n;
			break;
		case OPT_DIR:
			o.runtime_dir = optarg;
			break;
		case OPT_EXECUTOR:
			o.executor = optarg;
			break;
		case OPT_FORK_SERVER:
			o.fork_server = optarg;
			break;
		case OPT_NO_FORK_SERVER:
			o.no_fork_server = true;
			break;
		case OPT_NO_QUICK:
			o.no_quick = true;
			break;
		case OPT_STORE:
			o.store = optarg;
			break;
		case OPT_SPARE:
			r = parse_number("spare", optarg, 1, &n, err);
			o.spare = (int)n;
			break;
		case OPT_JSON:
			o.is_json = true;
			break;
		case OPT_OWNER:
			r = parse_number("owner", optarg, UINT32_MAX - 1l, &n, err);
			o.owner = (uid_t)n;
			o.has_owner = true;
			break;
		case OPT_START_FILE:
			r = trn_error_set(err, -EINVAL, "BadOption", "--start-file has to be the first argument");
			break;
		case OPT_LOCK:
			o.lock = optarg;
			break;
		case OPT_ENDED:
			o.ended = optarg;
			break;
		case OPT_CONTROL_SOCKET:
			o.control_socket = optarg;
			break;
		case OPT_UNCONFIRMED:
			o.is_unconfirmed = true;
			break;
		case OPT_TIME:
			r = parse_number("time", optarg, 1000, &n, err);
			o.time = (uint32_t)n;
			break;
		case OPT_PARENT_SOCKET:
			o.parent_socket = optarg;
			break;
		case OPT_BEHIND:
			r = parse_behind(optarg, &o, err);
			break;
		case OPT_APERTURE:
			r = parse_aperture(optarg, &o, err);
			break;
		case 'h':
			print_help();
			return 1;
		case 'V':
			printf("tranche-device %s\n", TRANCHE_VERSION);
			return 1;
		default:
			r = trn_error_set(err, -EINVAL, "BadOption", "%s %.60s; see tranche-device --help",
					  c == ':' ? "a value is missing for" : "unknown option", argv[optind - 1]);
		}
	}
	if (!r && optind < argc)
		r = trn_error_set(err, -EINVAL, "BadOption", "\"%.60s\" is not an option", argv[optind]);
	if (!r)
		r = check(&o, err);
	*ret = o;
	return r;
}

/* SPDX-License-Identifier: MIT */
#include "cli/vfio_user.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/socket.h"
#include "tranche/wire/compute_pci.h"
#include "tranche/wire/vfio_user.h"

#define ANSWER_S 5
#define ID 0x5452 /* any */
#define CONFIG_REGION 7 /* VFIO_PCI_CONFIG_REGION_INDEX */
#define MAX_REPLY 4096u

struct hello {
	struct vfu_header header;
	struct vfu_version version;
	char json[20]; /* with its NUL */
};

/* The beginning of a PCI device's configuration space, as far as it names the device. */
struct config {
	__le16 vendor, device;
	__u8 others[40];
	__le16 subsystem_vendor, subsystem;
};

struct read_config {
	struct vfu_header header;
	struct vfu_region_access access;
};

/* What somebody who listens but gives no good answer may be. */
static int refuse(const char *path, int code, const char *what, struct trn_error *err)
{
	trn_error_set(err, code, "NotAServer", "%s %s", path, what);
	return trn_error_hint(err, code == -EBUSY ? "end the other client first, or give the arguments with --no-check" :
						    "give the UUID or the socket of a PCI device that tranche-device serves");
}

/* Whether it arrives is seen by the answer. */
static void send_hello(int sock)
{
	static const struct hello hello = {
		.header = { .id = ID, .command = VFU_VERSION, .size = sizeof(hello) },
		.version = { VFU_MAJOR, VFU_MINOR },
		.json = "{\"capabilities\":{}}",
	};

	(void)send(sock, &hello, sizeof(hello), MSG_NOSIGNAL);
}

static int read_answer(int sock, const char *path, uint32_t *ret_size, struct trn_error *err)
{
	struct vfu_header h;
	ssize_t n = recv(sock, &h, sizeof(h), MSG_WAITALL);

	*ret_size = n == sizeof(h) ? h.size : 0;
	if (n < 0 && errno == EAGAIN)
		return refuse(path, -ETIMEDOUT, "does not answer", err);
	if (n <= 0)
		return refuse(path, -EBUSY, "lets nobody in now: the device is in use, or about to end", err);
	if (n < (ssize_t)sizeof(h) || h.id != ID || h.command != VFU_VERSION || (h.flags & VFU_FLAG_TYPE_MASK) != VFU_FLAG_REPLY)
		return refuse(path, -EPROTO, "does not speak vfio-user", err);
	if (!(h.flags & VFU_FLAG_ERROR))
		return 0;
	if (h.error == EBUSY || h.error == EUSERS)
		return refuse(path, -EBUSY, "has a client already", err);
	trn_error_set(err, -EPROTO, "Refused", "%s refuses: %s", path, strerror((int)h.error));
	return trn_error_hint(err, "the log of its tranche-device may say more (TRANCHE_LOG=debug)");
}

/* What follows the header. */
static bool skip(int sock, uint32_t size)
{
	char rest[MAX_REPLY];
	size_t len = size - sizeof(struct vfu_header);

	return size >= sizeof(struct vfu_header) && len <= sizeof(rest) && recv(sock, rest, len, MSG_WAITALL) == (ssize_t)len;
}

/* A server that does not tell serves some other device. */
static bool is_compute(int sock, uint32_t version_size)
{
	const struct read_config ask = {
		.header = { .id = ID + 1, .command = VFU_REGION_READ, .size = sizeof(ask) },
		.access = { .region = CONFIG_REGION, .count = sizeof(struct config) },
	};
	struct {
		struct read_config head;
		struct config config;
	} reply;
	const struct config *c = &reply.config;

	if (!skip(sock, version_size) || send(sock, &ask, sizeof(ask), MSG_NOSIGNAL) != sizeof(ask) ||
	    recv(sock, &reply, sizeof(reply), MSG_WAITALL) != sizeof(reply))
		return false;
	if (reply.head.header.id != ID + 1 || reply.head.header.size != sizeof(reply) || (reply.head.header.flags & VFU_FLAG_ERROR))
		return false;
	return le16toh(c->vendor) == TRNC_PCI_VENDOR && le16toh(c->device) == TRNC_PCI_DEVICE &&
	       le16toh(c->subsystem_vendor) == TRNC_PCI_SUBSYSTEM_VENDOR && le16toh(c->subsystem) == TRNC_PCI_SUBSYSTEM;
}

/* The server closes when the device is free again: who starts the virtual machine next finds it so. */
static void leave(int sock)
{
	char rest[512];

	shutdown(sock, SHUT_WR);
	while (read(sock, rest, sizeof(rest)) > 0)
		;
}

int vfio_user_check(const char *path, bool *ret_is_compute, struct trn_error *err)
{
	const struct timeval limit = { .tv_sec = ANSWER_S };
	_cleanup_close_ int sock = base_socket_connect_stream(path, err);
	uint32_t size = 0;
	int r;

	if (sock == -EPROTOTYPE) {
		*err = (struct trn_error){ 0 };
		return refuse(path, -EPROTO, "is a socket of another kind, as a compute device for programs has", err);
	}
	if (sock < 0)
		return sock;
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	send_hello(sock);
	r = read_answer(sock, path, &size, err);
	if (r < 0)
		return r;
	*ret_is_compute = is_compute(sock, size);
	leave(sock);
	return 0;
}

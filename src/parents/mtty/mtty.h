/* SPDX-License-Identifier: MIT */
/*
 * The serial card: a PCI device 4348:3253 with one or two 16550A ports, each an I/O BAR of 8 bytes, driven by the stock
 * driver 8250_pci.  A parent has 24 ports, from which devices of the types "1" and "2" are cut.
 *
 * Data goes as fast as guest and peer take it, whatever divisor the guest has chosen.  The divisor only gives the length
 * of the receive time-out.  No byte is lost on the way: a line is not read while the port has no room, and the guest
 * is told that its transmitter is busy while the peer takes nothing.  What a guest sends while nobody is at the
 * other end is lost, as on a cable that is not plugged in.
 *
 * A peer at a terminal or socket is heard while the guest asserts RTS, and meanwhile waits, as with hardware flow control;
 * CTS, DSR and DCD tell the guest that a peer is there.  The guest's baud rate and format do not reach the peer.
 */
#ifndef PARENTS_MTTY_H
#define PARENTS_MTTY_H

#include <systemd/sd-event.h>

#include "tranche/mdev.h"

#define MTTY_MAX_PORTS 2u     /* of a device */
#define MTTY_PARENT_PORTS 24u /* of a parent */

enum mtty_line_kind {
	MTTY_LINE_LOOP,	  /* a null-modem plug: sent bytes come back, RTS is wired to CTS, DTR to DSR and DCD */
	MTTY_LINE_PTY,	  /* a pseudo-terminal in raw mode */
	MTTY_LINE_SOCKET, /* a Unix stream socket that listens; one peer at a time, others wait */
};

/**
 * struct mtty_line_config - what is at the other end of a port
 * @kind: zeroed: LOOP
 * @path: SOCKET: where it listens, mandatory; a file that is there is an error. PTY: a symbolic link to the terminal is
 *        made there, which takes the place of an older link; NULL: none. Removed with the device
 */
struct mtty_line_config {
	enum mtty_line_kind kind;
	const char *path;
};

/**
 * struct mtty_config - what all devices of a parent share; must stay valid until the parent is released
 * @event: the loop that waits for lines; not NULL. Devices are made and released by the thread that runs it
 * @lines: by port of a device
 */
struct mtty_config {
	sd_event *event;
	struct mtty_line_config lines[MTTY_MAX_PORTS];
};

/* Registers the parent. The results are those of trn_parent_register(). */
int mtty_parent_register(struct trn_core *core, const char *name, const struct mtty_config *config,
			 struct trn_parent **ret, struct trn_error *err);

/*
 * The name under which people reach a port: "/dev/pts/3", the path of the socket, or "loop".  The device is one that
 * mtty_init() made.  Return: string, valid as long as the device; NULL: no such port.
 */
const char *mtty_line_name(const struct trn_device *dev, unsigned int port);

/*
 * The init and release calls, for the table of a variant driver, whose other calls are trn_pci_op_* or its own.  The private
 * pointer of its parent is a struct mtty_config, and a device has as many ports as it has taken units.
 */
int mtty_init(struct trn_device *dev, struct trn_error *err);
void mtty_release(struct trn_device *dev);

#endif

/* SPDX-License-Identifier: MIT */
/* Text that kernels printed, on its way to the program's standard output. client_output_enable() is in client.h. */
#ifndef CLIENT_OUTPUT_H
#define CLIENT_OUTPUT_H

#include "client/session.h"

/* Writes out what is there. Nothing happens when no program prints. */
void client_output_drain(struct client_session *s);
/* Before the session ends: writes out the rest, ends the thread, gives the memory up. */
void client_output_stop(struct client_session *s);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: packets on a device process's control socket, from several connections, while the device is used and let go.
 *
 * An input is a list of steps: a byte that says what (its lower two bits: which connection), a length, and so many bytes:
 *   0..3 of the upper bits: a packet, whose length field is put right unless the step's bit 7 is set
 *   4: somebody begins to use the device    5: that ends    6: the connection closes, and another one takes its place
 * Each request has one answer at most; when all is over nothing waits and nobody holds the device.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "device/control_priv.h"
#include "parents/null/null.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NR_CONNS 3
#define UUID "10000000-2000-4000-8000-000000000001"

static struct world {
	struct device_process process;
	struct device_control_server server;
	struct control_conn conns[NR_CONNS];
	struct trn_use *use;
	unsigned int nr_requests, nr_answers, nr_stops;
} w;

/* ------------------------------------------------- what is around it */

void control_reply(struct control_conn *c, uint32_t type, uint64_t id, const void *body, size_t len)
{
	if (c < w.conns || c >= w.conns + NR_CONNS || len > TRNC_MSG_MAX - sizeof(struct trnc_msg) || !(type & TRNC_MSG_REPLY))
		abort();
	for (size_t i = 0; i < len; i++) /* all of it is there */
		w.process.reserve ^= ((const volatile uint8_t *)body)[i];
	w.nr_answers++;
}

void control_refuse(struct control_conn *c, uint32_t type, uint64_t id, const struct trn_error *err)
{
	if (c < w.conns || c >= w.conns + NR_CONNS || !err->code || !err->name || !err->text[0])
		abort();
	w.nr_answers++;
}

void control_tell_changed(struct device_control_server *cs)
{
}

void device_process_set_why(struct device_process *p, int code, const char *name, const char *fmt, ...)
{
}

void device_process_stop(struct device_process *p)
{
	p->is_stopping = true;
	w.nr_stops++;
}

void device_process_limit_end(struct device_process *p)
{
}

void device_process_remove_socket(struct device_process *p)
{
}

void device_process_get_stats(const struct device_process *p, struct trnc_control_stats *ret)
{
	*ret = (struct trnc_control_stats){ 0 };
}

static void let_go(void)
{
	if (w.use)
		trn_use_close(w.use);
	w.use = NULL;
	control_leave_check(&w.server);
}

static void force(struct device_process *p)
{
	if (w.use)
		trn_use_close(w.use);
	w.use = NULL;
}

static void set(struct device_process *p, const struct trn_resources *want, device_set_done done, void *data)
{
	struct trn_error err = { 0 };

	if (want->amount[TRN_RESOURCE_TIME] > 1000)
		abort();
	done(data, trn_device_adjust(p->dev, want, &err) < 0 ? &err : NULL);
}

static const struct device_service service = { .force = force, .set = set };

/* ------------------------------------------------------------ a world */

static void make(void)
{
	const struct trn_create_params params = { .uuid = UUID };
	struct device_process *p = &w.process;

	memset(&w, 0, sizeof(w));
	p->service = &service;
	memcpy(p->boot_id, UUID, sizeof(UUID));
	p->core = trn_core_create();
	if (sd_event_new(&p->event) < 0 || !p->core || null_parent_register(p->core, "null", 4, &p->parent, NULL) < 0 ||
	    trn_device_create(trn_type_find(p->parent, "null-small"), &params, &p->dev, NULL) < 0)
		abort();
	w.server.process = p;
	w.server.is_confirmed = true;
	base_list_init(&w.server.conns);
	for (int i = 0; i < NR_CONNS; i++)
		w.conns[i].server = &w.server;
}

static void unmake(void)
{
	struct device_process *p = &w.process;

	for (int i = 0; i < NR_CONNS; i++)
		control_leave_forget(&w.conns[i]);
	if (w.server.holder)
		abort();
	let_go();
	control_leave_end(&w.server);
	if (w.server.leave.type || w.server.leave.ask || w.server.leave.limit || w.nr_answers > w.nr_requests)
		abort();
	if (!p->is_stopping && trn_device_remove(p->dev, NULL, NULL) < 0)
		abort();
	trn_device_unref(p->dev);
	if (trn_parent_unregister(p->parent, NULL, NULL) < 0)
		abort();
	trn_parent_unref(p->parent);
	trn_core_destroy(p->core);
	sd_event_unref(p->event);
}

/* -------------------------------------------------------------- steps */

static void send_packet(struct control_conn *c, const uint8_t *data, size_t len, bool is_raw)
{
	struct trnc_msg m = { 0 };
	uint8_t *packet = malloc(len ? len : 1); /* of that size: what is read beyond is seen */

	if (!packet)
		return;
	memcpy(packet, data, len);
	if (len >= sizeof(m) && !is_raw) {
		memcpy(&m, packet, sizeof(m));
		m.len = (uint32_t)len;
		memcpy(packet, &m, sizeof(m));
	}
	w.nr_requests++;
	control_handle_packet(c, packet, len);
	free(packet);
}

static void step(uint8_t what, const uint8_t *data, size_t len)
{
	struct control_conn *c = &w.conns[(what & 3) % NR_CONNS];

	switch (what >> 2 & 7) {
	case 4:
		if (!w.use)
			(void)trn_device_open(w.process.dev, "program 1", NULL, &w.use, NULL);
		break;
	case 5: let_go(); break;
	case 6:
		control_leave_forget(c);
		if (w.server.setter == c)
			w.server.setter = NULL;
		break;
	default: send_packet(c, data, len, what & 0x80);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	make();
	for (size_t at = 0; at + 2 <= size && !w.process.is_stopping;) {
		size_t len = data[at + 1];

		if (len > size - at - 2)
			len = size - at - 2;
		step(data[at], data + at + 2, len);
		at += 2 + len;
	}
	unmake();
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

static const char *const names[FAULT_NR_FIELDS] = {
	[FAULT_REGISTER] = "reg",	  [FAULT_SESSION] = "session",	 [FAULT_RESERVED] = "reserved", [FAULT_TYPE] = "type",
	[FAULT_LEN] = "len",		  [FAULT_ID] = "id",		 [FAULT_STATUS] = "status",	[FAULT_FLAGS] = "flags",
	[FAULT_BODY] = "body",		  [FAULT_FILL] = "fill",	 [FAULT_PRODUCER] = "producer", [FAULT_DROP] = "drop",
	[FAULT_TWICE] = "twice",	  [FAULT_KEEP] = "keep",
};

uint64_t fault_random(uint64_t *rng)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return *rng * 0x2545f4914f6cdd1dull;
}

uint64_t fault_odd_number(uint64_t *rng)
{
	uint64_t shift = fault_random(rng) % 64, kind = fault_random(rng) % 6;

	if (kind == 0)
		return fault_random(rng);
	if (kind == 1)
		return fault_random(rng) % 70;
	if (kind == 2)
		return UINT64_MAX - fault_random(rng) % 3;
	if (kind == 3)
		return UINT32_MAX - fault_random(rng) % 3;
	return (1ull << shift) + fault_random(rng) % 3 - 1;
}

static uint64_t apply(struct fault *t, const struct fault_value *v, uint64_t old)
{
	switch (v->how) {
	case FAULT_ADD:
		return old + v->value;
	case FAULT_RANDOM:
		return fault_odd_number(&t->rng);
	case FAULT_SET:
	default:
		return v->value;
	}
}

/* Does it strike now? */
static bool is_due(struct fault_rule *r)
{
	if (r->skip) {
		r->skip--;
		return false;
	}
	if (!r->times)
		return false;
	if (r->times != UINT32_MAX)
		r->times--;
	return true;
}

uint32_t fault_register(struct fake *f, uint32_t at, uint32_t value)
{
	struct fault *t = &f->fault;

	if (atomic_load(&t->ones))
		return UINT32_MAX;
	pthread_mutex_lock(&t->lock);
	for (uint32_t i = 0; i < FAULT_RULES; i++) {
		struct fault_rule *r = &t->rules[i];

		if (r->is_used && r->field == FAULT_REGISTER && r->at == at && is_due(r))
			value = (uint32_t)apply(t, &r->value, value);
	}
	pthread_mutex_unlock(&t->lock);
	return value;
}

static void change32(struct fault *t, const struct fault_value *v, __le32 *field)
{
	*field = (uint32_t)apply(t, v, *field);
}

static void change_body(struct fault *t, const struct fault_rule *r, struct trnc_control_slot *slot)
{
	uint64_t word;

	if (r->field == FAULT_FILL) {
		for (size_t i = 0; i < sizeof(slot->body); i++)
			slot->body[i] = (uint8_t)(r->value.how == FAULT_RANDOM ? fault_random(&t->rng) : r->value.value);
	} else if (r->at <= sizeof(slot->body) - sizeof(word)) {
		memcpy(&word, slot->body + r->at, sizeof(word));
		word = apply(t, &r->value, word);
		memcpy(slot->body + r->at, &word, sizeof(word));
	}
}

/* Return: how often the reply is sent, of before. */
static unsigned int change(struct fault *t, const struct fault_rule *r, struct trnc_control_slot *slot, struct fault_value *producer,
			   unsigned int before)
{
	switch (r->field) {
	case FAULT_SESSION:
		change32(t, &r->value, &slot->session);
		break;
	case FAULT_RESERVED:
		change32(t, &r->value, &slot->reserved);
		break;
	case FAULT_TYPE:
		change32(t, &r->value, &slot->msg.type);
		break;
	case FAULT_LEN:
		change32(t, &r->value, &slot->msg.len);
		break;
	case FAULT_ID:
		slot->msg.id = apply(t, &r->value, slot->msg.id);
		break;
	case FAULT_STATUS:
		change32(t, &r->value, &slot->msg.status);
		break;
	case FAULT_FLAGS:
		change32(t, &r->value, &slot->msg.flags);
		break;
	case FAULT_BODY:
	case FAULT_FILL:
		change_body(t, r, slot);
		break;
	case FAULT_PRODUCER:
		*producer = r->value;
		if (r->value.how == FAULT_RANDOM)
			*producer = (struct fault_value){ FAULT_SET, fault_odd_number(&t->rng) };
		break;
	case FAULT_DROP:
		return 0;
	case FAULT_TWICE:
		return 2;
	case FAULT_KEEP:
		if (t->has_kept)
			break;
		t->has_kept = true;
		t->kept = *slot;
		return 0;
	case FAULT_REGISTER:
	case FAULT_NR_FIELDS:
	default:
		break;
	}
	return before;
}

static struct fault_rule some_rule(struct fault *t)
{
	return (struct fault_rule){
		.field = FAULT_SESSION + fault_random(&t->rng) % (FAULT_NR_FIELDS - FAULT_SESSION),
		.value.how = FAULT_RANDOM,
		.at = (uint32_t)(fault_random(&t->rng) % 7 * 8),
	};
}

unsigned int fault_reply(struct fake *f, struct trnc_control_slot *slot, struct fault_value *producer)
{
	uint32_t type = slot->msg.type & ~TRNC_MSG_REPLY;
	struct fault *t = &f->fault;
	unsigned int nr = 1;

	pthread_mutex_lock(&t->lock);
	for (uint32_t i = 0; i < FAULT_RULES; i++) {
		struct fault_rule *r = &t->rules[i];

		if (r->is_used && r->field != FAULT_REGISTER && (!r->type || r->type == type) && is_due(r))
			nr = change(t, r, slot, producer, nr);
	}
	if (t->percent && fault_random(&t->rng) % 100 < t->percent) {
		const struct fault_rule r = some_rule(t);

		nr = change(t, &r, slot, producer, nr);
	}
	pthread_mutex_unlock(&t->lock);
	return nr;
}

/* -------------------------------------------------------------- commands */

/* NUMBER, +NUMBER (added to what is right) or "random" */
static bool parse_value(const char *word, struct fault_value *ret)
{
	char *end;

	if (!strcmp(word, "random")) {
		*ret = (struct fault_value){ .how = FAULT_RANDOM };
		return true;
	}
	*ret = (struct fault_value){ .how = word[0] == '+' ? FAULT_ADD : FAULT_SET };
	ret->value = strtoull(word, &end, 0);
	return *word && !*end;
}

static bool parse_option(const char *word, struct fault_rule *r)
{
	return sscanf(word, "type=%u", &r->type) == 1 || sscanf(word, "skip=%u", &r->skip) == 1 ||
	       sscanf(word, "times=%u", &r->times) == 1 || sscanf(word, "at=%i", (int *)&r->at) == 1;
}

static bool has_value(enum fault_field field)
{
	return field != FAULT_DROP && field != FAULT_TWICE && field != FAULT_KEEP;
}

/* What follows "reg" or "reply". */
static bool parse_rule(char **save, bool is_register, struct fault_rule *r)
{
	char *word = strtok_r(NULL, " ", save);

	*r = (struct fault_rule){ .is_used = true, .field = FAULT_REGISTER, .times = UINT32_MAX };
	if (!word)
		return false;
	if (is_register)
		r->at = (uint32_t)strtoul(word, NULL, 0);
	else
		for (r->field = FAULT_SESSION; strcmp(word, names[r->field]) != 0; r->field++)
			if (r->field + 1 == FAULT_NR_FIELDS)
				return false;
	if (has_value(r->field)) {
		word = strtok_r(NULL, " ", save);
		if (!word || !parse_value(word, &r->value))
			return false;
	}
	while ((word = strtok_r(NULL, " ", save)))
		if (!parse_option(word, r))
			return false;
	return true;
}

static bool add_rule(struct fault *t, char **save, bool is_register)
{
	struct fault_rule r;
	bool is_done = false;

	if (!parse_rule(save, is_register, &r))
		return false;
	pthread_mutex_lock(&t->lock);
	for (uint32_t i = 0; i < FAULT_RULES && !is_done; i++)
		if (!t->rules[i].is_used) {
			t->rules[i] = r;
			is_done = true;
		}
	pthread_mutex_unlock(&t->lock);
	return is_done;
}

static bool set_random(struct fault *t, char **save)
{
	const char *percent = strtok_r(NULL, " ", save), *seed = strtok_r(NULL, " ", save);

	if (!percent)
		return false;
	pthread_mutex_lock(&t->lock);
	t->percent = (uint32_t)strtoul(percent, NULL, 0);
	if (seed)
		t->rng = strtoull(seed, NULL, 0) | 1;
	pthread_mutex_unlock(&t->lock);
	return true;
}

/* poke OFFSET VALUE: 8 bytes of the aperture */
static bool poke(struct fake *f, char **save)
{
	const char *at = strtok_r(NULL, " ", save), *word = strtok_r(NULL, " ", save);
	uint64_t offset = at ? strtoull(at, NULL, 0) : UINT64_MAX;
	struct fault_value v;

	if (!word || offset % 8 || offset >= f->size || !parse_value(word, &v))
		return false;
	if (v.how == FAULT_RANDOM)
		v.value = fault_odd_number(&f->fault.rng);
	atomic_store((_Atomic uint64_t *)(void *)(f->aperture + offset), v.value);
	return true;
}

/* slot SESSION RESERVED TYPE LEN ID STATUS FLAGS FILL: a message that nobody asked for */
static bool send_slot(struct fake *f, char **save)
{
	struct trnc_control_slot slot;
	uint64_t v[8];

	for (int i = 0; i < 8; i++) {
		const char *word = strtok_r(NULL, " ", save);

		if (!word)
			return false;
		v[i] = strtoull(word, NULL, 0);
	}
	slot = (struct trnc_control_slot){
		.session = (uint32_t)v[0], .reserved = (uint32_t)v[1],
		.msg = { .type = (uint32_t)v[2], .len = (uint32_t)v[3], .id = v[4], .status = (uint32_t)v[5], .flags = (uint32_t)v[6] },
	};
	memset(slot.body, (int)v[7], sizeof(slot.body));
	fake_put_raw(f, &slot);
	return true;
}

static bool start_chaos(struct fake *f, char **save)
{
	const char *kind = strtok_r(NULL, " ", save), *seed = strtok_r(NULL, " ", save);

	return kind && fault_chaos_start(f, kind, seed ? strtoull(seed, NULL, 0) : 1);
}

/* config OFFSET VALUE: 4 bytes of configuration space */
static bool set_config(struct fake *f, char **save)
{
	const char *at = strtok_r(NULL, " ", save), *word = strtok_r(NULL, " ", save);
	uint32_t value = word ? (uint32_t)strtoul(word, NULL, 0) : 0;

	return word && trn_pci_config_set(f->pci, (unsigned int)strtoul(at, NULL, 0), &value, sizeof(value)) == 0;
}

int fault_obey(struct fake *f, char *line)
{
	char *save, *word = strtok_r(line, " ", &save);
	struct fault *t = &f->fault;
	bool is_done = true;

	if (!word)
		return -1;
	if (!strcmp(word, "reg") || !strcmp(word, "reply"))
		is_done = add_rule(t, &save, word[2] == 'g');
	else if (!strcmp(word, "random"))
		is_done = set_random(t, &save);
	else if (!strcmp(word, "ones") || !strcmp(word, "back"))
		atomic_store(&t->ones, word[0] == 'o');
	else if (!strcmp(word, "poke"))
		is_done = poke(f, &save);
	else if (!strcmp(word, "slot"))
		is_done = send_slot(f, &save);
	else if (!strcmp(word, "config"))
		is_done = set_config(f, &save);
	else if (!strcmp(word, "chaos"))
		is_done = start_chaos(f, &save);
	else if (!strcmp(word, "pause"))
		atomic_store(&t->pause_us, (uint32_t)strtoul(save, NULL, 0));
	else if (!strcmp(word, "heal"))
		fault_heal(f);
	else
		return 0;
	return is_done ? 1 : -1;
}

void fault_init(struct fake *f)
{
	pthread_mutex_init(&f->fault.lock, NULL);
	f->fault.rng = 1;
	f->fault.pause_us = 200;
}

void fault_heal(struct fake *f)
{
	struct fault *t = &f->fault;

	fault_chaos_stop(f);
	pthread_mutex_lock(&t->lock);
	memset(t->rules, 0, sizeof(t->rules));
	t->percent = 0;
	t->has_kept = false;
	pthread_mutex_unlock(&t->lock);
	atomic_store(&t->ones, false);
	atomic_store(&t->pause_us, 200);
}

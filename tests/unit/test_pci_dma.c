/* SPDX-License-Identifier: MIT */
/* DMA of a PCI device: when it may, whom it reaches, what is logged, and how it goes with migration (C19, C22, C26). */
#include <errno.h>
#include <string.h>

#include "fake.h"
#include "pci_fake.h"

#define BAR_SIZE 4096u

static struct pci_fake fake;
static unsigned int nr_saves;

/* The holder: memory from 0 on, and requests that wait when it is slow. */
static uint8_t memory[65536];
static bool is_slow;
static int answer;
static struct trn_dma_request *waiting[8];
static unsigned int nr_waiting;

static int access_memory(struct trn_use *use, struct trn_dma_request *req)
{
	assert_ptr_equal(use, fake.use);
	if (answer < 0)
		return answer;
	if (req->iova > sizeof(memory) || req->len > sizeof(memory) - req->iova)
		return -EFAULT;
	if (is_slow) {
		waiting[nr_waiting++] = req;
		return 1;
	}
	memcpy(req->is_write ? memory + req->iova : req->buf, req->is_write ? req->buf : memory + req->iova, req->len);
	return 0;
}

static const struct trn_dma_ops dma_ops = { .access = access_memory };

static void finish_one(int result)
{
	struct trn_dma_request *req = waiting[--nr_waiting];

	if (result == 0)
		memcpy(req->is_write ? memory + req->iova : req->buf, req->is_write ? req->buf : memory + req->iova, req->len);
	req->done(req, result);
}

static int save(struct trn_pci *pci, struct trn_pci_writer *w)
{
	nr_saves++;
	trn_pci_writer_put(w, "x", 1);
	return 0;
}

static int load(struct trn_pci *pci, uint32_t version, const void *data, size_t len, struct trn_error *err)
{
	return 0;
}

static const struct trn_pci_migration migration = {
	.flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P | TRN_MIG_CAN_PRE_COPY,
	.max_state = 1,
	.save = save,
	.load = load,
};

static int build(struct trn_pci *pci, struct trn_error *err)
{
	static const struct trn_pci_bar bar = { .size = BAR_SIZE, .flags = TRN_PCI_BAR_RAM };

	assert_true(trn_pci_add_pm(pci, err) > 0);
	return trn_pci_add_bar(pci, 0, &bar, err);
}

static int setup(void **state)
{
	fake = (struct pci_fake){ .build = build, .migration = &migration };
	pci_fake_start(&fake);
	trn_use_set_dma_ops(fake.use, &dma_ops);
	config_enable(&fake);
	is_slow = false;
	answer = 0;
	nr_waiting = nr_saves = 0;
	memset(memory, 0, sizeof(memory));
	return 0;
}

static int teardown(void **state)
{
	while (nr_waiting)
		finish_one(-ECANCELED);
	pci_fake_stop(&fake);
	return 0;
}

static int nr_done, last_result;

static void handle_done(struct trn_dma_request *req, int result)
{
	assert_ptr_equal(req->data, &nr_done);
	nr_done++;
	last_result = result;
}

static struct trn_dma_request request(uint64_t iova, void *buf, size_t len, bool is_write)
{
	nr_done = 0;
	return (struct trn_dma_request){
		.iova = iova,
		.buf = buf,
		.len = len,
		.is_write = is_write,
		.done = handle_done,
		.data = &nr_done,
	};
}

static void go(enum trn_mig_state to)
{
	assert_int_equal(trn_use_mig_set_state(fake.use, to, NULL), 0);
}

static uint8_t log_bits(void)
{
	uint8_t bits = 0;

	assert_int_equal(trn_use_dma_log_report(fake.use, 0, 8 * 4096, 4096, &bits), 0);
	return bits;
}

static void test_reads_and_writes(void **state)
{
	char out[] = "out", in[4] = "";
	struct trn_dma_request w = request(100, out, 4, true), r = request(100, in, 4, false);

	assert_int_equal(trn_pci_dma(fake.pci, &w), 0);
	assert_int_equal(trn_pci_dma(fake.pci, &r), 0);
	assert_string_equal(in, "out");
	assert_int_equal(nr_done, 0); /* at once: nobody is called */
	r.iova = sizeof(memory) - 3;
	assert_int_equal(trn_pci_dma(fake.pci, &r), -EFAULT);
	answer = -EBUSY;
	assert_int_equal(trn_pci_dma(fake.pci, &r), -EBUSY);
}

static void test_who_may(void **state)
{
	unsigned int pm = config_find(&fake, 1);
	char buf[4] = "";
	struct trn_dma_request r = request(0, buf, 4, false);

	config_put(&fake, 4, 2, TRN_PCI_COMMAND_MEMORY);
	assert_int_equal(trn_pci_dma(fake.pci, &r), -EPERM);
	config_enable(&fake);
	assert_int_equal(trn_pci_dma(fake.pci, &r), 0);
	config_put(&fake, pm + 4, 2, 3); /* D3hot */
	assert_int_equal(trn_pci_dma(fake.pci, &r), -EPERM);
	config_put(&fake, pm + 4, 2, 0);
	assert_int_equal(trn_pci_dma(fake.pci, &r), 0);
	for (enum trn_mig_state s = 1; s < TRN_NR_MIG_STATES; s++) {
		bool may = s == TRN_MIG_RUNNING || s == TRN_MIG_PRE_COPY;

		go(TRN_MIG_RUNNING);
		go(s);
		assert_int_equal(trn_pci_dma(fake.pci, &r), may ? 0 : -EPERM);
		assert_int_equal(trn_use_reset(fake.use), 0);
		config_enable(&fake);
	}
	trn_use_close(fake.use);
	assert_int_equal(trn_pci_dma(fake.pci, &r), -ENOTCONN);
	fake.use = fake_open(fake.dev, "the next");
	assert_int_equal(trn_pci_dma(fake.pci, &r), -EOPNOTSUPP); /* that one has no memory */
}

static void test_ends_later(void **state)
{
	char buf[4] = "abc";
	struct trn_dma_request r = request(8, buf, 4, true);

	is_slow = true;
	assert_int_equal(trn_pci_dma(fake.pci, &r), 1);
	assert_int_equal(nr_done, 0);
	finish_one(0);
	assert_int_equal(nr_done, 1);
	assert_int_equal(last_result, 0);
	assert_string_equal((char *)memory + 8, "abc");
	assert_int_equal(trn_pci_dma(fake.pci, &r), 1);
	finish_one(-ECANCELED);
	assert_int_equal(nr_done, 2);
	assert_int_equal(last_result, -ECANCELED);
}

/* C22: what the device writes is logged, what it reads or was refused is not. */
static void test_is_logged(void **state)
{
	char buf[5000] = "";
	struct trn_dma_request w = request(4090, buf, sizeof(buf), true), r = request(0, buf, 100, false);

	assert_int_equal(trn_use_dma_log_start(fake.use, 4096, NULL, 0, NULL), 0);
	assert_int_equal(trn_pci_dma(fake.pci, &r), 0);
	assert_int_equal(log_bits(), 0);
	assert_int_equal(trn_pci_dma(fake.pci, &w), 0);
	assert_int_equal(log_bits(), 0x7);
	assert_int_equal(log_bits(), 0);
	w.iova = sizeof(memory);
	assert_int_equal(trn_pci_dma(fake.pci, &w), -EFAULT);
	assert_int_equal(log_bits(), 0);
}

/* A report while a write is under way does not make it forgotten: some of it may come after the report. */
static void test_is_logged_at_both_ends(void **state)
{
	char buf[4] = "abc";
	struct trn_dma_request w = request(3 * 4096, buf, 4, true);

	is_slow = true;
	assert_int_equal(trn_use_dma_log_start(fake.use, 4096, NULL, 0, NULL), 0);
	assert_int_equal(trn_pci_dma(fake.pci, &w), 1);
	assert_int_equal(log_bits(), 1 << 3);
	assert_int_equal(log_bits(), 0);
	finish_one(0);
	assert_int_equal(log_bits(), 1 << 3);
	assert_int_equal(trn_pci_dma(fake.pci, &w), 1);
	log_bits();
	finish_one(-EIO); /* some of it may have been written */
	assert_int_equal(log_bits(), 1 << 3);
}

/* What was under way when the device stopped ends, then the state is saved; nobody waits meanwhile. */
static void test_stop_while_under_way(void **state)
{
	static uint8_t stream[16384];
	char buf[4] = "abc";
	struct trn_dma_request w = request(0, buf, 4, true), second = w;
	size_t len = 0;
	ssize_t n;

	is_slow = true;
	assert_int_equal(trn_pci_dma(fake.pci, &w), 1);
	assert_int_equal(trn_pci_dma(fake.pci, &second), 1);
	go(TRN_MIG_STOP_COPY);
	assert_int_equal(trn_use_mig_read(fake.use, stream, sizeof(stream)), -EAGAIN);
	finish_one(0);
	assert_int_equal(trn_use_mig_read(fake.use, stream, sizeof(stream)), -EAGAIN);
	assert_int_equal(nr_saves, 0);
	finish_one(0);
	assert_int_equal(nr_done, 2);
	while ((n = trn_use_mig_read(fake.use, stream + len, sizeof(stream) - len)) > 0)
		len += (size_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(nr_saves, 1);

	/* Nor is a state loaded into memory that is still to be written to. */
	go(TRN_MIG_RUNNING);
	assert_int_equal(trn_pci_dma(fake.pci, &w), 1);
	go(TRN_MIG_RESUMING);
	assert_int_equal(trn_use_mig_write(fake.use, stream, len, NULL), 0);
	assert_int_equal(trn_use_mig_set_state(fake.use, TRN_MIG_STOP, NULL), -EAGAIN);
	finish_one(0);
	go(TRN_MIG_STOP);
}

static struct trn_dma_request late;
static int late_result;

static void ask_late(struct trn_pci *pci)
{
	late_result = trn_pci_dma(pci, &late);
}

/* The device runs again because its holder leaves, who is asked for nothing any more: he would not answer. */
static void test_nothing_is_asked_of_who_leaves(void **state)
{
	char buf[4] = "abc";

	late = request(0, buf, 4, true);
	is_slow = true;
	fake.runs = ask_late;
	go(TRN_MIG_STOP);
	trn_use_close(fake.use);
	fake.use = NULL;
	assert_int_equal(late_result, -ENOTCONN);
	assert_int_equal(nr_waiting, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reads_and_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_may, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_is_logged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_is_logged_at_both_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_while_under_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_asked_of_who_leaves, setup, teardown),
	};

	return unit_run(tests);
}

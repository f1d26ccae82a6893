/* SPDX-License-Identifier: MIT */
/* Ports with a pseudo-terminal or a socket at the other end: bytes both ways, who is there, and who waits for whom. */
#include "card.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define LOOP ((struct mtty_line_config){ .kind = MTTY_LINE_LOOP })
#define PTY ((struct mtty_line_config){ .kind = MTTY_LINE_PTY })
#define PRESENT (UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD)

static char dir[] = "/tmp/test-mtty-XXXXXX";

static const char *in_dir(const char *name)
{
	static char path[96];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static uint8_t modem(struct card *card)
{
	return card_read(card, 0, UART_MSR) & UART_MSR_INPUTS;
}

static int open_terminal(struct card *card)
{
	int fd = open(mtty_line_name(card->dev, 0), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	assert_true(fd >= 0);
	card_until(card, modem(card) == PRESENT);
	return fd;
}

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void write_all(int fd, const void *bytes, size_t len)
{
	assert_int_equal(write(fd, bytes, len), len);
}

/* --- Pseudo-terminals --- */

static void test_terminal_carries_all_bytes(void **state)
{
	uint8_t bytes[256];
	struct card card;
	int fd;

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	card_make(&card, "mtty-1", PTY, LOOP);
	card_open_port(&card, 0, 0);
	fd = open_terminal(&card);
	card_send(&card, 0, bytes, sizeof(bytes));
	card_expect_at(&card, fd, bytes, sizeof(bytes));
	write_all(fd, bytes, sizeof(bytes));
	card_expect(&card, 0, bytes, sizeof(bytes));
	assert_int_equal(card_read(&card, 0, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	close(fd);
	card_free(&card);
}

static void test_terminal_comes_and_goes(void **state)
{
	struct card card;
	int fd, irq;

	card_make(&card, "mtty-1", PTY, LOOP);
	card_open_port(&card, 0, 0);
	assert_int_equal(modem(&card), 0);
	irq = card_wire(&card);
	card_write(&card, 0, UART_IER, UART_IER_MODEM);
	for (unsigned int i = 0; i < 3; i++) {
		fd = open_terminal(&card);
		assert_true(card_take_signal(irq));
		card_unmask(&card);
		card_take_signal(irq);
		close(fd);
		card_until(&card, modem(&card) == 0);
		card_unmask(&card);
		card_take_signal(irq);
		card_settle(&card, 2);
		assert_int_equal(sd_event_run(card.event, 2000), 0);
	}
	close(irq);
	card_free(&card);
}

static void test_bytes_to_nobody_are_gone(void **state)
{
	struct card card;
	int fd;
	char byte;

	card_make(&card, "mtty-1", PTY, LOOP);
	card_open_port(&card, 0, 0);
	for (unsigned int i = 0; i < 10000; i++) {
		assert_int_equal(card_read(&card, 0, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
		card_write(&card, 0, UART_DATA, 'x');
	}
	fd = open_terminal(&card);
	card_settle(&card, 2);
	assert_int_equal(read(fd, &byte, 1), -1);
	card_send(&card, 0, "hello", 5);
	card_expect_at(&card, fd, "hello", 5);
	close(fd);
	card_free(&card);
}

static void test_last_words_of_a_peer(void **state)
{
	static uint8_t bytes[3000];
	struct card card;
	int fd;

	card_fill(bytes, sizeof(bytes));
	card_make(&card, "mtty-1", PTY, LOOP);
	card_open_port(&card, 0, 0);
	fd = open_terminal(&card);
	write_all(fd, bytes, sizeof(bytes));
	close(fd);
	card_until(&card, modem(&card) == 0);
	card_expect(&card, 0, bytes, sizeof(bytes));
	card_settle(&card, 2);
	card_free(&card);
}

static void test_nothing_is_read_without_rts(void **state)
{
	struct card card;
	int fd;

	card_make(&card, "mtty-1", PTY, LOOP);
	fd = open_terminal(&card);
	write_all(fd, "early", 5);
	card_settle(&card, 2);
	assert_int_equal(card_read(&card, 0, UART_LSR) & UART_LSR_DR, 0);
	card_open_port(&card, 0, 0); /* clears the FIFOs */
	card_expect(&card, 0, "early", 5);

	/* As a driver that throttles: what is in the FIFO stays, no more comes. */
	card_write(&card, 0, UART_MCR, UART_MCR_DTR);
	write_all(fd, "later", 5);
	card_settle(&card, 2);
	assert_int_equal(card_read(&card, 0, UART_LSR) & UART_LSR_DR, 0);
	card_write(&card, 0, UART_MCR, UART_MCR_DTR | UART_MCR_RTS);
	card_expect(&card, 0, "later", 5);
	close(fd);
	card_free(&card);
}

static void test_peer_waits_for_the_guest(void **state)
{
	static uint8_t bytes[200000];
	struct card card;
	size_t sent = 0;
	int fd, idle = 0;

	card_fill(bytes, sizeof(bytes));
	card_make(&card, "mtty-1", PTY, LOOP);
	card_open_port(&card, 0, 0);
	fd = open_terminal(&card);
	while (idle < 5) {
		ssize_t n = write(fd, bytes + sent, sizeof(bytes) - sent);

		sent += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
		card_settle(&card, 1);
	}
	assert_in_range(sent, 4096, sizeof(bytes) - 1);
	card_expect(&card, 0, bytes, sent);
	assert_int_equal(card_read(&card, 0, UART_LSR) & UART_LSR_OE, 0);
	close(fd);
	card_free(&card);
}

static void test_guest_waits_for_the_peer(void **state)
{
	static uint8_t bytes[200000];
	struct card card;
	size_t sent = 0;
	int fd;

	card_fill(bytes, sizeof(bytes));
	card_make(&card, "mtty-1", PTY, LOOP);
	card_open_port(&card, 0, 0);
	fd = open_terminal(&card);
	for (int busy = 0; busy < 5;) {
		if (card_read(&card, 0, UART_LSR) & UART_LSR_THRE) {
			card_write(&card, 0, UART_DATA, bytes[sent++]);
			busy = 0;
		} else {
			card_settle(&card, 2);
			busy++;
		}
		assert_true(sent < sizeof(bytes));
	}
	assert_int_equal(sd_event_run(card.event, 10000), 0);
	card_expect_at(&card, fd, bytes, sent);
	card_until(&card, card_read(&card, 0, UART_LSR) & UART_LSR_TEMT);
	close(fd);
	card_free(&card);
}

/* A peer that leaves while the guest waits for it sets the guest free. */
static void test_guest_is_freed_by_a_hang_up(void **state)
{
	struct card card;
	int fd;

	card_make(&card, "mtty-1", PTY, LOOP);
	card_open_port(&card, 0, 0);
	fd = open_terminal(&card);
	for (int busy = 0; busy < 5;) {
		if (card_read(&card, 0, UART_LSR) & UART_LSR_THRE) {
			card_write(&card, 0, UART_DATA, 'x');
			busy = 0;
		} else {
			card_settle(&card, 2);
			busy++;
		}
	}
	close(fd);
	card_until(&card, card_read(&card, 0, UART_LSR) & UART_LSR_TEMT);
	card_settle(&card, 2);
	card_free(&card);
}

static void test_link_to_the_terminal(void **state)
{
	struct mtty_line_config line = { .kind = MTTY_LINE_PTY, .path = in_dir("link") };
	struct card card;
	char target[64] = "";
	struct stat st;

	assert_int_equal(symlink("/dev/pts/old", line.path), 0);
	card_make(&card, "mtty-1", line, LOOP);
	assert_true(readlink(line.path, target, sizeof(target) - 1) > 0);
	assert_string_equal(target, mtty_line_name(card.dev, 0));
	card_free(&card);
	assert_int_equal(lstat(line.path, &st), -1);
}

static void check_refused(struct mtty_line_config line, int code, const char *name)
{
	const struct trn_create_params params = { .uuid = "5d1c6cd5-1d3c-4c0c-8f5c-0d7a3b1e2f42" };
	struct trn_error err = { 0 };
	struct card card;
	int r;

	card_make(&card, "mtty-1", LOOP, LOOP);
	card.config.lines[1] = line;
	r = trn_device_create(trn_type_find(card.parent, "mtty-2"), &params, NULL, &err);
	assert_refused(r, err, code, name);
	card_free(&card);
}

static void test_bad_lines(void **state)
{
	const char *path = in_dir("file");
	struct stat st;
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
	check_refused((struct mtty_line_config){ .kind = MTTY_LINE_PTY, .path = path }, -EEXIST, "NoLink");
	check_refused((struct mtty_line_config){ .kind = MTTY_LINE_SOCKET, .path = path }, -EADDRINUSE, "SocketInUse");
	check_refused((struct mtty_line_config){ .kind = MTTY_LINE_SOCKET }, -EINVAL, "BadSocketPath");
	check_refused((struct mtty_line_config){ .kind = 7 }, -EINVAL, "BadLine");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(unlink(path), 0);
}

/* --- Sockets --- */

static void test_socket(void **state)
{
	struct mtty_line_config line = { .kind = MTTY_LINE_SOCKET, .path = in_dir("sock") };
	struct card card;
	struct stat st;
	int first, second;
	char byte;

	card_make(&card, "mtty-1", line, LOOP);
	card_open_port(&card, 0, 0);
	assert_string_equal(mtty_line_name(card.dev, 0), line.path);
	assert_int_equal(stat(line.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(modem(&card), 0);

	first = connect_to(line.path);
	card_until(&card, modem(&card) == PRESENT);
	write_all(first, "in", 2);
	card_expect(&card, 0, "in", 2);
	card_send(&card, 0, "out", 3);
	card_expect_at(&card, first, "out", 3);

	/* The next one waits, and what it has already written with it. */
	second = connect_to(line.path);
	write_all(second, "second", 6);
	card_settle(&card, 2);
	assert_int_equal(card_read(&card, 0, UART_LSR) & UART_LSR_DR, 0);
	write_all(first, "bye", 3);
	close(first);
	card_expect(&card, 0, "byesecond", 9);
	assert_int_equal(modem(&card), PRESENT);
	assert_int_equal(read(second, &byte, 1), -1);

	/* One that has only shut down its direction still hears the guest. */
	assert_int_equal(shutdown(second, SHUT_WR), 0);
	card_settle(&card, 2);
	card_send(&card, 0, "still", 5);
	card_expect_at(&card, second, "still", 5);
	close(second);
	card_until(&card, modem(&card) == 0);
	card_settle(&card, 2);
	card_free(&card);
	assert_int_equal(stat(line.path, &st), -1);
}

/* --- A guest on a thread of its own, as a server has it --- */

#define MANY 262144u

struct guest {
	struct card *card;
	const uint8_t *bytes;
	atomic_bool has_ended;
	bool is_right;
};

/* One thread both sends and receives, as a driver's interrupt handler does. */
static void *run_guest(void *data)
{
	struct guest *guest = data;
	struct trn_use *use = guest->card->use;
	size_t sent = 0, received = 0;
	uint8_t lsr, byte;

	guest->is_right = true;
	while (sent < MANY || received < MANY) {
		trn_use_region_read(use, 0, UART_LSR, &lsr, 1);
		if (lsr & UART_LSR_DR) {
			trn_use_region_read(use, 0, UART_DATA, &byte, 1);
			guest->is_right = guest->is_right && byte == guest->bytes[received];
			received++;
		}
		if (lsr & UART_LSR_OE)
			guest->is_right = false;
		for (unsigned int i = 0; (lsr & UART_LSR_THRE) && i < UART_FIFO_SIZE && sent < MANY; i++)
			trn_use_region_write(use, 0, UART_DATA, &guest->bytes[sent++], 1);
	}
	guest->has_ended = true;
	return NULL;
}

/* Returns what it reads. */
static void *run_echo(void *data)
{
	int fd = *(int *)data;
	uint8_t bytes[1000];
	size_t done = 0;

	while (done < MANY) {
		ssize_t n = read(fd, bytes, sizeof(bytes));

		for (ssize_t at = 0; at < n;) {
			ssize_t m = write(fd, bytes + at, (size_t)(n - at));

			if (m <= 0)
				return NULL;
			at += m;
		}
		if (n <= 0)
			return NULL;
		done += (size_t)n;
	}
	return NULL;
}

static void test_much_both_ways(void **state)
{
	static uint8_t bytes[MANY];
	struct guest guest = { .bytes = bytes };
	pthread_t guest_thread, echo_thread;
	struct card card;
	int fd;

	card_fill(bytes, sizeof(bytes));
	card_make(&card, "mtty-1", PTY, LOOP);
	card_open_port(&card, 0, 0);
	fd = open_terminal(&card);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	guest.card = &card;
	assert_int_equal(pthread_create(&echo_thread, NULL, run_echo, &fd), 0);
	assert_int_equal(pthread_create(&guest_thread, NULL, run_guest, &guest), 0);
	for (int i = 0; i < 1000000 && !guest.has_ended; i++)
		sd_event_run(card.event, 10000);
	assert_true(guest.has_ended);
	pthread_join(guest_thread, NULL);
	pthread_join(echo_thread, NULL);
	assert_true(guest.is_right);
	close(fd);
	card_free(&card);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_terminal_carries_all_bytes),
		cmocka_unit_test(test_terminal_comes_and_goes),
		cmocka_unit_test(test_bytes_to_nobody_are_gone),
		cmocka_unit_test(test_last_words_of_a_peer),
		cmocka_unit_test(test_nothing_is_read_without_rts),
		cmocka_unit_test(test_peer_waits_for_the_guest),
		cmocka_unit_test(test_guest_waits_for_the_peer),
		cmocka_unit_test(test_guest_is_freed_by_a_hang_up),
		cmocka_unit_test(test_link_to_the_terminal),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_much_both_ways),
	};
	int r;

	if (!mkdtemp(dir))
		return 1;
	r = unit_run(tests);
	rmdir(dir);
	return r;
}

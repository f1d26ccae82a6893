/* SPDX-License-Identifier: MIT */
/* Sessions of guests: what SETUP takes, the aperture, and what a stranger's native code can reach of the host. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rmtree.h"
#include "base/socket.h"
#include "harness.h"
#include "tranche/wire/parent.h"

/* Headers may be older than these. */
#define NR_FCHMODAT2 452
#define NR_SETXATTRAT 463
#define NR_REMOVEXATTRAT 466
#define NR_FILE_SETATTR 469

static struct harness h;

/* ------------------------------------------------------------------ setup */

static int setup_status(struct trnc_exec_setup *s, const int *fds, size_t nr_fds)
{
	_Alignas(8) struct {
		struct trnc_msg msg;
		struct trnc_error_body body;
	} reply;
	size_t none = 0;
	int status;

	harness_fork(&h);
	harness_send_fds(&h, TRNC_EXEC_SETUP, s, sizeof(*s), fds, nr_fds);
	assert_true(base_recv(h.sock, &reply, sizeof(reply), NULL, &none) > 0);
	if (reply.msg.status)
		print_message("%s\n", reply.body.text);
	close(h.sock);
	assert_int_equal(waitpid(h.pid, &status, 0), h.pid);
	return (int)reply.msg.status;
}

static void test_setup_is_checked(void **state)
{
	struct trnc_exec_setup s = { .flags = TRNC_EXEC_FLAG_GUEST, .window_size = 1 << 20, .window_offset = 1 << 20 };
	int fd = memfd_create("tests", MFD_CLOEXEC), pair[2], fds[2];

	(void)state;
	assert_int_equal(ftruncate(fd, 2 << 20), 0);
	assert_int_equal(pipe(pair), 0);
	fds[0] = fd;
	fds[1] = pair[1];
	assert_int_equal(setup_status(&s, fds, 0), EINVAL);
	assert_int_equal(setup_status(&s, fds, 1), EINVAL);
	assert_int_equal(setup_status(&s, pair, 2), EINVAL); /* no file */
	s.window_offset = (1 << 20) + 4096;
	assert_int_equal(setup_status(&s, fds, 2), EINVAL);
	s.window_offset = ~0ull << 12;
	assert_int_equal(setup_status(&s, fds, 2), EINVAL);
	s.window_offset = 100;
	assert_int_equal(setup_status(&s, fds, 2), EINVAL);
	s.window_offset = 1 << 20;
	s.window_size = 0;
	assert_int_equal(setup_status(&s, fds, 2), EINVAL);
	s.window_size = 1 << 20;
	s.shared_offset = (1 << 20) - 4096;
	s.shared_size = 8192; /* overlaps */
	assert_int_equal(setup_status(&s, fds, 2), EINVAL);
	s.shared_size = 4096;
	assert_int_equal(setup_status(&s, fds, 2), 0);
	/* A program of this machine brings none. */
	s.flags = 0;
	assert_int_equal(setup_status(&s, fds, 2), EINVAL);
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

static void test_prepared_for_a_program(void **state)
{
	const struct trnc_exec_prepare p = { 0 };
	struct trnc_exec_setup s = { .flags = TRNC_EXEC_FLAG_GUEST };
	struct trnc_msg msg = { .type = TRNC_EXEC_PREPARE, .len = sizeof(msg) + sizeof(p) };
	uint8_t packet[sizeof(msg) + sizeof(p)];
	int status;

	(void)state;
	harness_fork(&h);
	memcpy(packet, &msg, sizeof(msg));
	memcpy(packet + sizeof(msg), &p, sizeof(p));
	assert_int_equal(base_send(h.sock, packet, sizeof(packet), NULL, 0), 0);
	harness_recv(&h, harness_send_setup(&h, &s), EINVAL, NULL, 0, NULL);
	close(h.sock);
	assert_int_equal(waitpid(h.pid, &status, 0), h.pid);
}

/* --------------------------------------------------------------- segments */

static void test_segments(void **state)
{
	struct trnc_exec_segment_map m = {
		.offset = 16 << 20, .size = 1 << 20, .kind = TRNC_SEGMENT_BUFFER, .control_seq = 3,
	};
	struct trnc_segment_destroy d = { .offset = TRNC_SHARED_WINDOW };
	struct queue q;
	uint64_t e, own, shared;
	int fd = memfd_create("tests", MFD_CLOEXEC);

	(void)state;
	harness_start(&h, TRNC_EXEC_FLAG_GUEST);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	/* One with a descriptor is none; its number counts all the same. */
	harness_send(&h, TRNC_EXEC_SEGMENT_MAP, &m, sizeof(m), fd);
	close(fd);
	h.control_seq = 3;
	e = harness_event(&h);
	harness_queue(&h, &q, 0);
	own = harness_buffer(&h, 16 << 20, 4096);
	harness_wait_refused(&h, 1);
	/* In the shared window. */
	harness_map_segment(&h, TRNC_SHARED_WINDOW + (1 << 20), 1 << 20, TRNC_SEGMENT_BUFFER);
	harness_map_segment(&h, TRNC_SHARED_WINDOW, 1 << 20, TRNC_SEGMENT_BUFFER);
	shared = harness_buffer(&h, TRNC_SHARED_WINDOW + (1 << 20), 4096);
	own = harness_buffer(&h, BUFFERS_AT, 4096);
	harness_fill(&h, &q, shared, 4096, 7, e, 0, NULL);
	assert_int_equal(harness_wait(&h, e), 0);
	assert_int_equal(h.aperture[GUEST_SHARED_AT + (1 << 20)], 7);
	assert_int_equal(h.aperture[GUEST_SHARED_AT + (1 << 20) + 4095], 7);
	e = harness_event(&h);
	harness_fill(&h, &q, own, 4096, 8, e, 0, NULL);
	assert_int_equal(harness_wait(&h, e), 0);
	assert_int_equal(h.aperture[GUEST_WINDOW_AT + BUFFERS_AT], 8);
	/* Only the table forgets it. */
	harness_call(&h, TRNC_EXEC_SEGMENT_UNMAP, &d, sizeof(d), 0, NULL, 0);
	harness_call(&h, TRNC_EXEC_SEGMENT_UNMAP, &d, sizeof(d), ENOENT, NULL, 0);
	harness_buffer(&h, TRNC_SHARED_WINDOW, 4096);
	harness_wait_refused(&h, 2);
	/* Beyond the shared window, between the two, and service memory there. */
	harness_map_segment(&h, TRNC_SHARED_WINDOW + GUEST_SHARED_SIZE, 4096, TRNC_SEGMENT_BUFFER);
	harness_map_segment(&h, WINDOW_SIZE, 4096, TRNC_SEGMENT_BUFFER);
	harness_map_segment(&h, TRNC_SHARED_WINDOW, 4096, TRNC_SEGMENT_SERVICE);
	harness_buffer(&h, TRNC_SHARED_WINDOW + GUEST_SHARED_SIZE, 4096);
	harness_buffer(&h, WINDOW_SIZE, 4096);
	harness_buffer(&h, TRNC_SHARED_WINDOW, 4096);
	harness_wait_refused(&h, 5);
	harness_stop(&h);
}

/* ---------------------------------------------------------- a stranger's code */

#ifdef __x86_64__

/* Any system call: number, six arguments, result; then for each argument whether it counts from the buffer's start. */
static const char calling[] =
	"kernel void call(global long *a) {\n"
	"  long r, v[7];\n"
	"  for (int i = 0; i < 7; i++) v[i] = a[i] + (a[8 + i] ? (long)a : 0);\n"
	"  __asm__ volatile(\"mov %5, %%r10; mov %6, %%r8; mov %7, %%r9; syscall\" : \"=a\"(r) : \"0\"(v[0]), \"D\"(v[1]),\n"
	"                   \"S\"(v[2]), \"d\"(v[3]), \"m\"(v[4]), \"m\"(v[5]), \"m\"(v[6])\n"
	"                   : \"rcx\", \"r8\", \"r9\", \"r10\", \"r11\", \"memory\");\n"
	"  a[7] = r;\n"
	"}\n";

#define TEXT 256   /* where a text lies in the buffer */
#define ANSWER 1024 /* and where one is wanted */
#define AT(offset) (1ll << 62 | (offset))

static struct queue queue;
static uint64_t stranger, buffer;

static void start_stranger(uint32_t flags)
{
	uint64_t p;

	harness_start(&h, flags);
	p = harness_handle(&h);
	assert_int_equal(harness_find_u32(&h, harness_build(&h, p, calling, ""), TRNC_TAG_STATUS), 0);
	stranger = harness_kernel(&h, p, 0);
	harness_queue(&h, &queue, 0);
	buffer = harness_buffer(&h, BUFFERS_AT, 8192);
}

static char *text_at(unsigned int offset)
{
	return (char *)h.window + BUFFERS_AT + offset;
}

/* Has it done in the executor. */
static long long do_call(long nr, long long a, long long b, long long c, long long d, long long e)
{
	long long *args = (long long *)(void *)(h.window + BUFFERS_AT);
	const long long given[7] = { nr, a, b, c, d, e, 0 };
	struct launch l = { .kernel = stranger, .global = 1, .nr_args = 1, .args = { { TRNC_ARG_BUFFER, 8, &buffer } } };

	for (int i = 0; i < 7; i++) {
		args[8 + i] = given[i] > 0 && (given[i] & 1ll << 62);
		args[i] = args[8 + i] ? given[i] & ~(1ll << 62) : given[i];
	}
	args[7] = -9999;
	l.event = harness_event(&h);
	harness_launch(&h, &queue, &l, false);
	assert_int_equal(harness_wait(&h, l.event), 0);
	return args[7];
}

static long long do_open(const char *path, int flags)
{
	size_t size = strlen(path) + 1;

	assert_true(size <= ANSWER - TEXT);
	memmove(text_at(TEXT), path, size); /* it may lie there, too */
	return do_call(SYS_openat, AT_FDCWD, AT(TEXT), flags, 0600, 0);
}

static void test_files_of_the_host(void **state)
{
	static const char *const kept[] = {
		"/etc/passwd", "/etc/hostname", "/etc", "/", "/home", "/root", "/tmp", "/usr/bin/env", "/usr/include/stdio.h",
		"/proc", "/proc/1/cmdline", "/proc/self/environ", "/proc/self/net/unix", "/proc/self/root/etc/passwd",
		"/proc/self/cwd", "/proc/mounts", "/proc/self/mem", "/sys/class/net", "/dev/mem", "/dev/shm", "/dev/vda",
		"/usr/lib/../../etc/passwd",
	};
	char mine[] = "/var/tmp/tranche-test-XXXXXX";
	int fd = mkstemp(mine);
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	start_stranger(TRNC_EXEC_FLAG_GUEST);
	/* It can call at all. */
	assert_true(do_open("/proc/cpuinfo", O_RDONLY) >= 0);
	assert_true(do_open("/dev/null", O_RDWR) >= 0);
	snprintf(text_at(2048), 1024, "%s/mine", getenv("TMPDIR"));
	assert_true(do_open(text_at(2048), O_RDWR | O_CREAT) >= 0);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		long long r = do_open(kept[i], O_RDONLY);

		if (r != -EACCES && r != -ENOENT && r != -EPERM)
			fail_msg("%s: %lld", kept[i], r);
	}
	assert_int_equal(do_open(mine, O_RDONLY), -EACCES);
	assert_int_equal(do_open(mine, O_WRONLY | O_TRUNC), -EACCES);
	assert_int_equal(do_open("/var/tmp/tranche-test-new", O_WRONLY | O_CREAT), -EACCES);
	snprintf(text_at(TEXT), 512, "%s", mine);
	assert_int_equal(do_call(SYS_unlink, AT(TEXT), 0, 0, 0, 0), -EACCES);
	assert_int_equal(do_call(SYS_chmod, AT(TEXT), 0777, 0, 0, 0), -EPERM);
	assert_int_equal(do_call(NR_FCHMODAT2, AT_FDCWD, AT(TEXT), 0777, 0, 0), -EPERM);
	assert_int_equal(do_call(NR_SETXATTRAT, AT_FDCWD, AT(TEXT), 0, AT(TEXT), 0), -EPERM);
	assert_int_equal(do_call(NR_REMOVEXATTRAT, AT_FDCWD, AT(TEXT), 0, AT(TEXT), 0), -EPERM);
	assert_int_equal(do_call(NR_FILE_SETATTR, AT_FDCWD, AT(TEXT), AT(ANSWER), 24, 0), -EPERM);
	assert_int_equal(do_call(SYS_chown, AT(TEXT), 1, 1, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_utimensat, AT_FDCWD, AT(TEXT), 0, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_truncate, AT(TEXT), 0, 0, 0, 0), -EACCES);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	close(fd);
	unlink(mine);
	harness_stop(&h);
}

/* The test's standard error is not the executor's. */
static void test_nothing_to_the_operator(void **state)
{
	const struct stat *st;

	(void)state;
	start_stranger(TRNC_EXEC_FLAG_GUEST);
	st = (const void *)text_at(ANSWER);
	assert_int_equal(do_call(SYS_fstat, STDERR_FILENO, AT(ANSWER), 0, 0, 0), 0);
	assert_true(S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3));
	assert_int_equal(do_call(SYS_ftruncate, STDERR_FILENO, 0, 0, 0, 0), -EINVAL);
	harness_stop(&h);
}

static void test_calls(void **state)
{
	const pid_t us = getpid();

	(void)state;
	start_stranger(TRNC_EXEC_FLAG_GUEST);
	assert_int_equal(do_call(SYS_getpid, 0, 0, 0, 0, 0), h.pid);
	assert_int_equal(do_call(SYS_socket, AF_UNIX, SOCK_STREAM, 0, 0, 0), -EACCES);
	assert_int_equal(do_call(SYS_socket, AF_INET, SOCK_STREAM, 0, 0, 0), -EACCES);
	assert_int_equal(do_call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, AT(ANSWER), 0), -EACCES);
	snprintf(text_at(TEXT), 512, "/bin/true");
	assert_int_equal(do_call(SYS_execve, AT(TEXT), 0, 0, 0, 0), -EACCES);
	snprintf(text_at(TEXT), 512, "/usr/bin/env");
	assert_int_equal(do_call(SYS_execve, AT(TEXT), 0, 0, 0, 0), -EACCES);
	assert_int_equal(do_call(SYS_kill, us, 0, 0, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_ptrace, PTRACE_SEIZE, us, 0, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_process_vm_readv, us, AT(ANSWER), 1, AT(ANSWER), 1), -EPERM);
	assert_int_equal(do_call(SYS_pidfd_open, us, 0, 0, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_pidfd_getfd, 0, 0, 0, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_prlimit64, us, 0, 0, AT(ANSWER), 0), -EPERM);
	assert_int_equal(do_call(SYS_setpriority, 0, us, 5, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_setpriority, 0, 0, 0, 0, 0), 0);
	assert_int_equal(do_call(SYS_setpriority, 2 /* PRIO_USER */, 0, 19, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_sched_setaffinity, us, 8, AT(TEXT), 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_prctl, 1ll << 32 | PR_SET_PDEATHSIG, 0, 0, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_madvise, AT(0), 4096, MADV_REMOVE, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_madvise, AT(0), 4096, 1ll << 32 | MADV_REMOVE, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_msgctl, 0, 0 /* IPC_RMID */, 0, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_semctl, 0, 0, 0, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_mq_unlink, AT(TEXT), 0, 0, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_clone, 0x10000000 | SIGCHLD, 0, 0, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_clone3, AT(ANSWER), 64, 0, 0, 0), -ENOSYS);
	assert_int_equal(do_call(SYS_unshare, 0x10000000, 0, 0, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_memfd_create, AT(TEXT), 0, 0, 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_io_uring_setup, 8, AT(ANSWER), 0, 0, 0), -ENOSYS);
	assert_int_equal(do_call(SYS_ioctl, STDERR_FILENO, TIOCSTI, AT(TEXT), 0, 0), -EPERM);
	/* The high half does not count for the kernel, and must not for us. */
	assert_int_equal(do_call(SYS_ioctl, STDERR_FILENO, 1ll << 32 | TIOCSTI, AT(TEXT), 0, 0), -EPERM);
	assert_int_equal(do_call(SYS_fcntl, 0, F_SETOWN, us, 0, 0), -EPERM);
	harness_stop(&h);
}

struct range {
	unsigned long long start, end, offset;
};

/* What the executor has mapped of the aperture. */
static unsigned int mapped_ranges(struct range *r, unsigned int max)
{
	char path[64], line[512];
	unsigned int nr = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)h.pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "memfd:tests") && nr < max) {
			assert_int_equal(sscanf(line, "%llx-%llx %*s %llx", &r[nr].start, &r[nr].end, &r[nr].offset), 3);
			nr++;
		}
	fclose(f);
	return nr;
}

static void test_nothing_leads_back_to_the_aperture(void **state)
{
	struct range r[8], *own;
	unsigned int nr;
	char path[128];

	(void)state;
	start_stranger(TRNC_EXEC_FLAG_GUEST);
	/* Window and shared window, and no byte more. */
	nr = mapped_ranges(r, 8);
	assert_int_equal(nr, 2);
	own = r[0].end - r[0].start == WINDOW_SIZE ? &r[0] : &r[1];
	for (unsigned int i = 0; i < nr; i++) {
		bool is_own = &r[i] == own;

		assert_int_equal(r[i].end - r[i].start, is_own ? WINDOW_SIZE : GUEST_SHARED_SIZE);
		assert_int_equal(r[i].offset, is_own ? GUEST_WINDOW_AT : GUEST_SHARED_AT);
	}
	for (int fd = 0; fd < 64; fd++) {
		long long n;

		snprintf(text_at(TEXT), 512, "/proc/self/fd/%d", fd);
		memset(text_at(ANSWER), 0, 512);
		n = do_call(SYS_readlink, AT(TEXT), AT(ANSWER), 500, 0, 0);
		if (n > 0)
			assert_null(strstr(text_at(ANSWER), "memfd:tests"));
	}
	snprintf(path, sizeof(path), "/proc/self/map_files/%llx-%llx", own->start, own->end);
	assert_true(do_open(path, O_RDWR) < 0);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), h.wake_fd);
	assert_true(do_open(path, O_RDWR) < 0);
	assert_int_equal(do_call(SYS_mremap, (long long)own->start, 4096, 2 * WINDOW_SIZE, MREMAP_MAYMOVE, 0), -ENOSYS);
	assert_int_equal(do_call(SYS_remap_file_pages, (long long)own->start, 4096, 0, 0, 0), -ENOSYS);
	/* What root alone may do, it may not. */
	memset(text_at(TEXT), 0, 8);
	memcpy(text_at(TEXT), &(const uint32_t){ _LINUX_CAPABILITY_VERSION_3 }, 4);
	memset(text_at(ANSWER), 0xff, 24);
	assert_int_equal(do_call(SYS_capget, AT(TEXT), AT(ANSWER), 0, 0, 0), 0);
	assert_memory_equal(text_at(ANSWER), (const uint8_t[24]){ 0 }, 24);
	harness_stop(&h);
}

#endif

/* ----------------------------------------------------------------- sources */

static void put_file(struct base_blob *request, const char *name, const char *text)
{
	struct base_blob items = { 0 };

	base_blob_put_str(&items, TRNC_TAG_NAME, name);
	base_blob_put(&items, TRNC_TAG_SOURCE, text, strlen(text));
	base_blob_put(request, TRNC_TAG_FILE, items.data, items.len);
	base_blob_finish(&items);
}

static void begin_request(struct base_blob *b, const char *source, const char *options, const char *cwd)
{
	*b = (struct base_blob){ 0 };
	base_blob_put_u32(b, TRNC_TAG_OP, TRNC_OP_BUILD);
	base_blob_put(b, TRNC_TAG_SOURCE, source, strlen(source));
	base_blob_put_str(b, TRNC_TAG_OPTIONS, options);
	if (cwd)
		base_blob_put_str(b, TRNC_TAG_CWD, cwd);
}

/* Builds with what was put, and gives the log. */
static uint32_t build(struct base_blob *b, char *log, size_t cap)
{
	struct base_blob_item it;
	uint64_t len = harness_build_blob(&h, harness_handle(&h), b);

	base_blob_finish(b);
	log[0] = '\0';
	if (harness_find(&h, len, TRNC_TAG_LOG, &it))
		snprintf(log, cap, "%s", base_blob_str(&it));
	return harness_find_u32(&h, len, TRNC_TAG_STATUS);
}

/* A header of the host's is one that a program of this machine can include in all of these ways. */
static void test_sources_name_no_files_of_the_host(void **state)
{
	static const struct {
		const char *include, *options;
	} tries[] = {
		{ "\"%s/it.h\"", "" },
		{ "<it.h>", "-I%s" },
		{ "\"it.h\"", "-I /usr/..%s" },
		{ "\"it.h\"", "-I ../../../../../../../../../..%s" },
		{ "\"../../../../../../../../../../..%s/it.h\"", "" },
		{ "\"/proc/self/root%s/it.h\"", "" },
		{ "\"/etc/passwd\"", "" },
	};
	char log[65536], folder[] = "/var/tmp/tranche-test-XXXXXX", path[64], source[512], options[128], include[256];
	struct base_blob b;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/it.h", folder);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("#define IT 1\n", f);
	fclose(f);
	for (int guest = 0; guest <= 1; guest++) {
		harness_start(&h, guest ? TRNC_EXEC_FLAG_GUEST : 0);
		for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
			bool is_fine = !guest && i < sizeof(tries) / sizeof(tries[0]) - 1;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(include, sizeof(include), tries[i].include, folder);
			snprintf(options, sizeof(options), tries[i].options, folder);
#pragma GCC diagnostic pop
			snprintf(source, sizeof(source), "#include %s\nkernel void k(global int *a) { a[0] = IT; }", include);
			begin_request(&b, source, options, NULL);
			if ((build(&b, log, sizeof(log)) == 0) != is_fine)
				fail_msg("%s %s: %s", include, options, log);
			assert_null(strstr(log, "root:"));
		}
		harness_stop(&h);
	}
	unlink(path);
	rmdir(folder);
}

static void test_headers_travel(void **state)
{
	static const char source[] = "#include \"mine.h\"\n#include <there/deep.h>\n#include \"../up.h\"\n"
				     "kernel void k(global int *a) { a[0] = MINE + DEEP + UP; }";
	static const char *const options[] = { "-I /opt/inc", "-I/opt/inc -cl-mad-enable", "-D X=1 -I \"/opt/inc\"",
					       "-I ../../opt/inc", "-D -I -I'/opt/./x/../inc'" };
	char log[65536];
	struct base_blob b;

	(void)state;
	harness_start(&h, TRNC_EXEC_FLAG_GUEST);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (i == 4)
			continue; /* the host's driver takes no such definition; see test_travel.c */
		begin_request(&b, source, options[i], "/home/user");
		put_file(&b, "/home/user/mine.h", "#define MINE 1\n");
		put_file(&b, "/home/up.h", "#define UP 4\n");
		put_file(&b, "/opt/inc/there/deep.h", "#include \"more.h\"\n");
		put_file(&b, "/opt/inc/there/more.h", "#define DEEP 2\n");
		if (build(&b, log, sizeof(log)))
			fail_msg("%s: %s", options[i], log);
	}
	harness_stop(&h);
}

static void test_logs_name_the_guests_files(void **state)
{
	char log[65536];
	struct base_blob b;

	(void)state;
	harness_start(&h, TRNC_EXEC_FLAG_GUEST);
	begin_request(&b, "#include <bad.h>\nkernel void k(void) {}", "-I /opt/inc", "/home/user");
	put_file(&b, "/opt/inc/bad.h", "#error not today\n");
	assert_int_not_equal(build(&b, log, sizeof(log)), 0);
	print_message("%s", log);
	assert_non_null(strstr(log, "/opt/inc/bad.h:1"));
	assert_null(strstr(log, "././"));
	assert_null(strstr(log, getenv("TMPDIR")));
	harness_stop(&h);
}

/* Runs a compile helper of a guest in a folder of its own. *ret: where the host's driver has put the program. */
static void run_helper(const char *folder, const struct base_blob *request, char *ret, size_t cap)
{
	const struct trnc_broker_compile head = { .device = TRNC_BROKER_MAIN };
	const char *path = getenv("TRANCHE_EXECUTOR_PATH");
	int order = memfd_create("tests", 0), status;
	struct base_blob_reader r;
	struct base_blob_item it;
	uint8_t reply[8192];
	uint32_t cl_err = 1;
	ssize_t len;
	pid_t pid;
	glob_t found;
	char pattern[300];

	assert_int_equal(write(order, &head, sizeof(head)), sizeof(head));
	assert_int_equal(write(order, request->data, request->len), request->len);
	pid = fork();
	if (pid == 0) {
		setenv("TMPDIR", folder, 1);
		setenv("POCL_CACHE_DIR", folder, 1);
		setenv(TRNC_EXEC_GUEST, "1", 1);
		dup2(order, TRNC_EXEC_FD);
		execl(path, path, "--build", (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	len = pread(order, reply, sizeof(reply), 0);
	assert_true(len > 0);
	base_blob_reader_init(&r, reply, (size_t)len);
	while (base_blob_next(&r, &it))
		if (it.tag == TRNC_TAG_STATUS)
			assert_true(base_blob_u32(&it, &cl_err));
	assert_int_equal(cl_err, 0);
	close(order);
	snprintf(pattern, sizeof(pattern), "%s/[A-Z][A-Z]/*/program.bc", folder);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	snprintf(ret, cap, "%s", found.gl_pathv[0] + strlen(folder));
	globfree(&found);
}

/* What a helper made is found again by the executor, and by those of other sessions, only if no folder of ours is in it. */
static void test_programs_do_not_tell_where_they_were_made(void **state)
{
	char one[] = "/var/tmp/tranche-test-XXXXXX", two[] = "/var/tmp/tranche-longer-test-XXXXXX", first[300], second[300];
	struct base_blob b;

	(void)state;
	assert_non_null(mkdtemp(one));
	assert_non_null(mkdtemp(two));
	begin_request(&b, "#include <there/it.h>\n#include \"own.h\"\nkernel void k(global int *a) { a[0] = IT + OWN; }",
		      "-I /opt/inc", "/home/user");
	put_file(&b, "/opt/inc/there/it.h", "#define IT 1\n");
	put_file(&b, "/home/user/own.h", "#define OWN 2\n");
	run_helper(one, &b, first, sizeof(first));
	run_helper(two, &b, second, sizeof(second));
	base_blob_finish(&b);
	assert_string_equal(first, second);
	base_rmtree(AT_FDCWD, one);
	base_rmtree(AT_FDCWD, two);
}

static void test_bad_files(void **state)
{
	static const char *const names[] = { "relative.h", "/a/../b.h", "/..", "/", "", "/a/./b.h" };
	struct trnc_program_build p = {
		.context = 1, .request = BLOBS_AT, .reply = REPLY_AT, .reply_cap = BLOB_ROOM,
	};
	struct base_blob b;

	(void)state;
	for (int guest = 1; guest >= 0; guest--) {
		harness_start(&h, guest ? TRNC_EXEC_FLAG_GUEST : 0);
		for (size_t i = 0; i < (guest ? sizeof(names) / sizeof(names[0]) : 1); i++) {
			begin_request(&b, "kernel void k(void) {}", "", NULL);
			put_file(&b, guest ? names[i] : "/fine.h", "");
			memcpy(h.window + BLOBS_AT, b.data, b.len);
			p.program = harness_handle(&h);
			p.request_len = b.len;
			harness_call(&h, TRNC_MSG_PROGRAM_BUILD, &p, sizeof(p), EINVAL, NULL, 0);
			base_blob_finish(&b);
		}
		harness_stop(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_setup_is_checked),
		cmocka_unit_test(test_prepared_for_a_program),
		cmocka_unit_test(test_segments),
#ifdef __x86_64__
		cmocka_unit_test(test_files_of_the_host),
		cmocka_unit_test(test_nothing_to_the_operator), cmocka_unit_test(test_calls),
		cmocka_unit_test(test_nothing_leads_back_to_the_aperture),
#endif
		cmocka_unit_test(test_sources_name_no_files_of_the_host),
		cmocka_unit_test(test_headers_travel),
		cmocka_unit_test(test_logs_name_the_guests_files),
		cmocka_unit_test(test_programs_do_not_tell_where_they_were_made),
		cmocka_unit_test(test_bad_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

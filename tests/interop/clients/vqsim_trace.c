/*
 * Loaded into corosync-vqsim (LD_PRELOAD), writes down all that goes into and comes out of each
 * simulated node, whose votequorum is stock's own code.
 *
 * A node is a process that vqsim forks; it talks to its parent over one socket. A line is
 * "PID TIME_NS KIND ...", in the order in which things happen in that node:
 *
 *   in HEX          a message from the parent
 *   out HEX         a message to the parent
 *   set NS DATA     a timer is set; DATA is 1 when it belongs to the quorum device
 *   due NS DATA     such a timer fires
 *   log TEXT        votes as votequorum counts them
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <qb/qblog.h>
#include <qb/qbloop.h>

#define LINE_LEN_MAX 20000

static int trace = -1;		/* open in nodes alone */
static int node_end = -1;	/* of the socket to the parent */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void put_line(const char *kind, const char *text)
{
	static char line[LINE_LEN_MAX];
	struct timespec now;
	int len;

	if (trace < 0) {
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	len = snprintf(line, sizeof(line), "%d %lld %s %s\n", (int)getpid(),
		       (long long)now.tv_sec * 1000000000LL + now.tv_nsec, kind, text);
	if (len >= (int)sizeof(line) || syscall(SYS_write, trace, line, (size_t)len) != len) {
		abort();
	}
}

static void put_bytes(const char *kind, const unsigned char *bytes, size_t len)
{
	static char text[LINE_LEN_MAX];
	size_t i;

	if (2 * len >= sizeof(text)) {
		abort();
	}
	for (i = 0; i < len; i++) {
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	}
	text[2 * len] = '\0';
	put_line(kind, text);
}

int socketpair(int domain, int type, int protocol, int ends[2])
{
	int result = REAL(socketpair)(domain, type, protocol, ends);

	if (result == 0) {
		node_end = ends[0];
	}
	return result;
}

pid_t fork(void)
{
	const char *path = getenv("VQSIM_TRACE");
	pid_t pid = REAL(fork)();

	if (pid == 0 && path != NULL) {
		trace = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	}
	return pid;
}

ssize_t read(int fd, void *buffer, size_t size)
{
	ssize_t len = REAL(read)(fd, buffer, size);
	int saved = errno;

	if (fd == node_end && len > 0) {
		put_bytes("in", buffer, (size_t)len);
	}
	errno = saved;
	return len;
}

ssize_t write(int fd, const void *buffer, size_t size)
{
	if (fd == node_end) {
		put_bytes("out", buffer, size);
	}
	return REAL(write)(fd, buffer, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	static unsigned char whole[LINE_LEN_MAX / 2];
	size_t len = 0;
	int i;

	if (fd == node_end && trace >= 0) {
		for (i = 0; i < count && len + parts[i].iov_len <= sizeof(whole); i++) {
			memcpy(whole + len, parts[i].iov_base, parts[i].iov_len);
			len += parts[i].iov_len;
		}
		put_bytes("out", whole, len);
	}
	return REAL(writev)(fd, parts, count);
}

struct timer {
	qb_loop_timer_dispatch_fn fire;
	void *data;
	char text[40];
};

static void timer_due(void *data)
{
	struct timer *timer = data;

	put_line("due", timer->text);
	timer->fire(timer->data);
	free(timer);
}

int32_t qb_loop_timer_add(struct qb_loop *loop, enum qb_loop_priority priority, uint64_t nsec,
			  void *data, qb_loop_timer_dispatch_fn fire,
			  qb_loop_timer_handle *handle)
{
	struct timer *timer = malloc(sizeof(*timer));

	if (timer == NULL) {
		abort();
	}
	timer->fire = fire;
	timer->data = data;
	snprintf(timer->text, sizeof(timer->text), "%llu %d", (unsigned long long)nsec,
		 data != NULL);
	put_line("set", timer->text);
	return REAL(qb_loop_timer_add)(loop, priority, nsec, timer, timer_due, handle);
}

struct qb_log_callsite *qb_log_callsite_get2(const char *message_id, const char *function,
					     const char *filename, const char *format,
					     uint8_t priority, uint32_t lineno, uint32_t tags)
{
	static struct qb_log_callsite callsite;

	(void)message_id;
	callsite.function = function;
	callsite.filename = filename;
	callsite.format = format;
	callsite.priority = priority;
	callsite.lineno = lineno;
	callsite.tags = tags;
	return &callsite;
}

void qb_log_real_(struct qb_log_callsite *callsite, ...)
{
	char text[512];
	va_list arguments;

	if (trace < 0 || callsite == NULL || callsite->format == NULL) {
		return;
	}
	va_start(arguments, callsite);
	vsnprintf(text, sizeof(text), callsite->format, arguments);
	va_end(arguments);
	if (strncmp(text, "total_votes=", 12) == 0 ||
	    (strncmp(text, "node ", 5) == 0 && strstr(text, " state=") != NULL)) {
		put_line("log", text);
	}
}

/*
 * CPG client that sends numbered messages of mixed sizes and writes down all it is delivered.
 *
 * order_client GROUP COUNT RATE MEMBERS OUT
 *   joins GROUP, waits until it has MEMBERS members, sends COUNT messages at RATE a second (0: as fast as taken), goes on
 *   delivering until standard input ends, leaves, and ends with 0; with 3 when the daemon went away.
 *
 * Lines of OUT:  D nodeid pid counter crc32 len    a message, its contents checked
 *                C members left joined             a configuration change, each nodeid:pid,...
 *                S n                               at the end: messages the daemon took
 *                B text                            a message that is not what its sender sent
 *                X error                           the daemon went away
 */
#include <corosync/cpg.h>
#include <inttypes.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x43544931u
#define BODY_MAX 65536u
/* 90 s: a daemon that starts may wait long for a processor of a busy machine. */
#define ATTEMPTS 4500
#define ATTEMPT_US 20000

struct header {
	uint32_t magic, nodeid, pid, counter, len, crc;
};

static FILE *out;
static uint32_t crc_table[256];
static size_t group_members;

static void crc_init(void)
{
	for (uint32_t n = 0; n < 256; n++) {
		uint32_t c = n;
		for (int k = 0; k < 8; k++)
			c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
		crc_table[n] = c;
	}
}

static uint32_t crc32_of(const uint8_t *p, size_t len)
{
	uint32_t c = 0xffffffffu;
	while (len--)
		c = crc_table[(c ^ *p++) & 0xff] ^ (c >> 8);
	return c ^ 0xffffffffu;
}

static uint32_t next_random(uint32_t *state)
{
	uint32_t x = *state;
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *state = x;
}

/* Of 200 messages 160 are small, 31 span one to four frames, 8 are of some 10 kB and one is of 60 kB. */
static uint32_t body_len(uint32_t counter, uint32_t r)
{
	uint32_t kind = counter % 200;
	if (kind == 199)
		return 60000 + r % 5000;
	if (kind % 25 == 24)
		return 8000 + r % 4000;
	if (kind % 5 == 4)
		return 1000 + r % 3000;
	return r % 400;
}

static void on_deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t nodeid, uint32_t pid, void *msg, size_t len)
{
	struct header h;
	(void)handle;
	(void)group;
	if (len < sizeof h) {
		fprintf(out, "B short message of %zu bytes from %u:%u\n", len, nodeid, pid);
		return;
	}
	memcpy(&h, msg, sizeof h);
	uint32_t crc = crc32_of((uint8_t *)msg + sizeof h, len - sizeof h);
	if (h.magic != MAGIC || h.nodeid != nodeid || h.pid != pid || h.len != len - sizeof h || h.crc != crc)
		fprintf(out, "B damaged message %u of %zu bytes from %u:%u\n", h.counter, len, nodeid, pid);
	else
		fprintf(out, "D %u %u %u %08x %u\n", nodeid, pid, h.counter, crc, h.len);
}

static void print_members(const struct cpg_address *list, size_t n)
{
	fputc(' ', out);
	if (n == 0)
		fputc('-', out);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%u:%u", i ? "," : "", list[i].nodeid, list[i].pid);
}

static void on_confchg(cpg_handle_t handle, const struct cpg_name *group, const struct cpg_address *members, size_t nmembers,
		       const struct cpg_address *left, size_t nleft, const struct cpg_address *joined, size_t njoined)
{
	(void)handle;
	(void)group;
	group_members = nmembers;
	fputc('C', out);
	print_members(members, nmembers);
	print_members(left, nleft);
	print_members(joined, njoined);
	fputc('\n', out);
	fflush(out);
}

static uint64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static int gone(uint32_t sent, cs_error_t err)
{
	fprintf(out, "X %d\nS %u\n", (int)err, sent);
	fclose(out);
	return 3;
}

/* The daemon may still be starting, or refuse while the ring forms. */
static cs_error_t connect_and_join(cpg_handle_t *handle, struct cpg_name *name)
{
	cpg_callbacks_t callbacks = { on_deliver, on_confchg };
	cs_error_t err = CS_ERR_TRY_AGAIN;
	int attempt = 0;
	for (; attempt < ATTEMPTS; attempt++) {
		err = cpg_initialize(handle, &callbacks);
		if (err == CS_OK)
			break;
		usleep(ATTEMPT_US);
	}
	if (err != CS_OK)
		return err;
	for (; attempt < ATTEMPTS; attempt++) {
		err = cpg_join(*handle, name);
		if (err != CS_ERR_TRY_AGAIN)
			break;
		usleep(ATTEMPT_US);
	}
	return err;
}

int main(int argc, char **argv)
{
	static uint8_t body[BODY_MAX];
	cpg_handle_t handle;
	struct cpg_name name;
	unsigned int nodeid = 0;
	int fd = -1;
	cs_error_t err;

	if (argc != 6) {
		fprintf(stderr, "usage: order_client GROUP COUNT RATE MEMBERS OUT\n");
		return 2;
	}
	uint32_t count = (uint32_t)strtoul(argv[2], NULL, 10);
	uint32_t rate = (uint32_t)strtoul(argv[3], NULL, 10);
	size_t members = strtoul(argv[4], NULL, 10);
	out = fopen(argv[5], "w");
	if (out == NULL) {
		perror(argv[5]);
		return 2;
	}
	crc_init();
	memset(&name, 0, sizeof name);
	name.length = (uint32_t)strlen(argv[1]);
	memcpy(name.value, argv[1], name.length);
	err = connect_and_join(&handle, &name);
	if (err != CS_OK)
		return gone(0, err);
	cpg_local_get(handle, &nodeid);
	cpg_fd_get(handle, &fd);

	uint32_t sent = 0, state = 1;
	uint64_t started = 0;
	int open_stdin = 1, pending = 0;
	struct header h = { MAGIC, nodeid, (uint32_t)getpid(), 0, 0, 0 };
	while (open_stdin) {
		struct pollfd fds[2] = { { fd, POLLIN, 0 }, { 0, POLLIN, 0 } };
		if (started == 0 && group_members >= members)
			started = now_us();
		int may_send = sent < count && started != 0;
		if (may_send && rate)
			may_send = sent < (now_us() - started) * rate / 1000000u;
		poll(fds, 2, may_send ? 0 : 2);
		if (fds[0].revents) {
			err = cpg_dispatch(handle, CS_DISPATCH_ALL);
			if (err != CS_OK && err != CS_ERR_TRY_AGAIN)
				return gone(sent, err);
			fflush(out);
		}
		if (fds[1].revents) {
			char discard[256];
			open_stdin = read(0, discard, sizeof discard) > 0;
		}
		if (!may_send)
			continue;
		if (!pending) {
			h.counter = sent + 1;
			state = (nodeid * 2654435761u + h.counter * 40503u) | 1u;
			next_random(&state);
			h.len = body_len(h.counter, next_random(&state));
			for (uint32_t i = 0; i < h.len; i += 4) {
				uint32_t r = next_random(&state);
				memcpy(body + i, &r, h.len - i < 4 ? h.len - i : 4);
			}
			h.crc = crc32_of(body, h.len);
			pending = 1;
		}
		struct iovec iov[2] = { { &h, sizeof h }, { body, h.len } };
		err = cpg_mcast_joined(handle, CPG_TYPE_AGREED, iov, 2);
		if (err == CS_OK) {
			sent++;
			pending = 0;
		} else if (err == CS_ERR_TRY_AGAIN) {
			usleep(500);
		} else {
			return gone(sent, err);
		}
	}
	fprintf(out, "S %u\n", sent);
	cpg_leave(handle, &name);
	cpg_finalize(handle);
	fclose(out);
	return 0;
}

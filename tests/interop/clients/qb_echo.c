/*
 * A client of libqb for the server's tests: each argument is a step, each step prints a line.
 *
 *   connect[:SIZE]      connect to the service "echo", messages up to SIZE bytes (1 MiB)
 *   refused             connect and print why that fails
 *   retry:MS            connect until that works, at most MS milliseconds
 *   disconnect
 *   echo:LEN:COUNT      COUNT requests of LEN bytes with their responses, compared
 *   oneway:LEN:COUNT    COUNT requests without a response
 *   count               ask how many of those came
 *   events:LEN:COUNT    have COUNT events written, then read and compare them
 *   ask:LEN:COUNT       have COUNT events written, without reading them
 *   read:LEN:COUNT      read and compare COUNT events
 *   flow:LEVEL:MS       have flow control set for MS milliseconds
 *   send:MAX            send a one-way request with that limit of flow control, print the outcome
 *   stall:MS            have the server take no requests for MS milliseconds
 *   sleep:MS
 *   pause               print "paused" and wait to be killed
 *   gone:MS             wait for the server to hang up
 *   churn:COUNT         connect, echo and disconnect, COUNT times
 *   hold:COUNT          COUNT more connections at once, all of them used once, then closed
 *   bench:LEN:COUNT     echo, and print requests a second
 *   flood:LEN:COUNT     oneway then count, and print requests a second
 *   pour:LEN:COUNT      events, and print events a second
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <qb/qbipcc.h>

enum { ECHO = 1, ONEWAY, EVENTS, FLOW, COUNT, STALL };

#define ROOM (4 << 20)

static qb_ipcc_connection_t *conn;
static char out[ROOM];
static char in[ROOM];
static unsigned events_seen;

static void fail(const char *what, long res)
{
	printf("%s: %s (%ld)\n", what, res < 0 ? strerror((int)-res) : "unexpected", res);
	exit(1);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void sleep_ms(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

static void fill(char *body, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++) {
		body[i] = (char)(seed + i * 7);
	}
}

static struct qb_ipc_request_header *request(int id, size_t len)
{
	struct qb_ipc_request_header *header = (void *)out;

	memset(out, 0, sizeof *header);
	header->id = id;
	header->size = (int32_t)len;
	return header;
}

static ssize_t send_all(size_t len)
{
	ssize_t res;

	while ((res = qb_ipcc_send(conn, out, len)) == -EAGAIN) {
		sleep_ms(1);
	}
	return res;
}

static void call(size_t len, size_t expected)
{
	struct qb_ipc_response_header *header = (void *)in;
	ssize_t res = send_all(len);

	if (res != (ssize_t)len) {
		fail("send", res);
	}
	res = qb_ipcc_recv(conn, in, sizeof in, 20000);
	if (res != (ssize_t)expected || header->size != (int32_t)expected || header->error != 1) {
		fail("response", res);
	}
}

static void echo(size_t len, unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		request(ECHO, len);
		fill(out + 16, len - 16, n);
		call(len, len + 8);
		if (memcmp(in + 24, out + 16, len - 16) != 0) {
			fail("echo differs", n);
		}
	}
}

static void oneway(size_t len, unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		ssize_t res;

		request(ONEWAY, len);
		res = send_all(len);
		if (res != (ssize_t)len) {
			fail("oneway", res);
		}
	}
}

static uint32_t counted(void)
{
	uint32_t count;

	request(COUNT, 16);
	call(16, 28);
	memcpy(&count, in + 24, 4);
	return count;
}

static void pair_call(int id, uint32_t first, uint32_t second)
{
	uint32_t pair[2] = { first, second };

	request(id, 24);
	memcpy(out + 16, pair, 8);
	call(24, 24);
}

static void read_events(size_t len, unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		struct qb_ipc_response_header *header = (void *)in;
		ssize_t res = qb_ipcc_event_recv(conn, in, sizeof in, 20000);
		uint32_t number;

		if (res != (ssize_t)len || header->size != (int32_t)len || header->id != 100) {
			fail("event", res);
		}
		memcpy(&number, in + 24, 4);
		fill(out, len - 28, number);
		if (number != events_seen++ || memcmp(in + 28, out, len - 28) != 0) {
			fail("event differs", n);
		}
	}
}

static void connect_or_fail(size_t size)
{
	events_seen = 0;
	conn = qb_ipcc_connect("echo", size);
	if (conn == NULL) {
		fail("connect", -errno);
	}
}

static void churn(unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		connect_or_fail(1 << 20);
		echo(64, 1);
		qb_ipcc_disconnect(conn);
	}
	conn = NULL;
}

static void hold(unsigned count)
{
	qb_ipcc_connection_t *own = conn;
	qb_ipcc_connection_t **all = calloc(count, sizeof *all);

	for (unsigned n = 0; n < count; n++) {
		connect_or_fail(1 << 14);
		all[n] = conn;
	}
	for (unsigned n = 0; n < count; n++) {
		conn = all[n];
		echo(64, 1);
	}
	for (unsigned n = 0; n < count; n++) {
		qb_ipcc_disconnect(all[n]);
	}
	free(all);
	conn = own;
}

static void step(char *text)
{
	char *what = strtok(text, ":");
	char *first = strtok(NULL, ":");
	char *second = strtok(NULL, ":");
	long a = first ? strtol(first, NULL, 0) : 0;
	long b = second ? strtol(second, NULL, 0) : 0;
	double began = now_s();

	if (strcmp(what, "connect") == 0) {
		connect_or_fail(a ? (size_t)a : 1 << 20);
		printf("connected\n");
	} else if (strcmp(what, "refused") == 0) {
		conn = qb_ipcc_connect("echo", 1 << 20);
		printf("refused: %s\n", conn ? "no" : strerror(errno));
	} else if (strcmp(what, "retry") == 0) {
		unsigned again = 0;

		while ((conn = qb_ipcc_connect("echo", 1 << 20)) == NULL) {
			if (errno != EAGAIN || now_s() > began + a / 1e3) {
				fail("retry", -errno);
			}
			again++;
			sleep_ms(10);
		}
		printf("connected %s\n", again ? "after EAGAIN" : "at once");
	} else if (strcmp(what, "disconnect") == 0) {
		qb_ipcc_disconnect(conn);
		conn = NULL;
		printf("disconnected\n");
	} else if (strcmp(what, "echo") == 0) {
		echo((size_t)a, (unsigned)b);
		printf("echo %ld x %ld\n", a, b);
	} else if (strcmp(what, "oneway") == 0) {
		oneway((size_t)a, (unsigned)b);
		printf("oneway %ld x %ld\n", a, b);
	} else if (strcmp(what, "count") == 0) {
		printf("count %u\n", counted());
	} else if (strcmp(what, "events") == 0) {
		pair_call(EVENTS, (uint32_t)a, (uint32_t)b);
		read_events((size_t)a, (unsigned)b);
		printf("events %ld x %ld\n", a, b);
	} else if (strcmp(what, "ask") == 0) {
		pair_call(EVENTS, (uint32_t)a, (uint32_t)b);
		printf("asked %ld x %ld\n", a, b);
	} else if (strcmp(what, "read") == 0) {
		read_events((size_t)a, (unsigned)b);
		printf("read %ld x %ld\n", a, b);
	} else if (strcmp(what, "flow") == 0) {
		pair_call(FLOW, (uint32_t)a, (uint32_t)b);
		sleep_ms(20);
		printf("flow %ld\n", a);
	} else if (strcmp(what, "send") == 0) {
		ssize_t res;

		qb_ipcc_fc_enable_max_set(conn, (uint32_t)a);
		request(ONEWAY, 64);
		res = qb_ipcc_send(conn, out, 64);
		printf("send with limit %ld: %s\n", a, res == 64 ? "sent" : strerror((int)-res));
	} else if (strcmp(what, "stall") == 0) {
		pair_call(STALL, (uint32_t)a, 0);
		printf("stall\n");
	} else if (strcmp(what, "sleep") == 0) {
		sleep_ms(a);
	} else if (strcmp(what, "pause") == 0) {
		printf("paused\n");
		fflush(stdout);
		for (;;) {
			pause();
		}
	} else if (strcmp(what, "gone") == 0) {
		while (qb_ipcc_is_connected(conn) && now_s() < began + a / 1e3) {
			sleep_ms(5);
		}
		printf("gone: %s\n", qb_ipcc_is_connected(conn) ? "no" : "yes");
	} else if (strcmp(what, "churn") == 0) {
		churn((unsigned)a);
		printf("churned %ld\n", a);
		fprintf(stderr, "connects %.0f/s\n", a / (now_s() - began));
	} else if (strcmp(what, "hold") == 0) {
		hold((unsigned)a);
		printf("held %ld\n", a);
		fprintf(stderr, "connections %.0f/s\n", a / (now_s() - began));
	} else if (strcmp(what, "bench") == 0) {
		echo((size_t)a, (unsigned)b);
		printf("bench %ld: %.0f/s\n", a, b / (now_s() - began));
	} else if (strcmp(what, "flood") == 0) {
		uint32_t before = counted();

		began = now_s();
		oneway((size_t)a, (unsigned)b);
		if (counted() - before != (uint32_t)b) {
			fail("flood lost", b);
		}
		printf("flood %ld: %.0f/s\n", a, b / (now_s() - began));
	} else if (strcmp(what, "pour") == 0) {
		pair_call(EVENTS, (uint32_t)a, (uint32_t)b);
		read_events((size_t)a, (unsigned)b);
		printf("pour %ld: %.0f/s\n", a, b / (now_s() - began));
	} else {
		fail(what, -EINVAL);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		step(argv[i]);
	}
	if (conn) {
		qb_ipcc_disconnect(conn);
	}
	return 0;
}

/*
 * What sockets alone move on a bed: messages in one order, GSO on the way out and GRO on the way in, nothing lost.
 *
 * bare_sockets receive PORT [GROUP ADDRESS]        until it is killed; joins the multicast GROUP on the interface of ADDRESS
 * bare_sockets send PORT SIZE SECONDS SEGMENT RECEIVERS DESTINATION...
 *   prints MESSAGES TOOK                           messages that all receivers have
 *
 * The sender copies each message as often as a client and its node do together: into the ring of requests, into the frames
 * to send, into the ring of events, and out of that. A receiver leaves what it got where the kernel put it, as a node
 * without clients. Each superframe begins with its number; receivers say what they have, and the sender keeps a window.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#define SUPERFRAME_MAX_BYTES 65493
#define SLOTS 64
#define WINDOW_SUPERFRAMES 32
#define ACK_EVERY_SUPERFRAMES 8
#define RECEIVERS_MAX 16
#define RING_BYTES (4 << 20)
#define SOCKET_BUFFER_BYTES (32 << 20)

static void check(int outcome, const char *call)
{
	if (outcome >= 0)
		return;
	perror(call);
	exit(3);
}

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = SOCKET_BUFFER_BYTES;
	check(fd, "socket");
	check(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size), "SO_RCVBUFFORCE");
	check(setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size), "SO_SNDBUFFORCE");
	return fd;
}

static struct sockaddr_in address_of(const char *text, int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	if (inet_pton(AF_INET, text, &address.sin_addr) != 1) {
		fprintf(stderr, "%s: no address\n", text);
		exit(2);
	}
	return address;
}

static int receive(int argc, char **argv)
{
	static uint8_t slots[SLOTS][1 << 16];
	int fd = open_socket(), on = 1;
	struct sockaddr_in local = address_of("0.0.0.0", atoi(argv[2])), from;
	uint64_t expected = 0, number;
	check(bind(fd, (struct sockaddr *)&local, sizeof local), "bind");
	check(setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on), "UDP_GRO");
	if (argc == 5) {
		struct ip_mreq group = { address_of(argv[3], 0).sin_addr, address_of(argv[4], 0).sin_addr };
		check(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group), "IP_ADD_MEMBERSHIP");
	}
	for (unsigned slot = 0;; slot = (slot + 1) % SLOTS) {
		socklen_t len = sizeof from;
		ssize_t got = recvfrom(fd, slots[slot], sizeof slots[slot], 0, (struct sockaddr *)&from, &len);
		check((int)got, "recvfrom");
		memcpy(&number, slots[slot], sizeof number);
		if (number == 0)
			expected = 0;
		if (number != expected++) {
			fprintf(stderr, "superframe %lu instead of %lu\n", (unsigned long)number, (unsigned long)expected - 1);
			return 4;
		}
		if (expected % ACK_EVERY_SUPERFRAMES == 0)
			check((int)sendto(fd, &expected, sizeof expected, 0, (struct sockaddr *)&from, len), "sendto");
	}
}

struct link {
	int fd, receivers, destinations;
	struct sockaddr_in to[RECEIVERS_MAX];
	struct { in_addr_t who; uint64_t has; } heard[RECEIVERS_MAX];
	int known;
	uint64_t sent;
	uint8_t *frame;
	size_t frame_len, used;
};

/* What the slowest receiver has; 0 until all have spoken. */
static uint64_t all_have(const struct link *link)
{
	uint64_t least = link->sent;
	if (link->known < link->receivers)
		return 0;
	for (int i = 0; i < link->known; i++)
		if (link->heard[i].has < least)
			least = link->heard[i].has;
	return least;
}

static void hear(struct link *link, int flags)
{
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	uint64_t has;
	int i;
	ssize_t got = recvfrom(link->fd, &has, sizeof has, flags, (struct sockaddr *)&from, &len);
	if (got < 0 && errno == EAGAIN && flags == 0) {
		fprintf(stderr, "receivers are silent\n");
		exit(4);
	}
	if (got < 0)
		return;
	for (i = 0; i < link->known && link->heard[i].who != from.sin_addr.s_addr; i++)
		;
	if (i == link->known && link->known < link->receivers)
		link->heard[link->known++].who = from.sin_addr.s_addr;
	if (i < link->known && has > link->heard[i].has)
		link->heard[i].has = has;
}

static void flush(struct link *link)
{
	while (link->sent - all_have(link) >= WINDOW_SUPERFRAMES)
		hear(link, 0);
	hear(link, MSG_DONTWAIT);
	memcpy(link->frame, &link->sent, sizeof link->sent);
	for (int i = 0; i < link->destinations; i++)
		check((int)sendto(link->fd, link->frame, link->used, 0, (struct sockaddr *)&link->to[i], sizeof link->to[i]),
		      "sendto");
	link->sent++;
	link->used = sizeof link->sent;
}

static void pack(struct link *link, const uint8_t *message, size_t size)
{
	while (size) {
		size_t part = link->frame_len - link->used < size ? link->frame_len - link->used : size;
		memcpy(link->frame + link->used, message, part);
		link->used += part;
		message += part;
		size -= part;
		if (link->used == link->frame_len)
			flush(link);
	}
}

static uint8_t *room(uint8_t *ring, size_t *at, size_t size)
{
	if (*at + size > RING_BYTES)
		*at = 0;
	uint8_t *place = ring + *at;
	*at += size;
	return place;
}

static int send_messages(int argc, char **argv)
{
	static uint8_t source[1 << 20], sink[1 << 20], requests[RING_BYTES], events[RING_BYTES], frame[1 << 16];
	size_t size = (size_t)atol(argv[3]), asked = 0, told = 0;
	double seconds = atof(argv[4]);
	int segment = atoi(argv[5]);
	unsigned long messages = 0;
	struct link link = { .fd = open_socket(), .receivers = atoi(argv[6]), .frame = frame, .used = sizeof(uint64_t) };
	struct timeval patience = { 2, 0 };

	link.frame_len = (size_t)(SUPERFRAME_MAX_BYTES / segment * segment);
	for (int i = 7; i < argc && link.destinations < RECEIVERS_MAX; i++)
		link.to[link.destinations++] = address_of(argv[i], atoi(argv[2]));
	check(setsockopt(link.fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment), "UDP_SEGMENT");
	check(setsockopt(link.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), "SO_RCVTIMEO");
	memset(source, 'x', sizeof source);
	double began = now_s();
	while (now_s() - began < seconds) {
		uint8_t *request = room(requests, &asked, size), *event = room(events, &told, size);
		memcpy(request, source, size);
		pack(&link, request, size);
		memcpy(event, request, size);
		memcpy(sink, event, size);
		messages++;
	}
	while (link.sent % ACK_EVERY_SUPERFRAMES)
		flush(&link);
	while (all_have(&link) < link.sent)
		hear(&link, 0);
	printf("%lu %.6f\n", messages, now_s() - began);
	return sink[0] != 'x';
}

int main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "receive") == 0)
		return receive(argc, argv);
	if (argc >= 8 && strcmp(argv[1], "send") == 0 && atol(argv[3]) > 0 && atol(argv[3]) <= 1 << 20)
		return send_messages(argc, argv);
	return 2;
}

/*
 * Throughput and round trip of a CPG client, with every message's order checked.
 *
 * A message begins and ends with its number among those of its sender. A message that is torn, missing, repeated or out of
 * order ends the program with status 4.
 *
 * cpg_bench GROUP
 *   joins GROUP, reads lines from standard input, answers each with one line:
 *   members COUNT             COUNT                       waits until the group has so many members
 *   flood SIZE WARM SECONDS   COUNTED TOOK SENT CPU_S     sends as fast as the daemon takes messages; COUNTED were delivered
 *                                                         to us in TOOK seconds after the first WARM; SENT and the processor
 *                                                         time are of the whole flood, until our last message is delivered
 *   pace SIZE RATE SECONDS    SENT TOOK                   sends RATE messages a second
 *   trip SIZE COUNT SECONDS   p50 p99 p99.9 TRIPS         one message at a time, microseconds; ends at COUNT or at SECONDS
 *   connect COUNT             CONNECTS TOOK               connections made and closed, one after the other
 */
#include <corosync/cpg.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SIZE_MIN_BYTES 16
#define SIZE_MAX_BYTES (1 << 20)
#define TRIPS_MAX 100000
#define SENDERS_MAX 64
#define COUNTED_MIN 2
#define PATIENCE 20
#define PACE_TICK_S 200e-6

enum phase { QUIET, COUNTING, TRIPPING };

static cpg_handle_t handle;
static unsigned self;
static uint8_t body[SIZE_MAX_BYTES];
static uint64_t sent;

/* The dispatching thread writes these. */
static struct { uint64_t next; int known; } senders[SENDERS_MAX];
static atomic_ulong own;
static atomic_ulong counted;
static atomic_uint members;
static double first_s, last_s;
static sem_t arrived;

static atomic_int phase;

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void check_order(uint32_t nodeid, const uint8_t *msg, size_t len)
{
	uint64_t head, tail;
	if (nodeid >= SENDERS_MAX || len < SIZE_MIN_BYTES) {
		fprintf(stderr, "%zu bytes of node %u: not ours\n", len, nodeid);
		exit(4);
	}
	memcpy(&head, msg, sizeof head);
	memcpy(&tail, msg + len - sizeof tail, sizeof tail);
	if (head != tail || (senders[nodeid].known && head != senders[nodeid].next)) {
		fprintf(stderr, "node %u: message %lu ends as %lu, wanted %lu\n", nodeid, (unsigned long)head,
			(unsigned long)tail, (unsigned long)senders[nodeid].next);
		exit(4);
	}
	senders[nodeid].known = 1;
	senders[nodeid].next = head + 1;
}

static void on_deliver(cpg_handle_t h, const struct cpg_name *g, uint32_t nodeid, uint32_t pid, void *msg, size_t len)
{
	(void)h, (void)g, (void)pid;
	check_order(nodeid, msg, len);
	int now = atomic_load_explicit(&phase, memory_order_acquire);
	if (now == COUNTING) {
		last_s = now_s();
		if (first_s == 0)
			first_s = last_s;
		else
			atomic_fetch_add_explicit(&counted, 1, memory_order_release);
	} else if (now == TRIPPING) {
		last_s = now_s();
	}
	if (nodeid == self) {
		atomic_fetch_add_explicit(&own, 1, memory_order_release);
		if (now == TRIPPING)
			sem_post(&arrived);
	}
}

static void on_confchg(cpg_handle_t h, const struct cpg_name *g, const struct cpg_address *m, size_t nm,
		       const struct cpg_address *l, size_t nl, const struct cpg_address *j, size_t nj)
{
	(void)h, (void)g, (void)m, (void)l, (void)nl, (void)j, (void)nj;
	atomic_store(&members, (unsigned)nm);
}

static void *dispatch(void *unused)
{
	cpg_dispatch(handle, CS_DISPATCH_BLOCKING);
	return unused;
}

static void wait_for_members(unsigned wanted)
{
	while (atomic_load(&members) < wanted)
		usleep(200);
	printf("%u\n", wanted);
}

/* Give 1 when the daemon took the message, 0 when it said try again. */
static int send_one(size_t size)
{
	struct iovec iov = { body, size };
	memcpy(body, &sent, sizeof sent);
	memcpy(body + size - sizeof sent, &sent, sizeof sent);
	cs_error_t err = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &iov, 1);
	if (err != CS_OK && err != CS_ERR_TRY_AGAIN) {
		fprintf(stderr, "cpg_mcast_joined: error %d\n", (int)err);
		exit(3);
	}
	sent += err == CS_OK;
	return err == CS_OK;
}

static void wait_for_own(void)
{
	while (atomic_load_explicit(&own, memory_order_acquire) < sent)
		usleep(500);
}

static void send_until(size_t size, double end_s)
{
	while (now_s() < end_s)
		if (!send_one(size))
			usleep(50);
}

static void flood(size_t size, double warm_s, double seconds)
{
	uint64_t before = sent;
	double cpu_before = cpu_s();
	send_until(size, now_s() + warm_s);
	first_s = last_s = 0;
	atomic_store(&counted, 0);
	double began = now_s();
	atomic_store_explicit(&phase, COUNTING, memory_order_release);
	send_until(size, began + seconds);
	while (atomic_load(&counted) < COUNTED_MIN && now_s() < began + seconds * PATIENCE)
		send_until(size, now_s() + 0.01);
	atomic_store_explicit(&phase, QUIET, memory_order_release);
	usleep(100);
	unsigned long got = atomic_load_explicit(&counted, memory_order_acquire);
	double took = last_s - first_s;
	wait_for_own();
	printf("%lu %.6f %lu %.6f\n", got, took, (unsigned long)(sent - before), cpu_s() - cpu_before);
}

static void pace(size_t size, double rate, double seconds)
{
	uint64_t before = sent;
	double began = now_s(), past = 0;
	while (past < seconds) {
		if ((double)(sent - before) >= rate * past || !send_one(size)) {
			struct timespec tick = { 0, (long)(PACE_TICK_S * 1e9) };
			nanosleep(&tick, NULL);
		}
		past = now_s() - began;
	}
	printf("%lu %.6f\n", (unsigned long)(sent - before), past);
	wait_for_own();
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void trip(size_t size, unsigned wanted, double seconds)
{
	static double took[TRIPS_MAX];
	unsigned count = 0;
	double end = now_s() + seconds;
	wait_for_own();
	atomic_store(&phase, TRIPPING);
	while (count == 0 || (count < wanted && count < TRIPS_MAX && now_s() < end)) {
		double began = now_s();
		while (!send_one(size))
			sched_yield();
		while (sem_wait(&arrived))
			;
		took[count++] = last_s - began;
	}
	atomic_store(&phase, QUIET);
	qsort(took, count, sizeof took[0], by_size);
	printf("%.1f %.1f %.1f %u\n", took[count / 2] * 1e6, took[(size_t)(count * 0.99)] * 1e6,
	       took[(size_t)(count * 0.999)] * 1e6, count);
}

static void connects(unsigned count)
{
	cpg_callbacks_t callbacks = { on_deliver, on_confchg };
	double began = now_s();
	for (unsigned i = 0; i < count; i++) {
		cpg_handle_t one;
		while (cpg_initialize(&one, &callbacks) != CS_OK)
			usleep(1000);
		cpg_finalize(one);
	}
	printf("%u %.4f\n", count, now_s() - began);
}

static int answer(const char *line)
{
	unsigned long size, count;
	double rate, seconds;

	if (sscanf(line, "members %lu", &count) == 1)
		wait_for_members((unsigned)count);
	else if (sscanf(line, "connect %lu", &count) == 1)
		connects((unsigned)count);
	else if (sscanf(line, "%*s %lu", &size) != 1 || size < SIZE_MIN_BYTES || size > sizeof body)
		return 0;
	else if (sscanf(line, "flood %lu %lf %lf", &size, &rate, &seconds) == 3)
		flood(size, rate, seconds);
	else if (sscanf(line, "pace %lu %lf %lf", &size, &rate, &seconds) == 3)
		pace(size, rate, seconds);
	else if (sscanf(line, "trip %lu %lu %lf", &size, &count, &seconds) == 3)
		trip(size, (unsigned)count, seconds);
	else
		return 0;
	return 1;
}

int main(int argc, char **argv)
{
	cpg_callbacks_t callbacks = { on_deliver, on_confchg };
	struct cpg_name name = { 0 };
	pthread_t thread;
	char line[256];

	if (argc != 2)
		return 2;
	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (uint8_t)(i * 2654435761u >> 13);
	sem_init(&arrived, 0, 0);
	while (cpg_initialize(&handle, &callbacks) != CS_OK)
		usleep(20000);
	while (cpg_local_get(handle, &self) != CS_OK)
		usleep(20000);
	name.length = (uint32_t)strlen(argv[1]);
	memcpy(name.value, argv[1], name.length);
	while (cpg_join(handle, &name) != CS_OK)
		usleep(20000);
	pthread_create(&thread, NULL, dispatch, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof line, stdin))
		if (!answer(line))
			return 2;
	return 0;
}

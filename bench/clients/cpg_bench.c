/*
 * Throughput and round trip of one CPG client that hears itself.
 *
 * cpg_bench GROUP
 *   reads lines from standard input, answers each with one line:
 *   flood SIZE SECONDS      messages SECONDS        delivered back to us in that time, as fast as the daemon takes them
 *   trip SIZE COUNT         p50_us p99_us           one message at a time
 *   connect COUNT           CONNECTS SECONDS        connections made and closed, one after the other
 */
#include <corosync/cpg.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SIZE_MAX_BYTES (1 << 20)
#define TRIPS_MAX 100000

static cpg_handle_t handle;
static atomic_ulong delivered;
static atomic_int joined;
static uint8_t body[SIZE_MAX_BYTES];

static void on_deliver(cpg_handle_t h, const struct cpg_name *g, uint32_t nodeid, uint32_t pid, void *msg, size_t len)
{
	(void)h, (void)g, (void)nodeid, (void)pid, (void)msg, (void)len;
	atomic_fetch_add(&delivered, 1);
}

static void on_confchg(cpg_handle_t h, const struct cpg_name *g, const struct cpg_address *m, size_t nm,
		       const struct cpg_address *l, size_t nl, const struct cpg_address *j, size_t nj)
{
	(void)h, (void)g, (void)m, (void)nm, (void)l, (void)nl, (void)j, (void)nj;
	atomic_store(&joined, 1);
}

static void *dispatch(void *unused)
{
	cpg_dispatch(handle, CS_DISPATCH_BLOCKING);
	return unused;
}

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Give 1 when the daemon took the message, 0 when it said try again. */
static int send_one(size_t size)
{
	struct iovec iov = { body, size };
	cs_error_t err = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &iov, 1);
	if (err != CS_OK && err != CS_ERR_TRY_AGAIN) {
		fprintf(stderr, "cpg_mcast_joined: error %d\n", (int)err);
		exit(3);
	}
	return err == CS_OK;
}

static void flood(size_t size, double seconds)
{
	unsigned long sent = atomic_load(&delivered);
	unsigned long first = sent;
	double began = now_s();
	while (now_s() - began < seconds) {
		if (send_one(size))
			sent++;
		else
			usleep(50);
	}
	unsigned long got = atomic_load(&delivered) - first;
	double took = now_s() - began;
	while (atomic_load(&delivered) < sent)
		usleep(1000);
	printf("%lu %.4f\n", got, took);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void trip(size_t size, unsigned count)
{
	static double took[TRIPS_MAX];
	if (count > TRIPS_MAX)
		count = TRIPS_MAX;
	for (unsigned i = 0; i < count; i++) {
		unsigned long wanted = atomic_load(&delivered) + 1;
		double began = now_s();
		while (!send_one(size))
			;
		while (atomic_load(&delivered) < wanted)
			sched_yield();
		took[i] = now_s() - began;
	}
	qsort(took, count, sizeof took[0], by_size);
	printf("%.1f %.1f\n", took[count / 2] * 1e6, took[count * 99 / 100] * 1e6);
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

int main(int argc, char **argv)
{
	cpg_callbacks_t callbacks = { on_deliver, on_confchg };
	struct cpg_name name = { 0 };
	pthread_t thread;
	char line[128];
	unsigned long size, count;
	double seconds;

	if (argc != 2)
		return 2;
	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (uint8_t)(i * 2654435761u >> 13);
	while (cpg_initialize(&handle, &callbacks) != CS_OK)
		usleep(20000);
	name.length = (uint32_t)strlen(argv[1]);
	memcpy(name.value, argv[1], name.length);
	while (cpg_join(handle, &name) != CS_OK)
		usleep(20000);
	pthread_create(&thread, NULL, dispatch, NULL);
	while (!atomic_load(&joined))
		usleep(1000);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof line, stdin)) {
		if (sscanf(line, "flood %lu %lf", &size, &seconds) == 2 && size <= sizeof body)
			flood(size, seconds);
		else if (sscanf(line, "trip %lu %lu", &size, &count) == 2 && size <= sizeof body)
			trip(size, (unsigned)count);
		else if (sscanf(line, "connect %lu", &count) == 1)
			connects((unsigned)count);
		else
			return 2;
	}
	return 0;
}

/*
 * Counters of the ring, and listing of many keys of the configuration map, as corosync-cmapctl does it.
 *
 * cmap_bench
 *   reads lines from standard input, answers each with one line:
 *   fill COUNT      KEYS SECONDS        sets bench.key.N to N
 *   list            KEYS SECONDS        iterates over bench. and gets every value
 *   counters        ROTATIONS FRAMES RETRANSMITS    tokens this node received, frames it sent and sent again, since its start
 */
#include <corosync/cmap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static cmap_handle_t handle, stats;

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(cs_error_t err, const char *call)
{
	if (err == CS_OK)
		return;
	fprintf(stderr, "%s: error %d\n", call, (int)err);
	exit(3);
}

static void fill(unsigned count)
{
	char key[CMAP_KEYNAME_MAXLEN + 1];
	double began = now_s();
	for (unsigned i = 0; i < count; i++) {
		snprintf(key, sizeof key, "bench.key.%u", i);
		check(cmap_set_uint32(handle, key, i), "cmap_set_uint32");
	}
	printf("%u %.4f\n", count, now_s() - began);
}

static void list(void)
{
	char key[CMAP_KEYNAME_MAXLEN + 1];
	cmap_iter_handle_t iter;
	cmap_value_types_t type;
	size_t len;
	uint32_t value;
	unsigned count = 0;
	double began = now_s();
	check(cmap_iter_init(handle, "bench.", &iter), "cmap_iter_init");
	while (cmap_iter_next(handle, iter, key, &len, &type) == CS_OK) {
		check(cmap_get_uint32(handle, key, &value), "cmap_get_uint32");
		count++;
	}
	check(cmap_iter_finalize(handle, iter), "cmap_iter_finalize");
	printf("%u %.4f\n", count, now_s() - began);
}

static unsigned long counter(const char *key)
{
	uint64_t value;
	check(cmap_get_uint64(stats, key, &value), key);
	return (unsigned long)value;
}

int main(void)
{
	char line[128];
	unsigned count;

	while (cmap_initialize(&handle) != CS_OK)
		usleep(20000);
	while (cmap_initialize_map(&stats, CMAP_MAP_STATS) != CS_OK)
		usleep(20000);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof line, stdin)) {
		if (sscanf(line, "fill %u", &count) == 1)
			fill(count);
		else if (strcmp(line, "list\n") == 0)
			list();
		else if (strcmp(line, "counters\n") == 0)
			printf("%lu %lu %lu\n", counter("stats.srp.orf_token_rx"), counter("stats.srp.mcast_tx"),
			       counter("stats.srp.mcast_retx"));
		else
			return 2;
	}
	return 0;
}

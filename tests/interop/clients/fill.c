/*
 * Sends messages that are made of one byte, and looks at all that it is delivered.
 *
 * fill GROUP MEMBERS
 *   says "ready" when so many are in the group; reads lines from standard input:
 *   send SIZE COUNT        sends, as fast as the daemon takes them
 *   wait COUNT             says "got COUNT" when so many messages were delivered since the start
 *   Ends with 4 when a message holds anything else, with 3 when the daemon went away.
 */
#include <corosync/cpg.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARK 0xC5
#define SIZE_MAX_BYTES 1000000
#define PAUSE_US 50

static cpg_handle_t handle;
static atomic_ulong delivered;
static atomic_ulong members;
static uint8_t body[SIZE_MAX_BYTES];

static void on_deliver(cpg_handle_t h, const struct cpg_name *group, uint32_t nodeid, uint32_t pid, void *message,
		       size_t len)
{
	(void)h, (void)group, (void)nodeid, (void)pid;
	if (len > sizeof body || memcmp(message, body, len) != 0) {
		fprintf(stderr, "a message of %zu bytes is not as it was sent\n", len);
		exit(4);
	}
	atomic_fetch_add(&delivered, 1);
}

static void on_confchg(cpg_handle_t h, const struct cpg_name *group, const struct cpg_address *member, size_t count,
		       const struct cpg_address *left, size_t lefts, const struct cpg_address *joined, size_t joineds)
{
	(void)h, (void)group, (void)member, (void)left, (void)lefts, (void)joined, (void)joineds;
	atomic_store(&members, count);
}

static void *dispatch(void *unused)
{
	if (cpg_dispatch(handle, CS_DISPATCH_BLOCKING) != CS_OK)
		exit(3);
	return unused;
}

static void send_all(size_t size, unsigned long count)
{
	struct iovec iov = { body, size };
	while (count) {
		cs_error_t err = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &iov, 1);
		if (err == CS_OK)
			count--;
		else if (err == CS_ERR_TRY_AGAIN)
			usleep(PAUSE_US);
		else
			exit(3);
	}
}

int main(int argc, char **argv)
{
	cpg_callbacks_t callbacks = { on_deliver, on_confchg };
	struct cpg_name name = { 0 };
	pthread_t thread;
	char line[128];
	unsigned long size, count;

	if (argc != 3)
		return 2;
	memset(body, MARK, sizeof body);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (cpg_initialize(&handle, &callbacks) != CS_OK)
		usleep(PAUSE_US);
	name.length = (uint32_t)strlen(argv[1]);
	memcpy(name.value, argv[1], name.length);
	while (cpg_join(handle, &name) != CS_OK)
		usleep(PAUSE_US);
	pthread_create(&thread, NULL, dispatch, NULL);
	while (atomic_load(&members) < strtoul(argv[2], NULL, 10))
		usleep(PAUSE_US);
	puts("ready");
	while (fgets(line, sizeof line, stdin)) {
		if (sscanf(line, "send %lu %lu", &size, &count) == 2 && size <= sizeof body) {
			send_all(size, count);
		} else if (sscanf(line, "wait %lu", &count) == 1) {
			while (atomic_load(&delivered) < count)
				usleep(PAUSE_US);
			printf("got %lu\n", count);
		} else {
			return 2;
		}
	}
	return 0;
}

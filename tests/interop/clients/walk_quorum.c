/*
 * Walks libquorum: every function and both models, with good and bad parameters.
 */
#include <corosync/corotypes.h>
#include <corosync/quorum.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "walk.h"

#define EVENT_MS 5000
#define QUIET_MS 200

static quorum_handle_t expected;

static void print_nodes(const char *what, const uint32_t *list, uint32_t count)
{
	uint32_t i;

	printf(" %s", what);
	for (i = 0; i < count; i++)
		printf(" %u", list[i]);
}

static const char *whose(quorum_handle_t handle)
{
	return handle == expected ? "" : " of another handle";
}

static void on_quorum(quorum_handle_t handle, uint32_t quorate, uint64_t ring_seq, uint32_t count, uint32_t *view)
{
	printf("  quorum%s: quorate %u, seq %s,", whose(handle), quorate, ring_seq ? "given" : "none");
	print_nodes("view", view, count);
	printf("\n");
}

static void on_quorum_v1(quorum_handle_t handle, uint32_t quorate, struct quorum_ring_id ring, uint32_t count,
			 const uint32_t *view)
{
	printf("  quorum%s: quorate %u, ring of %u, seq %s,", whose(handle), quorate, ring.nodeid,
	       ring.seq ? "given" : "none");
	print_nodes("view", view, count);
	printf("\n");
}

static void on_nodelist(quorum_handle_t handle, struct quorum_ring_id ring, uint32_t members, const uint32_t *member,
			uint32_t joineds, const uint32_t *joined, uint32_t lefts, const uint32_t *left)
{
	printf("  nodelist%s: ring of %u, seq %s,", whose(handle), ring.nodeid, ring.seq ? "given" : "none");
	print_nodes("members", member, members);
	print_nodes("joined", joined, joineds);
	print_nodes("left", left, lefts);
	printf("\n");
}

static int readable(quorum_handle_t handle, int wait_ms)
{
	struct pollfd ready = { .fd = -1, .events = POLLIN };
	int fd;

	if (quorum_fd_get(handle, &fd) != CS_OK)
		return 0;
	ready.fd = fd;
	return poll(&ready, 1, wait_ms) == 1;
}

static void events(quorum_handle_t handle)
{
	cs_error_t err = CS_OK;

	expected = handle;
	while (err == CS_OK && readable(handle, QUIET_MS))
		err = quorum_dispatch(handle, CS_DISPATCH_ALL);
	if (err != CS_OK)
		step("dispatch", err);
	fflush(stdout);
}

static void bad_handles(void)
{
	const void *const_context;
	int fd, quorate;

	step("bad handle, fd_get", quorum_fd_get(BAD_HANDLE, &fd));
	step("bad handle, getquorate", quorum_getquorate(BAD_HANDLE, &quorate));
	step("bad handle, trackstart", quorum_trackstart(BAD_HANDLE, CS_TRACK_CHANGES));
	step("bad handle, trackstop", quorum_trackstop(BAD_HANDLE));
	step("bad handle, context_set", quorum_context_set(BAD_HANDLE, &fd));
	step("bad handle, context_get", quorum_context_get(BAD_HANDLE, &const_context));
	step("bad handle, dispatch", quorum_dispatch(BAD_HANDLE, CS_DISPATCH_ALL));
	step("bad handle, finalize", quorum_finalize(BAD_HANDLE));
}

static void functions(void)
{
	quorum_callbacks_t callbacks = { on_quorum };
	const void *context = NULL;
	quorum_handle_t handle;
	uint32_t type = 99;
	int fd = -1, quorate = 99;

	STEP("initialize without callbacks", quorum_initialize(&handle, NULL, &type));
	printf("type %u\n", type);
	step("trackstart without callbacks", quorum_trackstart(handle, CS_TRACK_CURRENT));
	events(handle);
	step("finalize", quorum_finalize(handle));
	STEP("initialize", quorum_initialize(&handle, &callbacks, &type));
	step("fd_get", quorum_fd_get(handle, &fd));
	printf("fd is %s\n", fd >= 0 ? "given" : "missing");
	step("context_set", quorum_context_set(handle, &fd));
	step("context_get", quorum_context_get(handle, &context));
	printf("context is %s\n", context == &fd ? "ours" : "another");
	STEP("getquorate", quorum_getquorate(handle, &quorate));
	printf("quorate %d\n", quorate);
	step("dispatch all of nothing", quorum_dispatch(handle, CS_DISPATCH_ALL));
	step("dispatch one of nothing", quorum_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING));
	step("finalize", quorum_finalize(handle));
	step("finalize again", quorum_finalize(handle));
	step("getquorate after finalize", quorum_getquorate(handle, &quorate));
}

static void tracking(quorum_handle_t handle)
{
	static const unsigned int flags[] = { 0, CS_TRACK_CURRENT, CS_TRACK_CHANGES_ONLY, CS_TRACK_CHANGES,
					      CS_TRACK_CURRENT | CS_TRACK_CHANGES, 8, 0xffffffff };
	unsigned int i;

	step("trackstop before trackstart", quorum_trackstop(handle));
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		printf("flags %x\n", flags[i]);
		step("trackstart", quorum_trackstart(handle, flags[i]));
		events(handle);
		step("trackstart again", quorum_trackstart(handle, flags[i]));
		events(handle);
		step("trackstop", quorum_trackstop(handle));
		step("trackstop again", quorum_trackstop(handle));
	}
	step("trackstart", quorum_trackstart(handle, CS_TRACK_CHANGES));
	expected = handle;
	readable(handle, EVENT_MS);
	step("dispatch one", quorum_dispatch(handle, CS_DISPATCH_ONE));
	step("dispatch the rest", quorum_dispatch(handle, CS_DISPATCH_ALL));
}

static void models(void)
{
	quorum_model_v0_data_t v0 = { .model = QUORUM_MODEL_V0, .quorum_notify_fn = on_quorum };
	quorum_model_v1_data_t v1 = {
		.model = QUORUM_MODEL_V1, .quorum_notify_fn = on_quorum_v1, .nodelist_notify_fn = on_nodelist
	};
	quorum_model_v1_data_t empty = { .model = QUORUM_MODEL_V1 };
	quorum_handle_t handle;
	const void *context = NULL;
	uint32_t type = 99;

	step("unknown model", quorum_model_initialize(&handle, 2, (quorum_model_data_t *)&v1, &type, NULL));
	STEP("model 0", quorum_model_initialize(&handle, QUORUM_MODEL_V0, (quorum_model_data_t *)&v0, &type, &type));
	printf("type %u\n", type);
	step("context_get", quorum_context_get(handle, &context));
	printf("context is %s\n", context == &type ? "ours" : "another");
	tracking(handle);
	step("finalize while tracking", quorum_finalize(handle));
	STEP("model 1", quorum_model_initialize(&handle, QUORUM_MODEL_V1, (quorum_model_data_t *)&v1, &type, NULL));
	printf("type %u\n", type);
	tracking(handle);
	step("finalize while tracking", quorum_finalize(handle));
	STEP("model 1, no callbacks",
	     quorum_model_initialize(&handle, QUORUM_MODEL_V1, (quorum_model_data_t *)&empty, &type, NULL));
	step("trackstart", quorum_trackstart(handle, CS_TRACK_CURRENT));
	events(handle);
	step("finalize", quorum_finalize(handle));
	STEP("model 1, no data", quorum_model_initialize(&handle, QUORUM_MODEL_V1, NULL, &type, NULL));
	step("finalize", quorum_finalize(handle));
}

int main(void)
{
	bad_handles();
	functions();
	models();
	return 0;
}

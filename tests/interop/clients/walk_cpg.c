/*
 * Walks libcpg: every function, with good and bad parameters, in and out of a group, with other
 * processes that come, leave and die.
 */
#include <corosync/cpg.h>
#include <corosync/corotypes.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "walk.h"

#define EVENT_MS 10000
#define QUIET_MS 200
#define LARGE (3 * 1000 * 1000)

static pid_t child;
static unsigned char *large;
static unsigned int deliveries, confchgs, rings;
static int silent;
static uint32_t silent_sum;

static const char *who(uint32_t pid)
{
	if (pid == 0)
		return "nobody";
	if (pid == (uint32_t)getpid())
		return "me";
	return child && pid == (uint32_t)child ? "child" : "other";
}

static void print_name(const struct cpg_name *name)
{
	uint32_t i;

	for (i = 0; i < name->length; i++)
		printf(name->value[i] >= ' ' && name->value[i] < 127 ? "%c" : "\\%02x", (unsigned char)name->value[i]);
}

/* Lists are in the order of pids, and a child's may be the smaller one: the walk itself is printed first. */
static void print_list(const char *what, const struct cpg_address *list, size_t count)
{
	const char *comma = "";
	size_t i, turn;

	printf(" %s[", what);
	for (turn = 0; turn < 2; turn++)
		for (i = 0; i < count; i++)
			if ((list[i].pid == (uint32_t)getpid()) == (turn == 0)) {
				printf("%s%u %s %u", comma, list[i].nodeid, who(list[i].pid), list[i].reason);
				comma = ", ";
			}
	printf("]");
}

static uint32_t sum_of(const unsigned char *data, size_t len)
{
	uint32_t sum = 2166136261u;
	size_t i;

	for (i = 0; i < len; i++)
		sum = (sum ^ data[i]) * 16777619u;
	return sum;
}

static void on_deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t nodeid, uint32_t pid,
		       void *msg, size_t len)
{
	(void)handle;
	deliveries++;
	if (silent) {
		silent_sum = silent_sum * 31 + sum_of(msg, len);
		return;
	}
	printf("  deliver ");
	print_name(group);
	printf(" from %u %s: %zu bytes, sum %08x\n", nodeid, who(pid), len, sum_of(msg, len));
}

static void on_confchg(cpg_handle_t handle, const struct cpg_name *group, const struct cpg_address *members,
		       size_t members_count, const struct cpg_address *left, size_t left_count,
		       const struct cpg_address *joined, size_t joined_count)
{
	(void)handle;
	confchgs++;
	printf("  confchg ");
	print_name(group);
	print_list("members", members, members_count);
	print_list("left", left, left_count);
	print_list("joined", joined, joined_count);
	printf("\n");
}

static void on_ring(cpg_handle_t handle, struct cpg_ring_id ring, uint32_t count, const uint32_t *members)
{
	uint32_t i;

	(void)handle;
	rings++;
	printf("  ring of %u, seq %s:", ring.nodeid, ring.seq ? "given" : "none");
	for (i = 0; i < count; i++)
		printf(" %u", members[i]);
	printf("\n");
}

static struct cpg_name name_of(const char *text)
{
	struct cpg_name name = { .length = strlen(text) };

	memcpy(name.value, text, name.length);
	return name;
}

static struct cpg_name long_name(void)
{
	struct cpg_name name;

	memset(name.value, 'n', sizeof(name.value));
	name.length = sizeof(name.value) + 1;
	return name;
}

static int readable(cpg_handle_t handle, int wait_ms)
{
	struct pollfd ready = { .fd = -1, .events = POLLIN };
	int fd;

	if (cpg_fd_get(handle, &fd) != CS_OK)
		return 0;
	ready.fd = fd;
	return poll(&ready, 1, wait_ms) == 1;
}

/* Dispatch until so many events of a kind came, then what comes in a quiet moment. */
static void await(cpg_handle_t handle, unsigned int *counter, unsigned int count)
{
	cs_error_t err = CS_OK;

	*counter = 0;
	while (err == CS_OK && *counter < count && readable(handle, EVENT_MS))
		err = cpg_dispatch(handle, CS_DISPATCH_ALL);
	while (err == CS_OK && readable(handle, QUIET_MS))
		err = cpg_dispatch(handle, CS_DISPATCH_ALL);
	if (err != CS_OK || *counter != count)
		printf("  %u of %u events, dispatch %d\n", *counter, count, (int)err);
	fflush(stdout);
}

static cpg_handle_t client(uint32_t flags)
{
	cpg_model_v1_data_t data = {
		.model = CPG_MODEL_V1,
		.cpg_deliver_fn = on_deliver,
		.cpg_confchg_fn = on_confchg,
		.cpg_totem_confchg_fn = on_ring,
		.flags = flags,
	};
	cpg_handle_t handle = 0;
	cs_error_t err;

	AGAIN(err, cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&data, NULL));
	if (err != CS_OK)
		step("cpg_model_initialize", err);
	return handle;
}

static cs_error_t send_bytes(cpg_handle_t handle, cpg_guarantee_t guarantee, const void *data, size_t len)
{
	struct iovec piece = { .iov_base = (void *)data, .iov_len = len };

	return cpg_mcast_joined(handle, guarantee, &piece, 1);
}

static void bad_handles(void)
{
	struct cpg_name group = name_of("walk");
	struct cpg_address members[CPG_MEMBERS_MAX];
	struct cpg_iteration_description_t entry;
	static char space[256];
	cpg_flow_control_state_t state;
	cpg_iteration_handle_t iteration;
	unsigned int nodeid;
	uint32_t size;
	void *pointer;
	int count, fd;

	step("bad handle, fd_get", cpg_fd_get(BAD_HANDLE, &fd));
	step("bad handle, max_atomic_msgsize_get", cpg_max_atomic_msgsize_get(BAD_HANDLE, &size));
	step("bad handle, context_get", cpg_context_get(BAD_HANDLE, &pointer));
	step("bad handle, context_set", cpg_context_set(BAD_HANDLE, NULL));
	step("bad handle, dispatch", cpg_dispatch(BAD_HANDLE, CS_DISPATCH_ALL));
	step("bad handle, join", cpg_join(BAD_HANDLE, &group));
	step("bad handle, leave", cpg_leave(BAD_HANDLE, &group));
	step("bad handle, mcast_joined", send_bytes(BAD_HANDLE, CPG_TYPE_AGREED, "x", 1));
	step("bad handle, membership_get", cpg_membership_get(BAD_HANDLE, &group, members, &count));
	step("bad handle, local_get", cpg_local_get(BAD_HANDLE, &nodeid));
	step("bad handle, flow_control_state_get", cpg_flow_control_state_get(BAD_HANDLE, &state));
	step("bad handle, zcb_alloc", cpg_zcb_alloc(BAD_HANDLE, 100, &pointer));
	step("bad handle, zcb_free", cpg_zcb_free(BAD_HANDLE, space + 128));
	step("bad handle, zcb_mcast_joined", cpg_zcb_mcast_joined(BAD_HANDLE, CPG_TYPE_AGREED, space + 128, 1));
	step("bad handle, iteration_initialize",
	     cpg_iteration_initialize(BAD_HANDLE, CPG_ITERATION_ALL, NULL, &iteration));
	step("bad handle, iteration_next", cpg_iteration_next(BAD_HANDLE, &entry));
	step("bad handle, iteration_finalize", cpg_iteration_finalize(BAD_HANDLE));
	step("bad handle, finalize", cpg_finalize(BAD_HANDLE));
}

static void beginnings(void)
{
	cpg_model_v1_data_t data = { .model = CPG_MODEL_V1, .flags = 0xfe };
	cpg_callbacks_t callbacks = { on_deliver, on_confchg };
	cpg_flow_control_state_t state = 99;
	cpg_handle_t handle;
	unsigned int nodeid = 0;
	uint32_t size = 0;
	void *context = NULL;
	int fd = -1;

	step("unknown model", cpg_model_initialize(&handle, 99, (cpg_model_data_t *)&data, NULL));
	step("unknown flags", cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&data, NULL));
	STEP("initialize without callbacks", cpg_initialize(&handle, NULL));
	step("finalize", cpg_finalize(handle));
	STEP("initialize", cpg_initialize(&handle, &callbacks));
	step("fd_get", cpg_fd_get(handle, &fd));
	printf("fd is %s\n", fd >= 0 ? "given" : "missing");
	step("context_set", cpg_context_set(handle, &size));
	step("context_get", cpg_context_get(handle, &context));
	printf("context is %s\n", context == &size ? "ours" : "another");
	step("max_atomic_msgsize_get", cpg_max_atomic_msgsize_get(handle, &size));
	printf("max atomic %u\n", size);
	step("local_get", cpg_local_get(handle, &nodeid));
	printf("local nodeid %u\n", nodeid);
	step("flow_control_state_get", cpg_flow_control_state_get(handle, &state));
	printf("flow control %d\n", (int)state);
	step("dispatch all of nothing", cpg_dispatch(handle, CS_DISPATCH_ALL));
	step("dispatch one of nothing", cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING));
	step("finalize", cpg_finalize(handle));
	step("finalize again", cpg_finalize(handle));
	step("dispatch after finalize", cpg_dispatch(handle, CS_DISPATCH_ALL));
}

static void members_of(cpg_handle_t handle, const char *text)
{
	struct cpg_address members[CPG_MEMBERS_MAX];
	struct cpg_name group = name_of(text);
	int count = -1;

	memset(members, 0, sizeof(members));
	step("membership_get", cpg_membership_get(handle, &group, members, &count));
	printf("  %s has", text);
	print_list("members", members, count > 0 ? count : 0);
	printf("\n");
}

static void iterate(cpg_handle_t handle, cpg_iteration_type_t type, const char *text)
{
	struct cpg_name group = name_of(text ? text : "");
	struct cpg_iteration_description_t entry;
	cpg_iteration_handle_t iteration;
	cs_error_t err;

	printf("iteration of type %d over %s\n", (int)type, text ? text : "all");
	step("iteration_initialize", cpg_iteration_initialize(handle, type, text ? &group : NULL, &iteration));
	while ((err = cpg_iteration_next(iteration, &entry)) == CS_OK) {
		printf("  ");
		print_name(&entry.group);
		printf(" %u %s\n", entry.nodeid, who(entry.pid));
	}
	step("iteration_next", err);
	step("iteration_finalize", cpg_iteration_finalize(iteration));
	step("iteration_next after finalize", cpg_iteration_next(iteration, &entry));
	step("iteration_finalize again", cpg_iteration_finalize(iteration));
}

static void bad_iterations(cpg_handle_t handle)
{
	struct cpg_name group = name_of("walk"), bad = long_name();
	cpg_iteration_handle_t iteration;

	step("iteration, type 0", cpg_iteration_initialize(handle, 0, NULL, &iteration));
	step("iteration, type 4", cpg_iteration_initialize(handle, 4, NULL, &iteration));
	step("iteration, one group, no name",
	     cpg_iteration_initialize(handle, CPG_ITERATION_ONE_GROUP, NULL, &iteration));
	step("iteration, all groups, a name", cpg_iteration_initialize(handle, CPG_ITERATION_ALL, &group, &iteration));
	step("iteration, long name", cpg_iteration_initialize(handle, CPG_ITERATION_ONE_GROUP, &bad, &iteration));
	step("iteration, no handle", cpg_iteration_initialize(handle, CPG_ITERATION_ALL, NULL, NULL));
	STEP("iteration left open", cpg_iteration_initialize(handle, CPG_ITERATION_ALL, NULL, &iteration));
	step("iteration_next without room", cpg_iteration_next(iteration, NULL));
}

static void outside(cpg_handle_t handle)
{
	struct cpg_name group = name_of("walk"), bad = long_name();
	struct cpg_address members[CPG_MEMBERS_MAX];
	void *buffer = NULL;
	int count;

	step("leave no group", cpg_leave(handle, &group));
	step("mcast to no group", send_bytes(handle, CPG_TYPE_AGREED, "lost", 4));
	STEP("large mcast to no group", send_bytes(handle, CPG_TYPE_AGREED, large, LARGE));
	STEP("zcb_alloc", cpg_zcb_alloc(handle, 1000, &buffer));
	STEP("zcb_mcast to no group", cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 10));
	STEP("zcb_free", cpg_zcb_free(handle, buffer));
	members_of(handle, "walk");
	step("membership_get, long name", cpg_membership_get(handle, &bad, members, &count));
	step("membership_get, no list", cpg_membership_get(handle, &group, NULL, &count));
	step("membership_get, no count", cpg_membership_get(handle, &group, members, NULL));
	step("join, long name", cpg_join(handle, &bad));
	step("leave, long name", cpg_leave(handle, &bad));
}

static void messages(cpg_handle_t handle)
{
	static const size_t lengths[] = { 0, 1, 64, 5000, 1048576 - 1024 - 1, 1048576 - 1024, 1048576 - 1023, LARGE };
	struct iovec pieces[3];
	unsigned int i;
	int guarantee;

	for (guarantee = CPG_TYPE_UNORDERED; guarantee <= CPG_TYPE_SAFE + 1; guarantee++) {
		STEP("mcast_joined", send_bytes(handle, guarantee, "guaranteed", 10));
		await(handle, &deliveries, 1);
	}
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		printf("%zu bytes\n", lengths[i]);
		STEP("mcast_joined", send_bytes(handle, CPG_TYPE_AGREED, large, lengths[i]));
		await(handle, &deliveries, 1);
	}
	for (i = 0; i < 3; i++) {
		pieces[i].iov_base = large + i;
		pieces[i].iov_len = 10 * i;
	}
	STEP("mcast_joined of pieces", cpg_mcast_joined(handle, CPG_TYPE_AGREED, pieces, 3));
	STEP("mcast_joined of no piece", cpg_mcast_joined(handle, CPG_TYPE_AGREED, pieces, 0));
	await(handle, &deliveries, 2);
	for (i = 0; i < 3; i++)
		pieces[i].iov_len = LARGE / 4;
	STEP("mcast_joined of large pieces", cpg_mcast_joined(handle, CPG_TYPE_AGREED, pieces, 3));
	await(handle, &deliveries, 1);
	silent = 1;
	for (i = 0; i < 200; i++)
		if (send_bytes(handle, CPG_TYPE_AGREED, large + i, i) == CS_ERR_TRY_AGAIN && usleep(1000) == 0)
			i--;
	await(handle, &deliveries, 200);
	printf("200 messages, sum %08x\n", silent_sum);
	silent = 0;
}

static void shared_buffers(cpg_handle_t handle)
{
	static const size_t lengths[] = { 0, 10, 100000, 1000000 };
	void *buffers[3], *buffer = NULL;
	unsigned int i;

	STEP("zcb_alloc", cpg_zcb_alloc(handle, 1048576, &buffer));
	for (i = 0; i < 1000000; i++)
		((unsigned char *)buffer)[i] = large[i];
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		STEP("zcb_mcast_joined", cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, lengths[i]));
		await(handle, &deliveries, 1);
	}
	step("zcb_mcast_joined, too big", cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 1048577));
	for (i = 0; i < 3; i++) {
		STEP("zcb_alloc another", cpg_zcb_alloc(handle, 1000 << i, &buffers[i]));
		memset(buffers[i], 'a' + i, 1000 << i);
	}
	for (i = 3; i-- > 0;) {
		STEP("zcb_mcast_joined another", cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffers[i], 1000));
		STEP("zcb_free another", cpg_zcb_free(handle, buffers[i]));
	}
	await(handle, &deliveries, 3);
	STEP("zcb_free", cpg_zcb_free(handle, buffer));
	STEP("zcb_alloc, left open", cpg_zcb_alloc(handle, 1000, &buffer));
}

/* Another process: joins, says something, and ends in one of three ways. */
static void live(const char *text, const char *end)
{
	struct cpg_name group = name_of(text);
	cpg_handle_t handle;
	cs_error_t err;

	freopen("/dev/null", "w", stdout);
	handle = client(0);
	AGAIN(err, cpg_join(handle, &group));
	await(handle, &confchgs, 1);
	AGAIN(err, send_bytes(handle, CPG_TYPE_AGREED, "from the child", 14));
	await(handle, &deliveries, 1);
	if (strcmp(end, "leaves") == 0) {
		AGAIN(err, cpg_leave(handle, &group));
		await(handle, &confchgs, 1);
	} else if (strcmp(end, "finalizes") == 0) {
		cpg_finalize(handle);
	} else {
		kill(getpid(), SIGKILL);
	}
	_exit(0);
}

static void other_process(cpg_handle_t handle, const char *group, const char *end)
{
	printf("a child %s\n", end);
	fflush(stdout);
	child = fork();
	if (child == 0)
		live(group, end);
	await(handle, &confchgs, 2);
	waitpid(child, NULL, 0);
	child = 0;
}

static void two_handles(cpg_handle_t handle)
{
	struct cpg_name walk = name_of("walk"), other = name_of("other\\group\1");
	cpg_handle_t second = client(0);

	STEP("second handle, same group", cpg_join(second, &walk));
	STEP("second handle, other group", cpg_join(second, &other));
	await(second, &confchgs, 1);
	members_of(handle, "other\\group\1");
	iterate(handle, CPG_ITERATION_NAME_ONLY, NULL);
	iterate(handle, CPG_ITERATION_ONE_GROUP, "walk");
	iterate(handle, CPG_ITERATION_ONE_GROUP, "none");
	iterate(handle, CPG_ITERATION_ALL, NULL);
	STEP("mcast to the other group", send_bytes(second, CPG_TYPE_AGREED, "other", 5));
	await(second, &deliveries, 1);
	step("nothing for the first", cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING));
	step("finalize in a group", cpg_finalize(second));
}

static void odd_names(void)
{
	struct cpg_name full = long_name(), none = { .length = 0 }, zeros = { .length = 3 };
	cpg_handle_t handle = client(0);

	full.length--;
	STEP("join, a name that fills its field", cpg_join(handle, &full));
	await(handle, &confchgs, 1);
	STEP("leave", cpg_leave(handle, &full));
	await(handle, &confchgs, 1);
	step("finalize", cpg_finalize(handle));
	handle = client(0);
	STEP("join, no name", cpg_join(handle, &none));
	await(handle, &confchgs, 1);
	STEP("leave", cpg_leave(handle, &none));
	await(handle, &confchgs, 1);
	step("finalize", cpg_finalize(handle));
	handle = client(0);
	STEP("join, a name of zeros", cpg_join(handle, &zeros));
	await(handle, &confchgs, 1);
	STEP("mcast", send_bytes(handle, CPG_TYPE_AGREED, "zeros", 5));
	await(handle, &deliveries, 1);
	step("finalize", cpg_finalize(handle));
}

static void one_by_one(cpg_handle_t handle)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		STEP("mcast_joined", send_bytes(handle, CPG_TYPE_AGREED, "ab", 1 + i));
	step("dispatch one", cpg_dispatch(handle, CS_DISPATCH_ONE));
	readable(handle, EVENT_MS);
	step("dispatch one that is there", cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING));
	step("dispatch one more", cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING));
}

int main(void)
{
	struct cpg_name group = name_of("walk");
	cpg_handle_t handle;
	size_t i;

	/* libcpg tells there of each pause when the ring is busy. */
	freopen("/dev/null", "w", stderr);
	large = malloc(LARGE + 256);
	for (i = 0; i < LARGE + 256; i++)
		large[i] = (unsigned char)(i * 7 + i / 251);
	bad_handles();
	beginnings();
	handle = client(CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF);
	outside(handle);
	STEP("join", cpg_join(handle, &group));
	await(handle, &confchgs, 1);
	printf("%u rings\n", rings);
	STEP("join again", cpg_join(handle, &group));
	members_of(handle, "walk");
	bad_iterations(handle);
	messages(handle);
	one_by_one(handle);
	shared_buffers(handle);
	two_handles(handle);
	other_process(handle, "walk", "leaves");
	other_process(handle, "walk", "finalizes");
	other_process(handle, "walk", "is killed");
	odd_names();
	STEP("leave", cpg_leave(handle, &group));
	await(handle, &confchgs, 1);
	STEP("leave again", cpg_leave(handle, &group));
	step("mcast after leave", send_bytes(handle, CPG_TYPE_AGREED, "late", 4));
	STEP("large mcast after leave", send_bytes(handle, CPG_TYPE_AGREED, large, LARGE));
	members_of(handle, "walk");
	step("finalize", cpg_finalize(handle));
	free(large);
	return 0;
}

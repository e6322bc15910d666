/*
 * Walks libvotequorum: every function, with good and bad parameters, on a quorate ring of three nodes
 * with one vote each and without a quorum device; acts as one, and leaves votes as they were.
 */
#include <corosync/corotypes.h>
#include <corosync/votequorum.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "walk.h"

#define ABSENT 99
#define CONTEXT 0x123456789abcdef0ULL
#define PATIENCE_MS 5000
#define QUIET_MS 300
#define NODES_MAX 16
#define NAME_LEN_MAX VOTEQUORUM_QDEVICE_MAX_NAME_LEN

static int events;
static votequorum_ring_id_t ring;

static int by_nodeid(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

/* In which order a node came to know the others is not for us to say. */
static void on_quorum(votequorum_handle_t handle, uint64_t context, uint32_t quorate, uint32_t count,
		      votequorum_node_t list[])
{
	votequorum_node_t nodes[NODES_MAX];
	uint32_t i;

	(void)handle;
	events++;
	memcpy(nodes, list, count * sizeof *nodes);
	qsort(nodes, count, sizeof *nodes, by_nodeid);
	printf("  event quorum: context %llx quorate %u nodes", (unsigned long long)context, quorate);
	for (i = 0; i < count; i++)
		printf(" %u:%u", nodes[i].nodeid, nodes[i].state);
	printf("\n");
}

static void on_expected(votequorum_handle_t handle, uint64_t context, uint32_t expected_votes)
{
	(void)handle;
	events++;
	printf("  event expected votes: context %llx expected %u\n", (unsigned long long)context, expected_votes);
}

static void on_nodelist(votequorum_handle_t handle, uint64_t context, votequorum_ring_id_t ring_id, uint32_t count,
			uint32_t list[])
{
	uint32_t i;

	(void)handle;
	events++;
	ring = ring_id;
	printf("  event nodelist: context %llx ring of node %u nodes", (unsigned long long)context, ring_id.nodeid);
	for (i = 0; i < count; i++)
		printf(" %u", list[i]);
	printf("\n");
}

/* Waits for so many events, then for a moment whether there are more. */
static void expect_events(votequorum_handle_t handle, int wanted)
{
	struct pollfd ready = { .fd = -1, .events = POLLIN };
	int fd;

	votequorum_fd_get(handle, &fd);
	ready.fd = fd;
	events = 0;
	while (poll(&ready, 1, events < wanted ? PATIENCE_MS : QUIET_MS) == 1)
		if (votequorum_dispatch(handle, CS_DISPATCH_ALL) != CS_OK)
			break;
	printf("  %d events\n", events);
}

static void info_of(votequorum_handle_t handle, unsigned int nodeid)
{
	struct votequorum_info info;
	cs_error_t err;

	memset(&info, 0, sizeof info);
	AGAIN(err, votequorum_getinfo(handle, nodeid, &info));
	printf("getinfo %u: %d %s\n", nodeid, (int)err, cs_strerror(err));
	if (err != CS_OK)
		return;
	printf("  node %u state %u votes %u expected %u\n", info.node_id, info.node_state, info.node_votes,
	       info.node_expected_votes);
	printf("  highest expected %u total %u quorum %u flags %u qdevice %u '%s'\n", info.highest_expected,
	       info.total_votes, info.quorum, info.flags, info.qdevice_votes, info.qdevice_name);
}

/* A change comes back round the ring: waits until our own entry shows it. */
enum field { NODE_VOTES, EXPECTED_VOTES, FLAGS, QDEVICE_VOTES };

static void await(votequorum_handle_t handle, const char *what, enum field field, unsigned int value)
{
	struct votequorum_info info;
	unsigned int seen = ~value;
	int left;

	for (left = PATIENCE_MS / 10; left > 0 && seen != value; left--) {
		memset(&info, 0, sizeof info);
		if (votequorum_getinfo(handle, 0, &info) == CS_OK)
			seen = field == NODE_VOTES ? info.node_votes :
			       field == EXPECTED_VOTES ? info.node_expected_votes :
			       field == FLAGS ? info.flags :
			       info.qdevice_votes;
		usleep(10000);
	}
	printf("  %s %s\n", what, seen == value ? "is seen" : "is not seen");
	usleep(QUIET_MS * 1000);
}

static void bad_handles(void)
{
	struct votequorum_info info;
	void *context;
	int fd;

	STEP("finalize bad handle", votequorum_finalize(BAD_HANDLE));
	STEP("dispatch bad handle", votequorum_dispatch(BAD_HANDLE, CS_DISPATCH_ALL));
	STEP("fd_get bad handle", votequorum_fd_get(BAD_HANDLE, &fd));
	STEP("getinfo bad handle", votequorum_getinfo(BAD_HANDLE, 0, &info));
	STEP("setexpected bad handle", votequorum_setexpected(BAD_HANDLE, 3));
	STEP("setvotes bad handle", votequorum_setvotes(BAD_HANDLE, 1, 1));
	STEP("trackstart bad handle", votequorum_trackstart(BAD_HANDLE, 0, CS_TRACK_CHANGES));
	STEP("trackstop bad handle", votequorum_trackstop(BAD_HANDLE));
	STEP("context_get bad handle", votequorum_context_get(BAD_HANDLE, &context));
	STEP("context_set bad handle", votequorum_context_set(BAD_HANDLE, NULL));
	STEP("qdevice_register bad handle", votequorum_qdevice_register(BAD_HANDLE, "dev"));
	STEP("qdevice_unregister bad handle", votequorum_qdevice_unregister(BAD_HANDLE, "dev"));
	STEP("qdevice_update bad handle", votequorum_qdevice_update(BAD_HANDLE, "dev", "new"));
	STEP("qdevice_poll bad handle", votequorum_qdevice_poll(BAD_HANDLE, "dev", 1, ring));
	STEP("qdevice_master_wins bad handle", votequorum_qdevice_master_wins(BAD_HANDLE, "dev", 1));
}

static void local_calls(votequorum_handle_t handle)
{
	static int mark;
	void *context = &mark;
	int fd = -1;

	STEP("context_get before", votequorum_context_get(handle, &context));
	printf("  context is %s\n", context == NULL ? "null" : "something");
	STEP("context_set", votequorum_context_set(handle, &mark));
	STEP("context_get", votequorum_context_get(handle, &context));
	printf("  context is %s\n", context == &mark ? "ours" : "another");
	STEP("fd_get", votequorum_fd_get(handle, &fd));
	printf("  fd is %s\n", fd >= 0 ? "open" : "closed");
	STEP("dispatch unknown type", votequorum_dispatch(handle, (cs_dispatch_flags_t)77));
	STEP("dispatch all of nothing", votequorum_dispatch(handle, CS_DISPATCH_ALL));
	step("dispatch one nonblocking of nothing", votequorum_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING));
}

static void tracking(votequorum_handle_t handle)
{
	STEP("trackstop before trackstart", votequorum_trackstop(handle));
	STEP("trackstart without flags", votequorum_trackstart(handle, CONTEXT, 0));
	expect_events(handle, 0);
	STEP("trackstop of nothing", votequorum_trackstop(handle));
	STEP("trackstart current", votequorum_trackstart(handle, CONTEXT, CS_TRACK_CURRENT));
	step("dispatch one", votequorum_dispatch(handle, CS_DISPATCH_ONE));
	step("dispatch one nonblocking", votequorum_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING));
	expect_events(handle, 0);
	STEP("trackstop after current", votequorum_trackstop(handle));
	STEP("trackstart changes only", votequorum_trackstart(handle, CONTEXT, CS_TRACK_CHANGES_ONLY));
	expect_events(handle, 0);
	STEP("trackstop after changes only", votequorum_trackstop(handle));
	STEP("trackstart changes", votequorum_trackstart(handle, CONTEXT, CS_TRACK_CHANGES));
	expect_events(handle, 2);
	STEP("trackstart again", votequorum_trackstart(handle, CONTEXT + 1, CS_TRACK_CHANGES | CS_TRACK_CURRENT));
	expect_events(handle, 2);
	STEP("trackstart again, changes only", votequorum_trackstart(handle, CONTEXT, CS_TRACK_CHANGES_ONLY));
	expect_events(handle, 0);
}

static void votes(votequorum_handle_t handle)
{
	info_of(handle, 0);
	info_of(handle, 1);
	info_of(handle, 3);
	info_of(handle, ABSENT);
	STEP("setexpected 0", votequorum_setexpected(handle, 0));
	STEP("setexpected below the votes", votequorum_setexpected(handle, 2));
	STEP("setexpected beyond quorum", votequorum_setexpected(handle, 7));
	STEP("setexpected 5", votequorum_setexpected(handle, 5));
	expect_events(handle, 1);
	info_of(handle, 0);
	info_of(handle, 2);
	STEP("setvotes of nobody", votequorum_setvotes(handle, ABSENT, 1));
	STEP("setvotes 1 3", votequorum_setvotes(handle, 1, 3));
	await(handle, "3 votes", NODE_VOTES, 3);
	expect_events(handle, 0);
	info_of(handle, 0);
	STEP("setvotes 2 2", votequorum_setvotes(handle, 2, 2));
	expect_events(handle, 1);
	info_of(handle, 0);
	info_of(handle, 2);
	STEP("setvotes 2 0", votequorum_setvotes(handle, 2, 0));
	usleep(QUIET_MS * 1000);
	info_of(handle, 2);
	STEP("setvotes 2 1", votequorum_setvotes(handle, 2, 1));
	usleep(QUIET_MS * 1000);
	STEP("setvotes 1 1, too few for the expected", votequorum_setvotes(handle, 1, 1));
	STEP("setexpected 5", votequorum_setexpected(handle, 5));
	expect_events(handle, 1);
	STEP("setvotes 1 1", votequorum_setvotes(handle, 1, 1));
	await(handle, "1 vote", NODE_VOTES, 1);
	STEP("setexpected 3", votequorum_setexpected(handle, 3));
	expect_events(handle, 1);
	info_of(handle, 0);
	info_of(handle, 2);
}

static void device_names(votequorum_handle_t handle)
{
	char name[NAME_LEN_MAX + 2];

	memset(name, 'n', sizeof name);
	name[NAME_LEN_MAX] = '\0';
	STEP("register long name", votequorum_qdevice_register(handle, name));
	STEP("register empty name", votequorum_qdevice_register(handle, ""));
	STEP("unregister long name", votequorum_qdevice_unregister(handle, name));
	STEP("unregister empty name", votequorum_qdevice_unregister(handle, ""));
	STEP("update to long name", votequorum_qdevice_update(handle, "dev", name));
	STEP("update from empty name", votequorum_qdevice_update(handle, "", "dev"));
	STEP("poll long name", votequorum_qdevice_poll(handle, name, 1, ring));
	STEP("poll empty name", votequorum_qdevice_poll(handle, "", 1, ring));
	STEP("master_wins long name", votequorum_qdevice_master_wins(handle, name, 1));
	STEP("master_wins empty name", votequorum_qdevice_master_wins(handle, "", 1));
}

static void device(votequorum_handle_t handle, votequorum_handle_t other)
{
	votequorum_ring_id_t past = ring;
	char longest[NAME_LEN_MAX];

	past.seq--;
	STEP("unregister before register", votequorum_qdevice_unregister(handle, "dev"));
	STEP("update before register", votequorum_qdevice_update(handle, "dev", "new"));
	STEP("poll before register", votequorum_qdevice_poll(handle, "dev", 1, ring));
	STEP("master_wins before register", votequorum_qdevice_master_wins(handle, "dev", 1));
	STEP("register", votequorum_qdevice_register(handle, "dev"));
	STEP("register again", votequorum_qdevice_register(handle, "dev"));
	STEP("register again by another", votequorum_qdevice_register(other, "dev"));
	STEP("register under another name", votequorum_qdevice_register(other, "two"));
	await(handle, "the device", FLAGS, VOTEQUORUM_INFO_QUORATE | VOTEQUORUM_INFO_QDEVICE_REGISTERED);
	info_of(handle, 0);
	info_of(handle, 2);
	expect_events(handle, 0);
	STEP("poll in a past ring", votequorum_qdevice_poll(handle, "dev", 1, past));
	STEP("poll under another name", votequorum_qdevice_poll(handle, "two", 1, ring));
	STEP("poll", votequorum_qdevice_poll(handle, "dev", 1, ring));
	await(handle, "the vote", FLAGS,
	      VOTEQUORUM_INFO_QUORATE | VOTEQUORUM_INFO_QDEVICE_REGISTERED | VOTEQUORUM_INFO_QDEVICE_ALIVE |
		      VOTEQUORUM_INFO_QDEVICE_CAST_VOTE);
	STEP("setvotes of the device", votequorum_setvotes(handle, 0, 1));
	await(handle, "the device's vote", QDEVICE_VOTES, 1);
	info_of(handle, 0);
	expect_events(handle, 1);
	STEP("poll without a vote", votequorum_qdevice_poll(handle, "dev", 0, ring));
	await(handle, "no vote", FLAGS,
	      VOTEQUORUM_INFO_QUORATE | VOTEQUORUM_INFO_QDEVICE_REGISTERED | VOTEQUORUM_INFO_QDEVICE_ALIVE);
	info_of(handle, 0);
	STEP("master_wins under another name", votequorum_qdevice_master_wins(handle, "two", 1));
	STEP("master_wins", votequorum_qdevice_master_wins(handle, "dev", 1));
	STEP("master_wins by another", votequorum_qdevice_master_wins(other, "dev", 1));
	await(handle, "the master", FLAGS,
	      VOTEQUORUM_INFO_QUORATE | VOTEQUORUM_INFO_QDEVICE_REGISTERED | VOTEQUORUM_INFO_QDEVICE_ALIVE |
		      VOTEQUORUM_INFO_QDEVICE_MASTER_WINS);
	STEP("trackstart current with a device", votequorum_trackstart(other, 7, CS_TRACK_CURRENT));
	expect_events(other, 2);
	STEP("master_wins no more", votequorum_qdevice_master_wins(handle, "dev", 0));
	STEP("update under another name", votequorum_qdevice_update(handle, "two", "new"));
	STEP("update", votequorum_qdevice_update(handle, "dev", "new"));
	usleep(QUIET_MS * 1000);
	info_of(handle, 0);
	STEP("poll under the old name", votequorum_qdevice_poll(handle, "dev", 1, ring));
	STEP("poll under the new name", votequorum_qdevice_poll(handle, "new", 1, ring));
	STEP("unregister under the old name", votequorum_qdevice_unregister(handle, "dev"));
	STEP("setvotes of the device to 0", votequorum_setvotes(handle, 0, 0));
	await(handle, "the device without votes", QDEVICE_VOTES, 0);
	STEP("unregister by another", votequorum_qdevice_unregister(other, "new"));
	STEP("unregister again", votequorum_qdevice_unregister(handle, "new"));
	await(handle, "no device", FLAGS, VOTEQUORUM_INFO_QUORATE);
	info_of(handle, 0);
	memset(longest, 'l', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	STEP("register longest name", votequorum_qdevice_register(handle, longest));
	info_of(handle, 0);
	STEP("unregister longest name", votequorum_qdevice_unregister(handle, longest));
	await(handle, "no device", FLAGS, VOTEQUORUM_INFO_QUORATE);
	STEP("setexpected after the device", votequorum_setexpected(handle, 3));
	expect_events(handle, 1);
	info_of(handle, 0);
}

int main(void)
{
	votequorum_callbacks_t callbacks = { on_quorum, on_expected, on_nodelist };
	votequorum_handle_t handle, other, silent;

	STEP("initialize", votequorum_initialize(&handle, &callbacks));
	STEP("initialize another", votequorum_initialize(&other, &callbacks));
	STEP("initialize without callbacks", votequorum_initialize(&silent, NULL));
	bad_handles();
	local_calls(handle);
	tracking(handle);
	votes(handle);
	device_names(handle);
	device(handle, other);
	STEP("trackstart without callbacks", votequorum_trackstart(silent, 1, CS_TRACK_CHANGES));
	usleep(QUIET_MS * 1000);
	STEP("dispatch without callbacks", votequorum_dispatch(silent, CS_DISPATCH_ALL));
	STEP("trackstop", votequorum_trackstop(handle));
	STEP("trackstop again", votequorum_trackstop(handle));
	STEP("finalize another", votequorum_finalize(other));
	STEP("finalize without callbacks", votequorum_finalize(silent));
	STEP("finalize", votequorum_finalize(handle));
	STEP("finalize again", votequorum_finalize(handle));
	STEP("getinfo after finalize", votequorum_setexpected(handle, 3));
	printf("the end\n");
	return 0;
}

/*
 * Joins a group, tracks quorum, votes and members, and writes down all it is told until the daemon goes away.
 *
 * hear_all GROUP BASE
 *   makes the files BASE.cpg, BASE.quorum, BASE.votes and BASE.map with a line an event; numbers that differ from run to
 *   run are left out. Ends with 3 when the daemon went away.
 */
#include <corosync/cmap.h>
#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <corosync/votequorum.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_US 10000
#define AGAIN(call) \
	while ((call) != CS_OK) \
	usleep(RETRY_US)

enum { CPG, QUORUM, VOTES, MAP, SERVICES };

static FILE *out[SERVICES];

static void print_nodes(FILE *to, const char *what, const uint32_t *list, uint32_t count)
{
	fprintf(to, " %s", what);
	for (uint32_t i = 0; i < count; i++)
		fprintf(to, " %u", list[i]);
}

static void print_processes(FILE *to, const char *what, const struct cpg_address *list, size_t count)
{
	fprintf(to, " %s", what);
	for (size_t i = 0; i < count; i++)
		fprintf(to, " %u/%u", list[i].nodeid, list[i].reason);
}

static void on_deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t nodeid, uint32_t pid, void *message,
		       size_t len)
{
	(void)handle, (void)group, (void)pid, (void)message, (void)len;
	fprintf(out[CPG], "message of %u\n", nodeid);
}

static void on_confchg(cpg_handle_t handle, const struct cpg_name *group, const struct cpg_address *member,
		       size_t members, const struct cpg_address *left, size_t lefts, const struct cpg_address *joined,
		       size_t joineds)
{
	(void)handle, (void)group;
	fprintf(out[CPG], "group");
	print_processes(out[CPG], "members", member, members);
	print_processes(out[CPG], "left", left, lefts);
	print_processes(out[CPG], "joined", joined, joineds);
	fprintf(out[CPG], "\n");
}

static void on_ring(cpg_handle_t handle, struct cpg_ring_id ring, uint32_t members, const uint32_t *member)
{
	(void)handle;
	fprintf(out[CPG], "ring of %u", ring.nodeid);
	print_nodes(out[CPG], "members", member, members);
	fprintf(out[CPG], "\n");
}

static void on_quorum(quorum_handle_t handle, uint32_t quorate, struct quorum_ring_id ring, uint32_t count,
		      const uint32_t *view)
{
	(void)handle;
	fprintf(out[QUORUM], "quorate %u, ring of %u", quorate, ring.nodeid);
	print_nodes(out[QUORUM], "view", view, count);
	fprintf(out[QUORUM], "\n");
}

static void on_nodelist(quorum_handle_t handle, struct quorum_ring_id ring, uint32_t members, const uint32_t *member,
			uint32_t joineds, const uint32_t *joined, uint32_t lefts, const uint32_t *left)
{
	(void)handle;
	fprintf(out[QUORUM], "nodelist, ring of %u", ring.nodeid);
	print_nodes(out[QUORUM], "members", member, members);
	print_nodes(out[QUORUM], "joined", joined, joineds);
	print_nodes(out[QUORUM], "left", left, lefts);
	fprintf(out[QUORUM], "\n");
}

static void on_votes(votequorum_handle_t handle, uint64_t context, uint32_t quorate, uint32_t count,
		     votequorum_node_t *node)
{
	(void)handle, (void)context;
	fprintf(out[VOTES], "quorate %u, states", quorate);
	for (uint32_t i = 0; i < count; i++)
		fprintf(out[VOTES], " %u:%u", node[i].nodeid, node[i].state);
	fprintf(out[VOTES], "\n");
}

static void on_votes_nodelist(votequorum_handle_t handle, uint64_t context, votequorum_ring_id_t ring, uint32_t count,
			      uint32_t *node)
{
	(void)handle, (void)context;
	fprintf(out[VOTES], "ring of %u", ring.nodeid);
	print_nodes(out[VOTES], "members", node, count);
	fprintf(out[VOTES], "\n");
}

static void on_expected(votequorum_handle_t handle, uint64_t context, uint32_t expected)
{
	(void)handle, (void)context;
	fprintf(out[VOTES], "expected %u\n", expected);
}

static void print_value(struct cmap_notify_value value)
{
	if (value.data == NULL)
		fprintf(out[MAP], " nothing");
	else if (value.type == CMAP_VALUETYPE_STRING)
		fprintf(out[MAP], " %s", (const char *)value.data);
	else
		fprintf(out[MAP], " a value of type %d", (int)value.type);
}

static void on_change(cmap_handle_t handle, cmap_track_handle_t track, int32_t event, const char *key,
		      struct cmap_notify_value now, struct cmap_notify_value before, void *data)
{
	(void)handle, (void)track, (void)data;
	fprintf(out[MAP], "%d %s", (int)event, key);
	print_value(before);
	print_value(now);
	fprintf(out[MAP], "\n");
}

static void open_files(const char *base)
{
	static const char *const name[SERVICES] = { "cpg", "quorum", "votes", "map" };
	char path[4096];

	for (int i = 0; i < SERVICES; i++) {
		snprintf(path, sizeof path, "%s.%s", base, name[i]);
		out[i] = fopen(path, "w");
		if (out[i] == NULL) {
			perror(path);
			exit(2);
		}
		setvbuf(out[i], NULL, _IOLBF, 0);
	}
}

int main(int argc, char **argv)
{
	quorum_model_v1_data_t quorum_model = {
		.model = QUORUM_MODEL_V1, .quorum_notify_fn = on_quorum, .nodelist_notify_fn = on_nodelist
	};
	cpg_model_v1_data_t cpg_model = {
		.model = CPG_MODEL_V1,
		.cpg_deliver_fn = on_deliver,
		.cpg_confchg_fn = on_confchg,
		.cpg_totem_confchg_fn = on_ring,
		.flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF,
	};
	votequorum_callbacks_t votes_callbacks = {
		.votequorum_quorum_notify_fn = on_votes,
		.votequorum_nodelist_notify_fn = on_votes_nodelist,
		.votequorum_expectedvotes_notify_fn = on_expected,
	};
	const int32_t every = CMAP_TRACK_ADD | CMAP_TRACK_DELETE | CMAP_TRACK_MODIFY | CMAP_TRACK_PREFIX;
	struct pollfd ready[SERVICES];
	struct cpg_name group = { 0 };
	cmap_track_handle_t track;
	votequorum_handle_t votes;
	quorum_handle_t quorum;
	cmap_handle_t map;
	cpg_handle_t cpg;
	uint32_t type;

	if (argc != 3 || strlen(argv[1]) >= sizeof group.value)
		return 2;
	group.length = strlen(argv[1]);
	memcpy(group.value, argv[1], group.length);
	open_files(argv[2]);
	AGAIN(quorum_model_initialize(&quorum, QUORUM_MODEL_V1, (quorum_model_data_t *)&quorum_model, &type, NULL));
	AGAIN(votequorum_initialize(&votes, &votes_callbacks));
	AGAIN(cmap_initialize(&map));
	AGAIN(cpg_model_initialize(&cpg, CPG_MODEL_V1, (cpg_model_data_t *)&cpg_model, NULL));
	AGAIN(cmap_track_add(map, "runtime.members.", every, on_change, NULL, &track));
	AGAIN(quorum_trackstart(quorum, CS_TRACK_CURRENT | CS_TRACK_CHANGES));
	AGAIN(votequorum_trackstart(votes, 0, CS_TRACK_CURRENT | CS_TRACK_CHANGES));
	AGAIN(cpg_join(cpg, &group));
	cpg_fd_get(cpg, &ready[CPG].fd);
	quorum_fd_get(quorum, &ready[QUORUM].fd);
	votequorum_fd_get(votes, &ready[VOTES].fd);
	cmap_fd_get(map, &ready[MAP].fd);
	for (int i = 0; i < SERVICES; i++)
		ready[i].events = POLLIN;
	while (poll(ready, SERVICES, -1) >= 0) {
		if ((ready[CPG].revents && cpg_dispatch(cpg, CS_DISPATCH_ALL) != CS_OK) ||
		    (ready[QUORUM].revents && quorum_dispatch(quorum, CS_DISPATCH_ALL) != CS_OK) ||
		    (ready[VOTES].revents && votequorum_dispatch(votes, CS_DISPATCH_ALL) != CS_OK) ||
		    (ready[MAP].revents && cmap_dispatch(map, CS_DISPATCH_ALL) != CS_OK))
			break;
	}
	return 3;
}

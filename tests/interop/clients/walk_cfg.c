/*
 * Walks libcfg: every function, with good and bad parameters, and votes on a shutdown in all their turns.
 *
 * Kills node 3 and, at the end, shuts its own node down.
 */
#include <corosync/cfg.h>
#include <corosync/cmap.h>
#include <corosync/corotypes.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "walk.h"

#define ABSENT 99
#define VICTIM 3
#define NODES 3
#define EVENT_MS 5000
#define QUIET_MS 300
#define VOTE_MS 400
#define PATIENCE_MS 20000

static int events;
static unsigned int event_flags;

static void on_shutdown(corosync_cfg_handle_t handle, corosync_cfg_shutdown_flags_t flags)
{
	(void)handle;
	events++;
	event_flags = flags;
}

static corosync_cfg_handle_t client(void)
{
	corosync_cfg_callbacks_t callbacks = { on_shutdown };
	corosync_cfg_handle_t handle = 0;
	cs_error_t err;

	AGAIN(err, corosync_cfg_initialize(&handle, &callbacks));
	if (err != CS_OK)
		step("corosync_cfg_initialize", err);
	return handle;
}

static void events_of(const char *who, corosync_cfg_handle_t handle, int wait_ms)
{
	struct pollfd ready = { .fd = -1, .events = POLLIN };
	int fd;

	corosync_cfg_fd_get(handle, &fd);
	ready.fd = fd;
	events = 0;
	if (poll(&ready, 1, wait_ms) == 1)
		step("dispatch", corosync_cfg_dispatch(handle, CS_DISPATCH_ALL));
	if (events)
		printf("%s is asked %d times, flags %u\n", who, events, event_flags);
	else
		printf("%s is not asked\n", who);
}

struct request {
	pthread_t thread;
	corosync_cfg_handle_t handle;
	corosync_cfg_shutdown_flags_t flags;
	cs_error_t err;
};

static void *run_request(void *arg)
{
	struct request *request = arg;

	do {
		AGAIN(request->err, corosync_cfg_try_shutdown(request->handle, request->flags));
	} while (request->err == CS_ERR_EXIST && usleep(10000) == 0);
	return NULL;
}

static void ask(struct request *request, corosync_cfg_handle_t handle, corosync_cfg_shutdown_flags_t flags)
{
	request->handle = handle;
	request->flags = flags;
	pthread_create(&request->thread, NULL, run_request, request);
}

static void answer(const char *what, struct request *request)
{
	pthread_join(request->thread, NULL);
	step(what, request->err);
}

static void reply(corosync_cfg_handle_t handle, int yes)
{
	STEP(yes ? "yes" : "no",
	     corosync_cfg_replyto_shutdown(handle, yes ? COROSYNC_CFG_SHUTDOWN_FLAG_YES : COROSYNC_CFG_SHUTDOWN_FLAG_NO));
}

static void node_status(corosync_cfg_handle_t handle, unsigned int nodeid)
{
	struct corosync_cfg_node_status_v1 status;
	cs_error_t err;
	int i;

	memset(&status, 0xff, sizeof status);
	AGAIN(err, corosync_cfg_node_status_get(handle, nodeid, CFG_NODE_STATUS_V1, &status));
	printf("node_status_get %u: %d version %d node %u reachable %u remote %u external %u onwire %u %u %u\n", nodeid,
	       (int)err, (int)status.version, status.nodeid, status.reachable, status.remote, status.external,
	       status.onwire_min, status.onwire_max, status.onwire_ver);
	for (i = 0; i < CFG_MAX_LINKS; i++) {
		struct corosync_knet_link_status_v1 *link = &status.link_status[i];
		printf("  link %d: enabled %u connected %u dynconnected %u mtu %u from '%s' to '%s'\n", i, link->enabled,
		       link->connected, link->dynconnected, link->mtu, link->src_ipaddr, link->dst_ipaddr);
	}
}

static void node_addrs(corosync_cfg_handle_t handle, unsigned int nodeid, size_t room)
{
	corosync_cfg_node_address_t addrs[8];
	int count = 0;
	cs_error_t err;
	int i;

	memset(addrs, 0, sizeof addrs);
	AGAIN(err, corosync_cfg_get_node_addrs(handle, nodeid, room, &count, addrs));
	printf("get_node_addrs %u, room for %zu: %d %s\n", nodeid, room, (int)err, cs_strerror(err));
	if (err != CS_OK)
		return;
	printf("  %d addresses\n", count);
	for (i = 0; i < count && i < (int)room; i++) {
		struct sockaddr_in *in = (struct sockaddr_in *)addrs[i].address;
		printf("  length %d family %d %s\n", addrs[i].address_length, in->sin_family, inet_ntoa(in->sin_addr));
	}
}

static void ring_status(corosync_cfg_handle_t handle)
{
	char **names, **statuses;
	unsigned int count, i;
	cs_error_t err;

	AGAIN(err, corosync_cfg_ring_status_get(handle, &names, &statuses, &count));
	step("ring_status_get", err);
	for (i = 0; err == CS_OK && i < count; i++) {
		printf("  '%s' '%s'\n", names[i], statuses[i]);
		free(names[i]);
		free(statuses[i]);
	}
	if (err == CS_OK) {
		free(names);
		free(statuses);
	}
}

static void call_all(const char *when, corosync_cfg_handle_t handle)
{
	struct corosync_cfg_node_status_v1 status;
	corosync_cfg_node_address_t addr;
	char **names, **statuses;
	unsigned int number;
	int fd;

	printf("-- %s\n", when);
	step("fd_get", corosync_cfg_fd_get(handle, &fd));
	step("dispatch", corosync_cfg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING));
	step("ring_status_get", corosync_cfg_ring_status_get(handle, &names, &statuses, &number));
	step("node_status_get", corosync_cfg_node_status_get(handle, 1, CFG_NODE_STATUS_V1, &status));
	step("kill_node", corosync_cfg_kill_node(handle, ABSENT, "reason"));
	step("trackstart", corosync_cfg_trackstart(handle, 0));
	step("trackstop", corosync_cfg_trackstop(handle));
	step("try_shutdown", corosync_cfg_try_shutdown(handle, COROSYNC_CFG_SHUTDOWN_FLAG_REQUEST));
	step("replyto_shutdown", corosync_cfg_replyto_shutdown(handle, COROSYNC_CFG_SHUTDOWN_FLAG_YES));
	step("get_node_addrs", corosync_cfg_get_node_addrs(handle, 1, 1, &fd, &addr));
	step("local_get", corosync_cfg_local_get(handle, &number));
	step("reload_config", corosync_cfg_reload_config(handle));
	step("reopen_log_files", corosync_cfg_reopen_log_files(handle));
	step("finalize", corosync_cfg_finalize(handle));
}

static void questions(corosync_cfg_handle_t handle)
{
	struct corosync_cfg_node_status_v1 status;
	unsigned int nodeid = 0;
	int fd = -1;

	printf("-- questions\n");
	step("fd_get", corosync_cfg_fd_get(handle, &fd));
	printf("a descriptor: %s\n", fd >= 0 ? "yes" : "no");
	step("dispatch one, nothing there", corosync_cfg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING));
	step("dispatch all, nothing there", corosync_cfg_dispatch(handle, CS_DISPATCH_ALL));
	STEP("local_get", corosync_cfg_local_get(handle, &nodeid));
	printf("we are %u\n", nodeid);
	ring_status(handle);
	for (nodeid = 0; nodeid <= NODES; nodeid++)
		node_addrs(handle, nodeid, 8);
	node_addrs(handle, ABSENT, 8);
	node_addrs(handle, 1, 0);
	for (nodeid = 0; nodeid <= NODES; nodeid++)
		node_status(handle, nodeid);
	node_status(handle, ABSENT);
	step("node_status_get, no room", corosync_cfg_node_status_get(handle, 1, CFG_NODE_STATUS_V1, NULL));
	step("node_status_get, version 0", corosync_cfg_node_status_get(handle, 1, 0, &status));
	step("node_status_get, version 2", corosync_cfg_node_status_get(handle, 1, 2, &status));
}

static void orders(corosync_cfg_handle_t handle)
{
	char reason[CS_MAX_NAME_LENGTH + 1];

	printf("-- orders\n");
	memset(reason, 'r', sizeof reason);
	reason[CS_MAX_NAME_LENGTH] = '\0';
	STEP("kill_node, a reason of 256", corosync_cfg_kill_node(handle, ABSENT, reason));
	STEP("kill_node, a reason of 255", corosync_cfg_kill_node(handle, ABSENT, reason + 1));
	STEP("kill_node, no reason", corosync_cfg_kill_node(handle, ABSENT, ""));
	STEP("kill_node 0", corosync_cfg_kill_node(handle, 0, "reason"));
	STEP("reopen_log_files", corosync_cfg_reopen_log_files(handle));
	STEP("reload_config", corosync_cfg_reload_config(handle));
	STEP("reload_config again", corosync_cfg_reload_config(handle));
	STEP("replyto_shutdown, nobody asked", corosync_cfg_replyto_shutdown(handle, COROSYNC_CFG_SHUTDOWN_FLAG_YES));
	STEP("trackstop before trackstart", corosync_cfg_trackstop(handle));
	STEP("trackstart", corosync_cfg_trackstart(handle, 0));
	STEP("trackstart again", corosync_cfg_trackstart(handle, 0xff));
	STEP("trackstop", corosync_cfg_trackstop(handle));
	STEP("trackstop again", corosync_cfg_trackstop(handle));
}

static void votes(corosync_cfg_handle_t tracker)
{
	corosync_cfg_handle_t second = client(), newcomer = client(), third = client();
	struct request request;

	printf("-- votes\n");
	STEP("trackstart", corosync_cfg_trackstart(tracker, 0));
	ask(&request, second, COROSYNC_CFG_SHUTDOWN_FLAG_REQUEST);
	events_of("the tracker", tracker, EVENT_MS);
	STEP("try_shutdown while another waits", corosync_cfg_try_shutdown(third, COROSYNC_CFG_SHUTDOWN_FLAG_REQUEST));
	STEP("the newcomer tracks", corosync_cfg_trackstart(newcomer, 0));
	events_of("the newcomer", newcomer, EVENT_MS);
	reply(tracker, 1);
	reply(newcomer, 0);
	answer("try_shutdown, one for and one against", &request);
	STEP("replyto_shutdown, all is over", corosync_cfg_replyto_shutdown(tracker, COROSYNC_CFG_SHUTDOWN_FLAG_YES));

	ask(&request, second, 77);
	events_of("the tracker", tracker, EVENT_MS);
	events_of("the newcomer", newcomer, EVENT_MS);
	reply(tracker, 0);
	STEP("the newcomer stops tracking", corosync_cfg_trackstop(newcomer));
	answer("try_shutdown, one against and one gone", &request);

	STEP("the second tracks", corosync_cfg_trackstart(second, 0));
	ask(&request, second, COROSYNC_CFG_SHUTDOWN_FLAG_REQUEST);
	events_of("the tracker", tracker, EVENT_MS);
	reply(tracker, 0);
	answer("try_shutdown of a tracker", &request);
	events_of("who asked itself", second, QUIET_MS);
	STEP("finalize", corosync_cfg_finalize(second));
	STEP("finalize", corosync_cfg_finalize(newcomer));
	STEP("finalize", corosync_cfg_finalize(third));
}

static void timeouts(corosync_cfg_handle_t tracker, cmap_handle_t map)
{
	corosync_cfg_handle_t asker = client(), both = client();
	struct request request;

	printf("-- timeouts\n");
	STEP("cfg.shutdown_timeout", cmap_set_uint32(map, "cfg.shutdown_timeout", VOTE_MS));
	ask(&request, asker, COROSYNC_CFG_SHUTDOWN_FLAG_REQUEST);
	events_of("the tracker", tracker, EVENT_MS);
	answer("try_shutdown, no opinion in time", &request);
	events_of("a tracker that never asked", tracker, QUIET_MS);

	STEP("a tracker", corosync_cfg_trackstart(both, 0));
	ask(&request, both, COROSYNC_CFG_SHUTDOWN_FLAG_REQUEST);
	events_of("the tracker", tracker, EVENT_MS);
	reply(tracker, 0);
	answer("try_shutdown of it", &request);
	ask(&request, asker, COROSYNC_CFG_SHUTDOWN_FLAG_REQUEST);
	events_of("the tracker", tracker, EVENT_MS);
	events_of("a tracker that once asked", both, EVENT_MS);
	answer("try_shutdown, no opinion in time", &request);
	events_of("a tracker that once asked", both, EVENT_MS);
	STEP("cfg.shutdown_timeout", cmap_delete(map, "cfg.shutdown_timeout"));
	STEP("finalize", corosync_cfg_finalize(both));
	STEP("finalize", corosync_cfg_finalize(asker));
}

static void lost_requester(corosync_cfg_handle_t tracker)
{
	corosync_cfg_handle_t asker;
	struct request request;
	pid_t child;

	printf("-- who asked dies\n");
	child = fork();
	if (child == 0) {
		cs_error_t err;
		AGAIN(err, corosync_cfg_try_shutdown(client(), COROSYNC_CFG_SHUTDOWN_FLAG_REQUEST));
		_exit((int)err);
	}
	events_of("the tracker", tracker, EVENT_MS);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	asker = client();
	ask(&request, asker, COROSYNC_CFG_SHUTDOWN_FLAG_REQUEST);
	events_of("the tracker", tracker, EVENT_MS);
	reply(tracker, 0);
	answer("try_shutdown of another", &request);
	STEP("finalize", corosync_cfg_finalize(asker));
}

static void death_of_another(corosync_cfg_handle_t handle)
{
	struct corosync_cfg_node_status_v1 status = { 0 };
	int waited_ms;

	printf("-- kill\n");
	STEP("kill_node", corosync_cfg_kill_node(handle, VICTIM, "walked over"));
	for (waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += 50) {
		corosync_cfg_node_status_get(handle, VICTIM, CFG_NODE_STATUS_V1, &status);
		if (!status.reachable)
			break;
		usleep(50000);
	}
	printf("it is gone: %s\n", status.reachable ? "no" : "yes");
	/* The service knows of it when the new ring is synchronized. */
	for (waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += 50) {
		cs_error_t err = corosync_cfg_kill_node(handle, VICTIM, "once more");
		if (err != CS_OK && err != CS_ERR_TRY_AGAIN)
			break;
		usleep(50000);
	}
	STEP("kill_node of the dead", corosync_cfg_kill_node(handle, VICTIM, "once more"));
	node_status(handle, VICTIM);
	node_addrs(handle, VICTIM, 8);
}

static void own_end(corosync_cfg_handle_t tracker)
{
	corosync_cfg_handle_t asker = client();
	struct request request;
	unsigned int nodeid;
	cs_error_t err = CS_OK;
	int waited_ms;

	printf("-- the end\n");
	ask(&request, asker, COROSYNC_CFG_SHUTDOWN_FLAG_REGARDLESS);
	events_of("the tracker", tracker, EVENT_MS);
	reply(tracker, 0);
	answer("try_shutdown regardless", &request);
	for (waited_ms = 0; waited_ms < PATIENCE_MS && (err == CS_OK || err == CS_ERR_TRY_AGAIN); waited_ms += 50) {
		err = corosync_cfg_local_get(asker, &nodeid);
		usleep(50000);
	}
	step("local_get of a daemon that went", err);
	step("finalize", corosync_cfg_finalize(asker));
}

int main(void)
{
	corosync_cfg_handle_t handle = 0;
	cmap_handle_t map;

	call_all("a bad handle", BAD_HANDLE);
	printf("-- open\n");
	STEP("initialize without callbacks", corosync_cfg_initialize(&handle, NULL));
	step("finalize", corosync_cfg_finalize(handle));
	call_all("after finalize", handle);
	STEP("cmap_initialize", cmap_initialize(&map));
	handle = client();
	questions(handle);
	orders(handle);
	votes(handle);
	timeouts(handle, map);
	lost_requester(handle);
	death_of_another(handle);
	own_end(handle);
	step("finalize", corosync_cfg_finalize(handle));
	return 0;
}

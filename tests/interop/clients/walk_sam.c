/*
 * Walks libsam: every function, before, during and after its time, and each recovery policy to its end.
 *
 * A process has one instance of SAM for ever, so each story is told by a child, and what it ended with is printed.
 */
#include <corosync/cmap.h>
#include <corosync/corotypes.h>
#include <corosync/sam.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HC_MS 200

static void step(const char *what, cs_error_t err)
{
	printf("%s: %d %s\n", what, (int)err, cs_strerror(err));
}

static void sleep_ms(unsigned int ms)
{
	/* A signal that was caught must not make the story go on early. */
	struct timespec left = { ms / 1000, (long)(ms % 1000) * 1000000 };
	while (nanosleep(&left, &left) != 0)
		;
}

static int healthy(void)
{
	return 0;
}

static void call_all(const char *when)
{
	char data[8];
	size_t size;

	printf("-- %s\n", when);
	step("sam_start", sam_start());
	step("sam_stop", sam_stop());
	step("sam_hc_send", sam_hc_send());
	step("sam_warn_signal_set", sam_warn_signal_set(SIGUSR1));
	step("sam_hc_callback_register", sam_hc_callback_register(healthy));
	step("sam_data_getsize", sam_data_getsize(&size));
	step("sam_data_getsize NULL", sam_data_getsize(NULL));
	step("sam_data_store", sam_data_store("abc", 3));
	step("sam_data_restore", sam_data_restore(data, sizeof data));
	step("sam_data_restore NULL", sam_data_restore(NULL, 0));
	step("sam_mark_failed", sam_mark_failed());
	step("sam_finalize", sam_finalize());
}

static int story_uninitialized(void)
{
	unsigned int instance;

	call_all("before sam_initialize");
	step("sam_register", sam_register(&instance));
	return 0;
}

static int story_initialized(void)
{
	unsigned int instance;

	step("sam_initialize without a policy", sam_initialize(0, 0));
	step("sam_initialize of both policies", sam_initialize(0, 3));
	step("sam_initialize of quorum alone", sam_initialize(0, SAM_RECOVERY_POLICY_QUORUM));
	step("sam_initialize of cmap alone", sam_initialize(0, SAM_RECOVERY_POLICY_CMAP));
	step("sam_initialize", sam_initialize(0, SAM_RECOVERY_POLICY_QUIT));
	step("sam_initialize again", sam_initialize(0, SAM_RECOVERY_POLICY_QUIT));
	call_all("before sam_register");
	call_all("after sam_finalize");
	step("sam_register", sam_register(&instance));
	step("sam_initialize", sam_initialize(0, SAM_RECOVERY_POLICY_QUIT));
	return 0;
}

static void walk_data(void)
{
	char data[16] = "";
	size_t size = 99;

	step("sam_data_getsize of nothing", sam_data_getsize(&size));
	printf("size %zu\n", size);
	step("sam_data_restore of nothing", sam_data_restore(data, sizeof data));
	step("sam_data_store", sam_data_store("twelve bytes", 12));
	step("sam_data_getsize", sam_data_getsize(&size));
	printf("size %zu\n", size);
	step("sam_data_restore into too little", sam_data_restore(data, 11));
	step("sam_data_restore", sam_data_restore(data, 12));
	printf("data %.12s\n", data);
	step("sam_data_store of less", sam_data_store("five5", 5));
	memset(data, 0, sizeof data);
	step("sam_data_restore", sam_data_restore(data, sizeof data));
	printf("data %s\n", data);
	step("sam_data_store of nothing", sam_data_store(NULL, 5));
	step("sam_data_getsize", sam_data_getsize(&size));
	printf("size %zu\n", size);
}

static int story_never_started(void)
{
	unsigned int instance = 99;

	step("sam_initialize", sam_initialize(0, SAM_RECOVERY_POLICY_RESTART));
	step("sam_register", sam_register(&instance));
	printf("instance %u\n", instance);
	step("sam_register again", sam_register(&instance));
	walk_data();
	step("sam_stop before sam_start", sam_stop());
	step("sam_hc_send before sam_start", sam_hc_send());
	step("sam_mark_failed without cmap", sam_mark_failed());
	return 7;
}

static int story_quit(void)
{
	step("sam_initialize", sam_initialize(0, SAM_RECOVERY_POLICY_QUIT));
	step("sam_register without a place for the instance", sam_register(NULL));
	step("sam_start", sam_start());
	step("sam_start again", sam_start());
	step("sam_hc_callback_register after sam_start", sam_hc_callback_register(healthy));
	step("sam_hc_send", sam_hc_send());
	return 9;
}

static int story_restart(void)
{
	unsigned int instance;
	size_t size = 0;
	char data[16] = "";

	step("sam_initialize", sam_initialize(0, SAM_RECOVERY_POLICY_RESTART));
	step("sam_data_store before sam_register", sam_data_store("from before", 12));
	step("sam_register", sam_register(&instance));
	printf("instance %u\n", instance);
	step("sam_data_getsize", sam_data_getsize(&size));
	step("sam_data_restore", sam_data_restore(data, sizeof data));
	printf("size %zu data %s\n", size, data);
	snprintf(data, sizeof data, "of instance %u", instance);
	step("sam_data_store", sam_data_store(data, strlen(data) + 1));
	step("sam_start", sam_start());
	if (instance == 1)
		exit(1);
	if (instance == 2)
		raise(SIGKILL);
	step("sam_stop", sam_stop());
	step("sam_stop again", sam_stop());
	step("sam_start", sam_start());
	step("sam_finalize when started", sam_finalize());
	call_all("after sam_finalize");
	return 11;
}

static void on_warning(int number)
{
	static const char text[] = "warned\n";

	(void)number;
	if (write(1, text, sizeof text - 1) < 0)
		_exit(99);
}

static int story_health(void)
{
	unsigned int instance;

	signal(SIGUSR1, on_warning);
	step("sam_initialize", sam_initialize(HC_MS, SAM_RECOVERY_POLICY_RESTART));
	step("sam_register", sam_register(&instance));
	printf("instance %u\n", instance);
	step("sam_warn_signal_set", sam_warn_signal_set(SIGUSR1));
	if (instance == 1) {
		sleep_ms(3 * HC_MS);
		printf("no check before sam_start\n");
		step("sam_start", sam_start());
		sleep_ms(20 * HC_MS);
		printf("nobody missed the health check\n");
		return 1;
	}
	step("sam_start", sam_start());
	for (int beat = 0; beat < 12; beat++) {
		sleep_ms(HC_MS / 4);
		if (sam_hc_send() != CS_OK)
			printf("sam_hc_send failed\n");
	}
	step("sam_stop", sam_stop());
	sleep_ms(3 * HC_MS);
	printf("no check after sam_stop\n");
	return 13;
}

static int checks;

static int check(void)
{
	return ++checks < 3 ? 0 : -1;
}

static int story_callback(void)
{
	signal(SIGTERM, on_warning);
	step("sam_initialize", sam_initialize(HC_MS, SAM_RECOVERY_POLICY_QUIT));
	step("sam_register", sam_register(NULL));
	step("sam_hc_callback_register NULL", sam_hc_callback_register(NULL));
	step("sam_hc_callback_register", sam_hc_callback_register(check));
	step("sam_hc_callback_register again", sam_hc_callback_register(check));
	step("sam_start", sam_start());
	sleep_ms(30 * HC_MS);
	printf("nobody called back\n");
	return 1;
}

/* The keys of a supervised process, whose supervisor's pid names them. */
static void show_keys(const char *when, pid_t supervisor)
{
	static const char *const names[] = { "last_updated", "poll_period", "recovery", "state" };
	cmap_handle_t cmap;
	char key[CMAP_KEYNAME_MAXLEN + 1], *text;
	uint64_t number;
	cs_error_t err = cmap_initialize(&cmap);

	printf("-- keys %s\n", when);
	if (err != CS_OK) {
		step("cmap_initialize", err);
		return;
	}
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(key, sizeof key, "resources.process.%d.%s", (int)supervisor, names[i]);
		if (i < 2) {
			err = cmap_get_uint64(cmap, key, &number);
			if (err == CS_OK && i == 1)
				printf("%s = %llu\n", names[i], (unsigned long long)number);
			else
				printf("%s: %d %s\n", names[i], (int)err, err == CS_OK ? "a time" : "");
		} else {
			err = cmap_get_string(cmap, key, &text);
			if (err == CS_OK) {
				printf("%s = %s\n", names[i], text);
				free(text);
			} else {
				printf("%s: %d\n", names[i], (int)err);
			}
		}
	}
	cmap_finalize(cmap);
}

static int story_cmap_quit(void)
{
	step("sam_initialize", sam_initialize(5000, SAM_RECOVERY_POLICY_QUIT | SAM_RECOVERY_POLICY_CMAP));
	step("sam_register", sam_register(NULL));
	show_keys("after sam_register", getppid());
	step("sam_start", sam_start());
	show_keys("after sam_start", getppid());
	step("sam_hc_send", sam_hc_send());
	step("sam_stop", sam_stop());
	show_keys("after sam_stop", getppid());
	return 15;
}

static int story_cmap_failed(void)
{
	step("sam_initialize", sam_initialize(5000, SAM_RECOVERY_POLICY_RESTART | SAM_RECOVERY_POLICY_CMAP));
	step("sam_register", sam_register(NULL));
	step("sam_start", sam_start());
	show_keys("after sam_start", getppid());
	/* Its supervisor may kill it before the call returns. */
	printf("sam_mark_failed\n");
	sam_mark_failed();
	sleep_ms(20 * HC_MS);
	printf("nobody marked it failed\n");
	return 1;
}

static int story_quorum(void)
{
	unsigned int instance;

	step("sam_initialize", sam_initialize(0, SAM_RECOVERY_POLICY_QUORUM_RESTART));
	step("sam_register", sam_register(&instance));
	printf("instance %u\n", instance);
	step("sam_start in a quorate ring", sam_start());
	if (instance == 1)
		exit(1);
	step("sam_stop", sam_stop());
	step("sam_mark_failed without cmap", sam_mark_failed());
	return 17;
}

static int story_quorum_and_cmap(void)
{
	step("sam_initialize", sam_initialize(0, SAM_RECOVERY_POLICY_QUORUM_QUIT | SAM_RECOVERY_POLICY_CMAP));
	step("sam_register", sam_register(NULL));
	show_keys("after sam_register", getppid());
	step("sam_start in a quorate ring", sam_start());
	/* Its supervisor has yet to write the state it goes on to. */
	sleep_ms(HC_MS);
	show_keys("after sam_start", getppid());
	return 19;
}

static pid_t tell(const char *name, int (*story)(void))
{
	int status;

	printf("== %s\n", name);
	pid_t pid = fork();
	if (pid == 0)
		exit(story());
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("ended by signal %d\n", WTERMSIG(status));
	else
		printf("ended with %d\n", WEXITSTATUS(status));
	return pid;
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	tell("uninitialized", story_uninitialized);
	tell("initialized", story_initialized);
	tell("never started", story_never_started);
	tell("quit", story_quit);
	tell("restart", story_restart);
	tell("health", story_health);
	tell("callback", story_callback);
	show_keys("of a clean end", tell("cmap, quit", story_cmap_quit));
	show_keys("of a failed process", tell("cmap, marked failed", story_cmap_failed));
	tell("quorum", story_quorum);
	show_keys("of a process that was lost", tell("quorum and cmap", story_quorum_and_cmap));
	return 0;
}

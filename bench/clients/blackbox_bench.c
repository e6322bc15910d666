/*
 * What one record costs in libqb's blackbox: "blackbox_bench RECORDS ROUNDS FILE" prints the
 * nanoseconds of processor time of a record, a line for each round, and leaves the blackbox in FILE,
 * about which libqb prints more lines.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>

#include <qb/qbdefs.h>
#include <qb/qblog.h>

#define SIZE_BYTES (4 << 20)

static int64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int main(int argc, char **argv)
{
	int64_t began_ns;
	int records, rounds, i;

	if (argc != 4) {
		fprintf(stderr, "usage: %s RECORDS ROUNDS FILE\n", argv[0]);
		return 2;
	}
	records = atoi(argv[1]);
	rounds = atoi(argv[2]);
	qb_log_init("bench", LOG_USER, LOG_EMERG);
	qb_log_ctl(QB_LOG_SYSLOG, QB_LOG_CONF_ENABLED, QB_FALSE);
	qb_log_filter_ctl(QB_LOG_BLACKBOX, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*", LOG_DEBUG);
	qb_log_ctl(QB_LOG_BLACKBOX, QB_LOG_CONF_SIZE, SIZE_BYTES);
	if (qb_log_ctl(QB_LOG_BLACKBOX, QB_LOG_CONF_ENABLED, QB_TRUE) != 0) {
		fprintf(stderr, "no blackbox\n");
		return 1;
	}
	for (; rounds > 0; rounds--) {
		began_ns = cpu_ns();
		for (i = 0; i < records; i++) {
			qb_log(LOG_DEBUG, "token %x is here: seq %x aru %x fcc %d", i, i + 1, i + 2, 17);
		}
		printf("%.1f\n", (double)(cpu_ns() - began_ns) / records);
	}
	if (qb_log_blackbox_write_to_file(argv[3]) <= 0) {
		fprintf(stderr, "nothing was recorded\n");
		return 1;
	}
	qb_log_fini();
	return 0;
}

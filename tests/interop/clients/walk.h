/*
 * What the walks through the libraries share: one line for each call, with its error.
 */
#ifndef WALK_H
#define WALK_H

#include <corosync/corotypes.h>
#include <stdio.h>
#include <unistd.h>

#define BAD_HANDLE 0x1234567800000001ULL

static void step(const char *what, cs_error_t err)
{
	printf("%s: %d %s\n", what, (int)err, cs_strerror(err));
	fflush(stdout);
}

/* The services may be out of step for a moment; the same call is made again then. */
#define AGAIN(err, call) \
	do { \
		(err) = (call); \
	} while ((err) == CS_ERR_TRY_AGAIN && usleep(10000) == 0)

#define STEP(what, call) \
	do { \
		cs_error_t step_err; \
		AGAIN(step_err, call); \
		step(what, step_err); \
	} while (0)

#endif

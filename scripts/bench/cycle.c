// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures two commands that undo each other, with the start and the end of their processes.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cycle.h"
#include "util.h"

#define MAX_TIMES 1000

extern char **environ;

struct measure {
	uint64_t busy[MAX_TIMES];
	uint64_t idle[MAX_TIMES];
};

/* Idle time to the nanosecond; /proc/uptime has only hundredths of a second. */
static uint64_t idle_ns(void)
{
	static const char key[] = ".idle_sleeptime";
	FILE *f = fopen("/proc/timer_list", "r");
	unsigned long long ns = 0;
	char line[256], *at;

	if (!f)
		die("/proc/timer_list: %s", strerror(errno));
	while (!ns && fgets(line, sizeof(line), f)) {
		at = strstr(line, key);
		if (at && sscanf(at + strlen(key), " : %llu", &ns) != 1)
			die("/proc/timer_list: %s", line);
	}
	fclose(f);
	return ns;
}

static void run(char **command)
{
	int status, ret;
	pid_t pid;

	ret = posix_spawnp(&pid, command[0], NULL, NULL, command, environ);
	if (ret)
		die("%s: %s", command[0], strerror(ret));
	if (waitpid(pid, &status, 0) != pid || status)
		die("%s %s failed", command[0], command[1] ? command[1] : "");
}

static void measure_one(struct measure *m, int i, char **command)
{
	uint64_t idle = idle_ns(), begin = now_ns(), took;

	run(command);
	took = now_ns() - begin;
	m->idle[i] = idle_ns() - idle;
	m->busy[i] = took - m->idle[i];
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print(struct measure *m, int times)
{
	qsort(m->busy, (size_t)times, sizeof(*m->busy), compare);
	qsort(m->idle, (size_t)times, sizeof(*m->idle), compare);
	printf("%lu %lu\n", m->busy[0], m->idle[times / 2]);
}

/*
 * cycle TIMES COMMAND... -- COMMAND...: run the two in turn; print a line for each: the least of the instructions, and the
 * median of the nanoseconds in which the processor had nothing to do. The first turn does not count.
 */
void cmd_cycle(int argc, char **argv)
{
	static struct measure first, second;
	char **undo;
	int times, i;

	if (argc < 3)
		die("usage: cycle TIMES COMMAND... -- COMMAND...");
	times = (int)number(argv[1]);
	for (undo = argv + 2; *undo && strcmp(*undo, "--"); undo++)
		;
	if (!*undo || !undo[1] || undo == argv + 2 || times < 1 || times > MAX_TIMES)
		die("usage: cycle TIMES COMMAND... -- COMMAND...");
	*undo++ = NULL;
	run(argv + 2);
	run(undo);
	for (i = 0; i < times; i++) {
		measure_one(&first, i, argv + 2);
		measure_one(&second, i, undo);
	}
	print(&first, times);
	print(&second, times);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a stream is told to copy first, with a model in place of libdevmapper and the kernel, and a pipe in place of the
 * trace.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libdevmapper.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parts-send.h"
#include "plan.h"
#include "promote.h"
#include "reads.h"
#include "test.h"
#include "util.h"

#define UNIT (256 * 1024)

/* Shared with the processes that are beside this one. */
static struct {
	volatile unsigned int messages;	/* that were taken */
	volatile unsigned int refused;
	volatile unsigned int left;	/* how many are taken before the queue is full */
	volatile bool over;		/* the job */
	char last[2048];
} *model;

struct dm_task {
	int type;
	char message[2048];
};

struct dm_task *dm_task_create(int type)
{
	struct dm_task *task = calloc(1, sizeof(*task));

	task->type = type;
	return task;
}

void dm_task_destroy(struct dm_task *task)
{
	free(task);
}

int dm_task_set_name(struct dm_task *task, const char *name)
{
	(void)task;
	(void)name;
	return 1;
}

int dm_task_set_sector(struct dm_task *task, uint64_t sector)
{
	(void)task;
	(void)sector;
	return 1;
}

int dm_task_set_message(struct dm_task *task, const char *message)
{
	snprintf(task->message, sizeof(task->message), "%s", message);
	return 1;
}

int dm_task_no_flush(struct dm_task *task)
{
	(void)task;
	return 1;
}

int dm_task_run(struct dm_task *task)
{
	if (task->type != DM_DEVICE_TARGET_MSG)
		return 1;
	if (!model->left) {
		model->refused++;
		return 0;
	}
	model->left--;
	strcpy(model->last, task->message);
	model->messages++;
	return 1;
}

int dm_task_get_errno(struct dm_task *task)
{
	(void)task;
	return ENOSPC;
}

#undef dm_task_get_info
int dm_task_get_info(struct dm_task *task, struct dm_info *info)
{
	(void)task;
	memset(info, 0, sizeof(*info));
	info->exists = 1;
	return 1;
}

void *dm_get_next_target(struct dm_task *task, void *next, uint64_t *start, uint64_t *length, char **type,
			 char **params)
{
	static char name[] = "cowchain";
	static char running[] = "rw 2 8 1/2 8 stream running - 0 1073741824 0 ok 0";
	static char over[] = "rw 1 8 1/2 8 stream concluded - 0 1073741824 0 ok 0";

	(void)task;
	(void)next;
	*start = 0;
	*length = 2097152;
	*type = name;
	*params = model->over ? over : running;
	return NULL;
}

static int setup(void **state)
{
	(void)state;
	model->messages = model->refused = 0;
	model->left = 1000;
	model->over = false;
	model->last[0] = '\0';
	return 0;
}

static struct part *make(size_t nr)
{
	struct part *part = calloc(nr, sizeof(*part));
	size_t i;

	for (i = 0; i < nr; i++)
		part[i] = (struct part){ i * 8192, 4096 };
	return part;
}

/* The plan of so many parts, in lines. */
static void plan_of(size_t nr, char *got, size_t size)
{
	struct part *part = make(nr);
	int saved = dup(STDOUT_FILENO);
	FILE *f = tmpfile();
	size_t sent;

	fflush(stdout);
	dup2(fileno(f), STDOUT_FILENO);
	plan_begin();
	assert_int_equal(parts_send("vm", part, nr, &sent), 0);
	plan_end(CC_OK);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	assert_int_equal(sent, nr);
	rewind(f);
	got[fread(got, 1, size - 1, f)] = '\0';
	fclose(f);
	free(part);
}

static void planned(void **state)
{
	static const size_t numbers[] = { 0, 1, 32, 33, 64, 65, PARTS_MAX };
	static char wanted[1 << 17], got[1 << 17];
	size_t i, p, at;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		wanted[0] = '\0';
		for (at = p = 0; p < numbers[i]; p++) {
			if (!(p % 32))
				at += (size_t)sprintf(wanted + at, "%sdmsetup message vm 0 job-first", p ? "\n" : "");
			at += (size_t)sprintf(wanted + at, " %zu 8", p * 16);
		}
		if (p)
			strcpy(wanted + at, "\n");
		plan_of(numbers[i], got, sizeof(got));
		assert_string_equal(got, wanted);
	}
	assert_int_equal(model->messages, 0);
}

static void sent_until_full(void **state)
{
	struct part *part = make(100);
	size_t sent;

	(void)state;
	quiet_begin();
	assert_int_equal(parts_send("vm", part, 100, &sent), 0);
	assert_int_equal(sent, 100);
	assert_int_equal(model->messages, 4);
	assert_string_equal(model->last, "job-first 1536 8 1552 8 1568 8 1584 8");
	model->left = 2;
	assert_int_equal(parts_send("vm", part, 100, &sent), -ENOSPC);
	assert_int_equal(sent, 64);
	/* A job that is over has no need. */
	model->left = 0;
	model->over = true;
	assert_int_equal(parts_send("vm", part, 100, &sent), 0);
	assert_int_equal(sent, 100);
	assert_string_equal(quiet_end(), "");
	free(part);
}

/* Who has messages muted, or not, has them so afterwards. */
static void still_muted(void **state)
{
	struct part part = { 0, 4096 };
	size_t sent;

	(void)state;
	quiet_begin();
	assert_false(cc_mute(true));
	parts_send("vm", &part, 1, &sent);
	cc_error("not to be seen");
	assert_true(cc_mute(false));
	parts_send("vm", &part, 1, &sent);
	cc_error("to be seen");
	assert_string_equal(quiet_end(), "cowchain: to be seen\n");
}

/* ---- the process beside ---- */

static void begin(struct promote *promote, int *trace)
{
	int ends[2];

	memset(promote, 0, sizeof(*promote));
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(mkdir("instance", 0700), 0);
	promote->name = "vm";
	promote->bytes = 1 << 30;
	promote->reads = calloc(1, sizeof(*promote->reads));
	promote->reads->pipe = ends[0];
	promote->reads->dir = strdup("instance");
	*trace = ends[1];
	promote_begin(promote);
	assert_true(promote->pid > 0);
}

static void read_there(int trace, unsigned int unit)
{
	char line[128];
	int len = sprintf(line, " dd-1 [000] ..... 1.1: cowchain_map: 254,0 read %u + 8 device layer 0 7,0\n",
			  unit * (UNIT / 512));

	assert_int_equal(write(trace, line, (size_t)len), len);
}

static void wait_until(const volatile unsigned int *counter, unsigned int value)
{
	while (*counter < value)
		usleep(1000);
}

static bool is_left(void)
{
	struct stat st;

	return !stat("instance", &st);
}

static void end(struct promote *promote, int trace)
{
	promote_end(promote);
	assert_null(promote->reads);
	assert_false(is_left());
	close(trace);
}

static void promoted(void **state)
{
	struct promote promote;
	int trace;

	(void)state;
	begin(&promote, &trace);
	read_there(trace, 3);
	wait_until(&model->messages, 1);
	assert_string_equal(model->last, "job-first 1536 512 2048 512");
	/* the first of these is there already */
	read_there(trace, 4);
	wait_until(&model->messages, 2);
	assert_string_equal(model->last, "job-first 2560 512");
	end(&promote, trace);
}

/* What had no place is asked for again when it is read again, and only that. */
static void full_queue(void **state)
{
	struct promote promote;
	int trace;

	(void)state;
	begin(&promote, &trace);
	read_there(trace, 3);
	wait_until(&model->messages, 1);
	model->left = 0;
	read_there(trace, 4);
	wait_until(&model->refused, 1);
	model->left = 1000;
	while (model->messages < 2) {
		read_there(trace, 4);
		usleep(1000);
	}
	assert_string_equal(model->last, "job-first 2560 512");
	end(&promote, trace);
}

/* The parent removes the instance if the process beside cannot. */
static void killed_beside(void **state)
{
	struct promote promote;
	int trace;

	(void)state;
	begin(&promote, &trace);
	kill(promote.pid, SIGKILL);
	end(&promote, trace);
}

/* Runs in a process: what it has beside it is to end with it, by these signals. */
static void parent(int ignored)
{
	struct promote promote;
	int trace;

	signal(ignored, SIG_IGN);
	begin(&promote, &trace);
	/* So it runs. */
	read_there(trace, 3);
	wait_until(&model->messages, 1);
	raise(SIGKILL);
}

static void killed_parent(void **state)
{
	static const int ignored[] = { SIGHUP, SIGTERM };
	size_t i;
	int status;
	pid_t pid;

	(void)state;
	/* What it leaves becomes a child of this process. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	for (i = 0; i < ARRAY_SIZE(ignored); i++) {
		setup(NULL);
		pid = fork();
		if (!pid)
			parent(ignored[i]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		assert_true(wait(&status) > 0);
		assert_true(WIFEXITED(status));
		assert_false(is_left());
	}
}

/* One that is ignored, as by nohup, does not end it; another one does; and the mask of the parent is as it was. */
static void ignored_signals(void **state)
{
	sigset_t before, after;
	struct promote promote;
	siginfo_t info;
	int trace, number;

	(void)state;
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGQUIT, SIG_DFL);
	sigprocmask(SIG_SETMASK, NULL, &before);
	begin(&promote, &trace);
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (number = 1; number < SIGRTMIN; number++)
		assert_int_equal(sigismember(&before, number), sigismember(&after, number));
	kill(promote.pid, SIGHUP);
	read_there(trace, 3);
	wait_until(&model->messages, 1);
	assert_true(is_left());
	kill(promote.pid, SIGQUIT);
	assert_int_equal(waitid(P_PID, (id_t)promote.pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(info.si_code, CLD_EXITED);
	assert_false(is_left());
	end(&promote, trace);
	signal(SIGHUP, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(planned, setup),
		cmocka_unit_test_setup(sent_until_full, setup),
		cmocka_unit_test_setup(still_muted, setup),
		cmocka_unit_test_setup(promoted, setup),
		cmocka_unit_test_setup(full_queue, setup),
		cmocka_unit_test_setup(killed_beside, setup),
		cmocka_unit_test_setup(killed_parent, setup),
		cmocka_unit_test_setup(ignored_signals, setup),
	};

	model = mmap(NULL, sizeof(*model), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (model == MAP_FAILED)
		return 1;
	/* What does not come ends it. Longer than any machine takes. */
	alarm(600);
	return cmocka_run_group_tests_name("promote", tests, scratch_setup, scratch_teardown);
}

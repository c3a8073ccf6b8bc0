// SPDX-License-Identifier: GPL-2.0-only
/*
 * cct-stall: lets a task wait at the entry of a function, so that tests can put something else
 * between two steps of it.
 *
 * The parameter "at" of the module takes the name of a function: the next task that calls it waits
 * there. It has to be called where a task may sleep, and with six arguments at most. "-" lets the
 * task continue. Reading the parameter returns how many wait.
 */
#include <linux/atomic.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/wait.h>

static DECLARE_WAIT_QUEUE_HEAD(stall_wait);
static DEFINE_MUTEX(stall_mutex);	/* the parameter */
static atomic_t armed;
static atomic_t waiting;
static bool go;
static bool registered;
static char symbol[KSYM_NAME_LEN];
static long (*stalled_fn)(long a, long b, long c, long d, long e, long f);

/* Called in place of the function. */
static long stall(long a, long b, long c, long d, long e, long f)
{
	long r;

	atomic_inc(&waiting);
	wait_event(stall_wait, READ_ONCE(go));
	atomic_dec(&waiting);
	r = stalled_fn(a, b, c, d, e, f);
	module_put(THIS_MODULE);
	return r;
}

static int stall_enter(struct kprobe *kp, struct pt_regs *regs)
{
	if (atomic_cmpxchg(&armed, 1, 0) != 1)
		return 0;
	__module_get(THIS_MODULE);
	instruction_pointer_set(regs, (unsigned long)stall);
	return 1;
}

/* With this one, the kernel knows that the other one changes the flow. */
static void stall_post(struct kprobe *kp, struct pt_regs *regs, unsigned long flags)
{
}

static struct kprobe probe;

static void stall_remove(void)
{
	atomic_set(&armed, 0);
	WRITE_ONCE(go, true);
	wake_up_all(&stall_wait);
	if (registered)
		unregister_kprobe(&probe);
	registered = false;
}

static int stall_at(const char *name)
{
	int r;

	memset(&probe, 0, sizeof(probe));
	strscpy(symbol, name, sizeof(symbol));
	probe.symbol_name = strim(symbol);
	probe.pre_handler = stall_enter;
	probe.post_handler = stall_post;
	r = register_kprobe(&probe);
	if (r)
		return r;
	registered = true;
	stalled_fn = (void *)probe.addr;
	WRITE_ONCE(go, false);
	atomic_set_release(&armed, 1);
	return 0;
}

static int at_set(const char *val, const struct kernel_param *kp)
{
	int r = 0;

	mutex_lock(&stall_mutex);
	stall_remove();
	if (val[0] != '-')
		r = stall_at(val);
	mutex_unlock(&stall_mutex);
	return r;
}

static int at_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%d\n", atomic_read(&waiting));
}

static const struct kernel_param_ops at_ops = { .set = at_set, .get = at_get };
module_param_cb(at, &at_ops, NULL, 0600);
MODULE_PARM_DESC(at, "function at which the next task waits");

static int __init stall_init(void)
{
	return 0;
}

static void __exit stall_exit(void)
{
	stall_remove();
}

module_init(stall_init);
module_exit(stall_exit);

MODULE_DESCRIPTION("lets a task wait at the entry of a function, for tests");
MODULE_AUTHOR("The dm-cowchain authors");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * cct-fault: a device-mapper target for tests that lets the n-th I/O fail.
 *
 *	<start> <length> cct-fault <device> <id>
 *
 * All I/O goes to the same sector of the device. It is
 * counted over all devices of this target at once, so that "the n-th" means
 * the n-th of a whole chain. All devices have one plan, in the parameter "plan"
 * of the module; writing it begins a new count:
 *
 *	<ids> <ops> <n> <times> <errno> <late>
 *
 * ids, ops: bit masks; other I/O is not counted. n: the first I/O
 * that fails, 0 for none. times: how many fail from there on, -1 for all.
 * late: the device does it, and the error is reported nevertheless.
 *
 * Reading it returns how many I/Os were counted and failed, and the first that failed:
 *
 *	<seen> <failed> <id> <op> <sector> <sectors>
 */
#include <linux/bio.h>
#include <linux/device-mapper.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#define DM_MSG_PREFIX "cct-fault"

/* Bits of ops, and the letters that name them. */
enum { OP_READ, OP_WRITE, OP_FLUSH, OP_DISCARD, OP_ZEROES, NR_OPS };
static const char op_letter[NR_OPS] = "rwfdz";

struct fault_dev {
	struct dm_dev *dev;
	unsigned int id;
};

/* Of a bio: the error with which it ends after the device has done it. */
struct fault_io {
	blk_status_t late;
};

/* Protected by plan_lock. */
static struct {
	unsigned int ids;
	unsigned int ops;
	unsigned long long nth;
	long long times;
	blk_status_t status;
	bool late;
	unsigned long long seen;
	unsigned long long failed;
	unsigned int id;
	char op;
	sector_t sector;
	unsigned int sectors;
} plan;
static DEFINE_SPINLOCK(plan_lock);

static int plan_set(const char *val, const struct kernel_param *kp)
{
	unsigned int ids, ops;
	unsigned long long nth;
	long long times;
	int error, late;

	if (sscanf(val, "%u %u %llu %lld %d %d", &ids, &ops, &nth, &times, &error, &late) != 6)
		return -EINVAL;
	spin_lock_irq(&plan_lock);
	memset(&plan, 0, sizeof(plan));
	plan.ids = ids;
	plan.ops = ops;
	plan.nth = nth;
	plan.times = times;
	plan.status = errno_to_blk_status(-error);
	plan.late = late;
	plan.op = '-';
	spin_unlock_irq(&plan_lock);
	return 0;
}

static int plan_get(char *buffer, const struct kernel_param *kp)
{
	int n;

	spin_lock_irq(&plan_lock);
	n = sysfs_emit(buffer, "%llu %llu %u %c %llu %u\n", plan.seen, plan.failed, plan.id,
		       plan.op ? plan.op : '-', (unsigned long long)plan.sector, plan.sectors);
	spin_unlock_irq(&plan_lock);
	return n;
}

static const struct kernel_param_ops plan_ops = { .set = plan_set, .get = plan_get };
module_param_cb(plan, &plan_ops, NULL, 0600);
MODULE_PARM_DESC(plan, "what fails: ids ops n times errno late");

static int fault_op(const struct bio *bio)
{
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return OP_READ;
	case REQ_OP_DISCARD:
		return OP_DISCARD;
	case REQ_OP_WRITE_ZEROES:
		return OP_ZEROES;
	default:
		return bio_sectors(bio) ? OP_WRITE : OP_FLUSH;
	}
}

/* Counts the bio. Return: the status with which it ends. */
static blk_status_t fault_status(const struct fault_dev *fd, const struct bio *bio, bool *late)
{
	blk_status_t status = BLK_STS_OK;
	int op = fault_op(bio);
	unsigned long flags;

	spin_lock_irqsave(&plan_lock, flags);
	if (!(plan.ids & BIT(fd->id)) || !(plan.ops & BIT(op)))
		goto out;
	plan.seen++;
	if (!plan.nth || plan.seen < plan.nth ||
	    (plan.times >= 0 && plan.failed >= plan.times))
		goto out;
	if (!plan.failed++) {
		plan.id = fd->id;
		plan.op = op_letter[op];
		plan.sector = bio->bi_iter.bi_sector;
		plan.sectors = bio_sectors(bio);
	}
	status = plan.status;
	*late = plan.late;
out:
	spin_unlock_irqrestore(&plan_lock, flags);
	return status;
}

static int fault_map(struct dm_target *ti, struct bio *bio)
{
	struct fault_io *io = dm_per_bio_data(bio, sizeof(*io));
	struct fault_dev *fd = ti->private;
	bool late = false;
	blk_status_t status;

	bio_set_dev(bio, fd->dev->bdev);
	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	status = fault_status(fd, bio, &late);
	io->late = late ? status : BLK_STS_OK;
	if (!status || late)
		return DM_MAPIO_REMAPPED;
	bio->bi_status = status;
	bio_endio(bio);
	return DM_MAPIO_SUBMITTED;
}

static int fault_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct fault_io *io = dm_per_bio_data(bio, sizeof(*io));

	if (io->late)
		*error = io->late;
	return DM_ENDIO_DONE;
}

static int fault_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct fault_dev *fd;
	int r;

	if (argc != 2) {
		ti->error = "needs a device and an id";
		return -EINVAL;
	}
	fd = kzalloc(sizeof(*fd), GFP_KERNEL);
	if (!fd)
		return -ENOMEM;
	r = kstrtouint(argv[1], 10, &fd->id);
	if (!r && fd->id >= 32)
		r = -EINVAL;
	if (!r)
		r = dm_get_device(ti, argv[0], dm_table_get_mode(ti->table), &fd->dev);
	if (r) {
		ti->error = "bad device or id";
		kfree(fd);
		return r;
	}
	ti->private = fd;
	ti->per_io_data_size = sizeof(struct fault_io);
	ti->num_flush_bios = 1;
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	return 0;
}

static void fault_dtr(struct dm_target *ti)
{
	struct fault_dev *fd = ti->private;

	dm_put_device(ti, fd->dev);
	kfree(fd);
}

static void fault_status_line(struct dm_target *ti, status_type_t type, unsigned int flags,
			      char *result, unsigned int maxlen)
{
	struct fault_dev *fd = ti->private;
	unsigned int sz = 0;

	*result = '\0';
	if (type == STATUSTYPE_TABLE)
		DMEMIT("%s %u", fd->dev->name, fd->id);
}

static int fault_iterate(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct fault_dev *fd = ti->private;

	return fn(ti, fd->dev, 0, ti->len, data);
}

static struct target_type fault_target = {
	.name = "cct-fault",
	.version = { 1, 1, 0 },
	.features = DM_TARGET_NOWAIT,
	.module = THIS_MODULE,
	.ctr = fault_ctr,
	.dtr = fault_dtr,
	.map = fault_map,
	.end_io = fault_end_io,
	.status = fault_status_line,
	.iterate_devices = fault_iterate,
};

static int __init fault_init(void)
{
	return dm_register_target(&fault_target);
}

static void __exit fault_exit(void)
{
	dm_unregister_target(&fault_target);
}

module_init(fault_init);
module_exit(fault_exit);

MODULE_DESCRIPTION("device-mapper target that lets the n-th I/O fail, for tests");
MODULE_AUTHOR("The dm-cowchain authors");
MODULE_LICENSE("GPL");

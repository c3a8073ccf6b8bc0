// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lies below the images of a chain, and what it was before.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain-record.h"
#include "plan.h"
#include "util.h"

/* What is below now. A layer that the user has listed is what was meant. */
static bool look_below(const struct layer *layer, const struct layer *below, struct record *now)
{
	if (!below->named)
		return false;
	record_of(below->file.fd, layer->image.backing_name, now);
	now->size = layer_size(below);
	return true;
}

static int check_layer(const struct layer *layer, const struct layer *below, uint64_t disk)
{
	struct record was, now;
	char *text = look_below(layer, below, &now) ? record_read(layer->file.fd, &was) : NULL;
	int ret = 0;

	/* With another name in the header, another file was meant. */
	if (!text || strcmp(was.name, now.name)) {
		free(text);
		return 0;
	}
	if (record_size_matters(&was, &now, disk)) {
		cc_error("%s: its backing file %s had %" PRIu64 " bytes when it was last used here, and has %" PRIu64 " now, so the disk would have other contents: restore it, or give --ignore-identity if that was intended",
			 layer->file.path, below->file.path, was.size, now.size);
		ret = -1;
	} else if (record_other_file(&was, &now)) {
		cc_note("%s: its backing file %s is another file than the one that was last used here, or a copy of it",
			layer->file.path, below->file.path);
	}
	free(text);
	return ret;
}

int chain_check_record(const struct chain *chain)
{
	uint64_t disk = layer_size(chain_top(chain));
	unsigned int i;

	for (i = 1; i < chain->nr; i++)
		if (check_layer(&chain->layers[i], &chain->layers[i - 1], disk))
			return -1;
	return 0;
}

void chain_record_prepare(const struct chain *chain, const struct layer_options *opt, struct chain_record *record)
{
	const struct layer *top = chain_top(chain);

	record->fd = -1;
	if (!opt->read_only && chain->nr > 1 && look_below(top, top - 1, &record->rec))
		record->fd = fcntl(top->file.fd, F_DUPFD_CLOEXEC, 0);
}

void chain_record_finish(struct chain_record *record, bool in_use)
{
	if (record->fd < 0)
		return;
	if (in_use && !plan_wanted())
		record_write(record->fd, &record->rec);
	close(record->fd);
	record->fd = -1;
}

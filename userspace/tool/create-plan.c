// SPDX-License-Identifier: GPL-2.0-only
/*
 * What makes an image, as a line of shell.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "create-plan.h"
#include "plan.h"
#include "util.h"

/* What exists is looked at when the line is run; this much can be said before. */
static int check_free(const struct create_request *req, const char *path)
{
	struct stat st;

	if (!path || lstat(path, &st) || !S_ISREG(st.st_mode) || (req->overwrite && !req->devices_only))
		return 0;
	cc_error("%s: exists", path);
	return -1;
}

static void add_option(struct strbuf *sb, const char *option, const char *value)
{
	if (value)
		strbuf_addf(sb, " %s %s", option, shell_word(value));
}

static char *format(const struct create_request *req)
{
	struct strbuf sb = { 0 };

	strbuf_addf(&sb, "cowchain create %s", shell_word(req->path));
	add_option(&sb, "--backing", req->backing);
	add_option(&sb, "--backing-format", req->backing ? kind_name(req->backing_kind) : NULL);
	strbuf_addf(&sb, " --size %" PRIu64 " --cluster-size %" PRIu64, req->size, req->cluster_size);
	add_option(&sb, "--data-file", req->data_file);
	strbuf_addf(&sb, "%s%s", req->reserve ? " --reserve" : "", req->overwrite ? " --force" : "");
	return sb.text;
}

int create_plan(const struct create_request *req, struct created *files)
{
	memset(files, 0, sizeof(*files));
	files->planned = req->size;
	if (req->backing_name) {
		cc_error("--dry-run: there is no line that makes an image with the name of --backing-file: make it first");
		return -1;
	}
	if (check_free(req, req->path) || check_free(req, req->data_file))
		return -1;
	plan_text(format(req));
	return 0;
}

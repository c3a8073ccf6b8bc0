/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The texts of the cowchain target, as in Documentation/dm-cowchain.rst: table line, status line,
 * messages. No I/O.
 */
#ifndef COWCHAIN_TARGET_H
#define COWCHAIN_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#define TARGET_NAME "cowchain"
#define TARGET_MAX_LAYERS 255
/* Of features: two tails of three words for each layer, and more than there are other ones. */
#define TARGET_MAX_WORDS (2 * 3 * TARGET_MAX_LAYERS + 64)

enum layer_kind { KIND_RAW, KIND_QCOW2 };

const char *kind_name(enum layer_kind kind);
/* Returns 0, or -1 if the word is no kind. */
int kind_parse(const char *word, enum layer_kind *kind);

/*
 * A layer in a table line; devices as the kernel prints them. data is NULL without a data device.
 */
struct table_layer {
	enum layer_kind kind;
	char *dev;
	char *data;
};

struct table {
	char **features;
	unsigned int nr_features;
	struct table_layer *layers;	/* base first */
	unsigned int nr_layers;
};

/* params: what follows the name of the target. Returns 0, or -1: then table holds nothing. */
int table_parse(const char *params, struct table *table);
/* Caller frees. */
char *table_format(const struct table *table);
/* Takes over the word. */
void table_add_feature(struct table *table, char *word);
bool table_has_feature(const struct table *table, const char *word);
void table_free(struct table *table);

struct target_job {
	bool present;
	char type[16];
	char state[16];
	int base;			/* layer number, -1 for none */
	uint64_t offset;		/* bytes */
	uint64_t len;			/* bytes */
	uint64_t speed;			/* bytes per second, 0 = no limit */
	char io_status[16];
	int error;			/* errno, positive; 0 for none */
	bool verify;			/* what is copied is read back */
	uint64_t verified;		/* bytes that were */
	int top;			/* layer that is written, or the topmost copied; -1: not known */
};

struct target_status {
	char mode[8];
	unsigned int nr_layers;
	uint64_t subcluster;		/* bytes */
	bool counted;			/* false while the kernel is still counting */
	uint64_t allocated;		/* subclusters of the top */
	uint64_t total;
	struct target_job job;
};

/* Returns 0 or -1. Additional words at the end are ignored: later versions may have them. */
int status_parse(const char *text, struct target_status *status);

bool job_concluded(const struct target_job *job);
/* Was the job stopped by an I/O error (on-error stop)? It continues only on job-resume. */
bool job_stopped_by_error(const struct target_job *job);
double job_percent(const struct target_job *job);

/*
 * Join words into a message. Device-mapper splits at blanks and takes a backslash as a quote, so
 * both are quoted, and bytes beyond ASCII, which it may take for blanks. Caller frees.
 */
char *message_join(const char *const *words);

#endif

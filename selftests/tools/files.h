/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The commonest calls of mkdir, mv, rm and sleep.
 */
#ifndef COWCHAIN_TEST_FILES_H
#define COWCHAIN_TEST_FILES_H

/* What they do not know they leave to the program. Return: the exit status. */
int mkdir_main(int argc, char **argv);
int mv_main(int argc, char **argv);
int rm_main(int argc, char **argv);
int sleep_main(int argc, char **argv);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The commonest calls of dmsetup, by ioctls.
 */
#ifndef COWCHAIN_TEST_DMSETUP_H
#define COWCHAIN_TEST_DMSETUP_H

/* What it does not know it leaves to the program. Return: the exit status. */
int dmsetup_main(int argc, char **argv);

#endif

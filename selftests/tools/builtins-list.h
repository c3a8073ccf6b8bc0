/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands in builtins.so. BUILTIN() is defined by the file that includes this. */
BUILTIN(cowio)
BUILTIN(dedupe)
BUILTIN(dmsetup)
BUILTIN(klogread)
BUILTIN(mkdir)
BUILTIN(mkloop)
BUILTIN(mv)
BUILTIN(qcow2poke)
BUILTIN(rm)
BUILTIN(sleep)

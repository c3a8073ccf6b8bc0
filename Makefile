# SPDX-License-Identifier: GPL-2.0-only
#
# dm-cowchain: the kernel module, its tool, tests and checks. "make help" lists
# what there is to make.

ifneq ($(words $(CURDIR)),1)
$(error "$(CURDIR)": make cannot work in a directory with blanks in its name, please move it)
endif

# The kernel to build for: 6.1, 6.12 or newest (Debian's, fetched into a cache
# on demand), or KDIR=<headers or build tree>. By default the running kernel, if
# its headers are installed, else 6.12.
ifdef KERNEL
kernel := $(KERNEL)
else ifdef KDIR
kernel := custom
else ifneq ($(wildcard /lib/modules/$(shell uname -r)/build/Makefile),)
kernel := running
KDIR := /lib/modules/$(shell uname -r)/build
else
kernel := 6.12
endif

PREFIX ?= /usr/local
DESTDIR ?=
MANDIR ?= $(PREFIX)/share/man
B := $(CURDIR)/build

export PREFIX DESTDIR MANDIR

subdirs := userspace/tool userspace/vmm userspace/boot

all: modules userspace

modules:
	+@scripts/vm/module-build $(if $(KDIR),--kdir '$(KDIR)') '$(kernel)' $(KBUILD_ARGS)

# The tool first: the launcher shares its sources.
userspace:
	@for dir in $(subdirs); do $(MAKE) --no-print-directory -C $$dir || exit; done

# Each installs its program, its man page and what else belongs to it.
install: userspace
	@for dir in $(subdirs); do $(MAKE) --no-print-directory -C $$dir install || exit; done

modules_install: modules
	+@scripts/vm/module-build $(if $(KDIR),--kdir '$(KDIR)') --install \
		'$(kernel)' $(if $(DESTDIR),INSTALL_MOD_PATH='$(DESTDIR)')

# Debian packages, in build/deb; scripts/deb/build explains the variables.
deb:
	@scripts/setup deb
	@scripts/deb/build

# The documentation as HTML, in build/html.
html:
	@scripts/setup doc
	sphinx-build -q -W --keep-going -n -b html -d $(B)/doctrees Documentation $(B)/html

# KERNEL, TESTS, CASES, STEPS and the like on make's command line reach these scripts in the
# environment; scripts/check, scripts/coverage and scripts/sweep --list explain them.
check coverage:
	@scripts/setup check
	@scripts/$@

# One kernel, and the cases that find the most in the least time.
check-quick:
	@scripts/setup check
	@QUICK=1 scripts/check

sweeps := check-random check-cycles check-crash check-faults check-full-disk check-hostile check-mutation check-names \
	check-packages check-network check-zoo check-differential check-debug stress

# The zoo has images by programs that no other test needs.
$(sweeps):
	@scripts/setup check $(subst packages,deb,$(filter zoo packages,$(@:check-%=%)))
	@scripts/sweep $(@:check-%=%)

demo:
	@scripts/setup check
	@$(MAKE) --no-print-directory userspace
	@scripts/demo/run

# The picture of README.md.
picture: userspace
	scripts/demo/picture Documentation/chain.svg

# The launcher's own tests: natively, then guests in a VM with nested KVM.
check-launcher:
	@scripts/setup check
	@$(MAKE) --no-print-directory -C userspace/vmm check
	@selftests/vmm/run

# A fuzz target over the launcher's virtqueue and request parser.
fuzz-vmm:
	@scripts/setup check
	@$(MAKE) --no-print-directory -C userspace/vmm fuzz $(if $(RUNS),RUNS=$(RUNS))

# A fuzz target over what the tool decides about names; what it found stays for the next time.
fuzz-names:
	@scripts/setup check
	@$(MAKE) --no-print-directory -C userspace/tool fuzz $(if $(RUNS),RUNS=$(RUNS))

# A fuzz target over the kernel's pure qcow2 code; what it found stays for the next time.
fuzz-qcow2:
	@scripts/setup check
	@$(MAKE) --no-print-directory -C selftests/unit OUTPUT=$(B)/unit \
		CORPUS=$(B)/fuzz-qcow2-corpus $(if $(RUNS),RUNS=$(RUNS)) fuzz

# The same over compressed clusters.
fuzz-unpack:
	@scripts/setup check
	@$(MAKE) --no-print-directory -C selftests/unit OUTPUT=$(B)/unit \
		CORPUS=$(B)/fuzz-unpack-corpus $(if $(RUNS),RUNS=$(RUNS)) fuzz-unpack

# Instructions an I/O; CELLS, DEVICES, PEERS and KERNEL select, see scripts/bench/exact.
bench:
	@scripts/setup check
	@scripts/bench/exact

bench-compare:
	@scripts/bench/report --compare '$(OLD)' '$(NEW)' $(or $(THRESHOLD),2)

bench-wall:
	@scripts/setup check
	@$(MAKE) --no-print-directory userspace
	@scripts/bench/wall

lint:
	@scripts/setup lint
	@scripts/lint $(STEPS)

# kernel/ inside a kernel tree, as a module and built in.
check-tree:
	@scripts/setup build
	@scripts/check-tree

build-newest:
	@scripts/vm/build-newest

clean:
	@for dir in $(subdirs); do $(MAKE) --no-print-directory -C $$dir clean || exit; done
	rm -rf $(B)

# Also the kernels and all else that was fetched for this user.
distclean: clean
	@bash -c '. scripts/lib.sh && cd "$$cache" 2>/dev/null || exit 0; \
		echo "rm -rf $$cache/..."; \
		rm -rf kernels source-* apt checkpatch check-tree dm-clone initramfs chroot chroot-qemu \
			images vmm roots *.lock *.log'

help:
	@echo 'all              the module and the tools (default)'
	@echo 'modules          build/KERNEL/dm-cowchain.ko'
	@echo 'userspace        the tools'
	@echo 'install          tools and man pages, to DESTDIR PREFIX'
	@echo 'modules_install  the module, to DESTDIR'
	@echo 'deb              Debian packages, in build/deb; DEB_VERSION=...'
	@echo 'html             the documentation, in build/html'
	@echo 'check            all tests on 6.1 and 6.12 in virtual machines;'
	@echo '                 KERNEL=6.12 and TESTS="stream snapshot" select'
	@echo 'check-quick      the cases that find the most, on 6.12, in a few minutes'
	@echo 'coverage         lines and branches of kernel/ that the tests run; MINIMUM=90'
	@echo 'check-random     random operations: SEEDS=20 OPS=2000'
	@echo 'check-faults     each single I/O and allocation fails: STEPS="io alloc kasan"'
	@echo 'check-crash      power loss at thousands of points: CRASH_OPS=1200 SEED=1'
	@echo 'check-full-disk  file systems and thin pools that run full: SEEDS=10'
	@echo '                 FULL_FS="ext4 xfs"'
	@echo 'check-hostile    damaged images: MUTANTS=2000 KERNEL="6.12 debug-kasan", and'
	@echo '                 two fuzz targets: RUNS=2000000'
	@echo 'check-mutation   kernel/ is broken on purpose, and tests have to fail: BREAKAGES="..."'
	@echo 'check-names      names are exchanged while the tool uses them: RACE_SECONDS=60'
	@echo 'check-cycles     chains that come and go, and a tool that is killed: CYCLES=200 KILLS=100'
	@echo 'check-network    a base on the network: FLEET=10 CUTS=30'
	@echo 'check-zoo        images of every kind, by old and new programs: KERNEL="6.1 6.12"'
	@echo 'check-differential  random chains, also by QEMU, with the same end: SEEDS=50 SEED=1'
	@echo 'check-packages   the packages in Debian 12 and 13: KERNEL="debian12-6.1 debian13-6.12"'
	@echo 'check-debug      tests and stress with KASAN, lockdep, kmemleak, KCSAN'
	@echo 'stress           DURATION=30m KERNEL=debug-kasan SEED=... OPS=...'
	@echo '                 ("scripts/sweep --list" has all that these fourteen take)'
	@echo 'fuzz-qcow2       RUNS=10000000 on what reads and changes headers of images'
	@echo 'fuzz-unpack      RUNS=10000000 on compressed clusters'
	@echo 'fuzz-names       RUNS=10000000 on what the tool decides about names'
	@echo 'check-launcher   the launcher: unit tests, guests in nested KVM'
	@echo 'fuzz-vmm         RUNS=10000000 on the launcher'"'"'s parsers'
	@echo 'bench            instructions an I/O, with peers: PEERS=no CELLS=regex DEVICES="..."'
	@echo 'bench-compare    OLD=a.json NEW=b.json THRESHOLD=2: what got dearer'
	@echo 'bench-wall       pauses and times, as ratios to dm-linear, dd and suspend'
	@echo 'demo             the whole story on a real file system'
	@echo 'picture          that of README.md, by cowchain tree --svg'
	@echo 'lint             style, structure, static analysis, spelling; STEPS="..."'
	@echo '                 selects'
	@echo 'check-tree       kernel/ as a directory of a kernel tree, on 6.1 and 6.12'
	@echo 'build-newest     build against the newest kernel Debian has'
	@echo 'clean distclean  distclean drops the cache of kernels, too'
	@echo
	@echo 'KERNEL=6.1|6.12|newest or KDIR=<kernel headers>; now: $(kernel)'

.PHONY: all modules userspace install modules_install deb html check check-quick coverage $(sweeps) \
	check-launcher fuzz-names fuzz-qcow2 fuzz-unpack fuzz-vmm bench bench-compare bench-wall demo picture \
	lint build-newest check-tree clean distclean help

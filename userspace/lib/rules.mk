# SPDX-License-Identifier: GPL-2.0-only
#
# What the Makefiles of the tool and of the launcher have in common. Set first: "name", the directory
# under build/, and "pkgs", the libraries.

lib := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
top := $(abspath $(lib)/../..)
O ?= $(top)/build/$(name)$(if $(SAN),-san)
PREFIX ?= /usr/local
MANDIR ?= $(PREFIX)/share/man
VERSION := $(shell git -C '$(top)' describe --always --dirty 2>/dev/null || echo unknown)

CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wformat=2 -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wundef -Wvla
ifdef SAN
HARDEN := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LDHARDEN := -pie -Wl,-z,relro,-z,now
endif
cflags := -std=gnu11 $(WARN) $(HARDEN) -D_FILE_OFFSET_BITS=64 -D_GNU_SOURCE \
	-DVERSION='"$(VERSION)"' -I. -I$(lib) $(if $(pkgs),$(shell pkg-config --cflags $(pkgs))) -MMD -MP
ldlibs := $(if $(pkgs),$(shell pkg-config --libs $(pkgs)))

compile = $(CC) $(CPPFLAGS) $(cflags) $(CFLAGS) -c -o $@ $<
link = $(CC) $(CFLAGS) $(HARDEN) $(LDHARDEN) $(LDFLAGS) -o $@
link_test = $(CC) $(CPPFLAGS) $(cflags) -Itests -I$(lib)/tests $(CFLAGS) $(LDHARDEN) $(LDFLAGS) -o $@

# All objects depend on these.
rules := Makefile $(lib)/rules.mk

vpath %.c $(lib)

# $(call run_tests,NAMES,WRAPPER): runs all of them, and sets "status" if one fails.
run_tests = status=0; for t in $(1); do CMOCKA_MESSAGE_OUTPUT=TAP $(2) $(O)/$$t || \
	{ echo "\# $$t: status $$?"; status=1; }; done
valgrind := TEST_UNDER_VALGRIND=1 timeout 300 valgrind -q --error-exitcode=9 --leak-check=full \
	--fair-sched=yes

# $(call run_analyzer,FILES)
run_analyzer = set -e; for f in $(1); do \
	$(CC) $(cflags) -O1 -fanalyzer -Werror -c -o /dev/null -MF /dev/null $$f; done

all:

$(O)/%.o: %.c $(rules) | $(O)
	$(compile)

# A source that has moved since the last build is no reason to stop: its object is made again. Without
# the built-in rules, or make would look for a source of every file, such as Makefile.c.
deps := $(wildcard $(O)/*.d)
MAKEFLAGS += --no-builtin-rules
%.c: ;
$(deps): ;

$(O):
	mkdir -p $@

clean:
	rm -rf $(O)

.PHONY: all tests check check-valgrind analyze install clean

-include $(deps)

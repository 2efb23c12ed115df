# SPDX-License-Identifier: Apache-2.0
# countersign: build, run, test. `make help` lists the targets. Everything built lies in build/ (SAN=1: build/san/).
VERSION := 0.1.0

SHELL := /bin/sh
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX ?= /usr/local
DESTDIR ?=
CC = cc

ifeq ($(V),1)
Q :=
else
Q := @
endif

ifeq ($(SAN),1)
OUT := build/san
else
OUT := build
endif

.PHONY: help all run test test-quick test-engines bench fuzz differential archive-story nightly docs install uninstall clean deps lint format _all _unit _docs

help:
	@echo 'make run         build, make demonstration keys, start receiver and gateway, tell the story (RUN_ONCE=1: end after it)'
	@echo 'make test        everything that CI runs, under ASan and UBSan'
	@echo 'make test-quick  unit tests and a first look at the wire'
	@echo 'make test-engines  every test with the tree engine forced, then with the one-pass engine'
	@echo 'make bench       speed and memory as ratios of one run'
	@echo 'make fuzz        every fuzz target for FUZZ_SECONDS (60) each'
	@echo 'make differential  both engines on DOCUMENTS (100000) random documents and changed messages, by SEED'
	@echo 'make archive-story  MESSAGES (100000) of three years in every form of archive, each verdict against a ledger'
	@echo 'make nightly     test-engines, differential, archive-story, fuzz'
	@echo 'make docs        write the pages in docs/ that come from tables: reasons, manual pages'
	@echo 'make all install uninstall clean lint format;  SAN=1 sanitizers  V=1 show commands  PREFIX=/usr/local  DESTDIR='

.DEFAULT_GOAL := all

# ---- entry targets: install what is missing, then build in a second make that may ask pkg-config -------------------
all:
	$(Q).ci/install build
	$(Q)$(MAKE) -j$(JOBS) _all

run:
	$(Q).ci/install build run
	$(Q)$(MAKE) -j$(JOBS) _all
	$(Q)OUT=$(OUT) RUN_ONCE=$(RUN_ONCE) samples/demo

test:
	$(Q).ci/install build run test fuzz
	$(Q)$(MAKE) -j$(JOBS) SAN=1 _all _unit
	$(Q)$(MAKE) -j$(JOBS) build/tests/sandbox build/tests/memory
	$(Q)$(MAKE) -j$(JOBS) _fuzz
	$(Q)tests/run --out build/san

test-quick:
	$(Q).ci/install build run test
	$(Q)$(MAKE) -j$(JOBS) _all _unit
	$(Q)tests/run --out $(OUT) --quick

test-engines:
	$(Q).ci/install build run test
	$(Q)$(MAKE) -j$(JOBS) _all _unit
	$(Q)status=0; for engine in dom stream; do tests/run --out $(OUT) --engine $$engine unit cli docs wire interop load || status=1; done; exit $$status

bench:
	$(Q).ci/install build run test bench
	$(Q)$(MAKE) -j$(JOBS) _all _bench
	$(Q)tests/bench/run --out $(OUT)

FUZZ_SECONDS ?= 60
fuzz:
	$(Q).ci/install build fuzz
	$(Q)$(MAKE) -j$(JOBS) _fuzz
	$(Q)tests/fuzz/run --seconds $(FUZZ_SECONDS)

DOCUMENTS ?= 100000
SEED ?= $(shell date +%s)
differential:
	$(Q).ci/install build test
	$(Q)$(MAKE) -j$(JOBS) $(OUT)/tests/emit $(OUT)/tests/engines
	$(Q)EMIT_DOCUMENTS=$(DOCUMENTS) EMIT_SEED=$(SEED) $(OUT)/tests/emit
	$(Q)ENGINE_MESSAGES=$(DOCUMENTS) ENGINE_SEED=$(SEED) $(OUT)/tests/engines

MESSAGES ?= 100000
archive-story:
	$(Q).ci/install build test
	$(Q)$(MAKE) -j$(JOBS) _all
	$(Q)STORY_MESSAGES=$(MESSAGES) tests/run --out $(OUT) --limit 7200 cli/archive_story
	$(Q)STORY_MESSAGES=$(MESSAGES) STORY_EACH=1 tests/run --out $(OUT) --limit 7200 cli/archive_story

nightly:
	$(Q)$(MAKE) test-engines
	$(Q)$(MAKE) differential
	$(Q)$(MAKE) archive-story
	$(Q)$(MAKE) fuzz

docs:
	$(Q).ci/install build
	$(Q)$(MAKE) -j$(JOBS) _docs

deps:
	$(Q).ci/install build run test bench fuzz

clean:
	rm -rf build

format:
	find base wssec keystore resolver gateway archive cli docs samples tests -name '*.[ch]' -not -path '*/node_modules/*' \
		-exec clang-format -i {} +

lint:
	$(Q)tests/lint

# ---- flags ---------------------------------------------------------------------------------------------------------
MODULES := libxml-2.0 xmlsec1-openssl openssl libevent_core libevent_pthreads sqlite3 jansson libcurl libseccomp libarchive zlib
ifneq ($(filter _% $(OUT)/% build/%,$(MAKECMDGOALS)),)
PKG_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(MODULES)))
PKG_LIBS := $(shell pkg-config --libs $(MODULES))
WSSEC_LIBS := $(shell pkg-config --libs libxml-2.0 xmlsec1-openssl openssl)
CUNIT_LIBS = $(shell pkg-config --libs cunit)
# llhttp: the library where the distribution has one, else the C sources of the package node-llhttp
LLHTTP_LIBS := $(shell pkg-config --exists libllhttp && pkg-config --libs libllhttp)
ifeq ($(LLHTTP_LIBS),)
LLHTTP_SRC ?= $(patsubst %/llhttp.c,%,$(firstword $(wildcard /usr/share/llhttp/llhttp.c) $(shell dpkg -L node-llhttp 2>/dev/null | grep '/llhttp\.c$$')))
LLHTTP_OBJ := $(addprefix $(OUT)/obj/llhttp/,api.o http.o llhttp.o)
LLHTTP_CFLAGS := -isystem /usr/share/include/llhttp -isystem $(LLHTTP_SRC) -DLLHTTP_STRICT_MODE=1
endif
endif

WARN := -Wall -Wextra -Wconversion -Wshadow -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Werror
CPPFLAGS += -D_GNU_SOURCE -DCS_VERSION='"$(VERSION)"' -I. $(PKG_CFLAGS) $(LLHTTP_CFLAGS)
ifeq ($(SAN),1)
CFLAGS += -std=c11 -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined $(WARN) -fvisibility=hidden -fPIC
LDFLAGS += -fsanitize=address,undefined
else
CFLAGS += -std=c11 -g -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection $(WARN) -fvisibility=hidden -fPIC
LDFLAGS += -Wl,-z,relro,-z,now,-z,noexecstack
endif
LDFLAGS += -pthread
CFLAGS += -pthread

# ---- what is built ---------------------------------------------------------------------------------------------------
sources = $(wildcard $(1)/*.c)
objects = $(patsubst %.c,$(OUT)/obj/%.o,$(1))

FOLDERS := base wssec keystore resolver gateway archive
LIB_SRC := $(foreach f,$(FOLDERS),$(call sources,$(f)))
CLI_OBJ := $(call objects,$(call sources,cli))
# libwssec carries what it uses of base/: nothing that reads a clock, a file or writes a log. The rows of the
# configuration file (directives.c) are the product's: a program that uses the library calls wssec_policy_set().
WSSEC_BASE := error time buffer text json dn
WSSEC_OBJ := $(call objects,$(filter-out wssec/directives.c,$(call sources,wssec))) $(addprefix $(OUT)/obj/base/,$(addsuffix .o,$(WSSEC_BASE)))
# What goes over every octet of a message is optimised, and across its files: 4 % less time of a message of 8 KB by -O3, 3 %
# by -flto and 6 % of one of a megabyte (tests/bench/run --only engines). What comes out is an object like any other.
WSSEC_ONE := $(OUT)/obj/wssec.o
ifeq ($(SAN),1)
LIB_OBJ := $(call objects,$(LIB_SRC)) $(LLHTTP_OBJ)
else
LIB_OBJ := $(WSSEC_ONE) $(filter-out $(WSSEC_OBJ),$(call objects,$(LIB_SRC))) $(LLHTTP_OBJ)
$(WSSEC_OBJ): CFLAGS += -O3 -flto
endif
SAMPLE_COMMON := $(call objects,$(call sources,samples/common))
SAMPLE_BIN := $(patsubst samples/%.c,$(OUT)/samples/%,$(wildcard samples/*.c))
UNIT_BIN := $(patsubst tests/unit/test_%.c,$(OUT)/tests/%,$(wildcard tests/unit/test_*.c))
PEER_BIN := $(patsubst tests/peers/%.c,$(OUT)/peers/%,$(wildcard tests/peers/*.c))
BENCH_BIN := $(patsubst tests/bench/%.c,$(OUT)/bench/%,$(wildcard tests/bench/*.c))

_all: $(OUT)/countersign $(OUT)/libwssec.a $(OUT)/libwssec.so.1 $(SAMPLE_BIN) $(OUT)/countersign.bash
_unit: $(UNIT_BIN) $(PEER_BIN)
_bench: $(BENCH_BIN)
.PHONY: _bench _fuzz

$(OUT)/countersign: $(CLI_OBJ) $(OUT)/libcountersign.a
	@echo '  LD   $@'
	$(Q)$(CC) $(LDFLAGS) -pie -o $@ $^ $(PKG_LIBS) $(LLHTTP_LIBS)

$(OUT)/libcountersign.a: $(LIB_OBJ)
	@echo '  AR   $@'
	$(Q)rm -f $@ && ar rcs $@ $^

ifeq ($(SAN),1)
$(WSSEC_ONE): $(WSSEC_OBJ)
	$(Q)ld -r -o $@ $^
else
$(WSSEC_ONE): $(WSSEC_OBJ)
	@echo '  LTO  $@'
	$(Q)$(CC) $(filter-out $(WARN),$(CFLAGS)) -O3 -flto=auto -fuse-ld=bfd -r -nostdlib -flinker-output=nolto-rel -o $@ $^
endif

# one object in which all that is not public is local, so that a user's own names never meet ours
$(OUT)/libwssec.a: $(WSSEC_ONE)
	@echo '  AR   $@'
	$(Q)objcopy --localize-hidden $< $(OUT)/obj/libwssec.o
	$(Q)rm -f $@ && ar rcs $@ $(OUT)/obj/libwssec.o

$(OUT)/libwssec.so.1: $(WSSEC_ONE) wssec/wssec.map
	@echo '  LD   $@'
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-z,defs -Wl,-soname,libwssec.so.1 -Wl,--version-script=wssec/wssec.map -o $@ $< $(WSSEC_LIBS)
	$(Q)ln -sf libwssec.so.1 $(OUT)/libwssec.so

$(OUT)/obj/llhttp/%.o: $(LLHTTP_SRC)/%.c
	@mkdir -p $(@D)
	@echo '  CC   llhttp/$*.c'
	$(Q)$(CC) $(LLHTTP_CFLAGS) $(filter-out $(WARN),$(CFLAGS)) -w -c -o $@ $<

$(OUT)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo '  CC   $<'
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# the samples are users of the library: they link with nothing else of this house
$(OUT)/samples/%: $(OUT)/obj/samples/%.o $(SAMPLE_COMMON) $(OUT)/libwssec.a
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(CC) $(LDFLAGS) -pie -o $@ $^ $(WSSEC_LIBS)

$(OUT)/tests/%: $(OUT)/obj/tests/unit/test_%.o $(OUT)/obj/tests/unit/harness.o $(OUT)/libcountersign.a
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(CUNIT_LIBS) $(PKG_LIBS) $(LLHTTP_LIBS)

# servers that the scripts talk to; they share nothing with the product
$(OUT)/peers/%: $(OUT)/obj/tests/peers/%.o
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs openssl)

$(OUT)/bench/%: $(OUT)/obj/tests/bench/%.o $(SAMPLE_COMMON) $(OUT)/libcountersign.a
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LLHTTP_LIBS)

# ---- pages and completion from the tables of the product: docs/templates/NAME.in -> page ------------------------------
GENERATE_OBJ := $(call objects,$(call sources,docs/generate)) $(filter-out $(OUT)/obj/cli/main.o,$(CLI_OBJ))
PAGES := docs/reasons.md docs/bsp.md docs/keystore-rules.md docs/rollover.md docs/man/countersign.1 docs/man/countersign.conf.5

$(OUT)/generate: $(GENERATE_OBJ) $(OUT)/libcountersign.a
	@echo '  LD   $@'
	$(Q)$(CC) $(LDFLAGS) -pie -o $@ $^ $(PKG_LIBS) $(LLHTTP_LIBS)

$(OUT)/countersign.bash: docs/templates/countersign.bash.in $(OUT)/generate
	$(Q)$(OUT)/generate < $< > $@

_docs: $(OUT)/generate
	$(Q)for page in $(PAGES); do \
	    $(OUT)/generate < docs/templates/$${page##*/}.in > $(OUT)/page && cp $(OUT)/page $$page || exit 1; \
	done

# ---- fuzz: everything again with clang, libFuzzer, ASan, UBSan -------------------------------------------------------
FUZZ_OUT := build/fuzz
FUZZ_CFLAGS := -std=c11 -g -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -Wall -Wextra -pthread
FUZZ_BIN := $(patsubst tests/fuzz/fuzz_%.c,$(FUZZ_OUT)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_OBJ := $(patsubst %.c,$(FUZZ_OUT)/obj/%.o,$(LIB_SRC)) $(patsubst $(OUT)/obj/%,$(FUZZ_OUT)/obj/%,$(LLHTTP_OBJ))
_fuzz: $(FUZZ_BIN)

$(FUZZ_OUT)/obj/llhttp/%.o: $(LLHTTP_SRC)/%.c
	@mkdir -p $(@D)
	$(Q)clang $(LLHTTP_CFLAGS) $(FUZZ_CFLAGS) -w -c -o $@ $<

$(FUZZ_OUT)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo '  FUZZ-CC $<'
	$(Q)clang $(CPPFLAGS) $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<

$(FUZZ_OUT)/libcountersign.a: $(FUZZ_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^

$(FUZZ_OUT)/%: $(FUZZ_OUT)/obj/tests/fuzz/fuzz_%.o $(FUZZ_OUT)/libcountersign.a
	@echo '  FUZZ-LD $@'
	$(Q)clang -fsanitize=fuzzer,address,undefined -pthread -o $@ $^ $(PKG_LIBS) $(LLHTTP_LIBS)

# ---- install ---------------------------------------------------------------------------------------------------------
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include/wssec
	install -d $(DESTDIR)$(PREFIX)/share/countersign/runbooks $(DESTDIR)$(PREFIX)/share/countersign/letters/de $(DESTDIR)$(PREFIX)/share/countersign/issuers $(DESTDIR)$(PREFIX)/share/doc/countersign
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(addprefix $(DESTDIR)$(PREFIX)/share/man/man,1 3 5)
	install -m 755 $(OUT)/countersign $(DESTDIR)$(PREFIX)/bin/countersign
	install -m 644 $(OUT)/libwssec.a $(DESTDIR)$(PREFIX)/lib/libwssec.a
	install -m 755 $(OUT)/libwssec.so.1 $(DESTDIR)$(PREFIX)/lib/libwssec.so.1
	ln -sf libwssec.so.1 $(DESTDIR)$(PREFIX)/lib/libwssec.so
	sed -e 's,@PREFIX@,$(PREFIX),' -e 's,@VERSION@,$(VERSION),' wssec/wssec.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/wssec.pc
	chmod 644 $(DESTDIR)$(PREFIX)/lib/pkgconfig/wssec.pc
	install -m 644 wssec/wssec.h wssec/reason.def $(DESTDIR)$(PREFIX)/include/wssec/
	install -m 644 conf/countersign.conf conf/countersign.logrotate $(DESTDIR)$(PREFIX)/share/countersign/
	install -m 644 conf/runbooks/*.conf $(DESTDIR)$(PREFIX)/share/countersign/runbooks/
	install -m 644 conf/letters/de/*.txt $(DESTDIR)$(PREFIX)/share/countersign/letters/de/
	install -m 755 conf/issuers/acme-lego $(DESTDIR)$(PREFIX)/share/countersign/issuers/
	install -d $(addprefix $(DESTDIR)$(PREFIX)/lib/,systemd/system sysusers.d tmpfiles.d)
	sed -e 's,/usr/bin/countersign,$(PREFIX)/bin/countersign,' conf/systemd/countersign.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/countersign.service
	sed -e 's,/usr/bin/countersign,$(PREFIX)/bin/countersign,' conf/systemd/countersign-tick.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/countersign-tick.service
	install -m 644 conf/systemd/countersign.socket conf/systemd/countersign-tick.timer $(DESTDIR)$(PREFIX)/lib/systemd/system/
	chmod 644 $(addprefix $(DESTDIR)$(PREFIX)/lib/systemd/system/,countersign.service countersign-tick.service)
	install -m 644 conf/systemd/countersign.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/countersign.conf
	install -m 644 conf/systemd/countersign.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/countersign.conf
	install -m 644 $(wildcard docs/*.md) docs/result.schema.json samples/example/verify_file.c $(DESTDIR)$(PREFIX)/share/doc/countersign/
	install -m 644 $(OUT)/countersign.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/countersign
	install -m 644 docs/man/countersign.1 $(DESTDIR)$(PREFIX)/share/man/man1/countersign.1
	install -m 644 docs/man/wssec.3 $(DESTDIR)$(PREFIX)/share/man/man3/wssec.3
	install -m 644 docs/man/countersign.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/countersign.conf.5

# directories that only we have go; those of the system stay
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/countersign $(addprefix $(DESTDIR)$(PREFIX)/lib/,libwssec.a libwssec.so libwssec.so.1 pkgconfig/wssec.pc)
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/countersign
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/lib/,systemd/system/countersign.service systemd/system/countersign.socket systemd/system/countersign-tick.service systemd/system/countersign-tick.timer sysusers.d/countersign.conf tmpfiles.d/countersign.conf)
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/share/man/,man1/countersign.1 man3/wssec.3 man5/countersign.conf.5)
	rm -rf $(addprefix $(DESTDIR)$(PREFIX)/,include/wssec share/countersign share/doc/countersign)

.SECONDARY:
-include $(shell find $(OUT) -type f -name "*.d" 2>/dev/null)

# make run     three nodes on this machine, as an ordinary user       (FILE=text to stream, STAY=1 to keep them up)
# make test    all checks and tests; installs what a bare Debian machine lacks, with root or sudo
# make help    the rest

VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
# Interop tests make name spaces and interfaces.
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E)
WORKERS := 2
# How long make soak takes: mutated frames, simulated clusters, hostile operations
# of C clients, minutes of killing real nodes, kills in one ring.
FRAMES := 10000000
OPERATIONS := 1000000
SEEDS := 2000
MINUTES := 60
KILLS := 200

# The suites run with both twins of the kernels; a machine that checks for all of us has to have
# the compiled ones.
COMPILED := COROSYNC_TW_KERNELS=$(if $(CI),compiled)
PLAIN := COROSYNC_TW_KERNELS=plain
USERS_OF_KERNELS := kernels totem services net ipc
USERS_OF_FEATURES := $(addprefix tests/unit/,test_features.py net ipc logsys daemon/test_tap.py client cli/test_sniff.py) \
	tests/interop/test_without_features.py
FEATURES = $(shell $(BIN)/python -c 'from corosync_tw.features import NAMES; print(*sorted(NAMES))')
comma := ,
space := $(subst ,, )
KERNELS := setup.py $(wildcard corosync_tw/kernels/compiled/*.pyx corosync_tw/kernels/compiled/*.pxd)

.PHONY: help run kernels test deps lint types docs test-unit test-features test-sim test-interop test-lab test-pythons bench bench-compare soak clean
.DEFAULT_GOAL := help

help:
	@echo "make run            three nodes form a ring, stream a text, lose a node, get it back (FILE=..., STAY=1)"
	@echo "make test           lint, types, unit, simulator, interop and lab tests; installs what is missing first"
	@echo "make test-unit | test-sim | test-interop | test-lab | lint | types      one tier alone"
	@echo "make test-features  what is done without each feature of the system that can be done without"
	@echo "make test-pythons   builds, installs and tests the package with each Python of 3.11 to 3.14 that is here (PYTHONS=...)"
	@echo "make docs           the guide, the references and the manual as pages for a browser: docs/_build/index.html"
	@echo "make kernels        compiles what changed of corosync_tw/kernels/compiled"
	@echo "make bench          ours beside stock corosync, ten minutes (ARGS=--quick: one; ARGS=--profile; ARGS=--help)"
	@echo "make bench-compare  a quick run beside the last kept result (ARGS='before.json after.json': those two)"
	@echo "make soak           long campaigns: mutated frames, simulated faults (FRAMES=..., SEEDS=..., SEED=...)"
	@echo "make clean          removes what was built, the environment too"

$(VENV)/.run: setup.cfg pyproject.toml $(KERNELS)
	@sh ci/venv.sh $(VENV) .
	@touch $@

$(VENV)/.packages: setup.cfg pyproject.toml
	@sh ci/venv.sh $(VENV) '.[test]'
	@touch $@ $(VENV)/.test $(VENV)/.bench $(VENV)/.run

# A changed kernel needs no index: the tests' environment has Cython.
$(VENV)/.test: $(VENV)/.packages $(KERNELS)
	@$(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@ $(VENV)/.bench $(VENV)/.run

$(VENV)/.bench: setup.cfg pyproject.toml $(KERNELS)
	@sh ci/venv.sh $(VENV) '.[bench]'
	@touch $@ $(VENV)/.run

kernels: $(VENV)/.test

run: $(VENV)/.run
	@$(BIN)/python -m corosync_tw.cli.demo $(if $(FILE),--file '$(FILE)') $(if $(STAY),--stay)

deps:
	@sh ci/deps.sh

test: deps
	@$(MAKE) --no-print-directory lint types docs test-unit test-sim test-interop test-lab

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python ci/spelling.py
	$(BIN)/python ci/licences.py

types: $(VENV)/.test
	$(BIN)/mypy

docs: $(VENV)/.test
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build

test-unit: $(VENV)/.test
	$(COMPILED) $(PYTEST) tests/unit -n $(WORKERS)
	$(PLAIN) $(PYTEST) $(addprefix tests/unit/,$(USERS_OF_KERNELS)) -n $(WORKERS)

# What is done without the features of the system that can be done without: by all tests without
# any of them, and without each by those that are about them and by a ring.
test-features: deps $(VENV)/.test
	@echo "without any"
	@COROSYNC_TW_WITHOUT=$(subst $(space),$(comma),$(FEATURES)) $(PYTEST) tests/unit -n $(WORKERS)
	@for feature in $(FEATURES); do \
		echo "without $$feature"; \
		COROSYNC_TW_WITHOUT=$$feature $(AS_ROOT) $(PYTEST) $(USERS_OF_FEATURES) -n $(WORKERS) --dist loadfile || exit 1; \
	done

test-sim: $(VENV)/.test
	$(COMPILED) $(PYTEST) tests/sim -n $(WORKERS)
	$(PLAIN) $(PYTEST) tests/sim -n $(WORKERS)

test-interop: $(VENV)/.test
	$(COMPILED) $(AS_ROOT) $(PYTEST) tests/interop -n $(WORKERS) --dist loadfile

# One virtual machine at a time.
test-lab: $(VENV)/.test
	$(COMPILED) $(AS_ROOT) $(PYTEST) tests/lab

test-pythons:
	@sh ci/pythons.sh $(PYTHONS)

bench: deps $(VENV)/.bench
	$(AS_ROOT) $(BIN)/python -m bench $(ARGS)

bench-compare: deps $(VENV)/.bench
	$(AS_ROOT) $(BIN)/python -m bench --compare $(ARGS)

soak: deps $(VENV)/.test
	$(BIN)/python -m tests.soak.fuzz_decoder --frames $(FRAMES) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.soak.sim_campaign --seeds $(SEEDS) $(if $(SEED),--first $(SEED))
	$(AS_ROOT) $(BIN)/python -m tests.soak.kill_campaign --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))
	$(AS_ROOT) $(BIN)/python -m tests.soak.fuzz_ipc --operations $(OPERATIONS) --server node $(if $(SEED),--seed $(SEED))
	$(AS_ROOT) $(BIN)/python -m tests.soak.kill_loop --kills $(KILLS) $(if $(SEED),--seed $(SEED))
	$(AS_ROOT) $(BIN)/python -m tests.soak.kill_loop --kills $(KILLS) --stock 2 $(if $(SEED),--seed $(SEED))

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .hypothesis var docs/_build docs/man
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

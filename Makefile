# make demo · make test · make test-fast · make check · make lock · make pictures · make index · make shipped
# make durations
# make bench · make bench-memory · make bench-orchestration · make bench-postgres · make bench-infer
# make fleet ARGS="stamp ../projects.csv --into ../projects --git"
#
# Needs Python 3.11 or newer with venv, git and make; everything else is installed into .venv,
# and for the benchmarks into benchmarks/.venv.

.PHONY: demo test test-fast check lock pictures index shipped durations clean
.PHONY: bench bench-memory bench-orchestration bench-postgres bench-infer
.PHONY: fleet
.DEFAULT_GOAL := test

# A name on the PATH may be a shim that runs nothing, so each is tried.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& echo $$p && break; done)

# Where this is set, each import compiles its modules anew, and every command here is slow.
unexport PYTHONDONTWRITEBYTECODE
unexport VIRTUAL_ENV

BIN := .venv/bin

# Microsoft's emulator of Azure storage, for tests/engine; newer ones need Node.js 21.
AZURITE := .cache/azurite/.ready-3.35.0
# Node.js does not look at the system's certificates by itself.
NODE_CA := $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt))

# uv is among what is installed there, and the hook looks for it on the PATH.
export PATH := $(CURDIR)/$(BIN):$(PATH)

demo: $(BIN)/.ready
	@$(BIN)/python tools/demo.py

# Most of the slow tests wait for a server: two workers halve their time. What shares a
# running project stands in one file, and stays with one worker.
test: $(BIN)/.engine-ready $(BIN)/.browser-ready $(AZURITE) check
	@$(BIN)/python -m pytest -n 2 --dist loadfile

test-fast: $(BIN)/.engine-ready $(AZURITE)
	@$(BIN)/python -m pytest -m "not slow"

check: $(BIN)/.ready
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

# Moves the locks to the newest of everything that each pyproject.toml beside them allows.
lock: $(BIN)/.ready
	@$(BIN)/python tools/lock.py
	@$(MAKE) --no-print-directory validators

.PHONY: validators release release-check
# What copier's validators read: the hook's rules, the timezones, the packages in the locks.
validators: $(BIN)/.ready
	@$(BIN)/python tools/validators.py

# make release VERSION=1.2.3: set, committed and tagged, on main. docs/RELEASING.md says what comes before.
release: $(BIN)/.ready
	@$(BIN)/python tools/release.py "$(VERSION)"

# Whether tags, versions and changelog agree.
release-check: $(BIN)/.ready
	@$(BIN)/python tools/release.py --check

# The pictures in README.md, taken anew by the tests of the UI.
pictures: $(BIN)/.browser-ready
	@BLUEPRINT_PICTURES=$(CURDIR)/docs $(BIN)/python -m pytest tests/test_ui.py -m slow

# The stamped project's docs/INDEX.md, from what its files say of themselves.
index: $(BIN)/.ready
	@$(BIN)/python tools/index.py

# What `blueprint add-pipeline` begins with: src/data_pipeline as it stands, to be run after an edit of it.
shipped: $(BIN)/.ready
	@$(BIN)/python tools/shipped.py

# How long each step of the phases takes, as docs/EXECUTION_INSTRUCTIONS.md says.
durations: $(BIN)/.ready
	@$(BIN)/python tools/durations.py

# Options go behind: make bench BENCH="--rows 100000 --only blueprint,duckdb"
BENCH ?=
BENCH_PYTHON := benchmarks/.venv/bin/python

bench: benchmarks/.venv/.ready
	@$(BENCH_PYTHON) benchmarks/run.py $(BENCH)

bench-memory bench-orchestration bench-postgres bench-infer: bench-%: benchmarks/.venv/.ready
	@$(BENCH_PYTHON) benchmarks/$*.py $(BENCH)

# Many projects at once: docs/FLEET.md.
ARGS ?= --help
fleet: $(BIN)/.ready
	@$(BIN)/python tools/fleet.py $(ARGS)

clean:
	rm -rf .venv .cache/azurite benchmarks/.venv benchmarks/.cache .pytest_cache .ruff_cache

$(BIN)/.ready: requirements-dev.lock
	$(call set_up,.venv,$<)

# What the engine is tested with is several times as large as all the rest.
$(BIN)/.engine-ready: requirements-engine.lock $(BIN)/.ready
	@echo "Adding the servers that the engine is tested against; this takes up to a minute, once."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

$(BIN)/.browser-ready: requirements-browser.lock $(BIN)/.ready
	@echo "Adding Playwright, which drives the browser in the tests of the UI."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

benchmarks/.venv/.ready: benchmarks/requirements.lock
	$(call set_up,benchmarks/.venv,$<)

# $(call set_up,folder,lock)
define set_up
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with venv was found. Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Setting up $(1) with $(PYTHON); this takes up to a minute, once."
	@$(PYTHON) -m venv --clear $(1)
	@$(1)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r $(2)
	@touch $@
endef

# Without it, what asks it is not run, and says so.
$(AZURITE):
	@if command -v npm >/dev/null 2>&1; then \
		echo "Installing Azurite into .cache; this takes up to half a minute, once."; \
		rm -rf $(@D) && mkdir -p $(@D) && NODE_EXTRA_CA_CERTS="$${NODE_EXTRA_CA_CERTS:-$(NODE_CA)}" \
		npm install --silent --no-audit --no-fund --fetch-retries=1 --fetch-timeout=60000 --prefix $(@D) azurite@3.35.0 && touch $@ \
		|| echo "Azurite could not be installed." >&2; \
	fi

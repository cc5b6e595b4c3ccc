# Every target brings up its own environment first (scripts/env.sh); `make` alone lists them.

# The task: training/configs/$(CONFIG).toml
CONFIG ?= digits
# How many samples stock Lava simulates, which needs seconds for each; all of them run in the other backends
simulate check: SAMPLES ?= 16
report: SAMPLES ?= 8
# More arguments for pytest, for example -m slow or -k netx
PYTEST_ARGS ?=
# More arguments for the benchmarks, for example --quick or --only lava
BENCH_ARGS ?=
# The Python to make the environment with; found if not given. Of .venv a Python 3.10, of .venv-core any from 3.10 to 3.13
PYTHON ?=
export PYTHON

NETWORK := netx_models/$(CONFIG).net
# .venv/bin comes first on PATH: torch calls ninja by name when it compiles kernels.
RUN := PATH="$(CURDIR)/.venv/bin:$$PATH"

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help train export simulate check report test test-core test-emulators bench lint lock env clean distclean

train: env  ## Train the network of CONFIG
	$(RUN) neuro-deploy train $(CONFIG)

export: env  ## Write the trained network as a NetX file with its manifest
	$(RUN) neuro-deploy export $(CONFIG)

simulate: env  ## Run the exported network, SAMPLES samples in stock Lava
	$(RUN) neuro-deploy simulate $(NETWORK) --lava-samples $(SAMPLES)

check: env  ## Compare every spike of the backends; report the first difference
	$(RUN) neuro-deploy check $(NETWORK) --lava-samples $(SAMPLES)

report: env  ## Write the report of CONFIG; run first what is missing for it
	$(RUN) neuro-deploy report $(CONFIG) --lava-samples $(SAMPLES)

test: env  ## Run the tests, then the core's on a second Python if there is one; PYTEST_ARGS='-m slow': the slow ones
	$(RUN) python -m pytest $(PYTEST_ARGS)
ifeq ($(strip $(PYTEST_ARGS)),)
	@second=$$(PYTHON= scripts/env.sh second) && { [ -z "$$second" ] || $(MAKE) --no-print-directory test-core PYTHON="$$second"; }
endif

test-core:  ## Run the core's tests on PYTHON in .venv-core, which has no optional packages (torch, Lava, ...)
	@scripts/env.sh core
	.venv-core/bin/python -m pytest $(PYTEST_ARGS)

test-emulators:  ## Run the tests against brian2-loihi, SANA-FE and NeuroBench in .venv-emulators
	@scripts/env.sh emulators
	PATH="$(CURDIR)/.venv-emulators/bin:$$PATH" python -m pytest -m emulators $(PYTEST_ARGS)

bench: env  ## Measure stock and ours side by side; results and figures go to benchmarks/results
	$(RUN) python -m benchmarks $(BENCH_ARGS)

lint: env  ## Check style, format and types
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

env:  ## Bring .venv up to date, nothing else
	@scripts/env.sh

lock:  ## Write the locks from pyproject.toml
	@scripts/env.sh lock

clean:  ## Remove runs and caches; keep the environments
	rm -rf runs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find neuro_deploy training tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## Remove the environments and .tools too
	rm -rf .venv .venv-core .venv-emulators .tools

help:  ## Show this list
	@echo "usage: make TARGET ... [VARIABLE=value ...]"
	@echo
	@awk -F ':.*  ## ' '/^[a-z-]*:.*  ## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile
	@echo
	@printf '  %-14s %s\n' 'CONFIG=$(CONFIG)' 'the task: a file name in training/configs, without .toml' \
	    'SAMPLES=' 'number of samples that stock Lava simulates; default 16, for a report 8' \
	    'PYTEST_ARGS=' 'additional arguments for pytest' \
	    'BENCH_ARGS=' 'additional arguments for the benchmarks, such as --quick' \
	    'PYTHON=' 'the Python to use (3.10 for .venv); found automatically if not given'

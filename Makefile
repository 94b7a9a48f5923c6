# `make` lists the commands. Everything lives in .venv; only Python 3.11+ and the packages that README names are needed.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.set-up
SOURCE := bwmgr collectors policies tests bench tools configs
QUICK  ?=
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup demo test coverage check system fmt lint types contracts catalogue bench docs docs-check package clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("bwmgr needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Say: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --quiet --editable '.[dev]'
	@touch $@

setup: $(STAMP) ## make .venv with bwmgr and what its developers need

demo: $(STAMP) ## a virtual regency: polled for real, recommendations, an HTML report
	$(BIN)/bwmgr demo

test: $(STAMP) ## all tests, on three workers, one of which mostly waits for servers (WORKERS=0: in this process)
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadgroup

coverage: $(STAMP) ## all tests, with branch coverage and its floor (setup.cfg)
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadgroup --cov

check: lint types contracts catalogue docs-check coverage ## everything that CI runs, but for the benchmarks

system: $(STAMP) ## only the tests with real servers and the whole program
	$(BIN)/pytest -m system

fmt: $(STAMP) ## format the code
	$(BIN)/ruff format $(SOURCE)
	$(BIN)/ruff check --fix $(SOURCE)

lint: $(STAMP) ## format and lint, checked
	$(BIN)/ruff format --check $(SOURCE)
	$(BIN)/ruff check $(SOURCE)

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

contracts: $(STAMP) ## who may import whom
	$(BIN)/lint-imports

catalogue: $(STAMP) ## the translations are complete and compiled
	$(BIN)/python tools/catalogue.py --check

bench: $(STAMP) ## measure, side by side with peers (QUICK=1: a smoke)
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python bench/run.py $(if $(QUICK),--quick)

fuzz: $(STAMP) ## ten million inputs through the flow decoders (RUNS=...)
	$(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	$(BIN)/python tests/fuzz/seeds.py .fuzz
	for slice in 1 2 3 4 5; do $(BIN)/python tests/fuzz/fuzz_netflow.py .fuzz -runs=$$(( $(or $(RUNS),10000000) / 5 )) \
	  -max_len=400 -rss_limit_mb=1024 || exit 1; done  # libFuzzer's own tables grow by 0.2 MiB a thousand inputs

docs: $(STAMP) ## write the reference pages that are generated from code
	$(BIN)/python tools/reference.py
	$(BIN)/python tools/policy_pages.py
	$(BIN)/python tools/grafana_example.py
	$(BIN)/python tools/picture.py --scenarios

docs-check: $(STAMP) ## the reference pages are in step with the code
	$(BIN)/python tools/reference.py --check
	$(BIN)/python tools/policy_pages.py --check

package: $(STAMP) ## a wheel and a source archive in dist/
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build

clean: ## remove what the commands above made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* demo

# Needs python3 >= 3.11 and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
MOVED := $(shell [ ! -s $(READY) ] || [ "$$(cat $(READY))" = "$$(pwd -P)" ] || echo moved)

.PHONY: environment moved help up test drills fast previous check docs bench soak images sbom lock clean

environment: $(READY) ## make the environment, or renew it after an update; also without a target

moved:
	@echo "This folder was moved or copied: its .venv is of another folder."

help:                 ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 13

up: $(READY)          ## start the whole worker and run its pipeline once; Ctrl-C stops it
	@exec $(BIN)/analytics-worker up

test: $(READY)        ## all tests, on real services; a file's tests stay in one of three processes
	@$(BIN)/python -m pytest -n 3 --dist loadfile  # they wait more than they compute

drills: $(READY)      ## faults of the worker, minutes each: killed, stopped, disconnected
	@$(BIN)/python -m pytest tests/drills

fast: $(READY)        ## the tests of contracts and single modules: thousands, minutes, no services
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/contract tests/unit

previous:             ## contracts, single modules, workers and one whole stack with the Prefect release before
	@[ -e .venv-previous/.ready ] || ./setup-environment $(PYTHON) .venv-previous requirements-prefect-3.8.lock
	@.venv-previous/bin/python -m pytest -n 2 --dist loadfile tests/contract tests/unit tests/hosts tests/acceptance

check: $(READY)       ## lint, format, types, import layers, words, links
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports
	@$(BIN)/typos
	@$(MAKE) --no-print-directory docs
	@$(BIN)/sqlfluff lint -q dbt_project/models dbt_project/tests

docs: $(READY)        ## the documentation as a site in .state/site; broken links are errors
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

bench: $(READY)       ## compare each job with its usual implementation
	@$(BIN)/python -m benchmarks

soak: $(READY)        ## a quarter of an hour of runs: check that nothing grows, fails or is left behind
	@$(BIN)/python -m benchmarks soak

images: $(READY)      ## the pictures in docs/images, from the warehouse of a running `make up`; needs Chromium
	@$(BIN)/python -m analytics_worker.documentation.images

sbom: $(READY)        ## the packages of the lock, as CycloneDX 1.6 in sbom.cdx.json (not committed)
	@$(BIN)/python -m analytics_worker.documentation.sbom sbom.cdx.json
	@echo sbom.cdx.json

lock:                 ## resolve pyproject.toml again (needs uv)
	uv pip compile pyproject.toml --all-extras --generate-hashes --no-emit-index-url --python-version 3.11 --universal --quiet -o requirements.lock
	uv pip compile pyproject.toml --extra calendar --extra editable --constraint requirements.lock --generate-hashes --no-emit-index-url --python-version 3.11 --universal --quiet -o requirements-image.lock

clean:                ## remove the environment; the data in .state stays
	rm -rf .venv .venv-previous

# The environment is made again when what it is made of changes. pip compiles the byte code, and
# --no-deps is safe because the lock is complete.
# So it is when the folder was moved: programs of an environment have its path.
$(READY): requirements.lock pyproject.toml setup-environment $(MOVED)
	@./setup-environment $(PYTHON)

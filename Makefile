# Everything a developer runs. Needs only Python 3.11 or newer with venv, pip and make; no git hooks, no other tools.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The interpreter for .venv. Unset, the first of these that is 3.11 or newer; `make PYTHON=python3.13 test` names one.
PYTHON ?=
PYTHONS := $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)
# Options for the command behind a target: make demo ARGS="--devices 100", make test ARGS="tests/sync -x".
ARGS ?=
# Only `make lock` uses it, in a throwaway environment.
UV_VERSION := 0.13.9

# A process of tests for each core. Each has a stretch of the files in their order, so that what a module or folder
# shares is mostly made once; who has come to the end of theirs takes half of what is left of another's.
SHARED := -n logical --dist worksteal

BIN := .venv/bin
STAMP := .venv/.made

# These two change what the others start from, so with `make -j` they go in the order given.
ifneq ($(filter lock clean,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

define find_python
python=; \
for each in $(PYTHONS); do \
	if "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$each; break; fi; \
done; \
if [ -z "$$python" ]; then \
	echo "Beatbook needs Python 3.11 or newer; tried: $(PYTHONS)." >&2; \
	echo "Name one that you have: make PYTHON=/path/to/python3.12 $(or $(MAKECMDGOALS),help)" >&2; \
	exit 1; \
fi
endef

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(STAMP) ## Run the whole system with real processes and check its promises (ARGS="--devices 100")
	@$(BIN)/beatbook demo $(ARGS)

.PHONY: test
test: $(STAMP) ## Run the tests, on every core (ARGS="tests/sync -x"; ARGS="-n 0 --pdb tests/sync" in one process)
	@$(BIN)/python -m pytest $(SHARED) $(ARGS)

.PHONY: check
check: $(STAMP) ## Lint, formatting, types, import contracts, layout and documents
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m schemas.jsonschema --check
	$(BIN)/python -m pytest -q tests/test_layout.py tests/test_docs.py tests/test_protocol_doc.py

.PHONY: official
official: ## Fetch the official AsyncAPI schema with npm, for the test that holds ours to it
	@npm install --no-save --no-audit --no-fund --silent --prefix build/npm @asyncapi/specs@6.11.1

.PHONY: soak
soak: $(STAMP) ## Run the property tests with 10,000 examples each; takes hours
	@HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest $(SHARED) -m hypothesis --timeout=0 $(ARGS)

.PHONY: bench
bench: $(STAMP) ## Measure everything, beside the machine's limit and other engines: 35 minutes (ARGS="all --quick", ARGS=ack)
	@$(BIN)/python -m loadtest.bench $(or $(ARGS),all --json build/bench.json)

.PHONY: load
load: $(STAMP) ## Run locust against a server of its own, and look for every acknowledged edit (ARGS="--shape shift-change")
	@$(BIN)/python -m loadtest.locust $(ARGS)

.PHONY: image
image: $(STAMP) ## Build the image with buildah and run it in podman: two devices, read-only, a restart; needs root
	@.ci/image

.PHONY: audit
audit: $(STAMP) ## Ask whether anything locked has a known vulnerability; fails on what could not be asked
	@$(BIN)/python .ci/audit.py

.PHONY: sbom
sbom: $(STAMP) ## Write the bill of materials (CycloneDX) to build/sbom.cdx.json
	@$(BIN)/python .ci/sbom.py

.PHONY: schemas
schemas: $(STAMP) ## Write schemas/json/ and the generated reference pages anew from the types
	@$(BIN)/python -m schemas.jsonschema
	@$(BIN)/python -m server.configuration_page

.PHONY: lock
lock: ## Write requirements.lock and what an image takes of it anew, keeping versions that still fit (ARGS=--upgrade for the newest)
	@$(find_python); \
	tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	"$$python" -m venv "$$tmp"; \
	"$$tmp/bin/pip" install --quiet --disable-pip-version-check uv==$(UV_VERSION); \
	"$$tmp/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--extra dev --extra load --extra otel --custom-compile-command 'make lock' $(ARGS) \
		--output-file requirements.lock pyproject.toml; \
	"$$python" .ci/runtime_lock.py

.PHONY: clean
clean: ## Remove .venv, caches and build output
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv: $(STAMP)

# Touched last, so an interrupted installation is done again.
$(STAMP): requirements.lock pyproject.toml
	@$(find_python); \
	echo "Making .venv with $$("$$python" --version)"; \
	"$$python" -m venv .venv; \
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; \
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	touch $@

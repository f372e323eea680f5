# What one types in this repository. `make` alone lists the targets.
# Needs Rust (rustup takes the pinned toolchain from rust-toolchain.toml), Python 3.11 or later, and nothing else.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := $(abspath .venv)
STAMP := $(VENV)/.from-requirements
LUIGI := $(VENV)/.luigi-tasks
SPARK := $(VENV)/.spark
PANDAS_2 := $(VENV)/pandas-2
TESTBIN := $(abspath .testbin)
BENCHVENV := $(abspath .venv-bench)
BENCHSERVER := bench/server/Cargo.toml
TARGET := $(or $(CARGO_TARGET_DIR),target)
INGEST := $(or $(CARGO_TARGET_DIR),target)/release/ingest
# As maturin has it, so that clippy and maturin do not build pyo3 in turns.
export PYO3_BUILD_EXTENSION_MODULE := 1
# The tests in Rust; with --no-run they and the program (with its failpoints) are built, and no second time.
TESTED := cargo test --workspace --exclude cauce-python --locked --features cauce-ingest/failpoints
# What the images take instead of compiling.
PARTS := $(or $(CARGO_TARGET_DIR),target)/docker
WHEELS := $(or $(CARGO_TARGET_DIR),target)/wheels
# Interpreters that `make test-python-versions` tries the wheel with; name others: make PYTHONS=…
PYTHONS ?= $(sort $(wildcard $(HOME)/.pyenv/versions/3.1[2-9].*/bin/python))
# Empty where there is no Java: the tests with Spark are then left out, and say so.
JAVA := $(shell command -v java 2>/dev/null)
# Empty where there is no Go: the second S3 server is then left out, and the tests say so.
GO := $(shell command -v go 2>/dev/null)

.PHONY: help setup build module wheel test test-python test-python-versions test-luigi test-spark test-sensors test-s3a lint lint-python fmt check-house docs-check demo fuzz soak outage mutations bench docker-test docker-test-quick clean need-rust need-python

help: ## List the targets
	@echo 'make TARGET, where TARGET is one of'
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name what; do printf '%-18s %s\n' "$$name" "$$what"; done

setup: $(STAMP) ## Make .venv with the pinned test tools

$(STAMP): requirements-test.txt | need-python
	@echo 'making .venv (S3 test server, maturin, pytest)'
	@$(PYTHON) -m venv --clear $(VENV) || { echo 'no venv could be made: on Debian and Ubuntu, install python3-venv' >&2; exit 1; }
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt
	@touch $@

build: need-rust ## Build the program: target/release/ingest
	cargo build --release --locked --package cauce-ingest

module: need-rust setup ## Build the Python module cauce into .venv, unoptimised
	@$(VENV)/bin/maturin develop --quiet --locked --manifest-path pybindings/Cargo.toml

wheel: need-rust setup ## Build the release wheel of cauce: target/wheels, for Python 3.11 and later
	$(VENV)/bin/maturin build --release --locked --manifest-path pybindings/Cargo.toml --out $(WHEELS)

lint: need-rust check-house docs-check lint-python ## Check format, lints, types, house rules and links
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --features cauce-ingest/failpoints -- -D warnings
	cargo fmt --manifest-path $(BENCHSERVER) --check
	cargo clippy --manifest-path $(BENCHSERVER) --all-targets --locked --target-dir $(TARGET) -- -D warnings

lint-python: setup
	$(VENV)/bin/ruff format --quiet --check pybindings bench
	$(VENV)/bin/ruff check --quiet pybindings bench
	cd pybindings && $(VENV)/bin/python -m mypy --cache-dir ../target/mypy
	cd bench && $(VENV)/bin/python -m mypy --strict --cache-dir ../target/mypy run.py harness generate.py

fmt: need-rust setup ## Format the code
	cargo fmt --all
	$(VENV)/bin/ruff format --quiet pybindings bench

check-house: need-python ## Check what no linter knows: lengths, file heads, paths, hosts, which crate and module may use which
	@$(PYTHON) scripts/check-house
	@$(PYTHON) scripts/check-layers

docs-check: need-python ## Check that links in the documents lead somewhere
	@$(PYTHON) scripts/check-docs

test: lint setup ## Lint, then all tests, with real S3 servers on loopback
ifneq ($(GO),)
	TESTBIN=$(TESTBIN) scripts/test-servers/install go-s3
	CAUCE_TEST_MOTO=$(VENV)/bin/moto_server CAUCE_TEST_GO_S3=$(TESTBIN)/versitygw CAUCE_TEST_REQUIRE=moto,go-s3 \
		$(TESTED)
else
	@echo 'Go is not installed: the tests run without the second S3 server'
	CAUCE_TEST_MOTO=$(VENV)/bin/moto_server CAUCE_TEST_REQUIRE=moto $(TESTED)
endif
	cargo test --manifest-path $(BENCHSERVER) --locked --target-dir $(TARGET)
	@$(MAKE) --no-print-directory test-python test-luigi test-spark

test-python: module $(PANDAS_2) ## Only the tests of the Python module
	$(TESTED) --no-run
	cd pybindings && INGEST=$(abspath $(or $(CARGO_TARGET_DIR),target))/debug/ingest $(VENV)/bin/python -m pytest -q

$(PANDAS_2): requirements-pandas-2.txt $(STAMP)
	@echo 'adding pandas 2 beside that of .venv'
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $@ -r requirements-pandas-2.txt
	@touch $@

test-luigi: module $(LUIGI) ## Only the checks and tests of luigi_tasks, with a real luigid and S3 server
	$(TESTED) --no-run
	cd luigi_tasks && $(VENV)/bin/ruff format --quiet --check . && $(VENV)/bin/ruff check --quiet .
	cd luigi_tasks && $(VENV)/bin/python -m mypy --cache-dir ../target/mypy
	cd luigi_tasks && INGEST=$(abspath $(or $(CARGO_TARGET_DIR),target))/debug/ingest $(VENV)/bin/python -m pytest -q -m 'not spark'

$(LUIGI): luigi_tasks/requirements-test.txt luigi_tasks/pyproject.toml $(STAMP)
	@echo 'adding luigi_tasks to .venv'
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r luigi_tasks/requirements-test.txt
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable luigi_tasks
	@touch $@

test-spark: module $(LUIGI) $(SPARK) $(PANDAS_2) ## Only the tests with Spark, where Java is (pyspark comes into .venv, 450 MB)
ifneq ($(JAVA),)
	$(TESTED) --no-run
	cd pybindings && INGEST=$(abspath $(or $(CARGO_TARGET_DIR),target))/debug/ingest $(VENV)/bin/python -m pytest -q tests_spark
	cd luigi_tasks && INGEST=$(abspath $(or $(CARGO_TARGET_DIR),target))/debug/ingest $(VENV)/bin/python -m pytest -q -m spark
else
	@echo 'Java is not installed: the tests with Spark are left out'
endif

test-sensors: module ## The examples of docs/sensors.md with Airflow, Dagster and Prefect, each in a venv of its own (1.5 GB)
	@for program in airflow=apache-airflow==3.3.2 dagster=dagster==1.13.29 prefect=prefect==3.9.1; do \
		place=$(VENV)/sensors/$${program%%=*}; [ -x $$place/bin/python ] || { echo "adding $${program#*=}"; \
		$(PYTHON) -m venv $$place && $$place/bin/python -m pip install --quiet --disable-pip-version-check $${program#*=}; }; \
	done
	cd pybindings && $(VENV)/bin/python -m pytest -q tests/test_sensors.py

test-s3a: module $(SPARK) ## The tests of Spark over s3a, where Java is; its jars come to target/ivy (650 MB, REPOSITORIES: mirrors)
ifneq ($(JAVA),)
	$(if $(GO),TESTBIN=$(TESTBIN) scripts/test-servers/install go-s3)
	cd pybindings && S3A_IVY=$(abspath $(TARGET))/ivy CAUCE_TEST_GO_S3=$(TESTBIN)/versitygw $(if $(GO),CAUCE_TEST_REQUIRE=go-s3) \
		$(VENV)/bin/python -m pytest -q tests_s3a
else
	@echo 'Java is not installed: the tests of s3a are left out'
endif

$(SPARK): requirements-spark.txt $(STAMP)
ifneq ($(JAVA),)
	@echo 'adding pyspark to .venv'
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-spark.txt
endif
	@touch $@

test-python-versions: wheel ## Its tests with the one wheel on other Pythons (PYTHONS)
	@for python in $(PYTHONS); do \
		version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		echo "== Python $$version"; \
		$$python -m venv --clear target/python-$$version; \
		target/python-$$version/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt; \
		target/python-$$version/bin/python -m pip install --quiet --disable-pip-version-check --no-index --find-links $(WHEELS) cauce; \
		(cd pybindings && ../target/python-$$version/bin/python -m pytest -q); \
	done

demo: build wheel $(LUIGI) $(SPARK) ## Simulator to lake, Luigi, Parquet, report and Spark where Java is: three hours in two minutes
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --force-reinstall --find-links $(WHEELS) cauce
	@INGEST=$(INGEST) LUIGI_BIN=$(VENV)/bin $(PYTHON) scripts/demo

fuzz: need-rust ## Try random and broken lines for longer: FUZZ_CASES=100000 of each kind
	FUZZ_CASES=$(or $(FUZZ_CASES),100000) cargo test --locked --package cauce-lake --lib -- against_dom against_serde_json

soak: need-python build ## Half an hour of random kills, then the oracle (SOAK_MINUTES, SOAK_SEED)
	@INGEST=$(INGEST) $(PYTHON) scripts/proof/soak

outage: need-python build ## Ten minutes without a store at 5,000 tweets a second (OUTAGE_MINUTES)
ifneq ($(GO),)
	TESTBIN=$(TESTBIN) scripts/test-servers/install go-s3
endif
	@INGEST=$(INGEST) S3_SERVER=$${S3_SERVER:-$(TESTBIN)/versitygw} $(PYTHON) scripts/proof/outage

mutations: need-rust setup ## Take safeguards out one by one: the tests must notice each (an hour)
ifneq ($(GO),)
	TESTBIN=$(TESTBIN) scripts/test-servers/install go-s3
endif
	CAUCE_TEST_MOTO=$(VENV)/bin/moto_server CAUCE_TEST_GO_S3=$(TESTBIN)/versitygw CAUCE_TEST_REQUIRE=moto,go-s3 \
		$(PYTHON) scripts/proof/mutations

bench: wheel $(BENCHVENV)/.from-requirements ## Cauce and its peers, measured in turn: docs/benchmarks.md (BENCH, BENCH_MB, BENCH_ROUNDS)
	cargo build --release --locked --package cauce-ingest
	cargo build --release --locked --manifest-path $(BENCHSERVER) --target-dir $(TARGET)
	@$(BENCHVENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --force-reinstall --find-links $(WHEELS) cauce
	@$(PYTHON) bench/run.py

# PySpark is measured only where Java is there.
$(BENCHVENV)/.from-requirements: bench/requirements.txt bench/requirements-spark.txt | need-python
	@echo 'making .venv-bench (what is measured against)'
	@$(PYTHON) -m venv --clear $(BENCHVENV) || { echo 'no venv could be made: on Debian and Ubuntu, install python3-venv' >&2; exit 1; }
	@$(BENCHVENV)/bin/python -m pip install --quiet --disable-pip-version-check -r bench/requirements.txt $(if $(shell command -v java 2>/dev/null),-r bench/requirements-spark.txt)
	@touch $@

docker-test: need-python ## Build the images, bring the environment up, break it, count (needs a Docker engine)
	@$(PYTHON) scripts/docker/test

docker-test-quick: need-python ## The same with program and wheels built here instead of in the images
	@if ! docker info >/dev/null 2>&1; then $(PYTHON) scripts/docker/test; else \
		$(MAKE) build wheel && rm -rf $(PARTS) && mkdir -p $(PARTS) && cp $(INGEST) $(PARTS)/ && \
		cp "$$(ls -t $(WHEELS)/cauce-*.whl | head -n 1)" $(PARTS)/ && \
		rm -rf luigi_tasks/build && $(VENV)/bin/python -m pip wheel --quiet --no-deps --wheel-dir $(PARTS) ./luigi_tasks && rm -rf luigi_tasks/build && \
		DOCKER_TEST_PREBUILT=$(abspath $(PARTS)) $(PYTHON) scripts/docker/test; fi

clean: ## Remove what the targets made
	rm -rf $(VENV) $(TESTBIN) $(BENCHVENV) .demo .soak .outage bench/.data
	! command -v cargo >/dev/null || cargo clean

need-rust:
	@command -v cargo >/dev/null || { echo 'cargo is missing: install Rust, see https://rustup.rs' >&2; exit 1; }

need-python:
	@command -v $(PYTHON) >/dev/null || { echo '$(PYTHON) is missing: install Python 3.11 or later' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo '$(PYTHON) is not Python 3.11 or later: install it, or name it: make PYTHON=python3.12 …' >&2; exit 1; }

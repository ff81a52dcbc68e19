# Every target does its own set-up: a virtual environment in .venv with pinned dependencies.
# A second call installs nothing again.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
# Where a run says which directory it wrote, so that its page is made of it wherever that is.
NEWEST := $(VENV)/.newest-run
# A run takes the place of the recipe's shell: make ends that on SIGTERM, and would not tell what runs in it. Cells that
# failed (status 1) are told at the end.
STATUS := $(VENV)/.status
MEASURE := exec $(RUN) -c "import pathlib, sys, pytest; status = int(pytest.main(sys.argv[2:])); \
	pathlib.Path(sys.argv[1]).write_text(str(status)); sys.exit(status if status > 1 else 0)" $(STATUS) bench/
REFERENCE := results/reference/amd-epyc-2c
INSTALLS := results/reference/intel-xeon-2c-installs
TARGETS := results/reference/amd-epyc-2c-targets
NETWORK := results/reference/amd-epyc-2c-network
MACHINE = $(shell $(RUN) -c "from bench.machine.environment import machine_name; print(machine_name())")
TEST := $(RUN) -m pytest tests/ -p no:benchmark --numprocesses 2 --dist loadfile --no-loadscope-reorder
ARGS ?=

# On Linux the usual PyTorch brings CUDA packages of gigabytes. TORCH=cpu takes PyTorch's own builds for CPUs, which
# pip prefers, since their versions end with +cpu.
TORCH ?= usual
INDEX_usual :=
INDEX_cpu := --extra-index-url https://download.pytorch.org/whl/cpu
ifeq ($(origin INDEX_$(TORCH)),undefined)
$(error TORCH=$(TORCH) is unknown; allowed: TORCH=cpu, which leaves out the CUDA packages)
endif

.DEFAULT_GOAL := help
.PHONY: help bench card test test-fast test-slow lint crosscheck doctor report tables reference article wheel clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11, 3.12 or 3.13 found; install one, or name it: make PYTHON=/path/to/python3" >&2; exit 2; }
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt $(INDEX_$(TORCH)) --editable '.[dev]'
	@touch $@

bench: $(READY)  ## the quick profile, and its page report.html (more: ARGS="--profile standard", TORCH=cpu)
	@rm -f $(NEWEST)
	@$(MEASURE) --run-path $(NEWEST) $(ARGS)
	@test ! -s $(NEWEST) || $(RUN) scripts/report.py "$$(cat $(NEWEST))" || exit; exit "$$(cat $(STATUS))"

# In the Python that is there, which has what the image of a card brings: nothing is set up.
card:  ## ten minutes on a CUDA card, in the Python that is there (make card PYTHON=python3 ARGS="--minutes 5")
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11, 3.12 or 3.13 found; name it: make card PYTHON=/path/to/python3" >&2; exit 2; }
	$(PYTHON) scripts/card.py $(ARGS)

test: $(READY)  ## the tests, in two processes
	$(TEST) -m "not daily" $(ARGS)

test-fast: $(READY)  ## of them those that are not marked slow: between edits
	$(TEST) -m "not slow and not daily" $(ARGS)

test-slow: $(READY)  ## those marked daily: once a day, what is tried a few times above is tried in all ways
	$(TEST) -m daily $(ARGS)

lint: $(READY)  ## ruff, mypy --strict, and import-linter: what may import what
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy --num-workers 2
	$(VENV)/bin/lint-imports --no-logo

crosscheck: $(READY)  ## numerical equivalence of all backends
	$(RUN) scripts/crosscheck.py $(ARGS)

doctor: $(READY)  ## what runs on this machine, and what will spoil its timings
	$(RUN) scripts/doctor.py $(ARGS)

report: $(READY)  ## one HTML page of the newest run: report.html
	$(RUN) scripts/report.py $(ARGS)

tables: $(READY)  ## write tables and figures anew from results/ (with ARGS=--check: do they agree?)
	$(RUN) scripts/summarise.py $(REFERENCE) --tables fastest,arms,fits --update $(REFERENCE)/TABLES.md $(ARGS)
	$(RUN) scripts/summarise.py $(REFERENCE) --tables headline --ops relu --directions forward --placements new \
		--dtypes float32 --sizes 1Ki,64Ki,1Mi,16Mi,64Mi --update README.md $(ARGS)
	$(RUN) scripts/report.py $(REFERENCE) --figures $(REFERENCE)/figures $(ARGS)
	$(RUN) scripts/targets.py --run $(TARGETS) --update $(TARGETS)/TARGETS.md $(ARGS)
	$(RUN) scripts/claims.py --read results/article --update docs/article.md $(ARGS)
	$(RUN) scripts/network.py $(NETWORK) --update docs/article.md $(ARGS)
	$(RUN) scripts/summarise.py $(INSTALLS) --tables arms --backends numba_jit --directions forward \
		--update docs/installs.md $(ARGS)
	$(RUN) scripts/trust.py --read results/validation/trust --update docs/validation.md $(ARGS)
	$(RUN) scripts/trust.py --read results/validation/heard --heard --update docs/fleet.md $(ARGS)
	$(RUN) scripts/intervals.py --read results/validation/intervals --update docs/validation.md $(ARGS)
	$(RUN) scripts/agreement.py --read results/validation/agreement --update docs/validation.md $(ARGS)
	$(RUN) scripts/simulate.py --read results/validation/simulation --update docs/validation.md $(ARGS)
	$(RUN) scripts/fleet.py --read results/validation/fleet --update docs/fleet.md $(ARGS)
	$(RUN) scripts/estimators.py $(REFERENCE) --update docs/validation.md $(ARGS)

# The variants say what allocating costs torch; scripts/recommend.py explains a setting's gain from them.
reference: $(READY)  ## measure the reference run of this machine anew: the standard profile, most of an hour
	rm -rf results/$(MACHINE)
	@$(MEASURE) --profile standard --run-id $(MACHINE) --variant thp@torch_eager:THP_MEM_ALLOC_ENABLE=1 --variant \
		malloc@torch_eager:MALLOC_MMAP_THRESHOLD_=4294967296,MALLOC_TRIM_THRESHOLD_=4294967296,MALLOC_TOP_PAD_=268435456 \
		$(ARGS)
	mkdir -p results/reference/$(MACHINE)
	mv results/$(MACHINE)/*.csv results/$(MACHINE)/environment.json results/reference/$(MACHINE)/

article: $(READY)  ## measure the claims of the article anew and write docs/article.md
	$(RUN) scripts/claims.py --update docs/article.md $(ARGS)

wheel: $(READY)  ## build the wheel, in which everything lies under the one name relu_bench: dist/
	$(RUN) -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

clean:  ## remove the virtual environment and caches (results stay)
	rm -rf $(VENV) *.egg-info build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

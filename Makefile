# Each target sets up .venv by itself (Python 3.11 or newer on the machine is enough).
#   make run      the guard on the site of .env or the environment; with neither, the demo on the virtual site
#   make demo-wire the demo over the wire: the real adapters against VMware's simulator, Redfish and Meraki on loopback
#   make test     every test                      make test PYTEST_ARGS="-k policy"
#   make check    ruff, mypy --strict, import-linter, go vet
#   make coverage every branch of core and engine that the tests take, eight minutes
#   make torture  the guard killed 200 times, tens of minutes
#   make simulate the search for a run that breaks a promise   make simulate SIMULATE_ARGS="--seed 5000 --runs 20000"
#   make score    what the policy would have done, into docs/DECISIONS.md   make score SCORE_ARGS="--draws 50"
#   make bench    every benchmark, ten minutes    make bench BENCH_ARGS="planner start"
#   make lock     compile the lock files anew     make lock LOCK_ARGS=--upgrade
.PHONY: run demo-wire test check coverage torture simulate score bench lock clean
.DEFAULT_GOAL := run
PYTEST_ARGS ?=
LOCK_ARGS ?=
SCORE_ARGS ?=
SIMULATE_ARGS ?= --runs 1000 --minimise
BENCH_ARGS ?=
COVERED_BY := tests/core tests/engine tests/scenarios tests/test_plan_outline.py tests/test_plan_chart.py \
	$(wildcard tests/simulate)

run:
	@scripts/set_up run
	@scripts/start

demo-wire:
	@scripts/set_up run
	.venv/bin/thermo-guard demo --wire

test:
	@scripts/set_up dev
	.venv/bin/python -m pytest -n auto --dist worksteal $(PYTEST_ARGS)

check:
	@scripts/set_up dev
	.venv/bin/python -m ruff check .
	.venv/bin/python -m mypy
	.venv/bin/lint-imports
	@case "$$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null)" in \
	go1.2[5-9]*|go1.[3-9][0-9]*) echo "go vet ./..."; cd virtual_vsphere && go vet ./... ;; \
	*) echo "go vet: left out, there is no Go 1.25 or newer here" ;; esac

coverage:
	@scripts/set_up dev
	.venv/bin/python -m pytest -n auto --dist worksteal $(COVERED_BY) --cov --cov-report=term \
		--cov-report=json:.coverage.json $(PYTEST_ARGS)
	@.venv/bin/python -c "import json; \
	taken = json.load(open('.coverage.json'))['totals']['percent_branches_covered']; \
	print(f'{taken:.2f} % of the branches, at least 98 wanted'); raise SystemExit(taken < 98)"

torture:
	@scripts/set_up dev
	TORTURE=1 .venv/bin/python -m pytest -n $${TORTURE_SITES:-2} -rP tests/torture $(PYTEST_ARGS)

simulate:
	@scripts/set_up dev
	.venv/bin/thermo-guard simulate $(SIMULATE_ARGS)

score:
	@scripts/set_up dev
	.venv/bin/python -m score $(SCORE_ARGS)

bench:
	@scripts/set_up dev
	.venv/bin/python -m bench $(BENCH_ARGS)

lock:
	@scripts/set_up dev
	@scripts/lock $(LOCK_ARGS)

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

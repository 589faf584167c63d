# make demo | test | test-slow | lint | docs | bench | clean. Each target first brings .venv up to date.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-slow lint docs bench clean

BIN := .venv/bin
# Arguments for pytest or the benchmarks, for example: make test ARGS="-k survey", make bench ARGS="--case founding"
ARGS ?=

# Chains and test workers already fill the cores; threads inside the linear algebra would only compete.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export VECLIB_MAXIMUM_THREADS := 1
export NUMEXPR_NUM_THREADS := 1
export MPLBACKEND := Agg

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile

demo: ## fit the example model and write its report
	@sh scripts/venv.sh
	$(BIN)/medpsy run models/students.toml --out results/students
	@echo "The report is results/students/report.html: open it in a browser."

test: ## run the tests (two workers)
	@sh scripts/venv.sh dev
	$(BIN)/python -m pytest -n 2 $(ARGS)

test-slow: ## run the tests, the slow ones too
	@sh scripts/venv.sh dev
	$(BIN)/python -m pytest -n 2 --slow $(ARGS)

lint: ## check style and types
	@sh scripts/venv.sh dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: ## build the documentation
	@sh scripts/venv.sh docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "The documentation is docs/_build/html/index.html."

bench: ## measure medpsy beside other programs and write docs/benchmarks.md (hours; ARGS="--quick" tries it)
	@sh scripts/venv.sh benchmarks
	$(BIN)/python -m benchmarks.run $(ARGS)

clean: ## remove .venv, caches and built files; results/ stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build docs/_build
	find src tests benchmarks docs scripts -name __pycache__ -type d -prune -exec rm -rf {} +

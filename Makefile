# Thin on purpose: .venv with the pinned versions, then the product's own commands.
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null)
BIN := .venv/bin

.PHONY: setup demo test lint audit ui clean

setup: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
ifdef UV
	$(UV) venv --quiet --allow-existing --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable '.[dev]'
else
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
endif
	$(BIN)/python -m compileall -q mkt_assets
	touch $@

demo: setup
	$(BIN)/mkt demo

test: setup
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint dbt_project

# 3: no secret, but no service to look the packages up; see the file
audit: setup
	$(BIN)/python .ci/audit.py

ui: setup
	$(BIN)/dg dev

clean:
	rm -rf .venv

# Everything a developer or CI runs. Each target makes what it needs; nothing has to be prepared by hand.
.PHONY: demo test check bench soak clean
PYTHON ?= python3
VENV ?= .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

demo: $(VENV)/installed
	imap-watcher demo

test: $(VENV)/installed
	sh tests/prepare.sh
	python -m pytest -m "not soak" -n auto --dist loadgroup $(ARGS)

check: $(VENV)/installed
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-cache
	python -m pytest -q tests/test_house.py tests/deploy

bench: $(VENV)/installed
	sh tests/prepare.sh
	python -m tests.bench $(ARGS)

soak: $(VENV)/installed
	sh tests/prepare.sh
	python -m pytest -m soak $(ARGS)

# The environment of its own, made anew when the dependencies change.
$(VENV)/installed: pyproject.toml tests/environment.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" sh tests/environment.sh
	touch $@

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Everything a developer or CI runs. Each target makes what it needs; nothing has to be prepared by hand.
.PHONY: demo test check docs bench soak clean
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
	python -m pytest -q tests/test_house.py tests/deploy tests/config/test_documentation.py

# What the pages say that the code knows; `make check` and `make test` hold them against it.
docs: $(VENV)/installed
	python -m tests.config.configuration_page
	python -m tests.config.providers_page >docs/providers.new && mv docs/providers.new docs/providers.md
	python -c 'import json; from watcher.mail.schema import message_schema as s; print(json.dumps(s(), indent=2))' >docs/schema.new
	mv docs/schema.new docs/message.schema.json

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

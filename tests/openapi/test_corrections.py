"""The OpenAPI document has all that msgspec knows of the types, and each error as the running service answers it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import jsonschema
import msgspec
import pytest
from litestar.openapi.config import OpenAPIConfig
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.openapi.shop import Circle, Square, app

from daebus import Daebus, DaebusHttp
from daebus.testing import RunningService, running

Json = dict[str, Any]
SELLER = {"authorization": "Bearer seller"}
ITEM = {"name": "cup", "priceEach": "9.50", "shape": {"type": "circle", "radius": 2.5}}


@pytest.fixture
async def service() -> AsyncIterator[RunningService]:
    async with running(app) as service:
        yield service


@pytest.fixture
async def document(service: RunningService) -> Json:
    found: Json = (await service.http.get("/schema/openapi.json")).json()
    return found


def operation(document: Json, name: str) -> Json:
    """The operation with this id."""
    (found,) = (one for path in document["paths"].values() for one in path.values() if one["operationId"] == name)
    return dict(found)


def check(document: Json, response: Any, *, of: str) -> None:
    """Check that the body of an answer has the schema that the document has for it."""
    assert str(response.status_code) in operation(document, of)["responses"], response.text
    content = operation(document, of)["responses"][str(response.status_code)]["content"]
    schema = content[response.headers["content-type"].partition(";")[0]]["schema"]
    validate(document, schema, response.json())


def validate(document: Json, schema: Json, value: object) -> None:
    validator: Any = jsonschema.Draft202012Validator({**schema, "components": document["components"]})
    validator.validate(value)


async def test_it_is_valid_and_has_no_component_in_vain(document: Json) -> None:
    OpenAPIV31SpecValidator(document).validate()
    names = set(document["components"]["schemas"])
    assert names == {
        "Circle",
        "InvalidDetails",
        "InvalidInput",
        "Item",
        "Mistake",
        "Problem",
        "RestockBody",
        "Size",
        "Square",
    }


async def test_tagged_unions_have_a_discriminator(document: Json) -> None:
    shape = document["components"]["schemas"]["Item"]["properties"]["shape"]
    mapping = {"circle": "#/components/schemas/Circle", "square": "#/components/schemas/Square"}
    assert shape["discriminator"] == {"propertyName": "type", "mapping": mapping}
    body = operation(document, "items_mirror")["requestBody"]["content"]["application/json"]["schema"]
    assert body["discriminator"] == shape["discriminator"]


async def test_structs_and_their_fields_are_described_by_their_docstrings(document: Json) -> None:
    item = document["components"]["schemas"]["Item"]
    assert item["description"] == "A thing for sale.\n\nOnly what is for sale is an item."
    assert item["properties"]["priceEach"]["description"] == "What one of it costs, in euros."
    assert item["properties"]["shape"]["description"] == "Its shape."
    assert document["components"]["schemas"]["Size"]["description"] == "How large it is."
    error = document["components"]["schemas"]["InvalidInput"]["properties"]
    assert error["code"]["description"].startswith("A stable word for programs")


async def test_strictness_defaults_constraints_and_examples_are_kept(document: Json) -> None:
    item = document["components"]["schemas"]["Item"]
    assert item["additionalProperties"] is False
    assert item["required"] == ["name", "priceEach", "shape"]
    limits = {"minLength": 1, "maxLength": 20, "examples": ["cup", "plate"]}
    assert item["properties"]["name"] == {"type": "string", **limits}
    assert item["properties"]["tags"]["default"] == []
    assert item["properties"]["size"]["default"] == "S"
    assert document["components"]["schemas"]["Square"]["properties"]["side"]["minimum"] == 0


async def test_any_json_is_described(document: Json) -> None:
    anything = operation(document, "items_anything")
    assert anything["requestBody"]["content"]["application/json"]["schema"] == {"type": "object"}
    answer = anything["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"type": "array", "items": {"description": "Any JSON."}}


async def test_parameters_have_their_types_defaults_and_descriptions(document: Json) -> None:
    shown = operation(document, "items_show")
    found = {one["name"]: one for one in shown["parameters"]}
    assert found["item_id"]["schema"] == {"type": "string", "format": "uuid"}
    assert found["item_id"]["description"] == "The id of the item."
    assert found["size"]["schema"] == {"$ref": "#/components/schemas/Size", "default": "L"}
    assert found["page"]["schema"] == {"type": "integer", "minimum": 0, "default": 0}
    assert (shown["summary"], shown.get("description")) == ("One item.", None)


async def test_the_parameters_of_a_door_are_those_of_its_payload(document: Json) -> None:
    found = {one["name"]: one for one in operation(document, "stock_look")["parameters"]}
    assert found["key"]["schema"] == {"type": "string", "maxLength": 8}
    assert found["limit"]["schema"] == {"type": "integer", "minimum": 0, "maximum": 50, "default": 5}
    assert found["limit"]["description"] == "How many to return."
    assert not found["limit"]["required"]
    body = document["components"]["schemas"]["RestockBody"]
    described = {"type": "integer", "exclusiveMinimum": 0, "description": "How many."}
    assert (body["description"], body["properties"]) == ("Puts more of it on the shelf.", {"count": described})


async def test_operations_have_the_tag_of_their_blueprint_and_an_id_of_their_own(document: Json) -> None:
    found = {one["operationId"]: one["tags"] for path in document["paths"].values() for one in path.values()}
    names = {"items": ["add", "add_put", "anything", "mirror", "show"], "stock": ["look", "restock", "show_stock"]}
    assert found == {f"{tag}_{name}": [tag] for tag, each in names.items() for name in each}


async def test_each_answer_has_the_form_that_the_document_gives(service: RunningService, document: Json) -> None:
    http = service.http
    wrong = {**ITEM, "name": "", "shape": {"type": "circle", "radius": 0}}
    answers = {
        400: await http.post("/items", json=wrong, headers=SELLER),
        401: await http.post("/items", json=ITEM),
        403: await http.post("/items", json=ITEM, headers={"authorization": "Bearer buyer"}),
        409: await http.post("/items", json={**ITEM, "name": "gone"}, headers=SELLER),
        413: await http.post("/items", json={**ITEM, "tags": ["x" * 1_100_000]}, headers=SELLER),
        415: await http.post("/items", content="name=cup", headers={**SELLER, "content-type": "text/plain"}),
        201: await http.post("/items", json={**ITEM, "parts": [ITEM]}, headers=SELLER),
    }
    assert {status: answer.status_code for status, answer in answers.items()} == {status: status for status in answers}
    assert set(map(str, answers)) | {"5XX"} == set(operation(document, "items_add")["responses"])
    for answer in answers.values():
        check(document, answer, of="items_add")
    assert len(answers[400].json()["details"]["errors"]) == 2
    assert answers[401].json()["code"] == "unauthorized"
    described = operation(document, "items_add")["responses"]["409"]["description"]
    assert described == "There is none left. (`sold_out`)"


async def test_the_answers_of_the_other_routes_do_too(service: RunningService, document: Json) -> None:
    http, circle = service.http, {"type": "circle", "radius": 1.5}
    check(document, await http.get("/items/6f1b8f9e-0000-4000-8000-000000000000"), of="items_show")
    check(document, await http.get("/items/no", params={"size": "XL", "page": -1}), of="items_show")
    check(document, await http.post("/shapes", json=circle), of="items_mirror")
    check(document, await http.post("/anything", json={"a": None}), of="items_anything")
    check(document, await http.get("/look/a", params={"limit": 3}), of="stock_look")
    check(document, await http.get("/look/a", params={"limit": 51}), of="stock_look")


async def test_a_strict_body_refuses_what_the_document_refuses(service: RunningService, document: Json) -> None:
    answer = await service.http.post("/items", json={**ITEM, "more": 1}, headers=SELLER)
    assert answer.status_code == 400
    with pytest.raises(jsonschema.ValidationError):
        validate(document, {"$ref": "#/components/schemas/Item"}, {**ITEM, "more": 1})


async def test_the_document_of_a_configuration_of_the_user_is_corrected_too() -> None:
    own = Daebus("own")
    own.attach(DaebusHttp(openapi_config=OpenAPIConfig("Mine", "2"), path="/v1"))

    @own.route("/shapes", methods=["POST"])
    async def mirror(data: Circle | Square) -> None: ...

    async with running(own) as service:
        found: Json = (await service.http.get("/v1/schema/openapi.json")).json()
    OpenAPIV31SpecValidator(found).validate()
    body = found["paths"]["/v1/shapes"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert (found["info"]["title"], body["discriminator"]["propertyName"]) == ("Mine", "type")


class Chart(msgspec.Struct):
    options: Annotated[dict[str, str], msgspec.Meta(examples=[{"discriminator": "size"}])]


async def test_examples_may_have_the_keys_of_schemas() -> None:
    charts = Daebus("charts")
    charts.attach(DaebusHttp())

    @charts.route("/charts", methods=["POST"])
    async def draw(data: Chart) -> None: ...

    async with running(charts) as service:
        found: Json = (await service.http.get("/schema/openapi.json")).json()
    OpenAPIV31SpecValidator(found).validate()
    assert found["components"]["schemas"]["Chart"]["properties"]["options"]["examples"] == [{"discriminator": "size"}]

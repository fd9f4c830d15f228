"""What docs/guide.md promises of actions with doors."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from tests.guide.doors import FIND, PRICES, SET_PRICE, FindProducts, Product, SetPrice, Watch, app

from daebus.errors import Forbidden
from daebus.testing import RunningService, running

SELLER = {"Authorization": "Bearer ada"}


@pytest.fixture
async def service() -> AsyncIterator[RunningService]:
    async with running(app) as service:
        yield service


async def test_the_same_answer_at_each_door(service: RunningService) -> None:
    over_the_bus = await service.call(FIND, FindProducts("main", ["cup"]))
    assert over_the_bus == [Product("cup", 5)]
    response = await service.http.get("/api/shops/main/products?words=cup&words=plate&limit=3")
    assert (response.status_code, response.json()) == (200, [{"id": "cup", "price": 5}])
    async with service.socket() as socket:
        answer = await socket.ask("find", {"shop": "main", "words": ["cup"]})
    assert (answer.type, bytes(answer.data)) == ("response", b'[{"id":"cup","price":5}]')


async def test_all_mistakes_at_once(service: RunningService) -> None:
    refused = await service.http.get("/api/shops/main/products?limit=500&words=")
    assert refused.status_code == 400
    assert [(one["in"], one["path"]) for one in refused.json()["details"]["errors"]] == [("query", "limit")]
    refused = await service.http.put("/api/products/cup", json={}, headers=SELLER)
    assert [(one["in"], one["path"]) for one in refused.json()["details"]["errors"]] == [("body", "$.price")]


async def test_the_same_guards_at_each_door(service: RunningService) -> None:
    changed = await service.http.put("/api/products/cup", json={"price": 6}, headers=SELLER)
    assert (changed.status_code, changed.json()) == (200, {"id": "cup", "price": 6})
    for headers, status in (({}, 401), ({"Authorization": "Bearer guest"}, 403)):
        assert (await service.http.put("/api/products/cup", json={"price": 1}, headers=headers)).status_code == status
        async with service.socket(headers=headers) as socket:
            refused = await socket.ask("set_price", {"id": "cup", "price": 1})
            assert (refused.type, {401: b"unauthorized", 403: b"forbidden"}[status] in bytes(refused.data)) == (
                "error",
                True,
            )
    with pytest.raises(Forbidden):
        await service.call(SET_PRICE, SetPrice("cup", 1), headers={"authorization": "Bearer guest"})


async def test_events(service: RunningService) -> None:
    assert [price async for price in service.stream(PRICES, Watch("tea pot"))] == [30, 27, 24]
    response = await service.http.get("/api/products/tea pot/prices")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.split() == ["data:", "30", "data:", "27", "data:", "24", "event:", "end", "data:", "null"]
    missing = await service.http.get("/api/products/plate/prices")
    assert (missing.status_code, missing.json()["detail"]) == (404, "There is no plate")


async def test_a_client_that_comes_back_goes_on_after_its_last_event(service: RunningService) -> None:
    async def follow(headers: dict[str, str], price: int) -> tuple[str, int]:
        """The id and the price of the first event."""
        async with service.http.stream("GET", "/api/changes", headers=headers) as response:
            known = ""
            await service.http.put("/api/products/cup", json={"price": price}, headers=SELLER)
            async for line in response.aiter_lines():
                if line.startswith("id: "):
                    known = line[4:]
                if line.startswith("data: "):
                    return known, msgspec.json.decode(line[6:])["event"]["price"]
        raise AssertionError("the stream has ended")

    last, price = await follow({}, 7)
    assert price == 7
    await service.http.put("/api/products/cup", json={"price": 8}, headers=SELLER)  # while it is away
    last, price = await follow({"Last-Event-ID": last}, 9)
    assert price == 8
    assert (await follow({"Last-Event-ID": last}, 10))[1] == 9
    unknown = await service.http.get("/api/changes", params={"after": last.replace("-0-", "-0-9")})
    assert (unknown.status_code, unknown.json()["code"]) == (410, "gone")


async def test_one_operation_in_the_document(service: RunningService) -> None:
    document = (await service.http.get("/schema/openapi.json")).json()
    paths = ["/api/changes", "/api/products/{id}", "/api/products/{id}/prices", "/api/shops/{shop}/products"]
    assert sorted(document["paths"]) == paths
    found = document["paths"]["/api/shops/{shop}/products"]["get"]
    assert [(one["name"], one["in"]) for one in found["parameters"]] == [
        ("shop", "path"),
        ("words", "query"),
        ("limit", "query"),
    ]
    change = document["paths"]["/api/products/{id}"]["put"]
    assert {"200", "400", "401", "403"} <= set(change["responses"])
    events = document["paths"]["/api/products/{id}/prices"]["get"]["responses"]["200"]["content"]
    assert events == {"text/event-stream": {"schema": {"type": "integer"}}}
    schema = document["components"]["schemas"]["SetPriceBody"]
    assert list(schema["properties"]) == ["price"]

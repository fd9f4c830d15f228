"""The errors that a route names with ``raises=`` are documented as they are sent."""

from __future__ import annotations

from typing import Any

import pytest
from litestar.exceptions import NotAuthorizedException
from tests.http.web import build, serving

from daebus.asgi.settings import DaebusHttp
from daebus.declare.recorder import Recorder
from daebus.errors import Conflict, NotFound, WiringError


class CouponIsVoid(Conflict):
    """The coupon is void."""

    code = "coupon_is_void"


class OrderIsOld(Conflict):
    code = "order_is_old"


async def test_errors_of_ours_and_of_litestar_are_documented_by_their_status() -> None:
    users = Recorder("users")

    @users.route("/x", raises=[NotFound, CouponIsVoid, OrderIsOld, NotAuthorizedException])
    async def show(page: int = 1) -> None:
        raise CouponIsVoid

    async with serving(users, schema=True) as client:
        schema: Any = (await client.get("/schema/openapi.json")).json()
        assert (await client.get("/x")).json()["code"] == "coupon_is_void"
    responses = schema["paths"]["/x"]["get"]["responses"]
    assert set(responses) == {"204", "400", "401", "404", "409", "5XX"}
    assert responses["404"]["description"] == "There is no such thing. (`not_found`)"
    assert "(`coupon_is_void`); " in responses["409"]["description"]
    for status in ("400", "401", "404", "409", "5XX"):
        content = responses[status]["content"]["application/problem+json"]
        assert content["schema"]["$ref"].endswith("/InvalidInput" if status == "400" else "/Problem")


@pytest.mark.parametrize("kind", [ValueError, "NotFound"])
def test_what_is_no_error_for_clients_is_refused(kind: Any) -> None:
    users = Recorder("users")

    @users.route("/x", raises=[kind])
    async def show() -> None: ...

    with pytest.raises(WiringError, match="which is never sent to a client"):
        build(users, DaebusHttp())

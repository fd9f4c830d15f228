"""What docs/guide.md promises of interceptors."""

from tests.guide.around import app, failures, timing

from daebus.testing import running


async def test_a_tenant_is_a_service_and_each_message_is_timed() -> None:
    async with running(app) as service:
        answer = await service.http.get("/orders", headers={"X-Tenant": "blue"})
        assert answer.text == "orders of blue"
        refused = await service.http.get("/orders")
        assert (refused.status_code, refused.json()["detail"]) == (400, "Send the header X-Tenant")
        assert (await service.http.get("/health")).text == "well"
    assert {title: len(seconds) for title, seconds in timing.seconds.items()} == {
        "route GET /orders": 2,
        "route GET /health": 1,
    }
    assert failures.numbers == {"route GET /orders": 1}

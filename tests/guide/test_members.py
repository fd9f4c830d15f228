"""What docs/guide.md promises of a service that knows its users."""

import pytest
from tests.guide.members import RENAME, Member, app, make_app

from daebus.errors import Unauthorized
from daebus.testing import running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")
BOB = {"Authorization": "Bearer t-bob"}


async def test_strangers_may_look_but_not_rename() -> None:
    async with running(app) as service:
        assert (await service.http.get("/members/Ada")).json() == {"id": "", "name": "Ada"}
        assert (await service.http.get("/members/Ada", headers=BOB)).json() == {"id": "1", "name": "Ada"}
        with pytest.raises(Unauthorized, match="known users only"):
            await service.call(RENAME, "Bert")
        assert await service.call(RENAME, "Bert", headers=BOB) == Member("2", "Bert")
        async with service.socket(headers=BOB) as socket:
            assert (await socket.ask("rename", "Bob")).type == "response"
            assert (await socket.ask("claim", "Bobby")).type == "response"
            assert (await socket.ask("claim", "root")).type == "error"


async def test_with_keys_it_runs_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNING_KEY", "a key that only services have, in fact")
    made = make_app()

    @made.action("whoami")
    async def whoami(*, user: Member) -> str:
        return user.name

    async with running(made) as service:
        assert await service.call(whoami, headers=BOB) == "Bob"

"""`daebus.testing.running` is cheap enough to be used in each of a thousand tests."""

from __future__ import annotations

import ssl

import pytest

from daebus import Action, Daebus
from daebus.testing import running

HELLO = Action[None, str]("hello", service="cheap")


async def test_certificates_are_read_once_for_all_services(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[ssl.SSLContext] = []
    create = ssl.create_default_context

    def counted(*, cafile: str | None = None, capath: str | None = None) -> ssl.SSLContext:
        read.append(create(cafile=cafile, capath=capath))
        return read[-1]

    monkeypatch.setattr("ssl.create_default_context", counted)
    for _ in range(3):
        app = Daebus("cheap")
        app.action(HELLO)(hello)
        async with running(app) as service:
            assert await service.call(HELLO) == "hello"
    assert len(read) <= 1


async def hello() -> str:
    return "hello"

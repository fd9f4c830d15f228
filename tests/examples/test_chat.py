"""The chat as its developers test it: in the test's own process."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from chat.app import app
from chat.contracts import History, NewPost, Post, Upload
from websockets.exceptions import InvalidStatus

from daebus.testing import RunningService, Socket, running

_numbers = itertools.count(1)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncGenerator[RunningService]:
    config = app.container.config
    config.prefix.from_value(f"chat{next(_numbers)}")
    config.folder.from_value(tmp_path)
    async with running(app) as service:
        yield service


async def cookie_of(service: RunningService, name: str, password: str = "secret word") -> dict[str, str]:
    answer = await service.http.post("/api/login", json={"name": name, "password": password})
    assert answer.status_code == 200, answer.text
    service.http.cookies.clear()
    return {"cookie": answer.headers["set-cookie"].partition(";")[0]}


@asynccontextmanager
async def page_of(service: RunningService, name: str) -> AsyncGenerator[Socket]:
    """A socket of a user who is in the lobby."""
    async with service.socket(headers=await cookie_of(service, name)) as socket:
        assert (await socket.receive()).type == "response"
        assert (await socket.ask("join", {"room": "chat:lobby"})).type == "response"
        yield socket


def new(text: str, key: str) -> NewPost:
    return NewPost("lobby", text, key)


async def test_a_name_belongs_to_who_took_it_first(service: RunningService) -> None:
    cookie = await cookie_of(service, "Ada")
    assert (await service.http.get("/api/me", headers=cookie)).json() == {"id": "ada", "name": "Ada"}
    await cookie_of(service, "ADA")
    other = await service.http.post("/api/login", json={"name": "ada", "password": "another word"})
    assert (other.status_code, other.json()["detail"]) == (401, "This name is taken, and the password is another one")
    assert (await service.http.post("/api/logout", headers=cookie)).status_code == 200
    assert (await service.http.get("/api/me", headers=cookie)).status_code == 401


async def test_the_documents_say_that_the_users_are_known_by_a_cookie(service: RunningService) -> None:
    document = (await service.http.get("/schema/openapi.json")).json()
    by_cookie = {"type": "apiKey", "in": "cookie", "name": "chat_session"}
    assert document["components"]["securitySchemes"] == {"chat_session_cookie": by_cookie}
    assert document["paths"]["/api/me"]["get"]["security"] == [{"chat_session_cookie": []}]
    assert "security" not in document["paths"]["/api/login"]["post"]
    refused = await service.http.get("/api/me")
    assert (refused.status_code, refused.headers.get("www-authenticate")) == (401, None)

    messages = (await service.http.get("/asyncapi/asyncapi.json")).json()
    assert messages["components"]["securitySchemes"]["chat_session_cookie"] == {**by_cookie, "type": "httpApiKey"}
    of_cookie = [{"$ref": "#/components/securitySchemes/chat_session_cookie"}]
    assert messages["operations"]["socket_types"]["security"] == of_cookie
    # A cookie is not on the bus: there, another service forwards its user.
    assert messages["operations"]["action_post"]["security"] == [{"$ref": "#/components/securitySchemes/user"}]


async def test_guesses_of_a_password_are_limited(service: RunningService) -> None:
    await cookie_of(service, "Ada")
    guesses = [await service.http.post("/api/login", json={"name": "ada", "password": "x" * 9}) for _ in range(11)]
    assert [guess.status_code for guess in guesses] == [401] * 10 + [429]


async def test_strangers_get_the_page_and_nothing_else(service: RunningService) -> None:
    page = await service.http.get("/")
    assert page.status_code == 200
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    for path in ("/api/rooms", "/api/rooms/lobby/posts", "/api/files/x/y.png"):
        assert (await service.http.get(path)).status_code == 401, path
    with pytest.raises(InvalidStatus):
        async with service.socket():
            pass


async def test_a_post_reaches_the_room_and_its_history_once(service: RunningService) -> None:
    async with page_of(service, "Ada") as ada, page_of(service, "Bob") as bob:
        assert [(await ada.receive()).type] == ["presence"]
        await bob.ask("types", "lobby")
        assert (await ada.receive()).type == "types"
        # Twice, as a page does that got no answer.
        answers = [(await ada.ask("post", new("Hello", "12345678"))).data for _ in range(2)]
        await ada.ask("post", new("Again", "23456789"))
        got = [await bob.receive() for _ in range(2)]
        posts = [msgspec.json.decode(each.data, type=Post) for each in got]
        assert [(post.text, post.user.name) for post in posts] == [("Hello", "Ada"), ("Again", "Ada")]
        assert [msgspec.json.decode(answer, type=Post) for answer in answers] == [posts[0]] * 2
        assert (await ada.ask("post", NewPost("cellar", "Hello", "34567890"))).type == "error"
        assert (await ada.ask("join", {"room": "chat:cellar"})).type == "error"
    cookie = await cookie_of(service, "Ada")
    read = await service.http.get("/api/rooms/lobby/posts", params={"count": 1}, headers=cookie)
    newest = msgspec.json.decode(read.content, type=History)
    assert (newest.posts, newest.more) == ([posts[1]], True)
    read = await service.http.get("/api/rooms/lobby/posts", params={"before": posts[1].id}, headers=cookie)
    assert msgspec.json.decode(read.content, type=History) == History([posts[0]], more=False)


async def test_only_members_of_a_room_post_and_type_in_it(service: RunningService) -> None:
    async with page_of(service, "Ada") as ada, page_of(service, "Bob") as bob:
        assert (await ada.receive()).type == "presence"
        assert (await bob.ask("leave", {"room": "chat:lobby"})).type == "response"
        assert (await ada.receive()).type == "presence"
        for refused in (await bob.ask("types", "lobby"), await bob.ask("post", new("Hello", "12345678"))):
            assert refused.type == "error"
            assert msgspec.json.decode(refused.data)["code"] == "not_in_room"
        await bob.ask("join", {"room": "chat:lobby"})
        assert (await bob.ask("post", new("Hello", "12345678"))).type == "response"
        assert [(await ada.receive()).type for _ in range(2)] == ["presence", "posted"]


async def test_a_new_room_is_told_to_all(service: RunningService) -> None:
    cookie = await cookie_of(service, "Bob")
    async with page_of(service, "Ada") as ada:
        opened = await service.http.post("/api/rooms", json={"title": "Big Garden"}, headers=cookie)
        assert (opened.status_code, opened.json()["id"]) == (201, "big-garden")
        assert (await ada.receive()).type == "room_opened"
    again = await service.http.post("/api/rooms", json={"title": "big garden"}, headers=cookie)
    assert again.status_code == 409
    assert "Big Garden" in [room["title"] for room in (await service.http.get("/api/rooms", headers=cookie)).json()]


async def test_a_file_is_stored_as_it_is_and_cannot_run(service: RunningService, tmp_path: Path) -> None:
    cookie = await cookie_of(service, "Ada")
    body = b"<script>alert(1)</script>" * 100_000
    for name, kind, shown in (("a.html", "application/octet-stream", "attachment"), ("a.PNG", "image/png", "inline")):
        sent = await service.http.post("/api/rooms/lobby/files", params={"name": name}, content=body, headers=cookie)
        upload = msgspec.json.decode(sent.content, type=Upload)
        assert (sent.status_code, upload.size, upload.type) == (201, len(body), kind)
        got = await service.http.get(f"/api/files/{upload.id}/{name}", headers=cookie)
        assert got.content == body
        assert got.headers["content-type"].startswith(kind)
        assert got.headers["content-disposition"].startswith(shown)
        assert got.headers["x-content-type-options"] == "nosniff"
    assert (await service.http.get("/api/files/..%2F..%2Fetc/passwd", headers=cookie)).status_code == 404
    too_large = await service.http.post(
        "/api/rooms/lobby/files", params={"name": "a"}, content=b"x" * 50_000_001, headers=cookie
    )
    assert too_large.status_code == 413
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]

"""The service of docs/guide.md, "Identity"."""

import os

import msgspec
from dependency_injector import providers

from daebus import (
    Action,
    Credentials,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Identity,
    ServiceContainer,
    Settings,
    SigningKeys,
)
from daebus.errors import NotFound


class Member(msgspec.Struct):
    id: str
    name: str


class Tokens:
    def __init__(self) -> None:
        self.members = {"t-ada": Member("1", "Ada"), "t-bob": Member("2", "Bob")}

    async def find(self, token: str) -> Member | None:
        return self.members.get(token)


async def find_member(credentials: Credentials, tokens: Tokens) -> Member | None:
    if credentials.scheme != "bearer":
        return None
    return await tokens.find(credentials.token)


class Container(ServiceContainer):
    tokens = providers.Singleton(Tokens)
    user = Identity(find_member, tokens=tokens)


RENAME = Action[str, Member]("rename", service="members")

app = Daebus("members", container=Container())
app.attach(DaebusHttp(port=0))
app.attach(DaebusWebSocket())


@app.action(RENAME)
async def rename(name: str, *, user: Member) -> Member:  # a stranger is refused
    user.name = name
    return user


@app.route("/members/<name>")
async def show(name: str, *, user: Member | None, tokens: Tokens) -> Member:  # a stranger may look
    for member in tokens.members.values():
        if member.name == name:
            return member if user is not None else Member("", member.name)
    raise NotFound(f"There is no {name}")


@app.socket("rename")
async def rename_by_socket(data: str, *, user: Member) -> Member:
    return await rename(data, user=user)


def is_free(user: Member, data: str) -> bool:
    return user.name == data or data not in TAKEN


TAKEN = {"root"}


@app.socket("claim", requires=is_free)
async def claim(data: str, *, user: Member) -> Member:
    return await rename(data, user=user)


def make_app() -> Daebus[Container]:
    settings = Settings(signing_keys=SigningKeys(os.environ["SIGNING_KEY"]))
    return Daebus("members", container=Container(), settings=settings)

"""A workspace of two services that share contracts."""

from __future__ import annotations

from pathlib import Path

CONTRACTS = """\
import msgspec
from daebus import Action, Channel, Message

class Query(msgspec.Struct):
    id: str

class Created(msgspec.Struct, tag="created"):
    id: str

class Deleted(msgspec.Struct, tag="deleted"):
    id: str
    why: str

FIND = Action[Query, str]("find", service="shop")
UNSERVED = Action[Query, None]("unserved", service="shop")
EVENTS = Channel[Created | Deleted]("events")
ONLINE = Message[str]("online")
"""
STORE = """\
class Db:
    \"\"\"The database.\"\"\"

class Repo:
    \"\"\"Where things are kept.\"\"\"

    def __init__(self, db: Db) -> None:
        self.db = db
"""
SHOP = """\
from collections.abc import AsyncIterator
from dependency_injector import providers
from daebus import Blueprint, Bus, Daebus, DaebusHttp, PerMessage, ServiceContainer
import contracts
from contracts import FIND, Query
from store import Db, Repo

async def open_session(db: Db) -> AsyncIterator[str]:
    \"\"\"A session.\"\"\"
    yield ""

class Container(ServiceContainer):
    db = providers.Singleton(Db)
    repo = providers.Singleton(Repo, db=db)
    session = PerMessage(open_session, db=db)

users = Blueprint("users", services=Container)

@users.action(FIND)
async def find(query: Query, *, repo: Repo, bus: Bus) -> str:
    await bus.publish(contracts.EVENTS, contracts.Created(query.id))
    repo.db
    return query.id

@users.action("named")
async def named(number: int) -> None: ...

@users.route("/things/<thing_id>")
async def thing(thing_id: str, *, repo: Repo) -> str: ...

app = Daebus("shop", container=Container())
app.attach(DaebusHttp())
app.register_blueprint(users)
"""
MAIL = """\
from daebus import Bus, Clients, Daebus
from contracts import EVENTS, FIND, ONLINE, Created, Deleted, Query

app = Daebus("mail")

@app.listen(EVENTS)
async def on_event(event: Created | Deleted, *, bus: Bus, clients: Clients) -> None:
    await bus.call(FIND, Query(event.id))
    await bus.call(
        FIND,
        Query(event.id),
    )
    await clients.broadcast(ONLINE, event.id)
"""

FILES = {"contracts.py": CONTRACTS, "store.py": STORE, "shop.py": SHOP, "mail.py": MAIL}


def make_workspace(folder: Path) -> None:
    for name, text in FILES.items():
        (folder / name).write_text(text)

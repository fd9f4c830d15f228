"""The page's second blueprint, of which it gives only the name: what it promises and `users` does not show."""

from collections.abc import AsyncIterator
from datetime import timedelta

from daebus import Blueprint
from daebus.errors import NotFound

from .container import Container
from .contracts import (
    DELETE_USER,
    IMPORT_USERS,
    ORDERS,
    CreateUser,
    DeleteUser,
    ImportJob,
    ImportStep,
    OrderPlaced,
)
from .helpers import Outbox, Session, Tokens, UserRepo

auth = Blueprint("auth", services=Container)


@auth.action(IMPORT_USERS)
async def import_users(job: ImportJob, *, repo: UserRepo) -> AsyncIterator[ImportStep]:
    for done in (1, 2):
        yield ImportStep(done, await repo.add(CreateUser(f"{done}@{job.path}")))


@auth.action(DELETE_USER)
async def delete_user(data: DeleteUser, *, repo: UserRepo, session: Session, outbox: Outbox) -> None:
    if await repo.find(data.id) is None:
        raise NotFound(f"User {data.id} not found")
    await repo.remove(data.id)
    session.note(f"deleted {data.id}")
    await outbox.tell_deleted(data.id)


@auth.action("log_in")
async def log_in(user_id: str, *, tokens: Tokens, token: str) -> str:
    tokens.issue(token, user_id)
    return token


@auth.listen(ORDERS)
async def on_order(event: OrderPlaced, *, repo: UserRepo) -> None:
    repo.journal.note(f"heard order {event.order_id}")


@auth.background("tick", every=timedelta(milliseconds=50))
async def tick(*, repo: UserRepo) -> None:
    repo.journal.note("ticked")


@auth.background("nightly", cron="0 3 * * *")
async def nightly(*, repo: UserRepo) -> None:
    repo.journal.note("nightly")

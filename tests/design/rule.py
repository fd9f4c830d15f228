"""The first chapter: the one rule to remember, in both of its forms, and what it takes to run the smallest service."""

from daebus import Blueprint, Daebus, Logger, use
from daebus.errors import NotFound

from .container import Container
from .contracts import GetUser, User
from .helpers import UserRepo

users = Blueprint("users", services=Container)


@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo, logger: Logger) -> User:
    user = await repo.find(query.id)
    if user is None:
        logger.info("no such user", user_id=query.id)
        raise NotFound(f"User {query.id} not found")
    return user


@users.action("get_user_explicitly")
async def get_user_explicitly(query: GetUser, *, store: UserRepo = use(Container.repo)) -> User:
    user = await store.find(query.id)
    if user is None:
        raise NotFound(f"User {query.id} not found")
    return user


app = Daebus("rule", container=Container())
app.register_blueprint(users)

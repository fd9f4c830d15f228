"""`container=` of a blueprint, which takes `services=`."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

# wrong
# ! mypy call-arg: Unexpected keyword argument "container" for "Blueprint"
# ! pyrefly unexpected-keyword
# ! pyright reportCallIssue: No parameter named "container"
# ! registration TypeError: Blueprint.__init__() got an unexpected keyword argument 'container'
# ! ty unknown-argument
# ! zuban call-arg
users = Blueprint("users", container=Container)
# right
users = Blueprint("users", services=Container)
# both


@users.action("get_user")
# ! mypy daebus-wiring: get_user(repo: UserRepo): ServiceContainer has no provider "repo"; it has blocking_bus, blocking_clients, blocking_rooms, bus, clients, logger, redis, redis_cluster, rooms, threads -> name your container: Blueprint(..., services=Container)
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


app = Daebus("users", container=Container())
app.register_blueprint(users)

"""An override in a test with an object that has none of the methods of the real one."""

from dependency_injector import providers

from accounts import Container, Database, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


@users.action("find")
async def find(user_id: str, *, repo: UserRepo) -> str:
    return f"{repo}{user_id}"


app = Daebus("users", container=Container())
app.register_blueprint(users)
# wrong
app.container.repo.override(providers.Object(3))
# right
app.container.repo.override(providers.Object(UserRepo(Database())))
# ! start-up wrong-override: Container.repo.override(...): it gives an object of UserRepo, but is overridden by int, which has none of its methods; pass a UserRepo, a mock of it (Mock(spec=UserRepo)), or a class with its methods

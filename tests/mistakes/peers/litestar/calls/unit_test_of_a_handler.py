"""A unit test that calls a handler with arguments of other types."""

from litestar import Litestar, get

from accounts import DEPENDENCIES, Database, User, UserRepo


@get("/users/{user_id:str}")
async def get_user(user_id: str, repo: UserRepo) -> User:
    return await repo.find(user_id)


# wrong
async def first_message() -> None:
    assert await get_user.fn("u1", repo=Database())


# right
async def first_message() -> None:
    assert await get_user.fn("u1", repo=UserRepo(Database()))


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)

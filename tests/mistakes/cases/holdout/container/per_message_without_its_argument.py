"""A `PerMessage` without the argument of its generator."""

from accounts import Container, Session, open_session
from daebus import Blueprint, Daebus, PerMessage


class Own(Container):
    # wrong
    # ! mypy call-arg: Missing positional argument "db" in call to "open_session"
    # ! start-up wrong-argument: Own.work: open_session needs 'db', which is not given; add db=db
    work = PerMessage(open_session)
    # right
    work = PerMessage(open_session, db=Container.db)


users = Blueprint("users", services=Own)


@users.action("ping")
async def ping(*, work: Session) -> str:
    return str(work)


app = Daebus("users", container=Own())
app.register_blueprint(users)

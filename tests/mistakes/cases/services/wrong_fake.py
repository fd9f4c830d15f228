"""An override in a test, of a provider that does not exist."""

from accounts import Container, Database, UserRepo
from daebus import Daebus

app = Daebus("users", container=Container())


def test_with_a_fake() -> None:
    # wrong
    # ! mypy attr-defined: "Container" has no attribute "rebo"
    # ! pyrefly missing-attribute
    # ! pyright reportAttributeAccessIssue: Cannot access attribute "rebo" for class "Container"
    # ! pyright reportUnknownMemberType: Type of "override" is unknown
    # ! pyright reportUnknownMemberType: Type of "rebo" is unknown
    # ! ty missing-attribute
    # ! zuban attr-defined
    with app.container.rebo.override(UserRepo(Database())):
        pass
    # right
    with app.container.repo.override(UserRepo(Database())):
        pass

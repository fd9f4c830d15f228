"""A decorator that does not exist."""

from accounts import USER_EVENTS, Created, Deleted
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! mypy attr-defined: "Blueprint[ServiceContainer]" has no attribute "event"
# ! mypy untyped-decorator: Untyped decorator makes function "on_event" untyped
# ! pyrefly missing-attribute
# ! pyright reportAttributeAccessIssue: Cannot access attribute "event" for class "Blueprint[ServiceContainer]"
# ! pyright reportUnknownMemberType: Type of "event" is unknown
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration AttributeError: 'Blueprint' object has no attribute 'event'
# ! ty dynamic-function-decorator-return
# ! ty missing-attribute
# ! zuban attr-defined
# ! zuban untyped-decorator
@users.event(USER_EVENTS)
# right
@users.listen(USER_EVENTS)
# both
async def on_event(event: Created | Deleted) -> None:
    print(event.id)


app = Daebus("users")
app.register_blueprint(users)

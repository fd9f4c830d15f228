"""A value of `scope=` that does not exist."""

from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! mypy call-overload: No overload variant of "background" of "Recorder" matches argument types "str", "int", "str"
# ! mypy untyped-decorator: Untyped decorator makes function "cleanup" untyped
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "Literal['everywhere']" cannot be assigned to parameter "scope" of type "Literal['service', 'replica']" in function "background"
# ! pyright reportCallIssue: No overloads for "background" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration wrong-option: @background('cleanup'): scope='everywhere' is not an allowed value; give one of 'service', 'replica'
# ! ty dynamic-function-decorator-return
# ! ty no-matching-overload
# ! zuban call-overload
# ! zuban untyped-decorator
@users.background("cleanup", 60, scope="everywhere")
# right
@users.background("cleanup", 60, scope="replica")
# both
async def cleanup() -> None:
    print("cleaning up")


app = Daebus("users")
app.register_blueprint(users)

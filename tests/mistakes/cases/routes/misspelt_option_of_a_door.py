"""A misspelt option of an action with a door."""

from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy call-arg: Unexpected keyword argument "status_codes" for "action" of "Recorder"; did you mean "status_code"?
# ! pyrefly no-matching-overload
# ! pyright reportCallIssue: No overloads for "action" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration wrong-option: @action('count'): there is no option 'status_codes'; did you mean status_code?
# ! zuban call-overload
# ! zuban untyped-decorator
@users.action("count", http="POST /counts", status_codes=201)
# right
@users.action("count", http="POST /counts", status_code=201)
# both
async def count(words: dict[str, int]) -> int:
    return sum(words.values())


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)

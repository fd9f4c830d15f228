"""The name of the app class in another framework."""

# wrong
# ! mypy attr-defined: Module "daebus" has no attribute "App"
# ! pyright reportAttributeAccessIssue: "App" is unknown import symbol
# ! pyright reportUnknownVariableType: Type of "App" is unknown
# ! registration ImportError: cannot import name 'App' from 'daebus'; did you mean `from daebus import Daebus`?
from daebus import App

# right
from daebus import Daebus as App
# both

# ! pyright reportUnknownVariableType: Type of "app" is unknown
app = App("users")


# ! mypy untyped-decorator: Untyped decorator makes function "find" untyped
# ! pyright reportUnknownMemberType: Type of "action" is unknown
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
@app.action("find")
async def find(user_id: str) -> str:
    return user_id

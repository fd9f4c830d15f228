"""The name of the app class in another framework."""

# wrong
# ! mypy attr-defined: Module "daebus" has no attribute "App"
# ! pyrefly missing-module-attribute
# ! pyright reportAttributeAccessIssue: "App" is unknown import symbol
# ! pyright reportUnknownVariableType: Type of "App" is unknown
# ! registration ImportError: cannot import name 'App' from 'daebus'; did you mean `from daebus import Daebus`?
# ! ty missing-module-member
# ! zuban attr-defined
from daebus import App

# right
from daebus import Daebus as App
# both

# ! pyright strict reportUnknownVariableType: Type of "app" is unknown
app = App("users")


# ! mypy strict untyped-decorator: Untyped decorator makes function "find" untyped
# ! pyright strict reportUnknownMemberType: Type of "action" is unknown
# ! pyright strict reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! ty strict dynamic-function-decorator-return
# ! zuban strict untyped-decorator
@app.action("find")
async def find(user_id: str) -> str:
    return user_id

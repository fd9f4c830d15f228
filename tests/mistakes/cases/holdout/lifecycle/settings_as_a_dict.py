"""The settings of the app as a dict."""

from daebus import Daebus, Settings

# wrong
# ! mypy arg-type: Argument "settings" to "Daebus" has incompatible type "dict[str, int]"; expected "Settings | None"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "dict[str, int]" cannot be assigned to parameter "settings" of type "Settings | None" in function "__init__"
# ! registration wrong-option: Daebus('users'): settings={'max_workers': 8}, which must be Settings; write settings=Settings(...)
# ! ty invalid-argument-type
# ! zuban arg-type
app = Daebus("users", settings={"max_workers": 8})
# right
app = Daebus("users", settings=Settings(max_workers=8))


# both
@app.action("ping")
async def ping() -> None: ...

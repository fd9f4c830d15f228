"""`app.run()` in `asyncio.run`."""

import asyncio

from daebus import Daebus

app = Daebus("users")


@app.action("ping")
async def ping() -> None: ...


if __name__ == "__main__":
    # wrong
    # ! mypy arg-type: Argument 1 to "run" has incompatible type "None"; expected "Coroutine[Any, Any, Never]"
    # ! mypy func-returns-value: "run" of "Daebus" does not return a value (it only ever returns None)
    # ! pyrefly bad-argument-type
    # ! pyright reportArgumentType: Argument of type "None" cannot be assigned to parameter "main" of type "Coroutine[Any, Any, _T@run]" in function "run"
    # ! ty invalid-argument-type
    # ! zuban arg-type
    # ! zuban func-returns-value
    asyncio.run(app.run())
    # right
    app.run()

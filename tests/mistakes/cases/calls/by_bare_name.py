"""A call with the name of an action instead of its contract, so that no types are known."""

from typing import Any

from daebus import Action, Bus


async def show(bus: Bus) -> None:
    # wrong
    # ! mypy arg-type: "get_user": this takes an Action, which has the types -> make one: Action[Payload, Reply]("the_name"), or pass the decorated handler
    # ! pyrefly no-matching-overload
    # ! pyright reportArgumentType: Argument of type "Literal['get_user']" cannot be assigned to parameter "action" of type "Action[In@call, Out@call]" in function "call"
    # ! pyright reportCallIssue: No overloads for "call" match the provided arguments
    # ! pyright reportUnknownVariableType: Type of "user" is unknown
    # ! ty no-matching-overload
    # ! zuban call-overload
    user = await bus.call("get_user", {"id": "u1"})
    # right
    user = await bus.call(Action[dict[str, Any], Any]("get_user"), {"id": "u1"})
    # both
    # ! pyright strict reportUnknownArgumentType: Argument type is unknown
    print(user)

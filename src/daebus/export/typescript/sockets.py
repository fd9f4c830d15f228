"""The class of the WebSocket of an app: a method for each message that it answers, and for each room."""

from __future__ import annotations

from types import NoneType

from daebus.export.contracts import AppContracts, Handled
from daebus.payloads.naming import unique

from .http import paragraphs
from .types import Types
from .words import camel, comment, literal, pascal, property_name

__all__ = ["socket_class"]

_OWN = (
    *(
        "constructor",
        "state",
        "welcome",
        "ready",
        "request",
        "stream",
        "on",
        "messages",
        "onState",
        "onError",
        "authenticate",
    ),
    *("close", "room"),
)
"""The names of the base class."""


def socket_class(contracts: AppContracts, types: Types) -> str:
    """The module's part for the WebSocket: the messages of the service, and the class.

    Args:
        contracts: The contracts of the app.
        types: The types.
    """
    if contracts.path is None:
        return ""
    service = pascal(contracts.service)
    names = unique((_method_name(one.name) for one in contracts.messages), _OWN)
    rooms = unique((f"{camel(room.name.partition('{')[0])}Room" for room, _ in contracts.rooms), (*_OWN, *names))
    methods = [_request(name, one, types) for name, one in zip(names, contracts.messages, strict=True)]
    for name, (room, handled) in zip(rooms, contracts.rooms, strict=True):
        methods.append(_room(name, room.name, room.parameters, handled, f"{service}Messages", types))
    params, welcome = "Record<never, never>", "null"
    if contracts.connect is not None:
        if contracts.connect.takes is not NoneType:
            params = types.of(contracts.connect.takes, sent=True)
        welcome = types.of(contracts.connect.gives, sent=False)
    sent = "".join(f"  {property_name(one.name)}: {types.of(one.types[0], sent=False)};\n" for one in contracts.sends)
    return (
        f"{comment([f'What `{contracts.service}` sends to its clients without a request, by type.'])}"
        f"export interface {service}Messages {{\n{sent}}}\n\n"
        f"{comment([f'The WebSocket of `{contracts.service}`. It is opened at once.'])}"
        f"export class {service}Socket extends Socket<{service}Messages, {params}, {welcome}> {{\n"
        f"  constructor(options: SocketOptions<{params}>) {{\n    super({literal(contracts.path)}, options);\n  }}\n"
        f"{''.join(f'{chr(10)}{one}' for one in methods)}}}\n"
    )


def _method_name(message: str) -> str:
    name = camel(message)
    return f"call{name[:1].upper()}{name[1:]}" if name in _OWN else name


def _request(name: str, handled: Handled, types: Types) -> str:
    given = types.of(handled.gives, sent=False)
    takes = handled.takes is not NoneType
    data = f"data: {types.of(handled.takes, sent=True)}, " if takes else ""
    returns = f"AsyncGenerator<{given}, void, void>" if handled.streams else f"Promise<{given}>"
    how = "stream" if handled.streams else "request"
    call = f"this.{how}({literal(handled.name)}, {'data' if takes else 'null'}, options)"
    return (
        f"{comment([*paragraphs(handled.about), f'Message `{handled.name}`'], '  ')}"
        f"  {name}({data}options?: Waiting): {returns} {{\n"
        f"    return {call} as {returns};\n  }}\n"
    )


def _room(name: str, room: str, parameters: tuple[str, ...], handled: Handled, messages: str, types: Types) -> str:
    values = "; ".join(f"{one}: string | number" for one in parameters)
    written = room
    for one in parameters:
        written = written.replace(f"{{{one}}}", f"${{values.{one}}}")
    kind = f"Room<{messages}, {types.of(handled.gives, sent=False)}>"
    return (
        f"{comment([*paragraphs(handled.about), f'Room `{room}`. Add listeners, then call `join()`.'], '  ')}"
        f"  {name}({f'values: {{ {values} }}' if values else ''}): {kind} {{\n"
        f"    return this.room(`{written}`);\n  }}\n"
    )

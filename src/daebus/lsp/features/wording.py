"""How providers, handlers and contracts are described to the reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lsprotocol import types

from daebus.checking.snapshot import Contract, Handler, Provider

__all__ = ["contract_text", "counted", "handler_text", "listed_doors", "markdown", "provider_text"]


def markdown(text: str) -> types.MarkupContent:
    """Text for the editor."""
    return types.MarkupContent(types.MarkupKind.Markdown, text)


def provider_text(provider: Provider) -> str:
    """A provider: its type, its kind, what it costs, what it needs."""
    gives = "" if provider.gives is None else f": {provider.gives.shown}"
    lines = [f"```python\n{provider.name}{gives}\n```", f"{provider.kind}: {provider.cost}."]
    if provider.built_in:
        lines.append("daebus provides it when the service starts.")
    if provider.on_loop:
        lines.append("It belongs to the event loop: only `async def` handlers can have it.")
    if provider.overridden_by is not None:
        lines.append(f"It is overridden by a {provider.overridden_by}.")
    if provider.needs:
        lines.append(f"It needs {', '.join(f'`{name}`' for name in provider.needs)}.")
    if provider.doc:
        lines.append(provider.doc)
    return "\n\n".join(lines)


def contract_text(contract: Contract, counts: Mapping[str, int], listeners: int) -> str:
    """A contract: its types, its events, and how often it is used."""
    lines = [f"```python\n{contract.shown}\n```"]
    if contract.service is not None:
        lines.append(f"It belongs to the service `{contract.service}`.")
    if len(contract.events) > 1 or any(event.tag for event in contract.events):
        lines.extend(
            f"- `{event.type.shown}({', '.join(event.fields)})`" + (f", tag `{event.tag}`" if event.tag else "")
            for event in contract.events
        )
    if used := counted(counts, listeners):
        lines.append(used)
    return "\n\n".join(lines)


def handler_text(
    handler: Handler, providers: Mapping[str, Provider], used: str = "", doors: Sequence[Handler] = ()
) -> str:
    """A handler with its whole wiring.

    Args:
        handler: The handler.
        providers: The providers of its app, by name.
        used: How often its contract is used.
        doors: Its doors, if it is an action.
    """
    returns = f" -> {'stream of ' if handler.streams else ''}{handler.returns}" if handler.returns else ""
    lines = [f"**{handler.title}** of blueprint `{handler.blueprint}`", f"`({', '.join(handler.takes)}){returns}`"]
    if handler.services:
        lines.append("\n".join(_service_line(one.name, providers.get(one.provider or "")) for one in handler.services))
    if handler.listener is not None:
        lines.append(f"Its position in the channel is kept under the name `{handler.listener}`.")
    if handler.timeout is not None:
        lines.append(f"One run may take {handler.timeout:g} s.")
    if handler.interceptors:
        lines.append(f"Interceptors, the outermost first: {', '.join(f'`{name}`' for name in handler.interceptors)}.")
    if doors:
        lines.append(f"Open as {listed_doors(doors)}.")
    if used:
        lines.append(used)
    return "\n\n".join(lines)


def listed_doors(doors: Sequence[Handler]) -> str:
    """The doors of an action, such as ``GET /users/<id>, socket get_user``."""
    return ", ".join(door.title.removeprefix("route ") for door in doors)


def _service_line(name: str, provider: Provider | None) -> str:
    if provider is None:
        return f"- `{name}`"
    gives = "" if provider.gives is None else f": {provider.gives.shown}"
    needs = f"; needs {', '.join(provider.needs)}" if provider.needs else ""
    return f"- `{name}{gives}`: {provider.kind}, {provider.cost}{needs}"


_NAMES = {"call": "caller", "stream": "caller", "send": "sender", "publish": "publisher", "broadcast": "broadcaster"}


def counted(counts: Mapping[str, int], listeners: int) -> str:
    """How often a contract is used, such as ``3 callers · 2 listeners``."""
    named: dict[str, int] = {}
    for role, count in counts.items():
        if role in _NAMES:
            named[_NAMES[role]] = named.get(_NAMES[role], 0) + count
    if listeners:
        named["listener"] = listeners
    return " · ".join(f"{count} {name}{'s' * (count != 1)}" for name, count in named.items())

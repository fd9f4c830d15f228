"""The wiring of an app as a tree, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from daebus.checking.description import Handler, Provider, Service, Wiring

__all__ = ["overview"]

_Tree = Sequence[tuple[str, Sequence[str]]]


def overview(wiring: Wiring, *, boxes: bool) -> str:
    """Each handler with its input, its result and its services; then the providers and their dependencies.

    Args:
        wiring: The wiring of an app.
        boxes: Whether lines are drawn between them, as on a terminal.
    """
    known = {provider.name: provider for provider in wiring.providers}
    count = "1 handler" if len(wiring.handlers) == 1 else f"{len(wiring.handlers)} handlers"
    width = max((len(handler.title) for handler in wiring.handlers), default=0)
    handlers = [
        (
            f"{handler.title:<{width}}  {_message(handler)}",
            [*_around(handler), *(_service(service, known) for service in handler.services)],
        )
        for handler in wiring.handlers
    ]
    lines = [f"ok: {wiring.service}, {count}", *_branches(handlers, boxes=boxes)]
    own = [(_provider(one), [f"needs {name}" for name in one.needs]) for one in wiring.providers if not one.built_in]
    if own:
        lines += [wiring.container, *_branches(own, boxes=boxes)]
    if wiring.components:
        lines += [
            "components",
            *_branches([(f"{one.name}  {one.where}", ()) for one in wiring.components], boxes=boxes),
        ]
    if wiring.interceptors:
        lines += ["interceptors of what it sends", *_branches([(one, ()) for one in wiring.interceptors], boxes=boxes)]
    return "\n".join(lines)


def _around(handler: Handler) -> Iterator[str]:
    if handler.timeout is not None:
        yield f"timeout: {handler.timeout:g} s"
    if handler.requires:
        yield f"requires: {', '.join(handler.requires)}"
    if handler.interceptors:
        yield f"interceptors: {', '.join(handler.interceptors)}"


def _message(handler: Handler) -> str:
    taken = f"({', '.join(handler.takes)})" + (f" as {handler.listener}" if handler.listener else "")
    if handler.returns is None:
        return taken
    return f"{taken} -> {'stream of ' if handler.streams else ''}{handler.returns}"


def _service(service: Service, known: dict[str, Provider]) -> str:
    provider = known.get(service.provider or "")
    if provider is None:
        return f"{service.name}: {service.type}" + (f", {service.provider}" if service.provider else "")
    if provider.name == service.name:
        return _provider(provider)
    return f"{service.name}: {service.type}, {_provider(provider)}"


def _provider(provider: Provider) -> str:
    """A provider, such as ``repo: Singleton of UserRepo, overridden by Object``."""
    if provider.built_in and not provider.overridden_by:
        return f"{provider.name}: {provider.gives}"
    given = f"{provider.kind} of {provider.gives}" if provider.gives else provider.kind
    overridden = f", overridden by {provider.overridden_by}" if provider.overridden_by else ""
    return f"{provider.name}: {'async ' if provider.on_loop else ''}{given}{overridden}"


def _branches(tree: _Tree, *, boxes: bool) -> Iterator[str]:
    for number, (text, leaves) in enumerate(tree, start=1):
        is_last = number == len(tree)
        trunk = "   " if is_last else "│  "
        yield (_branch(is_last=is_last) if boxes else "  ") + text
        for index, leaf in enumerate(leaves, start=1):
            yield (trunk + _branch(is_last=index == len(leaves)) if boxes else "      ") + leaf


def _branch(*, is_last: bool) -> str:
    return "└─ " if is_last else "├─ "

"""The common base of blueprints and apps: a name, the recorded handlers, and the decorators of WebSockets."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, Never, TypeVar

from daebus.errors import WiringError
from daebus.mistakes.places import call_site, caller_namespace
from daebus.mistakes.problem import WiringProblem
from daebus.payloads.encodable import Encodable

from .contracts import Action, Contract
from .decorated import undecorated
from .decorators import AnswerDecorator, JoinDecorator, MessageDecorator, Record, SilentDecorator
from .deferring import collect, collecting
from .options import (
    Guard,
    Requires,
    read_guards,
    read_several,
    read_tool,
    refuse,
    refuse_reserved,
    require_brackets,
    require_count,
    require_function,
    require_name,
    require_seconds,
)
from .paths import split_door, wrong_door
from .rooms import Room
from .specs import ActionSpec, JoinSpec, SocketSpec, Spec, events_to, route_to, socket_to

__all__ = ["Recording", "SocketRecorder"]

Presence = TypeVar("Presence", bound=Encodable)

AnyHandler = Callable[..., object]


class Recording:
    """Collects the recorded handlers until it is closed.

    Args:
        name: The name of the blueprint or app.
        prefix: Put before the path of each route.
        namespace: Put before the string names of actions and socket types, with a dot.
        requires: The guards of all its messages.
    """

    def __init__(self, name: str, *, prefix: str = "", namespace: str = "", requires: Requires = ()) -> None:
        self.name = name
        """The name of the blueprint, or of the app."""
        collect(lambda: _check(type(self).__name__, name, prefix, namespace), None)
        self._prefix = prefix.rstrip("/")
        self._namespace = f"{namespace}." if namespace else ""
        self._requires = read_guards(f"{type(self).__name__}({name!r})", requires)
        self._specs: list[Spec] = []
        self._closed: str | None = None

    def _close(self, reason: str) -> None:
        """Refuse handlers from now on, for a reason such as "it was registered in app.py:12"."""
        self._closed = self._closed or reason

    def _take_over(self, other: Recording, reason: str) -> Sequence[Spec]:
        """Close another recorder; returns its handlers, in the order in which they were recorded."""
        other._close(reason)
        return tuple(other._specs)

    def _guards(self, subject: str, own: Requires) -> tuple[Guard, ...]:
        return (*self._requires, *read_guards(subject, own))

    def _action_options(
        self, subject: str, name: str, concurrency: int | None, options: dict[str, Any]
    ) -> dict[str, Any]:
        """The fields of an `ActionSpec` that its options give, which are removed from them. Raises `WiringError`."""
        if concurrency is not None:
            require_count(subject, "concurrency", concurrency)
        guards = self._guards(subject, options.pop("requires", ()))
        is_tool = read_tool(subject, name, options.pop("tool", False))
        return {"concurrency": concurrency, "requires": guards, "is_tool": is_tool}

    def _doors(self, subject: str, options: dict[str, Any]) -> list[Callable[[ActionSpec], Spec]]:
        """What makes the doors to an action, which are removed from its options. Raises `WiringError`."""
        doors: list[Callable[[ActionSpec], Spec]] = []
        _require_door(subject, options)
        about = {option: read_several(subject, option, options.pop(option)) for option in _ABOUT if option in options}
        to_route = partial(route_to, status_code=options.pop("status_code", None))
        event_id, resume = (_text(subject, option, options.pop(option, None)) for option in _OF_EVENTS)
        for option, to in (("http", to_route), ("sse", partial(events_to, event_id=event_id, resume=resume))):
            if (given := options.pop(option, None)) is not None:
                if (wrong := wrong_door(option, given)) is not None:
                    raise refuse(subject, *wrong, "malformed-path")
                method, path = split_door(given)
                full = self._prefix + path if path.startswith("/") else path
                doors.append(partial(to, method=method, path=full, about=about))
        if (given := options.pop("socket", None)) is not None:
            require_name(f"{subject}: socket=", given, colons=True)
            refuse_reserved(subject, full := self._namespace + given)
            doors.append(partial(socket_to, message_type=full))
        return doors

    def _record(self, spec: Spec) -> None:
        subject = f"{spec.title} of {self.name!r}"
        require_function(subject, spec.function)
        if self._closed is not None:
            found = f"it comes too late: {self._closed}"
            remedy = "define every handler before its blueprint is registered"
            raise WiringError(WiringProblem(spec.place, subject, found, remedy, code="too-late"))
        self._specs.append(spec)

    def _recording(self, make: Callable[..., Spec], title: str, timeout: float | None) -> Record:
        """Record the spec that `make` builds for a handler. `timeout` is in seconds; None: no limit."""
        if timeout is not None:
            require_seconds(title, "timeout", timeout)
        namespace, site = caller_namespace(), call_site()

        def record(handler: AnyHandler) -> None:
            spec = make(
                function=undecorated(handler), blueprint=self.name, namespace=namespace, site=site, timeout=timeout
            )
            self._record(spec)

        return record


# Options that describe the door of an action in documents, and those of server-sent events.
_ABOUT = ("raises", "tags")
_OF_EVENTS = ("event_id", "resume")
_NEEDED = {"status_code": ("http",), **dict.fromkeys(_ABOUT, ("http", "sse")), **dict.fromkeys(_OF_EVENTS, ("sse",))}


def _require_door(subject: str, options: Mapping[str, object]) -> None:
    """Refuse options of a door without the door. Raises `WiringError`."""
    for option, needed in _NEEDED.items():
        if option in options and not any(door in options for door in needed):
            found = f"{option}={options[option]!r}, but the action has no door {'= or '.join(needed)}="
            raise refuse(subject, found, f'remove it, or write {needed[0]}="GET /the/path"', "wrong-option")


def _text(subject: str, option: str, given: object) -> str | None:
    """The name of a field. Raises `WiringError` if it is not text."""
    if given is not None and (not isinstance(given, str) or not given):
        raise refuse(
            subject, f"{option}={given!r} is not the name of a field", f'write {option}="the_field"', "wrong-option"
        )
    return given


def _check(kind: str, name: object, prefix: str, namespace: str) -> None:
    """Refuse names of a blueprint or an app that can never work. Raises `WiringError`."""
    if not isinstance(name, str) or not name:
        raise refuse(f"{kind}({name!r})", f"the name is {name!r}", f'write {kind}("the_name")', "wrong-name")
    if namespace:
        require_name(f"{name!r}, namespace={namespace!r}", namespace)
    if prefix and not prefix.startswith("/"):
        found = "the prefix does not begin with a slash"
        raise refuse(f"{name!r}, prefix={prefix!r}", found, f"write prefix={'/' + prefix!r}", "malformed-path")


@collecting
class SocketRecorder(Recording):
    """The decorators of WebSocket handlers; see `Recorder`."""

    def socket(self, message_type: str, *, timeout: float | None = None, requires: Requires = ()) -> MessageDecorator:
        """Answer WebSocket messages of one type.

        Left of the ``*``, the handler takes the data and the `Client`, in any order, and may omit either. Its return
        value is the answer; None: no answer. An async generator streams its answers.

        Args:
            message_type: The ``type`` of the messages; the blueprint's namespace is put before it.
            timeout: Seconds after which the handler is cancelled and the client gets the error ``timeout``; None: no
                limit.
            requires: Functions of the user and, if they have a second parameter, of the data. A client gets the error
                ``forbidden`` unless each of them returns True.
        """
        require_named("socket", message_type, colons=True)
        full = self._namespace + message_type
        refuse_reserved(f"@socket({full!r})", full)
        return MessageDecorator(self._socket("message", full, timeout, requires))

    def socket_register(
        self, *without_brackets: Never, timeout: float | None = None, requires: Requires = ()
    ) -> MessageDecorator:
        """Answer WebSocket messages of the type ``register``, as in `socket`.

        Args:
            without_brackets: Nothing. A handler here means that the brackets of the decorator are missing.
            timeout: Seconds after which the handler is cancelled and the client gets the error ``timeout``; None: no
                limit.
            requires: Functions of the user and the data, each of which must return True.
        """
        require_brackets("socket_register", without_brackets)
        return MessageDecorator(self._socket("message", "register", timeout, requires))

    def socket_connect(
        self, *without_brackets: Never, timeout: float | None = None, requires: Requires = ()
    ) -> AnswerDecorator:
        """Decide on a new WebSocket client: return to accept it, with a greeting or None; raise `Reject` to refuse.

        Left of the ``*``, the handler takes the parameters of the query string, decoded into a struct, and the
        `Client`.

        Args:
            without_brackets: Nothing. A handler here means that the brackets of the decorator are missing.
            timeout: Seconds after which the handler is cancelled and the client refused with 504; None: no limit.
            requires: Functions of the user and, if they have a second parameter, of the parameters. A client is refused
                with 403 unless each of them returns True.
        """
        require_brackets("socket_connect", without_brackets)
        return AnswerDecorator(self._socket("connect", "", timeout, requires))

    def socket_join(
        self, room: Room[Presence], *, timeout: float | None = None, requires: Requires = ()
    ) -> JoinDecorator[Presence]:
        """Decide whether a WebSocket client may join a room, and what other members see of it.

        Left of the ``*``, the handler takes the parameters of the room's name, by name, and the `Client`. It runs for
        each join, also when a client comes back after it was disconnected. Its return value is the client's presence.
        An exception, such as `Forbidden`, refuses the client.

        Args:
            room: The contract of the rooms.
            timeout: Seconds after which the handler is cancelled and the client gets the error ``timeout``; None: no
                limit.
            requires: Functions of the user and, if they have more parameters, of the parameters of the room's name. A
                client gets the error ``forbidden`` unless each of them returns True.
        """
        if not isinstance(room, Room):  # pyright: ignore[reportUnnecessaryIsInstance]  # users may not type check
            found = f"it takes a Room, not {room!r}"
            raise refuse(
                "@socket_join(...)", found, 'write ROOM = Room[None]("the_name") and @socket_join(ROOM)', "wrong-name"
            )
        title = f"@socket_join({room.name!r})"
        guards = self._guards(title, requires)
        return JoinDecorator[Presence](self._recording(partial(JoinSpec, room=room, requires=guards), title, timeout))

    def socket_disconnect(self, *without_brackets: Never, timeout: float | None = None) -> SilentDecorator:
        """Run after a WebSocket client has disconnected, for any reason. The handler may take the `Client`.

        Args:
            without_brackets: Nothing. A handler here means that the brackets of the decorator are missing.
            timeout: Seconds after which the handler is cancelled, which is logged; None: no limit.
        """
        require_brackets("socket_disconnect", without_brackets)
        return SilentDecorator(self._socket("disconnect", "", timeout, None))

    def _socket(
        self,
        event: Literal["message", "connect", "disconnect"],
        message_type: str,
        timeout: float | None,
        requires: Requires | None,
    ) -> Record:
        title = f"@socket({message_type!r})" if event == "message" else f"@socket_{event}"
        guards = () if requires is None else self._guards(title, requires)
        return self._recording(partial(SocketSpec, event=event, type=message_type, requires=guards), title, timeout)


def require_named(
    decorator: str, given: object, kinds: tuple[type[Contract], ...] = (), *, colons: bool = False
) -> None:
    """Require a name or one of these contracts; refuse, for example, the handler of a decorator without brackets.

    Raises:
        WiringError: The value is neither of them, or the name is not valid.
    """
    if isinstance(given, kinds):
        return
    if isinstance(given, str):
        require_name(f"@{decorator}({given!r})", given, colons=colons)
        return
    names = [f"{'an' if kind is Action else 'a'} {kind.__name__}" for kind in kinds]
    takes, remedy = " or ".join(["a name", *names]), f'write @{decorator}("the_name")'
    if inspect.isroutine(given):
        found = f"it is used without parentheses, and it takes {takes}"
        raise refuse(f"@{decorator}", found, remedy, "wrong-name")
    if isinstance(given, Contract):
        its_own = next((_DECORATORS[name] for name in _names(given) if name in _DECORATORS), None)
        remedy = f"write @{its_own}(...)" if its_own else f"write @{decorator}({given.name!r})"
        found = f"it takes {takes}, not {given!r}"
    elif isinstance(given, type) and issubclass(given, Contract):
        found = f"it takes {takes}, and this is the class of a contract"
        remedy = f"give the contract its name: {given.__name__}[...]('the_name')"
    else:
        found = f"it takes {takes}, not {given!r}"
    raise refuse(f"@{decorator}(...)", found, remedy, "wrong-name")


def _names(contract: Contract) -> Iterator[str]:
    return (kind.__name__ for kind in type(contract).__mro__)


# Which decorator takes which contract, by its name. No decorator handles messages that are sent to WebSocket clients.
_DECORATORS = {"Action": "action", "StreamAction": "action", "Channel": "listen", "Room": "socket_join"}

"""`Identity`: a provider of the user who has sent a message."""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import time
import types
import typing
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import nullcontext
from datetime import datetime
from typing import Concatenate, Generic, TypeVar, Union, cast, overload

import msgspec
from dependency_injector import providers
from typing_extensions import override

from daebus.core.context import current_context
from daebus.core.sessions import Session
from daebus.declare.signatures import MISSING, return_hint
from daebus.delivery.per_message import MessageProvider
from daebus.errors import ConfigurationError, Unauthorized
from daebus.mistakes.places import unwrap

from .credentials import Credentials, current_credentials, session_of_context

__all__ = ["Identity", "Visitor", "identities"]

U = TypeVar("U")

_Expires = Callable[[U], datetime | None]


class _Answer(msgspec.Struct, frozen=True):
    """What was found out about the sender of a connection, and until when it is true, in seconds of `time.time`."""

    user: object
    until: float


class Visitor(MessageProvider[U | None], Generic[U]):
    """A provider of the user who has sent a message; None: a stranger.

    Args:
        owner: The identity that refuses strangers.
        find_user: The user's function.
        expires: When a user must be found again; None: never.
        args: The arguments of `find_user`.
        kwargs: The arguments of `find_user` by name.

    Attributes:
        owner: The identity that refuses strangers; its overrides apply here, too.
        expires: When a user must be found again; None: never.
    """

    def __init__(
        self,
        owner: Identity[U],
        find_user: Callable[..., object],
        expires: _Expires[U] | None,
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> None:
        self.owner = owner
        self.expires = expires
        is_async = _is_async(find_user)
        opens = _asking_async(find_user, self._accept) if is_async else _asking(find_user, self._accept)
        super().__init__(find_user, providers.Factory(opens, *args, **kwargs), is_async=is_async)

    def __deepcopy__(self, memo: dict[int, object]) -> Visitor[U]:
        copied = memo[id(self)] = providers.deepcopy(self.owner, memo).visitor
        return copied

    def owned_by(self, owner: Identity[U], memo: dict[int, object]) -> Visitor[U]:
        """A copy for the copy of its owner."""
        args, kwargs = self._copied_arguments(memo)
        copied = Visitor(owner, self.opens, self.expires, args, kwargs)
        self._copy_overridings(copied, memo)
        return copied

    @property
    @override
    def last_overriding(self) -> providers.Provider[object] | None:
        """The provider that replaces it in a test."""
        return super().last_overriding or self.owner.last_overriding

    @property
    def given_type(self) -> object:
        """The type of the user or None; `MISSING` if `find_user` does not annotate what it returns."""
        user = self.owner.given_type
        return MISSING if user is MISSING else Union[user, None]  # noqa: UP007  # it is known only at run time

    @override
    def manager(self) -> object:
        session = _session()
        answer = None if session is None else session.answers.get(self)
        if isinstance(answer, _Answer) and time.time() < answer.until:
            return nullcontext(answer.user)
        return self._factory()

    def _accept(self, user: U | None) -> U | None:
        """The user, unless it has expired; it is kept for the next messages of the same connection."""
        until = math.inf if user is None or self.expires is None else _seconds(self.expires(user))
        if until <= time.time():
            user, until = None, math.inf
        session = _session()
        if session is not None:
            session.answers[self] = _Answer(user, until)
        return user

    @override
    def _provide(self, args: tuple[object, ...], kwargs: dict[str, object]) -> U | None:
        overriding = self.owner.last_overriding
        return super()._provide(args, kwargs) if overriding is None else cast("U | None", overriding())


class Identity(MessageProvider[U], Generic[U]):
    """A provider of the user who has sent a message. Strangers are refused with `Unauthorized`.

    A handler with ``user: User`` right of the ``*`` refuses strangers. A handler with ``user: User | None`` gets None
    for a stranger. Another provider can take strangers, too, by `visitor`: ``providers.Factory(Cart, user.visitor)``.

    The user is found once for each message, or once for each connection of a WebSocket.

    Example:
        ``user = Identity(find_user, tokens=tokens)``

    Args:
        find_user: Returns the user, or None if the credentials are missing or not valid. Its first argument is the
            `Credentials`. If it is sync, it runs in the thread of a ``def`` handler, and on the event loop for other
            handlers.
        *args: Further arguments, injected as in a ``Factory``.
        expires: Returns the time at which a user must be found again, with a time zone; None: never. A user who has
            expired is a stranger.
        **kwargs: Further arguments by name, injected as in a ``Factory``.

    Attributes:
        visitor: A provider of the user that accepts strangers.
    """

    @overload
    def __init__(
        self,
        find_user: Callable[Concatenate[Credentials, ...], Awaitable[U | None]],
        *args: object,
        expires: _Expires[U] | None = None,
        **kwargs: object,
    ) -> None: ...
    @overload
    def __init__(
        self,
        find_user: Callable[Concatenate[Credentials, ...], U | None],
        *args: object,
        expires: _Expires[U] | None = None,
        **kwargs: object,
    ) -> None: ...
    def __init__(
        self,
        find_user: Callable[..., object],
        *args: object,
        expires: _Expires[U] | None = None,
        **kwargs: object,
    ) -> None:
        self._become(Visitor(self, find_user, expires, (providers.Callable(current_credentials), *args), kwargs))

    def _become(self, visitor: Visitor[U]) -> None:
        self.visitor: Visitor[U] = visitor
        super().__init__(visitor.opens, providers.Factory(nullcontext), is_async=False)

    def __deepcopy__(self, memo: dict[int, object]) -> Identity[U]:
        copied = Identity.__new__(type(self))
        memo[id(self)] = copied
        copied._become(self.visitor.owned_by(copied, memo))  # noqa: SLF001  # of the same class
        self._copy_overridings(copied, memo)
        return copied

    @property
    @override
    def related(self) -> Iterator[providers.Provider[object]]:
        """The providers that this one needs; dependency-injector walks them."""
        yield self.visitor
        yield from super().related

    @property
    def given_type(self) -> object:
        """The type of the user: what `find_user` returns, without None; `MISSING` if that is not annotated."""
        members = tuple(one for one in _members(return_hint(unwrap(self.opens))) if one is not types.NoneType)
        return Union[members] if members else MISSING  # noqa: UP007  # they are known only at run time

    @override
    def manager(self) -> object:
        user = self.visitor()
        if user is None:
            raise Unauthorized("This is for known users only: send valid credentials")
        return nullcontext(user)


def identities(provider: providers.Provider[object]) -> Iterator[Identity[object]]:
    """The identities that a provider needs, itself included."""
    for one in (provider, *provider.traverse()):
        if isinstance(one, Identity):
            yield one
        elif isinstance(one, Visitor):
            yield one.owner


def _members(annotation: object) -> tuple[object, ...]:
    is_union = typing.get_origin(annotation) in (Union, types.UnionType)
    return typing.get_args(annotation) if is_union else (annotation,)


def _session() -> Session | None:
    context = current_context.get()
    return None if context is None else session_of_context(context)


def _is_async(function: Callable[..., object]) -> bool:
    inner = unwrap(function)
    called = inner if inspect.isroutine(inner) else vars(type(inner)).get("__call__")
    return inspect.iscoroutinefunction(called)


def _asking_async(find_user: Callable[..., object], accept: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(find_user)
    async def ask(*args: object, **kwargs: object) -> AsyncGenerator[object]:
        yield accept(await cast("Awaitable[object]", find_user(*args, **kwargs)))

    return contextlib.asynccontextmanager(ask)


def _asking(find_user: Callable[..., object], accept: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(find_user)
    def ask(*args: object, **kwargs: object) -> Generator[object]:
        yield accept(find_user(*args, **kwargs))

    return contextlib.contextmanager(ask)


def _seconds(when: datetime | None) -> float:
    if when is None:
        return math.inf
    if when.tzinfo is None:
        raise ConfigurationError(f"expires= has returned {when!r}, a time without a time zone: use datetime.now(UTC)")
    return when.timestamp()

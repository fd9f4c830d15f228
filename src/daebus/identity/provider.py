"""`Identity`: a provider of the user who has sent a message."""

from __future__ import annotations

import math
import time
import types
import typing
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Concatenate, Generic, TypeVar, Union, cast, overload

import msgspec
from dependency_injector import providers
from typing_extensions import override

from daebus.core.context import Answer, Context, current_context
from daebus.declare.signatures import MISSING, return_hint
from daebus.delivery.per_message import MessageProvider
from daebus.errors import BadRequest, ConfigurationError, Unauthorized
from daebus.mistakes.places import unwrap
from daebus.payloads.codec import Decoder, compile_decoder

from .asking import asking, asking_async, is_async
from .credentials import Credentials, current_credentials, note_actor, session_of_context
from .forwarding import AUTHORIZATION, Forwarded, Known, forwarded_of
from .schemes import SecurityScheme, read_schemes

__all__ = ["Identity", "Visitor", "identities"]

U = TypeVar("U")


class Rules(msgspec.Struct, Generic[U], frozen=True):
    """What is known of the users of an identity; see `Identity`."""

    expires: Callable[[U], datetime | None] | None
    subject: Callable[[U], str] | None
    forward: bool
    schemes: tuple[SecurityScheme, ...] = ()


class Visitor(MessageProvider[U | None], Generic[U]):
    """A provider of the user who has sent a message; None: a stranger.

    Args:
        owner: The identity that refuses strangers.
        find_user: The user's function.
        rules: What else is known of its users.
        args: The arguments of `find_user`.
        kwargs: The arguments of `find_user` by name.

    Attributes:
        owner: The identity that refuses strangers; its overrides apply here, too.
        rules: What else is known of its users.
        assumed: The user of each message instead of its sender, in tests; the last one counts.
    """

    is_first = True

    def __init__(
        self,
        owner: Identity[U],
        find_user: Callable[..., object],
        rules: Rules[U],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> None:
        self.owner = owner
        self.rules = rules
        self.assumed: list[U | None] = []
        waits = is_async(find_user)
        opens = (asking_async if waits else asking)(find_user, self._accept)
        self._decode: Decoder | None = None
        super().__init__(find_user, providers.Factory(opens, *args, **kwargs), is_async=waits)

    def __deepcopy__(self, memo: dict[int, object]) -> Visitor[U]:
        copied = memo[id(self)] = providers.deepcopy(self.owner, memo).visitor
        return copied

    def owned_by(self, owner: Identity[U], memo: dict[int, object]) -> Visitor[U]:
        """A copy for the copy of its owner."""
        args, kwargs = self._copied_arguments(memo)
        copied = Visitor(owner, self.opens, self.rules, args, kwargs)
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
        context = current_context.get()
        if context is None:
            return self._factory()
        if self.assumed:
            return nullcontext(self._known(context, self.assumed[-1], self._subject_of(self.assumed[-1])))
        session = session_of_context(context)
        answer = None if session is None else session.answers.get(self)
        if answer is not None and time.time() < answer.until:
            return nullcontext(self._known(context, cast("U | None", answer.user), answer.subject))
        came = forwarded_of(context) if self.rules.forward else None
        if came is not None and AUTHORIZATION not in context.headers:
            user = self._read(came)
            return nullcontext(self._known(context, user, self._subject_of(user)))
        return self._factory()

    def _accept(self, user: U | None) -> U | None:
        """The user, unless it has expired; it is kept for the next messages of the same connection."""
        expires = self.rules.expires
        until = math.inf if user is None or expires is None else _seconds(expires(user))
        if until <= time.time():
            user, until = None, math.inf
        context = current_context.get()
        if context is None:
            return user
        session, subject = session_of_context(context), self._subject_of(user)
        if session is not None:
            session.answer(self, Answer(user, subject, until))
        return self._known(context, user, subject)

    def _known(self, context: Context, user: U | None, subject: str | None) -> U | None:
        """The user, who is from now on the one for whom the message is handled."""
        if user is not None:
            note_actor(context, Known(user, subject, self.rules.forward))
        return user

    def _subject_of(self, user: U | None) -> str | None:
        if user is None:
            return None
        subject = self.rules.subject
        name: object = getattr(user, "id", None) if subject is None else subject(user)
        return None if name is None else str(name)

    def _read(self, came: Forwarded) -> U:
        """The user of the message of another service. Raises `Unauthorized`."""
        claims = came.verified()
        if self._decode is None:
            self._decode = compile_decoder(self.owner.given_type)
        try:
            return cast("U", self._decode(claims.usr))
        except BadRequest as error:
            found = f"The user of the message, as {claims.iss!r} has sent it, does not fit: {error.message}"
            raise Unauthorized(found) from None

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
        subject: Returns the id of a user for logs; default: its attribute `id`, if it has one.
        forward: Whether the user is sent on, as JSON, with everything that a handler sends over the bus, and accepted
            from other services; then `find_user` is not called for their messages.
        schemes: Where `find_user` finds the credentials, for OpenAPI, AsyncAPI and the header ``WWW-Authenticate``;
            of several ones, each is enough. Default: those of the app's Litestar backend, otherwise a bearer token.
        **kwargs: Further arguments by name, injected as in a ``Factory``.

    Attributes:
        visitor: A provider of the user that accepts strangers.
    """

    is_first = True

    @overload
    def __init__(
        self,
        find_user: Callable[Concatenate[Credentials, ...], Awaitable[U | None]],
        *args: object,
        expires: Callable[[U], datetime | None] | None = None,
        subject: Callable[[U], str] | None = None,
        forward: bool = True,
        schemes: SecurityScheme | Sequence[SecurityScheme] = (),
        **kwargs: object,
    ) -> None: ...
    @overload
    def __init__(
        self,
        find_user: Callable[Concatenate[Credentials, ...], U | None],
        *args: object,
        expires: Callable[[U], datetime | None] | None = None,
        subject: Callable[[U], str] | None = None,
        forward: bool = True,
        schemes: SecurityScheme | Sequence[SecurityScheme] = (),
        **kwargs: object,
    ) -> None: ...
    def __init__(
        self,
        find_user: Callable[..., object],
        *args: object,
        expires: Callable[[U], datetime | None] | None = None,
        subject: Callable[[U], str] | None = None,
        forward: bool = True,
        schemes: SecurityScheme | Sequence[SecurityScheme] = (),
        **kwargs: object,
    ) -> None:
        rules = Rules(expires, subject, forward, read_schemes(schemes))
        self._become(Visitor(self, find_user, rules, (providers.Callable(current_credentials), *args), kwargs))

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


def _seconds(when: datetime | None) -> float:
    if when is None:
        return math.inf
    if when.tzinfo is None:
        raise ConfigurationError(f"expires= has returned {when!r}, a time without a time zone: use datetime.now(UTC)")
    return when.timestamp()

"""The users of WebSocket clients: found by the credentials in a message, and found again once they have expired."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from typing import cast

import msgspec

from daebus.core.context import Answer, session_of
from daebus.declare.signatures import Signature
from daebus.delivery.delivery import Delivery
from daebus.delivery.endpoint import Endpoint
from daebus.delivery.injection import Injection
from daebus.delivery.workers import Workers
from daebus.errors import ServiceError, Unauthorized
from daebus.identity.provider import identities
from daebus.payloads.codec import compile_decoder
from daebus.protocol.replies import close_code

from .clients import Client

__all__ = ["AUTHENTICATE", "Authentication", "End", "Login", "UserWatch", "finding_users"]

AUTHENTICATE = "authenticate"
"""The type of the message that has the credentials of a client."""

_LONGEST_TIMER, _RETRY = 86_400.0, 5.0

End = Callable[[str, int], None]


class Login(msgspec.Struct):
    """The data of an ``authenticate`` message: what follows in an ``Authorization`` header."""

    token: str
    scheme: str = "bearer"


_decode = compile_decoder(Login)


def finding_users(endpoints: Iterable[Endpoint[object]], workers: Workers) -> Endpoint[bool] | None:
    """An endpoint that finds all users whom these endpoints ask for, and tells whether there is one.

    None: they do not ask for users.
    """
    visitors = {
        identity.visitor: None
        for endpoint in endpoints
        for _, provider in endpoint.injection.bindings
        for identity in identities(provider)
    }
    if not visitors:
        return None
    injection = Injection({f"user_{index}": visitor for index, visitor in enumerate(visitors)})
    return Endpoint(
        title=f"socket {AUTHENTICATE}",
        signature=Signature(_is_known, "daebus", (), (), bool, is_async=True, streams=False),
        take=lambda _: (),
        injection=injection,
        call=injection.bind(_is_known),
        call_directly=injection.bind_directly(_is_known),
        encode=bool,
        workers=workers,
    )


async def _is_known(**users: object) -> bool:
    return any(user is not None for user in users.values())


class Authentication:
    """Finds the users of clients, in messages of its own.

    Args:
        delivery: The delivery to the endpoint that finds them.
    """

    def __init__(self, delivery: Delivery[bool]) -> None:
        self._delivery = delivery

    async def authenticate(self, client: Client, data: msgspec.Raw, request_id: str) -> None:
        """Take the credentials in the data of a message instead of the earlier ones.

        Raises:
            ServiceError: They are malformed or not valid, or `find_user` has raised this error.
        """
        login = cast("Login", _decode(data))
        session = session_of(client)
        known = {asker: answer.subject for asker, answer in session.answers.items() if answer.user is not None}
        session.replace(f"{login.scheme} {login.token}")
        if not await self.find(client, request_id):
            raise Unauthorized("The credentials are not valid")
        if any(session.answers[asker].subject != subject for asker, subject in known.items()):
            session.replace("")  # messages that have come already, before the connection is closed, are of nobody
            raise Unauthorized("The credentials are those of another user: open a connection for each user")

    async def find(self, client: Client, request_id: str) -> bool:
        """Find the users of a client again if they have expired; tells if there is one. Raises `ServiceError`."""
        incoming = self._delivery.incoming(request_id, part=client, headers=client.headers)
        return await self._delivery.answer(incoming)


class UserWatch:
    """The users of one client: they are found again once they have expired, and the client is closed if they are gone.

    Args:
        authentication: Finds them.
        client: The client.
        end: Closes its connection with a reason and a code.
    """

    __slots__ = ("_authentication", "_client", "_end", "_finding", "_is_over", "_loop", "_timer")

    def __init__(self, authentication: Authentication, client: Client, end: End) -> None:
        self._authentication = authentication
        self._client = client
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._finding: asyncio.Task[None] | None = None
        self._is_over = False
        session_of(client).watcher = self

    def answered(self, before: Answer | None, answer: Answer) -> None:
        """See `SessionWatcher`."""
        if (before is not None and before.user is not None) or answer.until < math.inf:
            self._loop.call_soon_threadsafe(self._examine, before, answer)

    def replaced(self) -> None:
        """See `SessionWatcher`."""
        self.stop()  # what runs uses the old credentials
        self._is_over = False
        self._timer = self._loop.call_later(_RETRY, self._look)  # in case that nobody can be found now

    def stop(self) -> None:
        """Find nobody any more, as the connection is over."""
        self._is_over = True
        if self._finding is not None:
            self._finding.cancel()
        if self._timer is not None:
            self._timer.cancel()

    def _examine(self, before: Answer | None, answer: Answer) -> None:
        if before is not None and before.user is not None:
            if answer.user is None:
                self._close(Unauthorized("The user has expired, or is not known any more"))
            elif answer.subject != before.subject:
                self._close(Unauthorized("The user of a connection cannot be replaced by another one"))
        self._wait()

    def _wait(self) -> None:
        """Wait until a user expires."""
        if self._timer is not None:
            self._timer.cancel()
        until = min((each.until for each in session_of(self._client).answers.values()), default=math.inf)
        if self._is_over or until == math.inf:
            return
        self._timer = self._loop.call_later(min(max(0.0, until - time.time()), _LONGEST_TIMER), self._look)

    def _look(self) -> None:
        now = time.time()
        if any(each.until <= now for each in session_of(self._client).answers.values()):
            self._finding = self._loop.create_task(self._find(), name=f"user of {self._client.id}")
        else:
            self._wait()  # the timer was early, or the clock was set

    async def _find(self) -> None:
        try:
            await self._authentication.find(self._client, f"{self._client.id}-user")
        except ServiceError as error:
            self._close(error)

    def _close(self, error: ServiceError) -> None:
        if not self._is_over:
            self._end(error.message, close_code(error))

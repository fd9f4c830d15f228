"""The first look at a request: whether its host is one of the service's, and no page of another site sends it."""

from __future__ import annotations

from typing import Any, cast

from litestar.config.cors import CORSConfig

from daebus.core.errors import ServiceError

from .edge import DaebusHttp
from .http_answers import Encoded
from .origins import HostGuard, OriginGuard, is_safe
from .problems import PROBLEM, encode_problem, request_id

__all__ = ["SiteGuard"]


class SiteGuard:
    """The guard of one Litestar app, before its middleware and routes.

    Args:
        settings: Which origins and hosts are allowed.
    """

    __slots__ = ("_hosts", "_origins")

    def __init__(self, settings: DaebusHttp) -> None:
        cors = settings.litestar.get("cors_config")
        allows = cors.is_origin_allowed if isinstance(cors, CORSConfig) else None
        self._origins = OriginGuard(settings.origins, component="DaebusHttp", allows=allows)
        self._hosts = HostGuard(settings.allowed_hosts)

    def listens_on(self, address: str) -> None:
        """Take the address into account on which the app is served."""
        self._hosts.listens_on(address)

    def refuses_request(self, scope: Any) -> Encoded | None:
        """The answer to a request that is refused; None: it is not."""
        refusal = self._hosts.refusal(scope["headers"])
        if refusal is None and not is_safe(scope["method"]):
            refusal = self._origins.refusal(scope["headers"])
        if refusal is None:
            return None
        body = encode_problem(refusal.status, refusal.code, refusal.message, refusal.details, request_id(scope))
        return Encoded(body, refusal.status, PROBLEM.encode())

    def refuses_connection(self, scope: Any) -> ServiceError | None:
        """Why a WebSocket is refused; None: it is not. Its origin is a matter of what it connects to."""
        return self._hosts.refusal(cast("list[tuple[bytes, bytes]]", scope["headers"]))

"""The first check of a request: its host is one of the service, and it does not come from another site's page."""

from __future__ import annotations

from typing import Any

from litestar.config.cors import CORSConfig

from daebus.errors import ServiceError
from daebus.telemetry.logs import Logger

from .encoded import Encoded, encoded_problem
from .origins import SAFE_METHODS, HostGuard, OriginGuard, RefusalLog
from .problems import request_id
from .settings import DaebusHttp

__all__ = ["SiteGuard"]


class SiteGuard:
    """The guard of one Litestar app, before its middleware and routes.

    Args:
        settings: Which origins and hosts are allowed.
        logger: Logs refused requests.
    """

    __slots__ = ("_hosts", "_log", "_origins")

    def __init__(self, settings: DaebusHttp, logger: Logger) -> None:
        cors = settings.litestar.get("cors_config")
        allows = cors.is_origin_allowed if isinstance(cors, CORSConfig) else None
        self._origins = OriginGuard(settings.origins, component="DaebusHttp", allows=allows)
        self._hosts = HostGuard(settings.allowed_hosts)
        self._log = RefusalLog(logger)

    def listens_on(self, address: str) -> None:
        """Set the address on which the app is served."""
        self._hosts.listens_on(address)

    def refuses_request(self, scope: Any) -> Encoded | None:
        """The response to a refused request; None: it is allowed."""
        headers, refusal = scope["headers"], None
        for name, value in headers:
            if name == b"host":
                if value not in self._hosts.known:
                    refusal = self._hosts.examine(value)
                break
        if refusal is None and scope["method"] not in SAFE_METHODS:
            refusal = self._origins.refusal(headers)
        if refusal is None:
            return None
        error = refusal.error
        self._log.add(refusal, path=scope["path"], request_id=request_id(scope))
        return encoded_problem(scope, error.status, error.code, error.message, error.details)

    def refuses_connection(self, scope: Any) -> ServiceError | None:
        """Why a WebSocket is refused; None: it is allowed. Its origin is checked later, by the endpoint."""
        refusal = self._hosts.refusal(scope["headers"])
        if refusal is None:
            return None
        self._log.add(refusal, path=scope["path"], request_id=request_id(scope))
        return refusal.error

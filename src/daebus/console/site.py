"""The files of the page, and the way in: the token is exchanged for a cookie."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.enums import RequestEncodingType
from litestar.handlers import HTTPRouteHandler
from litestar.params import Body, FromPath

from daebus.errors import NotFound

from .access import COOKIE, NO_TOKEN, Access

__all__ = ["site_routes"]

_TYPES: Mapping[str, str] = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "html": "text/html"}
_TOKEN = "token"  # noqa: S105  # the name of a parameter

_AnyRequest = Request[Any, Any, Any]


class _Login(msgspec.Struct):
    token: str = ""


@cache
def _asset(name: str) -> bytes:
    return files("daebus.console").joinpath("assets", name).read_bytes()


@cache
def _names() -> frozenset[str]:
    return frozenset(one.name for one in files("daebus.console").joinpath("assets").iterdir())


def site_routes(access: Access) -> Sequence[HTTPRouteHandler]:
    """The handlers of the page, its files, and the login."""

    @get("/", include_in_schema=False, sync_to_thread=False)
    def page(request: _AnyRequest) -> Response[bytes]:
        token = request.query_params.get(_TOKEN)
        if token is not None:
            return _enter(access, request, token)
        if access.admits(request):
            return _page("index.html", request)
        return _page("login.html", request, problem=NO_TOKEN if access.only_here else "")

    @post("/login", include_in_schema=False, sync_to_thread=False, status_code=303)
    def login(
        request: _AnyRequest, data: Annotated[_Login, Body(media_type=RequestEncodingType.URL_ENCODED)]
    ) -> Response[bytes]:
        access.require_site(request)
        return _enter(access, request, data.token.strip())

    @get("/assets/{name:str}", include_in_schema=False, sync_to_thread=False)
    def asset(request: _AnyRequest, name: FromPath[str]) -> Response[bytes]:
        if name not in _names():
            raise NotFound("The console has no such file")
        body, tag = _asset(name), _tag(name)
        headers = {"cache-control": "no-cache", "etag": tag, "content-type": _type(name)}
        if request.headers.get("if-none-match") == tag:
            return Response(b"", status_code=304, headers=headers)
        return Response(body, headers=headers)

    return [page, login, asset]


@cache
def _tag(name: str) -> str:
    return f'"{hashlib.sha256(_asset(name)).hexdigest()[:16]}"'


def _type(name: str) -> str:
    return f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8"


def _enter(access: Access, request: _AnyRequest, token: str) -> Response[bytes]:
    """Give the cookie for a token, and leave the address that has the token."""
    proof = access.prove(token)
    if proof is None:
        return _page("login.html", request, status=401, problem="This is not the token of this console.")
    cookie = Cookie(
        key=COOKIE, value=proof, path="/", httponly=True, samesite="strict", secure=request.scope["scheme"] == "https"
    )
    # Relative, as a proxy may have removed what is before the path.
    target = _base(request, "login") or "./"
    return Response(b"", status_code=303, headers={"location": target}, cookies=[cookie])


def _page(name: str, request: _AnyRequest, *, status: int = 200, problem: str = "") -> Response[bytes]:
    text = _asset(name).decode().replace("{base}", escape(_base(request, "login")))
    body = text.replace("{problem}", escape(problem)).encode()
    return Response(body, status_code=status, headers={"content-type": _type(name)})


def _base(request: _AnyRequest, below: str) -> str:
    """The relative URL of the folder of the console: empty if the address ends with a slash."""
    scope: Mapping[str, Any] = {**request.scope}
    path: str = scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1")  # Litestar removes the last slash
    last = path.rpartition("/")[2]
    return "" if last in ("", below) else f"{last}/"

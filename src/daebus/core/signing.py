"""Signatures of what services say about users: compact JWS (RFC 7515) with HMAC-SHA256, or unsigned."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec
from typing_extensions import override

from daebus.errors import ConfigurationError

__all__ = ["BadSignatureError", "SigningKeys", "digest", "require_signature", "signed", "unsigned", "unverified"]

_LEAST_BYTES = 32
_WEEK = timedelta(days=7)


class BadSignatureError(Exception):
    """A token that is malformed, or not signed by whom it says. The message says what is wrong with it."""


class SigningKeys:
    """The keys with which services sign who their users are: ``Settings(signing_keys=SigningKeys(key))``.

    A key is a secret text, or bytes, of at least 32 bytes, such as ``secrets.token_urlsafe(32)``. To replace a key,
    give the new one to all services as the second one, then as the first one, and then remove the old one.

    Args:
        *keys: The keys that all services have in common. The first one signs; each of them is accepted.
        services: The keys of each service, by its name, instead of common keys. A service signs with the first of its
            own keys. A service without keys cannot speak for a user.
        max_age: For how long a signature of what was sent or published is accepted, also after retries and as a dead
            letter; default 7 days. That of a call is accepted for an hour.

    Raises:
        ConfigurationError: A key is too short, there are both common keys and keys of services, or none.
    """

    def __init__(
        self,
        *keys: str | bytes,
        services: Mapping[str, Sequence[str | bytes]] | None = None,
        max_age: timedelta = _WEEK,
    ) -> None:
        if not (keys or any((services or {}).values())) or (keys and services is not None):
            raise ConfigurationError(
                "SigningKeys(...) has no keys, or both common keys and keys of services: write SigningKeys(key), or "
                "SigningKeys(services={'shop': [key]})."
            )
        self._keys = {name: [_bytes(key) for key in own] for name, own in (services or {}).items()}
        self._common = [_bytes(key) for key in keys]
        self.max_age: timedelta = max_age

    def of(self, service: str) -> Sequence[bytes]:
        """The keys of a service, the one that signs first; empty: it has none.

        Args:
            service: The name of the service.
        """
        return self._keys.get(service, self._common)

    @override
    def __repr__(self) -> str:
        return f"SigningKeys(<{len(self._common) + sum(map(len, self._keys.values()))} keys>)"


def _bytes(key: str | bytes) -> bytes:
    encoded = key.encode() if isinstance(key, str) else key
    if len(encoded) < _LEAST_BYTES:
        raise ConfigurationError(
            f"A signing key has {len(encoded)} bytes; at least {_LEAST_BYTES} are needed: secrets.token_urlsafe(32)."
        )
    return encoded


class _Header(msgspec.Struct):
    alg: str


_HS256 = _Header("HS256")
_decode_header = msgspec.json.Decoder(_Header).decode


def signed(claims: bytes, key: bytes) -> str:
    """A token with claims, signed."""
    content = f"{_encode(msgspec.json.encode(_HS256))}.{_encode(claims)}"
    return f"{content}.{_encode(_mac(content, key))}"


def unsigned(claims: bytes) -> str:
    """A token with claims, without a signature."""
    return f"{_encode(msgspec.json.encode(_Header('none')))}.{_encode(claims)}."


def unverified(token: str) -> bytes:
    """The claims of a token, signed or not, without looking at its signature. Raises `BadSignatureError`."""
    return _parts(token)[1]


def require_signature(token: str, keys: Sequence[bytes]) -> None:
    """Raise `BadSignatureError` unless a token is signed with one of the keys."""
    header, _, signature = _parts(token)
    if header.alg != _HS256.alg:
        raise BadSignatureError(f"it is signed by {header.alg!r}, and not by HMAC-SHA256")
    content = token.rpartition(".")[0]
    if not any(hmac.compare_digest(signature, _mac(content, key)) for key in keys):
        raise BadSignatureError("its signature is not valid")


def digest(body: bytes | memoryview) -> str:
    """The SHA-256 of a payload, as a token has it."""
    return _encode(hashlib.sha256(body).digest())


def _parts(token: str) -> tuple[_Header, bytes, bytes]:
    try:
        header, claims, signature = (_decode(part) for part in token.split("."))
        return _decode_header(header), claims, signature
    except (ValueError, msgspec.MsgspecError) as error:
        raise BadSignatureError("it is malformed") from error


def _mac(content: str, key: bytes) -> bytes:
    return hmac.digest(key, content.encode(), "sha256")


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error

"""Changes of contracts, and what is said of each."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

__all__ = ["Change", "Direction"]

Direction: TypeAlias = Literal["received", "given"]
"""What a service receives from others, or gives to them."""


class Change(msgspec.Struct, frozen=True):
    """A change of a contract.

    Attributes:
        place: What has changed, such as ``action get_user, request.id``.
        change: What has happened.
        is_breaking: Whether it breaks somebody who has the contract of before.
        why: Whom it breaks and how; empty if nobody.
        remedy: How to change it without breaking anybody; empty if nobody is broken.
    """

    place: str
    change: str
    is_breaking: bool = False
    why: str = ""
    remedy: str = ""

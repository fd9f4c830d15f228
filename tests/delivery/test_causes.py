"""Why a handler failed, as a dead letter keeps it."""

from __future__ import annotations

import pytest

from daebus.delivery.causes import Cause, cause_of, scrubbed, type_and_message
from daebus.errors import Internal, NotFound, ServiceError


class OddError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def type_of(error: Exception) -> str:
    return type(error).__name__


def raised(error: Exception) -> ServiceError:
    """As a dead letter gets it: a service error itself, any other one behind what the sender is told."""
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            secret_of_a_variable = "hunter2"
            if secret_of_a_variable:
                raise error from inner
    except Exception as caught:
        if isinstance(caught, ServiceError):
            return caught
        problem = Internal("It failed")
        problem.__cause__ = caught
        return problem
    raise AssertionError


def cause(error: Exception) -> Cause:
    found = cause_of(raised(error))
    assert found is not None
    return found


def test_a_cause_has_class_words_and_the_way_there_without_the_values_of_variables() -> None:
    found = cause(ValueError("boom"))
    assert (found.exception, found.reason) == ("ValueError", "boom")
    assert "KeyError: 'inner'" in found.traceback
    assert "direct cause of the following exception" in found.traceback
    assert found.traceback.endswith("ValueError: boom")
    found = cause(NotFound("no such user"))
    assert (found.exception, found.reason) == ("daebus.errors.NotFound", "no such user")
    assert "hunter2" not in found.traceback.replace('secret_of_a_variable = "hunter2"', "")


def test_what_never_failed_has_no_cause() -> None:
    assert cause_of(Internal("It was delivered 5 times, and never finished")) is None


def test_a_cause_is_bounded_and_keeps_its_end() -> None:
    found = cause(ValueError("ä" * 100_000 + "the end"))
    assert len(found.reason.encode()) <= 1_024
    assert len(found.traceback.encode()) <= 8_192
    assert found.traceback.startswith("Traceback")
    assert found.traceback.endswith("the end")


@pytest.mark.parametrize(
    "error", [OddError(), ValueError("\ud800 lone"), ValueError("-eyJ://token=" * 1_000_000)], ids=type_of
)
def test_what_cannot_be_shown_costs_no_letter(error: Exception) -> None:
    found = cause(error)
    found.traceback.encode()
    found.reason.encode()
    assert type_and_message(error)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("redis://user:hunter2@host:6379/0 is away", "redis://***@host:6379/0 is away"),
        ("postgresql+asyncpg://u:p@a/hunter2@host/db", "postgresql+asyncpg://***@host/db"),
        ("password=hunter2, host=a", "password=***, host=a"),
        ("{'api_key': 'hunter2', 'id': 7}", "{'api_key': ***, 'id': 7}"),
        ("DB_PASSWORD: hunter2", "DB_PASSWORD: ***"),
        ("Authorization: Bearer hunter2hunter2", "Authorization: ***"),
        ("got Bearer hunter2hunter2 there", "got Bearer *** there"),
        ("https://a.test/?access_token=hunter2&n=1", "https://a.test/?access_token=***&n=1"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.hunter2", "***"),
        ("user u1 not found at http://a.test/x", "user u1 not found at http://a.test/x"),
    ],
)
def test_what_looks_like_a_secret_is_left_out(text: str, kept: str) -> None:
    assert scrubbed(text) == kept

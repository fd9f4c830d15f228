from __future__ import annotations

import copy
import pickle

import pytest

from daebus import errors
from daebus.errors import (
    BadRequest,
    Conflict,
    DaebusError,
    Internal,
    NotFound,
    Reject,
    ServiceError,
    Unauthorized,
    Unavailable,
    WiringError,
    WiringProblem,
    error_from_code,
)
from daebus.mistakes.render import Note

SERVICE_ERRORS = [
    error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, ServiceError)
]


class OutOfStock(Conflict):
    """The article is not there.

    It may come again.
    """

    code = "test_out_of_stock"

    def __init__(self, article: str, left: int) -> None:
        super().__init__(f"Only {left} of {article} are left", details={"article": article, "left": left})


class Nameless(ServiceError):
    code = "nameless_in_tests"


@pytest.mark.parametrize("kind", SERVICE_ERRORS)
def test_the_code_of_an_error_gives_its_class_at_the_caller(kind: type[ServiceError]) -> None:
    error = error_from_code(kind.code, "text", {"a": 1})
    assert type(error) is kind
    assert (error.message, error.code, error.details, str(error)) == ("text", kind.code, {"a": 1}, "text")


@pytest.mark.parametrize("kind", SERVICE_ERRORS)
def test_every_service_error_has_an_http_error_status(kind: type[ServiceError]) -> None:
    assert 400 <= kind.status < 600


def test_no_two_service_errors_share_a_code() -> None:
    assert len({kind.code for kind in SERVICE_ERRORS}) == len(SERVICE_ERRORS)


def test_an_unknown_code_gives_a_service_error_that_keeps_it() -> None:
    error = error_from_code("no_such_code_anywhere", "text")
    assert type(error) is ServiceError
    assert (error.code, error.message, error.details) == ("no_such_code_anywhere", "text", {})


def test_a_subclass_with_a_code_of_its_own_is_raised_at_the_caller() -> None:
    error = error_from_code("nameless_in_tests", "text")
    assert type(error) is Nameless


def test_a_subclass_whose_constructor_takes_other_arguments_is_raised_at_the_caller() -> None:
    sent = OutOfStock("tea", 2)
    error = error_from_code(sent.code, sent.message, sent.details)
    assert type(error) is OutOfStock
    assert error.details == {"article": "tea", "left": 2}
    assert str(error) == "Only 2 of tea are left"
    assert error.args == ("Only 2 of tea are left",)


def test_a_subclass_without_a_code_of_its_own_does_not_take_that_of_its_base() -> None:
    type("UserNotFound", (NotFound,), {})
    assert type(error_from_code("not_found", "")) is NotFound


def test_the_first_class_with_a_code_keeps_it() -> None:
    type("Impostor", (ServiceError,), {"code": "conflict"})
    assert type(error_from_code("conflict", "")) is Conflict


def test_without_a_message_an_error_says_the_first_line_of_its_docstring() -> None:
    assert NotFound().message == "There is no such thing."
    assert error_from_code("test_out_of_stock", "").message == "The article is not there."


def test_without_a_message_and_a_docstring_an_error_says_its_code() -> None:
    assert str(Nameless()) == "nameless_in_tests"


def test_the_code_of_one_error_can_be_chosen_when_it_is_raised() -> None:
    error = BadRequest("too long", code="name_too_long")
    assert (error.code, error.status) == ("name_too_long", 400)
    assert BadRequest.code == "bad_request"


def test_the_details_are_a_copy() -> None:
    details: dict[str, object] = {"field": "name"}
    error = BadRequest("wrong", details=details)
    details["field"] = "other"
    assert error.details == {"field": "name"}


def test_reject_is_an_unauthorized_with_a_code_of_its_own() -> None:
    assert issubclass(Reject, Unauthorized)
    assert (Reject("bad token").code, Reject.status) == ("rejected", 401)


def test_an_error_survives_copying_and_pickling() -> None:
    error = Unavailable("down", code="db_down", details={"host": "a"})
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert isinstance(again, Unavailable)
        assert (again.message, again.code, again.details) == ("down", "db_down", {"host": "a"})


def test_every_error_is_a_daebus_error() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) > 15
    assert all(issubclass(kind, DaebusError) for kind in kinds)
    assert not issubclass(WiringError, ServiceError)
    assert issubclass(Internal, ServiceError)


def test_a_wiring_error_lists_each_problem_with_place_subject_finding_and_remedy() -> None:
    first = WiringProblem(
        "app.py:3",
        "get_user(repo: Repo)",
        "the container has no provider 'repo'",
        "add it",
        code="unknown-service",
        notes=[Note("the container has: db")],
    )
    second = WiringProblem("app.py:9", "put_user", "it has no payload", "add one")
    error = WiringError(first, second)
    assert error.problems == (first, second)
    assert str(error) == (
        "2 wiring mistakes:\n"
        "\n"
        "error[unknown-service]: get_user(repo: Repo): the container has no provider 'repo'\n"
        " --> app.py:3\n"
        "  = note: the container has: db\n"
        "  = help: add it\n"
        "\n"
        "error[wiring]: put_user: it has no payload\n"
        " --> app.py:9\n"
        "  = help: add one"
    )


def test_a_wiring_error_of_one_problem_says_so_in_the_singular() -> None:
    assert str(WiringError(WiringProblem("a:1", "b", "c", "d"))).startswith("1 wiring mistake:\n")

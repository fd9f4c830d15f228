"""The judge of histories: each rule finds the history that breaks it, and lets one pass that does not."""

from __future__ import annotations

import pytest

from .fleet import Event
from .judge import judge

_SENT = [Event(1, "invoke", "send", "a"), Event(2, "ok", "send", "a")]
_RAN = [Event(3, "start", "work", "a", "i1"), Event(4, "effect", "work", "a", "i1")]
_RAN_AGAIN = [Event(9, "start", "work", "a", "i2"), Event(10, "effect", "work", "a", "i2")]


def test_what_was_sent_and_handled_is_no_problem() -> None:
    assert judge([*_SENT, *_RAN], []) == []


def test_what_was_accepted_and_never_handled_is_lost() -> None:
    assert judge(_SENT, []) == ["lost: send a"]


def test_what_was_not_accepted_may_be_lost() -> None:
    assert judge([_SENT[0], Event(2, "fail", "send", "a")], []) == []


def test_a_dead_letter_is_told() -> None:
    assert judge(_SENT, ['{"name":"a"}']) == ['dead letter: {"name":"a"}']


def test_a_second_run_needs_a_reason() -> None:
    assert judge([*_SENT, *_RAN, *_RAN_AGAIN], []) == ["a ran on i2 after it had run on i1, which was never cut off"]


def test_a_dead_letter_needs_two_faults() -> None:
    faults = [Event(5, "fault", "kill", "i1"), Event(6, "fault", "freeze", "i2")]
    assert judge([*_SENT, *faults], ['{"name":"a"}']) == []
    assert judge([*_SENT, faults[0]], ['{"name":"a"}']) == ['dead letter: {"name":"a"}']


@pytest.mark.parametrize("kind", ["kill", "freeze", "partition", "stall"])
def test_a_host_that_was_cut_off_is_a_reason(kind: str) -> None:
    assert judge([*_SENT, *_RAN, Event(5, "fault", kind, "i1"), *_RAN_AGAIN], []) == []
    assert judge([*_SENT, *_RAN, Event(5, "fault", kind, "i2"), *_RAN_AGAIN], []) != []
    assert judge([*_SENT, *_RAN, *_RAN_AGAIN, Event(11, "fault", kind, "i1")], []) != []


def test_a_server_that_hangs_is_no_reason() -> None:
    assert judge([*_SENT, *_RAN, Event(5, "fault", "hang", "i1"), *_RAN_AGAIN], []) != []


def test_an_instance_that_stops_while_the_server_hangs_may_not_have_acknowledged() -> None:
    stop, hang = Event(5, "fault", "stop", "i1"), Event(4, "fault", "hang", "all")
    assert judge([*_SENT, *_RAN, stop, *_RAN_AGAIN], []) != []
    assert judge([*_SENT, *_RAN, hang, stop, *_RAN_AGAIN], []) == []


def test_two_runs_at_once_are_told_as_such() -> None:
    runs = [_RAN[0], Event(3.5, "start", "work", "a", "i2"), _RAN[1]]
    assert judge(runs, []) == ["a ran on i2 while it ran on i1, which was never cut off"]


def test_one_key_has_one_reply() -> None:
    replies = [Event(5, "ok", "keyed", "k", "client", "x"), Event(6, "ok", "keyed", "k", "client", "x")]
    assert judge(replies, []) == []
    assert judge([*replies, Event(7, "ok", "keyed", "k", "client", "y")], []) == ["key k has 2 replies: ['x', 'y']"]

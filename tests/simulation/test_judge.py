"""The judge of histories: each rule finds the history that breaks it, and lets one pass that does not."""

from __future__ import annotations

import pytest

from .history import Event
from .judge import Letter, judge

_INF = float("inf")
_SENT = [Event(1, "invoke", "send", "a"), Event(2, "ok", "send", "a")]
_RAN = [Event(3, "start", "work", "a", "i1", "1"), Event(4, "effect", "work", "a", "i1")]
_RAN_AGAIN = [Event(9, "start", "work", "a", "i2", "2"), Event(10, "effect", "work", "a", "i2")]
_LETTER = Letter("a", "internal: It was delivered 2 times, and never finished: each time its process died", 2)


def fault(time: float, kind: str, name: str, seconds: float = 6.0, *, poison: str = "") -> Event:
    """A fault of a host whose lease is 6 s."""
    return Event(time, "fault", kind, name, "", poison, _INF if kind == "kill" else seconds, 6.0)


def test_what_was_sent_and_handled_is_no_problem() -> None:
    assert judge([*_SENT, *_RAN], []) == []


def test_what_was_accepted_and_never_handled_is_lost() -> None:
    assert judge(_SENT, []) == ["lost: send a"]


def test_what_was_not_accepted_may_be_lost() -> None:
    assert judge([_SENT[0], Event(2, "fail", "send", "a")], []) == []


def test_a_dead_letter_needs_as_many_faults_as_it_had_deliveries() -> None:
    told = [f"dead letter: a: {_LETTER.error}"]
    faults = [fault(5, "kill", "i1"), fault(6, "freeze", "i2")]
    assert judge(_SENT, [_LETTER]) == told
    assert judge([*_SENT, faults[0]], [_LETTER]) == told
    assert judge([*_SENT, *faults], [_LETTER]) == []
    assert judge(_SENT, [_LETTER], bad={"a"}) == []


def test_of_the_deaths_by_poison_one_counts_against_what_is_quick() -> None:
    deaths = [fault(5, "kill", "i1", poison="p"), fault(9, "kill", "i2", poison="p")]
    assert judge([*_SENT, *deaths], [_LETTER]) == []
    assert judge([*_SENT, *deaths], [_LETTER], quick={"a"}) == [f"dead letter: a: {_LETTER.error}"]


def test_a_message_that_fails_is_no_dead_letter_while_it_has_retries() -> None:
    letter = Letter("a", "internal: The handler failed", 1)
    faults = [fault(5, "kill", "i1"), fault(6, "kill", "i2")]
    assert judge([*_SENT, *faults], [letter]) == ["dead letter: a: internal: The handler failed"]
    assert judge([*_SENT, *faults], [letter], bad={"a"}) == []


def test_a_message_is_one_dead_letter() -> None:
    assert judge(_SENT, [_LETTER, _LETTER], bad={"a"}) == ["2 dead letters of a"]


def test_a_second_run_needs_a_reason() -> None:
    assert judge([*_SENT, *_RAN, *_RAN_AGAIN], []) == ["a ran on i2 after it had run on i1, which was never cut off"]
    failed = Event(4, "failed", "work", "a", "i1")
    assert judge([*_SENT, _RAN[0], failed, *_RAN_AGAIN], []) == []


@pytest.mark.parametrize("kind", ["kill", "freeze", "partition", "stall", "loop"])
def test_a_host_that_was_cut_off_is_a_reason(kind: str) -> None:
    assert judge([*_SENT, *_RAN, fault(5, kind, "i1"), *_RAN_AGAIN], []) == []
    assert judge([*_SENT, *_RAN, fault(5, kind, "i2"), *_RAN_AGAIN], []) != []
    assert judge([*_SENT, *_RAN, *_RAN_AGAIN, fault(11, kind, "i1")], []) != []


def test_it_is_one_only_if_it_lasted_for_most_of_a_lease_while_the_host_had_the_entry() -> None:
    assert judge([*_SENT, *_RAN, fault(5, "freeze", "i1", 1.8), *_RAN_AGAIN], []) != []
    twice = [fault(5, "freeze", "i1", 1.8), fault(7, "freeze", "i1", 1.8)]
    assert judge([*_SENT, *_RAN, *twice, *_RAN_AGAIN], []) == []
    before = fault(-20, "freeze", "i1")
    assert judge([before, *_SENT, *_RAN, *_RAN_AGAIN], []) != []


def test_a_server_that_hangs_is_no_reason() -> None:
    assert judge([*_SENT, *_RAN, fault(5, "hang", "i1"), *_RAN_AGAIN], []) != []


def test_an_instance_that_stops_returns_what_it_has_not_finished() -> None:
    stop, hang = fault(5, "stop", "i1"), fault(4, "hang", "all")
    cancelled = [_RAN[0], Event(4, "cancelled", "work", "a", "i1")]
    assert judge([*_SENT, *cancelled, stop, *_RAN_AGAIN], []) == []
    early = fault(-20, "stop", "i1")  # it began what it had asked for before
    assert judge([early, *_SENT, *cancelled, *_RAN_AGAIN], []) == []
    assert judge([*_SENT, *_RAN, stop, *_RAN_AGAIN], []) != []
    assert judge([*_SENT, *_RAN, hang, stop, *_RAN_AGAIN], []) == []  # the last acknowledgement may be lost


def test_two_runs_at_once_are_told_as_such() -> None:
    runs = [_RAN[0], Event(3.5, "start", "work", "a", "i2", "2"), _RAN[1]]
    assert judge(runs, []) == ["a ran on i2 while it ran on i1, which was never cut off"]


def test_runs_of_a_background_task_follow_each_other() -> None:
    runs = [Event(time, what, "tick", "tick", by) for time, what, by in ((1, "start", "i1"), (3, "effect", "i1"))]
    assert judge([*runs, Event(4, "start", "tick", "tick", "i2")], []) == []
    assert judge([runs[0], Event(2, "start", "tick", "tick", "i2"), runs[1]], []) != []


def test_one_key_has_one_reply() -> None:
    replies = [Event(5, "ok", "keyed", "k", "client", "x"), Event(6, "ok", "keyed", "k", "client", "x")]
    assert judge(replies, []) == []
    assert judge([*replies, Event(7, "ok", "keyed", "k", "client", "y")], []) == ["key k has 2 replies: ['x', 'y']"]


def test_a_run_for_a_key_that_was_cancelled_in_time_is_followed_by_that_of_another_call() -> None:
    cancelled = [Event(3, "start", "keyed", "k", "i1", "1"), Event(4, "cancelled", "keyed", "k", "i1")]
    again = [Event(5, "start", "keyed", "k", "i1", "2"), Event(6, "effect", "keyed", "k", "i1")]
    told = ["k ran on i1 after it had run on i1, which was never cut off"]
    assert judge([*cancelled, *again], []) == told
    assert judge([*cancelled, Event(4, "unknown", "keyed", "k", "client", "timeout"), *again], []) == []
    assert judge([Event(1, "unknown", "keyed", "k", "client", "timeout"), *cancelled, *again], []) == told


def test_after_a_take_over_only_the_new_owner_replies() -> None:
    runs = [_RAN[0], Event(3.5, "start", "work", "a", "i2", "2"), _RAN[1], Event(5, "effect", "work", "a", "i2")]
    runs.insert(0, fault(2, "freeze", "i1"))
    assert judge([*runs, Event(6, "ok", "call", "a", "client", "a by i2 at 3.5000")], []) == []
    late = Event(6, "ok", "call", "a", "client", "a by i1 at 3.0000")
    assert judge([*runs, late], []) == ["call a got the reply of a run that another one had replaced: " + late.value]
    assert judge([*runs, late, fault(2, "hang", "all")], []) == []


def test_the_items_of_a_stream_are_those_of_one_run_and_all_of_them() -> None:
    ended = Event(9, "ok", "items", "s", "client")
    items = [Event(8, "item", "items", "s", "client", f"s by i1 at 1.0000#{number}") for number in range(1, 6)]
    assert judge([*items, ended], []) == []
    assert judge(items[:2], []) == []
    assert judge([*items[:4], ended], []) != []
    assert judge([ended], []) == ["the items of s are []"]
    assert judge([items[0], items[2]], []) != []
    assert judge([items[0], Event(8, "item", "items", "s", "client", "s by i2 at 2.0000#2")], []) != []


def test_the_work_of_an_event_loop_that_hangs_is_taken_over() -> None:
    ready = [Event(0, "ready", "", "i1"), Event(0, "ready", "", "i2")]
    hung = [*ready, *_SENT, _RAN[0], fault(5, "loop", "i1", 25)]
    late = [Event(40, "effect", "work", "a", "i1")]
    assert judge([*hung, *late], []) == ["a stayed on i1 while its loop hung"]
    assert judge([*hung, *_RAN_AGAIN, *late], []) == []
    assert judge([*hung, fault(6, "slow", "all"), *late], []) == []
    slow = [Event(0, "ready", "", "i1", lease=6), Event(0, "ready", "", "i2", lease=20)]
    assert judge([*slow, *hung[2:], *late], []) == []  # in its first lease, i2 takes nothing over


def test_a_call_that_kills_is_delivered_twice() -> None:
    called = Event(1, "invoke", "call", "p")
    runs = [Event(time, "start", "work", "p", f"i{time}", f"{time}") for time in (2, 5, 8)]
    deaths = [fault(run.time + 0.5, "kill", run.by, poison="p") for run in runs]
    twice = [called, runs[0], deaths[0], runs[1], deaths[1]]
    assert judge(twice, []) == []
    assert judge([*twice, runs[2], deaths[2]], []) == ["call p killed 3 processes"]


def test_no_call_is_refused_while_an_instance_serves() -> None:
    refused = [Event(5, "invoke", "call", "a"), Event(6, "fail", "call", "a", "client", "no_such_service")]
    ready = Event(1, "ready", "", "i1")
    assert judge(refused, []) == []
    assert judge([ready, *refused], []) == ["call a was refused: no_such_service"]
    assert judge([ready, fault(3, "stop", "i1"), *refused], []) == []
    assert judge([ready, fault(3, "forget", "all"), *refused], []) == []
    key = [Event(0.5, "invoke", "keyed", "k"), Event(0.6, "fail", "keyed", "k", "client", "no_such_service")]
    assert judge([*key, ready, Event(5, "invoke", "keyed", "k"), Event(6, "ok", "keyed", "k", "client", "x")], []) == []


def test_a_message_that_kills_is_given_to_five_processes_at_most() -> None:
    deaths = [fault(5 + number, "kill", f"i{number}", poison="a") for number in range(6)]
    starts = [Event(4 + number, "start", "work", "a", f"i{number}", f"{number}") for number in range(6)]
    assert "send a killed 6 processes" in judge([*_SENT, *deaths, *starts], [], bad={"a"})
    assert "send a killed 5 processes" not in judge([*_SENT, *deaths, *starts[:5]], [], bad={"a"})


def test_a_call_is_answered_where_the_clock_was_set_long_before_or_never() -> None:
    asked = [Event(20, "invoke", "call", "c", "client"), Event(25, "unknown", "call", "c", "client", "timeout")]
    told = ["call c got no answer: timeout"]
    assert judge(asked, []) == told
    assert judge([fault(16, "clock", "all +5"), *asked], []) == told
    assert judge([fault(18, "clock", "all +5"), *asked], []) == []
    assert judge([fault(10, "kill", "i1"), *asked], []) == []


def test_fences_grow() -> None:
    starts = [Event(3, "start", "work", "a", "i1", "2"), Event(9, "start", "work", "a", "i2", "1")]
    assert "a has the fence 1 after 2" in judge(starts, [])
    assert not any("fence" in problem for problem in judge([starts[0], Event(9, "start", "work", "a", "i2", "3")], []))


def test_a_handler_whose_message_was_taken_over_is_cancelled() -> None:
    frozen = fault(4, "freeze", "i1", 9.0)
    taken = [Event(3, "start", "work", "a", "i1", "1"), Event(11, "start", "work", "a", "i2", "2")]
    late = [frozen, *taken, Event(12, "effect", "work", "a", "i2"), Event(40, "effect", "work", "a", "i1")]
    assert judge(late, []) == ["a went on on i1 until 40.0, but i2 had taken it over at 11.0"]
    assert judge([*late[:-1], Event(14, "cancelled", "work", "a", "i1")], []) == []


def test_an_instance_that_was_cut_off_knows_it() -> None:
    ready, frozen = Event(1, "ready", "", "i1"), fault(4, "freeze", "i1", 18.0)
    lapses = [Event(60, "lapses", "", "i1", "i1", count) for count in ("0", "1")]
    assert judge([ready, frozen, lapses[0]], []) == ["i1 was cut off for 18.0 s, and knows nothing of it"]
    assert judge([ready, frozen, lapses[1]], []) == []
    assert judge([ready, frozen, Event(8, "healed", "", ""), lapses[0]], []) == []

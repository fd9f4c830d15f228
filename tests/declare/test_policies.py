from __future__ import annotations

from collections.abc import Callable

import pytest

from daebus.declare.policies import ListenerIdentity, Policy, action_policy, listen_options
from daebus.errors import WiringError, WiringProblem


def refusal(wrong: Callable[[], object]) -> WiringProblem:
    with pytest.raises(WiringError) as caught:
        wrong()
    (problem,) = caught.value.problems
    return problem


def test_what_is_not_said_is_sane() -> None:
    assert action_policy("action", {}) == Policy(retries=5, backoff=1.0, max_backoff=3600.0, timeout=None)


def test_each_pause_may_be_twice_as_long_as_the_one_before_up_to_the_longest() -> None:
    policy = Policy(backoff=0.5, max_backoff=60)
    for failures in (1, 2, 3, 7, 8, 9, 5_000):
        longest = min(60, 0.5 * 2.0 ** min(failures - 1, 20))
        pauses = [policy.pause(failures) for _ in range(400)]
        assert all(0 <= pause <= longest for pause in pauses)
        assert max(pauses) > 0.9 * longest
        assert min(pauses) < 0.1 * longest


def test_what_takes_time_to_pass_has_at_least_that_and_half_of_the_backoff() -> None:
    policy = Policy(backoff=1.0, max_backoff=60)
    for failures, least, most in ((1, 5, 7.5), (3, 5, 7.5), (4, 5, 8), (5, 8, 16), (9, 30, 60)):
        pauses = [policy.pause(failures, floor=5) for _ in range(400)]
        assert least <= min(pauses) < max(pauses) <= most
        assert max(pauses) - min(pauses) > 0.8 * (most - least)
    assert 0.5 <= policy.pause(1, floor=0) <= 1
    assert Policy(backoff=0.01, max_backoff=0.2).pause(1, floor=5) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("retries", -1),
        ("retries", 1.5),
        ("retries", True),
        ("backoff", 0),
        ("backoff", "1s"),
        ("max_backoff", float("inf")),
        ("timeout", -1.0),
        ("timeout", float("nan")),
        ("keep_replies", 0.0),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(option: str, value: object) -> None:
    problem = refusal(lambda: action_policy("action('work')", {option: value}))
    assert problem.code == "wrong-option"
    assert problem.found.startswith(f"{option}={value!r}, which must be")


def test_an_unknown_option_is_refused_with_the_closest_one() -> None:
    problem = refusal(lambda: action_policy("action('work')", {"retry": 3}))
    assert (problem.code, problem.found, problem.remedy) == (
        "wrong-option",
        "there is no option 'retry'",
        "did you mean retries?",
    )
    problem = refusal(lambda: listen_options("listen('events')", {"keep_replies": 3}, durable=True))
    options = "timeout, requires, retries, backoff, max_backoff, name, start, renamed_from"
    assert (problem.code, problem.remedy) == ("wrong-option", f"its options are {options}")


def test_what_is_not_kept_is_not_retried() -> None:
    problem = refusal(lambda: listen_options("listen('events')", {"timeout": 1, "retries": 3}, durable=False))
    assert (problem.code, problem.remedy) == ("never-retried", "remove retries=")
    problem = refusal(lambda: action_policy("action('count')", {"backoff": 3}, streams=True))
    assert (problem.code, problem.remedy) == ("never-retried", "remove backoff=")
    policy, _ = listen_options("listen('events')", {"timeout": 1}, durable=False)
    assert policy.timeout == 1


def test_only_a_listener_of_a_durable_channel_has_a_place() -> None:
    given = {"name": "mails", "start": "latest", "renamed_from": "users.on_event", "retries": 2}
    policy, identity = listen_options("listen('events')", given, durable=True)
    assert (policy, identity) == (Policy(retries=2), ListenerIdentity("mails", "latest", "users.on_event"))
    for name in ("name", "start", "renamed_from"):
        problem = refusal(lambda name=name: listen_options("listen('events')", {name: given[name]}, durable=False))  # type: ignore[misc]
        assert problem.code == "wrong-option"
        assert problem.remedy.startswith(f"remove {name}=, or make the channel durable")


@pytest.mark.parametrize(
    "wrong",
    [{"start": "first"}, {"name": "a:b"}, {"name": "two words"}, {"name": ""}, {"name": "a", "renamed_from": "a"}],
)
def test_a_place_that_makes_no_sense_is_refused(wrong: dict[str, str]) -> None:
    problem = refusal(lambda: listen_options("listen('events')", wrong, durable=True))
    assert problem.code in ("wrong-option", "wrong-name")

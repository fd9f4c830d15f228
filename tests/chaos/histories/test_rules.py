"""Each rule of the checker: a good history passes, and a bad one is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from .history import FAILOVER, KILLED, OVERDUE, History
from .records import Record, Recorder, read
from .rules import RULES, check, ends, excerpt


def invoke(at: float, id_: str, kind: str = "send", subject: str = "") -> Record:
    return Record(at, "client", "invoke", id_, subject or id_, kind)


def ok(at: float, id_: str, value: str = "") -> Record:
    return Record(at, "client", "ok", id_, value=value)


def run(
    process: str, number: int, subject: str, began: float, ended: float | None, code: str = "ok", fence: str = ""
) -> list[Record]:
    """A run of a handler; it replies with its id."""
    id_ = f"{process}/{number}"
    records = [Record(began, process, "start", id_, subject, value=fence)]
    if ended is not None:
        records += [Record(ended, process, "end", id_, subject, value=id_, code=code)]
    return records


def fault(since: float, until: float, *targets: str, kind: str = "freeze") -> list[Record]:
    id_ = f"fault at {since}"
    return [
        Record(since, "arena", "fault", id_, kind=kind, targets=targets),
        Record(until, "arena", "healed", id_),
    ]


def died(at: float, process: str, code: str = KILLED) -> Record:
    return Record(at, process, "died", code=code)


def lapse(at: float, process: str, seconds: float = 2.0) -> Record:
    return Record(at, process, "lapse", seconds=seconds)


def letter(subject: str, reason: str, id_: str = "1-0") -> Record:
    return Record(99, "arena", "letter", id_, subject, code="internal", value=reason)


SENT = [invoke(1, "s"), ok(1.1, "s")]
CALLED = [invoke(1, "c", "call"), ok(9, "c", "b/1")]
KEYED = [invoke(1, "k1", "keyed", "k"), ok(3, "k1", "a/1"), invoke(4, "k2", "keyed", "k"), ok(5, "k2", "a/1")]
TAKEN_OVER = [*SENT, *run("a", 1, "s", 2, 8), *run("b", 1, "s", 5, 6), *fault(2.5, 6.5, "a"), lapse(6.6, "a", 4.2)]
POISON = "It was delivered 2 times, and never finished: and each time the process that had it died"

GOOD: dict[str, list[Record]] = {
    "handled": [*SENT, *run("a", 1, "s", 2, 3)],
    "a dead letter": [
        *SENT, *(part for n in range(3) for part in run("a", n, "s", n + 2, n + 2.5, "error")), letter("s", "no")
    ],
    "not taken, and not run": [*fault(0, 1), invoke(1, "s"), Record(2, "client", "fail", "s")],
    "its outcome is unknown, and it was lost": [*fault(0, 1), invoke(1, "s"), Record(2, "client", "unknown", "s")],
    "its outcome is unknown, and it was handled": [
        *fault(0, 1), invoke(1, "s"), Record(2, "client", "unknown", "s"), *run("a", 1, "s", 2, 3)
    ],
    "lost in a failover": [*SENT, *fault(1.5, 4, kind=FAILOVER)],
    "its end was lost in a failover": [
        *SENT, *run("a", 1, "s", 2, 3), *fault(3.1, 5, kind=FAILOVER), *run("a", 2, "s", 6, 7)
    ],
    "it was told to stop, and did": [Record(3, "a", "stopping"), died(5, "a", "0")],
    "it ended as it was poisoned": [*fault(1, 6, kind="poison"), died(4, "a", "-9")],
    "it ended as it had hung": [*fault(1, 4, "a", kind="loop"), died(4.1, "a", "1")],
    "repeated after a death": [*SENT, *run("a", 1, "s", 2, None), died(3, "a"), *run("b", 1, "s", 5, 6)],
    "repeated after a death that was seen late": [
        *SENT, *run("a", 1, "s", 2, 3), died(3.1, "a"), *run("b", 1, "s", 5, 6), died(16, "a")
    ],
    "repeated, as its owner died before it was settled": [
        *SENT, *run("a", 1, "s", 2, 3), died(3.1, "a"), *run("b", 1, "s", 5, 6)
    ],
    "repeated after a failure": [*SENT, *run("a", 1, "s", 2, 3, "error"), *run("a", 2, "s", 4, 5)],
    "repeated after a stop": [
        *SENT, *run("a", 1, "s", 2, 6, "cancelled"), Record(3, "a", "stopping"), *run("b", 1, "s", 7, 8)
    ],
    "repeated after a stop that could not settle it in time": [
        *SENT, *run("a", 1, "s", 2, 2.5), Record(3, "a", "stopping"), died(11, "a", "1"), *run("b", 1, "s", 12, 13)
    ],
    "it was poisoned again after the fault": [*fault(1, 6, kind="poison"), died(9, "a", "-9")],
    "it could not start on a busy machine": [*fault(1, 6, kind="busy machine"), died(7, "a", "1")],
    "a smaller fence, as a failover lost the retry": [
        *SENT, *run("a", 1, "s", 2, 3, "error", fence="2"), *fault(3.5, 4, kind=FAILOVER),
        *run("a", 2, "s", 6, 7, fence="1")
    ],
    "two dead letters, as the process died between two steps": [
        *SENT, *(part for n in range(3) for part in run("a", n, "s", n + 2, n + 2.5, "error")), died(4.6, "a"),
        *run("b", 1, "s", 7, 8, "error"), letter("s", "no"), letter("s", "no", "2-0")
    ],
    "repeated after a lapse that was logged": TAKEN_OVER,
    "a call after a death": [*CALLED, *run("a", 1, "c", 2, None), died(3, "a"), *run("b", 1, "c", 5, 6)],
    "one key": [*KEYED, *run("a", 1, "k", 2, 3)],
    "one key, whose first caller gave up": [
        invoke(1, "k1", "keyed", "k"), invoke(2, "k2", "keyed", "k"), *run("a", 1, "k", 3, 9, "cancelled"),
        Record(9.1, "client", "unknown", "k1"), *run("a", 2, "k", 9.5, 10), ok(11, "k2", "a/2"), *fault(8, 9.2),
    ],
    "poison": [
        *SENT, *run("a", 1, "s", 2, None), died(3, "a"), *run("b", 1, "s", 5, None), died(6, "b"), letter("s", POISON)
    ],
    "greater fences": [
        *SENT, *run("a", 1, "s", 2, None, fence="1"), died(3, "a"), *run("b", 1, "s", 5, 6, fence="2")
    ],
    "a smaller fence, as it was frozen before it began": [
        *SENT, *fault(2, 6, "a"), *run("b", 1, "s", 5, 5.5, fence="2"), *run("a", 1, "s", 6.1, None, fence="1"),
        *fault(5.4, 9, "b"), lapse(6.2, "a", 4), lapse(9.1, "b", 4),
    ],
    "a lapse while all were cut off": [*fault(2, 5), lapse(5.1, "a", 3)],
    "a lapse of a process that had to wait": [Record(5, "a", "starved", seconds=3), lapse(5.1, "a", 3)],
}  # fmt: skip

BAD: dict[str, tuple[str, list[Record]]] = {
    "never handled": ("lost", SENT),
    "it only failed, and is no dead letter": ("lost", [*SENT, *run("a", 1, "s", 2, 3, "error")]),
    "its process died, and nobody took it over": ("lost", [*SENT, *run("a", 1, "s", 2, None), died(3, "a")]),
    "lost long before a failover": ("lost", [*SENT, *fault(9, 10, kind=FAILOVER)]),
    "not taken, and run": ("refused", [invoke(1, "s"), Record(2, "client", "fail", "s"), *run("a", 1, "s", 3, 4)]),
    "repeated without a reason": ("repeats", [*SENT, *run("a", 1, "s", 2, 3), *run("b", 1, "s", 5, 6)]),
    "repeated, and another one died": (
        "repeats", [*SENT, *run("a", 1, "s", 2, 3), died(3.1, "b"), *run("c", 1, "s", 5, 6)]
    ),
    "repeated, and its owner died much later": (
        "repeats", [*SENT, *run("a", 1, "s", 2, 3), *run("b", 1, "s", 5, 6), died(9, "a")]
    ),
    "repeated after a short freeze": (
        "repeats", [*SENT, *run("a", 1, "s", 2, 8), *fault(3, 3.6, "a"), lapse(4, "a"), *run("b", 1, "s", 5, 6)]
    ),
    "repeated as the server hung": (
        "repeats", [*SENT, *run("a", 1, "s", 2, 8), *fault(3, 6), lapse(6.1, "a"), *run("b", 1, "s", 7, 9)]
    ),
    "a request with a key was cancelled, and its caller still waited": (
        "repeats",
        [
            invoke(1, "k1", "keyed", "k"), *run("a", 1, "k", 3, 4, "cancelled"), *run("a", 2, "k", 5, 6),
            ok(7, "k1", "a/2"),
        ],
    ),
    "a call that failed ran again": (
        "repeats", [*CALLED, *run("a", 1, "c", 2, 3, "error"), *run("b", 1, "c", 5, 6)]
    ),
    "a call ran three times": (
        "calls",
        [
            *CALLED, *run("a", 1, "c", 2, None), died(3, "a"), *run("c", 1, "c", 4, None), died(5, "c"),
            *run("b", 1, "c", 6, 7),
        ],
    ),
    "a reply of nobody": ("calls", [*CALLED, *run("a", 1, "c", 2, 3)]),
    "two replies for a key": (
        "keys", [*KEYED[:3], ok(5, "k2", "b/1"), *run("a", 1, "k", 2, 3), died(3.5, "a"), *run("b", 1, "k", 4, 5)]
    ),
    "two ends of a key": ("keys", [*KEYED, *run("a", 1, "k", 2, 3), *run("b", 1, "k", 5, 6)]),
    "two had it at one time": ("overlaps", [*SENT, *run("a", 1, "s", 2, 6, "error"), *run("b", 1, "s", 4, 5)]),
    "two had it at one time, and the fault came later": (
        "overlaps", [*SENT, *run("a", 1, "s", 2, 9), *run("b", 1, "s", 4, 5), *fault(6, 9, "a")]
    ),
    "the same fence": (
        "fences", [*SENT, *run("a", 1, "s", 2, None, fence="1"), died(3, "a"), *run("b", 1, "s", 5, 6, fence="1")]
    ),
    "a smaller fence": (
        "fences", [*SENT, *run("a", 1, "s", 2, None, fence="2"), died(3, "a"), *run("b", 1, "s", 5, 6, fence="1")]
    ),
    "buried after one failure": (
        "letters", [*SENT, *run("a", 1, "s", 2, 3, "error"), letter("s", "The handler failed")]
    ),
    "buried as poison after one death": (
        "letters", [*SENT, *run("a", 1, "s", 2, None), died(3, "a"), letter("s", POISON)]
    ),
    "buried twice": (
        "letters",
        [
            *SENT, *(part for n in range(3) for part in run("a", n, "s", n + 2, n + 2.5, "error")),
            letter("s", "no"), letter("s", "no", "2-0"),
        ],
    ),
    "a lapse that was not logged": ("lapses", TAKEN_OVER[:-1]),
    "a lapse without a cause": ("lapses", [lapse(5, "a")]),
    "it did not stop in time": ("exits", [Record(3, "a", "stopping"), died(20, "a", OVERDUE)]),
    "it ended by itself": ("exits", [died(3, "a", "1")]),
    "an error, and nothing was broken": ("errors", [invoke(1, "s"), Record(9, "client", "unknown", "s")]),
    "an error long after what was broken": (
        "errors", [*fault(1, 5), invoke(20, "s"), Record(29, "client", "unknown", "s")]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_passes(name: str) -> None:
    assert check(History(GOOD[name])) == []


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_found(name: str) -> None:
    rule, records = BAD[name]
    assert rule in {finding.rule for finding in check(History(records))}


@pytest.mark.parametrize("rule", [rule.__name__ for rule in RULES])
def test_each_rule_finds_a_bad_history(rule: str) -> None:
    assert rule in {rule for rule, _ in BAD.values()}


def test_ends_are_counted_by_their_fences() -> None:
    stale = [*run("a", 1, "s", 2, 9, fence="1"), *run("b", 1, "s", 5, 6, fence="2")]
    both = [*run("a", 1, "s", 2, 4, fence="1"), *run("b", 1, "s", 5, 6, fence="2")]
    assert ends(History([*SENT, *stale]), "s") == 1
    assert ends(History([*SENT, *both]), "s") == 2
    assert ends(History(SENT), "s") == 0


def test_a_history_survives_its_process(tmp_path: Path) -> None:
    """What was added is there though the file was never closed, and half a line is not read."""
    one, other = Recorder(tmp_path, "one"), Recorder(tmp_path, "other")
    one.add("invoke", "s", subject="s", kind="send", at=2)
    other.add("start", "other/1", subject="s", at=3)
    one.add("ok", "s", at=1)
    with (tmp_path / "other.history").open("ab") as file:
        file.write(b'{"at": 4, "proc')
    assert [record.what for record in read(tmp_path)] == ["ok", "invoke", "start"]
    one.close()
    other.close()


def test_the_excerpt_has_what_was_broken_around_it() -> None:
    records = [*TAKEN_OVER, *run("c", 1, "other", 3, 4), *fault(3, 4, "c")]
    lines = "\n".join(excerpt(History(records), "s"))
    assert all(part in lines for part in ('"invoke"', '"a/1"', '"b/1"', '"fault"', '"lapse"'))
    assert '"c/1"' not in lines
    assert '"c"' not in lines

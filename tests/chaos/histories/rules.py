"""The checker: what must hold in every history. Each rule is a pure function from a history to what it finds wrong.

A handler may run again for a message only with an excuse: its process died, or was told to stop, or something was
broken for this process *alone* and for about as long as its lease. What hits all processes alike (a server that hangs
or is killed, a clock that is set, a key that is deleted) is no excuse: whoever lives keeps its work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise

import msgspec

from .history import FAILOVER, KILLED, NEVER, OVERDUE, History, Run

__all__ = ["KINDS", "RULES", "Finding", "check", "ends", "excerpt", "excuse"]

_SHORTEST = 0.6
"""Of a lease: a shorter fault lets nobody count as dead, as a heartbeat is sent each third of a lease."""

_SECOND_RUNS = 2
_DELIVERED = re.compile(r"It was delivered (\d+) times")
_TOLD_AFTER = 3.0
_LAG, _DEMOTION = 2.0, 4.0
_RECOVERY = 6.0
_HANGS = ("gil", "loop", "freeze")
_BY_ITSELF = "-9"
_ATTEMPTS = 3
_GIVEN_UP = 2.0

KINDS = ("send", "event", "call", "keyed", "stream", "thread", "flaky", "doomed")
"""What clients do. ``doomed`` requests fail at each of their three attempts, ``flaky`` ones only at first."""


class Finding(msgspec.Struct, frozen=True):
    """Something that must not be.

    Attributes:
        rule: Which rule it breaks.
        subject: What it is about.
        text: A sentence for people.
    """

    rule: str
    subject: str
    text: str


def excuse(history: History, run: Run) -> str | None:
    """Why a message may be handled again after this run; None: it must not be."""
    process, lease = run.process, history.lease_of(run.process)
    until = run.ended + lease
    if run.began <= history.deaths.get(process, NEVER) <= until < NEVER:
        return "died"
    is_settled = run.code not in ("", "cancelled") and history.exits.get(process, "0") == "0"
    if not is_settled and history.stops.get(process, NEVER) <= until:
        return "stopped"
    if _is_forgotten(history, run.ended):
        return "failover"
    for fault in history.faults:
        if fault.hits(process) and fault.seconds >= _SHORTEST * lease and fault.meets(run.began, until):
            return fault.kind
    return None


def _is_forgotten(history: History, at: float) -> bool:
    """Whether what a server acknowledged at this time was lost in a failover."""
    return any(
        fault.kind == FAILOVER and fault.since - _LAG <= at <= fault.until + _DEMOTION for fault in history.faults
    )


def _may_retry(history: History, run: Run) -> bool:
    kind = history.kind_of(run.subject)
    return (run.code == "error" and kind != "call") or (kind == "keyed" and _is_given_up(history, run))


def _is_given_up(history: History, run: Run) -> bool:
    """Whether the caller of a run gave up, so that it was cancelled: then the next request with the key runs."""
    return run.code == "cancelled" and any(
        operation.outcome == "unknown" and abs(operation.ended - run.ended) < _GIVEN_UP
        for operation in history.about[run.subject]
    )


def is_repeated(history: History, runs: Sequence[Run]) -> bool:
    """Whether a message ran again although the run before had not failed."""
    return any(not _may_retry(history, run) for run in runs[:-1])


def lost(history: History) -> Iterator[Finding]:
    """What was acknowledged was handled to its end, or is a dead letter."""
    letters = {letter.subject for letter in history.letters.values()}
    for operation in history.operations.values():
        if operation.outcome != "ok" or operation.subject in letters:
            continue
        if _is_forgotten(history, operation.ended):
            continue
        if not any(run.code == "ok" for run in history.runs.get(operation.subject, ())):
            runs = len(history.runs.get(operation.subject, ()))
            yield Finding(
                "lost", operation.subject, f"{operation.kind} {operation.id}: ok, and never ended; runs: {runs}"
            )


def refused(history: History) -> Iterator[Finding]:
    """What a caller was told is not taken has not run."""
    for subject, operations in history.about.items():
        if history.runs.get(subject) and all(operation.outcome == "fail" for operation in operations):
            yield Finding("refused", subject, "its caller was told that it was not taken, and it ran")


def repeats(history: History) -> Iterator[Finding]:
    """Each run but the last one of a message has an excuse."""
    for subject, runs in history.runs.items():
        for run in runs[:-1]:
            if excuse(history, run) is None and not _may_retry(history, run):
                text = f"run {run.id} has no excuse, and it ran again ({len(runs)} runs)"
                yield Finding("repeats", subject, text)


def calls(history: History) -> Iterator[Finding]:
    """A call runs at most twice, and the second time only after the death or the lapse of its owner."""
    for operation in history.operations.values():
        if operation.kind not in ("call", "stream"):
            continue
        runs = history.runs.get(operation.subject, [])
        if len(runs) > _SECOND_RUNS:
            yield Finding("calls", operation.subject, f"it ran {len(runs)} times")
        if operation.outcome == "ok" and operation.value not in {run.value for run in runs if run.code == "ok"}:
            yield Finding("calls", operation.subject, f"the reply {operation.value!r} is of no run that ended")


def keys(history: History) -> Iterator[Finding]:
    """Requests with one key have one effect, and all of them get the same reply."""
    for subject, operations in history.about.items():
        if operations[0].kind != "keyed":
            continue
        values = {operation.value for operation in operations if operation.outcome == "ok"}
        if len(values) > 1:
            yield Finding("keys", subject, f"different replies: {sorted(values)}")
        ended = [run for run in history.runs.get(subject, ()) if run.code == "ok"]
        if values and not values <= {run.value for run in ended}:
            yield Finding("keys", subject, f"a reply of no run that ended: {sorted(values)}")
        for run in ended[:-1]:
            if excuse(history, run) is None:
                yield Finding("keys", subject, f"it ended {len(ended)} times, and {run.id} has no excuse")


def overlaps(history: History) -> Iterator[Finding]:
    """Two processes have a message in hand at one time only if the first of them was broken before the second began."""
    for subject, runs in history.runs.items():
        for first, second in combinations(runs, 2):
            if second.began >= first.ended:
                continue
            since = first.began - history.lease_of(first.process)
            broken = any(fault.hits(first.process) and fault.meets(since, second.began) for fault in history.faults)
            if not broken and history.stops.get(first.process, NEVER) > second.began:
                text = f"{first.id} and {second.id} had it at one time, and nothing was broken for {first.process}"
                yield Finding("overlaps", subject, text)


def fences(history: History) -> Iterator[Finding]:
    """Each run of a message has a greater fence than those before, unless its process was broken when it began."""
    for subject, runs in history.runs.items():
        for first, second in pairwise(run for run in runs if run.fence):
            lease = history.lease_of(second.process)
            faults = [fault for fault in history.faults if fault.hits(second.process)]
            if _is_forgotten(history, first.began):  # its entry may be gone, and one before it may be there again
                continue
            late = any(fault.meets(second.began - lease, second.began) for fault in faults)
            if second.fence == first.fence or (second.fence < first.fence and not late):
                text = f"{second.id} began after {first.id}, with the fence {second.fence} after {first.fence}"
                yield Finding("fences", subject, text)


def ends(history: History, subject: str) -> int:
    """How often a message ended well, as a store counts it that refuses the fences of earlier deliveries."""
    newest, count = "", 0
    marks = [(at, run.fence, False) for run in history.runs.get(subject, ()) for at in run.effects]
    marks += [(run.ended, run.fence, True) for run in history.runs.get(subject, ()) if run.code == "ok"]
    for _, fence, is_end in sorted(marks):
        if fence >= newest:
            newest = fence
            count += is_end
    return count


def letters(history: History) -> Iterator[Finding]:
    """Each dead letter is of a message that failed at each attempt, or at whose runs so many processes died."""
    seen: set[str] = set()
    for letter in history.letters.values():
        runs = history.runs.get(letter.subject, [])
        # On a cluster it is written in one step, and acknowledged in another.
        if letter.subject in seen and not any(excuse(history, run) for run in runs):
            yield Finding("letters", letter.subject, "it is a dead letter twice")
        seen.add(letter.subject)
        told = _DELIVERED.search(letter.reason)
        if told is None:
            failed = sum(run.code == "error" for run in runs)
            if failed < _ATTEMPTS:
                yield Finding(
                    "letters", letter.subject, f"{letter.code}: it failed only {failed} times: {letter.reason}"
                )
        else:
            deaths = sum(excuse(history, run) is not None for run in runs)
            if deaths < int(told[1]):
                yield Finding("letters", letter.subject, f"{letter.reason}: only {deaths} of its runs were broken off")


def lapses(history: History) -> Iterator[Finding]:
    """A process whose work another one took over, and that lives, has logged that it was cut off; and only then."""
    for subject, runs in history.runs.items():
        for run, following in pairwise(runs):
            if following.process != run.process and _is_silent(history, run, following):
                text = f"{following.id} took over from {run.process}, which did not log that it was cut off"
                yield Finding("lapses", subject, text)
    for lapse in history.lapses:
        since = lapse.at - lapse.seconds - history.lease_of(lapse.process)
        if not any(
            (fault.hits(lapse.process) or not fault.targets) and fault.meets(since, lapse.at)
            for fault in history.faults
        ):
            text = f"{lapse.process} was cut off for {lapse.seconds} s, and nothing was broken"
            yield Finding("lapses", lapse.process, text)


def exits(history: History) -> Iterator[Finding]:
    """A process ends only if it is killed or told to stop, or if it hung; and whoever is told to stop does in time."""
    for process, code in history.exits.items():
        if code == OVERDUE:
            yield Finding("exits", process, "it was told to stop, and did not in time")
        elif code != KILLED and process not in history.stops:
            hung = any(fault.kind in _HANGS and fault.hits(process) for fault in history.faults)
            at = history.deaths[process]
            poisoned = code == _BY_ITSELF and any(one.kind == "poison" and one.since <= at for one in history.faults)
            starved = any(one.kind == "busy machine" and one.meets(at - _RECOVERY, at) for one in history.faults)
            if not (hung or poisoned or starved):
                yield Finding("exits", process, f"it ended by itself, with {code}")


def errors(history: History) -> Iterator[Finding]:
    """An operation fails only if something was broken at that time, or shortly before."""
    for operation in history.operations.values():
        if operation.outcome == "ok":
            continue
        since, until = operation.began - _RECOVERY, operation.ended
        deaths = any(since <= at <= until for at in (*history.deaths.values(), *history.stops.values()))
        if not deaths and not any(fault.meets(since, until) for fault in history.faults):
            text = f"{operation.kind} {operation.id} ended with {operation.code or 'nothing'}, and nothing was broken"
            yield Finding("errors", operation.subject, text)


def _is_silent(history: History, run: Run, following: Run) -> bool:
    """Whether the process of a run must have logged a lapse, and did not."""
    if _may_retry(history, run):
        return False
    lease = history.lease_of(run.process)
    faults = [fault for fault in history.faults if fault.hits(run.process) and fault.meets(run.began, following.began)]
    told_until = max((fault.until for fault in faults), default=following.began) + lease + _TOLD_AFTER
    gone = min(history.deaths.get(run.process, NEVER), history.stops.get(run.process, NEVER))
    if gone <= told_until:
        return False
    return not any(
        lapse.process == run.process and run.began - lease <= lapse.at <= told_until for lapse in history.lapses
    )


Rule = Callable[[History], Iterator[Finding]]

RULES: Sequence[Rule] = (lost, refused, repeats, calls, keys, overlaps, fences, letters, lapses, exits, errors)
"""All rules."""


def check(history: History) -> list[Finding]:
    """What is wrong with a history, by all rules."""
    return [finding for rule in RULES for finding in rule(history)]


def excerpt(history: History, subject: str) -> list[str]:
    """The part of a history that is about a subject, one line for each record, with the faults at that time."""
    ids = {operation.id for operation in history.operations.values() if operation.subject == subject}
    runs = {run.id: run for run in history.runs.get(subject, ())}
    processes = {run.process for run in runs.values()} or {subject}
    about = [record for record in history.records if record.subject == subject or record.id in ids or record.id in runs]
    since = min((record.at for record in about), default=0.0) - _TOLD_AFTER
    until = max((record.at for record in about), default=NEVER) + _TOLD_AFTER
    around = ("fault", "healed", "died", "stopping", "starved", "lapse")
    known = {id(record) for record in about}
    chosen = [
        record
        for record in history.records
        if id(record) in known
        or (
            record.what in around
            and since <= record.at <= until
            and (not record.targets or processes & set(record.targets) or record.process in processes)
        )
    ]
    return [msgspec.json.encode(record).decode() for record in chosen]

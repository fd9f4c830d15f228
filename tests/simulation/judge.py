"""The judge of a history: what was promised, checked line by line."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from .history import HUNG_AFTER, Event
from .service import PIECES

__all__ = ["Letter", "Run", "judge", "runs_of"]

_CUT_OFF = {"kill", "freeze", "orphan", "partition", "stall", "loop"}
"""The faults of one host."""

_STOPPED = {"stop", "lease"}
"""The faults after which an instance stops. It returns what it does not finish in time."""

_COMMON = {"hang", "stutter", "slow", "clock", "forget"}
"""The faults that hit all hosts."""

_SILENCE = 0.6
"""An instance may count as dead after so much of its lease: it sends a heartbeat in every third of one."""

_SETTLING = 10.0
"""Seconds for which the settling of an entry may take after its handler has ended, on a connection that stalls."""

_FEWEST_DELIVERIES, _MOST_DELIVERIES = 2, 5
"""How often a call, and what is sent, is delivered at most if it kills its process."""

_READY_LEASES = 1.5
"""Leases after its start within which an instance has looked for dead ones."""

_LATE_SECONDS = 1.0
"""Seconds within which a caller and the handler both find that the time is over."""

_CLOCK_SECONDS = 3.0
"""Seconds after which each process knows that the clock of the server was set."""

_TOLD_LEASES, _TOLD_SECONDS = 1.5, 10.0
"""An instance that was cut off for so many leases learns what it has lost, within so many seconds."""

_NEVER_FINISHED = "never finished"


class Letter(NamedTuple):
    """A dead letter.

    Attributes:
        name: The name of its job.
        error: Why it is one.
        deliveries: How often it was delivered.
    """

    name: str
    error: str
    deliveries: int


class Run(NamedTuple):
    """One run of a handler.

    Attributes:
        host: Where it ran.
        begin: When it started.
        end: When it ended, was cancelled, or died with its host.
        how: ``effect``, ``failed``, ``cancelled``, ``fault`` for the death of its host, or nothing.
    """

    host: str
    begin: float
    end: float
    how: str


def judge(
    events: Sequence[Event], letters: Sequence[Letter], *, bad: Collection[str] = (), quick: Collection[str] = ()
) -> list[str]:
    """The broken promises in a history.

    Args:
        events: The history.
        letters: The dead letters.
        bad: The jobs that fail at each attempt, or kill their process.
        quick: The jobs that take no longer than a suspect runs alone.
    """
    runs = runs_of(events)
    return [
        *_lost(events, letters),
        *_repeated(events, runs),
        *_keys(events),
        *_buried(events, [letter for letter in letters if letter.name not in bad], quick),
        *_doubled(letters),
        *_streams(events),
        *_replies(events, runs),
        *_pinned(events, runs),
        *_poisoned(events, runs),
        *_refused(events),
        *_unanswered(events),
        *_unfenced(events),
        *_undone(events, runs),
        *_unnoticed(events),
    ]


def _lost(events: Sequence[Event], letters: Sequence[Letter]) -> Iterator[str]:
    """What was accepted has an effect, or is a dead letter."""
    ended = {event.name for event in events if event.what == "effect"} | {letter.name for letter in letters}
    for event in events:
        if event.what == "ok" and event.kind in ("send", "publish") and event.name not in ended:
            yield f"lost: {event.kind} {event.name}"


def _repeated(events: Sequence[Event], runs: Mapping[str, Sequence[Run]]) -> Iterator[str]:
    """Nothing runs twice, nor on two hosts at once, unless its first host died or was cut off before, or it failed.

    A run for a key that was cancelled as its caller's time was over is no end: another call with the key runs again.
    """
    late = [(event.name, event.time) for event in events if event.what == "unknown" and event.kind == "keyed"]
    for name, of_it in runs.items():
        for earlier, later in itertools.pairwise(of_it):
            retried = name == "tick" or earlier.how == "failed"
            if earlier.how == "cancelled":
                retried = retried or any(key == name and abs(time - earlier.end) < _LATE_SECONDS for key, time in late)
            if not (retried and earlier.end <= later.begin) and not _was_cut_off(events, earlier, later.begin):
                how = "while it ran" if later.begin < earlier.end else "after it had run"
                yield f"{name} ran on {later.host} {how} on {earlier.host}, which was never cut off"


def runs_of(events: Sequence[Event]) -> dict[str, list[Run]]:
    """The runs of each job, in the order of their starts; those of a key belong together."""
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for index, event in enumerate(events):
        if event.what == "start":
            ends = (
                later
                for later in events[index:]
                if (later.by == event.by and later.name == event.name and later.what in _ENDS)
                or (later.what == "fault" and later.kind == "kill" and later.name == event.by)
            )
            end = next(ends, None)
            run = (float("inf"), "") if end is None else (end.time, end.what)
            found[event.name].append(Run(event.by, event.time, *run))
    return found


_ENDS = ("effect", "failed", "cancelled")


def _was_cut_off(events: Sequence[Event], run: Run, before: float) -> bool:
    """Whether the host of a run was silent for a lease while it had the entry, or stopped before the run had ended.

    If the server hangs when it stops, the acknowledgement of a run that has ended may get lost, too.
    """
    faults = [event for event in events if event.what == "fault" and event.time < before]
    hung = any(event.kind in ("hang", "stutter") for event in faults)
    silent = 0.0
    for event in faults:
        if event.name != run.host or event.time > run.end + _SETTLING:
            continue
        if event.kind in _STOPPED and (hung or run.how == "cancelled"):
            return True
        if event.kind in _CUT_OFF and event.time + event.seconds >= run.begin:
            silent += event.seconds / event.lease
    return silent >= _SILENCE


def _doubled(letters: Sequence[Letter]) -> Iterator[str]:
    """A message is one dead letter."""
    for name, count in Counter(letter.name for letter in letters).items():
        if count > 1:
            yield f"{count} dead letters of {name}"


def _buried(events: Sequence[Event], letters: Sequence[Letter], quick: Collection[str]) -> Iterator[str]:
    """A harmless message is a dead letter only if as many faults as it had deliveries can have broken it off.

    Of all that was in flight on a process that a poisonous message kills, each counts the first death. After that only
    what takes longer than its time alone can be hit again.
    """
    faults = [event for event in events if event.what == "fault" and event.kind in _CUT_OFF]
    poisoned = sum(bool(event.value) for event in faults)
    others = len(faults) - poisoned
    for letter in letters:
        deaths = others + (min(poisoned, 1) if letter.name in quick else poisoned)
        if _NEVER_FINISHED not in letter.error or deaths < max(letter.deliveries, _FEWEST_DELIVERIES):
            yield f"dead letter: {letter.name}: {letter.error}"


def _keys(events: Sequence[Event]) -> Iterator[str]:
    """All calls with one key get the same reply."""
    replies: defaultdict[str, set[str]] = defaultdict(set)
    for event in events:
        if event.what == "ok" and event.kind == "keyed":
            replies[event.name].add(event.value)
    for key, found in replies.items():
        if len(found) > 1:
            yield f"key {key} has {len(found)} replies: {sorted(found)}"


def _streams(events: Sequence[Event]) -> Iterator[str]:
    """The items of a stream are those of one run, in order, and all of them where it ends well."""
    items: defaultdict[str, list[str]] = defaultdict(list)
    for event in events:
        if event.what == "item":
            items[event.name].append(event.value)
    ended = {event.name for event in events if event.what == "ok" and event.kind == "items"}
    for name in ended | set(items):
        found = items[name]
        run = found[0].partition("#")[0] if found else ""
        whole = [f"{run}#{number}" for number in range(1, PIECES + 1)]
        if found != (whole if name in ended else whole[: len(found)]):
            yield f"the items of {name} are {found}"


def _replies(events: Sequence[Event], runs: Mapping[str, Sequence[Run]]) -> Iterator[str]:
    """A reply is that of the last run which began before it ended: after a take-over only the new owner replies.

    What waits in the socket of a server that hangs counts all the same.
    """
    if any(event.what == "fault" and event.kind in ("hang", "stutter") for event in events):
        return
    for event in events:
        if event.what == "ok" and event.kind in ("call", "keyed"):
            of_it = runs.get(event.name, ())
            own = next((run for run in of_it if event.value == f"{event.name} by {run.host} at {run.begin:.4f}"), None)
            if own is not None and any(own.begin < run.begin < own.end for run in of_it):
                yield f"{event.kind} {event.name} got the reply of a run that another one had replaced: {event.value}"


def _pinned(events: Sequence[Event], runs: Mapping[str, Sequence[Run]]) -> Iterator[str]:
    """While an event loop hangs, an instance to which nothing happens takes over from it.

    An instance takes nothing over in the first lease after its start. It looks again after a third of a lease.
    """
    faults = [event for event in events if event.what == "fault"]
    hosts = {event.name for event in faults}
    if any(event.kind in _COMMON for event in faults):
        return
    for fault in faults:
        until = fault.time + fault.seconds
        heirs = [event for event in events if event.what == "ready" and event.name not in hosts]
        healthy = any(event.time < fault.time and event.time + _READY_LEASES * event.lease < until for event in heirs)
        if fault.kind != "loop" or fault.seconds <= HUNG_AFTER or not healthy:
            continue
        held = [
            name
            for name, of_it in runs.items()
            if name != "tick"
            and any(run.host == fault.name and run.begin < fault.time and run.end >= until for run in of_it)
        ]
        taken = [name for name in held if any(fault.time < run.begin < until for run in runs[name])]
        if held and not taken and sum(other.name == fault.name for other in faults) == 1:
            yield f"{', '.join(held)} stayed on {fault.name} while its loop hung"


def _poisoned(events: Sequence[Event], runs: Mapping[str, Sequence[Run]]) -> Iterator[str]:
    """A message that kills its process is given to a few more, and no more."""
    killers = {event.value for event in events if event.what == "fault" and event.value}
    for event in events:
        if event.what == "invoke" and event.name in killers:
            count = len(runs[event.name])
            if count > (_FEWEST_DELIVERIES if event.kind == "call" else _MOST_DELIVERIES):
                yield f"{event.kind} {event.name} killed {count} processes"


def _refused(events: Sequence[Event]) -> Iterator[str]:
    """A call is not told that there is no such service while an instance serves it.

    A registry that is lost or whose clock is set needs a moment; so does an instance that starts.
    """
    faults = [event for event in events if event.what == "fault"]
    if any(event.kind in ("clock", "forget") for event in faults):
        return
    gone = {event.name for event in faults if event.kind in _CUT_OFF | _STOPPED}
    serving = min((event.time for event in events if event.what == "ready" and event.name not in gone), default=None)
    for event, begun in _ends(events):
        is_refused = event.what == "fail" and event.value in ("no_such_service", "no_such_action")
        if is_refused and serving is not None and begun > serving + 1:
            yield f"{event.kind} {event.name} was refused: {event.value}"


def _unanswered(events: Sequence[Event]) -> Iterator[str]:
    """A call is answered if nothing breaks, also some seconds after the clock was set."""
    faults = [event for event in events if event.what == "fault"]
    if any(event.kind != "clock" for event in faults):
        return
    for event, begun in _ends(events):
        if event.kind in ("call", "keyed") and event.value in ("timeout", "unavailable"):
            since = begun - _CLOCK_SECONDS
            if not any(since <= fault.time <= event.time for fault in faults):
                yield f"{event.kind} {event.name} got no answer: {event.value}"


def _ends(events: Sequence[Event]) -> Iterator[tuple[Event, float]]:
    """How the operations of the client ended, and when they began: of some with one key, the first that goes on."""
    begun: defaultdict[str, list[float]] = defaultdict(list)
    for event in events:
        if event.what == "invoke":
            begun[event.name].append(event.time)
        elif event.what in ("ok", "fail", "unknown") and begun[event.name]:
            yield event, begun[event.name][0]
            begun[event.name].pop()


def _unfenced(events: Sequence[Event]) -> Iterator[str]:
    """Each run of a message has a greater fence than those before."""
    fences: dict[str, str] = {}
    for event in events:
        if event.what == "start" and event.name != "tick":
            before = fences.get(event.name, "")
            if event.value <= before:
                yield f"{event.name} has the fence {event.value or 'none'} after {before or 'none'}"
            fences[event.name] = event.value


def _undone(events: Sequence[Event], runs: Mapping[str, Sequence[Run]]) -> Iterator[str]:
    """A handler whose message was taken over is cancelled once its instance is in reach again."""
    faults = [event for event in events if event.what == "fault"]
    stopped = {event.name for event in faults if event.kind in _STOPPED}
    for name, of_it in runs.items():
        for earlier, later in itertools.combinations(of_it, 2):
            own = [fault for fault in faults if fault.name in (earlier.host, "all") or fault.kind in _COMMON]
            again = max([later.begin, *(fault.time + fault.seconds for fault in own if fault.time < earlier.end)])
            if (
                later.host != earlier.host not in stopped
                and later.begin < earlier.end
                and earlier.how in ("effect", "failed")
                and earlier.end > again + _TOLD_SECONDS
            ):
                taken = f"{later.host} had taken it over at {later.begin:.1f}"
                yield f"{name} went on on {earlier.host} until {earlier.end:.1f}, but {taken}"


def _unnoticed(events: Sequence[Event]) -> Iterator[str]:
    """An instance that was cut off for longer than its lease knows it."""
    lapses = {event.name: int(event.value) for event in events if event.what == "lapses"}
    ready = {event.name: event.time for event in events if event.what == "ready"}
    healed = next((event.time for event in events if event.what == "healed"), float("inf"))
    for fault in events:
        if fault.what == "fault" and fault.kind in ("freeze", "partition") and lapses.get(fault.name) == 0:
            seconds = min(fault.time + fault.seconds, healed) - fault.time
            if seconds > _TOLD_LEASES * fault.lease and ready[fault.name] < fault.time:
                yield f"{fault.name} was cut off for {seconds:.1f} s, and knows nothing of it"

"""Mutations: each takes one mend out of a copy of daebus, and something must find it.

That is the simulation, a round of faults, or, where processes and threads matter, which a simulation has not, a test.
``python -m tests.simulation.mutations`` tries all, ``--only gap,keys`` some of them. It prints a table.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

__all__ = ["MUTATIONS", "Mutation", "mutated", "searched"]

_ROOT = Path(__file__).parents[2]
_SOURCE = _ROOT / "src" / "daebus"
_SECONDS = 60.0


class Mutation(msgspec.Struct, frozen=True):
    """A mend that is taken out.

    Attributes:
        mend: What it ensures.
        file: Where it stands, in the folder of daebus.
        before: Its text, which the file has once.
        after: What stands there without it.
        faults: The kinds of faults of the simulation that show it; of a round of ``nox -s chaos`` if it has `rounds`.
        rounds: Whether it needs real processes.
        test: The test that finds it, if a simulation cannot.
    """

    mend: str
    file: str
    before: str
    after: str
    faults: tuple[str, ...] = ()
    rounds: bool = False
    test: str = ""


MUTATIONS: Mapping[str, Mutation] = {
    "confirmation": Mutation(
        "after a lapse, an entry is confirmed before it is settled",
        "queues/settler.py",
        "if confirmed is None and (tenure is None or one.entry.tenure != tenure):",
        "if confirmed is None and one.entry.is_lost:",
        ("freeze", "partition"),
    ),
    "gap": Mutation(
        "where nobody has sent a heartbeat for half a lease, nothing is taken over",
        "queues/lease_scripts.py",
        "if passed > own / 2 then redis.call('ZADD', registry, now + own, name) end",
        "",
        ("clock", "hang"),
    ),
    "looks": Mutation(
        "a dead instance is looked at twice, after a pause each",
        "queues/takeover.py",
        "        for _ in range(_LOOKS if new else 1):\n            if new:\n",
        "        for _ in range(1):\n            if not names:\n",
        test="tests/queues/test_takeover.py::test_an_owner_that_is_heard_between_two_looks_keeps_its_work",
    ),
    "own lease": Mutation(
        "each owner is judged by its own lease",
        "connection/scripts.py",
        "return tonumber(string.match(name, '%-(%d+)$') or default)",
        "return tonumber(default)",
        ("orphan",),
    ),
    "owner": Mutation(
        "an entry is confirmed only to the delivery that has it",
        "queues/lease_scripts.py",
        "return #found == 1 and found[1][4] == tonumber(deliveries)",
        "return true",
        ("freeze",),
    ),
    "owner of a key": Mutation(
        "only the owner of an entry stores the outcome for its key",
        "queues/idempotency.py",
        "if not mine or (run[3] or me) ~= me then return {'lost'} end",
        "",
        ("freeze",),
    ),
    "owner of a retry": Mutation(
        "only the owner of an entry schedules a retry or writes a dead letter",
        "queues/retries.py",
        "if {stream} and is_mine(",
        "if false and is_mine(",
        ("partition",),
    ),
    "note of the clock": Mutation(
        "retries keep their time if the clock of the server is set back before they were looked at",
        "queues/retries.py",
        "    redis.call('SET', KEYS[2], now, 'PX', 604800000, 'NX')\n",
        "",
        test="tests/queues/test_retries.py",
    ),
    "due by the clock of before": Mutation(
        "retries that are added after the clock of the server was set forward are not put off",
        "queues/due_retries.py",
        "shift('-inf', last + step - 1000)",
        "shift('-inf', now)",
        test="tests/queues/test_retries.py",
    ),
    "undelivered": Mutation(
        "entries whose delivery broke are taken up again",
        "queues/undelivered.py",
        "return self._loop.time() >= self._due",
        "return self._loop.time() < 0",
        ("cut", "stall"),
    ),
    "numbers": Mutation(
        "the items of a stream are numbered",
        "bus/inbox.py",
        "if reply.number != self._taken:",
        "if reply.number == 0:",
        ("kill", "freeze", "stop"),
    ),
    "number of the end": Mutation(
        "the end of a stream is numbered, too",
        "queues/work.py",
        "if self.items is not None and status == SUCCESS:",
        "if self.items == -1:",
        ("stall", "cut"),
    ),
    "hung loop": Mutation(
        "an event loop that hangs sends no heartbeats",
        "process/hangs.py",
        "        self._heartbeat.is_paused = True  # first, as the log may be blocked too\n",
        "",
        ("loop",),
    ),
    "one suspect": Mutation(
        "suspects run one at a time",
        "queues/lease_scripts.py",
        "if ARGV[5] ~= '1' or #taken >= room or claim(p) then break end",
        "if #taken < room then claim(p) end",
        ("poison",),
    ),
    "two deliveries": Mutation(
        "a call is delivered twice at most",
        "queues/suspects.py",
        "MAX_CALL_DELIVERIES = 2",
        "MAX_CALL_DELIVERIES = 5",
        ("poison",),
    ),
    "retries": Mutation(
        "what fails is retried",
        "queues/retries.py",
        "if not is_passing(problem) or failures > origin.policy.retries:",
        "if failures > 0:",
        ("slow",),
    ),
    "others serve": Mutation(
        "no call is refused with NoSuchService while an instance serves",
        "discovery/presence.py",
        "if #others == 0 then",
        "if #others >= 0 then",
        ("stop",),
    ),
    "schedule": Mutation(
        "the runs of a background task do not overlap",
        "tasks/record_scripts.py",
        "local held = owner and owner ~= me and not (expires <= now and expires == watched)",
        "local held = false",
        ("slow",),
    ),
    "end of a run": Mutation(
        "the end of a run of a background task, executed late, does not end the next one",
        "tasks/record_scripts.py",
        "if not was_lost and (record[1] ~= ARGV[1] or record[2] ~= ARGV[3]) then",
        "if not was_lost and record[1] ~= ARGV[1] then",
        test="tests/tasks/test_scheduler.py::test_the_end_of_a_run_that_is_executed_late_does_not_end_the_next_run",
    ),
    "started": Mutation(
        "after a lapse, an entry is confirmed before it is started",
        "queues/reader.py",
        "if (tenure is not None and tenure == self._lease.tenure) or await self._held.owned(stream, [entry]):",
        "if tenure is None or tenure > -1:",
        ("freeze", "partition"),
    ),
    "cancelled": Mutation(
        "handlers of entries that others have taken over are cancelled",
        "queues/streams.py",
        "                    if cancel:\n                        task.cancel()\n",
        "",
        ("freeze", "partition"),
    ),
    "lapse": Mutation(
        "an instance that was cut off for longer than its lease knows it, and logs it",
        "queues/leases.py",
        "if has_lapsed and self._lapses > 1:",
        "if has_lapsed and self._lapses < 0:",
        ("freeze",),
    ),
    "fence": Mutation(
        "each take-over has a greater fence",
        "queues/lease_scripts.py",
        "taken[#taken + 1] = {entry[1], entry[2], p[4] + 1, drawn}",
        "taken[#taken + 1] = {entry[1], entry[2], p[4] + 1, 0}",
        ("kill",),
    ),
    "fence of a key": Mutation(
        "each run for a key has a greater fence",
        "queues/idempotency.py",
        "return {'mine', draw(KEYS[4])}",
        "return {'mine', 1}",
        ("kill",),
    ),
    "fence of a retry": Mutation(
        "each retry has a greater fence, also if the clock was set back",
        "queues/due_retries.py",
        "if ms and ms >= now and ms - now < 604800000 then",
        "if false then",
        ("clock",),
    ),
    "five deliveries": Mutation(
        "what was sent is delivered five times at most if it kills its process",
        "queues/suspects.py",
        "MAX_DELIVERIES = 5",
        "MAX_DELIVERIES = 50",
        ("poison",),
    ),
    "returned": Mutation(
        "an instance that stops returns what it did not finish, and this delivery does not count",
        "queues/lease_scripts.py",
        "'RETRYCOUNT', math.max(0, p[4] - 1), 'JUSTID')",
        "'RETRYCOUNT', p[4], 'JUSTID')",
        ("stop",),
    ),
    "exits": Mutation(
        "sys.exit() in a handler is a failure of the handler",
        "core/cancelling.py",
        "EXITS = (SystemExit, KeyboardInterrupt)",
        "EXITS = (KeyboardInterrupt,)",
        ("slow",),
    ),
    "clock": Mutation(
        "the clock of the server is read again, as it may be set",
        "connection/node.py",
        "await asyncio.sleep(self.timings.clock)",
        "await asyncio.sleep(3600)",
        ("clock",),
    ),
    "clock of retries": Mutation(
        "retries keep their time when the clock is set",
        "queues/due_retries.py",
        "if last and now < last - 1000 then",
        "if last and now < 0 then",
        ("clock",),
    ),
    "misfits": Mutation(
        "a member that is no retry does not hold up the others",
        "queues/due_retries.py",
        "elseif not moved or string.find",
        "elseif moved and string.find",
        ("misfit",),
    ),
    "unknown owners": Mutation(
        "an owner that no registry knows is found, and taken over once it is dead",
        "queues/lease_scripts.py",
        "            redis.call('ZADD', registry, expiries[name], name)\n            elseif",
        "            elseif",
        ("orphan", "kill"),
    ),
    "clock that is set back": Mutation(
        "a clock that is set back is a gap, too",
        "queues/lease_scripts.py",
        "math.abs(now + answered)",
        "(now + answered)",
        ("clock", "kill"),
    ),
    "renamed listener": Mutation(
        "a renamed listener continues where the old one was",
        "channels/groups.py",
        "if not group then group, how = group_of(ARGV[i + 2]), 'renamed' end",
        "",
        ("renamings",),
        rounds=True,
    ),
    "resent outcome": Mutation(
        "an outcome for a key is stored once, though the answer of the server is lost",
        "queues/idempotency.py",
        "if run[4] ~= by then",
        "if true then",
        test="tests/queues/test_idempotency.py",
    ),
    "least lease": Mutation(
        "where leases differ, all send heartbeats by the least one",
        "queues/lease_scripts.py",
        "math.min(math.floor(least / 3), ",
        "math.min(math.floor(lease / 3), ",
        test="tests/queues/test_lease_scripts.py",
    ),
    "half a lease": Mutation(
        "a heartbeat is relied on for half a lease",
        "queues/leases.py",
        "return self._lapses if uptime() - self._confirmed < self.seconds / 2 else None",
        "return self._lapses if uptime() - self._confirmed < self.seconds else None",
        test="tests/queues/test_settler.py",
    ),
    "ids of the dead": Mutation(
        "instances that were killed leave no ids behind",
        "queues/lease_scripts.py",
        "elseif not pending.err then",
        "elseif false then",
        test="tests/queues/test_lease_scripts.py",
    ),
    "connections": Mutation(
        "a hundred listeners share few connections",
        "channels/durable.py",
        "changes = await self._share() if len(memberships) > _CONNECTIONS else None",
        "changes = None",
        test="tests/channels/test_groups_of_many_listeners.py::test_a_hundred_listeners_of_as_many_channels_share_few_connections",
    ),
    "old wire": Mutation(
        "the protocol of 0.0.31 is not spoken unless it is asked for",
        "legacy/dialect.py",
        "return OldWire if speaks_old_wire(legacy) else UnspokenOldWire",
        "return OldWire",
        test="tests/legacy/test_services.py::test_they_are_not_spoken_to_unless_asked_for",
    ),
    "seen service": Mutation(
        "a service that was ever seen is never spoken to in the protocol of 0.0.31",
        "bus/caller.py",
        "missing if self._directory.has_seen(service) else await dialect.instead(missing, service)",
        "await dialect.instead(missing, service)",
        test="tests/legacy/test_services.py::test_one_that_was_ever_one_of_ours_is_not_spoken_to_in_the_old_way",
    ),
    "replaced primary": Mutation(
        "a server that its Sentinels have replaced is left, though it still answers",
        "connection/server_link.py",
        "elif await self._server.elected() not in (None, wire.address):",
        "elif wire.address is None:",
        test="tests/faults/test_topologies.py::test_a_server_that_its_sentinels_have_replaced_is_left_though_it_answers",
    ),
    "watchdog": Mutation(
        "a process whose event loop hangs exits",
        "process/watchdog.py",
        "elif not self._is_hung and self._hung_after and silent >= self._hung_after:",
        "elif silent < 0:",
        test="tests/process/test_hangs.py::test_a_process_whose_loop_hangs_exits_and_others_do_its_work",
    ),
    "held threads": Mutation(
        "an instance whose threads are all held leaves the messages that need one to others",
        "core/slots.py",
        "        self.is_held = True\n        while self._waiting:",
        "        return\n        while self._waiting:",
        test="tests/faults/test_held_threads.py::test_other_replicas_get_the_messages_that_need_a_thread",
    ),
    "hung worker": Mutation(
        "a worker that hangs is replaced",
        "process/supervisor.py",
        "stack=stack)\n        child.kill()",
        "stack=stack)",
        test="tests/process/test_supervisor.py::test_a_worker_that_hangs_is_replaced",
    ),
    "healthy workers": Mutation(
        "no worker is stopped because another one does not start",
        "process/supervisor.py",
        "if all(each.unstarted >= self._tries for each in self._places):",
        "if any(each.unstarted >= self._tries for each in self._places):",
        test="tests/process/test_supervisor.py::test_a_worker_that_does_not_start_takes_no_other_with_it",
    ),
    "swallowed cancellation": Mutation(
        "a handler that swallows its cancellation does not hold up the stop",
        "delivery/grace.py",
        "self.give_up(await _wait(late, self.left_until(CUT_SECONDS)))",
        "self.give_up(await _wait(late, 3600.0))",
        test="tests/process/test_process_stopping.py::test_handlers_that_swallow_their_cancellation",
    ),
    "stop guard": Mutation(
        "the process ends in time, also if its event loop is blocked",
        "process/stopguard.py",
        'if not self._comes("over", end) or self._is_kept_alive(end):',
        'if not self._comes("over", end + 3600):',
        test="tests/process/test_process_stopping.py::test_an_event_loop_that_is_blocked",
    ),
}


@contextmanager
def mutated(mutation: Mutation | None) -> Generator[Mapping[str, str]]:
    """The environment for programs that import a copy of daebus without a mend; None: a true copy."""
    with tempfile.TemporaryDirectory(prefix="daebus-mutation-") as folder:
        package = Path(folder) / "daebus"
        shutil.copytree(_SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
        if mutation is not None:
            path = package / mutation.file
            text = path.read_text(encoding="utf-8")
            if text.count(mutation.before) != 1:
                raise AssertionError(f"{mutation.file} does not have this once: {mutation.before}")
            path.write_text(text.replace(mutation.before, mutation.after), encoding="utf-8")
        yield {**os.environ, "PYTHONPATH": folder, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def searched(mutation: Mutation, environment: Mapping[str, str], seconds: float, *more: str) -> tuple[bool, str]:
    """Whether something wrong is found with the daebus of an environment, and what was printed."""
    faults = ",".join(mutation.faults)
    if mutation.test:
        options = ["pytest", "-q", "-x", "-p", "no:cacheprovider", mutation.test]
    elif mutation.rounds:
        options = ["tests.chaos", "--only", faults, "--seconds", "8"]
    else:
        options = ["tests.simulation", "--search", str(seconds), "--faults", faults, *more]
    command = [sys.executable, "-W", "ignore", "-m", *options]
    done = subprocess.run(command, cwd=_ROOT, env=dict(environment), capture_output=True, text=True, check=False)
    return done.returncode != 0, done.stdout or done.stderr


def main() -> int:
    """Try the mutations; 1 if one of them is not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutations")
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="for how long each is searched for")
    options = parser.parse_args()
    missed, sound = 0, set[str]()
    sys.stdout.write("| mend | found by | after |\n|---|---|---:|\n")
    for name in options.only.split(",") if options.only else MUTATIONS:
        mutation = MUTATIONS[name]
        if mutation.test and mutation.test not in sound:
            with mutated(None) as environment:
                found, told = searched(mutation, environment, options.seconds)
            if found:
                sys.stdout.write(f"{mutation.test} fails without a mutation, too:\n{told}\n")
                return 1
            sound.add(mutation.test)
        begun = time.perf_counter()
        with mutated(mutation) as environment:
            found, told = searched(mutation, environment, options.seconds)
        missed += not found
        how = _how(mutation, told) if found else "**not found**"
        sys.stdout.write(f"| {mutation.mend} | {how} | {_after(told, time.perf_counter() - begun)} |\n")
        sys.stdout.flush()
    return bool(missed)


def _how(mutation: Mutation, told: str) -> str:
    """What found it."""
    if mutation.test:
        return f"test `{mutation.test.removeprefix('tests/').partition('::')[0]}`"
    if mutation.rounds:
        return f"`nox -s chaos`, {', '.join(mutation.faults)}"
    seed = re.search(r"^seed (\d+)", told, re.MULTILINE)
    return f"simulation, {f'seed {seed[1]}' if seed else 'first seed'}, {', '.join(mutation.faults)}"


def _after(told: str, seconds: float) -> str:
    """After how many seconds; of processor time for the simulation, as it never waits."""
    worked = re.search(r"^\d+ seeds, ([0-9.]+) s", told, re.MULTILINE)
    return f"{float(worked[1]) if worked else seconds:.0f} s"


if __name__ == "__main__":
    sys.exit(main())

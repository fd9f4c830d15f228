"""How many entries are read at once."""

from __future__ import annotations

from daebus.queues.leases import Entry
from daebus.queues.streams import BatchSize, BoundedStream, Task, alike_limits


def settled(under_way: int, size: BatchSize | None = None) -> list[int]:
    """The sizes that a batch takes, in the long run, while so many requests are under way: what is answered comes again
    while the next batch is handled, and a read waits for nothing."""
    size = size or BatchSize(1000)
    sizes, waiting = list[int](), under_way
    for _ in range(1000):
        sizes.append(size.entries)
        got = min(waiting, size.entries)
        size.learn(got)
        waiting = under_way - got
    return sizes[500:]


def test_about_half_of_what_is_under_way_is_read_at_once() -> None:
    for under_way in (8, 16, 64, 100):
        sizes = settled(under_way)
        assert under_way / 4 <= sum(sizes) / len(sizes) <= under_way * 3 / 4


def test_many_requests_are_read_in_large_batches_and_few_in_small_ones() -> None:
    assert set(settled(10_000)) == {64}
    assert set(settled(1)) == {4}


def test_what_was_many_and_is_few_now_is_read_in_small_batches_again() -> None:
    size = BatchSize(1000)
    assert settled(10_000, size)[-1] == 64
    assert max(settled(8, size)) <= 16
    assert settled(10_000, size)[-1] == 64


def test_never_more_than_half_of_the_limit_is_read() -> None:
    for limit, most in ((1, 1), (3, 1), (6, 3), (32, 16)):
        assert max(settled(10_000, BatchSize(limit))) == most


def test_a_single_entry_now_and_then_changes_nothing() -> None:
    size = BatchSize(1000)
    assert settled(10_000, size)[-1] == 64
    for _ in range(100):
        size.learn(1)
    assert size.entries == 64


def test_a_full_read_now_and_then_is_no_reason_to_read_more() -> None:
    size = BatchSize(1000)
    before = size.entries
    for _ in range(100):
        size.learn(size.entries)
        size.learn(size.entries // 2)
    assert size.entries == before


def test_streams_are_read_together_by_those_with_like_limits() -> None:
    assert parts() == []
    assert parts(8) == [[8]]
    assert parts(8, 8, 8) == [[8, 8, 8]]
    assert parts(100, 32, 100) == [[32], [100, 100]]
    assert parts(100, 1, 64, 2) == [[1, 2], [64, 100]]


def parts(*limits: int) -> list[list[int]]:
    async def handle(entry: Entry, task: Task) -> None: ...

    streams = [BoundedStream(str(limit), "action x", limit, handle, lambda _, __: 0.0) for limit in limits]
    return [[stream.limit for stream in part] for part in alike_limits(streams)]

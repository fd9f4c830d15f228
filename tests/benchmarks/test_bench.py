"""The parts of the benchmark that its figures rest on: the rounds, the goals, the chart, the load."""

import asyncio
from contextlib import closing
from xml.etree import ElementTree as ET

import pytest
from benchmarks.cases import Case, Goal, Measure, PeerError, Sample, run_case
from benchmarks.chart import draw
from benchmarks.load_http import load_http
from benchmarks.load_websocket import Crowd
from benchmarks.report import show_case, show_goals

from daebus import Clients, Daebus, DaebusHttp, DaebusWebSocket, Message
from daebus.testing import running

NOTE = Message[dict[str, str]]("note")


def rising(peer: str, first: float, calls: list[str]) -> Measure:
    values = iter((first, first * 2, first * 3))

    def measure(_: float) -> Sample:
        calls.append(peer)
        return Sample(next(values))

    return measure


def gone(_: float) -> Sample:
    raise PeerError("gone home")


def test_each_round_begins_with_another_peer_and_ratios_are_of_one_round() -> None:
    calls: list[str] = []
    peers = {"daebus": rising("daebus", 10, calls), "a": rising("a", 5, calls), "b": rising("b", 20, calls)}

    result = run_case(Case("work", "calls/s", peers), rounds=3, seconds=0)

    assert calls == ["daebus", "a", "b", "a", "b", "daebus", "b", "daebus", "a"]
    assert [(row.peer, row.value, row.ratio) for row in result.rows] == [
        ("daebus", 20, 1),
        ("a", 10, 2),
        ("b", 40, 0.5),
    ]


def test_a_peer_that_fails_says_why_and_stops_nobody() -> None:
    peers: dict[str, Measure] = {"daebus": lambda _: Sample(1.0), "broken": gone}
    case = Case("work", "calls/s", peers, missing={"absent": "not for this platform"})

    shown = show_case(run_case(case, rounds=2, seconds=0))

    assert "gone home" in shown
    assert "not for this platform" in shown
    assert shown.count("1.00") == 1


@pytest.mark.parametrize(("goal", "reached"), [(Goal(at_least=2), True), (Goal(at_least=2.1), False)])
def test_a_goal_is_about_the_ratio(goal: Goal, *, reached: bool) -> None:
    peers = {"daebus": rising("daebus", 10, []), "a": rising("a", 5, [])}
    result = run_case(Case("work", "calls/s", peers, goals={"a": goal}), rounds=3, seconds=0)

    assert result.verdict(result.rows[1]) is reached
    assert ("MISSED" in show_case(result)) is not reached
    assert show_goals([result]).startswith(
        "1 goals reached" if reached else "0 goals reached, 1 missed: work against a"
    )


@pytest.mark.parametrize(("most", "reached"), [(5.0, True), (4.9, False)])
def test_a_goal_can_be_about_the_difference(most: float, *, reached: bool) -> None:
    peers: dict[str, Measure] = {"daebus": lambda _: Sample(15.0), "a": lambda _: Sample(10.0)}
    result = run_case(Case("work", "KiB", peers, goals={"a": Goal(most_more=most)}), rounds=2, seconds=0)

    assert result.verdict(result.rows[1]) is reached
    assert f"≤ {most:g} more {'reached' if reached else 'MISSED'}" in show_case(result)


def test_the_chart_is_well_formed() -> None:
    peers = {"daebus": rising("daebus", 10, []), "<a> & b": rising("a", 5, [])}
    result = run_case(Case("work", "calls/s", peers, charted=True), rounds=2, seconds=0)

    chart = ET.fromstring(draw([result], "a <quick> run"))

    bars = [float(bar.get("width", "0")) for bar in chart.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert bars[0] == pytest.approx(2 * bars[1], abs=0.1)


async def test_the_load_counts_what_a_service_answers() -> None:
    app = Daebus("loaded")
    app.attach(DaebusHttp())
    app.attach(DaebusWebSocket())

    @app.route("/users/<user_id>")
    async def get_user(user_id: str) -> str:
        return user_id

    @app.socket("echo")
    async def echo(data: dict[str, str]) -> dict[str, str]:
        return data

    @app.socket("broadcast")
    async def broadcast(data: dict[str, str], *, clients: Clients) -> None:
        await clients.broadcast(NOTE, data)

    def work(port: int) -> tuple[float, float, float, int]:
        load = load_http(f"http://127.0.0.1:{port}/users/u1", connections=2, seconds=0.1)
        with closing(Crowd(port, 3)) as crowd:
            return load.rate, crowd.echo(0.1, "x" * 200), crowd.broadcast(0.1, "hello"), load.failed

    async with running(app) as service:
        *rates, failed = await asyncio.to_thread(work, service.ports["http"])

    assert min(rates) > 0
    assert failed == 0

"""Every way to run a server: alone, watched by Sentinels, behind TLS, with users of few rights."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
import trustme
from tests.engines import Engine, Proxy, free_port, open_proxy, start_all
from tests.support import until

from daebus import Bus, Daebus
from daebus.connection.redis_server import RedisServer
from daebus.errors import DaebusError, StartupError, Unavailable
from daebus.testing import running

from .world import ECHO, NOTE, open_world, told

DOCS = Path(__file__).parents[2] / "docs" / "redis.md"


# --- Sentinel -------------------------------------------------------------------------------------------------------

SENTINEL = """
sentinel resolve-hostnames yes
sentinel monitor main {host} {port} 2
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 2000
"""


class Watched:
    """A server, its replica and three Sentinels, as processes.

    Attributes:
        url: For daebus.
        primary: The server that takes writes at first.
        replica: The other one.
    """

    def __init__(self, folder: Path) -> None:
        self.primary, self.replica = (self._engine(folder / name) for name in ("primary", "replica"))
        self.sentinels = [self._sentinel(folder / f"sentinel{number}") for number in range(3)]
        self.url = f"redis+sentinel://{','.join(f'127.0.0.1:{one.port}' for one in self.sentinels)}/main"

    def start(self) -> None:
        start_all(self.primary, self.replica)
        self.replica.ask(f"REPLICAOF 127.0.0.1 {self.primary.port}")
        start_all(*self.sentinels)

    async def agrees(self) -> None:
        """The replica is in step, and the Sentinels know it and each other."""
        await until(lambda: b"state=online" in self.primary.ask("INFO replication"), 10)
        signs = (b"num-slaves\r\n$1\r\n1", b"num-other-sentinels\r\n$1\r\n2")
        await until(
            lambda: all(sign in one.ask("SENTINEL MASTER main") for one in self.sentinels for sign in signs), 15
        )

    def kill(self) -> None:
        for engine in (*self.sentinels, self.primary, self.replica):
            engine.kill()

    def _engine(self, folder: Path) -> Engine:
        return Engine(folder, "--repl-diskless-sync-delay", "0")

    def _sentinel(self, folder: Path) -> Engine:
        folder.mkdir()
        config = folder / "sentinel.conf"
        config.write_text(SENTINEL.format(host="127.0.0.1", port=self.primary.port))
        return Engine(folder, "--sentinel", config=config)


@asynccontextmanager
async def watched_servers(folder: Path) -> AsyncGenerator[Watched]:
    watched = Watched(folder)
    try:
        watched.start()
        await watched.agrees()
        yield watched
    finally:
        watched.kill()


async def test_a_service_follows_the_failover_of_its_sentinels(tmp_path: Path) -> None:
    async with watched_servers(tmp_path) as watched:
        await check_client_and_mistakes(watched)
        async with open_world(watched.url) as world:
            with told() as lines:
                watched.primary.kill()
                await world.fails()
                await until(watched.replica.is_primary, 15)
                assert await world.comes_back() < 5
            assert "TRACEBACK" not in lines
            assert len(lines) < 12, lines


async def test_a_server_that_its_sentinels_have_replaced_is_left_though_it_answers(tmp_path: Path) -> None:
    queue = "daebus:{faulty}:action:note"
    async with watched_servers(tmp_path) as watched, Bus(watched.url) as bus:
        await bus.send(NOTE, 1)
        assert watched.primary.ask(f"XLEN {queue}") == b":1\r\n"
        # It stays a primary, as one does that the Sentinels cannot reach, and loses what it is given from now on.
        watched.primary.ask("ACL SETUSER default -replicaof -slaveof")
        watched.sentinels[0].ask("SENTINEL FAILOVER main")
        await until(watched.replica.is_primary, 15)

        async def arrives() -> bool:
            with suppress(Unavailable):
                await bus.send(NOTE, 2)
            return watched.replica.ask(f"XLEN {queue}") != b":1\r\n"

        await until(arrives, 30)
        assert watched.primary.is_primary()


async def test_more_than_half_of_the_sentinels_decide_which_server_is_the_primary(tmp_path: Path) -> None:
    old, new = free_port(), free_port()
    with ExitStack() as stack:
        sentinels: list[Engine] = []
        for number, port in enumerate((old, new, new)):
            folder = tmp_path / f"sentinel{number}"
            folder.mkdir()
            config = folder / "sentinel.conf"
            config.write_text(SENTINEL.format(host="127.0.0.1", port=port))
            sentinels.append(stack.enter_context(Engine(folder, "--sentinel", config=config)))
        url = f"redis+sentinel://{','.join(f'127.0.0.1:{one.port}' for one in sentinels)}/main"
        elected = await RedisServer.from_url(url).elected()
        assert elected is not None
        assert elected.endswith(f"(127.0.0.1:{new})")
        sentinels[1].kill()
        assert await RedisServer.from_url(url).elected() is None


async def check_client_and_mistakes(watched: Watched) -> None:
    client = RedisServer.from_url(watched.url).client()
    await client.set("key", "value")
    assert await client.get("key") == b"value"
    await client.aclose()
    (asked,) = await RedisServer.from_url(watched.url).ask_each("INFO", "memory")
    assert asked.endswith(f"(127.0.0.1:{watched.primary.port})")
    with pytest.raises(StartupError, match="knows no primary 'mian'; did you mean 'main'") as caught:
        await RedisServer.from_url(watched.url.replace("/main", "/mian")).check()
    assert "\n" not in str(caught.value)
    with pytest.raises(StartupError, match=r"is a Sentinel. Write redis\+sentinel://"):
        await RedisServer.from_url(watched.sentinels[0].tcp_url).check()
    with pytest.raises(StartupError, match="is a replica, which does not accept writes"):
        await RedisServer.from_url(watched.replica.tcp_url).check()


async def test_sentinels_that_are_gone_are_all_named() -> None:
    ports = free_port(), free_port()
    url = f"redis+sentinel://127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}/main"
    with pytest.raises(StartupError, match="None of the hosts") as caught:
        await RedisServer.from_url(url).check()
    assert all(str(port) in str(caught.value) for port in ports)


# --- TLS ------------------------------------------------------------------------------------------------------------


async def test_a_service_works_over_tls(tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # it also takes pyOpenSSL's
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    with Engine(tmp_path / "engine") as engine:
        async with open_proxy(engine.port, tls=context) as proxy:
            url = f"rediss://localhost:{proxy.port}/0"
            async with open_world(f"{url}?ssl_ca_certs={tmp_path / 'ca.pem'}") as world:
                await world.works(1)
            with pytest.raises(StartupError, match="has a certificate that is not accepted"):
                await RedisServer.from_url(f"{url}?ssl_ca_certs={tmp_path / 'other.pem'}").check()
            wrong = url.replace("localhost", "127.0.0.1")
            with pytest.raises(StartupError, match="IP address mismatch"):
                await RedisServer.from_url(f"{wrong}?ssl_ca_certs={tmp_path / 'ca.pem'}").check()
            with pytest.raises(StartupError, match=r"closed the connection at once|did not answer"):
                await RedisServer.from_url(url.replace("rediss", "redis") + "?socket_timeout=1").check()


async def test_sentinels_and_nodes_of_a_cluster_are_reached_over_tls_too(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # as above
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    options = f"ssl_ca_certs={tmp_path / 'ca.pem'}"
    cluster = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with Engine(tmp_path / "engine") as engine, Engine(tmp_path / "node", *cluster) as node:
        node.ask("CLUSTER ADDSLOTSRANGE 0 16383")
        async with open_proxy(engine.port, tls=context) as proxy:
            config = tmp_path / "sentinel.conf"
            # It speaks no TLS itself, and is to have patience with a server that it cannot reach.
            text = SENTINEL.replace("milliseconds main 500", "milliseconds main 60000")
            config.write_text(text.format(host="127.0.0.1", port=proxy.port))
            sentinel = Engine(tmp_path, "--sentinel", config=config)
            try:
                sentinel.start()
                async with open_proxy(sentinel.port, tls=context) as seen:
                    url = f"rediss+sentinel://127.0.0.1:{seen.port}/main?{options}"
                    await check_over_tls(url, {proxy, seen})
            finally:
                sentinel.kill()
        async with open_proxy(node.port, tls=context) as proxy:
            node.ask(f"CONFIG SET cluster-announce-port {proxy.port}", "CONFIG SET cluster-announce-ip 127.0.0.1")
            await until(lambda: b"cluster_state:ok" in node.ask("CLUSTER INFO"), 10)
            await check_over_tls(f"rediss+cluster://127.0.0.1:{proxy.port}?{options}", {proxy})


async def check_over_tls(url: str, proxies: set[Proxy]) -> None:
    """All of daebus' connections, and those of the client in the container, go through the proxies."""
    async with open_world(url) as world:
        await world.works(1)
        client = RedisServer.from_url(url).client()
        assert await client.set("key", "value")
        await client.aclose()
        for proxy in proxies:
            await proxy.cut()
        await world.comes_back()


# --- users ----------------------------------------------------------------------------------------------------------


def documented_rights() -> str:
    found = re.search(r"^ACL SETUSER my_service on >PASSWORD (.*)$", DOCS.read_text(), re.MULTILINE)
    assert found
    return f"{found[1]} &faulty &faulty_live"


def test_the_documented_rights_are_those_of_all_the_commands_in_the_code() -> None:
    used: set[str] = set()
    for source in (DOCS.parents[1] / "src").rglob("*.py"):
        text = source.read_text()
        found = re.findall(r"redis\.call\('(\w+)'(?:, *'(\w+)')?", text)
        found += re.findall(r"""(?:execute|issue)\(\(?\s*"([A-Z]+)"(?:, *"([A-Z]+)")?""", text)
        for name, second in found:
            family = name.lower() in {"xinfo", "xgroup", "client", "pubsub", "cluster"}
            used.add(f"{name}|{second}".lower() if family else name.lower())
    assert used - {"flushall", "xrevrange", "exists", "scan", "xgroup|destroy", "pubsub|channels"} <= set(
        re.findall(r"\+([\w|]+)", documented_rights())
    )


async def test_a_service_works_with_the_documented_rights_alone(tmp_path: Path) -> None:
    with Engine(tmp_path / "engine") as engine:
        engine.ask(f"ACL SETUSER my_service on >pw {documented_rights()}")
        assert b"NOPERM" not in engine.ask("AUTH my_service pw", "PING")
        url = f"redis://my_service:pw@127.0.0.1:{engine.port}/0"
        async with open_world(url, lease=0.6) as world:
            await world.comes_back()
            engine.ask("CLIENT KILL TYPE normal", "CLIENT KILL TYPE pubsub")
            await world.comes_back()
        log = engine.ask("ACL LOG")
        assert log == b"*0\r\n", log


@pytest.mark.parametrize(
    ("without", "refused", "rule"),
    [
        ("-xgroup|create", "a script on daebus:channel:{faulty_kept}", "+xgroup|create"),
        ("-time", "TIME", "+time"),
        ("-subscribe", "SUBSCRIBE", "+subscribe"),
        ("-evalsha", "a script on daebus:{faulty}:instances", "+evalsha"),
        ("-zadd", "a script on daebus:{faulty}:instances", "docs/redis.md"),
        ("resetkeys ~other:*", "daebus:{faulty}", "~daebus:*"),
        ("resetchannels &other", "SUBSCRIBE daebus:discovery", "&daebus:*"),
        ("resetchannels &daebus:*", "SUBSCRIBE faulty_live", "&faulty_live"),
    ],
)
async def test_a_right_that_is_missing_is_told_at_the_start(
    tmp_path: Path, without: str, refused: str, rule: str
) -> None:
    with Engine(tmp_path / "engine") as engine:
        engine.ask(f"ACL SETUSER my_service on >pw {documented_rights()} {without}")
        with pytest.raises(DaebusError) as caught:
            async with open_world(f"redis://my_service:pw@127.0.0.1:{engine.port}/0"):
                pass
        text = str(caught.value)
        assert refused in text
        assert rule in text
        assert "\n" not in text


async def test_without_the_right_to_be_told_of_changes_each_listener_has_a_connection(tmp_path: Path) -> None:
    with Engine(tmp_path / "engine") as engine:
        engine.ask(f"ACL SETUSER my_service on >pw {documented_rights()} -client|tracking")
        with told() as lines:
            async with open_world(f"redis://my_service:pw@127.0.0.1:{engine.port}/0") as world:
                await world.works(1)
        assert any("connection of its own" in line and "+client|tracking" in line for line in lines), lines


async def test_a_user_that_is_removed_while_the_service_runs_is_told_and_may_come_back(tmp_path: Path) -> None:
    with Engine(tmp_path / "engine") as engine:
        make = f"ACL SETUSER my_service on >pw {documented_rights()}"
        engine.ask(make)
        async with open_world(f"redis://my_service:pw@127.0.0.1:{engine.port}/0") as world:
            with told() as lines:
                engine.ask("ACL DELUSER my_service")
                await world.fails()
                engine.ask(make)
                assert await world.comes_back() < 5
            assert "TRACEBACK" not in lines


async def test_a_caller_without_the_right_to_a_service_is_told(tmp_path: Path) -> None:
    app = Daebus("faulty")

    @app.action(ECHO)
    async def echo(number: int) -> int:
        return number

    with Engine(tmp_path / "engine") as engine:
        engine.ask(f"ACL SETUSER caller on >pw {documented_rights()} -xadd")
        caller = f"redis://caller:pw@127.0.0.1:{engine.port}/0"
        async with running(app, redis_url=engine.url), Bus(caller) as bus:
            with pytest.raises(DaebusError, match=r"XADD daebus:{faulty}:action:echo.*\+xadd"):
                await bus.call(ECHO, 1, timeout=2)
            with pytest.raises(DaebusError, match=r"a script on daebus:{faulty}:action:echo"):
                await bus.send(ECHO, 1)


# --- what is no server ----------------------------------------------------------------------------------------------


async def test_a_node_of_a_cluster_is_told_from_a_server(tmp_path: Path) -> None:
    with Engine(tmp_path / "engine", "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as engine:
        check = RedisServer.from_url(engine.tcp_url).check()
        with pytest.raises(StartupError, match=r"is a node of a cluster. Write redis\+cluster://"):
            await check


async def test_protected_mode_and_a_crowd_are_told(tmp_path: Path) -> None:
    # What a server in protected mode says to a foreign host, shortened; here all hosts are its own.
    said = b"-DENIED Redis is running in protected mode because protected mode is enabled.\r\n"

    async def deny(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(said)
        writer.close()

    async with await asyncio.start_server(deny, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(StartupError, match="runs in protected mode"):
            await RedisServer.from_url(f"redis://127.0.0.1:{port}").check()
    with (
        Engine(tmp_path / "engine", "--maxclients", "1") as engine,
        socket.create_connection(("127.0.0.1", engine.port)) as first,
    ):
        first.sendall(b"PING\r\n")
        assert first.recv(16) == b"+PONG\r\n"
        with pytest.raises(StartupError, match=r"max number of clients reached|with room for a client"):
            await RedisServer.from_url(engine.tcp_url).check()

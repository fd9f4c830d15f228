"""What the editor asks for while somebody works on a workspace of two services that share contracts."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from lsprotocol import types
from tests.lsp.editor import PATIENCE, Editor, apply, editing
from tests.lsp.workspace import CONTRACTS, FILES, MAIL, SHOP, make_workspace
from tests.support import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Editor]:
    folder = tmp_path_factory.mktemp("workspace")
    make_workspace(folder)
    async with editing(folder) as editor:
        for name in FILES:
            editor.open(name)

        async def ready() -> bool:
            found = await editor.client.workspace_symbol_async(types.WorkspaceSymbolParams(""))
            return {"action find", "listen events"} <= {symbol.name for symbol in found or ()}

        await until(ready, PATIENCE)
        yield editor


@pytest_asyncio.fixture(loop_scope="module")
async def editor(running: Editor) -> AsyncGenerator[Editor]:
    """The workspace as it was, known to the server."""
    yield running
    for name, text in FILES.items():
        running.type(name, text)
    await until(lambda: not any(map(running.diagnostics, FILES)), PATIENCE)


def at(editor: Editor, name: str, piece: str) -> tuple[types.TextDocumentIdentifier, types.Position]:
    return editor.at(name), editor.find(name, piece)


async def completions(editor: Editor, name: str, piece: str) -> dict[str, types.CompletionItem]:
    found = await editor.client.text_document_completion_async(types.CompletionParams(*at(editor, name, piece)))
    assert isinstance(found, types.CompletionList)
    return {item.label: item for item in found.items}


async def definitions(editor: Editor, name: str, piece: str) -> list[str]:
    """The lines of text where something is defined."""
    found = await editor.client.text_document_definition_async(types.DefinitionParams(*at(editor, name, piece)))
    assert isinstance(found, list)
    return [line_at(editor, one) for one in found if isinstance(one, types.Location)]


def line_at(editor: Editor, location: types.Location) -> str:
    name = location.uri.rpartition("/")[2]
    return f"{name}: {editor.text(name).splitlines()[location.range.start.line].strip()}"


async def hover(editor: Editor, name: str, piece: str) -> str:
    found = await editor.client.text_document_hover_async(types.HoverParams(*at(editor, name, piece)))
    if found is None:
        return ""
    assert isinstance(found.contents, types.MarkupContent)
    return found.contents.value


async def test_services_are_completed_right_of_the_star_with_their_import(editor: Editor) -> None:
    editor.replace("mail.py", "bus: Bus, clients: Clients) -> None:", "bus: Bus, clients: Clients, log")
    items = await completions(editor, "mail.py", "clients: Clients, log|")
    assert {"logger: Logger", "threads: Threads"} <= items.keys()
    assert "bus: Bus" not in items  # it is there
    edits = items["logger: Logger"].additional_text_edits
    assert edits
    assert "from daebus import Bus, Clients, Daebus, Logger" in apply(editor.text("mail.py"), edits)

    editor.type("shop.py", SHOP.replace("number: int) -> None: ...", "number: int, *, "))
    items = await completions(editor, "shop.py", "number: int, *, |")
    assert items["session: str"].detail == "PerMessage, opened for each message that needs it, closed after it"
    items = await completions(editor, "shop.py", "number: int|")
    assert items == {}
    editor.type("shop.py", SHOP.replace("number: int)", "number: int, )"))
    items = await completions(editor, "shop.py", "number: int, |")
    assert items["repo: Repo"].insert_text == "*, repo: Repo"


async def test_what_the_message_has_is_completed_left_of_the_star(editor: Editor) -> None:
    bare = SHOP.replace("find(query: Query, *, repo: Repo, bus: Bus)", "find()")
    editor.type("shop.py", bare.replace("thing(thing_id: str, *, repo: Repo)", "thing()"))
    assert "thing_id: str" in await completions(editor, "shop.py", "def thing(|")
    assert {"query: Query", "context: Context"} <= (await completions(editor, "shop.py", "def find(|")).keys()


async def test_contracts_options_and_events_are_completed(editor: Editor) -> None:
    editor.type("shop.py", f"{SHOP}\n@users.action(")
    items = await completions(editor, "shop.py", f"{SHOP}\n@users.action(|")
    assert {"FIND", "contracts.UNSERVED"} <= items.keys()
    assert (items["contracts.UNSERVED"].sort_text or "") < (items["FIND"].sort_text or "")
    editor.type("mail.py", f"{MAIL}    await bus.call(\n")
    edits = (await completions(editor, "mail.py", f"{MAIL}    await bus.call(|"))["UNSERVED"].additional_text_edits
    assert edits
    assert "ONLINE, Created, Deleted, Query, UNSERVED\n" in apply(editor.text("mail.py"), edits)
    editor.type("shop.py", SHOP.replace("@users.action(FIND)", "@users.action(FIND, )"))
    assert {"timeout=", "retries=", "concurrency="} <= (await completions(editor, "shop.py", "action(FIND, |")).keys()
    editor.type("mail.py", f"{MAIL}    await bus.publish(\n")
    assert {"EVENTS"} == (await completions(editor, "mail.py", "bus.publish(|")).keys()
    editor.type("mail.py", f"{MAIL}    match event:\n        case \n")
    assert {"Created(id=id)", "Deleted(id=id, why=why)"} == (
        await completions(editor, "mail.py", "        case |")
    ).keys()


async def test_hover_tells_provider_cost_and_whole_wiring(editor: Editor) -> None:
    told = await hover(editor, "shop.py", "query: Query, *, re|po: Repo")
    assert "repo: Repo" in told
    assert "Singleton: created once, at its first use." in told
    assert "It needs `db`." in told
    assert "Where things are kept." in told
    told = await hover(editor, "shop.py", "def fi|nd")
    assert "**action find** of blueprint `users`" in told
    assert "- `repo: Repo`: Singleton, created once, at its first use; needs db" in told
    assert "2 callers" in told
    told = await hover(editor, "mail.py", "listen(EVE|NTS")
    assert "1 publisher · 1 listener" in told
    assert await hover(editor, "store.py", "class D|b") == ""


async def test_definitions_lead_to_providers_factories_contracts_and_handlers(editor: Editor) -> None:
    assert await definitions(editor, "shop.py", "query: Query, *, re|po") == [
        "shop.py: repo = providers.Singleton(Repo, db=db)"
    ]
    assert await definitions(editor, "shop.py", "    re|po = providers") == ["store.py: class Repo:"]
    assert await definitions(editor, "shop.py", "    ses|sion = PerMessage") == [
        "shop.py: async def open_session(db: Db) -> AsyncIterator[str]:"
    ]
    assert await definitions(editor, "shop.py", "@users.action(FI|ND") == [
        'contracts.py: FIND = Action[Query, str]("find", service="shop")'
    ]
    handler = ["shop.py: async def find(query: Query, *, repo: Repo, bus: Bus) -> str:"]
    assert await definitions(editor, "mail.py", "bus.call(FI|ND, Query") == handler
    assert await definitions(editor, "contracts.py", "FI|ND = Action") == handler


async def test_references_lenses_and_symbols_span_all_apps(editor: Editor) -> None:
    found = await editor.client.text_document_references_async(
        types.ReferenceParams(types.ReferenceContext(True), *at(editor, "contracts.py", "FI|ND ="))
    )
    assert sorted(line_at(editor, one) for one in found or ()) == [
        'contracts.py: FIND = Action[Query, str]("find", service="shop")',
        "mail.py: FIND,",
        "mail.py: await bus.call(FIND, Query(event.id))",
        "mail.py: from contracts import EVENTS, FIND, ONLINE, Created, Deleted, Query",
        "shop.py: @users.action(FIND)",
        "shop.py: async def find(query: Query, *, repo: Repo, bus: Bus) -> str:",
        "shop.py: from contracts import FIND, Query",
    ]
    shown = await editor.client.text_document_code_lens_async(types.CodeLensParams(editor.at("contracts.py")))
    titles = {
        editor.text("contracts.py").splitlines()[lens.range.start.line].partition(" ")[0]: lens.command.title
        for lens in shown or ()
        if lens.command is not None
    }
    assert titles == {
        "FIND": "2 callers",
        "UNSERVED": "no callers in the workspace",
        "EVENTS": "1 publisher · 1 listener",
        "ONLINE": "1 broadcaster",
    }
    named = await editor.client.workspace_symbol_async(types.WorkspaceSymbolParams("rt thing"))
    assert [symbol.name for symbol in named or ()] == ["route GET /things/<thing_id>"]


OPENED = """
@users.action("opened", http="GET /opened/<number>")
async def opened(number: int, *, repo: Repo) -> int:
    return number
"""


async def test_doors_are_shown_with_their_action(editor: Editor) -> None:
    editor.type("shop.py", SHOP.replace("\napp = ", f"{OPENED}\napp = "))

    async def known() -> bool:
        found = await editor.client.workspace_symbol_async(types.WorkspaceSymbolParams("opened"))
        return {"action opened", "route GET /opened/<number>"} <= {symbol.name for symbol in found or ()}

    await until(known, PATIENCE)
    shown = await editor.client.text_document_code_lens_async(types.CodeLensParams(editor.at("shop.py")))
    titles = [lens.command.title for lens in shown or () if lens.command is not None]
    assert "no callers in the workspace · GET /opened/<number>" in titles
    assert len(titles) == 3  # one for each action, although a decorator with a name makes the contract, too
    assert "Open as GET /opened/<number>." in await hover(editor, "shop.py", "async def ope|ned")
    texts = await renamed(editor, "shop.py", 'action("ope|ned"', "shut")
    assert texts == {"shop.py": editor.text("shop.py").replace('action("opened"', 'action("shut"')}
    texts = await renamed(editor, "shop.py", "opened(number: int, *, re|po", "store")
    assert "opened(number: int, *, store: Repo)" in texts["shop.py"]


async def renamed(editor: Editor, name: str, piece: str, new: str) -> dict[str, str]:
    identifier, position = at(editor, name, piece)
    where = await editor.client.text_document_prepare_rename_async(types.PrepareRenameParams(identifier, position))
    if where is None:
        return {}
    edit = await editor.client.text_document_rename_async(types.RenameParams(identifier, position, new))
    return {} if edit is None else editor.applied(edit)


async def test_renaming_reaches_all_apps(editor: Editor) -> None:
    texts = await renamed(editor, "shop.py", "query: Query, *, re|po: Repo", "store")
    assert texts == {
        "shop.py": SHOP.replace("    repo = ", "    store = ")
        .replace("*, repo: Repo", "*, store: Repo")
        .replace("    repo.db", "    store.db")
    }
    texts = await renamed(editor, "contracts.py", '("fi|nd", service', "search")
    assert texts == {"contracts.py": CONTRACTS.replace('"find"', '"search"')}
    texts = await renamed(editor, "shop.py", 'action("nam|ed")', "other")
    assert texts == {"shop.py": SHOP.replace('"named"', '"other"')}
    texts = await renamed(editor, "contracts.py", '("eve|nts")', "things")
    assert texts == {"contracts.py": CONTRACTS.replace('("events")', '("things")')}
    assert await renamed(editor, "shop.py", "bus: B|us", "other") == {}  # it is ours
    assert await renamed(editor, "store.py", "class D|b", "other") == {}  # other servers rename it
    assert await renamed(editor, "contracts.py", '("fi|nd", service', "two words") == {}


@pytest.mark.parametrize(
    ("old", "new", "title", "fixed"),
    [
        (
            "*, repo: Repo, bus: Bus",
            "repo: Repo, bus: Bus",
            "Put a bare * before the services",
            "*, repo: Repo, bus: Bus",
        ),
        ("*, repo: Repo, bus: Bus", "*, reppo: Repo, bus: Bus", "Change reppo to repo", "*, repo: Repo, bus: Bus"),
        ("*, repo: Repo, bus: Bus", "*, repo, bus: Bus", "Annotate repo as Repo", "*, repo: Repo, bus: Bus"),
        ("number: int", "*, number: int", "Move number left of the *", "number: int"),
        ("query: Query, *, repo", "*, repo", "Take payload: Query", "payload: Query, *, repo"),
        ("bus: Bus)", "bus: Bus = None)", "Remove the default", "bus: Bus)"),
        (
            "    session = PerMessage(open_session, db=db)",
            "    session = PerMessage(open_session, db=db)\n    kept = providers.Singleton(Repo, db=session)",
            "Make it a Factory",
            "    kept = providers.Factory(Repo, db=session)",
        ),
        (
            "    session = PerMessage(open_session, db=db)",
            "    session = providers.Factory(open_session, db=db)",
            "Make it a PerMessage",
            "    session = PerMessage(open_session, db=db)",
        ),
        (
            "*, repo: Repo, bus: Bus",
            "*, repo: Repo, cache: Blueprint, bus: Bus",
            "Add cache to Container",
            "session = PerMessage(open_session, db=db)\n    cache = providers.Singleton(Blueprint)",
        ),
    ],
)
async def test_the_help_of_a_mistake_is_an_edit(editor: Editor, old: str, new: str, title: str, fixed: str) -> None:
    wrong = SHOP.replace(old, new)
    if "Make it a PerMessage" in title:
        wrong = wrong.replace("number: int)", "number: int, *, session: str)")
    editor.type("shop.py", wrong)
    await until(lambda: editor.diagnostics("shop.py"), PATIENCE)
    titles: dict[str, dict[str, str]] = {}
    for shown in editor.diagnostics("shop.py"):
        params = types.CodeActionParams(editor.at("shop.py"), shown.range, types.CodeActionContext([shown]))
        for action in await editor.client.text_document_code_action_async(params) or ():
            if isinstance(action, types.CodeAction) and action.edit is not None and action.edit.changes is not None:
                titles[action.title] = editor.applied(action.edit)
    assert title in titles
    assert fixed in titles[title]["shop.py"]


async def test_handlers_and_tests_are_created(editor: Editor) -> None:
    async def actions(name: str, piece: str) -> dict[str, types.WorkspaceEdit]:
        identifier, position = at(editor, name, piece)
        params = types.CodeActionParams(identifier, types.Range(position, position), types.CodeActionContext([]))
        found = await editor.client.text_document_code_action_async(params) or ()
        return {one.title: one.edit for one in found if isinstance(one, types.CodeAction) and one.edit is not None}

    found = await actions("contracts.py", "UNSER|VED =")
    (text,) = editor.applied(found["Create the handler of UNSERVED in shop.py"]).values()
    assert "from contracts import FIND, Query, UNSERVED\n" in text
    assert text.endswith(
        "\n\n\n@users.action(UNSERVED)\nasync def unserved(payload: Query) -> None:\n    raise NotImplementedError\n"
    )
    assert await actions("contracts.py", "FI|ND =") == {}  # it has one
    edit = (await actions("shop.py", "def fi|nd"))["Create a test of find"]
    assert edit.document_changes is not None
    create, write = edit.document_changes
    assert isinstance(create, types.CreateFile)
    assert create.uri == editor.uri("tests/test_find.py")
    assert isinstance(write, types.TextDocumentEdit)
    assert write.edits[0] == types.TextEdit(
        types.Range(types.Position(0, 0), types.Position(0, 0)),
        "from shop import find\n\n\nasync def test_find() -> None:\n"
        "    result = await find(query=..., repo=..., bus=...)\n    assert result\n",
    )


async def test_hints_and_tokens_tell_left_from_right(editor: Editor) -> None:
    everywhere = types.Range(types.Position(0, 0), types.Position(99, 0))
    params = types.InlayHintParams(editor.at("shop.py"), everywhere)
    found = await editor.client.text_document_inlay_hint_async(params)
    assert [hint.label for hint in found or ()] == ["Singleton", "Dependency", "Singleton"]
    tokens = await editor.client.text_document_semantic_tokens_full_async(
        types.SemanticTokensParams(editor.at("shop.py"))
    )
    assert tokens is not None
    kinds = [tuple(tokens.data[index + 2 : index + 5]) for index in range(0, len(tokens.data), 5)]
    assert kinds[:4] == [(5, 0, 1), (1, 2, 2), (4, 1, 2), (3, 1, 2)]  # query, *, repo, bus

// The bundled extension with the real server: DAEBUS_PYTHON is an interpreter that has daebus[lsp].
"use strict";

const assert = require("node:assert/strict");
const { mkdtempSync, mkdirSync, symlinkSync, writeFileSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { Host, Position, until } = require("./host.cjs");

const PYTHON = process.env.DAEBUS_PYTHON;
const APP = `from dependency_injector import providers
from daebus import Blueprint, Daebus, ServiceContainer

class Repo: ...

class Container(ServiceContainer):
    repo = providers.Singleton(Repo)

users = Blueprint("users", services=Container)

@users.action("get")
async def get(user_id: str, *, repo: Repo) -> str: ...

app = Daebus("shop", container=Container())
app.register_blueprint(users)
`;
const WRONG = APP.replace("*, repo", "*, reppo");

/** An activated extension in an editor whose folder has an app. */
async function activated(t, settings, environments, prepare = () => {}) {
  const folder = mkdtempSync(path.join(tmpdir(), "daebus-"));
  writeFileSync(path.join(folder, "app.py"), APP);
  const host = new Host(folder, settings, environments);
  prepare(folder, host);
  const extension = host.load();
  const context = { subscriptions: [] };
  t.after(async () => {
    await extension.deactivate();
    context.subscriptions.forEach((one) => one.dispose());
    rmSync(folder, { recursive: true });
  });
  await extension.activate(context);
  return { host, folder, file: path.join(folder, "app.py") };
}

function shown(host) {
  return [...host.diagnostics.values()].flat().map((one) => one.message);
}

async function untilMistake(host) {
  await until(() => shown(host).some((one) => one.includes("Container has no provider 'reppo'")), "the mistake is shown");
}

test("mistakes are shown while somebody types, services are completed, and the command restarts", async (t) => {
  const { host, file } = await activated(t, { "daebus.interpreter": PYTHON });
  const document = host.open(file, APP);
  host.type(document, WRONG);
  await untilMistake(host);
  assert.equal([...host.diagnostics.values()].flat()[0].code, "unknown-service");

  host.type(document, APP);
  await until(() => shown(host).length === 0, "the mistake is gone");
  const line = APP.split("\n").findIndex((one) => one.includes("async def get"));
  const at = new Position(line, APP.split("\n")[line].indexOf("repo"));
  const provider = host.providers.get("registerCompletionItemProvider");
  const found = await provider.provideCompletionItems(document, at, new host.vscode.CancellationTokenSource().token, { triggerKind: 0 });
  const labels = [...(found.items ?? found)].map((one) => one.label);
  assert.ok(labels.includes("repo: Repo"), JSON.stringify(labels));

  host.type(document, WRONG);
  await untilMistake(host);
  await host.commands.get("daebus.restart")();
  await untilMistake(host);
  assert.deepEqual(host.messages, []);
});

test("the environment of the Python extension is used, and another one as soon as it is chosen", async (t) => {
  const changes = new Set();
  let active = PYTHON;
  const environments = {
    getActiveEnvironmentPath: () => ({ path: active }),
    resolveEnvironment: async (given) => ({ executable: { uri: { fsPath: given.path } } }),
    onDidChangeActiveEnvironmentPath: (changed) => (changes.add(changed), { dispose: () => changes.delete(changed) }),
  };
  const { host, file } = await activated(t, {}, environments);
  host.type(host.open(file, APP), WRONG);
  await untilMistake(host);
  assert.ok(host.logged.includes(`${PYTHON} (from the Python extension) -m daebus lsp`));

  active = "/nowhere/python";
  host.files = [];
  changes.forEach((changed) => changed());
  await until(() => host.logged.some((one) => one.includes("There is no Python interpreter at /nowhere/python")), "it is missed");
  assert.equal(shown(host).length, 0);
});

test("the interpreter of .venv is used where no other is named", async (t) => {
  const { host } = await activated(t, {}, undefined, (folder) => {
    mkdirSync(path.join(folder, ".venv", "bin"), { recursive: true });
    writeFileSync(path.join(folder, ".venv", "bin", "python"), `#!/bin/sh\nexec ${PYTHON} "$@"\n`, { mode: 0o755 });
  });
  assert.ok(host.logged.some((one) => one.includes("(from the folder .venv) -m daebus lsp")), host.logged.join("\n"));
});

test("what is missing is said plainly, in projects that use daebus", async (t) => {
  const environment = mkdtempSync(path.join(tmpdir(), "daebus-"));
  t.after(() => rmSync(environment, { recursive: true }));
  // An interpreter that sees no installed packages.
  const bare = path.join(environment, "python");
  writeFileSync(bare, `#!/bin/sh\nexec ${PYTHON} -I -S "$@"\n`, { mode: 0o755 });
  const { host, folder } = await activated(t, { "daebus.interpreter": bare });
  assert.deepEqual(host.messages, []);
  writeFileSync(path.join(folder, "pyproject.toml"), '[project]\ndependencies = ["daebus[lsp]"]\n');
  host.files = [{ fsPath: path.join(folder, "pyproject.toml") }];
  await host.commands.get("daebus.restart")();
  assert.match(host.messages[0], /^daebus is not installed for .*python \(from the setting daebus\.interpreter\)\. Install it with: /);
  assert.ok(host.messages[0].endsWith('-m pip install "daebus[lsp]"'));

  host.settings["daebus.interpreter"] = "${workspaceFolder}/none/python";
  host.answer = "Open Settings";
  await host.commands.get("daebus.restart")();
  assert.match(host.messages[1], /^There is no Python interpreter at .*\/none\/python/);
  await until(() => host.executed.length === 1, "the settings are opened");
  assert.deepEqual(host.executed, [["workbench.action.openSettings", "daebus.interpreter"]]);

  host.settings["daebus.interpreter"] = "";
  await host.commands.get("daebus.restart")();
  assert.match(host.messages[2], /^No Python interpreter was found: create \.venv/);
});

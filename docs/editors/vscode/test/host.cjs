// A host for the extension without VS Code: the module `vscode` as far as the extension and its client use it.
"use strict";

const Module = require("node:module");
const path = require("node:path");
const { pathToFileURL, fileURLToPath } = require("node:url");

class Uri {
  constructor(text) {
    this.text = text;
  }
  static file(name) {
    return new Uri(pathToFileURL(name).href);
  }
  static parse(text) {
    return new Uri(text);
  }
  get scheme() {
    return this.text.split(":")[0];
  }
  get fsPath() {
    return fileURLToPath(this.text);
  }
  get path() {
    return new URL(this.text).pathname;
  }
  toString() {
    return this.text;
  }
}

class Position {
  constructor(line, character) {
    Object.assign(this, { line, character });
  }
}

class Range {
  constructor(...at) {
    [this.start, this.end] =
      at.length === 2 ? at : [new Position(at[0], at[1]), new Position(at[2], at[3])];
  }
}

class EventEmitter {
  constructor() {
    this.listeners = new Set();
    this.event = (listener, self) => {
      const bound = self === undefined ? listener : listener.bind(self);
      this.listeners.add(bound);
      return { dispose: () => this.listeners.delete(bound) };
    };
  }
  fire(value) {
    for (const listener of [...this.listeners]) listener(value);
  }
  dispose() {
    this.listeners.clear();
  }
}

class CancellationTokenSource {
  constructor() {
    this.token = { isCancellationRequested: false, onCancellationRequested: new EventEmitter().event };
  }
  cancel() {}
  dispose() {}
}

/** A class, or an enumeration, that the client names: its members are numbers, its instances keep their arguments. */
function anything(name) {
  const members = new Map();
  const made = { [name]: class { constructor(...given) { this.given = given; } } }[name];
  return new Proxy(made, {
    get(target, member, receiver) {
      if (Reflect.has(target, member) || typeof member === "symbol") return Reflect.get(target, member, receiver);
      if (!members.has(member)) members.set(member, members.size);
      return members.get(member);
    },
  });
}

/** An object with some members; every other member is an event that never happens. */
function part(members) {
  return new Proxy(members, {
    get(target, member) {
      if (member in target || typeof member === "symbol" || member === "then") return target[member];
      if (/^on(Did|Will)/.test(member)) return (target[member] = new EventEmitter().event);
      return undefined;
    },
  });
}

/** A document of the editor. */
class Document {
  constructor(file, text) {
    Object.assign(this, { uri: Uri.file(file), languageId: "python", version: 1, text, isClosed: false });
  }
  getText() {
    return this.text;
  }
}

/** An editor with one folder. */
class Host {
  constructor(folder, settings, environments) {
    this.folder = { uri: Uri.file(folder), name: path.basename(folder), index: 0 };
    this.settings = settings;
    this.messages = [];
    this.answer = undefined;
    this.logged = [];
    this.commands = new Map();
    this.executed = [];
    this.providers = new Map();
    this.diagnostics = new Map();
    this.documents = [];
    this.events = {};
    this.environments = environments;
    this.vscode = this.module();
  }

  on(name) {
    this.events[name] ??= new EventEmitter();
    return this.events[name].event;
  }

  module() {
    const host = this;
    const known = {
      Uri, Position, Range, EventEmitter, CancellationTokenSource,
      version: "1.91.0",
      Disposable: class { constructor(end) { this.end = end; } static from(...all) { return new this(() => all.forEach((one) => one.dispose())); } dispose() { this.end(); } },
      RelativePattern: class { constructor(base, pattern) { Object.assign(this, { base, baseUri: base.uri ?? base, pattern }); } },
      CompletionList: class { constructor(items) { this.items = items; } },
      CancellationError: class extends Error {},
      Diagnostic: class { constructor(range, message, severity) { Object.assign(this, { range, message, severity }); } },
      CompletionItem: class { constructor(label, kind) { Object.assign(this, { label, kind }); } },
      workspace: part({
        workspaceFolders: [this.folder],
        textDocuments: this.documents,
        notebookDocuments: [],
        getConfiguration: (section) => part({
          get: (name, otherwise) => host.settings[section ? `${section}.${name}` : name] ?? otherwise,
          inspect: () => undefined,
        }),
        getWorkspaceFolder: () => this.folder,
        onDidChangeConfiguration: this.on("configuration"),
        onDidOpenTextDocument: this.on("open"),
        onDidChangeTextDocument: this.on("change"),
        createFileSystemWatcher: () => part({ dispose() {} }),
        findFiles: async () => host.files ?? [],
      }),
      window: part({
        visibleTextEditors: [],
        tabGroups: part({ all: [] }),
        createOutputChannel: () => part({
          name: "daebus",
          ...Object.fromEntries(["append", "appendLine", "info", "warn", "error", "debug", "trace"].map((level) => [level, (text) => host.logged.push(text)])),
          show() {}, dispose() {}, clear() {},
        }),
        showWarningMessage: async (text) => (host.messages.push(text), host.answer),
        showErrorMessage: async (text) => void host.messages.push(text),
        showInformationMessage: async (text) => void host.messages.push(text),
      }),
      languages: new Proxy({
        match: () => 1,
        createDiagnosticCollection: () => part({
          set: (uri, found) => host.diagnostics.set(uri.toString(), found ?? []),
          delete: (uri) => host.diagnostics.delete(uri.toString()),
          clear: () => host.diagnostics.clear(),
          dispose: () => host.diagnostics.clear(),
        }),
      }, {
        get: (target, name) => target[name] ?? ((selector, provider) => {
          host.providers.set(name, provider);
          return { dispose: () => host.providers.delete(name) };
        }),
      }),
      commands: part({
        registerCommand: (name, run) => (host.commands.set(name, run), { dispose: () => host.commands.delete(name) }),
        executeCommand: async (...given) => void host.executed.push(given),
      }),
      extensions: part({
        getExtension: (name) =>
          name === "ms-python.python" && host.environments ? { activate: async () => ({ environments: host.environments }) } : undefined,
      }),
      env: part({ appName: "test", language: "en", openExternal: async () => true }),
      l10n: { t: (text) => text },
    };
    return new Proxy(known, {
      get(target, name) {
        if (typeof name === "symbol" || name in target) return target[name];
        return (target[name] = anything(name));
      },
    });
  }

  /** Load the bundled extension. */
  load() {
    const bundle = require.resolve("../dist/extension.js");
    delete require.cache[bundle];
    const load = Module._load;
    Module._load = (name, ...rest) => (name === "vscode" ? this.vscode : load.call(Module, name, ...rest));
    try {
      return require(bundle);
    } finally {
      Module._load = load;
    }
  }

  open(file, text) {
    const document = new Document(file, text);
    this.documents.push(document);
    this.events.open.fire(document);
    return document;
  }

  /** Replace the whole text of a document. */
  type(document, text) {
    const range = new Range(0, 0, document.text.split("\n").length, 0);
    document.text = text;
    document.version += 1;
    this.events.change.fire({ document, contentChanges: [{ range, text }], reason: undefined });
  }
}

/** Wait until something holds. */
async function until(holds, what) {
  const end = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`It never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

module.exports = { Host, Position, until };

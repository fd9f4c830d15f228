import * as os from "node:os";
import * as path from "node:path";
import { execFile } from "node:child_process";
import { access, constants, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import * as vscode from "vscode";

const run = promisify(execFile);

/** What the server needs of an environment, and the name of what is missing in it. */
const PROBE = [
  "import importlib.util, sys",
  "missing = [name for name in ('daebus', 'pygls') if importlib.util.find_spec(name) is None]",
  "print(missing[0] if missing else '')",
].join("\n");

/** An interpreter, and where its path comes from. */
export interface Found {
  readonly path: string;
  readonly source: string;
}

/** What the Python extension of Microsoft exports, as far as it is used here. */
interface PythonApi {
  readonly environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    resolveEnvironment(
      environment: unknown,
    ): Promise<{ readonly executable: { readonly uri?: vscode.Uri } } | undefined>;
    readonly onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

/** The interpreter of a workspace folder: by the setting, by the Python extension, or in `.venv` or `venv`. */
export async function findInterpreter(folder: vscode.WorkspaceFolder): Promise<Found | undefined> {
  const setting = vscode.workspace.getConfiguration("daebus", folder.uri).get<string>("interpreter", "").trim();
  if (setting !== "") {
    return { path: expand(setting, folder), source: "the setting daebus.interpreter" };
  }
  const active = await activeEnvironment(folder);
  if (active !== undefined) {
    return { path: active, source: "the Python extension" };
  }
  for (const name of [".venv", "venv"]) {
    const candidate = path.join(folder.uri.fsPath, name, "bin", "python");
    if (await isExecutable(candidate)) {
      return { path: candidate, source: `the folder ${name}` };
    }
  }
  return undefined;
}

/** Call something when another environment is chosen in the Python extension. */
export async function watchEnvironments(changed: () => void): Promise<vscode.Disposable | undefined> {
  const api = await pythonApi();
  return api?.environments.onDidChangeActiveEnvironmentPath(changed);
}

/** What keeps an interpreter from running the server, as a sentence; undefined: nothing. */
export async function findProblem(interpreter: Found): Promise<string | undefined> {
  const where = `${interpreter.path} (from ${interpreter.source})`;
  if (!(await isExecutable(interpreter.path))) {
    return `There is no Python interpreter at ${where}.`;
  }
  let missing: string;
  try {
    missing = (await run(interpreter.path, ["-c", PROBE], { timeout: 20_000 })).stdout.trim();
  } catch (error) {
    return `${where} does not run Python code: ${(error as Error).message}`;
  }
  const what = missing === "pygls" ? "The language server of daebus is" : "daebus is";
  const install = `${interpreter.path} -m pip install "daebus[lsp]"`;
  return missing === "" ? undefined : `${what} not installed for ${where}. Install it with: ${install}`;
}

/** Whether a workspace folder is a project that uses daebus, by its pyproject.toml or requirements. */
export async function usesDaebus(folder: vscode.WorkspaceFolder): Promise<boolean> {
  const pattern = new vscode.RelativePattern(folder, "{**/pyproject.toml,**/requirements*.txt}");
  const files = await vscode.workspace.findFiles(pattern, "**/{node_modules,.venv,venv}/**", 50);
  const texts = await Promise.all(files.map((file) => readFile(file.fsPath, "utf8").catch(() => "")));
  return texts.some((text) => text.includes("daebus"));
}

function expand(setting: string, folder: vscode.WorkspaceFolder): string {
  const named = setting
    .replaceAll("${workspaceFolder}", folder.uri.fsPath)
    .replace(/^~(?=\/)/, os.homedir());
  return path.resolve(folder.uri.fsPath, named);
}

async function pythonApi(): Promise<PythonApi | undefined> {
  const extension = vscode.extensions.getExtension<PythonApi | undefined>("ms-python.python");
  return extension === undefined ? undefined : await extension.activate();
}

async function activeEnvironment(folder: vscode.WorkspaceFolder): Promise<string | undefined> {
  const environments = (await pythonApi())?.environments;
  if (environments === undefined) {
    return undefined;
  }
  const environment = await environments.resolveEnvironment(environments.getActiveEnvironmentPath(folder.uri));
  return environment?.executable.uri?.fsPath;
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

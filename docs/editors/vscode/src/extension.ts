import * as vscode from "vscode";
import { LanguageClient, type LanguageClientOptions } from "vscode-languageclient/node";
import { findInterpreter, findProblem, usesDaebus, watchEnvironments } from "./interpreter";

const INSTRUCTIONS = "https://pypi.org/project/daebus/";

let session: Session | undefined;

/** Called by the editor when a Python file is opened. */
export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const started = new Session(vscode.window.createOutputChannel("daebus", { log: true }));
  session = started;
  context.subscriptions.push(
    vscode.commands.registerCommand("daebus.restart", () => started.restart(true)),
    vscode.commands.registerCommand("daebus.showOutput", () => started.output.show()),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("daebus")) {
        void started.restart(true);
      }
    }),
    started.output,
  );
  const watching = await watchEnvironments(() => void started.restart(false));
  if (watching !== undefined) {
    context.subscriptions.push(watching);
  }
  await started.restart(false);
}

/** Called by the editor when it ends, or when the extension is disabled. */
export async function deactivate(): Promise<void> {
  await session?.stop();
}

/** The server, which is started anew when its interpreter changes. */
class Session {
  private client: LanguageClient | undefined;
  private last: Promise<void> = Promise.resolve();

  constructor(readonly output: vscode.LogOutputChannel) {}

  /** Stop the server if it runs, and start it; one restart after the other. */
  restart(asked: boolean): Promise<void> {
    this.last = this.last.then(async () => {
      await this.end();
      await this.start(asked);
    });
    return this.last;
  }

  stop(): Promise<void> {
    this.last = this.last.then(() => this.end());
    return this.last;
  }

  private async end(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.dispose().catch((error: unknown) => this.output.warn(`The server did not stop: ${String(error)}`));
  }

  private async start(asked: boolean): Promise<void> {
    const folder = vscode.workspace.workspaceFolders?.[0];
    if (folder === undefined) {
      this.tell("The language server of daebus needs a folder: open the folder of your project.", asked);
      return;
    }
    const interpreter = await findInterpreter(folder);
    const problem =
      interpreter === undefined
        ? "No Python interpreter was found: create .venv in the workspace, choose one in the Python extension, " +
          "or set daebus.interpreter."
        : await findProblem(interpreter);
    if (interpreter === undefined || problem !== undefined) {
      // Most Python projects do not use daebus: they are left in peace.
      this.tell(problem ?? "", asked || (await usesDaebus(folder)));
      return;
    }
    this.output.info(`${interpreter.path} (from ${interpreter.source}) -m daebus lsp`);
    await this.run(interpreter.path, folder);
  }

  private async run(interpreter: string, folder: vscode.WorkspaceFolder): Promise<void> {
    const settings = vscode.workspace.getConfiguration("daebus");
    const options: LanguageClientOptions = {
      documentSelector: [{ scheme: "file", language: "python" }],
      outputChannel: this.output,
      initializationOptions: {
        seconds: settings.get<number>("seconds"),
        megabytes: settings.get<number>("megabytes"),
      },
    };
    const executable = { command: interpreter, args: ["-m", "daebus", "lsp"], options: { cwd: folder.uri.fsPath } };
    const client = new LanguageClient("daebus", "daebus", executable, options);
    this.client = client;
    try {
      await client.start();
    } catch (error) {
      this.client = undefined;
      this.tell(`The language server of daebus did not start: ${String(error)}`, true);
    }
  }

  private tell(problem: string, loudly: boolean): void {
    this.output.warn(problem);
    if (loudly) {
      void this.offer(problem);
    }
  }

  private async offer(problem: string): Promise<void> {
    const chosen = await vscode.window.showWarningMessage(problem, "Open Settings", "Restart", "Documentation");
    if (chosen === "Open Settings") {
      await vscode.commands.executeCommand("workbench.action.openSettings", "daebus.interpreter");
    } else if (chosen === "Restart") {
      await this.restart(true);
    } else if (chosen === "Documentation") {
      await vscode.env.openExternal(vscode.Uri.parse(INSTRUCTIONS));
    }
  }
}

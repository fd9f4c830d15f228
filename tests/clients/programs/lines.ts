/** Lines from the test that runs the program, and lines to it. */

declare const process: {
  readonly argv: readonly string[];
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: { write(text: string): void };
};

/** The arguments of the program. */
export const [url = ""] = process.argv.slice(2);

/** The lines of the test, until it closes the input. */
export async function* lines(): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of process.stdin) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

/** Writes a line. */
export function write(line: string): void {
  process.stdout.write(`${line}\n`);
}

// Checks AsyncAPI documents with the official parser: node check.mjs FOLDER_OF_NODE_MODULES FILE...
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, ...files] = process.argv.slice(2);
const { Parser } = createRequire(`${folder}/`)("@asyncapi/parser");
const WARNING = 1;
let failed = false;
for (const file of files) {
  const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"));
  const found = diagnostics.filter((one) => one.severity <= WARNING);
  failed ||= !document || found.length > 0;
  console.log(`${file}: ${document && found.length === 0 ? "valid" : "not valid"}`);
  for (const one of found) console.log(`  ${one.code} at ${one.path.join("/")}: ${one.message}`);
}
process.exit(failed ? 1 : 0);

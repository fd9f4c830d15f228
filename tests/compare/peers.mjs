// What other tools say of pairs of documents: node peers.mjs FOLDER_OF_NODE_MODULES < pairs.json > verdicts.json
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.argv[2]}/`);
const { diff } = require("@asyncapi/diff");
const { diffSchemas } = require("json-schema-diff");
const { apiCompare } = require("api-smart-diff");

// One verdict of the changes that a tool has found: "breaking", "unclassified", or "" for none of these.
const verdict = (types) => ["breaking", "unclassified"].find((type) => types.includes(type)) ?? "";

const tools = {
  "@asyncapi/diff": ({ asyncapi: [before, after] }) => {
    const found = diff(before, after);
    return verdict([...found.breaking(), ...found.unclassified()].map((change) => change.type));
  },
  "json-schema-diff": async ({ direction, schemas: [sourceSchema, destinationSchema] }) => {
    const found = await diffSchemas({ sourceSchema, destinationSchema });
    return verdict([(direction === "given" ? found.additionsFound : found.removalsFound) ? "breaking" : ""]);
  },
  "api-smart-diff": ({ openapi: [before, after] }) => verdict(apiCompare(before, after).diffs.map((change) => change.type)),
};

const verdicts = [];
for (const pair of JSON.parse(readFileSync(0, "utf8"))) {
  const found = {};
  for (const [name, compare] of Object.entries(tools)) {
    try {
      found[name] = await compare(structuredClone(pair));
    } catch (error) {
      found[name] = "fails";
      console.error(`${pair.name}: ${name}: ${error.message?.split("\n")[0]}`);
    }
  }
  verdicts.push(found);
}
const about = (name) => JSON.parse(readFileSync(`${process.argv[2]}/node_modules/${name}/package.json`, "utf8"));
const versions = Object.fromEntries(Object.keys(tools).map((name) => [name, about(name).version]));
console.log(JSON.stringify({ versions, verdicts }));

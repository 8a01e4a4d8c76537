// Compiles CheckpointAnchor.sol into CheckpointAnchor.json, which the Python package ships:
//   npm ci && node build.mjs            (in this folder)
//   node build.mjs --check              compares with what is shipped (make check-contract)
//   node build.mjs OTHER.json           writes elsewhere, for the test that compares
// The compiler is a JavaScript build from npm, so the same bytes come out on every machine.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const solc = require("solc");
const { keccak256 } = require("js-sha3");

const NAME = "CheckpointAnchor";
const SOURCE = `${NAME}.sol`;
const settings = {
  optimizer: { enabled: true, runs: 1000 },
  evmVersion: "london", // no PUSH0: runs from Berlin on; "paris" gives the same bytes
  metadata: { appendCBOR: false, bytecodeHash: "none" }, // the code hash depends on the code alone
};

const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources: { [SOURCE]: { content: readFileSync(join(here, SOURCE), "utf8") } },
      settings: {
        ...settings,
        outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
      },
    }),
  ),
);
if (output.errors?.length) {
  console.error(output.errors.map((problem) => problem.formattedMessage).join("\n"));
  process.exit(1);
}

const compiled = output.contracts[SOURCE][NAME];
const runtime = compiled.evm.deployedBytecode.object;
const artifact = {
  name: NAME,
  layout: "checkpoint-anchor/v1",
  compiler: `solc ${solc.version()}`,
  settings,
  codeHash: `0x${keccak256(Buffer.from(runtime, "hex"))}`,
  bytecode: `0x${compiled.evm.bytecode.object}`,
  runtime: `0x${runtime}`,
  abi: compiled.abi,
};
const shipped = join(here, `${NAME}.json`);
const built = `${JSON.stringify(artifact, null, 1)}\n`;
if (process.argv[2] === "--check") {
  const same = readFileSync(shipped, "utf8") === built;
  console.log(same ? `the build gives the shipped bytes, codeHash ${artifact.codeHash}` : "the build differs from the shipped bytes");
  process.exit(same ? 0 : 1);
}
writeFileSync(process.argv[2] ?? shipped, built);

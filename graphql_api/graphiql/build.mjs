// Builds the page into dist/, which ../ide.py serves.
import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { gzipSync } from "fflate";

import { named, settingsFor, writeDistribution } from "../../web/page_build/distribution.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const SETTINGS = { ...settingsFor(HERE), loader: { ".ttf": "file" } };

const WORKERS = {
  editor: "monaco-editor/esm/vs/editor/editor.worker.js",
  json: "monaco-editor/esm/vs/language/json/json.worker.js",
  graphql: "monaco-graphql/esm/graphql.worker.js",
};

const workers = await build({
  ...SETTINGS,
  format: "iife",
  entryPoints: Object.entries(WORKERS).map(([name, path]) => ({ in: path, out: `${name}.worker` })),
});
const workerFiles = Object.fromEntries(
  Object.keys(WORKERS).map((name) => [name, named(workers, `${name}.worker-`, ".js")]),
);
const page = await build({
  ...SETTINGS,
  format: "esm",
  splitting: true,
  jsx: "automatic",
  keepNames: true, // GraphiQL makes the titles of its icons, which screen readers read, out of function names
  entryPoints: ["main.jsx"],
  // GraphiQL imports Prettier's parsers by their old names, CommonJS files that it would find empty in this bundle.
  alias: { "prettier/parser-babel": "prettier/plugins/babel", "prettier/parser-graphql": "prettier/plugins/graphql" },
  define: { ...SETTINGS.define, WORKER_FILES: JSON.stringify(workerFiles) },
});

writeDistribution({
  root: HERE,
  title: "GraphiQL as Uplift serves it",
  sources: readdirSync(HERE).filter((name) => /\.(mjs|jsx?|css|json)$/.test(name)),
  results: [workers, page],
  gzipSync,
});

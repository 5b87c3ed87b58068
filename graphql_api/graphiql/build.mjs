// Builds the page into dist/: gzipped files with content-hashed names, a manifest, and the licences of all that is inside.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { gzipSync } from "fflate";

import { licencesOf } from "./licences.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const DIST = join(HERE, "dist");
const LICENCES = "THIRD_PARTY_LICENSES.txt";

const WORKERS = {
  editor: "monaco-editor/esm/vs/editor/editor.worker.js",
  json: "monaco-editor/esm/vs/language/json/json.worker.js",
  graphql: "monaco-graphql/esm/graphql.worker.js",
};

const SETTINGS = {
  absWorkingDir: HERE,
  outdir: DIST,
  bundle: true,
  minify: true,
  write: false,
  metafile: true,
  target: "es2022",
  legalComments: "none", // gathered whole in THIRD_PARTY_LICENSES.txt, which the page links to
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  define: { "process.env.NODE_ENV": '"production"' },
  loader: { ".ttf": "file" },
  logLevel: "warning",
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

const style = named(page, "main-", ".css");
// The style sheets of lazily loaded parts repeat the page's own, and nothing would load them.
const pageFiles = page.outputFiles.filter(({ path }) => extname(path) !== ".css" || basename(path) === style);

const licences = licencesOf(HERE, [workers.metafile, page.metafile]);
const licencesFile = hashedName(LICENCES, licences);
const files = new Map([
  ...[...workers.outputFiles, ...pageFiles].map(({ path, contents }) => [basename(path), contents]),
  [licencesFile, Buffer.from(licences)],
]);
const manifest = {
  sources: sourcesHash(), // a test compares it, so that nobody forgets to build after a change
  script: named(page, "main-", ".js"),
  style,
  licences: licencesFile,
  files: [...files.keys()].sort(),
};

rmSync(DIST, { recursive: true, force: true });
mkdirSync(DIST);
for (const [name, contents] of files) writeFileSync(join(DIST, `${name}.gz`), gzipped(contents));
writeFileSync(join(DIST, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
writeFileSync(join(DIST, LICENCES), licences);
report();

function sourcesHash() {
  const names = readdirSync(HERE).filter((name) => /\.(mjs|jsx?|css|json)$/.test(name));
  const hash = createHash("sha256");
  for (const name of names.sort()) hash.update(`${name}\n`).update(readFileSync(join(HERE, name)));
  return hash.digest("hex");
}

function named({ outputFiles }, start, end) {
  const names = outputFiles.map(({ path }) => basename(path));
  const [name, ...others] = names.filter((each) => each.startsWith(start) && each.endsWith(end));
  if (!name || others.length) throw new Error(`Expected one ${start}*${end}, but there are: ${names.join(", ")}`);
  return name;
}

function hashedName(name, contents) {
  const hash = createHash("sha256").update(contents).digest("hex").slice(0, 8).toUpperCase();
  return `${basename(name, extname(name))}-${hash}${extname(name)}`;
}

// fflate and not node:zlib, whose bytes differ between versions of Node and between processors.
function gzipped(contents) {
  const compressed = gzipSync(contents, { level: 9, mtime: 0 });
  compressed[9] = 255; // the operating system: unknown, wherever it was built
  return compressed;
}

function report() {
  const sizes = readdirSync(DIST).map((name) => [name, readFileSync(join(DIST, name)).length]);
  for (const [name, size] of sizes) console.log(String(size).padStart(9), name);
  console.log(String(sizes.reduce((sum, [, size]) => sum + size, 0)).padStart(9), "in all");
}

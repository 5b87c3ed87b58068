// Writes a built page into dist/: gzipped files with content-hashed names, a manifest, and the licences of all that is inside.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

import { licencesOf } from "./licences.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const LICENCES = "THIRD_PARTY_LICENSES.txt";

// esbuild's settings that every page shares.
export const settingsFor = (root) => ({
  absWorkingDir: root,
  outdir: join(root, "dist"),
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
  logLevel: "warning",
});

// The only output whose name starts and ends like this.
export function named({ outputFiles }, start, end) {
  const names = outputFiles.map(({ path }) => basename(path));
  const [name, ...others] = names.filter((each) => each.startsWith(start) && each.endsWith(end));
  if (!name || others.length) throw new Error(`Expected one ${start}*${end}, but there are: ${names.join(", ")}`);
  return name;
}

// `sources` are paths below `root`; `results` come from esbuild, the page's last; `gzipSync` is fflate's.
export function writeDistribution({ root, title, sources, results, gzipSync, otherLicences }) {
  const dist = join(root, "dist");
  const page = results.at(-1);
  const style = named(page, "main-", ".css");
  // The style sheets of lazily loaded parts repeat the page's own, and nothing would load them.
  const outputs = results.flatMap(({ outputFiles }) => outputFiles);
  const wanted = outputs.filter(({ path }) => extname(path) !== ".css" || basename(path) === style);
  const licences = licencesOf(root, title, results.map(({ metafile }) => metafile), otherLicences);
  const licencesFile = hashedName(LICENCES, licences);
  const files = new Map([
    ...wanted.map(({ path, contents }) => [basename(path), contents]),
    [licencesFile, Buffer.from(licences)],
  ]);
  const manifest = {
    sources: sourcesHash(root, sources), // a test compares it, so that nobody forgets to build after a change
    script: named(page, "main-", ".js"),
    style,
    licences: licencesFile,
    files: [...files.keys()].sort(),
  };
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist);
  for (const [name, contents] of files) writeFileSync(join(dist, `${name}.gz`), gzipped(gzipSync, contents));
  writeFileSync(join(dist, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(join(dist, LICENCES), licences);
  report(dist);
}

function sourcesHash(root, sources) {
  const shared = readdirSync(HERE).filter((name) => name.endsWith(".mjs")).map((name) => join(HERE, name));
  const paths = [...shared, ...sources.map((source) => join(root, source))];
  const names = new Map(paths.map((path) => [relative(root, path).replaceAll(sep, "/"), path]));
  const hash = createHash("sha256");
  for (const name of [...names.keys()].sort()) hash.update(`${name}\n`).update(readFileSync(names.get(name)));
  return hash.digest("hex");
}

function hashedName(name, contents) {
  const hash = createHash("sha256").update(contents).digest("hex").slice(0, 8).toUpperCase();
  return `${basename(name, extname(name))}-${hash}${extname(name)}`;
}

// fflate and not node:zlib, whose bytes differ between versions of Node and between processors.
function gzipped(gzipSync, contents) {
  const compressed = gzipSync(contents, { level: 9, mtime: 0 });
  compressed[9] = 255; // the operating system: unknown, wherever it was built
  return compressed;
}

function report(dist) {
  const sizes = readdirSync(dist).map((name) => [name, readFileSync(join(dist, name)).length]);
  for (const [name, size] of sizes) console.log(String(size).padStart(9), name);
  console.log(String(sizes.reduce((sum, [, size]) => sum + size, 0)).padStart(9), "in all");
}

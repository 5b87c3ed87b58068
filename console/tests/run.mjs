// Bundles the tests, because Node does not read TypeScript, and runs them. An argument says where esbuild and preact are.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const packages = process.argv[2] ?? join(HERE, "..", "node_modules");
const { buildSync } = createRequire(join(packages, "x.js"))("esbuild");
const folder = mkdtempSync(join(tmpdir(), "console-tests-"));
try {
  buildSync({
    entryPoints: readdirSync(HERE)
      .filter((name) => name.endsWith(".test.ts"))
      .map((name) => join(HERE, name)),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    jsx: "automatic",
    jsxImportSource: "preact",
    nodePaths: [packages],
    // No test loads it, and what it needs is installed for the build of the page only.
    external: ["*/layout_worker.ts"],
    // A page has these; the functions under test do not use them.
    banner: { js: 'globalThis.document ??= { baseURI: "http://test/console" };' },
    logLevel: "error",
  });
  const tests = readdirSync(folder).map((name) => join(folder, name));
  process.exitCode = spawnSync(process.execPath, ["--test", ...tests], { stdio: "inherit" }).status ?? 1;
} finally {
  rmSync(folder, { recursive: true });
}

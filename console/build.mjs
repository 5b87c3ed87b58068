// Builds the console into dist/, which page.py serves.
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { gzipSync } from "fflate";

import { settingsFor, writeDistribution } from "../web/page_build/distribution.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const SETTINGS = { ...settingsFor(HERE), format: "esm", jsx: "automatic", jsxImportSource: "preact" };

const page = await build({ ...SETTINGS, splitting: true, entryPoints: ["src/main.tsx"] });

writeDistribution({
  root: HERE,
  title: "The console of Uplift",
  sources: [
    ...["build.mjs", "package.json", "package-lock.json", "tsconfig.json"],
    ...readdirSync(join(HERE, "src"), { recursive: true })
      .filter((name) => /\.(tsx?|css)$/.test(name))
      .map((name) => join("src", name)),
  ],
  results: [page],
  gzipSync,
  // MIT with one more condition, which diagrams keep: the watermark stays fully visible.
  otherLicences: { "bpmn-js": "LicenseRef-bpmn.io" },
});

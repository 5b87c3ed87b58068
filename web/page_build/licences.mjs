// Tells which packages ended up in a bundle, and under which licences they may be passed on.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const KNOWN = new Set(["MIT", "ISC", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"]);
const LEGAL_FILE = /^(licen[cs]e|notice|copying|thirdpartynotices)/i;
const PACKAGE_FOLDER = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;

// `title` names the page; `otherLicences` allows named packages a licence of their own: {name: SPDX reference}.
export function licencesOf(root, title, metafiles, otherLicences = {}) {
  const packages = new Map(foldersIn(metafiles).map((folder) => packageIn(join(root, folder), otherLicences)));
  const titles = [...packages.keys()].sort();
  const texts = [...new Set(titles.map((title) => packages.get(title)))];
  const sharing = (text) => titles.filter((title) => packages.get(title) === text).join("\n");
  const intro = `${title} contains these ${titles.length} packages, under the licences below.\n`;
  const sections = texts.map((text) => `${sharing(text)}\n\n${text}\n`);
  return [intro, ...sections].join(`\n${"=".repeat(80)}\n`);
}

// An output names only the inputs that are really in it; metafile.inputs also has what tree shaking took out.
function foldersIn(metafiles) {
  const outputs = metafiles.flatMap((metafile) => Object.values(metafile.outputs));
  const inputs = outputs.flatMap((output) => Object.entries(output.inputs));
  const used = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path);
  return [...new Set(used.map((path) => PACKAGE_FOLDER.exec(path)?.[1]).filter(Boolean))];
}

function packageIn(folder, otherLicences) {
  const { name, version, author, ...declaration } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const license = otherLicences[name] ?? declaration.license;
  if (!otherLicences[name] && !KNOWN.has(license)) throw new Error(`Expected to pass on ${name} ${version}, but its licence is ${license}`);
  const files = readdirSync(folder).filter((file) => LEGAL_FILE.test(file)).sort();
  const texts = files.map((file) => readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n").trim());
  return [`${name} ${version} (${license})`, texts.join("\n\n") || declared(name, license, author)];
}

function declared(name, license, author) {
  if (license !== "MIT") throw new Error(`Expected to find the licence of ${name}, but it has no such file`);
  const owner = (typeof author === "string" ? author : author?.name) ?? `the authors of ${name}`;
  return `(The package has no licence file; its package.json declares ${license}.)\n\nCopyright (c) ${owner}\n\n${MIT}`;
}

const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.`;

// Builds the page into the package: scripts by esbuild, onnxruntime's wasm packed, licences, and what it was built of.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = new URL("./", import.meta.url);
const out = new URL("../src/earful/export/web_page/", here);
const packages = ["onnxruntime-web", "mediabunny"];

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const read = (name) => readFileSync(new URL(name, here));

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const script = (name, format) =>
  build({
    entryPoints: [new URL(`src/${name}.ts`, here).pathname],
    outfile: new URL(`${name}.js`, out).pathname,
    bundle: true,
    minify: true,
    format,
    target: "es2022",
    legalComments: "inline",
    logLevel: "warning",
  });
await script("page", "iife");
await script("worker", "esm");
await script("microphone", "iife");
for (const name of ["index.html", "page.css"]) writeFileSync(new URL(name, out), read(`src/${name}`));

// The smallest build that has all operators: for processors alone. Level 9 and no time stamp: the same bytes each time.
const wasm = read("node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm");
writeFileSync(new URL("runtime.wasm.gz", out), gzipSync(wasm, { level: 9 }));
writeFileSync(new URL("LICENCES.txt", out), read("LICENCES.txt"));

const sources = ["package.json", "package-lock.json", "tsconfig.json", "build.mjs", "LICENCES.txt"];
sources.push(...readdirSync(new URL("src", here)).map((name) => `src/${name}`));
const digest = createHash("sha256");
for (const name of sources.sort()) digest.update(`${name}\n${sha256(read(name))}\n`);
const files = readdirSync(out).sort();
const built = {
  sources: digest.digest("hex"),
  packages: Object.fromEntries(packages.map((name) => [name, JSON.parse(read(`node_modules/${name}/package.json`)).version])),
  files: Object.fromEntries(files.map((name) => [name, sha256(readFileSync(new URL(name, out)))])),
};
writeFileSync(new URL("built.json", out), `${JSON.stringify(built, null, 1)}\n`);

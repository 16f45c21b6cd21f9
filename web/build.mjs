// Builds the two pages into the package: scripts by esbuild, onnxruntime's wasm packed, licences, and what each was built of.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = new URL("./", import.meta.url);
const shared = ["package.json", "package-lock.json", "tsconfig.json", "build.mjs"];

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const read = (name) => readFileSync(new URL(name, here));
const within = (folder) =>
  readdirSync(new URL(folder, here), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(here.pathname.length).replace("//", "/"));

function empty(folder) {
  const out = new URL(`../src/earful/${folder}/`, here);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  return out;
}

const script = (out, source, format) =>
  build({
    entryPoints: [new URL(source, here).pathname],
    outfile: new URL(source.replace(/.*\//, "").replace(/ts$/, "js"), out).pathname,
    bundle: true,
    minify: true,
    format,
    target: "es2022",
    legalComments: "inline",
    logLevel: "warning",
  });

/** What the tests see of a page: of which sources it was built, and that nothing was changed by hand since. */
function stamp(out, sources, packages) {
  const digest = createHash("sha256");
  for (const name of [...shared, ...sources].sort()) digest.update(`${name}\n${sha256(read(name))}\n`);
  const files = readdirSync(out).sort();
  const built = {
    sources: digest.digest("hex"),
    packages: Object.fromEntries(packages.map((name) => [name, JSON.parse(read(`node_modules/${name}/package.json`)).version])),
    files: Object.fromEntries(files.map((name) => [name, sha256(readFileSync(new URL(name, out)))])),
  };
  writeFileSync(new URL("built.json", out), `${JSON.stringify(built, null, 1)}\n`);
}

async function exported() {
  const out = empty("export/web_page");
  await script(out, "src/page.ts", "iife");
  await script(out, "src/worker.ts", "esm");
  await script(out, "src/microphone.ts", "iife");
  for (const name of ["index.html", "page.css"]) writeFileSync(new URL(name, out), read(`src/${name}`));
  // The smallest build that has all operators: for processors alone. Level 9 and no time stamp: the same bytes each time.
  const wasm = read("node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm");
  writeFileSync(new URL("runtime.wasm.gz", out), gzipSync(wasm, { level: 9 }));
  writeFileSync(new URL("LICENCES.txt", out), read("LICENCES.txt"));
  stamp(out, ["LICENCES.txt", ...within("src")], ["onnxruntime-web", "mediabunny"]);
}

async function studio() {
  const out = empty("server/studio_page");
  await script(out, "studio/studio.ts", "iife");
  await script(out, "src/microphone.ts", "iife");
  for (const name of ["index.html", "studio.css", "LICENCES.txt"]) writeFileSync(new URL(name, out), read(`studio/${name}`));
  stamp(out, [...within("studio"), "src/microphone.ts", "src/resample.ts"], ["wavesurfer.js"]);
}

await exported();
await studio();

// Builds the third-party front-end files into static/vendor/ (git-ignored). Run by `make setup`, or by hand: npm run build.
// Everything passes through esbuild: it drops references to source maps, which the manifest storage would look for in vain.
import {build} from "esbuild";
import {copyFile, mkdir, rm, writeFile} from "node:fs/promises";
import {createRequire} from "node:module";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const vendor = join(here, "vendor");
const packages = join(here, "..", "node_modules");
const require = createRequire(import.meta.url);
const from = (name, ...path) => join(packages, name, ...path);

/** One minified file from one published file; licence comments stay in it. */
async function minify(source, target) {
  await build({
    entryPoints: [source],
    outfile: join(vendor, target),
    bundle: false,
    minify: true,
    legalComments: "inline",
    logLevel: "warning",
  });
}

await rm(vendor, {recursive: true, force: true});
await mkdir(vendor, {recursive: true});
await Promise.all([
  minify(from("@tabler/core", "dist", "css", "tabler.css"), "tabler.min.css"),
  minify(from("@tabler/core", "dist", "js", "tabler.js"), "tabler.min.js"),
  // One weight axis and the Latin letters only: 48 KB instead of 800. Other scripts fall back to the system's font.
  copyFile(from("@fontsource-variable/inter", "files", "inter-latin-wght-normal.woff2"), join(vendor, "inter-latin.woff2")),
  copyFile(from("@fontsource-variable/inter", "LICENSE"), join(vendor, "inter.LICENSE.txt")),
]);
const names = ["@tabler/core", "@fontsource-variable/inter"];
const versions = names.map((name) => `${name} ${require(from(name, "package.json")).version}`);
await writeFile(join(vendor, "versions.txt"), `${versions.join("\n")}\n`);
console.log(`static/vendor: ${versions.join(", ")}`);

// Builds the third-party front-end files into static/vendor/ (git-ignored). Run by `make setup`, or by hand: npm run build.
// Everything passes through esbuild: it drops references to source maps, which the manifest storage would look for in vain.
import {build} from "esbuild";
import {copyFile, mkdir, readFile, rm, writeFile} from "node:fs/promises";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const vendor = join(here, "vendor");
const packages = join(here, "..", "node_modules");
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

/** The parts of CodeMirror that static/js/editor.js uses, as one module; fetched only by pages that have an editor. */
const EDITOR = `
export {EditorState, RangeSetBuilder, StateField} from "@codemirror/state";
export {Decoration, EditorView, WidgetType, drawSelection, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers} from "@codemirror/view";
export {HighlightStyle, bidiIsolates, bracketMatching, codeFolding, foldGutter, foldKeymap, indentOnInput, indentUnit, syntaxHighlighting} from "@codemirror/language";
export {json} from "@codemirror/lang-json";
export {forceLinting, lintGutter, lintKeymap, linter, nextDiagnostic} from "@codemirror/lint";
export {defaultKeymap, history, historyKeymap} from "@codemirror/commands";
export {highlightSelectionMatches, search, searchKeymap} from "@codemirror/search";
export {tags} from "@lezer/highlight";
`;

async function bundleEditor() {
  await build({
    stdin: {contents: EDITOR, resolveDir: packages},
    outfile: join(vendor, "codemirror.min.js"),
    bundle: true,
    format: "esm",
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
  bundleEditor(),
  copyFile(from("@codemirror/view", "LICENSE"), join(vendor, "codemirror.LICENSE.txt")),
]);
const names = ["@tabler/core", "@fontsource-variable/inter"];
const parts = ["commands", "lang-json", "language", "lint", "search", "state", "view"].map((part) => `@codemirror/${part}`);
const version = async (name) => JSON.parse(await readFile(from(name, "package.json"), "utf8")).version;
const versions = await Promise.all([...names, ...parts].map(async (name) => `${name} ${await version(name)}`));
await writeFile(join(vendor, "versions.txt"), `${versions.join("\n")}\n`);
console.log(`static/vendor: ${versions.join(", ")}`);

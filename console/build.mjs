// Builds the console into dist/, which is committed: `cargo build` needs no Node. `--check` builds elsewhere and compares.
import { build } from "esbuild";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const here = import.meta.dirname;
const checks = process.argv.includes("--check");
const dist = checks ? await mkdtemp(join(tmpdir(), "console-")) : join(here, "dist");

await rm(dist, { recursive: true, force: true });
await mkdir(join(dist, "assets"), { recursive: true });
const result = await build({
  absWorkingDir: here,
  entryPoints: ["src/main.tsx", "src/style.css", "src/icon.svg"],
  outdir: join(dist, "assets"),
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  metafile: true,
  legalComments: "none",
  loader: { ".svg": "copy" },
  logLevel: "warning",
});

const made = (source) => {
  const found = Object.entries(result.metafile.outputs).find(([, output]) =>
    output.entryPoint ? output.entryPoint === source : source in output.inputs && source.endsWith(".svg"));
  return `/assets/${found[0].split("/").pop()}`;
};
const page = (await readFile(join(here, "src/index.html"), "utf8"))
  .replace("{script}", made("src/main.tsx"))
  .replace("{style}", made("src/style.css"))
  .replace("{icon}", made("src/icon.svg"));
await writeFile(join(dist, "index.html"), page);

if (checks) {
  const kept = join(here, "dist");
  const files = async (root) => (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(root.length)).sort();
  const [built, committed] = [await files(dist), await files(kept)];
  const differs = built.join() !== committed.join() || (await Promise.all(built.map(async (name) =>
    !(await readFile(dist + name)).equals(await readFile(kept + name))))).some(Boolean);
  await rm(dist, { recursive: true });
  if (differs) {
    console.error("console/dist is not what console/src builds to: run `npm run build` in console/ and commit it");
    process.exit(1);
  }
}

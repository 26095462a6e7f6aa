// Gathers the page, LiteRT.js and a student in a folder for any static server:
//   npm run site -- student.tflite FOLDER [PACKAGES]
// where PACKAGES is the folder with node_modules, by default this one.
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { HERE, PAGE_FILES, studentFiles } from "./serve.mjs";

const LIBRARY = "node_modules/@litertjs";
const LIBRARY_FILES = [
  "core/package.json",
  "core/dist/index.js",
  "core/wasm",
  "wasm-utils/package.json",
  "wasm-utils/dist/index.js",
].map((name) => `${LIBRARY}/${name}`);

const [tflite, folder, packages = HERE] = process.argv.slice(2);
try {
  if (!folder) throw new Error("Usage: npm run site -- student.tflite FOLDER");
  const copies = [
    ...PAGE_FILES.map((name) => [path.join(HERE, name), name]),
    ...LIBRARY_FILES.map((name) => [path.join(packages, name), name]),
    ...Object.entries(studentFiles(tflite)).map(([name, file]) => [file, name]),
  ];
  mkdirSync(folder, { recursive: true });
  for (const [from, to] of copies) cpSync(from, path.join(folder, to), { recursive: true });
  // GitHub Pages would leave out node_modules.
  writeFileSync(path.join(folder, ".nojekyll"), "");
  console.log(`${folder}: serve it, or open it with python3 -m http.server -d ${folder}`);
} catch (error) {
  console.error(error.code === "ENOENT" ? `${error.message}. Run first: npm ci` : error.message);
  process.exitCode = 2;
}

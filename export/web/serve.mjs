// Serves the page with a student, to this machine only:
//   npm start -- student.tflite [PORT]
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const HERE = path.dirname(fileURLToPath(import.meta.url));
const LIBRARIES = ["node_modules/@litertjs/core/", "node_modules/@litertjs/wasm-utils/"];
const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};
// With these, browsers give a page shared memory (for threads) and a fine clock.
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** The page's own files, by their path under the page. */
export const PAGE_FILES = [
  "index.html",
  "style.css",
  "icon.svg",
  "answers.js",
  "areas.js",
  "draw.js",
  "files.js",
  "ink.js",
  "measure.js",
  "page.js",
  "pixels.js",
  "student.js",
  "times.js",
  "view.js",
];

/** A student's two files, by their path under the page, where they may have any name. */
export function studentFiles(tflite, name = "student") {
  if (!existsSync(tflite) || !statSync(tflite).isFile()) {
    throw new Error(`There is no file ${tflite}.`);
  }
  const manifest = tflite.replace(/\.tflite$/, "") + ".json";
  return {
    [`${name}.tflite`]: tflite,
    ...(existsSync(manifest) ? { [`${name}.json`]: manifest } : {}),
  };
}

/**
 * Starts a server on 127.0.0.1.
 *
 * @param {object} files Path under the page to a file, beside the page's own.
 * @param {{port?: number, packages?: string, isIsolated?: boolean}} options `packages`
 *     is the folder that holds node_modules; without isolation the server is as any.
 * @returns {Promise<{url: string, close: () => void}>}
 */
export async function serve(files, { port = 0, packages = HERE, isIsolated = true } = {}) {
  if (!existsSync(path.join(packages, LIBRARIES[0], "package.json"))) {
    throw new Error(`LiteRT.js is not in ${packages}. Run there: npm ci`);
  }
  const own = Object.fromEntries(PAGE_FILES.map((name) => [name, path.join(HERE, name)]));
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://127.0.0.1");
    const name = decodeURIComponent(pathname).slice(1) || "index.html";
    const isLibrary = LIBRARIES.some((one) => name.startsWith(one)) && !name.includes("..");
    const file = { ...own, ...files }[name] ?? (isLibrary && path.join(packages, name));
    if (!file || !statSync(file, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      "Content-Type": TYPES[path.extname(name)] ?? "application/octet-stream",
      "Cache-Control": "no-store",
      ...(isIsolated ? ISOLATION : {}),
    });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  const url = `http://127.0.0.1:${server.address().port}/`;
  return { url, close: () => server.close().closeAllConnections() };
}

/** The version of an installed package. */
export function installedVersion(packages, name) {
  const file = path.join(packages, "node_modules", name, "package.json");
  return JSON.parse(readFileSync(file, "utf8")).version;
}

async function main([tflite, port = "8000"]) {
  try {
    const server = await serve(tflite ? studentFiles(tflite) : {}, { port: Number(port) });
    console.log(`The student is at ${server.url} (Ctrl-C ends)`);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 2;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));

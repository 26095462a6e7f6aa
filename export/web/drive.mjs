// Runs a student in headless Chromium, and prints the line of export/README.md:
//   node drive.mjs student.tflite [--golden FILE] [--outputs FILE] [--threads N]
//        [--runs N] [--warmup N] [--profile] [--accelerator wasm|webgpu]
//        [--packages FOLDER]
import { accessSync, constants, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { HERE, installedVersion, serve, studentFiles } from "./serve.mjs";

const BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const START_TIMEOUT_MS = 120_000;
const OPTIONS = {
  golden: { type: "string" },
  outputs: { type: "string" },
  threads: { type: "string", default: "1" },
  runs: { type: "string", default: "200" },
  warmup: { type: "string", default: "20" },
  profile: { type: "boolean", default: false },
  accelerator: { type: "string", default: "wasm" },
  packages: { type: "string", default: HERE },
};

function readArguments() {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (positionals.length !== 1) throw new Error("Name one .tflite file.");
  for (const [name, least] of [["threads", 1], ["runs", 1], ["warmup", 0]]) {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number < least) {
      throw new Error(`--${name} is a whole number of at least ${least}.`);
    }
    values[name] = number;
  }
  if (!["wasm", "webgpu"].includes(values.accelerator)) {
    throw new Error('--accelerator is "wasm" or "webgpu".');
  }
  if (values.golden && !existsSync(values.golden)) {
    throw new Error(`There is no file ${values.golden}.`);
  }
  return { ...values, file: positionals[0] };
}

function nameOf(file) {
  return path.basename(file, ".tflite");
}

function findBrowser() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  for (const name of BROWSERS) {
    for (const folder of folders) {
      const file = path.join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        if (statSync(file).isFile()) return file;
      } catch {
        continue;
      }
    }
  }
  throw new Error(
    "There is no Chromium or Chrome. Install one (Debian: apt install chromium), or set " +
      "CHROMIUM to its path.",
  );
}

/** Starts the browser; nothing in it reaches beyond this machine. */
export async function launch(packages) {
  const require = createRequire(path.join(packages, "package.json"));
  const { chromium } = require("playwright-core");
  const executablePath = findBrowser();
  try {
    return await chromium.launch({
      executablePath,
      timeout: START_TIMEOUT_MS,
      args: [
        "--no-proxy-server",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ...(process.env.CHROMIUM_FLAGS ?? "").split(/\s+/).filter(Boolean),
      ],
    });
  } catch (error) {
    throw new Error(`${executablePath} did not start as a browser: ${reasonOf(error)}`);
  }
}

/** The browser's own last words, out of all that Playwright tells. */
function reasonOf({ message }) {
  const fatal = /:FATAL:[^\]]*\] (.*)/.exec(message) ?? /\[err\] (.*)/.exec(message);
  if (fatal) return fatal[1].replace(/\x1b\[\d+m/g, "");
  const [first] = message.replace(/^browserType\.launch: /, "").split("\n");
  return first.startsWith("Target page") ? "it ended at once." : first;
}

async function openStudent(page, url, { file, accelerator, threads }) {
  const model = `${nameOf(file)}.tflite`;
  const query = new URLSearchParams({ model, accelerator, threads, quiet: "" });
  await page.goto(`${url}?${query}`);
  const student = await page.evaluate(() => kerasKd.open());
  if (student.accelerator !== accelerator) {
    throw new Error(
      "This browser has no GPU to offer. Try CHROMIUM_FLAGS=--enable-unsafe-webgpu, or " +
        "run on the CPU.",
    );
  }
  return student;
}

async function answerGolden(page, student, { outputs }) {
  const answers = await page.evaluate(() => kerasKd.answerGolden("golden"));
  const given = Buffer.from(answers.outputs, "base64");
  if (outputs) writeFileSync(outputs, given);
  return compared(given, Buffer.from(answers.expected, "base64"), answers.count, student);
}

function compared(given, expected, count, { output, outputKind }) {
  const TypedArray = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array }[output.dtype];
  const [ours, theirs] = [given, expected].map(
    (bytes) => new TypedArray(new Uint8Array(bytes).buffer),
  );
  const size = ours.length / count;
  const half = outputKind === "sigmoid" ? 0.5 : 0;
  const classOf = (values) =>
    size === 1 ? values[0] > half : values.indexOf(values.reduce((a, b) => Math.max(a, b)));
  let same = 0;
  for (let k = 0; k < count; k++) {
    const [one, other] = [ours, theirs].map((all) => all.subarray(k * size, (k + 1) * size));
    if (classOf(one) === classOf(other)) same++;
  }
  const differences = ours.map((value, k) => Math.abs(value - theirs[k]));
  const difference = differences.reduce((a, b) => Math.max(a, b));
  return { examples: count, same_class: same, max_difference: difference };
}

async function measured(browser, url, options, load) {
  const page = await browser.newPage();
  page.setDefaultTimeout(START_TIMEOUT_MS);
  const student = await openStudent(page, url, options);
  const golden = options.golden ? await answerGolden(page, student, options) : null;
  const { runs, warmup } = options;
  const times = await page.evaluate((asked) => kerasKd.measure(asked), { runs, warmup });
  const isEmulated = student.gpu?.isEmulated ?? false;
  const timed = (value) => (isEmulated ? null : value);
  return {
    schema: 1,
    file: path.basename(options.file),
    size_bytes: student.sizeBytes,
    machine: machine(student.gpu),
    runtime: runtime(browser, options.packages),
    accelerator: student.gpu ? "GPU" : "CPU",
    is_emulated: isEmulated,
    threads: student.threads,
    warmup,
    runs,
    init_ms: timed(student.initMs),
    min_ms: timed(times.min_ms),
    p50_ms: timed(times.p50_ms),
    p90_ms: timed(times.p90_ms),
    p99_ms: timed(times.p99_ms),
    // That of the browser would tell more about the browser than about the student.
    peak_memory_bytes: null,
    arena_bytes: null,
    operations: null,
    governor: governor(),
    load,
    golden,
    warnings: warnings(student, times, options),
  };
}

function machine(gpu) {
  const cores = os.cpus();
  const words = `${cores[0]?.model.trim() ?? os.arch()}, ${cores.length} cores, ${os.type()}`;
  return gpu ? `${gpu.name} GPU, ${words}` : words;
}

function runtime(browser, packages) {
  const version = installedVersion(packages, "@litertjs/core");
  return `LiteRT.js ${version} in Chromium ${browser.version()}`;
}

function governor() {
  const file = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
  return existsSync(file) ? readFileSync(file, "utf8").trim() : null;
}

function warnings(student, { batch, clock_step_ms: step }, { threads }) {
  const found = [];
  if (batch > 1) {
    found.push(
      `the browser's clock steps by ${step} ms: each time is the mean of ${batch} runs`,
    );
  }
  if (student.threads !== threads) {
    found.push(`the browser gave ${student.threads} of ${threads} threads`);
  }
  return found;
}

async function main() {
  const options = readArguments();
  const [load] = os.loadavg();
  const files = studentFiles(options.file, nameOf(options.file));
  if (options.golden) files.golden = options.golden;
  const server = await serve(files, { packages: options.packages });
  try {
    const browser = await launch(options.packages);
    try {
      console.log(JSON.stringify(await measured(browser, server.url, options, load)));
    } finally {
      await browser.close();
    }
  } finally {
    server.close();
  }
}

if (path.resolve(process.argv[1]) === path.join(HERE, "drive.mjs")) {
  try {
    await main();
  } catch (error) {
    // Playwright's message: the call, the page's own words, then where it was.
    const [line] = error.message.replace(/^page\.\w+: (Error: )?/, "").split("\n");
    console.error(line);
    process.exitCode = 2;
  }
}

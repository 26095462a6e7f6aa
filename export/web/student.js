// A student: a .tflite file opened with LiteRT.js, and what its manifest tells.
import * as litert from "@litertjs/core";

const LIBRARY = new URL("node_modules/@litertjs/core/", document.baseURI);
const TYPES = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };
let loadedBuild = null;

/** What of this browser a student can use. */
export async function abilities() {
  const isIsolated = globalThis.crossOriginIsolated === true;
  return {
    // A page without COOP and COEP headers gets no shared memory, hence no threads.
    threads:
      isIsolated && (await litert.supportsFeature("relaxedSimd"))
        ? navigator.hardwareConcurrency || 1
        : 1,
    hasGpu: litert.isWebGPUSupported() && !!(await navigator.gpu.requestAdapter()),
    isIsolated,
  };
}

/** The version of LiteRT.js in use. */
export async function runtimeVersion() {
  const response = await fetch(new URL("package.json", LIBRARY));
  return response.ok ? (await response.json()).version : "";
}

/** A student that answers one example at a time. */
export class Student {
  #model;
  #inputShape;

  /**
   * Opens a file.
   *
   * @param {{name: string, bytes: Uint8Array, manifest: ?object}} files
   * @param {{accelerator?: "wasm"|"webgpu", threads?: number}} options More threads
   *     than the browser offers count as all that it offers.
   * @throws {Error} One line that says what to do, for files that cannot be run.
   */
  static async open({ name, bytes, manifest }, { accelerator = "wasm", threads = 1 }) {
    if (String.fromCharCode(...bytes.subarray(4, 8)) !== "TFL3") {
      throw new Error(`${name} is not a .tflite file, or damaged.`);
    }
    checkType(manifest?.input?.dtype);
    checkType(manifest?.output?.dtype);
    threads = accelerator === "wasm" ? Math.min(threads, (await abilities()).threads) : 1;
    await loadRuntime(accelerator, threads);
    const start = performance.now();
    let model;
    try {
      const cpuOptions = { numThreads: threads };
      model = await litert.loadAndCompile(bytes, { accelerator, cpuOptions });
    } catch (error) {
      throw new Error(explained(error, name));
    }
    const student = new Student();
    student.#model = model;
    const input = onlyOne(model.getInputDetails(), "inputs");
    const output = onlyOne(model.getOutputDetails(), "outputs");
    student.#inputShape = [...input.shape];
    return Object.assign(student, {
      name,
      manifest,
      accelerator,
      threads,
      sizeBytes: bytes.length,
      initMs: performance.now() - start,
      input: { dtype: input.dtype, shape: [...input.shape] },
      output: { dtype: output.dtype, shape: [...output.shape] },
    });
  }

  /** The array type of a tensor's dtype. */
  static arrayOf(dtype) {
    return TYPES[dtype];
  }

  /** An input tensor that holds `values`; the caller deletes it. */
  tensor(values) {
    return new litert.Tensor(TYPES[this.input.dtype].from(values), this.#inputShape);
  }

  /** Runs once; gives the output tensor, which the caller deletes. */
  async run(tensor) {
    const [output] = await this.#model.run([tensor]);
    return output;
  }

  /** What the student answers to `values`: the output tensor's content. */
  async answer(values) {
    const tensor = this.tensor(values);
    try {
      const output = await this.run(tensor);
      try {
        return await output.data();
      } finally {
        output.delete();
      }
    } finally {
      tensor.delete();
    }
  }

  /** Memory of the WebAssembly program, which never shrinks. */
  get memoryBytes() {
    return litert.getGlobalLiteRt().liteRtWasm.HEAPU8.length;
  }

  /** The GPU in words and whether software plays it, or null on the CPU. */
  get gpu() {
    if (this.accelerator !== "webgpu") return null;
    const info = litert.getWebGpuDevice().adapterInfo ?? {};
    const name = [info.vendor, info.architecture].filter(Boolean).join(" ");
    const isEmulated = info.isFallbackAdapter || info.architecture === "swiftshader";
    return { name: info.description || name || "unknown GPU", isEmulated: !!isEmulated };
  }

  close() {
    this.#model.delete();
  }
}

async function loadRuntime(accelerator, threads) {
  let build = threads > 1 ? "threads" : "plain";
  if (accelerator === "webgpu") {
    // The build that can leave single operations to the CPU.
    build = (await litert.supportsFeature("jspi")) ? "jspi" : "plain";
  }
  if (build === loadedBuild) return;
  if (loadedBuild) litert.unloadLiteRt();
  loadedBuild = null;
  // LiteRT writes its log, with harmless lines, where a console shows errors.
  self.Module = { print: console.debug, printErr: console.debug };
  const wanted = { threads: build === "threads", jspi: build === "jspi" };
  await litert.loadLiteRt(new URL("wasm/", LIBRARY).href, wanted);
  loadedBuild = build;
}

function checkType(dtype) {
  if (dtype === undefined || dtype in TYPES) return;
  throw new Error(
    `This file takes or gives ${dtype} values, and LiteRT.js only float32, int32 and ` +
      "uint8. Make it again with keras_kd.export.convert(..., float_io=True): its " +
      "inside stays as small and fast.",
  );
}

function explained(error, name) {
  const message = String(error?.message ?? error).split("\n")[0];
  const type = /Element type (\w+) is not supported/.exec(message);
  try {
    if (type) checkType(type[1].toLowerCase());
  } catch (explanation) {
    return explanation.message;
  }
  if (/No WebGPU|no WebGPU|WebGPU device/.test(message)) {
    return "This browser offers no GPU to the page. Choose the CPU.";
  }
  return `LiteRT.js cannot run ${name} (${message}). Is the file whole?`;
}

function onlyOne(details, what) {
  if (details.length === 1) return details[0];
  throw new Error(`This file has ${details.length} ${what}; a student has one.`);
}

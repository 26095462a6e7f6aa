// How long a student takes, and what it answers to many examples.
import { Student } from "./student.js";
import { summary } from "./times.js";

// A time is at least so many steps of the browser's clock.
const LEAST_STEPS = 20;
const LEAST_RUNS = 10;
const MOST_BATCH = 4096;

/**
 * Times a student, one example at a time, on fixed pseudo-random input.
 *
 * Browsers make their clocks coarse: where one run is too short for the clock, each
 * time is the mean of `batch` runs in a row. On the GPU, a run ends when the answer
 * has been read back.
 *
 * @param {Student} student
 * @param {{runs?: number, warmup?: number, budgetMs?: number}} options `runs` times;
 *     fewer, but at least ten, once `budgetMs` is spent.
 */
export async function measure(student, options = {}) {
  const { runs = 200, warmup = 20, budgetMs = Infinity } = options;
  const tensor = student.tensor(timingInput(student.input));
  const times = [];
  try {
    const clockStep = clockStepMs();
    const batch = await batchSize(student, tensor, warmup, clockStep);
    const start = performance.now();
    let rested = start;
    while (times.length < runs) {
      times.push(await timeMs(student, tensor, batch));
      const now = performance.now();
      if (now - start > budgetMs && times.length >= LEAST_RUNS) break;
      if (now - rested > 50) {
        // The page stays alive.
        await new Promise((resume) => setTimeout(resume));
        rested = performance.now();
      }
    }
    return { ...summary(times), warmup, batch, clock_step_ms: clockStep };
  } finally {
    tensor.delete();
  }
}

/** What a student answers to the golden inputs, with the header checked. */
export async function answerGolden(student, buffer) {
  const header = new DataView(buffer, 0, 24);
  const magic = String.fromCharCode(...new Uint8Array(buffer, 0, 8));
  const [count, inputBytes, outputBytes] = [8, 12, 16].map((at) =>
    header.getUint32(at, true),
  );
  const InputArray = Student.arrayOf(student.input.dtype);
  const OutputArray = Student.arrayOf(student.output.dtype);
  if (
    magic !== "KDGOLD01" ||
    inputBytes !== size(student.input.shape) * InputArray.BYTES_PER_ELEMENT ||
    outputBytes !== size(student.output.shape) * OutputArray.BYTES_PER_ELEMENT ||
    buffer.byteLength !== 24 + count * (inputBytes + outputBytes)
  ) {
    throw new Error("The golden file was made for another student.");
  }
  const outputs = new Uint8Array(count * outputBytes);
  for (let k = 0; k < count; k++) {
    const from = 24 + k * inputBytes;
    const input = new InputArray(buffer.slice(from, from + inputBytes));
    const output = await student.answer(input);
    outputs.set(new Uint8Array(output.buffer, output.byteOffset, outputBytes), k * outputBytes);
  }
  const expected = new Uint8Array(buffer, 24 + count * inputBytes);
  return { count, outputs, expected: expected.slice() };
}

async function timeMs(student, tensor, batch) {
  const outputs = [];
  const isGpu = student.accelerator === "webgpu";
  const start = performance.now();
  for (let k = 0; k < batch; k++) {
    outputs.push(await student.run(tensor));
    // Until it is read, the GPU may still be at work.
    if (isGpu) await outputs[k].data();
  }
  const end = performance.now();
  for (const output of outputs) output.delete();
  return (end - start) / batch;
}

/** Warms up, and finds how many runs in a row the clock can time. */
async function batchSize(student, tensor, warmup, clockStep) {
  for (let k = 0; k < warmup; k++) await timeMs(student, tensor, 1);
  const wanted = LEAST_STEPS * clockStep;
  for (let batch = 1; ; batch *= 2) {
    const times = [];
    // The fastest of some: another program may have held one up.
    for (let k = 0; k < 5; k++) times.push(await timeMs(student, tensor, batch));
    const one = Math.min(...times);
    if (one * batch >= wanted || batch >= MOST_BATCH) return batch;
  }
}

/** The step by which this browser's clock advances. */
function clockStepMs() {
  const steps = [];
  const start = performance.now();
  let last = start;
  while (steps.length < 10 && last - start < 20) {
    const now = performance.now();
    if (now > last) steps.push(now - last);
    last = now;
  }
  // The clock counts in doubles: 0.1 ms comes as 0.09999999403953552.
  return Number(Math.min(...steps).toPrecision(4));
}

/** Pseudo-random numbers in [0, 1), always the same; zeros where whole ones are due. */
function timingInput({ dtype, shape }) {
  let state = 1;
  return Float32Array.from({ length: size(shape) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return dtype === "float32" ? state / 2 ** 32 : 0;
  });
}

function size(shape) {
  return shape.reduce((product, length) => product * length, 1);
}
